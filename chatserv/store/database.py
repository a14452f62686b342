"""SQLite files and connections: how they are made, brought up to date and refused.

`prepare` makes and upgrades the file before the reactor runs; later one writing engine and several reading ones are used
in the threads of `chatserv.store.lane`.
"""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy import event as hooks
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.pool import NullPool

from chatserv.errors import Busy, ChatError, Internal, ReadOnly, StorageFull, WireError
from chatserv.i18n import N_
from chatserv.owners import reason
from chatserv.store import statements
from chatserv.store.checking import WAY_BACK, Damage, check_length, look_at_newest
from chatserv.store.schema import REVISION

SMALL_BYTES = 16 * 2**20  # written anew in a fraction of a second
INCREMENTAL = 2  # of PRAGMA auto_vacuum

_FULL = {sqlite3.SQLITE_FULL}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_UNWRITABLE = ("SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PERM")
_BROKEN = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class DatabaseRefused(ChatError):
    """A database file that cannot be used. ``str()`` is the one line ``file: message: hint``."""

    code = "database"
    text = N_("The database cannot be used.")

    def __init__(self, file: str, message: str, hint: str) -> None:
        super().__init__(f"{file}: {message}: {hint}")
        self.file, self.message, self.hint = file, message, hint


def translate(error: BaseException | None) -> WireError:
    """The protocol's error for what a database call raised: full, broken (read-only from now on), busy, or internal.

    The result never holds values of the failed statement.
    """
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the upper bits are SQLite's extended code
    name = getattr(cause, "sqlite_errorname", type(cause).__name__)
    if isinstance(cause, OSError):
        return StorageFull(name) if cause.errno in {errno.ENOSPC, errno.EDQUOT} else ReadOnly(name)
    if code in _FULL:
        return StorageFull(name)
    if code in _BROKEN:
        return ReadOnly(name)
    if code in _BUSY:
        return Busy(name)
    return Internal(name)


def _engine(path: Path, mode: str, *pragmas: str) -> Engine:
    def connect() -> sqlite3.Connection:
        # No isolation level: the driver begins nothing by itself, SQLAlchemy's events below do.
        conn = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in pragmas:
                conn.execute(f"PRAGMA {pragma}").fetchall()
        except sqlite3.Error:
            conn.close()
            raise
        return conn

    return create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool, hide_parameters=True)


def writing_engine(path: Path) -> Engine:
    """An engine whose connections may write, durably (WAL, every commit synced) and without leaving deleted content.

    The process must use one such connection at a time: SQLite before 3.51.3 can lose data when two write or checkpoint.
    """
    rules = "foreign_keys=ON", "secure_delete=ON", "trusted_schema=OFF"
    # A savepoint's pages would go to a file in the system's directory for such, at 190 writes a commit of 300 devices.
    engine = _engine(path, "rw", "journal_mode=WAL", "synchronous=FULL", "temp_store=MEMORY", *rules)
    hooks.listen(engine, "begin", _begin_immediate)
    return engine


def _begin_immediate(conn: Connection) -> None:
    driver = cast(sqlite3.Connection, conn.connection.driver_connection)
    driver.execute("BEGIN IMMEDIATE")  # through SQLAlchemy it takes as long as all that an append reads


def checkpoint(conn: Connection) -> None:
    """Copies what the log holds into the database, as far as no reader needs it (sqlite.org/wal.html, section 3)."""
    driver = cast(sqlite3.Connection, conn.connection.driver_connection)
    driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def reading_engine(path: Path) -> Engine:
    """An engine whose connections never write and never checkpoint; every statement sees the newest commit."""
    engine = _engine(path, "ro", "query_only=ON", "wal_autocheckpoint=0", "trusted_schema=OFF")
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def prepare(path: Path) -> None:
    """Makes the database at ``path``, or brings it up to date, and closes it again. Blocks; run it before the fork.

    A new database gets its incarnation id. The file's mode becomes 0600.

    Raises:
        DatabaseRefused: Not a database, not ours, of a newer version, damaged, in use, or the disk does not take it.
    """
    file = str(path)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise DatabaseRefused(file, reason(path, error), "check its owner and mode") from error
    engine = writing_engine(path)
    try:
        with refusals(path):
            check_length(path)
            if path.stat().st_size == 0:
                _let_shrink(path)
        with refusals(path), engine.connect() as conn:
            with conn.begin():
                current = _check(conn, file)
            if not current:
                with conn.begin():
                    _upgrade(conn)
    finally:
        engine.dispose()
    if path.stat().st_size <= SMALL_BYTES:
        with refusals(path):
            _let_shrink(path)


def _let_shrink(path: Path) -> None:
    """Lets a file that is new, or small, give back its free pages, a few at a time (``PRAGMA incremental_vacuum``).

    That has to be so before the first table, or needs a VACUUM, which is quick where the file is small.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as conn:
            if conn.execute("PRAGMA auto_vacuum").fetchone()[0] != INCREMENTAL:
                compact(conn)
    except sqlite3.Error as error:
        raise DatabaseError("VACUUM", None, error) from error


def compact(conn: sqlite3.Connection) -> None:
    """Writes the whole database anew, without free pages, so that it gives back those of later."""
    conn.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
    conn.execute("PRAGMA secure_delete = ON")
    conn.execute("VACUUM")


def take_back(path: Path, revision: str) -> str:
    """Takes the database at ``path`` back to an earlier schema, for an older program. Gives the one that it had.

    Raises:
        DatabaseRefused: As of `prepare`.
    """
    prepare(path)
    from chatserv.store import migrating  # noqa: PLC0415

    engine = writing_engine(path)
    try:
        with refusals(path), engine.begin() as conn:
            if statements.mending(conn):
                hint = "start the server and let it finish, or end it by chatserv restore --finish"
                raise DatabaseRefused(str(path), "restored, and not mended yet", hint)
            migrating.downgrade(conn, revision)
    finally:
        engine.dispose()
    return REVISION


def check(path: Path) -> bool:
    """Looks at a database without changing it, also while a server has it open. False: of an older version.

    Raises:
        DatabaseRefused: As of `prepare`.
    """
    engine = reading_engine(path)
    try:
        with refusals(path):
            check_length(path)
        with refusals(path), engine.connect() as conn:
            return _check(conn, str(path))
    finally:
        engine.dispose()


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Puts what the database at ``path`` raises inside into words for the operator. Raises `DatabaseRefused`."""
    try:
        yield
    except Damage as damage:
        raise DatabaseRefused(str(path), f"the database is damaged ({damage})", WAY_BACK) from damage
    except (DatabaseError, sqlite3.DatabaseError) as error:
        failure = translate(error)
        message, hint = f"not a usable database ({failure.detail})", WAY_BACK
        if isinstance(failure, StorageFull):
            message, hint = "the disk is full", "make space on it"
        elif isinstance(failure, Busy):
            message, hint = "in use by another program", "end that program"
        elif failure.detail.startswith(_UNWRITABLE):
            message, hint = f"cannot be written to ({failure.detail})", "check owner, mode and disk"
        raise DatabaseRefused(str(path), message, hint) from error


def _check(conn: Connection, file: str) -> bool:
    """Looks at schema and the newest rows; the rest is `chatserv.store.checking`'s. False: empty, or of an older version."""
    tables = set(conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars())
    if tables and "alembic_version" not in tables:
        raise DatabaseRefused(file, "a database of another program", "name another file")
    look_at_newest(conn)
    revision = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if tables else None
    if revision in {None, REVISION}:
        return revision is not None
    from chatserv.store import migrating  # noqa: PLC0415 - Alembic takes a tenth of a second

    if revision not in migrating.steps():
        message = f"made by a newer version (schema {revision!r})"
        raise DatabaseRefused(file, message, "install that version, or restore an older backup")
    return False


def _upgrade(conn: Connection) -> None:
    from chatserv.store import migrating  # noqa: PLC0415

    migrating.upgrade_to(conn)
    if statements.incarnation(conn) is None:
        statements.renew_incarnation(conn)
