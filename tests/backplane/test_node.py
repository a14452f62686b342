"""Two nodes on one store, and a bus in memory between them: what one stores the other's sessions get, whatever is lost."""

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import Mock, patch

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane import node as nodes
from chatserv.backplane.bus_events import room_messages
from chatserv.backplane.bus_messages import MAX_ENTRIES, Beat, Sealer, Subjects, Takeover
from chatserv.backplane.feed import GAP_SECONDS, Budget
from chatserv.backplane.node import BEAT_SECONDS, RECENT_SECONDS, Node
from chatserv.backplane.node_parts import NodeState
from chatserv.backplane.numbered_feed import Entry, NumberedFeed
from chatserv.backplane.polling import MISSING_SECONDS
from chatserv.backplane.presence import GONE_SECONDS
from chatserv.bus_models import Notice, NoticeKind, PersonShown
from chatserv.commands.effects import Effects
from chatserv.errors import TooLarge
from chatserv.net.effects import reactor_effects
from chatserv.node_models import Numbers
from tests.backplane.nodes import Client, Store
from tests.backplane.nodes import Node as Sessions

ROOM, OTHER = b"a room----------", b"another room----"
ALICE, BOB = b"alice's device--", b"bob's device----"
SUBJECTS = Subjects("chat")
SEALER = Sealer(bytes(32), "chat", b"incarnation")


class Wire:
    """The bus: brings everything at once, or nothing."""

    def __init__(self) -> None:
        self.hear: dict[str, list[tuple[object, Callable[[bytes], None]]]] = {}
        self.loses = False
        self.largest = 2**20
        self.said: list[tuple[str, bytes]] = []

    def end(self, who: object) -> "End":
        """One node's."""
        return End(self, who)


class End:
    """One node's end of it."""

    def __init__(self, wire: Wire, who: object) -> None:
        self.wire, self.who = wire, who

    def publish(self, subject: str, body: bytes) -> bool:
        """To all others."""
        if len(body) > self.wire.largest:
            raise TooLarge("no")
        self.wire.said.append((subject, body))
        for who, listener in () if self.wire.loses else list(self.wire.hear.get(subject, ())):
            if who is not self.who:
                listener(body)
        return not self.wire.loses

    def subscribe(self, subject: str, listener: Callable[[bytes], None]) -> "Deferred[None]":
        """At once."""
        self.wire.hear.setdefault(subject, []).append((self.who, listener))
        return succeed(None)

    def unsubscribe(self, subject: str) -> None:
        """At once."""
        self.wire.hear[subject] = [each for each in self.wire.hear.get(subject, ()) if each[0] is not self.who]


class Streams:
    """The log and control entries, from lists that are the store's."""

    def __init__(self, effects: Effects, budget: Budget, stored: tuple[list[bytes], list[bytes]]) -> None:
        self.stored = stored
        self.heard: tuple[list[bytes], list[bytes]] = ([], [])
        self.log, self.control = (
            NumberedFeed(effects, budget, 0, self._reader(which), self._listener(which)) for which in (0, 1)
        )

    def _reader(self, which: int) -> Callable[[int, int], "Deferred[Sequence[Entry]]"]:
        def read(after: int, limit: int) -> "Deferred[Sequence[Entry]]":
            page = self.stored[which][after : after + limit]
            return succeed([Entry(after + 1 + at, body) for at, body in enumerate(page)])

        return read

    def _listener(self, which: int) -> Callable[[Sequence[Entry]], None]:
        return lambda run: self.heard[which].extend(entry.body for entry in run)

    def numbers(self) -> "Deferred[Numbers]":
        """How far the store is."""
        return succeed(Numbers(len(self.stored[0]), len(self.stored[1])))


class Server:
    """A node with its sessions."""

    def __init__(
        self, number: int, wire: Wire, store: Store, stored: tuple[list[bytes], list[bytes]], clock: Clock
    ) -> None:
        effects = reactor_effects(clock, lambda: 0, bytes)
        budget = Budget(effects)
        self.sessions = Sessions(store, lambda *_: None, lambda *_: None)
        self.streams = Streams(effects, budget, stored)
        self.taken_over: list[Takeover] = []
        source = sink = self.sessions
        self.node = Node(
            effects,
            bytes([number]) * 8,
            wire.end(self),
            SEALER,
            SUBJECTS,
            NodeState("a.example:5000"),
            self.streams,
            source,
            sink,
            budget,
            10,
            lambda: 0.5,
            self.taken_over.append,
        )
        self.sessions.feeds = self.node.rooms

    def settle(self) -> None:
        """The store answers."""
        while self.sessions.calls:
            if self.sessions.calls[0].step():
                del self.sessions.calls[0]

    def head(self, room_id: bytes = ROOM) -> int:
        """How far a room is here."""
        return self.sessions.hub.rooms[room_id].head


class NodeTests(SynchronousTestCase):
    """What `Node` promises."""

    def setUp(self) -> None:
        """Alice is on the first node and Bob on the second, in one room."""
        self.clock = Clock()
        self.store, self.wire = Store(), Wire()
        self.stored: tuple[list[bytes], list[bytes]] = ([], [])
        self.store.commit(ROOM, added=(ALICE, BOB))
        self.one, self.two = self.servers = [
            Server(number, self.wire, self.store, self.stored, self.clock) for number in (1, 2)
        ]
        self.alice, self.bob = Client(ALICE), Client(BOB)
        for server, client in zip(self.servers, (self.alice, self.bob), strict=True):
            server.node.start()
            server.node.polling.bus_back()
            server.settle()
            server.sessions.connect(client)
            server.settle()
            self.read(client)
            self.result(server.node.attend(client.device_id))
        self.wire.said.clear()

    def result(self, coroutine: Any) -> list[Any]:
        """What comes of it."""
        found: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(found.append)
        return found

    def read(self, client: Client) -> None:
        """Somebody reads what is in the log."""
        assert client.node is not None
        assert client.session is not None
        while client.session.behind:
            client.node.read_on(client)

    def wait(self, seconds: float) -> None:
        """Time passes, and stores answer."""
        for _ in range(round(seconds / 0.02)):
            self.clock.advance(0.02)
            for server in self.servers:
                server.sessions.clock.advance(0.02)
                server.settle()

    def test_told(self) -> None:
        """A message is with who is elsewhere at once; and so is who is let in and put out."""
        self.one.node.committed([self.store.append(ROOM), self.store.append(ROOM)])
        self.assertEqual((self.alice.cursors, self.bob.cursors), ({ROOM: 3}, {ROOM: 3}))
        self.two.node.committed([self.store.commit(ROOM, removed=(ALICE,))])
        self.one.node.committed([self.store.append(ROOM)])
        self.assertEqual((self.alice.cursors, self.bob.cursors), ({ROOM: 4}, {ROOM: 5}))
        assert self.alice.session is not None
        self.assertEqual(self.alice.session.places[ROOM].until, 4)

    def test_lost(self) -> None:
        """The last message that nobody heard of is in the next beat, and comes without a poll."""
        self.wire.loses = True
        self.one.node.committed([self.store.append(ROOM)])
        self.wire.loses = False
        with patch.object(self.two.sessions, "ahead", side_effect=AssertionError("a poll")):
            self.wait(BEAT_SECONDS + 2 * GAP_SECONDS)
        self.assertEqual((self.bob.cursors, self.two.head()), ({ROOM: 2}, 2))

    def test_a_node_that_died(self) -> None:
        """What it had committed and told nobody is found when its beats are missing."""
        self.wait(2 * BEAT_SECONDS)
        self.store.append(ROOM)
        self.one.node.stop()
        self.wait(MISSING_SECONDS - 1.2)
        self.assertEqual(self.two.head(), 1)
        self.wait(1.6)
        self.assertEqual(self.bob.cursors, {ROOM: 2})

    def test_while_the_bus_is_away(self) -> None:
        """People hear of each other by polls."""
        self.wire.loses = True
        for server in self.servers:
            server.node.polling.bus_away()
        self.one.node.committed([self.store.append(ROOM)])
        self.wait(0.6)
        self.assertEqual(self.bob.cursors, {ROOM: 2})

    def test_streams(self) -> None:
        """Leaves and control entries come in order on both, in messages of so many; what is lost, with the next beat."""
        leaves = [b"leaf %d" % number for number in range(MAX_ENTRIES + 1)]
        self.stored[0].extend(leaves)
        self.one.node.logged(0, leaves)
        self.assertEqual(len(self.wire.said), 2)
        self.wire.loses = True
        self.stored[0].append(b"lost")
        self.one.node.logged(len(leaves), [b"lost"])
        self.stored[1].append(b"suspend")
        self.two.node.ordered(1, [b"suspend"])
        self.wire.loses = False
        self.assertEqual((self.two.streams.heard, self.one.streams.heard[1]), ((leaves, [b"suspend"]), []))
        self.wait(BEAT_SECONDS + 2 * GAP_SECONDS)
        for server in self.servers:
            self.assertEqual(server.streams.heard, ([*leaves, b"lost"], [b"suspend"]))

    def test_polled_streams(self) -> None:
        """A poll brings what nobody has told."""
        self.stored[0].append(b"leaf")
        self.stored[1].append(b"entry")
        self.two.node.polling.ask()
        self.wait(0.1)
        self.assertEqual(self.two.streams.heard, ([b"leaf"], [b"entry"]))

    def test_forged(self) -> None:
        """What no node has said is refused, and told of once: a forged event does not take the place of a true one."""
        other = Server(3, self.wire, self.store, self.stored, self.clock)
        other.node._sealer = Sealer(b"guessed".ljust(32), "chat", b"incarnation")
        forged = self.store.append(ROOM)
        self.store.logs[ROOM].pop()
        with capturedLogs() as logged:
            for _ in range(3):
                other.node._say(SUBJECTS.room(ROOM), room_messages(bytes(8), [forged]))
        self.assertEqual((self.one.node.refused, self.two.node.refused, self.two.head()), (3, 3, 1))
        self.assertEqual(sum("Refused on the bus" in formatEvent(event) for event in logged), 2)
        true = self.store.append(ROOM)
        self.one.node.committed([true])
        self.assertEqual(self.bob.cursors, {ROOM: 2})

    def test_notices(self) -> None:
        """What may be lost is heard in its room or at its device, of others alone, and once."""
        heard: list[list[Notice]] = [[], []]
        for server, each in zip(self.servers, heard, strict=True):
            server.node.noticed = each.append
        typing, low = Notice(NoticeKind.TYPING, ROOM, "alice"), Notice(NoticeKind.PREKEYS_LOW, BOB, number=3)
        for notice in (typing, low, Notice(NoticeKind.TYPING, OTHER, "alice"), Notice(NoticeKind.PREKEYS_LOW, ALICE)):
            self.one.node.tell(notice)
        self.assertEqual([[], [typing, low]], heard)
        self.wire.loses = True
        self.one.node.tell(typing)
        self.wait(2)
        self.assertEqual([[], [typing, low]], heard)

    def test_presence(self) -> None:
        """Who is on one node is known on the other, until it is not heard any more, or says farewell."""
        sinks = [Mock(own=lambda: ((PersonShown("alice", 1),), ())) for _ in self.servers]
        for server, sink in zip(self.servers, sinks, strict=True):
            server.node.presence.sink = sink
            server.node.bus_back()
        self.wait(1)
        first, everybody = bytes([1]) * 8, sinks[1].everybody
        everybody.assert_called_once_with(first, {"alice": PersonShown("alice", 1)}, [])
        self.one.node.presence.show(PersonShown("carol", 2))
        sinks[1].changed.assert_called_once_with(first, PersonShown("carol", 2))
        self.two.node.bus_away()
        self.wire.loses = True
        self.wait(GONE_SECONDS + 2)
        everybody.assert_called_once()
        self.wire.loses = False
        self.two.node.bus_back()
        self.wait(GONE_SECONDS + 2)
        everybody.assert_called_once()
        self.one.node.stop()
        everybody.assert_called_with(first, {}, [])

    def test_takeover(self) -> None:
        """Who attends a device is told when it logs in elsewhere; who does not any more is not."""
        self.two.node.take_over(ALICE, 7)
        self.assertEqual([said.number for said in self.one.taken_over], [7])
        self.one.node.miss(ALICE)
        self.two.node.take_over(ALICE, 8)
        self.assertEqual(len(self.one.taken_over), 1)

    def test_unloaded(self) -> None:
        """Of a room that nobody needs here nothing is heard."""
        self.two.node.rooms.unload(ROOM)
        self.one.node.committed([self.store.append(ROOM)])
        self.assertEqual(self.two.head(), 1)

    def test_too_large_for_the_server(self) -> None:
        """Sessions here get it; others read it."""
        self.wire.largest = 10
        with capturedLogs() as logged:
            self.one.node.committed([self.store.append(ROOM)])
        self.assertIn("no messages of the size", " ".join(map(formatEvent, logged)))
        self.assertEqual((self.alice.cursors, self.bob.cursors), ({ROOM: 2}, {ROOM: 1}))

    def test_recent_heads(self) -> None:
        """A beat has heads for a while; of one room more than it holds it says nothing."""
        self.store.commit(OTHER)
        with patch.object(nodes, "MAX_HEADS", 1):
            self.one.node.committed([self.store.append(ROOM), self.store.append(OTHER)])
        self.assertEqual(self.beats(), [{ROOM: 2}])
        self.wait(RECENT_SECONDS)
        self.assertEqual(self.beats()[-1], {})

    def beats(self) -> list[Any]:
        """The heads in what the first node says of itself in a second."""
        self.wire.said.clear()
        self.wait(BEAT_SECONDS + 0.1)
        found = [SEALER.open(subject, body) for subject, body in self.wire.said if subject == SUBJECTS.beat]
        return [beat.heads for beat in found if isinstance(beat, Beat) and beat.node == bytes([1]) * 8]

    def test_own_words(self) -> None:
        """What comes back from the bus does nothing."""
        self.one.node._hear(
            SUBJECTS.beat, SEALER.seal(SUBJECTS.beat, Beat(bytes([1]) * 8, "", False, True, 99, 99, {}))
        )
        self.wait(1)
        self.assertEqual(self.one.streams.log._claimed, 0)

    def test_stop(self) -> None:
        """No timer stays."""
        for server in self.servers:
            server.node.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
