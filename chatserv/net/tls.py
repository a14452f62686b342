"""The TLS listener: 1.3 only, no tickets, ALPN ``chatserv/1``, small idle connections."""

from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from OpenSSL.crypto import X509, PKey
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from chatserv.wire.framing import ALPN


def server_context(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> CertificateOptions:
    """Options for our end: TLS 1.3 (RFC 8446), whose hybrid group X25519MLKEM768 OpenSSL prefers by itself."""
    options = CertificateOptions(
        privateKey=cast(PKey, key),  # pyOpenSSL takes cryptography's objects; Twisted's types do not say so
        certificate=cast(X509, certificate),
        raiseMinimumTo=TLSVersion.TLSv1_3,
        acceptableProtocols=[ALPN],
    )
    # An idle connection then takes 26 KiB instead of 47.
    options.getContext().set_mode(SSL.MODE_RELEASE_BUFFERS)
    return options


class TLSFactory(TLSMemoryBIOFactory):
    """The same factory behind TLS, on whatever transport an endpoint gives.

    Args:
        factory: Builds what speaks inside; its None (nobody is taken in) closes the connection before any handshake.
        options: Our end of TLS.
    """

    noisy = False

    def __init__(self, factory: ServerFactory, options: CertificateOptions) -> None:
        super().__init__(options, False, factory)

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> TLSMemoryBIOProtocol | None:
        """A TLS connection around the factory's protocol; without Twisted's aggregator, since the send queue is one."""
        inner = self.wrappedFactory.buildProtocol(addr)
        return None if inner is None else TLSMemoryBIOProtocol(self, inner)
