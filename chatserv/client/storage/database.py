"""The file, its transactions and its errors; what is in the tables is for the other modules of this package to know."""

import os
import sqlite3
import stat
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from chatserv.client.storage.failures import StorageError, storage_error
from chatserv.client.storage.schema import APPLICATION_ID, MIGRATIONS
from chatserv.i18n import _
from chatserv.private_files import FILE_MODE, open_to_others

FILE_NAME: Final = "client.db"
PROBE_BYTES: Final = 65_536  # more than anything takes that is stored at once
_PRAGMAS: Final = (
    "trusted_schema=OFF",
    "foreign_keys=ON",
    "secure_delete=ON",  # a deleted key is overwritten in the file
    "temp_store=MEMORY",  # and never was in another one
    "journal_mode=WAL",
    "journal_size_limit=0",
    "synchronous=FULL",
)


class _Explained:
    """Turns what SQLite says of file and disk into `StorageError`; misuse by our own code stays as it is.

    A class, since a generator would cost a tenth of the time that it takes to receive a message.

    Args:
        where: The file.
        failed: Told of each.
    """

    __slots__ = ("_failed", "_where")
    _OURS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError)

    def __init__(self, where: str, failed: Callable[[StorageError], object] = lambda _: None) -> None:
        self._where, self._failed = where, failed

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, self._OURS):
            explained = storage_error(self._where, error)
            self._failed(explained)
            raise explained from None


class Database:
    """One open file. Not for two threads, nor for two programs: the profile's lock is in front of it.

    Args:
        connection: To a file with the current schema, in autocommit mode.
        where: The file's name, for errors.
        before_commit: Called at the end of each transaction; what it raises undoes the transaction. For tests.
    """

    def __init__(
        self, connection: sqlite3.Connection, where: str = "memory", before_commit: Callable[[], None] | None = None
    ) -> None:
        self.connection = connection
        self.failed: Callable[[StorageError], object] = lambda _: None  # told of each failure, whoever catches it then
        self._where = where
        self._before_commit = before_commit
        self._depth = 0
        self._explained = _Explained(where, self._tell)
        self._place = _place(where)

    @classmethod
    def open(cls, path: Path | None, before_commit: Callable[[], None] | None = None) -> "Database":
        """Opens the file, and makes it where there is none.

        Args:
            path: None for a database in memory, which ends with the connection.
            before_commit: See `Database`.

        Raises:
            StorageError: The file is none of ours, damaged, of a newer version, in use or open to others. It is left alone.
        """
        if path is None:
            connection = _connect(":memory:")
            _migrate(connection, 0)
            return cls(connection, before_commit=before_commit)
        where = str(path)
        try:
            if not path.exists():
                _create(path)
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError as error:
            hint = _("check the directory and its permissions")
            raise StorageError(f"{where}: {error.strerror}: {hint}", file=where) from None
        if mode & 0o077:
            raise StorageError(open_to_others(path, mode), file=path)
        with _Explained(where):
            connection = sqlite3.connect(where, isolation_level=None, timeout=1)
            try:
                _check(connection, where)
                _configure(connection)
                _migrate(connection, _version(connection))
            except BaseException:
                connection.close()
                raise
        return cls(connection, where, before_commit)

    def close(self) -> None:
        """Ends the connection. What the write-ahead log held of deleted secrets goes with it."""
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()

    def checkpoint(self) -> None:
        """Moves the write-ahead log into the file and empties it: until then it holds pages with deleted secrets.

        For moments when nothing else is going on; it waits for the disk.
        """
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All of it or nothing. Inside another one it joins that; an exception undoes what was done inside.

        An exception that leaves the outermost one undoes everything.
        """
        name = f"level{self._depth}"
        if not self._depth:
            self._check_place()
        self.execute(f"SAVEPOINT {name}" if self._depth else "BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
            if self._depth == 1:
                if self._before_commit is not None:
                    with self._explained:
                        self._before_commit()
                self.execute("COMMIT")
            else:
                self.execute(f"RELEASE {name}")
        except BaseException:
            self._undo(name)
            raise
        finally:
            self._depth -= 1

    def _undo(self, name: str) -> None:
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

    def probe(self) -> None:
        """Tries whether something of size can be stored. Raises `StorageError` as long as that is not so."""
        if self.connection.in_transaction and not self._depth:  # a disk that failed in the middle of an undoing
            with self._explained:
                self.connection.execute("ROLLBACK")
        self.write("INSERT OR REPLACE INTO facts VALUES ('probe', ?)", (bytes(PROBE_BYTES),))
        self.write("DELETE FROM facts WHERE key = 'probe'")

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """One statement. Raises `StorageError` where the file or the disk fails."""
        if self._depth and not self.connection.in_transaction:
            raise StorageError(f"{self._where}: {_('what was under way was undone')}", file=self._where)
        with self._explained:
            return self.connection.execute(sql, values)

    def one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first row of a query, a tuple, or None."""
        with self._explained:
            return self.execute(sql, values).fetchone()

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

    def note(self, sql: str, values: Sequence[Any] = ()) -> None:
        """One statement that does not wait for the disk: the next transaction does. A power failure in between undoes it.

        For markers, of which an older one does no harm.
        """
        if self._depth:
            self.execute(sql, values)
            return
        self.execute("PRAGMA synchronous=NORMAL")
        try:
            self.write(sql, values)
        finally:
            self.execute("PRAGMA synchronous=FULL")

    def write_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for each row of values, all or none."""
        with self.transaction(), self._explained:
            self.connection.executemany(sql, rows)


def _place(where: str) -> tuple[int, int] | None:
    """What file has this name now; None for one in memory, and where there is none."""
    try:
        facts = os.stat(where)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _connect(where: str) -> sqlite3.Connection:
    connection = sqlite3.connect(where, isolation_level=None, timeout=1)
    _configure(connection)
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _check(connection: sqlite3.Connection, where: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version = _version(connection)
    if application != APPLICATION_ID or version < 1:
        hint = _("not a file of this program, or damaged: move it away or restore it from a backup")
        raise StorageError(f"{where}: {hint}", file=where)
    if version > len(MIGRATIONS):
        hint = _("made by a newer version of this program: update this one")
        raise StorageError(f"{where}: {hint} ({version})", file=where)


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Runs each script that the file has not seen, in a transaction of its own."""
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        head = f"BEGIN IMMEDIATE; PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number};"
        connection.executescript(f"{head}\n{script}\nCOMMIT;")


def _create(path: Path) -> None:
    """Makes the file beside its place and moves it there, so that a file without its tables is always a damaged one."""
    if path.with_name(path.name + "-wal").exists():
        raise StorageError(f"{path}: {_('missing, but not all of it: restore it from a backup')}", file=path)
    fresh = path.with_name(path.name + ".new")
    _clear(fresh)
    try:
        _fill(path, fresh)
    except BaseException:
        with suppress(OSError):  # half a file would only take the place that is missing
            _clear(fresh)
        raise
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _clear(file: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _fill(path: Path, fresh: Path) -> None:
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE))
    with _Explained(str(path)):
        connection = _connect(str(fresh))
        try:
            _migrate(connection, 0)
        finally:
            connection.close()
