"""Options of accepted sockets: no delay, and a dead peer noticed by the kernel in a minute and a half.

See docs/operations.rst, limits.
"""

import socket
from typing import Any, Final

KEEPALIVE_SECONDS: Final = 60
KEEPALIVE_INTERVAL_SECONDS: Final = 10
KEEPALIVE_PROBES: Final = 3
USER_TIMEOUT_MS: Final = 30_000  # how long sent bytes may stay without the peer's confirmation

_OPTIONS: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
)


def tune_socket(transport: Any) -> None:
    """Sets the options on the TCP socket under ``transport``; on other kinds of transport nothing happens."""
    below = getattr(transport, "transport", None) or transport  # TLS stands on another transport
    handle = getattr(below, "socket", None)
    if isinstance(handle, socket.socket) and handle.family in {socket.AF_INET, socket.AF_INET6}:
        for level, option, value in _OPTIONS:
            handle.setsockopt(level, option, value)
