"""Whether the server can listen where it should, tried before the fork, so that the start ends with one plain line."""

import errno
import os
import socket
import stat
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

from chatserv.listening import Listener
from chatserv.wire.link import is_host

UNIX_PATH_BYTES = 107  # unix(7): sun_path has 108, one of which ends it
CONNECT_SECONDS = 1.0


def is_usable(listener: Listener) -> bool:
    """Whether its port, address or path is one; a scope id may name the interface of an IPv6 address."""
    host = listener.host.partition("%")[0]
    if listener.kind == "tcp":
        return 0 <= listener.port <= 65535 and (not host or is_host(host))
    return listener.kind != "unix" or bool(listener.path)


def listen_problem(listeners: Iterable[Listener], directory: str = ".") -> str | None:
    """Why nothing can listen at one of these, or None. All are tried at once, since they may be in each other's way.

    A socket of a server that is gone, and its lock, are removed.

    Args:
        listeners: What is asked for.
        directory: What relative paths of sockets are relative to.
    """
    with ExitStack() as held:
        for listener in listeners:
            try:
                if listener.kind == "tcp":
                    _bind(held.enter_context(socket.socket(_family(listener.host), socket.SOCK_STREAM)), listener)
                elif listener.kind == "unix":
                    _free_socket(Path(directory) / listener.path, listener)
            except OSError as error:
                return f"{listener.text}: {error.strerror or error}"
    return None


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _bind(probe: socket.socket, listener: Listener) -> None:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if probe.family == socket.AF_INET6:
        found = socket.getaddrinfo(listener.host, listener.port, socket.AF_INET6, socket.SOCK_STREAM)
        probe.bind(found[0][4])  # with the number of the interface, where a scope id names one
    else:
        probe.bind((listener.host, listener.port))
    probe.listen(1)


def _free_socket(path: Path, listener: Listener) -> None:
    name = os.fsencode(listener.path)
    if len(name) > UNIX_PATH_BYTES:
        raise OSError(errno.ENAMETOOLONG, f"longer than the {UNIX_PATH_BYTES} bytes that a socket's path may have")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise OSError(errno.EACCES, "no directory that can be written to")
    lock = path.with_name(f"{path.name}.lock")
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "exists, and is no socket")
        if _is_heard(path):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        path.unlink()
    if listener.locked and not lock.is_symlink() and lock.exists():
        raise OSError(errno.EEXIST, f"{lock.name} exists, and is no lock")
    if listener.locked:
        lock.unlink(missing_ok=True)


def _is_heard(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_SECONDS)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # a full backlog, or not ours to ask: somebody may be there
            return True
    return True
