"""The TLS listener's options and factory."""

from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

from chatserv.net.keys import _self_signed
from chatserv.net.tls import TLSFactory, server_context


@cache
def tls_identity() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """A key and its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key, _self_signed(key, ["chat.example"])


def options() -> CertificateOptions:
    """The server's end of TLS."""
    return server_context(*tls_identity())


class Inner(ServerFactory):
    """Builds protocols, or none."""

    full = False

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:  # noqa: ARG002 - Twisted's signature
        """A protocol, or None."""
        return None if self.full else Protocol()


class TlsTests(SynchronousTestCase):
    """What `server_context` and `TLSFactory` promise."""

    def test_context(self) -> None:
        """The context frees the buffers of idle connections and carries our certificate."""
        context = options().getContext()
        self.assertTrue(context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS)
        context.check_privatekey()

    def test_around(self) -> None:
        """A connection that is taken in gets TLS around it."""
        self.assertIsInstance(TLSFactory(Inner(), options()).buildProtocol(None), TLSMemoryBIOProtocol)

    def test_turned_away(self) -> None:
        """Where nobody is taken in there is no handshake to pay for."""
        inner = Inner()
        inner.full = True
        self.assertIsNone(TLSFactory(inner, options()).buildProtocol(None))
