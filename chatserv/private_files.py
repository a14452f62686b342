"""Small secret files: mode 0600, written whole or not at all, refused where others may read them. For both ends."""

import os
import shlex
import stat
from pathlib import Path
from typing import Final

from chatserv.errors import ChatError
from chatserv.i18n import N_, _

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600


class PrivateFileError(ChatError):
    """A secret file or its directory cannot be used; the detail names it and says what to do."""

    code = "private_file"
    text = N_("A file with secrets on this machine cannot be used.")


def open_to_others(path: Path, mode: int, wanted: int = FILE_MODE) -> str:
    """That others may read it, and the command that changes that."""
    return f"{path}: {_('open to others')} ({mode:04o}): chmod {wanted:o} {shlex.quote(str(path))}"


def make_directory(path: Path) -> None:
    """Makes a directory that only we may enter. Raises `PrivateFileError`."""
    try:
        path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        facts = path.stat()
    except OSError as error:
        raise PrivateFileError(f"{path}: {error.strerror}") from None
    if facts.st_uid != os.geteuid():
        raise PrivateFileError(f"{path}: {_('belongs to another user')}")
    mode = stat.S_IMODE(facts.st_mode)
    if mode & 0o077:
        raise PrivateFileError(open_to_others(path, mode, DIRECTORY_MODE))


def read_private(path: Path) -> bytes | None:
    """A file's bytes, or None where there is none. Raises `PrivateFileError` where others may read it, or we may not."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PrivateFileError(f"{path}: {error.strerror}") from None
    if mode & 0o077:
        raise PrivateFileError(open_to_others(path, mode))
    return data


def write_private(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replaces a file, whole or not at all; ``durable`` waits for the disk. Raises `PrivateFileError`."""
    temporary = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, FILE_MODE)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(descriptor)
        temporary.replace(path)
        if durable:
            _sync_directory(path.parent)
    except OSError as error:
        raise PrivateFileError(f"{path}: {error.strerror}") from None


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
