"""Files that come to be whole or not at all, beside no other of their name, for nobody else to read."""

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from chatserv.backup.refusals import BackupError, unusable
from chatserv.i18n import _
from chatserv.private_files import FILE_MODE, sync_directory

PREFIX: Final = ".chatserv-"
SUFFIX: Final = ".part"
EXCLUSIVE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def require_new(path: Path) -> None:
    """Raises `BackupError` where something of this name exists, or the directory does not."""
    if os.path.lexists(path):
        raise BackupError(path, _("exists"), _("name another file, or remove it first"))
    if not path.parent.is_dir():
        raise BackupError(path.parent, _("no such directory"))


@contextmanager
def scratch_file(directory: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """An empty file of our own, gone afterwards; those of processes that were killed go first. Raises `BackupError`."""
    path = directory / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"
    try:
        sweep(directory)
        descriptor = os.open(path, EXCLUSIVE, FILE_MODE)
    except OSError as error:
        raise unusable(directory, error) from None
    try:
        with os.fdopen(descriptor, "w+b") as file:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield path, file
    finally:
        with suppress(FileNotFoundError):
            path.unlink()


def sweep(directory: Path) -> None:
    """Removes what a killed process has left here: files of ours that nobody holds."""
    for path in directory.glob(f"{PREFIX}*{SUFFIX}"):
        with suppress(OSError):  # somebody else's, or gone meanwhile
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A new file of mode 0600 to be written; it gets its name when all of it is on the disk, and nothing stays otherwise.

    Raises:
        BackupError: There is such a file already, or the disk does not take it.
    """
    require_new(path)
    with scratch_file(path.parent) as (scratch, file):
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            _name(scratch, path)
            sync_directory(path.parent)
        except OSError as error:
            raise unusable(path, error) from None


def _name(scratch: Path, path: Path) -> None:
    try:
        os.link(scratch, path, follow_symlinks=False)  # a rename would take the place of another file
    except FileExistsError:
        require_new(path)
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        require_new(path)  # a file system without links, as that of a memory stick
        scratch.rename(path)
