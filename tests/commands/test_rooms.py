"""Sending and reading back."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.context import encode_event, wire_event
from chatserv.ports import Event, EventKind
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.records import ARRAY_HEADER_BYTES, plaintext_room
from tests.support.server import MemoryServer


class SendTests(SynchronousTestCase):
    """What `send` promises."""

    def setUp(self) -> None:
        """Alice is online and hears the lobby."""
        self.server = MemoryServer()
        self.alice = self.server.join("alice")
        self.alice.sync()

    def send(self, **fields: Any) -> Any:
        """Alice's send with something changed."""
        given = {"room": self.server.lobby, "id": self.server.random(16), "epoch": 0, "envelope": b"hello"}
        return self.alice.ask(messages.Send, **(given | fields))

    def test_sent(self) -> None:
        """A send is answered with its id, its place and the server's time, and comes as an event."""
        reply = self.send(id=b"i" * 16)
        self.assertEqual(reply, messages.Sent(reply.label, b"i" * 16, 1, self.server.now_ms()))
        event = self.alice.one(messages.Event)
        self.assertEqual(
            event, messages.Event(self.server.lobby, 1, self.server.now_ms(), "alice", EventKind.MESSAGE, b"hello")
        )

    def test_body_is_opaque(self) -> None:
        """Whatever bytes the envelope has arrive unchanged."""
        for body in (b"", bytes(range(256)), b"\r\n", b"\x90" * 100):
            self.send(envelope=body)
        self.assertEqual(
            [event.body for event in self.alice.all(messages.Event)],
            [b"", bytes(range(256)), b"\r\n", b"\x90" * 100],
        )

    def test_not_a_member(self) -> None:
        """A room that exists without oneself in it and one that does not exist look alike, and get nothing."""
        private = self.server.memory.add_room("private", public=False)
        self.server.take_rooms_in()
        replies = [self.send(room=private), self.send(room=b"?" * 16)]
        self.assertEqual([(reply.code, reply.text) for reply in replies], [("not_member", replies[0].text)] * 2)
        self.assertEqual(self.server.memory._logs[private].events, [])

    def test_largest_envelope(self) -> None:
        """An envelope of the limit is taken, one byte more is not."""
        limit = self.server.config.limits.envelope_bytes
        self.assertIsInstance(self.send(envelope=b"x" * limit), messages.Sent)
        self.assertEqual(self.send(envelope=b"x" * (limit + 1)).code, "too_large")
        self.assertEqual(self.alice.seqs(), [1])

    def test_stale_epoch(self) -> None:
        """A send for another epoch than the room's is refused as retryable, and not stored."""
        for epoch in (1, 2**32 - 1):
            reply = self.send(epoch=epoch)
            self.assertEqual((reply.code, reply.retryable), ("stale_epoch", True))
        self.assertEqual(self.alice.seqs(), [])

    def test_duplicate(self) -> None:
        """The same id again gets the first place and time and no second event, also over a new connection."""
        first = self.send(id=b"i" * 16)
        self.send()
        self.server.advance(3)
        again = self.send(id=b"i" * 16)
        self.assertEqual((again.seq, again.at), (first.seq, first.at))
        self.alice.drop()
        self.alice = self.server.log_in(self.alice.account)
        third = self.send(id=b"i" * 16, epoch=9, envelope=b"other")
        self.assertEqual((third.seq, third.at), (first.seq, first.at))
        self.assertEqual(self.alice.sync().label, 2)
        self.assertEqual(self.alice.seqs(), [1, 2])

    def test_same_id_of_another_device(self) -> None:
        """An id counts per device: another one's is another message."""
        bob = self.server.join("bob")
        self.send(id=b"i" * 16)
        self.assertEqual(bob.say("bob's", message_id=b"i" * 16).seq, 2)

    def test_everybody_gets_it(self) -> None:
        """An event reaches every session that is live, once."""
        bob, carol = self.server.join("bob"), self.server.join("carol")
        bob.sync()
        self.send()
        self.assertEqual((self.alice.seqs(), bob.seqs(), carol.seqs()), ([1], [1], []))


class HistoryTests(SynchronousTestCase):
    """What `history` promises."""

    def setUp(self) -> None:
        """A room of ten events, and a limit of six."""
        self.server = MemoryServer(history_events=6)
        self.alice = self.server.join("alice")
        for number in range(10):
            self.alice.say(str(number))

    def seqs(self, before: int, limit: int) -> list[int]:
        """The seqs of a page."""
        page = self.alice.ask(messages.History, room=self.server.lobby, before=before, limit=limit)
        return [event.seq for event in page.events]

    def test_page(self) -> None:
        """The last events before a place come in order."""
        self.assertEqual(self.seqs(8, 3), [5, 6, 7])
        self.assertEqual(self.seqs(3, 5), [1, 2])
        self.assertEqual(self.seqs(1, 5), [])
        self.assertEqual(self.seqs(2**63 - 1, 2), [9, 10])

    def test_limit(self) -> None:
        """As many events as the limit come, and no more, whatever is asked for."""
        self.assertEqual(self.seqs(100, 6), [5, 6, 7, 8, 9, 10])
        self.assertEqual(self.seqs(100, 7), [5, 6, 7, 8, 9, 10])

    def test_nothing_from_before_oneself(self) -> None:
        """Whoever came later reads nothing from before."""
        bob = self.server.join("bob")
        bob.say("eleven")
        page = bob.ask(messages.History, room=self.server.lobby, before=100, limit=6)
        self.assertEqual([event.seq for event in page.events], [11])

    def test_not_a_member(self) -> None:
        """Nobody reads a room without being in it."""
        private = self.server.memory.add_room("private", public=False)
        self.server.take_rooms_in()
        reply = self.alice.ask(messages.History, room=private, before=100)
        self.assertEqual(reply.code, "not_member")

    def test_full_line(self) -> None:
        """A page is cut, from its old end, to what one line holds; repeated, it brings everything."""
        for _ in range(6):
            self.alice.say("x" * 12_000)
        found: list[int] = []
        before = 17
        while page := self.seqs(before, 6):
            found = page + found
            before = page[0]
        self.assertEqual(found, list(range(1, 17)))

    @settings(max_examples=40)
    @given(sizes=st.lists(st.integers(0, 12_000), min_size=1, max_size=12), line=st.integers(17_500, 65_536))
    def test_page_fits(self, sizes: list[int], line: int) -> None:
        """Whatever the sizes, a page fits into a line and is not empty when there is something to read."""
        server = MemoryServer(line_bytes=line)
        alice = server.join("alice")
        for size in sizes:
            alice.say("x" * size)
        page = alice.ask(messages.History, room=server.lobby, before=100, limit=20)
        self.assertTrue(page.events)
        self.assertEqual(page.events[-1].seq, len(sizes))
        self.assertLessEqual(len(encode_message(page)), plaintext_room(line) - ARRAY_HEADER_BYTES)
        self.assertIsNone(alice.error)

    def test_many_at_once(self) -> None:
        """A client that asks for many pages at once and reads them gets them all, and is not taken for a slow reader."""
        server = MemoryServer(slow=["events_before"])
        alice = server.join("alice")
        for _ in range(4):
            alice.say("x" * 12_000)
        labels = [alice.label() for _ in range(64)]
        alice.tell(*(messages.History(label, server.lobby, 100) for label in labels))
        server.settle()
        while server.store.waiting:
            server.store.fire_all()
            server.settle()
        self.assertFalse(alice.lost, alice.error)
        self.assertEqual([len(alice.reply(label).events) for label in labels], [4] * 64)


class ContextTests(SynchronousTestCase):
    """How stored events travel."""

    def test_deliver(self) -> None:
        """A batch of several rooms reaches each room in order, and moves its head."""
        server = MemoryServer()
        alice = server.join("alice")
        other = server.memory.add_room("other", public=True)
        server.take_rooms_in()
        alice.sync()
        batch = [
            Event(room, seq, 0, "bob", EventKind.MESSAGE, b"")
            for room, seq in ((server.lobby, 1), (other, 1), (server.lobby, 2), (server.lobby, 3))
        ]
        server.backplane.publish(batch)
        server.settle()
        self.assertEqual(alice.seqs(), [1, 2, 3])
        self.assertEqual((server.hub.rooms[server.lobby].head, server.hub.rooms[other].head), (3, 1))

    def test_wire_event(self) -> None:
        """An event travels with all that is stored of it."""
        event = Event(b"r" * 16, 5, 6, "bob", EventKind.COMMIT, b"body")
        self.assertEqual(wire_event(event), messages.Event(b"r" * 16, 5, 6, "bob", 1, b"body"))
        self.assertEqual(encode_event(event), encode_message(wire_event(event)))
