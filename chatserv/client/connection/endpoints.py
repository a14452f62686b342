"""Where a client connects to: TLS, or plain TCP."""

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions, TLSVersion

from chatserv.client.connection.protocol import ClientProtocol
from chatserv.wire.framing import ALPN

CONNECT_SECONDS: Final = 30.0  # until an address that does not answer is given up


def tls_endpoint(reactor: Any, host: str, port: int, seconds: float = CONNECT_SECONDS) -> IStreamClientEndpoint:
    """TLS 1.3 to a server whose certificate does not matter; ``seconds``: until an address that does not answer is given up.

    The session inside signs this connection's exporter with the pinned identity key, so a man in the middle, who has
    another exporter, fails there (docs/protocol.rst 1.1).
    """
    options = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_3, acceptableProtocols=[ALPN])
    return wrapClientTLS(options, HostnameEndpoint(reactor, host, port, seconds))


def plain_endpoint(reactor: Any, host: str, port: int, seconds: float = CONNECT_SECONDS) -> IStreamClientEndpoint:
    """Plain TCP, for loopback or an isolated network (docs/protocol.rst 1.2): the session inside protects it, the pin
    holds.
    """
    return HostnameEndpoint(reactor, host, port, seconds)


class ClientFactory(Factory):
    """Builds a `ClientProtocol` for each attempt."""

    noisy = False

    def __init__(self, build: Callable[[], ClientProtocol]) -> None:
        self._build = build

    def buildProtocol(self, addr: Any) -> ClientProtocol:  # noqa: ARG002 - Twisted's signature
        """A protocol for a new connection."""
        return self._build()
