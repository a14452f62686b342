"""The bus against a server in memory: what it says, what becomes of who waits, servers in turn, and every bound."""

from collections.abc import Callable
from math import ceil
from typing import Any
from unittest.mock import patch

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane import bus as buses
from chatserv.backplane import bus_connection
from chatserv.backplane.bus import COMPLAINT_SECONDS, FIRST_WAIT_SECONDS, MOST_WAIT_SECONDS, STEADY_SECONDS, Bus
from chatserv.backplane.bus_connection import (
    FROZEN_SECONDS,
    GREETING_SECONDS,
    PING_SECONDS,
    UNANSWERED_SECONDS,
    BusConnection,
)
from chatserv.backplane.nats import MAX_ADVERTISED, MAX_PAYLOAD, ServerInfo
from chatserv.backplane.node_parts import Carrier
from chatserv.bus_address import BusAddress
from chatserv.errors import Busy, TooLarge


def deaf(_: bytes) -> None:
    """Hears nothing."""


INFO = b'INFO {"max_payload":1048576}\r\n'
SECRET = "the password"


class Transport(StringTransport):
    """A transport that can be ended at once."""

    gone = False

    def abortConnection(self) -> None:
        """It is."""
        self.gone = True


class BusCase(SynchronousTestCase):
    """A node's bus, and who plays its servers."""

    def setUp(self) -> None:
        """Nobody has been connected to."""
        self.clock = Clock()
        self.dialled: list[tuple[BusAddress, Any, Deferred[Any]]] = []
        self.told: list[str] = []
        self.addresses = [BusAddress("one", user="node", password=SECRET), BusAddress("two")]
        self.bus = self.make()

    def make(self, **more: Any) -> Bus:
        """A bus."""
        back, away = (lambda: self.told.append("back")), (lambda: self.told.append("away"))
        return Bus(self.clock, self.addresses, "node", back, away, dial=self._dial, **more)

    def _dial(self, address: BusAddress, factory: Any) -> "Deferred[Any]":
        self.dialled.append((address, factory, Deferred()))
        return self.dialled[-1][2]

    def note(self, _: None, numbers: list[int], number: int) -> None:
        """Somebody goes on."""
        numbers.append(number)

    def refuse(self) -> None:
        """The last one that was dialled is not there."""
        self.dialled[-1][2].errback(error.ConnectionRefusedError())

    def connect(self) -> tuple[BusConnection, Transport]:
        """The last one that was dialled is reached."""
        _, factory, answer = self.dialled[-1]
        connection, transport = factory.buildProtocol(None), Transport()
        connection.makeConnection(transport)
        answer.callback(connection)
        return connection, transport

    def open(self, info: bytes = INFO) -> tuple[BusConnection, Transport]:
        """It is reached, and answers."""
        connection, transport = self.connect()
        connection.dataReceived(info)
        connection.dataReceived(b"PONG\r\n")
        connection.dataReceived(b"PONG\r\n")
        return connection, transport

    def start(self) -> tuple[BusConnection, Transport]:
        """The first server answers."""
        self.bus.start()
        found = self.open()
        found[1].clear()
        return found

    def live(self, connection: BusConnection) -> None:
        """It lives long enough to count as steady."""
        for _ in range(ceil(STEADY_SECONDS / PING_SECONDS)):
            self.clock.advance(PING_SECONDS)
            connection.dataReceived(b"PONG\r\n")

    def hosts(self) -> list[str]:
        """Who was dialled, in order."""
        return [address.host for address, _, _ in self.dialled]


class BusTests(BusCase):
    """What a node does with it."""

    def test_greeting(self) -> None:
        """Who we are, what we hear, and only then that it is there."""
        self.bus.subscribe("chat.log", deaf)
        self.bus.start()
        connection, transport = self.connect()
        self.assertEqual(transport.value(), b"")
        connection.dataReceived(INFO)
        self.assertTrue(transport.value().startswith(b"CONNECT {"))
        self.assertIn(SECRET.encode(), transport.value())
        transport.clear()
        connection.dataReceived(b"PONG\r\n")
        self.assertEqual((transport.value(), self.told), (b"SUB chat.log 1\r\nPING\r\n", []))
        connection.dataReceived(b"PONG\r\n")
        self.assertEqual((self.told, self.bus.there), (["back"], True))

    def test_publish_and_hear(self) -> None:
        """Bytes go and come; what nobody wants any more is dropped."""
        connection, transport = self.start()
        carrier: Carrier = self.bus
        heard: list[bytes] = []
        self.bus.subscribe("chat.r.1", heard.append)
        self.assertTrue(carrier.publish("chat.r.2", b"hi"))
        self.assertEqual(transport.value(), b"SUB chat.r.1 1\r\nPING\r\nPUB chat.r.2 2\r\nhi\r\n")
        connection.dataReceived(b"MSG chat.r.1 1 3\r\nyes\r\n")
        self.bus.unsubscribe("chat.r.1")
        self.bus.unsubscribe("chat.r.1")
        connection.dataReceived(b"MSG chat.r.1 1 2\r\nno\r\n")
        self.assertEqual(heard, [b"yes"])
        self.assertTrue(transport.value().endswith(b"UNSUB 1\r\n"))

    def test_ping(self) -> None:
        """The server is answered."""
        connection, transport = self.start()
        connection.dataReceived(b"PING\r\n")
        self.assertEqual(transport.value(), b"PONG\r\n")

    def test_subscribed(self) -> None:
        """Who subscribes is answered when the server knows; who comes while one ping is under way, by the next one."""
        connection, transport = self.start()
        answered: list[int] = []
        for number in range(3):
            self.bus.subscribe(f"chat.r.{number}", deaf).addCallback(self.note, answered, number)
        self.assertEqual(transport.value().count(b"PING"), 1)
        connection.dataReceived(b"PONG\r\n")
        self.assertEqual((answered, transport.value().count(b"PING")), ([0], 2))
        connection.dataReceived(b"PONG\r\n")
        self.assertEqual(answered, [0, 1, 2])

    def test_nobody_waits_for_who_is_away(self) -> None:
        """Who subscribes while there is no server, or loses it, goes on; the subscription stands when one is back."""
        first = self.bus.subscribe("chat.r.1", deaf)
        self.assertTrue(first.called)
        connection, transport = self.start()
        second = self.bus.subscribe("chat.r.2", deaf)
        third = self.bus.subscribe("chat.r.3", deaf)
        connection.connectionLost(Failure(error.ConnectionDone()))
        self.assertTrue(second.called and third.called)
        self.bus.unsubscribe("chat.r.2")
        self.clock.advance(0)
        connection, transport = self.open()
        self.assertIn(b"SUB chat.r.1 1\r\nSUB chat.r.3 3\r\n", transport.value())
        self.assertEqual(self.told, ["back", "away", "back"])

    def test_a_listener_that_fails(self) -> None:
        """The next one hears all the same."""
        connection, _ = self.start()
        heard: list[bytes] = []
        self.bus.subscribe("bad", lambda _: self.fail("a listener fails"))
        self.bus.subscribe("good", heard.append)
        connection.dataReceived(b"MSG bad 1 1\r\nx\r\nMSG good 2 1\r\ny\r\n")
        self.assertEqual((heard, len(self.flushLoggedErrors(self.failureException))), ([b"y"], 1))

    def test_published_while_away(self) -> None:
        """Is lost, and counted."""
        self.assertFalse(self.bus.publish("chat.log", b"x"))
        self.assertEqual(self.bus.lost, 1)


class ServersTests(BusCase):
    """Which server, and when the next one."""

    def test_in_turn(self) -> None:
        """The next one at once; when all were tried after a while, which grows to its most."""
        self.bus.start()
        for _ in range(2):
            self.refuse()
            self.clock.advance(0)
        self.assertEqual(self.hosts(), ["one", "two"])
        wait = FIRST_WAIT_SECONDS
        for _ in range(8):
            self.clock.advance(wait * 0.9)
            tried = len(self.dialled)
            self.clock.advance(wait * 0.11)
            self.assertEqual(len(self.dialled), tried + 1)
            self.refuse()
            self.clock.advance(0)
            self.refuse()
            wait = min(2 * wait, MOST_WAIT_SECONDS)
        self.clock.advance(MOST_WAIT_SECONDS)
        self.open()
        self.assertEqual(self.told, ["back"])

    def test_the_other_one(self) -> None:
        """Where one dies the other is tried first, at once."""
        connection, _ = self.start()
        connection.connectionLost(Failure(error.ConnectionDone()))
        self.clock.advance(0)
        self.assertEqual(self.hosts(), ["one", "two"])
        self.open()
        self.assertEqual(self.told, ["back", "away", "back"])

    def test_one_that_comes_and_goes(self) -> None:
        """A server that takes us in and ends it at once is not tried without end; one that has lived long is, at once."""
        self.addresses.pop()
        self.bus = self.make()
        self.bus.start()
        connection, _ = self.open()
        self.live(connection)
        connection.connectionLost(Failure(error.ConnectionDone()))
        self.clock.advance(0)
        self.assertEqual(len(self.dialled), 2)
        for _ in range(100):
            if self.dialled[-1][2].called is False:
                connection, _ = self.open()
                connection.connectionLost(Failure(error.ConnectionDone()))
            self.clock.advance(0.1)
        self.assertLess(len(self.dialled), 12)

    def test_frozen(self) -> None:
        """A server that says nothing for two seconds though it was asked is left, and one that lives is not."""
        connection, transport = self.start()
        for _ in range(10):
            self.clock.advance(PING_SECONDS)
            connection.dataReceived(b"PONG\r\n")
        self.clock.pump([0.1] * 19)
        self.assertEqual((self.told, transport.gone), (["back"], False))
        self.clock.pump([0.1] * 3)
        self.assertEqual((self.told, transport.gone), (["back", "away"], True))
        self.assertEqual(self.hosts(), ["one", "two"])

    def test_frozen_itself(self) -> None:
        """A node that stood still reads first what came meanwhile, and blames nobody for its own silence."""
        connection, transport = self.start()
        self.clock.advance(PING_SECONDS)
        self.clock.callLater(3 * FROZEN_SECONDS, connection.dataReceived, b"PONG\r\n")
        self.clock.rightNow += 3 * FROZEN_SECONDS
        self.clock.advance(0)
        self.assertEqual((self.told, transport.gone), (["back"], False))

    def test_one_that_talks_and_does_not_answer(self) -> None:
        """Is left as well, a little later, and who waits for it goes on."""
        connection, transport = self.start()
        self.bus.subscribe("chat.r.1", deaf)
        waiting = self.bus.subscribe("chat.r.2", deaf)
        for number in range(round(UNANSWERED_SECONDS * 10)):
            self.assertEqual((waiting.called, transport.gone), (False, False), number)
            connection.dataReceived(b"MSG chat.r.1 1 1\r\nx\r\n")
            self.clock.advance(0.1)
        self.clock.advance(0.1)
        self.assertEqual((waiting.called, transport.gone, self.told), (True, True, ["back", "away"]))

    def test_one_that_answers_late(self) -> None:
        """Is there, however much it has to say before each answer."""
        connection, transport = self.start()
        for _ in range(10):
            for _ in range(20):
                connection.dataReceived(b"MSG chat.r.1 1 1\r\nx\r\n")
                self.clock.advance(0.1)
            connection.dataReceived(b"PONG\r\n")
        self.assertEqual((self.told, transport.gone), (["back"], False))

    def test_who_does_not_greet(self) -> None:
        """Is left too, and so is who cannot be reached in that time."""
        self.bus.start()
        _, transport = self.connect()
        self.clock.advance(GREETING_SECONDS)
        self.assertTrue(transport.gone)
        self.clock.advance(GREETING_SECONDS)
        self.assertEqual(self.hosts(), ["one", "two"])
        late, transport = self.connect()
        self.assertTrue(transport.gone)
        self.assertIsNotNone(late)

    def test_advertised(self) -> None:
        """Servers that a server names are tried as well, as who we are there; those that it names no more are not."""
        self.bus.start()
        connection, _ = self.open(b'INFO {"connect_urls":["three:1","not an address"]}\r\n')
        self.live(connection)
        connection.connectionLost(Failure(error.ConnectionDone()))
        for _ in range(2):
            self.clock.advance(0)
            self.refuse()
        self.assertEqual(self.dialled[-1][0], BusAddress("three", 1, user="node", password=SECRET))
        self.clock.advance(0)
        connection, _ = self.open(INFO)
        self.assertEqual(self.hosts(), ["one", "two", "three", "one"])
        self.live(connection)
        connection.connectionLost(Failure(error.ConnectionDone()))
        self.clock.pump([0, 0])
        for _ in range(3):
            self.refuse()
            self.clock.advance(FIRST_WAIT_SECONDS)
        self.assertNotIn("three", self.hosts()[4:])

    def test_most_advertised(self) -> None:
        """Of one more nothing is kept."""
        self.start()
        self.bus.informed(ServerInfo(connect_urls=[f"h{number}:1" for number in range(MAX_ADVERTISED + 1)]))
        self.assertEqual(len(self.bus._advertised), MAX_ADVERTISED)

    def test_stop(self) -> None:
        """Nobody is told, nothing is tried, and no timer stays; what was published before leaves all the same."""
        _, transport = self.start()
        transport.clear()
        self.bus.publish("chat.log", b"last words")
        self.bus.stop()
        self.assertEqual((transport.disconnecting, transport.gone), (True, False))
        self.assertIn(b"last words", transport.value())
        self.assertEqual((self.told, self.clock.getDelayedCalls()), (["back"], []))
        other = self.make()
        other.start()
        self.refuse()
        other.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BadServerTests(BusCase):
    """What comes of a server that does what it should not."""

    def test_left(self) -> None:
        """Whatever it says wrong, another one is tried, and nothing fails."""
        much = b"MSG a 1 %d\r\n" % (MAX_PAYLOAD + 1)
        for wrong in (b"HTTP/1.1 400\r\n", much, b"PONG\r\nPONG\r\n", b"x" * 5000, b"INFO x\r\n"):
            bus = self.make()
            bus.start()
            connection, transport = self.open()
            connection.dataReceived(wrong)
            self.assertTrue(transport.gone, wrong)
            tried = len(self.dialled)
            self.clock.advance(0)
            self.assertEqual(len(self.dialled), tried + 1)
            bus.stop()

    def test_no_secrets_in_logs(self) -> None:
        """Nor in what is shown of a connection; what the server complains of is there."""
        with capturedLogs() as logged:
            self.bus.start()
            connection, _ = self.connect()
            connection.dataReceived(INFO + b"-ERR 'Authorization Violation'\r\n")
            self.clock.advance(0)
            self.refuse()
        text = " ".join(map(formatEvent, logged)) + repr(connection) + repr(self.bus) + repr(vars(connection))
        self.assertIn("Authorization Violation", text)
        self.assertNotIn(SECRET, text)

    def test_permissions(self) -> None:
        """A subject that we may not use does not cost the connection."""
        connection, transport = self.start()
        with capturedLogs() as logged:
            connection.dataReceived(b"-ERR 'Permissions Violation for Publish to \"chat.log\"'\r\n")
            connection.dataReceived(b"-ERR 'Permissions Violation for Publish to \"chat.r.1\"'\r\n")
            self.live(connection)
        self.assertEqual(" ".join(map(formatEvent, logged)).count("Permissions Violation"), 1)
        self.assertFalse(transport.gone)
        for _ in range(round(COMPLAINT_SECONDS / STEADY_SECONDS)):
            self.live(connection)
        with capturedLogs() as logged:
            connection.dataReceived(b"-ERR 'Permissions Violation for Publish to \"chat.log\"'\r\n")
        self.assertEqual(len(logged), 1)

    def tls(self, info: bytes, start: Callable[[Any, str], None] | None, *, tls: bool) -> tuple[bytes, bool]:
        """What is said to a server with this INFO, and whether it is left."""
        address = BusAddress("h", tls=tls, user="node", password=SECRET)
        connection, transport = BusConnection(self.clock, address, "node", self.bus, start), Transport()
        connection.makeConnection(transport)
        connection.dataReceived(info)
        return transport.value(), transport.gone

    def test_tls(self) -> None:
        """Where it is wanted nothing is said without it, whatever the server says; and what came before it is refused."""
        begun: list[str] = []

        def start(_: Any, host: str) -> None:
            begun.append(host)

        wants = b'INFO {"tls_required":true}\r\n'
        said, left = self.tls(wants, start, tls=False)
        self.assertTrue(said.startswith(b"CONNECT") and not left and begun == ["h"])
        self.assertFalse(self.tls(b'INFO {"tls_available":true}\r\n', start, tls=True)[1])
        for info, starts, tls in ((INFO, start, False), (INFO, start, True), (INFO, None, True), (wants, None, False)):
            self.assertEqual(self.tls(info, starts, tls=tls), (b"", True), (info, tls))
        for more in (b"PONG\r\n", b"PO"):
            self.assertTrue(self.tls(wants + more, start, tls=False)[1])

    def test_advertised_in_the_clear(self) -> None:
        """Servers that are named before TLS are nobody's word: they would be told who we are. What is said in it counts."""
        info = b'INFO {"tls_required":true,"connect_urls":["three:1"]}\r\n'
        connection = BusConnection(self.clock, BusAddress("h", tls=True), "node", self.bus, lambda *_: None)
        connection.makeConnection(Transport())
        connection.dataReceived(info)
        self.assertEqual(self.bus._advertised, [])
        connection.dataReceived(info)
        self.assertEqual([each.host for each in self.bus._advertised], ["three"])


class BoundTests(BusCase):
    """What is more than there is place for."""

    def test_most_subscriptions(self) -> None:
        """One more is refused; one that is there already is heard by another listener."""
        connection, _ = self.start()
        heard: list[str] = []
        with patch.object(buses, "MAX_SUBSCRIPTIONS", 1):
            self.bus.subscribe("a", lambda _: heard.append("first"))
            self.bus.subscribe("a", lambda _: heard.append("second"))
            for one_more in "b", "a":  # of subjects, and of those who wait for an answer
                with self.assertRaises(Busy):
                    self.bus.subscribe(one_more, deaf)
        connection.dataReceived(b"MSG a 1 1\r\nx\r\n")
        self.assertEqual(heard, ["second"])

    def test_largest(self) -> None:
        """A byte more is refused, and so is more than the server takes."""
        self.start()
        self.assertTrue(self.bus.publish("a", bytes(MAX_PAYLOAD)))
        with self.assertRaises(TooLarge):
            self.bus.publish("a", bytes(MAX_PAYLOAD + 1))
        bus = self.make()
        bus.start()
        self.open(b'INFO {"max_payload":10}\r\n')
        self.assertTrue(bus.publish("a", bytes(10)))
        with self.assertRaises(TooLarge):
            bus.publish("a", bytes(11))

    def test_most_waiting(self) -> None:
        """While the server takes nothing so much waits, in order; a message more is lost, and counted."""
        connection, transport = self.start()
        connection.pauseProducing()
        with patch.object(bus_connection, "MAX_WAITING_BYTES", 2 * len(b"PUB a 1\r\nx\r\n")):
            said = [self.bus.publish("a", letter) for letter in (b"1", b"2", b"3")]
        self.assertEqual((said, self.bus.lost, transport.value()), ([True, True, False], 1, b""))
        connection.resumeProducing()
        self.assertEqual(transport.value(), b"PUB a 1\r\n1\r\nPUB a 1\r\n2\r\n")

    def test_most_waiting_subscriptions(self) -> None:
        """What cannot be lost ends the connection: with the next one all subscriptions are said anew."""
        connection, transport = self.start()
        connection.pauseProducing()
        with patch.object(bus_connection, "MAX_WAITING_BYTES", 10):
            self.bus.subscribe("chat.r.1", deaf)
        self.assertTrue(transport.gone)
        self.clock.advance(0)
        _, transport = self.open()
        self.assertIn(b"SUB chat.r.1 1\r\n", transport.value())

    def test_most_waiting_answers(self) -> None:
        """A server that asks without end, and takes no answer, is left."""
        connection, transport = self.start()
        connection.pauseProducing()
        with patch.object(bus_connection, "MAX_WAITING_BYTES", 10 * len(b"PONG\r\n")):
            connection.dataReceived(b"PING\r\n" * 10)
            self.assertFalse(transport.gone)
            connection.dataReceived(b"PING\r\n")
        self.assertTrue(transport.gone)
