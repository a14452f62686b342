"""The TLS listener: 1.3 only, no tickets, ALPN ``chatserv/1``, small idle connections."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet.interfaces import IAddress, IOpenSSLContextFactory, ITransport
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from chatserv.turnstile import Turnstile
from chatserv.wire.framing import ALPN

CHUNKS: Final = 2  # of a connection, that wait: who waits for an answer sends one, and it takes long to stop reading


def server_context(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    certificate: x509.Certificate,
    chain: Sequence[x509.Certificate] = (),
) -> CertificateOptions:
    """Options for our end: TLS 1.3 (RFC 8446), whose hybrid group X25519MLKEM768 OpenSSL prefers by itself."""
    options = CertificateOptions(
        privateKey=cast(PKey, key),  # pyOpenSSL takes cryptography's objects; Twisted's types do not say so
        certificate=cast(X509, certificate),
        extraCertChain=cast(Any, list(chain)),
        raiseMinimumTo=TLSVersion.TLSv1_3,
        acceptableProtocols=[ALPN],
    )
    # An idle connection then takes 26 KiB instead of 47.
    options.getContext().set_mode(SSL.MODE_RELEASE_BUFFERS)
    return options


class TLSConnection(TLSMemoryBIOProtocol):
    """A connection whose memory is free as soon as it has ended.

    Where one breaks, Twisted keeps the failure in the frame that it tells of: a cycle that also holds OpenSSL's state, of
    which Python's collector sees none of the 50 KiB, so that it does not hurry.
    """

    factory: "TLSFactory"
    _waiting = 0  # chunks in the turnstile; nothing more is read while there are `CHUNKS`
    _gone = False

    def makeConnection(self, transport: ITransport) -> None:  # noqa: N802 - Twisted's names
        """What comes until somebody is in goes through the turnstile, where there is one."""
        if self.factory.turnstile is not None:
            self.dataReceived = self._coming  # type: ignore[method-assign]
        super().makeConnection(transport)

    def _coming(self, data: bytes) -> None:
        turnstile = self.factory.turnstile
        if turnstile is None or not (self._waiting or self.wrappedProtocol.coming):  # type: ignore[attr-defined]
            del self.dataReceived
            self.dataReceived(data)
        elif not turnstile.do(partial(self._take, data)):
            self._waiting += 1
            if self._waiting >= CHUNKS:
                self.pauseProducing()

    def _take(self, data: bytes) -> None:
        if self._gone:
            return
        if self._waiting:
            self._waiting -= 1
            if self._waiting == CHUNKS - 1:
                self.resumeProducing()
        super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """What was not taken by then is not taken any more."""
        self._gone = True
        self.__dict__.pop("dataReceived", None)
        super().connectionLost(reason)

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:  # noqa: N802 - Twisted's name
        super()._tlsShutdownFinished(reason)
        if reason is not None:
            reason.cleanFailure()


class TLSFactory(TLSMemoryBIOFactory):
    """The same factory behind TLS, on whatever transport an endpoint gives.

    Args:
        factory: Builds what speaks inside; its None (nobody is taken in) closes the connection before any handshake.
        options: Our end of TLS, asked for its context at each connection.
        turnstile: Takes what comes before the protocol inside says that nobody is ``coming`` any more; None: there is none.
    """

    noisy = False

    def __init__(
        self, factory: ServerFactory, options: IOpenSSLContextFactory, turnstile: Turnstile | None = None
    ) -> None:
        super().__init__(options, False, factory)
        self.turnstile = turnstile

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> TLSConnection | None:
        """A TLS connection around the factory's protocol; without Twisted's aggregator, since the send queue is one."""
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else TLSConnection(self, inner)
