"""How many connections there may be, who is turned away, and the end of them all."""

import gc
from unittest.mock import patch

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.session import Admission
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import LiveSession
from chatserv.errors import (
    AuthFailed,
    Draining,
    InviteInvalid,
    NameTaken,
    Reject,
    ServerFull,
    TimedOut,
    TooLarge,
    WireError,
)
from chatserv.net.command_runner import CommandRunner
from chatserv.net.factory import PlainFactory
from chatserv.net.front import Front
from chatserv.net.seat import Seat
from chatserv.net.sendq import SendQueue
from chatserv.net.watch import Phase
from chatserv.wire import messages
from chatserv.wire.server_session import ServerSession
from tests.support.server import MemoryClient, MemoryTransport, WireServer


def code(client: MemoryClient) -> str | None:
    """The code of the error that a client was refused with."""
    return client.error.code if isinstance(client.error, WireError) else None


class UnauthenticatedTests(SynchronousTestCase):
    """Connections before login."""

    def setUp(self) -> None:
        """A server that takes three of them."""
        self.server = WireServer(unauthenticated_connections=3)
        self.server.factory.anteroom._chance = lambda: 1.0  # nobody is dropped early

    def test_bound(self) -> None:
        """As many as the limit are taken; the next is turned away; one that is lost makes a place."""
        clients = [self.server.connect() for _ in range(3)]
        self.assertNotIn(None, clients)
        self.assertIsNone(self.server.connect())
        assert clients[1] is not None
        clients[1].drop()
        self.assertIsNotNone(self.server.connect())
        self.assertIsNone(self.server.connect())

    def test_sessions_do_not_count(self) -> None:
        """Whoever is logged in takes no place of those who are not."""
        for number in range(5):
            self.assertTrue(self.server.join(f"user{number}").authenticated)
        self.assertEqual(len([self.server.connect() for _ in range(3)]), 3)
        self.assertIsNone(self.server.connect())
        self.assertEqual(len(self.server.factory.connections), 8)

    def test_refused_login_counts_until_it_is_gone(self) -> None:
        """A login that fails gives its place back with the connection."""
        for number in range(9):
            self.assertEqual(code(self.server.log_in(self.server.account(f"stranger{number}"))), "auth_failed")
        self.assertEqual(self.server.factory.connections, set())

    def test_tls_and_plain_together(self) -> None:
        """All listeners share the bound."""
        plain = PlainFactory(self.server.factory)
        for factory in (self.server.factory, plain, plain):
            self.assertIsNotNone(factory.buildProtocol(None))
        self.assertIsNone(plain.buildProtocol(None))
        self.assertIsNone(self.server.factory.buildProtocol(None))

    def test_one_network(self) -> None:
        """Of one address, or one /64, a part of the bound is taken; the next is turned away, others are not."""
        factory = WireServer(unauthenticated_per_network=2).factory
        places = [
            ("192.0.2.1", "192.0.2.1", "::ffff:192.0.2.1"),
            ("2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::"),
            ("192.0.2.2", "192.0.2.2", "192.0.2.2"),
            ("2001:db8:0:2::1", "2001:db8:0:2::1", "2001:db8:0:2::1"),
            ("no address", "no address", "no address"),
        ]
        for hosts in places:
            built = [factory.build(IPv4Address("TCP", host, 1), tls=False) for host in hosts]
            self.assertEqual([protocol is None for protocol in built], [False, False, True], hosts)
            assert built[0] is not None
            factory.forget(built[0])
            self.assertIsNotNone(factory.build(IPv4Address("TCP", hosts[2], 1), tls=False))

    def test_networks_are_forgotten(self) -> None:
        """Networks that nobody waits from take no memory, whether their connections logged in or went."""
        self.server.join("alice")
        client = self.server.connect()
        assert client is not None
        client.drop()
        self.server.clients[0].drop()
        self.assertEqual((len(self.server.factory.anteroom), self.server.factory.anteroom.networks), (0, 0))

    def test_first_phase(self) -> None:
        """A connection with TLS waits for it; a plain one is in its login at once."""
        tls, plain = self.server.factory.build(None, tls=True), self.server.factory.build(None, tls=False)
        assert tls is not None
        assert plain is not None
        self.assertEqual((tls.phase, plain.phase), (Phase.TLS, Phase.LOGIN))

    def test_both_kinds_of_addresses(self) -> None:
        """An IPv4 address is one, also where it comes to a socket for IPv6 as well, as systemd's are."""
        for given, peer in (
            ("::ffff:192.0.2.1", "192.0.2.1:7"),
            ("2001:db8::1", "2001:db8::1:7"),
            ("::ffff:1", "::ffff:1:7"),
        ):
            protocol = self.server.factory.build(IPv6Address("TCP", given, 7), tls=False)
            assert protocol is not None
            self.assertEqual(protocol.peer, peer)

    def test_address_without_port(self) -> None:
        """Any kind of address will do."""
        protocol = self.server.factory.build(UNIXAddress("socket"), tls=False)
        assert protocol is not None
        self.assertEqual(protocol.peer, "local:0")


class NetworkTests(SynchronousTestCase):
    """What one network may do, logged in or not."""

    def build(self, server: WireServer, host: str) -> Front | None:
        """A connection from there."""
        return server.factory.build(IPv4Address("TCP", host, 1), tls=False)

    def test_connections(self) -> None:
        """As many at once as the bound; loopback and trusted networks have none."""
        server = WireServer(connections_per_network=2)
        server.factory.visitors.trust(["203.0.113.0/24"])
        for host, most in (("192.0.2.1", 2), ("127.0.0.1", 9), ("203.0.113.9", 9)):
            built = [self.build(server, host) for _ in range(9)]
            self.assertEqual(most, sum(each is not None for each in built), host)
        self.assertEqual(7, server.counts.of("turned_away")["connections"])

    def test_new_connections(self) -> None:
        """As many new ones in a while, though each is gone at once."""
        server = WireServer(new_connections_per_network=3)
        for expected in (True, True, True, False):
            built = self.build(server, "192.0.2.1")
            self.assertEqual(expected, built is not None)
            if built is not None:
                server.factory.forget(built)
        self.assertEqual({"new_connections": 1}, dict(server.counts.of("turned_away")))

    def test_penalties(self) -> None:
        """Silence, garbage and failed logins add up until nobody is let in from there; what is honest does not."""
        for error, times in ((TimedOut("x"), 4), (TooLarge("x"), 4), (Reject("x"), 4), (AuthFailed("x"), 7)):
            server = WireServer()
            for _ in range(times):
                self.assertIsNotNone(self.build(server, "192.0.2.1"))
                server.factory.refused("192.0.2.1", error)
            self.assertIsNone(self.build(server, "192.0.2.1"), error)
            self.assertIsNotNone(self.build(server, "192.0.2.2"))
        for honest in (InviteInvalid("x"), ServerFull("x"), NameTaken("x"), Draining("x")):
            for _ in range(100):
                server.factory.refused("192.0.2.3", honest)
        self.assertIsNotNone(self.build(server, "192.0.2.3"))

    def test_silence(self) -> None:
        """Who says nothing until the deadline is remembered for it, in TLS and after it."""
        for tls, seconds in ((True, 11), (False, 31)):
            server = WireServer()
            for _ in range(4):
                protocol = server.factory.build(IPv4Address("TCP", "192.0.2.1", 1), tls=tls)
                assert protocol is not None
                protocol.makeConnection(MemoryTransport(lambda _: None))
            server.clock.pump([1] * seconds)
            self.assertIsNone(self.build(server, "192.0.2.1"))
            self.assertEqual({"penalty": 1}, dict(server.counts.of("turned_away")))


class MaxConnectionsTests(SynchronousTestCase):
    """Sessions after login."""

    def setUp(self) -> None:
        """A server for two, with two on it and a third who has an account."""
        self.server = WireServer(max_connections=2, retry_seconds=7)
        self.carol = self.server.join("carol").account
        self.server.clients[0].drop()
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")

    def test_full(self) -> None:
        """The next login is told that the server is full and when to come back, and is closed."""
        carol = self.server.log_in(self.carol)
        assert carol.error is not None
        self.assertEqual((carol.error.code, carol.error.after_seconds), ("server_full", 7))
        self.assertEqual((carol.lost, self.alice.lost, self.bob.lost), (True, False, False))

    def test_no_account_is_made(self) -> None:
        """A registration on a full server leaves the name and the invite free."""
        dave = self.server.account("dave")
        self.assertEqual(code(self.server.log_in(dave, token=b"")), "server_full")
        self.alice.drop()
        self.assertTrue(self.server.log_in(dave, token=b"").authenticated)

    def test_place_is_free_again(self) -> None:
        """Whoever goes makes a place."""
        self.bob.drop()
        self.assertTrue(self.server.log_in(self.carol).authenticated)
        self.assertEqual(code(self.server.log_in(self.bob.account)), "server_full")

    def test_takeover_when_full(self) -> None:
        """A device that is online may come again, full or not."""
        again = self.server.log_in(self.alice.account)
        self.assertEqual((again.authenticated, self.alice.lost, self.bob.lost), (True, True, False))

    def test_race_for_the_last_place(self) -> None:
        """Of two who are both let in while one place is left, the slower is refused after all."""
        self.bob.drop()
        dave = self.server.account("dave")
        first, second = self.server.connect(self.carol), self.server.connect(dave, token=b"")
        assert first is not None
        assert second is not None
        second.start()
        self.server.store.slow.add("arriving")
        self.server.settle()
        first.start()
        self.server.settle()
        self.assertEqual(len(self.server.store.waiting), 2)
        self.server.store.fire_all()
        self.server.settle()
        self.assertEqual(sorted([code(first) or "", code(second) or ""]), ["", "server_full"])
        self.assertEqual(len(self.server.hub.sessions), 2)


class TakeoverTests(SynchronousTestCase):
    """A second connection of a device."""

    def setUp(self) -> None:
        """Alice listens, Bob talks."""
        self.server = WireServer()
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")
        self.alice.sync()
        self.bob.say("one")

    def test_farewell(self) -> None:
        """The old connection is told that it is replaced, gets CLOSE, and is closed."""
        self.server.log_in(self.alice.account)
        self.assertEqual(self.alice.received[-1], messages.Farewell("replaced"))
        self.assertIs(self.alice.close_reason, CloseReason.REPLACED)
        self.assertTrue(self.alice.lost)

    def test_nothing_twice(self) -> None:
        """Both connections together have every event once, whatever was written meanwhile."""
        new = self.server.connect(self.alice.account)
        assert new is not None
        new.start()
        self.bob.say("two")
        self.server.settle()
        self.bob.say("three")
        new.sync(since=max(self.alice.seqs()))
        self.bob.say("four")
        self.assertEqual(self.alice.seqs() + new.seqs(), [1, 2, 3, 4])
        self.assertEqual(len(self.server.hub.rooms[self.server.lobby].live), 1)

    def test_half_open(self) -> None:
        """An old connection that is dead is cut in time, and does not keep the new one waiting."""
        self.alice.reading = self.alice.answers_close = False
        new = self.server.log_in(self.alice.account)
        self.assertTrue(new.authenticated)
        self.assertIsInstance(new.sync(), messages.Ok)
        self.server.advance(self.server.config.limits.close_seconds + 1)
        self.assertTrue(self.alice.aborted)
        self.assertTrue(self.server.hub.is_attached(next(iter(self.server.hub.sessions))))

    def test_while_the_old_one_reads_the_log(self) -> None:
        """A takeover in the middle of a sync: the old connection gets nothing more, the new one everything."""
        for number in range(4):
            self.bob.say(str(number))
        self.server.store.slow.add("events")
        first = self.server.log_in(self.alice.account)
        self.assertIsNone(first.sync(since=1))
        second = self.server.log_in(self.alice.account)
        self.assertIsNone(second.sync(since=1))
        while self.server.store.waiting:
            self.server.store.fire()
            self.server.settle()
        self.assertEqual((first.seqs(), second.seqs()), ([], [2, 3, 4, 5]))
        self.bob.say("last")
        self.assertEqual(second.seqs(), [2, 3, 4, 5, 6])

    def test_heard_while_it_is_here(self) -> None:
        """What is for a device is heard from its login until its last connection goes, however many there are."""
        heard: dict[bytes, None] = {}

        async def attend(device_id: bytes) -> None:
            heard[device_id] = None

        self.patch(self.server.backplane, "attend", attend)
        self.patch(self.server.backplane, "miss", lambda device_id: heard.pop(device_id, None))
        device_id = self.alice.account.device_id
        second = self.server.log_in(self.alice.account)
        self.assertIn(device_id, heard)
        self.assertTrue(self.alice.lost)
        second.drop()
        self.assertNotIn(device_id, heard)

    def test_not_heard_where_it_does_not_come(self) -> None:
        """Nor is it kept for one that is refused, or has gone before it was let in."""
        heard: dict[bytes, None] = {}

        async def attend(device_id: bytes) -> None:
            heard[device_id] = None

        self.patch(self.server.backplane, "attend", attend)
        self.patch(self.server.backplane, "miss", lambda device_id: heard.pop(device_id, None))
        self.alice.drop()
        device_id = self.alice.account.device_id
        with patch.object(self.server.hub, "has_room_for", lambda _: False):
            self.assertEqual(code(self.server.log_in(self.alice.account)), "server_full")
        self.assertEqual(heard, {})
        self.server.store.slow.add("standing")
        gone = self.server.log_in(self.alice.account)
        self.assertIn(device_id, heard)
        gone.drop()
        self.server.store.fire_all()
        self.server.settle()
        self.assertEqual((heard, self.server.hub.session_of(device_id)), ({}, None))

    def test_many_times(self) -> None:
        """A device that comes again and again leaves one session and one connection."""
        for _ in range(20):
            latest = self.server.log_in(self.alice.account)
        self.assertEqual((len(self.server.hub.sessions), len(self.server.factory.connections)), (2, 2))
        self.assertIsInstance(latest.ask(messages.Ping), messages.Ok)


class DrainTests(SynchronousTestCase):
    """The end of all connections."""

    def setUp(self) -> None:
        """Two sessions and a connection in its login."""
        self.server = WireServer(retry_seconds=4)
        self.sessions = [self.server.join("alice"), self.server.join("bob")]
        self.waiting = self.server.connect()

    def test_everybody(self) -> None:
        """Every session is told to come back and gets CLOSE; connections in their login are closed; none is left."""
        self.server.factory.drain()
        self.server.settle()
        for client in self.sessions:
            self.assertEqual(client.received[-1], messages.DrainingNotice(4))
            self.assertIs(client.close_reason, CloseReason.DRAINING)
        assert self.waiting is not None
        self.assertTrue(self.waiting.lost)
        self.assertEqual((self.server.factory.connections, self.server.hub.sessions), (set(), []))
        self.assertEqual(len(self.server.factory.wheel), 0)

    def test_nobody_new(self) -> None:
        """New connections are turned away."""
        self.server.factory.drain()
        self.assertIsNone(self.server.connect())

    def test_queued_before(self) -> None:
        """What was queued leaves before the notice."""
        alice, bob = self.sessions
        alice.sync()
        bob.tell(bob.next_send("last"))
        bob.exchange()
        self.server.factory.drain()
        self.server.settle()
        self.assertEqual([type(message) for message in alice.received[-2:]], [messages.Event, messages.DrainingNotice])
        self.assertEqual([type(message) for message in bob.received[-2:]], [messages.Sent, messages.DrainingNotice])

    def test_while_a_signature_is_made(self) -> None:
        """A login that the drain has ended does not come back when its answer does."""
        self.server.pool.held = True
        client = self.server.log_in(self.sessions[0].account)
        self.server.factory.drain()
        self.server.settle()
        self.server.pool.release()
        self.server.settle()
        self.assertEqual((client.lost, client.authenticated, self.flushLoggedErrors()), (True, False, []))

    def test_unanswered_send(self) -> None:
        """A send whose commit comes after the end gets no answer and is stored: the client asks again under the same id."""
        server = WireServer(slow=["append"])
        alice = server.join("alice")
        self.assertIsNone(alice.say("late", id=b"i" * 16))
        server.factory.drain()
        server.settle()
        server.store.fire_all()
        server.settle()
        self.assertEqual(alice.all(messages.Sent), [])
        self.assertEqual(len(server.message_seqs()), 1)

    def test_lost_meanwhile(self) -> None:
        """Connections that go by themselves while the server drains disturb nothing."""
        for client in self.sessions:
            client.drop()
        self.server.factory.drain()
        self.server.settle()
        for protocol in list(self.server.factory.connections):
            protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.flushLoggedErrors(), [])


class MemoryTests(SynchronousTestCase):
    """What is left of a connection that is gone, and of a login."""

    def test_nothing_is_kept(self) -> None:
        """Front, seat, core, queue and session go with the connection: none of them waits for the collector of cycles."""
        server = WireServer()
        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        kinds = Front, Seat, SendQueue, CommandRunner, LiveSession, ServerSession, Admission

        def there() -> int:
            return sum(type(each) in kinds for each in gc.get_objects())

        before = there()
        for number in range(4):
            client = server.join(f"user{number}")
            self.assertLess(before + 5, there())
            if number % 2:
                client.drop()
            else:
                client.protocol.end(CloseReason.DRAINING)
            server.advance(10)
            del client.protocol
            self.assertEqual(before, there())

    def test_login_is_forgotten(self) -> None:
        """A session does not keep what only its login needed."""
        client = WireServer().join("alice")
        core = client.protocol._session
        kept = {name: value for name, value in vars(core).items() if isinstance(value, bytes) and len(value) > 33}
        self.assertEqual(({}, None), (kept, client.seat._answer))
