"""Small secret files: mode 0600, written whole or not at all, refused where others may read them. For both ends."""

import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

import platformdirs

from chatserv.failpoints import failpoint
from chatserv.i18n import N_, _
from chatserv.local_errors import LocalFileError
from chatserv.owners import reason, user_name

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_BLOCK: Final = 1 << 20


class PrivateFileError(LocalFileError):
    """A secret file or its directory cannot be used; the detail names it and says what to do."""

    code = "private_file"
    text = N_("A file with secrets on this machine cannot be used.")


def _unusable(path: Path, why: str) -> PrivateFileError:
    return PrivateFileError(f"{path}: {why}", file=path)


def open_to_others(path: Path, mode: int, wanted: int = FILE_MODE) -> str:
    """That others may read it, and the command that changes that."""
    return f"{path}: {_('open to others')} ({mode:04o}): chmod {wanted:o} {shell_word(path)}"


def user_directory(name: str, instead: str) -> Path:
    """The user's directory for what a program of this name keeps (``$XDG_STATE_HOME``, else below ``$HOME``).

    Args:
        name: The program.
        instead: How its directory can be named otherwise, for the error.

    Raises:
        PrivateFileError: There is no home: none is known, or ``HOME`` is empty or relative.
    """
    homeless = os.environ.get("HOME") == "" and not os.environ.get("XDG_STATE_HOME", "").strip()
    with suppress(RuntimeError):  # older versions of platformdirs give "~" instead of this
        path = Path(platformdirs.user_state_path(name, appauthor=False))
        if path.is_absolute() and not homeless:
            return path
    said = _("no home directory for {name}: set HOME to an absolute path, or use {instead}")
    raise PrivateFileError(said.format(name=name, instead=instead))


def shell_word(path: Path) -> str:
    r"""A path as one word for a shell, of printable characters: plain, in quotes, or as ``$'two\nlines'``."""
    text = os.fspath(path)
    if text.startswith("-"):
        text = f"./{text}"
    if text.isprintable():
        return shlex.quote(text)
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\x{byte:02x}" for byte in os.fsencode(text))
    return f"$'{''.join(plain)}'"


def make_directory(path: Path) -> None:
    """Makes a directory that only we may enter. Raises `PrivateFileError`."""
    try:
        path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    except FileExistsError:
        raise _unusable(path, _("not a directory")) from None
    except OSError as error:
        raise _unusable(path, reason(path, error)) from None
    check_directory(path)


def check_directory(path: Path) -> None:
    """Looks whether this is a directory that only we may enter. Raises `PrivateFileError`."""
    try:
        facts = path.stat()
    except OSError as error:
        raise _unusable(path, reason(path, error)) from None
    if not stat.S_ISDIR(facts.st_mode):
        raise _unusable(path, _("not a directory"))
    if facts.st_uid != os.geteuid():
        raise _unusable(path, f"{_('belongs to another user')} ({user_name(facts.st_uid)})")
    mode = stat.S_IMODE(facts.st_mode)
    if mode & 0o077:
        raise PrivateFileError(open_to_others(path, mode, DIRECTORY_MODE), file=path)


def read_private(path: Path) -> bytes | None:
    """A file's bytes, or None where there is none. Raises `PrivateFileError` where others may read it, or we may not."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, reason(path, error)) from None
    if mode & 0o077:
        raise PrivateFileError(open_to_others(path, mode), file=path)
    return data


def write_private(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replaces a file, whole or not at all; ``durable`` waits for the disk. Raises `PrivateFileError`."""
    temporary = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, FILE_MODE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, FILE_MODE)
            file.write(data)
            failpoint("file.writing")
            if durable:
                file.flush()
                os.fsync(descriptor)
        failpoint("file.replacing")
        temporary.replace(path)
        if durable:
            sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):  # half a file would only take the place that is missing
            temporary.unlink(missing_ok=True)
        raise _unusable(path, reason(path, error)) from None


def overwrite(path: Path) -> None:
    """Zeros in the place of a file's bytes, on the disk; nothing where there is no file. Raises `PrivateFileError`.

    File systems that write anew elsewhere, and flash memory, may keep what was there.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unusable(path, reason(path, error)) from None
    try:
        size = os.fstat(descriptor).st_size
        for start in range(0, size, _BLOCK):
            os.pwrite(descriptor, bytes(min(_BLOCK, size - start)), start)
        os.fsync(descriptor)
    except OSError as error:
        raise _unusable(path, reason(path, error)) from None
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Waits until the names in a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
