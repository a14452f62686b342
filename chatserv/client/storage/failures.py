"""What can be wrong with the file that holds keys and messages, in words that say whose disk it is."""

import os
from collections.abc import Callable
from types import TracebackType
from typing import Final

from chatserv.client.storage.driver import driver
from chatserv.i18n import N_, _
from chatserv.local_errors import LocalFileError

LEAST_BYTES: Final = 65_536  # what SQLite needs beside the file to open it
_BUSY: Final = {driver.SQLITE_BUSY, driver.SQLITE_LOCKED}
_DISK: Final = {driver.SQLITE_IOERR, driver.SQLITE_READONLY, driver.SQLITE_CANTOPEN, driver.SQLITE_PERM}


class StorageError(LocalFileError):
    """The file with keys and messages cannot be used; the detail is one line, names it and says what to do."""

    code = "client_storage"
    text = N_("The keys and messages on this machine cannot be used.")


class DiskFull(StorageError):
    """There is no space for it. The client waits and goes on by itself."""

    text = N_("The disk of this machine is full: nothing can be received or sent until there is space.")
    retryable = True


class StorageLocked(StorageError):
    """Another program keeps it from being written. The client waits and goes on by itself."""

    text = N_("Another program holds the file with the keys and messages on this machine.")
    retryable = True


class DiskFailed(StorageError):
    """It cannot be read or written: a disk that fails or takes nothing, or the file is gone. As `DiskFull`."""

    text = N_("The disk of this machine cannot store anything: nothing can be received or sent.")
    retryable = True


def _is_full(where: str) -> bool:
    """Whether there is no space: SQLite tells an error of input and output where its files beside this one have none."""
    try:
        facts = os.statvfs(os.path.dirname(where) or ".")
    except OSError:
        return False
    return facts.f_bavail * facts.f_frsize < LEAST_BYTES


def storage_error(where: str, error: driver.Error | None) -> StorageError:
    """What SQLite says of a file, as one of these; None: its name leads to another file by now, or to none."""
    if error is None:
        hint = _("it was moved, replaced or deleted: put it back, or close the program and start it again")
        return DiskFailed(f"{where}: {hint}", file=where)
    said, code = f"{where}: {error}", getattr(error, "sqlite_errorcode", driver.SQLITE_ERROR) & 0xFF
    if code == driver.SQLITE_FULL or (code in _DISK and _is_full(where)):
        return DiskFull(said, file=where)
    if code in _BUSY:
        return StorageLocked(said, file=where)
    if code in _DISK:
        return DiskFailed(f"{said}: {_('check disk, directory and permissions')}", file=where)
    hint = _("check disk and permissions, and restore the file from a backup if it is damaged")
    return StorageError(f"{said}: {hint}", file=where)


class Explained:
    """Turns what SQLite says of file and disk into `StorageError`; misuse by our own code stays as it is.

    A class, since a generator would cost a tenth of the time that it takes to receive a message.

    Args:
        where: The file.
        failed: Told of each.
    """

    __slots__ = ("_failed", "_where")
    _OURS = (driver.IntegrityError, driver.ProgrammingError, driver.InterfaceError, driver.DataError)

    def __init__(self, where: str, failed: Callable[[StorageError], object] = lambda _: None) -> None:
        self._where, self._failed = where, failed

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, driver.DatabaseError) and not isinstance(error, self._OURS):
            explained = storage_error(self._where, error)
            self._failed(explained)
            raise explained from None
