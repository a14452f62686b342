"""Options of accepted sockets: no delay, a dead peer noticed by the kernel in a minute and a half, and little waiting in it.

Without the last the kernel takes up to 4 MB for a peer that reads nothing, behind the back of the send queue's bounds.
See docs/operations.rst, limits.
"""

import socket
from typing import Any, Final

from chatserv.tcp_options import set_options

KEEPALIVE_SECONDS: Final = 60
KEEPALIVE_INTERVAL_SECONDS: Final = 10
KEEPALIVE_PROBES: Final = 3
USER_TIMEOUT_MS: Final = 30_000  # how long sent bytes may stay without the peer's confirmation

UNSENT_BYTES: Final = 131_072  # the kernel takes no more for a peer that confirms nothing (tcp(7), TCP_NOTSENT_LOWAT)

_OPTIONS: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
    (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES),
)


def tune_socket(transport: Any) -> None:
    """Sets the options on the TCP socket under ``transport``; on other kinds of transport nothing happens."""
    set_options(transport, _OPTIONS)
