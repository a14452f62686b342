"""The addresses of one server: in which order they are tried, and what is kept of them."""

from collections import Counter
from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatserv.client.account.keyring import Keyring
from chatserv.client.connection.addresses import AddressBook, chance, in_turn
from chatserv.testing.memory_server import keyring
from chatserv.testing.world import World

OLD, NEW, THIRD = ("chat.example", 5000), ("new.example", 5001), ("::1", 5002)


@implementer(IStreamClientEndpoint)
class Place:
    """An endpoint that notes the attempt."""

    def __init__(self, test: "BookTests", address: tuple[str, int]) -> None:
        self._test, self.address = test, address

    def connect(self, _: Any) -> "Deferred[Any]":
        """Works where somebody is."""
        self._test.tried.append(self.address)
        return succeed("connected") if self.address in self._test.up else fail(ConnectError())


class BookTests(SynchronousTestCase):
    """A client that knows three addresses."""

    def setUp(self) -> None:
        """None of them answers."""
        self.clock = Clock()
        self.tried: list[tuple[str, int]] = []
        self.waited: list[float] = []
        self.up: set[tuple[str, int]] = set()
        self.nowhere: list[Failure] = []
        self.numbers = [0.2, 0.1] * 20  # the third comes before the second
        self.ring = msgspec.structs.replace(
            keyring("alice"),
            host=OLD[0],
            port=OLD[1],
            addresses=("new.example:5001", "[::1]:5002", "chat.example:5000"),
        )
        self.book = AddressBook(
            self.make, lambda: self.ring, self.nowhere.append, self.clock, lambda: self.numbers.pop(0)
        )

    def make(self, host: str, port: int, seconds: float) -> Place:
        """The endpoint of an address."""
        self.waited.append(seconds)
        return Place(self, (host, port))

    def keep(self, ring: Keyring) -> None:
        """What is kept."""
        self.ring = ring

    def connect(self) -> bool:
        """One attempt."""
        results: list[Any] = []
        self.book.connect(None).addBoth(results.append)
        return results == ["connected"]

    def test_a_round(self) -> None:
        """All are tried at once, each once: where the server was first, the others by chance. Then it is told why not."""
        self.assertFalse(self.connect())
        self.assertEqual([OLD, THIRD, NEW], self.tried)
        self.assertFalse(self.book.goes_on)
        self.assertEqual([ConnectError], [failure.type for failure in self.nowhere])

    def test_any_order(self) -> None:
        """The others come in the order of the numbers, so that not everybody comes to the same one."""
        self.assertEqual([OLD, NEW, THIRD], in_turn((OLD, NEW, THIRD), None, iter((0.1, 0.2)).__next__))
        self.assertEqual([OLD, THIRD, NEW], in_turn((OLD, NEW, THIRD), None, iter((0.2, 0.1)).__next__))
        self.assertEqual([NEW, THIRD, OLD], in_turn((OLD, NEW, THIRD), OLD, iter((0.1, 0.2)).__next__))
        self.assertEqual([OLD], in_turn((OLD,), OLD, iter(()).__next__))
        firsts = Counter(in_turn((OLD, NEW, THIRD), OLD, chance)[0] for _ in range(200))
        self.assertEqual({NEW, THIRD}, set(firsts))

    def test_arrived(self) -> None:
        """Where the server was found comes first from then on; the one before stays known."""
        self.up = {NEW}
        self.assertTrue(self.connect())
        self.book.arrived(self.keep)
        self.assertEqual(NEW, (self.ring.host, self.ring.port))
        self.up = set()
        self.connect()
        self.assertEqual(([NEW], {THIRD, OLD}), (self.tried[3:4], set(self.tried[4:])))

    def test_way_back(self) -> None:
        """Whom the server has told of one other address comes back from there to the one by which they have come."""
        self.ring = msgspec.structs.replace(self.ring, addresses=("new.example:5001",))
        self.up = {NEW}
        self.assertTrue(self.connect())
        self.book.arrived(self.keep)
        self.up = {OLD}
        self.assertTrue(self.connect())
        self.book.arrived(self.keep)
        self.assertEqual([OLD, NEW, NEW, OLD], self.tried)
        self.assertEqual(OLD, (self.ring.host, self.ring.port))

    def test_nobody_tells_of_it(self) -> None:
        """What the server does not tell is tried behind all that it tells, and before the one that is silent."""
        self.ring = msgspec.structs.replace(self.ring, addresses=("new.example:5001",), found=("[::1]:5002",))
        self.numbers = [0.9, 0.1]
        self.assertFalse(self.connect())
        self.assertEqual([OLD, NEW, THIRD], self.tried)
        spare = (("d.example", 1), ("e.example", 1))
        order = in_turn((OLD, NEW, THIRD), NEW, iter((0.1, 0.2, 0.2, 0.1)).__next__, spare)
        self.assertEqual([OLD, THIRD, *spare[::-1], NEW], order)

    def test_stays(self) -> None:
        """Who is where they were keeps nothing anew."""
        self.up = {OLD}
        self.connect()
        self.book.arrived(lambda _: self.fail("kept"))

    def test_goes_on(self) -> None:
        """Who was connected and not let in goes on with the round."""
        self.up = {OLD, THIRD, NEW}
        self.assertEqual([True, True], [self.connect(), self.book.goes_on])
        self.assertEqual([True, True], [self.connect(), self.book.goes_on])
        self.assertEqual([True, False], [self.connect(), self.book.goes_on])
        self.assertEqual([OLD, THIRD, NEW], self.tried)

    def test_left(self) -> None:
        """Where the server is silent or goes down is tried last, until it was found somewhere."""
        self.up = {OLD}
        self.connect()
        self.book.arrived(self.keep)
        self.book.leave()
        self.connect()
        self.assertEqual([THIRD, NEW, OLD], self.tried[1:])
        self.book.arrived(self.keep)
        self.connect()
        self.assertEqual(OLD, self.tried[4])

    def test_patience(self) -> None:
        """An address gets five seconds, and more in each round: somebody's network may be slow. Alone it gets thirty."""
        for _ in range(5):
            self.connect()
        self.assertEqual([5] * 3 + [10] * 3 + [20] * 3 + [30] * 6, self.waited)
        self.ring = msgspec.structs.replace(self.ring, addresses=())
        self.connect()
        self.assertEqual(30, self.waited[-1])

    def test_nothing_is_waited_for_for_ever(self) -> None:
        """Also where not even a name server answers, the next address is tried when the time of this one is over."""
        waiting: Deferred[Any] = Deferred()
        connect = Place.connect
        self.patch(Place, "connect", lambda place, f: waiting if place.address == OLD else connect(place, f))
        self.up = {THIRD}
        results: list[Any] = []
        self.book.connect(None).addBoth(results.append)
        self.clock.advance(4.9)
        self.assertEqual(([], []), (results, self.tried))
        self.clock.advance(0.1)
        self.assertEqual((["connected"], [THIRD]), (results, self.tried))

    def test_given_up(self) -> None:
        """Who is stopped while connecting tries nobody else, and tells nobody."""
        waiting: Deferred[Any] = Deferred()
        self.patch(Place, "connect", lambda _self, _factory: waiting)
        connecting = self.book.connect(None)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertEqual(([], True), (self.nowhere, self.book.goes_on))

    def test_somebody_else(self) -> None:
        """Where another server answers, the others are tried; when all were, that is final."""
        self.up = {OLD, NEW, THIRD}
        answers = []
        for _ in range(3):
            self.connect()
            answers.append(self.book.met_stranger())
        self.assertEqual([True, True, False], answers)
        self.book.arrived(self.keep)
        self.assertTrue(self.book.met_stranger())

    def test_somebody_else_while_the_server_is_down(self) -> None:
        """Who has come to an old address does not end it for those whose server is elsewhere, and down for a while."""
        self.up = {OLD}
        for _ in range(5):
            self.assertTrue(self.connect())
            self.assertTrue(self.book.met_stranger())
            self.assertFalse(self.connect())
        self.up = {OLD, NEW}
        self.assertTrue(self.connect())
        self.assertTrue(self.book.met_stranger())
        self.assertTrue(self.connect())
        self.assertEqual(NEW, self.tried[-1])

    def test_one(self) -> None:
        """Who knows one address alone believes the first who shows another key; so does who goes where a program says."""
        self.assertFalse(self.book.met_stranger())
        self.ring = msgspec.structs.replace(self.ring, addresses=())
        self.connect()
        self.assertEqual([False, False], [self.book.met_stranger(), self.book.several])


class ToldTests(SynchronousTestCase):
    """What a server says of its addresses."""

    def setUp(self) -> None:
        """Alice is online, bob is not."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")
        self.bob.leave_the_machine()
        self.addresses = self.world.server.context.addresses

    def test_told(self) -> None:
        """Who is there is told at once, who is not with the next welcome; it is remembered, and can be taken back."""
        self.world.server.await_(self.addresses.add("New.Example:5001"))
        self.world.settle()
        self.assertEqual(("new.example:5001",), self.alice.profile.require_keyring().addresses)
        self.world.server.restart()
        self.bob.come_back()
        self.assertEqual(("new.example:5001",), self.bob.profile.require_keyring().addresses)
        self.world.server.await_(self.world.server.context.addresses.forget())
        self.world.settle()
        self.assertEqual((), self.bob.profile.require_keyring().addresses)

    def test_way_back(self) -> None:
        """What a server tells, or does not tell any more, takes nothing away of what the person gave and of what worked."""
        ring = self.alice.profile.require_keyring()
        gave = (ring.host, ring.port)
        context = self.alice.client.engine.context
        context.keep(ring.found_at(NEW))
        for told in (("third.example:1",), ()):
            if told:
                self.world.server.await_(self.addresses.add(*told))
            else:
                self.world.server.await_(self.addresses.forget())
            self.world.settle()
            ring = self.alice.profile.require_keyring()
            self.assertEqual((told, (NEW, gave)), (ring.addresses, (ring.everywhere[0], ring.everywhere[-1])))

    def test_no_addresses(self) -> None:
        """What is no address is kept by nobody, whoever has sent it."""
        from chatserv.commands.broadcast import notify
        from chatserv.wire import messages

        wrong = ("new.example", "new.example:0", "a b:1", "\x1b[2J:1", "[fe80::1%eth0]:1", "good.example:1")
        notify(self.world.server.context.hub.sessions, messages.Addresses(wrong))
        self.world.settle()
        self.assertEqual(("good.example:1",), self.alice.profile.require_keyring().addresses)
