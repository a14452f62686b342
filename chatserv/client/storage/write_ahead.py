"""The write-ahead log of the file, from outside SQLite: what is committed without waiting is synced here, in a thread."""

import os
from collections.abc import Callable
from contextlib import closing, suppress
from typing import BinaryIO, Final

from chatserv.client.storage.driver import connect_file, driver
from chatserv.client.storage.failures import DiskFailed, StorageError

CHECKPOINT_BYTES: Final = 4 * 2**20
"""How long the log may become before it moves into the file."""


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
    """

    def __init__(self, where: str | None, key: bytes | None, failed: Callable[[StorageError], object]) -> None:
        self._where, self._key, self._failed = where, key, failed
        self.committed = self.on_disk = 0
        self.doubt: StorageError | None = None
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
            return
        log = self._file
        try:
            if log is None:
                log = self._file = open(f"{self._where}-wal", "rb+", buffering=0)  # noqa: SIM115 - as long as the database
            os.fsync(log)
            size = os.fstat(log.fileno()).st_size
        except OSError as error:
            raise DiskFailed(f"{self._where}: {error.strerror}", file=self._where) from None
        if size > CHECKPOINT_BYTES:
            with suppress(driver.Error), closing(connect_file(self._where, self._key)) as other:
                other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def synced(self, committed: int) -> None:
        """So many transactions were committed when a `sync` began that has ended."""
        self.on_disk = max(self.on_disk, committed)

    def sync_now(self) -> None:
        """Waits for the disk here and now. Raises `StorageError`."""
        if self.doubt is not None:
            raise self.doubt
        if self.committed > self.on_disk:
            self.sync()
            self.on_disk = self.committed

    def cannot_sync(self, error: StorageError) -> None:
        """A sync has failed: what is on disk is not known, and nothing more is written until that is certain again."""
        self.doubt = error
        self._failed(error)

    def empty(self) -> None:
        """All of it is in the file."""
        self.doubt, self.on_disk = None, self.committed

    def close(self) -> None:
        """Not needed any more; a thread that is at it keeps it open until it is done."""
        self._file = None
