"""How the file is made, opened, checked and brought up to date."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from chatserv.client.storage.driver import connect_file, driver
from chatserv.client.storage.failures import Explained, StorageError
from chatserv.client.storage.schema import APPLICATION_ID, MIGRATIONS
from chatserv.i18n import _
from chatserv.owners import system_text
from chatserv.private_files import FILE_MODE, open_to_others, sync_directory

_PRAGMAS: Final = (
    "trusted_schema=OFF",
    "foreign_keys=ON",
    "secure_delete=ON",  # a deleted key is overwritten in the file
    "temp_store=MEMORY",  # and never was in another one
    "journal_mode=WAL",
    "journal_size_limit=0",
    "wal_autocheckpoint=16000",  # pages; mostly it is done in a thread, and earlier: `WriteAheadLog.sync`
)


def memory() -> driver.Connection:
    """A database that ends with its connection."""
    connection = _connect(":memory:")
    _migrate(connection, 0)
    return connection


def open_file(path: Path, key: bytes | None = None) -> driver.Connection:
    """Opens the file with the current schema, and makes it where there is none; see `Database.open`."""
    where = str(path)
    try:
        if not path.exists():
            _create(path, key)
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        hint = _("check the directory and its permissions")
        raise StorageError(f"{where}: {system_text(error)}: {hint}", file=where) from None
    if mode & 0o077:
        raise StorageError(open_to_others(path, mode), file=path)
    with Explained(where):
        connection = connect_file(where, key)
        try:
            _check(connection, where)
            _configure(connection, "FULL")
            _migrate(connection, _version(connection))
        except BaseException:
            connection.close()
            raise
    return connection


def _connect(where: str, key: bytes | None = None) -> driver.Connection:
    """A file that nobody relies on yet: the disk is not waited for."""
    connection = connect_file(where, key)
    _configure(connection, "OFF")
    return connection


def _configure(connection: driver.Connection, synchronous: str) -> None:
    for pragma in (f"synchronous={synchronous}", *_PRAGMAS):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _version(connection: driver.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _check(connection: driver.Connection, where: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    version = _version(connection)
    if application != APPLICATION_ID or version < 1:
        hint = _("not a file of this program, or damaged: move it away or restore it from a backup")
        raise StorageError(f"{where}: {hint}", file=where)
    if version > len(MIGRATIONS):
        hint = _("made by a newer version of this program: update this one")
        raise StorageError(f"{where}: {hint} ({version})", file=where)


def _migrate(connection: driver.Connection, version: int) -> None:
    """Runs the scripts that the file has not seen, all of them in one transaction: it waits for the disk once."""
    scripts = MIGRATIONS[version:]
    if scripts:
        head = f"BEGIN IMMEDIATE; PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={len(MIGRATIONS)};"
        connection.executescript("\n".join([head, *scripts, "COMMIT;"]))


def _create(path: Path, key: bytes | None) -> None:
    """Makes the file beside its place and moves it there, so that a file without its tables is always a damaged one."""
    if path.with_name(path.name + "-wal").exists():
        raise StorageError(f"{path}: {_('missing, but not all of it: restore it from a backup')}", file=path)
    fresh = path.with_name(path.name + ".new")
    clear(fresh)
    try:
        _fill(path, fresh, key)
    except BaseException:
        with suppress(OSError):  # half a file would only take the place that is missing
            clear(fresh)
        raise
    fresh.replace(path)
    sync_directory(path.parent)


def clear(file: Path) -> None:
    """Removes a file with all that SQLite keeps beside it."""
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _fill(path: Path, fresh: Path, key: bytes | None) -> None:
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE))
    with Explained(str(path)):
        connection = _connect(str(fresh), key)
        try:
            _migrate(connection, 0)
        finally:
            connection.close()
    sync_file(fresh)


def sync_file(path: Path) -> None:
    """Waits until the disk has a file. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
