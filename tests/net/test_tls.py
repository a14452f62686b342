"""The TLS listener's options and factory."""

import gc
import weakref
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
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

    def test_memory(self) -> None:
        """A connection that breaks before or in its handshake is gone at once, and OpenSSL's 50 KiB with it."""
        for said in (b"", b"\x16\x03\x01\x02", b"GET / HTTP/1.1\r\n\r\n"):
            connection = TLSFactory(Inner(), options()).buildProtocol(None)
            assert connection is not None
            handle = self.broken(connection, said)
            seen = weakref.ref(connection)
            del connection
            self.assertEqual((seen(), handle()), (None, None), said)

    def broken(self, connection: TLSMemoryBIOProtocol, said: bytes) -> "weakref.ref[SSL.Connection]":
        """Lets a connection begin, hear something and be lost. Nobody collects what hangs together in a circle."""
        self.addCleanup(gc.enable)
        gc.disable()
        connection.makeConnection(StringTransport())
        handle: weakref.ref[SSL.Connection] = weakref.ref(connection.getHandle())
        if said:
            connection.dataReceived(said)
        connection.connectionLost(Failure(ConnectionDone()))
        return handle

    def test_turned_away(self) -> None:
        """Where nobody is taken in there is no handshake to pay for."""
        inner = Inner()
        inner.full = True
        self.assertIsNone(TLSFactory(inner, options()).buildProtocol(None))
