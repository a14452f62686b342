"""The write-ahead log of the file, from outside SQLite: what is committed without waiting is synced here, in a thread."""

import os
from collections.abc import Callable
from contextlib import closing, suppress
from threading import Lock
from typing import BinaryIO, Final

from chatserv.client.storage.driver import connect_file, driver
from chatserv.client.storage.failures import DiskFailed, StorageError
from chatserv.owners import system_text

CHECKPOINT_BYTES: Final = 4 * 2**20
"""How long the log may become before it moves into the file, once nothing more is written."""
MOST_BYTES: Final = 32 * 2**20
"""The same while more and more is written."""
HEAD_BYTES: Final = 32
"""At the beginning of the log; each time that it begins anew they are others."""


class WriteAheadLog:
    """The log of one file.

    Args:
        where: The file's name; None for a database in memory.
        key: What the file is under.
        failed: Told of a sync that failed.

    Attributes:
        committed: How many transactions there were.
        on_disk: How many of them no power failure can undo any more.
        doubt: Why it is not known what is on disk.
        beginning: Held while a log begins anew, which takes as long as the disk, and while a transaction begins.
        to_move: Whether the next `sync` moves the log into the file, however short it is; False once that is done, and the
            log has nothing of before.
    """

    def __init__(self, where: str | None, key: bytes | None, failed: Callable[[StorageError], object]) -> None:
        self._where, self._key, self._failed = where, key, failed
        self.committed = self.on_disk = 0
        self.doubt: StorageError | None = None
        self.beginning = Lock()
        self.to_move = False
        self._file: BinaryIO | None = None

    def count(self, waited: bool) -> None:
        """One more is committed; ``waited``: SQLite has waited for the disk, if there was anything to write."""
        earlier = self.committed > self.on_disk
        self.committed += 1
        if self._where is None or (waited and not earlier):
            self.on_disk = self.committed
        elif waited:  # where nothing was changed, nothing was synced, and so not what was committed before
            try:
                self.sync_now()
            except StorageError as error:
                self.cannot_sync(error)

    def sync(self) -> None:
        """Waits until the disk has whatever is committed now; meant for a thread. Raises `DiskFailed`, and tells nobody.

        A long log moves into the file then, by a connection of its own: this waits longer, and holds up no commit.
        """
        if self._where is None:
            self.to_move = False
            return
        committed, log = self.committed, self._fsync(self._where)
        size = os.fstat(log.fileno()).st_size
        if self.to_move or size > (CHECKPOINT_BYTES if self.committed == committed else MOST_BYTES):
            head = os.pread(log.fileno(), HEAD_BYTES, 0)
            with suppress(driver.Error), closing(connect_file(self._where, self._key)) as other:
                self._begin_anew(other)
            self.to_move &= os.pread(log.fileno(), HEAD_BYTES, 0) == head

    def _fsync(self, where: str) -> BinaryIO:
        log = self._file
        try:
            if log is None:
                log = self._file = open(f"{where}-wal", "rb+", buffering=0)  # noqa: SIM115 - as long as the database
            os.fsync(log)
        except OSError as error:
            raise DiskFailed(f"{where}: {system_text(error)}", file=where) from None
        return log

    def synced(self, committed: int) -> None:
        """So many transactions were committed when a `sync` began that has ended."""
        self.on_disk = max(self.on_disk, committed)

    def sync_now(self) -> None:
        """Waits for the disk here and now; the log stays as it is. Raises `StorageError`."""
        if self.doubt is not None:
            raise self.doubt
        if self._where is not None and self.committed > self.on_disk:
            self._fsync(self._where)
            self.on_disk = self.committed

    def cannot_sync(self, error: StorageError) -> None:
        """A sync has failed: what is on disk is not known, and nothing more is written until that is certain again."""
        self.doubt = error
        self._failed(error)

    def empty(self) -> None:
        """All of it is in the file."""
        self.doubt, self.on_disk = None, self.committed

    def _begin_anew(self, other: driver.Connection) -> None:
        """Moves the log into the file and writes the first page of the next one, which takes the place of this one.

        Whoever writes first to a log that begins anew has to wait for the disk, even who commits without waiting: so that
        is done here. A transaction that begins in just that moment waits for it. Where others commit meanwhile, this log
        goes on.
        """
        for pragma in ("wal_checkpoint(PASSIVE)", "journal_size_limit=0", "synchronous=NORMAL"):
            other.execute(f"PRAGMA {pragma}").fetchall()
        with self.beginning:
            # always another value: SQLite writes nothing where the row is the same as before
            other.execute("INSERT OR REPLACE INTO facts VALUES ('log begins', randomblob(8))")

    def close(self) -> None:
        """Not needed any more; a thread that is at it keeps it open until it is done."""
        self._file = None
