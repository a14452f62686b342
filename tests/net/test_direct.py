"""Direct writes over real TLS on loopback: the same bytes in the same order as the ordinary path, whatever waits."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock, patch

from OpenSSL import SSL
from twisted.internet import reactor  # noqa: TID251 - a test of real sockets
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, wrapClientTLS
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol, ServerFactory
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from chatserv.net import direct
from chatserv.net.direct import BUFFER_BYTES, DirectWriter, fast_writer, give_back_memory
from chatserv.net.tls import TLSFactory
from tests.net.test_tls import options
from tests.support.collector import Collector

CHUNKS = 400
HUGE = 2 * BUFFER_BYTES + 5


def chunk(number: int) -> bytes:
    """Bytes that are different each time, from a few to several TLS records; some are more than the buffer holds."""
    return number.to_bytes(4, "big") * (HUGE // 4 if number % 100 == 1 else 1 + number * 37 % 9000)


def everything(transport: Any) -> None:
    """Writes all chunks, directly and in the ordinary way by turns, far more than the socket takes."""
    write = fast_writer(transport)
    for number in range(CHUNKS):
        (transport.write if number % 5 == 0 else write)(chunk(number))
    transport.loseConnection()


@implementer(IHandshakeListener)
class Talker(Protocol):
    """The server's end: does what the test says, once TLS is up."""

    begin: Callable[[Any], object]

    def handshakeCompleted(self) -> None:
        """Begins."""
        self.begin(self.transport)


class DirectTests(TestCase):
    """A real connection."""

    async def heard(self, begin: Callable[[Any], object]) -> bytes:
        """What the client hears when the server does this with its transport."""
        factory: Any = ServerFactory.forProtocol(type("Server", (Talker,), {"begin": staticmethod(begin)}))
        clock: Any = reactor
        port = await TCP4ServerEndpoint(clock, 0, interface="127.0.0.1").listen(TLSFactory(factory, options()))
        self.addCleanup(port.stopListening)
        tls = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_3)
        endpoint = wrapClientTLS(tls, TCP4ClientEndpoint(clock, "127.0.0.1", port.getHost().port, timeout=60))
        client: Any = await endpoint.connect(Factory.forProtocol(Collector))
        client.done.addTimeout(60, clock)
        heard: bytes = await client.done
        return heard

    async def test_order(self) -> None:
        """Megabytes through full buffers arrive whole and in order, whichever way each piece was written."""
        self.assertEqual(await self.heard(everything), b"".join(chunk(number) for number in range(CHUNKS)))

    async def test_direct(self) -> None:
        """Where nothing waits, nothing goes the ordinary way: the private names are what they were."""

        def talk(transport: Any) -> None:
            write = fast_writer(transport)
            self.assertIsInstance(getattr(write, "__self__", None), DirectWriter)
            with (
                patch.object(transport, "write", Mock(side_effect=AssertionError)),
                patch.object(transport.transport, "write", Mock(side_effect=AssertionError)),
            ):
                write(b"one")
                write(b"two")
            transport.loseConnection()

        self.assertEqual(await self.heard(talk), b"onetwo")

    async def test_memory(self) -> None:
        """What has grown with a large write is given back, unless something waits there; writers go on."""

        def talk(transport: Any) -> None:
            handle, write = transport.getHandle(), fast_writer(transport)
            write(b"a" * 50_000)
            grown = handle._into_ssl, handle._from_ssl
            give_back_memory(transport)
            fresh = handle._into_ssl, handle._from_ssl
            self.assertFalse(set(grown) & set(fresh))
            write(b"b")
            handle.send(b"c")
            give_back_memory(transport)
            self.assertEqual((handle._into_ssl, handle._from_ssl), fresh)
            write(b"d")
            transport.loseConnection()

        self.assertEqual(await self.heard(talk), b"a" * 50_000 + b"bcd")

    async def test_names(self) -> None:
        """Where a library has changed, everything goes the ordinary way."""

        def talk(transport: Any) -> None:
            with patch.object(direct, "_buffer", None):
                self.assertEqual(fast_writer(transport), transport.write)
                give_back_memory(transport)
            with patch.object(transport, "getHandle", object):
                self.assertEqual(fast_writer(transport), transport.write)
            everything(transport)

        self.assertEqual(len(await self.heard(talk)), sum(len(chunk(number)) for number in range(CHUNKS)))

    async def test_ended(self) -> None:
        """After the end of TLS what is written is dropped; no error is left for another connection to find."""

        def talk(transport: Any) -> None:
            write = fast_writer(transport)
            write(b"last")
            transport.getHandle().shutdown()
            write(b"lost")
            self.assertEqual(SSL._lib.ERR_peek_error(), 0)  # type: ignore[attr-defined]
            write(b"lost as well")

        self.assertEqual(await self.heard(talk), b"last")

    async def test_gone(self) -> None:
        """A connection that is gone takes what is written, and ends once."""
        writers: list[Callable[[bytes], object]] = []

        def talk(transport: Any) -> None:
            writers.append(fast_writer(transport))
            transport.abortConnection()
            writers[0](b"lost")

        self.assertEqual(await self.heard(talk), b"")
        writers[0](b"lost as well")


class OtherTransportTests(SynchronousTestCase):
    """What is not TLS over TCP."""

    def test_ordinary(self) -> None:
        """Any other transport is written to in its own way."""
        transport = StringTransport()
        give_back_memory(transport)
        fast_writer(transport)(b"hello")
        self.assertEqual(transport.value(), b"hello")
