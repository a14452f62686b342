"""A client whose server can be reached at several addresses, with time of its own."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatserv.client import lifecycle
from chatserv.client.account.profile import Profile
from chatserv.client.client import Client
from chatserv.client.connection.silence import ANSWER_SECONDS, ASK_SECONDS
from chatserv.client.events import ClientEvent, OtherServer, Status, StatusChanged
from chatserv.client.recovery import login
from chatserv.client.recovery.login import log_in
from chatserv.client.state.context import Offline
from chatserv.errors import AuthFailed, Draining, InviteInvalid, TimedOut
from chatserv.testing.memory_server import PASSWORD, MemoryServer, server_id
from chatserv.testing.world import World
from chatserv.wire.client_session import PinMismatch
from chatserv.wire.link import ServerLink

A, B, C = "a.example", "b.example", "c.example"


class Web(Protocol):
    """Something that is no server of ours, and answers."""

    transport: Any

    def connectionMade(self) -> None:
        """Speaks first."""
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


class Mute(Protocol):
    """Something that takes connections, and no more."""


@implementer(IStreamClientEndpoint)
class Place:
    """One address, as things are there when somebody connects."""

    def __init__(self, map_: "Map", host: str, seconds: float) -> None:
        self._map, self._host, self._seconds = map_, host, seconds

    def connect(self, factory: Any) -> "Deferred[Any]":
        """Connects, is refused, or hears nothing until its time is over."""
        return self._map.connect(self._host, factory, self._seconds)


class Map:
    """Who is where: a `MemoryServer`, a protocol in its place, or nobody (None). What is ``dead`` says nothing at all."""

    def __init__(self, world: World) -> None:
        self.server, self.reactor = world.server, world.reactor
        self.there: dict[str, Any] = {A: world.server, B: world.server, C: world.server}
        self.dead: set[str] = set()
        self.tried: list[str] = []
        self.times: list[float] = []
        self.lines: dict[str, list[Any]] = {}
        self.lost: list[Any] = []  # what stands, and leads nowhere

    def endpoint(self, _: Any, host: str, port: int, seconds: float = 30.0) -> Place:
        """In the place of `chatserv.client.connection.endpoints.tls_endpoint`."""
        assert port == 5000
        return Place(self, host, seconds)

    def connect(self, host: str, factory: Any, seconds: float) -> "Deferred[Any]":
        """An attempt."""
        self.tried.append(host)
        self.times.append(self.reactor.seconds())
        there = self.there[host]
        if host in self.dead:
            waiting: Deferred[Any] = Deferred()
            self.reactor.callLater(seconds, waiting.errback, ConnectError("timed out"))
            return waiting
        if there is None:
            return fail(ConnectError("refused"))
        if isinstance(there, MemoryServer):
            connected = there.connect(factory)
            pump = there.connections[-1]
            if there is not self.server:
                self.server.connections.append(there.connections.pop())
        else:
            theirs, ours = TLSMemoryBIOFactory(CertificateOptions(), True, factory, self.reactor), there()
            client = theirs.buildProtocol(None)
            ends = iosim.FakeTransport(ours, True), iosim.FakeTransport(client, False)
            pump = iosim.connect(ours, ends[0], client, ends[1], greet=False, clock=self.reactor)
            self.server.connections.append(pump)
            connected = succeed(client.wrappedProtocol)
        self.lines.setdefault(host, []).append(pump)
        return connected

    def kill(self, host: str) -> None:
        """The process there dies: its connections are reset, and nobody listens."""
        self.there[host] = None
        for pump in self.lines.pop(host, []):
            if pump in self.server.connections:
                self.server.connections.remove(pump)
                for end in (pump.serverIO, pump.clientIO):
                    end.disconnecting = end.disconnected = True
                    end.stream = []
                    end.protocol.connectionLost(Failure(ConnectionLost()))

    def lose(self, host: str) -> None:
        """The machine there is gone without a word: its connections stand, and nothing comes through them."""
        self.dead.add(host)
        for pump in self.lines.pop(host, []):
            if pump in self.server.connections:
                self.server.connections.remove(pump)
                self.lost.append(pump)

    def step(self) -> None:
        """A twentieth of a second; who gives a lost connection up is told that it is gone."""
        self.reactor.advance(0.05)
        for pump in self.lost:
            if pump.clientIO.disconnecting and not pump.clientIO.disconnected:
                pump.clientIO.disconnected = True
                pump.clientIO.protocol.connectionLost(Failure(ConnectionLost()))


class AddressesTests(SynchronousTestCase):
    """Alice's server is at three addresses, and she is at the first."""

    addresses: tuple[str, ...] = (f"{B}:5000", f"{C}:5000")

    def setUp(self) -> None:
        """She is online."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.map = Map(self.world)
        for module in (lifecycle, login):
            self.patch(module, "tls_endpoint", self.map.endpoint)
        self.profile = self.world.person("alice", admin=True).profile
        self.world.people.pop().leave_the_machine()
        for address in self.addresses:
            self.world.server.await_(self.world.server.context.addresses.add(address))
        self.save(host=A, addresses=self.addresses)
        self.start()

    def save(self, **changes: Any) -> None:
        """What the profile knows."""
        self.profile.save_keyring(msgspec.structs.replace(self.profile.require_keyring(), **changes))

    def start(self) -> None:
        """Begins."""
        self.told: list[ClientEvent] = []
        around = {key: value for key, value in self.world.surroundings.items() if key != "endpoint"}
        self.client = Client(self.profile, self.world.reactor, self.told.append, **around)
        self.addCleanup(self.client.stop)
        self.client.start()
        self.world.settle()

    def stranger(self) -> MemoryServer:
        """A server with another key."""
        stranger = MemoryServer()
        stranger.reactor, stranger.key = self.world.reactor, "other"
        stranger.compose()
        return stranger

    @property
    def statuses(self) -> list[Status]:
        """What was told of the connection."""
        return [event.status for event in self.told if isinstance(event, StatusChanged)]

    @property
    def strangers(self) -> list[str]:
        """At which addresses somebody else was said to be."""
        return [event.address for event in self.told if isinstance(event, OtherServer)]

    def seconds_until_online(self, most: float) -> float:
        """How long it takes, in steps of a twentieth of a second."""
        begin = self.world.reactor.seconds()
        while self.client.status is not Status.ONLINE:
            self.map.step()
            self.world.run()
            self.assertLess(self.world.reactor.seconds() - begin, most)
        return float(self.world.reactor.seconds() - begin)

    def test_where_we_are(self) -> None:
        """A program can say where it is, and where else its server is."""
        self.assertEqual(Status.ONLINE, self.client.status)
        self.assertEqual((f"{A}:5000", (f"{A}:5000", *self.addresses)), (self.client.address, self.client.addresses))

    def test_process_dies(self) -> None:
        """Its client is elsewhere within half a second, and knows so the next time."""
        self.map.kill(A)
        self.assertLess(self.seconds_until_online(30), 0.5)
        self.assertEqual([A, A], self.map.tried[:2])
        self.assertIn(self.client.address, self.addresses)
        self.assertEqual([Status.OFFLINE, Status.SYNCING, Status.ONLINE], self.statuses[-3:])
        self.client.stop()
        self.world.run()
        self.map.tried.clear()
        self.start()
        self.assertEqual([self.client.address], [f"{host}:5000" for host in self.map.tried])

    def test_all_die(self) -> None:
        """Rounds come with growing pauses, each tries every address once; who is back is found at the next one."""
        self.map.times.clear()
        self.map.tried.clear()
        for host in (A, B, C):
            self.map.kill(host)
        for _ in range(4000):
            self.map.step()
            self.world.run()
        rounds = self.map.times[::3]
        pauses = [after - before for before, after in pairwise(rounds)]
        self.assertEqual(
            [{A, B, C}] * len(rounds), [set(self.map.tried[at : at + 3]) for at in range(0, len(self.map.tried), 3)]
        )
        self.assertLess(sum(pauses[:4]), 4)
        self.assertGreater(pauses[-1], 10)
        self.assertEqual([Status.ONLINE, Status.OFFLINE], self.statuses[-2:])
        self.map.there[C] = self.world.server
        self.seconds_until_online(61)
        self.assertEqual(f"{C}:5000", self.client.address)

    def test_machine_dies(self) -> None:
        """Without a word from the kernel it is asked after 15 s and left after 20; then that address is tried last."""
        self.map.lose(A)
        self.assertEqual(Status.ONLINE, self.client.status)
        begin = self.world.reactor.seconds()
        while self.client.status is Status.ONLINE:
            self.map.step()
            self.assertLess(self.world.reactor.seconds() - begin, ASK_SECONDS + ANSWER_SECONDS + 1)
        self.assertGreater(self.world.reactor.seconds() - begin, ANSWER_SECONDS)
        self.map.tried.clear()
        self.assertLess(self.seconds_until_online(30), 0.5)
        self.assertNotIn(A, self.map.tried)
        self.assertIsInstance(next(e.error for e in self.told if isinstance(e, StatusChanged) and e.error), TimedOut)

    def test_frozen(self) -> None:
        """Who takes connections and says nothing has five seconds, not the whole time of a login."""
        self.map.there[A] = Mute
        self.save_and_come_again()
        self.assertEqual([A, Status.ONLINE], [self.map.tried[0], self.client.status])
        self.assertLess(self.world.reactor.seconds() - self.map.times[0], 9)

    def test_idle(self) -> None:
        """A server that says nothing because nothing happens answers when it is asked: nobody leaves it."""
        for _ in range(300):
            self.world.settle(1)
        self.assertEqual((Status.ONLINE, [A]), (self.client.status, self.map.tried))

    def test_drained(self) -> None:
        """Who is sent away by one machine goes to another within two seconds, and not back to that one."""
        self.map.tried.clear()
        self.world.server.factory.drain()
        self.world.server.factory.draining = False  # the others are not
        self.map.there[A] = None
        self.world.run()
        self.assertIsInstance(self.client.failure, Draining)
        self.assertLessEqual(self.seconds_until_online(30), 2.1)
        self.assertNotIn(A, self.map.tried)

    def test_somebody_else_at_one_address(self) -> None:
        """A wrong server there is named once, gets nothing, and stops nobody: the others are tried at once."""
        stranger = self.stranger()
        self.map.kill(A)
        self.map.there[A] = stranger
        self.assertLess(self.seconds_until_online(30), 0.5)
        self.assertEqual([f"{A}:5000"], self.strangers)
        self.assertNotIn(Status.FAILED, self.statuses)
        self.save_and_come_again()
        self.assertEqual(([f"{A}:5000"], Status.ONLINE), (self.strangers, self.client.status))
        for host in (B, C):
            self.map.kill(host)
            self.map.there[host] = stranger
        self.world.settle(30)
        self.assertEqual({f"{host}:5000" for host in (B, C)}, {*self.strangers[1:], self.last_resort} - {f"{A}:5000"})
        self.assertEqual(Status.FAILED, self.client.status)
        self.assertIsInstance(self.client.failure, PinMismatch)

    @property
    def last_resort(self) -> str:
        """Where the last of all was met, which is the end and needs no other words."""
        return f"{self.map.tried[-1]}:5000"

    def save_and_come_again(self) -> None:
        """Starts anew, at the first address again."""
        self.client.stop()
        self.world.run()
        self.map.tried.clear()
        self.map.times.clear()
        self.save(host=A, port=5000, addresses=self.addresses)
        self.start()

    def test_something_else_at_one_address(self) -> None:
        """So is what is no server at all: what answers and has shown nothing decides nothing."""
        self.map.there[A] = Web
        self.save_and_come_again()
        self.assertEqual(Status.ONLINE, self.client.status)

    def test_offline_is_told_when_all_were_tried(self) -> None:
        """Whoever starts is not told of each address that does not answer, but when none does, and once."""
        stranger = self.stranger()
        self.map.kill(A)
        self.map.there |= {A: stranger, B: None, C: None}
        self.save_and_come_again()
        self.assertEqual([Status.CONNECTING, Status.OFFLINE], self.statuses)
        self.assertEqual([f"{A}:5000"], self.strangers)
        self.map.there[B] = self.world.server
        self.seconds_until_online(61)
        self.assertEqual([Status.SYNCING, Status.ONLINE], self.statuses[-2:])

    def test_what_the_server_says_is_final(self) -> None:
        """Once it has shown that it is ours, its refusal is its word, whatever other addresses there are."""
        self.client.stop()
        self.world.run()
        self.map.tried.clear()
        ann = self.world.person("ann", admin=True)
        self.world.do(ann.client.admin.suspend("alice"))
        ann.leave_the_machine()
        self.map.tried.clear()
        self.start()
        self.assertEqual((Status.FAILED, [A]), (self.statuses[-1], self.map.tried))

    def test_a_guest(self) -> None:
        """Who logs in with a link of several comes in where the server answers; that address comes first then."""
        link = ServerLink(A, 5000, server_id(), others=((B, 5000), (C, 5000)))
        around = {key: self.world.surroundings[key] for key in ("in_thread", "clock", "seconds")}

        def enter(password: str = PASSWORD) -> Any:
            profile = Profile.named("phone", Path(self.world.directory))
            return self.world.do(log_in(profile, link, "alice", password, reactor=self.world.reactor, **around))

        code = self.world.do(self.client.account.new_recovery()).code
        self.map.kill(A)
        self.map.there |= {A: Mute, B: Web, C: self.world.server}
        self.seconds_until_online(30)
        self.map.tried.clear()
        self.assertRaises(AuthFailed, enter, "another password")
        self.assertEqual(1, self.map.tried.count(C))
        guest = enter()
        self.world.do(guest.recover(code))
        self.world.do(guest.close())
        ring = Profile.named("phone", Path(self.world.directory)).require_keyring()
        self.assertEqual((C, {A, B, C}), (ring.host, {host for host, _ in ring.everywhere}))

    def test_a_guest_finds_nobody(self) -> None:
        """Who is nowhere to be found is away; that somebody else answers is said where that is so everywhere."""
        stranger = self.stranger()
        profile = Profile.named("phone", Path(self.world.directory))
        link = ServerLink(A, 5000, server_id(), others=((B, 5000), (C, 5000)))
        around = {key: self.world.surroundings[key] for key in ("in_thread", "clock", "seconds")}
        for there, error in ((None, Offline), (stranger, PinMismatch)):
            self.map.there |= {A: stranger, B: stranger, C: there}
            entering = log_in(profile, link, "alice", PASSWORD, reactor=self.world.reactor, **around)
            self.assertRaises(error, self.world.do, entering)

    def test_registers_at_another_address(self) -> None:
        """A new account is made where the server answers; a bad invite is the server's word, and final."""
        bob = self.world.server.profile(f"{self.world.directory}/bob", "bob")
        bob.move(A, 5000, ((B, 5000), (C, 5000)))
        self.map.there |= {A: Web, B: None}
        self.profile = bob
        token = self.world.server.invite("bob")
        around = {key: value for key, value in self.world.surroundings.items() if key != "endpoint"}
        for invite, end in ((b"x" * 32, Status.FAILED), (token, Status.ONLINE)):
            client = Client(bob, self.world.reactor, lambda _: None, token=invite, **around)
            self.addCleanup(client.stop)
            client.start()
            self.world.settle(20)
            self.assertEqual((end, C), (client.status, client.keyring.host if end is Status.ONLINE else C))
            if end is Status.FAILED:
                self.assertIsInstance(client.failure, InviteInvalid)
            client.stop()
            self.world.run()
