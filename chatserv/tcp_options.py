"""The TCP socket under a transport: options, which both edges set, the server's and the client's; and writing at once."""

import socket
from collections.abc import Iterable
from typing import Any

from twisted.internet import tcp


def set_options(transport: Any, options: Iterable[tuple[int, int, int]]) -> None:
    """Sets options (level, name, value, as in ``setsockopt``); on other kinds of transport nothing happens."""
    below = getattr(transport, "transport", None) or transport  # TLS stands on another transport
    handle = getattr(below, "socket", None)
    if isinstance(handle, socket.socket) and handle.family in {socket.AF_INET, socket.AF_INET6}:
        for level, option, value in options:
            handle.setsockopt(level, option, value)


def write_now(transport: Any, data: bytes) -> None:
    """Writes to the kernel at once where nothing waits; what that does not take, and elsewhere all, in the ordinary way.

    ``transport.write`` takes another turn of the reactor and two calls of ``epoll_ctl`` for it. Leans on private names of
    Twisted's TCP transport, as `chatserv.net.direct` does.
    """
    written: Any = 0
    if (
        isinstance(transport, tcp.Connection)
        and transport.connected
        and not (transport.TLS or transport.disconnecting or transport.dataBuffer or transport._tempDataBuffer)
    ):
        written = transport.writeSomeData(data)
        if isinstance(written, Exception):  # the connection is gone: the ordinary way finds out and tells
            written = 0
    if written < len(data):
        transport.write(data[written:] if written else data)
