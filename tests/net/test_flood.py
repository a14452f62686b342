"""A flood of connections before login (docs/operations.rst): whoever is no part of it gets in."""

from collections import deque

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.net.front import Front
from tests.support.server import MemoryClient, MemoryTransport, TestAccount, WireServer

ATTACKERS = [f"127.0.0.{number}" for number in range(2, 9)]
ATTEMPTS_A_SECOND = 1000
ROUND_TRIP_SECONDS = 0.3
STEP_SECONDS = 0.05
TRIES = 3


class Flood:
    """Attackers who take every place that they get, and come again at once when they lose it.

    Args:
        server: Where they come to.
        hosts: Where they come from.
        keep_seconds: How long they keep a place.
    """

    def __init__(self, server: WireServer, hosts: list[str], keep_seconds: float = 60) -> None:
        self.server, self.hosts, self._keep_seconds = server, hosts, keep_seconds
        self._ports = 1024

    def go_on(self, seconds: float) -> None:
        """What they do in this time."""
        for number in range(int(ATTEMPTS_A_SECOND * seconds)):
            self._ports += 1
            address = IPv4Address("TCP", self.hosts[number % len(self.hosts)], self._ports)
            protocol = self.server.factory.build(address, tls=True)
            if protocol is not None:
                self._keep(protocol)

    def _keep(self, protocol: Front) -> None:
        def lost(_: bool) -> None:
            leaving.cancel()
            self.server.clock.callLater(0, protocol.connectionLost, Failure(ConnectionDone()))

        transport = MemoryTransport(lost)
        leaving = self.server.clock.callLater(self._keep_seconds, protocol.connectionLost, Failure(ConnectionDone()))
        protocol.makeConnection(transport)


class FloodTests(SynchronousTestCase):
    """An honest login with 300 ms of round trip, while others take a thousand places a second."""

    def setUp(self) -> None:
        """A server with its ordinary limits, and an account."""
        self.server = WireServer()
        self.account = self.server.join("alice").account
        self.server.clients[0].drop()
        self.server.settle()

    def tries(self, flood: Flood, account: TestAccount) -> int:
        """How many tries the login takes; one more than there may be where it never succeeds."""
        for number in range(1, TRIES + 1):
            client = self.server.connect(account)
            if client is not None and self.logs_in(flood, client):
                return number
            flood.go_on(1)
        return TRIES + 1

    def logs_in(self, flood: Flood, client: MemoryClient) -> bool:
        """Whether the login is through in time; what either side says arrives half a round trip later."""
        self.server.clients.remove(client)  # its bytes are late
        due: deque[float] = deque()
        client.start()
        for _ in range(int(10 / STEP_SECONDS)):
            now = self.server.clock.seconds()
            if client.lost or client.authenticated:
                break
            if not due and (client._outgoing or client.transport.value()):
                due.append(now + ROUND_TRIP_SECONDS / 2)
            if due and due[0] <= now:
                due.popleft()
                if client._outgoing:
                    client._to_server()
                else:
                    client.exchange()
            flood.go_on(STEP_SECONDS)
            self.server.clock.advance(STEP_SECONDS)
        return client.authenticated

    def check(self, flood: Flood) -> None:
        """All places are taken, and still the login is through in three tries."""
        flood.go_on(1)
        self.assertEqual(200, len(self.server.factory.anteroom))
        self.assertLessEqual(self.tries(flood, self.account), TRIES)

    def test_seven_addresses(self) -> None:
        """Seven addresses that keep what they get."""
        self.check(Flood(self.server, ATTACKERS))

    def test_seven_addresses_that_come_and_go(self) -> None:
        """The same, and they give each place back after a moment, for a new one."""
        self.check(Flood(self.server, ATTACKERS, keep_seconds=0.5))

    def test_networks_of_one_block(self) -> None:
        """Somebody who has 65,536 networks, as whoever rents an IPv6 /48, and a connection from each."""
        self.check(Flood(self.server, [f"2001:db8:1:{number:x}::1" for number in range(2**16)]))
