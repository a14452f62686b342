"""Who is on which node: nodes over a bus in memory that loses, doubles and reorders what it carries."""

from collections.abc import Mapping, Sequence
from typing import Any
from unittest.mock import patch

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane import presence
from chatserv.backplane.bus_messages import MAX_GUESTS, MAX_SHOWN, Presence
from chatserv.backplane.nats import MAX_PAYLOAD
from chatserv.backplane.presence import ASK_SECONDS, CALM_BEATS, GONE_SECONDS, MAX_NODES, PresenceFeed
from chatserv.bus_models import GuestShown, PersonShown, Shown
from chatserv.net.effects import reactor_effects

CALM_SECONDS = CALM_BEATS + 2 * ASK_SECONDS


class Node:
    """One, and what it knows of the others."""

    def __init__(self, number: int, net: "Net") -> None:
        self.node_id, self.net = bytes([number]) * 8, net
        self.people: dict[str, int] = {}
        self.guests: dict[bytes, GuestShown] = {}
        self.known: dict[bytes, dict[str, int]] = {}
        self.known_guests: dict[bytes, dict[bytes, GuestShown]] = {}
        self.wholes = 0
        self.feed = PresenceFeed(reactor_effects(net.clock, lambda: 0, bytes), self.node_id, self.say)
        self.feed.sink = self
        self.dead = False

    def say(self, message: Presence) -> None:
        """To the others."""
        self.net.lying.extend((self, message) for _ in range(self.net.copies()))

    def put(self, name: str, status: int) -> None:
        """Somebody here changes."""
        self.people[name] = status
        if not status:
            del self.people[name]
        self.feed.show(PersonShown(name, status, rooms=(b"a room----------",)))

    def put_guest(self, number: int, *, there: bool) -> None:
        """A guest comes or goes."""
        shown = GuestShown("alice", bytes([number]) * 16, int(there))
        self.guests[shown.device_id] = shown
        if not there:
            del self.guests[shown.device_id]
        self.feed.show(shown)

    # -- the sink

    def own(self) -> tuple[Sequence[PersonShown], Sequence[GuestShown]]:
        """Who is here."""
        return [PersonShown(*each) for each in self.people.items()], list(self.guests.values())

    def changed(self, node: bytes, shown: Shown) -> None:
        """Somebody elsewhere."""
        if isinstance(shown, PersonShown):
            people = self.known.setdefault(node, {})
            people[shown.name] = shown.status
            if not shown.status:
                del people[shown.name]
            return
        guests = self.known_guests.setdefault(node, {})
        guests[shown.device_id] = shown
        if not shown.at:
            del guests[shown.device_id]

    def everybody(self, node: bytes, people: Mapping[str, PersonShown], waiting: Sequence[GuestShown]) -> None:
        """All of a node."""
        self.wholes += 1
        self.known[node] = {name: shown.status for name, shown in people.items()}
        self.known_guests[node] = {guest.device_id: guest for guest in waiting}


class Net:
    """All nodes, and the bus."""

    def __init__(self, count: int, random: Any = None) -> None:
        self.clock, self.random = Clock(), random
        self.lying: list[tuple[Node, Presence]] = []
        self.loses = self.doubles = 0.0
        self.shuffles = False
        self.nodes = [Node(number, self) for number in range(count)]
        for node in self.nodes:
            node.feed.bus_back()

    def copies(self) -> int:
        """How often something is carried."""
        chance = self.random.random() if self.random is not None else 0.5
        return 0 if chance < self.loses else 2 if chance < self.loses + self.doubles else 1

    def carry(self) -> None:
        """Brings what lies on the bus."""
        while self.lying:
            at = self.random.randrange(min(4, len(self.lying))) if self.shuffles else 0
            sender, message = self.lying.pop(at)
            for node in self.nodes:
                if node is not sender and not node.dead:
                    node.feed.hear(message)

    def wait(self, seconds: float) -> None:
        """Time passes; nodes that live beat, which the others hear."""
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            if round(self.clock.seconds() * 4) % 4 == 0:
                for node in self.nodes:
                    if not node.dead:
                        node.feed.beat()
                        for other in self.nodes:
                            other.feed.heard(node.node_id)
            self.carry()

    def calm(self) -> None:
        """Nothing more is lost, and all has been said."""
        self.loses = self.doubles = 0.0
        self.shuffles = False
        self.wait(CALM_SECONDS)


class PresenceFeedTests(SynchronousTestCase):
    """What `PresenceFeed` promises."""

    def setUp(self) -> None:
        """Two nodes that know each other."""
        self.net = Net(2)
        self.one, self.two = self.net.nodes
        self.net.calm()

    def assert_known(self, net: Net) -> None:
        """Each living node knows all of the others."""
        for node in net.nodes:
            for other in net.nodes:
                if node is not other and not node.dead:
                    found = node.known.get(other.node_id, {}), node.known_guests.get(other.node_id, {})
                    self.assertEqual(({}, {}) if other.dead else (other.people, other.guests), found)

    def test_changes(self) -> None:
        """A change is known elsewhere at once, and nobody asks for anything."""
        wholes = self.two.wholes
        self.one.put("alice", 1)
        self.one.put_guest(1, there=True)
        self.net.carry()
        self.assert_known(self.net)
        self.one.put("alice", 0)
        self.one.put_guest(1, there=False)
        self.net.carry()
        self.assert_known(self.net)
        self.net.wait(20)
        self.assertEqual(wholes, self.two.wholes)

    def test_lost(self) -> None:
        """What was lost is asked for with the next change, and where none comes by and by."""
        self.net.loses = 1.0
        self.one.put("alice", 1)
        self.net.loses = 0.0
        self.net.carry()
        self.assertEqual({}, self.two.known.get(self.one.node_id, {}))
        self.one.put("bob", 1)
        self.net.wait(1)
        self.assert_known(self.net)
        self.net.loses = 1.0
        self.one.put("alice", 0)
        self.net.calm()
        self.assert_known(self.net)

    def test_newcomer(self) -> None:
        """Whoever comes knows of all within a moment, in pages; and a page that is lost is asked for again."""
        for number in range(7):
            self.one.put(f"user {number}", 1)
            self.one.put_guest(number, there=True)
        self.net.carry()
        newcomer = Node(9, self.net)
        self.net.nodes.append(newcomer)
        with patch.object(presence, "MAX_SHOWN", 3), patch.object(presence, "MAX_GUESTS", 2):
            newcomer.feed.bus_back()
            self.net.wait(1)
            self.assert_known(self.net)
            again = Node(10, self.net)
            self.net.nodes.append(again)
            again.feed.bus_back()
            self.net.carry()
            self.net.clock.advance(ASK_SECONDS)
            pages = [each for each in self.net.lying if each[1].pages]
            self.assertEqual(4, len([page for node, page in pages if node is self.one]))
            self.net.lying.remove(next(each for each in pages if each[0] is self.one and each[1].page == 1))
            self.net.carry()
            self.assertNotEqual(self.one.people, again.known.get(self.one.node_id, {}))
            self.net.wait(CALM_SECONDS)
        self.assert_known(self.net)

    def test_size(self) -> None:
        """A page has so many people at most, and is no larger than the bus takes, whatever they are called and have."""
        few = [PersonShown(f"{number:04}", 1) for number in range(MAX_SHOWN + 1)]
        large = [PersonShown("\N{GRINNING FACE}" * 60 + f"{number:04}", 1, (bytes(16),) * 10) for number in range(4000)]
        guests = [GuestShown("alice", bytes(16), 1, 1, bytes(422), bytes(32))] * MAX_GUESTS
        for people in (few, large):
            self.one.own = lambda people=people: (people, guests)  # type: ignore[method-assign, misc]
            self.net.lying.clear()
            self.one.feed._answer()
            pages = [message for _, message in self.net.lying]
            self.assertEqual(people, [each for page in pages for each in page.people])
            self.assertGreater(len(pages), 1)
            self.assertLess(max(len(msgspec.msgpack.encode(page)) for page in pages), MAX_PAYLOAD)
            self.assertLessEqual(max(len(page.people) for page in pages), MAX_SHOWN)

    def test_gone(self) -> None:
        """Of a node that is not heard any more nobody is online, after a while and not before."""
        self.one.put("alice", 1)
        self.net.carry()
        self.one.dead = True
        self.net.wait(GONE_SECONDS - 1)
        self.assertEqual({"alice": 1}, self.two.known[self.one.node_id])
        self.net.wait(1.5)
        self.assert_known(self.net)

    def test_farewell(self) -> None:
        """A node that ends says so."""
        self.one.put("alice", 1)
        self.one.feed.stop()
        self.one.dead = True
        self.net.carry()
        self.assert_known(self.net)

    def test_bus_away(self) -> None:
        """While nothing is heard nobody goes; when it comes back what was missed is asked for."""
        self.one.put("alice", 1)
        self.net.carry()
        for node in self.net.nodes:
            node.feed.bus_away()
        self.net.loses = 1.0
        with patch.object(PresenceFeed, "heard"):
            self.net.wait(3 * GONE_SECONDS)
            self.one.put("bob", 2)
            self.net.loses = 0.0
            for node in self.net.nodes:
                node.feed.bus_back()
            self.two.feed.beat()
        self.assertEqual({"alice": 1}, self.two.known[self.one.node_id])
        self.net.wait(1)
        self.assertEqual({"alice": 1, "bob": 2}, self.two.known[self.one.node_id])

    def test_many_ask(self) -> None:
        """Who asks all at once get one answer, and so who asks again soon."""
        self.net.nodes.extend(Node(number, self.net) for number in range(3, 13))
        for node in self.net.nodes[2:]:
            node.feed.bus_back()
        self.net.carry()
        self.net.clock.advance(ASK_SECONDS)
        self.assertEqual(1, len([each for each in self.net.lying if each[0] is self.one and each[1].pages]))

    def test_nodes_are_bounded(self) -> None:
        """Of one node more than there may be nothing is known."""
        for number in range(MAX_NODES + 1):
            self.two.feed.hear(Presence(number.to_bytes(8, "big"), 1, (PersonShown("alice", 1),)))
        self.assertEqual(MAX_NODES, len(self.two.feed._nodes))

    @settings(max_examples=60, deadline=None)
    @given(st.randoms(use_true_random=False), st.booleans())
    def test_whatever_the_bus_does(self, random: Any, shuffles: bool) -> None:
        """When it is calm again, everybody knows all."""
        net = Net(3, random)
        net.loses, net.doubles, net.shuffles = 0.2, 0.2, shuffles
        with patch.object(presence, "MAX_SHOWN", 2), patch.object(presence, "MAX_GUESTS", 2):
            for _ in range(40):
                node = random.choice(net.nodes)
                what = random.randrange(8)
                if what < 4:
                    node.put(random.choice("abcdef"), random.choice([1, 2]))
                elif what == 4 and node.people:
                    node.put(random.choice(list(node.people)), 0)
                elif what == 5:
                    number = random.randrange(4)
                    node.put_guest(number, there=True)
                elif what == 6 and node.guests:
                    node.put_guest(random.choice(list(node.guests))[0], there=False)
                else:
                    net.wait(random.choice([0.25, 1.0]))
            net.calm()
        self.assert_known(net)
