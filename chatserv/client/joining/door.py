"""The private socket of a profile: where it is, and who may be at its ends."""

import os
import socket
import stat
import struct
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from chatserv.client.account.failures import ProfileError
from chatserv.client.joining.frames import MAX_JOINED
from chatserv.i18n import _
from chatserv.owners import system_text
from chatserv.private_files import FILE_MODE

SOCKET_NAME: Final = "socket"
MAX_PATH_BYTES: Final = 107
"""What fits into an address of Linux; longer paths go through a handle of their directory."""
_CREDENTIALS: Final = "3i"  # of struct ucred: process, user, group


@contextmanager
def _address(path: Path) -> Generator[str]:
    """The socket's path, in a form that an address holds."""
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _credentials(end: socket.socket) -> tuple[int, int]:
    """Process and user at the other end, by the kernel's word."""
    found = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_CREDENTIALS))
    process, user, _group = struct.unpack(_CREDENTIALS, found)
    return process, user


def same_user(end: socket.socket) -> bool:
    """Whether the process at the other end is of our user."""
    return _credentials(end)[1] == os.geteuid()


def same_process(end: socket.socket) -> bool:
    """Whether it is ourselves, who cannot answer while we wait for the answer."""
    return _credentials(end)[0] == os.getpid()


def bind(directory: Path) -> socket.socket:
    """A listening socket of mode 0600. For whoever holds the profile's lock: one that is there is left over from the dead.

    Raises:
        ProfileError: Something else has its place, or it cannot be made.
    """
    path = directory / SOCKET_NAME
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        _clear(path)
        with _address(path) as address:
            listening.bind(address)
            os.chmod(address, FILE_MODE)  # before anybody is listened to
        listening.listen(MAX_JOINED)
    except OSError as error:
        listening.close()
        raise ProfileError(f"{path}: {system_text(error)}", file=path) from None
    except BaseException:
        listening.close()
        raise
    return listening


def _clear(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        said = _("something else has the place of this profile's socket: move it away")
        raise ProfileError(f"{path}: {said}", file=path)
    path.unlink()


def remove(directory: Path) -> None:
    """The socket is gone; for whoever has made it, and holds the lock still."""
    with suppress(OSError):
        (directory / SOCKET_NAME).unlink()


def connect(directory: Path, seconds: float) -> socket.socket | None:
    """A connection to whoever holds the profile; None where nobody listens.

    Args:
        directory: Of the profile.
        seconds: How long its operations may take.

    Raises:
        ProfileError: It is a socket of somebody else.
    """
    path = directory / SOCKET_NAME
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    end.settimeout(seconds)
    try:
        with _address(path) as address:
            end.connect(address)
        if not same_user(end):
            raise ProfileError(f"{path}: {_('the program that listens there is of another user')}", file=path)
    except OSError:
        end.close()
        return None
    except BaseException:
        end.close()
        raise
    return end
