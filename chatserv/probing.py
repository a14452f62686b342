"""Whether the server can listen where it should, tried before the fork, so that the start ends with one plain line."""

import errno
import os
import socket
import stat
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import serverFromString

from chatserv.config import Server
from chatserv.listening import Listener, parse_listener
from chatserv.local_errors import SettingsError
from chatserv.settings_file import shown
from chatserv.wire.link import is_host

UNIX_PATH_BYTES = 107  # unix(7): sun_path has 108, one of which ends it
CONNECT_SECONDS = 1.0
TRIES = 3  # at ports that nobody should have


def all_listeners(server: Server) -> list[Listener]:
    """The listeners, with and without TLS."""
    plain = [] if server.plain_address is None else [Listener("tcp", *server.plain_address)]
    return [*server.listeners, *plain]


def check_endpoints(reactor: Any, server: Server) -> None:
    """Refuses endpoint strings that Twisted does not understand. Raises `SettingsError`."""
    for description in server.listen:
        try:
            serverFromString(reactor, description)
            if not is_usable(parse_listener(description)):
                raise ValueError(description)
        except (ValueError, TypeError, LookupError, OSError):  # they speak of Python's parameters, not of the setting
            hint = 'write a Twisted endpoint such as "tcp:5000:interface=192.0.2.1"'
            raise SettingsError("chatserv", "server.listen", f"{shown(description)} cannot be used", hint) from None


def is_usable(listener: Listener) -> bool:
    """Whether its port, address or path is one; a scope id may name the interface of an IPv6 address."""
    host = listener.host.partition("%")[0]
    if listener.kind == "tcp":
        return 0 <= listener.port <= 65535 and (not host or is_host(host))
    return listener.kind != "unix" or bool(listener.path)


def listen_problem(listeners: Iterable[Listener], directory: str = ".") -> str | None:
    """Why nothing can listen at one of these, or None; whether they are in each other's way is tried too.

    No port listens meanwhile: whoever came just then would be cut off. A socket of a server that is gone, and its lock, are
    removed.

    Args:
        listeners: What is asked for.
        directory: What relative paths of sockets are relative to.
    """
    ports: dict[int, list[Listener]] = {}
    with ExitStack() as held:
        for listener in listeners:
            try:
                if listener.kind == "tcp":
                    probe = held.enter_context(_socket(listener))
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Twisted; connections may linger
                    _bind(probe, listener, listener.port)
                    ports.setdefault(listener.port, []).append(listener)
                elif listener.kind == "unix":
                    _free_socket(Path(directory) / listener.path, listener)
            except OSError as error:
                return f"{listener.text}: {error.strerror or error}"
    for port, sharing in ports.items():
        clashing = _clashing(sharing) if port and len(sharing) > 1 else None
        if clashing is not None:
            return f"{clashing.text}: {os.strerror(errno.EADDRINUSE)}"
    return None


def _socket(listener: Listener) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in listener.host else socket.AF_INET, socket.SOCK_STREAM)


def _bind(probe: socket.socket, listener: Listener, port: int) -> None:
    if probe.family == socket.AF_INET6:
        found = socket.getaddrinfo(listener.host, port, socket.AF_INET6, socket.SOCK_STREAM)
        probe.bind(found[0][4])  # with the number of the interface, where a scope id names one
    else:
        probe.bind((listener.host, port))


def _clashing(sharing: Iterable[Listener]) -> Listener | None:
    """The first of these, which share a port, that cannot listen beside those before it; tried at another, unused port."""
    clashing = None
    for _ in range(TRIES):
        clashing, port = None, 0
        with ExitStack() as held:
            for listener in sharing:
                probe = held.enter_context(_socket(listener))
                try:
                    _bind(probe, listener, port)
                except OSError:  # or somebody else has that one
                    clashing = listener
                    break
                port = probe.getsockname()[1]
        if clashing is None:
            break
    return clashing


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
