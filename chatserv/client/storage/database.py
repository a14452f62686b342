"""The file, its transactions and its errors; what is in the tables is for the other modules of this package to know."""

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast

from chatserv.client.storage.driver import Closed, driver
from chatserv.client.storage.failures import Explained, StorageError, storage_error
from chatserv.client.storage.file import memory, open_file
from chatserv.client.storage.write_ahead import WriteAheadLog
from chatserv.i18n import _
from chatserv.local_errors import LocalProtocolError

FILE_NAME: Final = "client.db"
PROBE_BYTES: Final = 65_536  # more than anything takes that is stored at once


class Database:
    """One open file. Not for two threads, nor for two programs: the profile's lock is in front of it.

    Args:
        connection: To a file with the current schema, in autocommit mode.
        where: The file's name, for errors.
        before_commit: Called at the end of each transaction; what it raises undoes the transaction. For tests.
        key: What the file is under.

    Attributes:
        failed: Told of each failure, whoever catches it then.
        undone: How often a transaction was undone: what was remembered of the tables may be wrong.
        write_ahead: What is committed, and what of it is on disk.
    """

    def __init__(
        self,
        connection: driver.Connection,
        where: str = "memory",
        before_commit: Callable[[], None] | None = None,
        key: bytes | None = None,
    ) -> None:
        self.connection = connection
        self.failed: Callable[[StorageError], object] = lambda _: None
        self._where = where
        self._before_commit = before_commit
        self._depth = 0
        self._gathered: dict[str, dict[Any, Sequence[Any]]] = {}  # by statement and key: what is written at the end
        self._exact: set[str] = set()
        self._last: dict[Any, Callable[[], object]] = {}
        self.undone = 0
        self._waits = True  # for the disk, as SQLite is told
        self._explained = Explained(where, self._tell)
        self._place = _place(where)
        self.write_ahead = WriteAheadLog(None if self._place is None else where, key, self._tell)

    @classmethod
    def open(
        cls, path: Path | None, before_commit: Callable[[], None] | None = None, *, key: bytes | None = None
    ) -> "Database":
        """Opens the file, and makes it where there is none.

        Args:
            path: None for a database in memory, which ends with the connection.
            before_commit: See `Database`.
            key: What the file is under, 32 bytes; None where it is not sealed.

        Raises:
            StorageError: The file is none of ours, damaged, of a newer version, in use or open to others. It is left alone.
        """
        if path is None:
            return cls(memory(), before_commit=before_commit)
        return cls(open_file(path, key), str(path), before_commit, key)

    def close(self) -> None:
        """Ends the connection. What the write-ahead log held of deleted secrets goes with it.

        Whoever asks for anything afterwards gets a `LocalProtocolError`.
        """
        with suppress(driver.Error):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()
        self.connection = cast(driver.Connection, Closed())
        self.write_ahead.close()

    @contextmanager
    def transaction(self, *, wait: bool = True) -> Generator[None]:
        """All of it or nothing. Inside another one it joins that; an exception undoes what was done inside.

        An exception that leaves the outermost one undoes everything.

        Args:
            wait: For the disk. Without, a power failure may undo it, but no end of the program, and nothing that is
                committed later stays without it: whoever tells or sends what comes of it waits until it is on disk
                (`chatserv.client.state.keeping`). Of an inner one it does not count.
        """
        name = f"level{self._depth}"
        if not self._depth:
            self._check_place()
            self._wait_for_disk(wait)
            with self.write_ahead.beginning:
                self.execute("BEGIN IMMEDIATE")
        else:
            self.execute(f"SAVEPOINT {name}")
        self._depth += 1
        try:
            yield
            if self._depth == 1:
                self._finish()
                if self._before_commit is not None:
                    with self._explained:
                        self._before_commit()
                self.execute("COMMIT")
                self.write_ahead.count(wait)
            else:
                self.execute(f"RELEASE {name}")
        except BaseException:
            self._undo(name)
            raise
        finally:
            self._depth -= 1
            if not self._depth:
                self._last.clear()

    @contextmanager
    def joined(self) -> Generator[None]:
        """As `transaction`, but inside another one nothing is undone apart: for one statement and what is gathered."""
        if self._depth:
            yield
            return
        with self.transaction():
            yield

    def _undo(self, name: str) -> None:
        self._gathered.clear()
        self.undone += 1
        if not self.connection.in_transaction:  # after some errors SQLite itself has undone everything
            return
        with self._explained:
            if self._depth == 1:
                self.connection.execute("ROLLBACK")
            else:
                self.connection.execute(f"ROLLBACK TO {name}")
                self.connection.execute(f"RELEASE {name}")

    def _tell(self, error: StorageError) -> None:
        self.failed(error)

    def _check_place(self) -> None:
        """What is written to a file that has no name any more is lost when the program ends, and SQLite does not look."""
        if _place(self._where) != self._place:
            gone = storage_error(self._where, None)
            self.failed(gone)
            raise gone
        if self.write_ahead.doubt is not None:
            raise self.write_ahead.doubt

    def _wait_for_disk(self, wait: bool) -> None:
        if wait is not self._waits:
            self.execute(f"PRAGMA synchronous={'FULL' if wait else 'NORMAL'}")
            self._waits = wait

    def probe(self) -> None:
        """Tries whether something of size can be stored. Raises `StorageError` as long as that is not so."""
        if self.connection.in_transaction and not self._depth:  # a disk that failed in the middle of an undoing
            with self._explained:
                self.connection.execute("ROLLBACK")
        doubt = self.write_ahead.doubt
        if doubt is not None:  # into the file with it: what the log has may not be written a second time
            self._wait_for_disk(True)
            if self.one("PRAGMA wal_checkpoint(TRUNCATE)")[0]:
                raise doubt
            self.write_ahead.empty()
        self.write("INSERT OR REPLACE INTO facts VALUES ('probe', ?)", (bytes(PROBE_BYTES),))
        self.write("DELETE FROM facts WHERE key = 'probe'")

    def execute(self, sql: str, values: Sequence[Any] = (), *, beside: bool = False) -> driver.Cursor:
        """One statement. Raises `StorageError` where the file or the disk fails.

        Args:
            sql: The statement.
            values: Its values.
            beside: It has nothing to do with what is gathered, which goes on waiting.
        """
        if self._depth and not self.connection.in_transaction:
            raise StorageError(f"{self._where}: {_('what was under way was undone')}", file=self._where)
        if self._gathered and not beside:
            self._write_gathered()
        with self._explained:
            return self.connection.execute(sql, values)

    def one(self, sql: str, values: Sequence[Any] = (), *, beside: bool = False) -> Any:
        """The first row of a query, a tuple, or None."""
        with self._explained:
            return self.execute(sql, values, beside=beside).fetchone()

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query, as tuples."""
        with self._explained:
            return self.execute(sql, values).fetchall()

    def write(self, sql: str, values: Sequence[Any] = ()) -> int:
        """One statement that changes something, in a transaction of its own if there is none; how many rows it changed."""
        if self._depth:
            return self.execute(sql, values).rowcount
        with self.transaction():
            return self.execute(sql, values).rowcount

    def gather(self, sql: str, values: Sequence[Any], key: Any = None, *, exact: bool = False) -> None:
        """A statement that is written with all others like it: before the next one that does not go `beside`, or at the end.

        Args:
            sql: What changes something, in whatever order with what else is gathered.
            values: Its values.
            key: Of those with the same one, other than None, the last counts alone.
            exact: Whether it has to change a row: where there is none, `LocalProtocolError` is raised when it is written.
        """
        if not self._depth:
            with self.transaction():
                self.gather(sql, values, key, exact=exact)
            return
        if exact:
            self._exact.add(sql)
        rows = self._gathered.setdefault(sql, {})
        rows[len(rows) if key is None else key] = values

    def gathered(self, sql: str, key: Any) -> Any:
        """The values of a statement that is not written yet, or None."""
        rows = self._gathered.get(sql)
        return None if rows is None else rows.get(key)

    def _write_gathered(self) -> None:
        gathered, self._gathered = self._gathered, {}
        with self._explained:
            for sql, rows in gathered.items():
                changed = self.connection.executemany(sql, rows.values()).rowcount
                if sql in self._exact and changed != len(rows):
                    raise LocalProtocolError("what is not there was to be changed")

    def finish(self, key: Any, work: Callable[[], object]) -> None:
        """Something to be done once when the outermost transaction ends, or now; ``key`` says what it is."""
        if self._depth:
            self._last[key] = work
        else:
            work()

    def _finish(self) -> None:
        while self._last:
            self._last.pop(next(iter(self._last)))()

    def note(self, sql: str, values: Sequence[Any] = ()) -> None:
        """One statement that does not wait for the disk: the next transaction does. A power failure in between undoes it.

        For markers, of which an older one does no harm.
        """
        if self._depth:
            self.execute(sql, values)
            return
        with self.transaction(wait=False):
            self.execute(sql, values)

    def write_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for each row of values, all or none. Where there is no row, nothing waits for the disk."""
        rows = list(rows)
        if not rows:
            return
        with self.transaction():
            self._write_gathered()
            with self._explained:
                self.connection.executemany(sql, rows)


def _place(where: str) -> tuple[int, int] | None:
    """What file has this name now; None for one in memory, and where there is none."""
    try:
        facts = os.stat(where)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
