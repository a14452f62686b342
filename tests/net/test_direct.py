"""Direct writes over real TLS on loopback: the same bytes in the same order as the ordinary path, whatever waits."""

from typing import Any

from twisted.internet import reactor  # noqa: TID251 - a test of real sockets
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, wrapClientTLS
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol, ServerFactory
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from chatserv.net.direct import DirectWriter, fast_writer
from chatserv.net.tls import TLSFactory
from tests.net.test_tls import options

CHUNKS = 400


def chunk(number: int) -> bytes:
    """Bytes that are different each time, from a few to several TLS records."""
    return number.to_bytes(4, "big") * (1 + number * 37 % 9000)


@implementer(IHandshakeListener)
class Talker(Protocol):
    """The server's end: writes all chunks, directly and in the ordinary way by turns, far more than the socket takes."""

    used: list[Any]

    def handshakeCompleted(self) -> None:
        """Begins."""
        transport: Any = self.transport
        write = fast_writer(transport)
        self.used.append(getattr(write, "__self__", None))
        for number in range(CHUNKS):
            (transport.write if number % 5 == 0 else write)(chunk(number))
        transport.loseConnection()


class Listener(Protocol):
    """The client's end: collects."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.done: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Collects."""
        self.received.append(data)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: ARG002 - Twisted's name
        """Everything has come."""
        self.done.callback(b"".join(self.received))


class DirectTests(TestCase):
    """A real connection."""

    async def test_order(self) -> None:
        """Megabytes through full buffers arrive whole and in order, whichever way each piece was written."""
        used: list[Any] = []
        factory: Any = ServerFactory.forProtocol(type("Server", (Talker,), {"used": used}))
        clock: Any = reactor
        port = await TCP4ServerEndpoint(clock, 0, interface="127.0.0.1").listen(TLSFactory(factory, options()))
        self.addCleanup(port.stopListening)
        tls = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_3)
        endpoint = wrapClientTLS(tls, TCP4ClientEndpoint(clock, "127.0.0.1", port.getHost().port, timeout=10))
        client: Any = await endpoint.connect(Factory.forProtocol(Listener))
        client.done.addTimeout(30, clock)
        self.assertEqual(await client.done, b"".join(chunk(number) for number in range(CHUNKS)))
        self.assertIsInstance(used[0], DirectWriter)


class OtherTransportTests(SynchronousTestCase):
    """What is not TLS over TCP."""

    def test_ordinary(self) -> None:
        """Any other transport is written to in its own way."""
        transport = StringTransport()
        fast_writer(transport)(b"hello")
        self.assertEqual(transport.value(), b"hello")
