"""Writing to a socket at once, over real TCP on loopback: the same bytes in the same order, whatever waits."""

from typing import Any

from twisted.internet import reactor  # noqa: TID251 - a test of real sockets
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol, ServerFactory
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import TestCase

from chatserv.tcp_options import write_now
from tests.support.collector import Collector

CHUNKS = 400


def chunk(number: int) -> bytes:
    """Bytes that are different each time; all of them are far more than a socket takes."""
    return number.to_bytes(4, "big") * (1 + number * 37 % 9000)


class WriteNowTests(TestCase):
    """A connection whose other end is in the same process: nothing is read before this test lets the reactor run."""

    async def setUp(self) -> None:  # type: ignore[override]
        """It stands."""
        clock: Any = reactor
        self.collector = Collector()
        factory: Any = ServerFactory.forProtocol(lambda: self.collector)
        port = await TCP4ServerEndpoint(clock, 0, interface="127.0.0.1").listen(factory)
        self.addCleanup(port.stopListening)
        endpoint = TCP4ClientEndpoint(clock, "127.0.0.1", port.getHost().port, timeout=60)
        client: Any = await endpoint.connect(Factory.forProtocol(Protocol))
        self.transport: Any = client.transport
        self.collector.done.addTimeout(60, clock)

    async def test_at_once(self) -> None:
        """The kernel has it when the call returns: no turn of the reactor is needed."""
        write_now(self.transport, b"now")
        self.assertEqual((self.transport.dataBuffer, self.transport._tempDataBuffer), (b"", []))
        self.transport.loseConnection()
        self.assertEqual(await self.collector.done, b"now")

    async def test_order(self) -> None:
        """Megabytes through full buffers arrive whole and in order, whichever way each piece was written."""
        for number in range(CHUNKS):
            (self.transport.write(chunk(number)) if number % 5 == 0 else write_now(self.transport, chunk(number)))
        self.transport.loseConnection()
        self.assertEqual(await self.collector.done, b"".join(chunk(number) for number in range(CHUNKS)))

    async def test_gone(self) -> None:
        """Nothing fails where the connection is going, or gone."""
        self.transport.abortConnection()
        write_now(self.transport, b"too late")
        await self.collector.done
        write_now(self.transport, b"too late")

    def test_others(self) -> None:
        """Other kinds of transport are written to in the ordinary way."""
        transport = StringTransport()
        write_now(transport, b"as ever")
        self.assertEqual(transport.value(), b"as ever")
        self.transport.abortConnection()
