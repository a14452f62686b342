"""Sockets: how many are accepted in a turn, and their options: no delay, a dead peer noticed by the kernel in a minute and a
half, and little waiting in it.

Without the last the kernel takes up to 4 MB for a peer that reads nothing, behind the back of the send queue's bounds.
See docs/operations.rst, limits.
"""

import socket
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.tcp import Port
from zope.interface import implementer

from chatserv.tcp_options import set_options

ACCEPTED: Final = 4  # connections in a turn of the reactor, at 0.2 ms each; Twisted takes a hundred and more

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


@implementer(IStreamServerEndpoint)
class FewAtOnce:
    """An endpoint that takes a crowd in over several turns of the reactor: those who are in wait for a turn to end.

    Args:
        endpoint: Does the rest; where what it listens with is no port of Twisted's, that is all.
    """

    def __init__(self, endpoint: IStreamServerEndpoint) -> None:
        self._endpoint = endpoint

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:  # noqa: N803 - Twisted's name
        """Listens."""
        return self._endpoint.listen(protocolFactory).addCallback(_accept_few)


def _accept_few(port: IListeningPort) -> IListeningPort:
    if isinstance(port, Port):
        accept = port.doRead

        def accept_few() -> None:
            port.numberAccepts = ACCEPTED  # Twisted sets it anew each time, by how many came
            accept()

        port.doRead = accept_few  # type: ignore[method-assign]
    return port
