"""Sending and reading back, read markers and typing."""

from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.delivery import encode_event, wire_event
from chatserv.crypto.commits import Remove, SetMember
from chatserv.crypto.room_state import Role as RoomRole
from chatserv.domain.roles import Role
from chatserv.models import Event, EventKind
from chatserv.testing.unlimited import RATES
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.records import ARRAY_HEADER_BYTES, plaintext_room
from tests.support.server import MemoryClient, WireServer
from tests.support.smith import LARGEST, PRIVATE, envelope


class SendTests(SynchronousTestCase):
    """What `send` promises."""

    def setUp(self) -> None:
        """Alice is online and hears the lobby."""
        self.server = WireServer()
        self.alice = self.server.join("alice")
        self.alice.sync()

    def send(self, **fields: Any) -> Any:
        """Alice's send with something changed."""
        return self.alice.say("hello", **fields)

    def test_sent(self) -> None:
        """A send is answered with its id, its place and the server's time, and comes as an event."""
        command = self.alice.next_send("hello")
        self.alice.tell(command)
        self.server.settle()
        reply = self.alice.reply(command.label)
        head = self.server.hub.rooms[self.server.lobby].head
        self.assertEqual(reply, messages.Sent(command.label, command.id, head, self.server.now_ms()))
        event = self.alice.events()[-1]
        body = command.envelope
        self.assertEqual(
            event, messages.Event(self.server.lobby, head, self.server.now_ms(), "alice", EventKind.MESSAGE, body)
        )

    def test_not_a_member(self) -> None:
        """A room that exists without oneself in it and one that does not exist look alike, and get nothing."""
        private = self.server.make_room(self.server.founder)
        replies = [self.send(room=private), self.send(room=b"?" * 16)]
        self.assertEqual([(reply.code, reply.text) for reply in replies], [("not_member", replies[0].text)] * 2)
        self.assertEqual(self.server.message_seqs(private), [])

    def test_largest_envelope(self) -> None:
        """An envelope of the limit is taken, one byte more is not."""
        server = WireServer(envelope_bytes=1093)
        alice = server.join("alice")
        self.assertIsInstance(alice.say("x" * 1024), messages.Sent)
        self.assertEqual(alice.say("x" * 1025).code, "too_large")
        self.assertEqual(len(server.message_seqs()), 1)

    def test_not_an_envelope(self) -> None:
        """Bytes that are no envelope are refused, whatever is wrong with them, and not stored."""
        good = self.alice.next_send("hello").envelope
        for wrong in (b"", b"hello", good[:-1], good + b"\0", b"\x11" + good[1:], good[:2] + b"\x02" + good[3:]):
            self.assertEqual(self.send(envelope=wrong).code, "bad_message")
        self.assertEqual(self.server.message_seqs(), [])

    def test_header_of_another(self) -> None:
        """A header that names another room, epoch or place than the sender's is refused."""
        lobby, epoch = self.server.lobby, 1
        leaf = self.server.smith.leaf(self.alice.account, lobby)
        for room, wrong_epoch, wrong_leaf in ((b"?" * 16, epoch, leaf), (lobby, 0, leaf), (lobby, epoch, leaf - 1)):
            sealed = envelope(room, wrong_epoch, wrong_leaf, 0)
            self.assertEqual(self.send(envelope=sealed, epoch=epoch).code, "bad_message")
        self.assertEqual(self.server.message_seqs(), [])

    def test_stale_epoch(self) -> None:
        """A send for another epoch than the room's is refused as retryable, and not stored."""
        leaf = self.server.smith.leaf(self.alice.account, self.server.lobby)
        for epoch in (0, 2, 2**32 - 1):
            reply = self.send(epoch=epoch, envelope=envelope(self.server.lobby, epoch, leaf, 0))
            self.assertEqual((reply.code, reply.retryable), ("stale_epoch", True))
        self.assertEqual(self.alice.seqs(), [])

    def test_used_generation(self) -> None:
        """A generation that was used already is refused as stale: its key is spent."""
        command = self.alice.next_send("hello")
        self.assertIsInstance(self.send(envelope=command.envelope), messages.Sent)
        self.assertEqual(self.send(envelope=command.envelope).code, "stale_epoch")

    def test_crosses_a_commit(self) -> None:
        """A send that the store gets after a commit is refused, whatever room it was sent into."""
        server = WireServer(slow=["append"])
        alice, bob = server.join("alice"), server.join("bob")
        command = alice.next_send("hello")
        alice.tell(command)
        server.settle()
        server.put(bob.account, server.lobby)
        server.store.fire_all()
        server.settle()
        self.assertEqual(alice.reply(command.label).code, "stale_epoch")
        self.assertEqual(server.message_seqs(), [])

    def test_crosses_a_removal(self) -> None:
        """A send that crosses its sender's removal is refused, and nobody gets it."""
        server = WireServer(slow=["append"])
        alice, bob = server.join("alice"), server.join("bob")
        bob.sync()
        command = alice.next_send("hello")
        alice.tell(command)
        server.settle()
        server.put(server.founder, server.lobby, SetMember("alice", None))
        server.store.fire_all()
        server.settle()
        self.assertEqual(alice.reply(command.label).code, "stale_epoch")
        self.assertEqual((server.message_seqs(), bob.seqs()), ([], []))

    def test_duplicate(self) -> None:
        """The same message again gets the first place and time and no second event, also over a new connection."""
        command = self.alice.next_send("hello")
        first = self.alice.repeat(command)
        self.send()
        self.server.advance(3)
        again = self.alice.repeat(command)
        self.assertEqual((again.seq, again.at), (first.seq, first.at))
        self.alice.drop()
        self.alice = self.server.log_in(self.alice.account)
        third = self.alice.repeat(command)
        self.assertEqual((third.seq, third.at), (first.seq, first.at))
        self.alice.sync()
        self.assertEqual(self.alice.seqs(), [1, 2])

    def test_duplicate_of_somebody_removed(self) -> None:
        """Who was removed still learns that a message of theirs was stored; nothing else is taken of them."""
        command = self.alice.next_send("hello")
        first = self.alice.repeat(command)
        self.server.put(self.server.founder, self.server.lobby, SetMember("alice", RoomRole.BANNED))
        self.assertEqual(self.alice.repeat(command).seq, first.seq)
        self.assertEqual(self.alice.repeat(replace(command, id=b"j" * 16)).code, "banned")

    def test_same_id_of_another_device(self) -> None:
        """An id counts per device: another one's is another message."""
        bob = self.server.join("bob")
        self.send(id=b"i" * 16)
        bob.say("bob's", id=b"i" * 16)
        self.assertEqual(len(self.server.message_seqs()), 2)

    def test_everybody_gets_it(self) -> None:
        """An event reaches every session that is live, once."""
        bob, carol = self.server.join("bob"), self.server.join("carol")
        bob.sync()
        self.send()
        self.assertEqual((self.alice.seqs(), bob.seqs(), carol.seqs()), ([1], [1], []))


class MuteTests(SynchronousTestCase):
    """Mutes of both kinds."""

    def setUp(self) -> None:
        """Alice is in the lobby, and an administrator is online."""
        self.server = WireServer()
        self.alice = self.server.join("alice")
        self.admin = self.server.join("ada", Role.ADMIN)

    def say(self) -> tuple[str, str]:
        """What becomes of Alice's message: code and who refuses."""
        reply = self.alice.say("hello")
        return (reply.code, reply.by) if isinstance(reply, messages.Error) else ("sent", "")

    def again(self) -> None:
        """The server starts anew, and Alice comes back."""
        self.server.restart()
        self.alice = self.server.log_in(self.alice.account)
        self.admin = self.server.log_in(self.admin.account)

    def test_by_the_room(self) -> None:
        """Who is muted in the room neither writes nor types there, also after a restart, until that is lifted."""
        self.server.put(self.server.founder, self.server.lobby, SetMember("alice", RoomRole.MEMBER, muted=True))
        for _ in range(2):
            self.assertEqual(self.say(), ("muted", "room"))
            self.assertEqual(self.alice.ask(messages.SetTyping, room=self.server.lobby).code, "muted")
            self.again()
        self.server.put(self.server.founder, self.server.lobby, SetMember("alice", RoomRole.MEMBER))
        self.assertEqual(self.say(), ("sent", ""))

    def test_by_the_server(self) -> None:
        """Who is muted by an administrator writes nowhere, at once and after a restart, until that is lifted."""
        private = self.server.make_room(self.alice.account)
        self.assertIsInstance(self.admin.ask(messages.ServerMute, user="alice", on=True), messages.Ok)
        for _ in range(2):
            self.assertEqual(self.say(), ("muted", "server"))
            self.assertEqual(self.alice.say("hello", private).by, "server")
            self.again()
        self.assertTrue(self.alice.one(messages.Welcome).muted)
        self.admin.ask(messages.ServerMute, user="alice", on=False)
        self.assertEqual(self.say(), ("sent", ""))

    def test_reads_on(self) -> None:
        """Who is muted hears the room."""
        self.server.put(self.server.founder, self.server.lobby, SetMember("alice", RoomRole.MEMBER, muted=True))
        self.alice.sync()
        self.admin.say("hello")
        self.assertEqual(self.alice.seqs(), [1])

    def test_repeats(self) -> None:
        """A message that was stored before the mute is answered as then."""
        command = self.alice.next_send("hello")
        first = self.alice.repeat(command)
        self.admin.ask(messages.ServerMute, user="alice", on=True)
        self.assertEqual(self.alice.repeat(command).seq, first.seq)
        for other in (replace(command, id=b"j" * 16), replace(command, envelope=b"no envelope")):
            self.assertEqual(self.alice.repeat(other).code, "muted")


class SlowModeTests(SynchronousTestCase):
    """A room in which users wait between two messages."""

    def setUp(self) -> None:
        """Alice owns a room with ten seconds, Bob is a member with it."""
        self.server = WireServer()
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")
        slow = replace(PRIVATE, slow_seconds=10)
        self.room = self.server.make_room(self.alice.account, self.bob.account, policy=slow)

    def test_wait(self) -> None:
        """The second message comes too early until the time has passed; the answer says how long."""
        self.assertIsInstance(self.bob.say("one", self.room), messages.Sent)
        self.server.advance(4)
        reply = self.bob.say("two", self.room)
        self.assertEqual((reply.code, reply.after_seconds, reply.by), ("rate_limited", 6.0, "room"))
        self.server.advance(6)
        self.assertIsInstance(self.bob.say("three", self.room), messages.Sent)

    def test_behind_one_that_was_refused(self) -> None:
        """What was sent behind one that came too early waits for it, but not longer than that one was asked to wait."""
        self.bob.say("one", self.room)
        early = self.bob.say("early", self.room)
        self.server.context.rates.messages.give_back((self.room, "bob"))
        behind = self.bob.say("behind", self.room)
        self.assertEqual((early.code, behind.code, behind.after_seconds), ("rate_limited", "busy", 10.0))
        self.server.advance(10)
        self.assertIsInstance(self.bob.say("given up on that one", self.room), messages.Sent)

    def test_others(self) -> None:
        """Moderators and owners do not wait, nor does anybody in another room."""
        for _ in range(2):
            self.assertIsInstance(self.alice.say("one", self.room), messages.Sent)
        self.bob.say("one", self.room)
        self.assertIsInstance(self.bob.say("one"), messages.Sent)

    def test_repeated(self) -> None:
        """The same message again is answered at once, and takes nobody's turn."""
        command = self.bob.next_send("one", self.room)
        first, again = self.bob.repeat(command), self.bob.repeat(command)
        self.assertEqual((again.seq, again.at), (first.seq, first.at))
        self.server.advance(10)
        self.assertEqual(self.bob.repeat(command).seq, first.seq)
        self.assertIsInstance(self.bob.say("two", self.room), messages.Sent)

    def test_refused_ones_do_not_count(self) -> None:
        """A message that the store refuses takes nobody's turn."""
        leaf = self.server.smith.leaf(self.bob.account, self.room)
        stale = self.bob.say("old", self.room, epoch=7, envelope=envelope(self.room, 7, leaf, 0))
        self.assertEqual(stale.code, "stale_epoch")
        self.assertIsInstance(self.bob.say("one", self.room), messages.Sent)

    def test_two_at_once(self) -> None:
        """Of two messages in one record the second is too early."""
        commands = [self.bob.next_send(text, self.room) for text in ("one", "two")]
        self.bob.tell(*commands)
        self.server.settle()
        replies = [self.bob.reply(command.label) for command in commands]
        self.assertEqual([type(reply) for reply in replies], [messages.Sent, messages.Error])


class HistoryTests(SynchronousTestCase):
    """What `history` promises."""

    def setUp(self) -> None:
        """A room of one commit and ten messages, and a limit of six."""
        self.server = WireServer(history_events=6, **RATES)
        self.alice = self.server.join("alice")
        self.room = self.server.make_room(self.alice.account)
        for number in range(10):
            self.alice.say(str(number), self.room)

    def seqs(self, before: int, limit: int, client: MemoryClient | None = None) -> list[int]:
        """The seqs of a page."""
        page = (client or self.alice).ask(messages.History, room=self.room, before=before, limit=limit)
        return [event.seq for event in page.events]

    def test_page(self) -> None:
        """The last events before a place come in order."""
        self.assertEqual(self.seqs(8, 3), [5, 6, 7])
        self.assertEqual(self.seqs(3, 5), [1, 2])
        self.assertEqual(self.seqs(1, 5), [])
        self.assertEqual(self.seqs(2**63 - 1, 2), [10, 11])

    def test_limit(self) -> None:
        """As many events as the limit come, and no more, whatever is asked for."""
        self.assertEqual(self.seqs(100, 6), [6, 7, 8, 9, 10, 11])
        self.assertEqual(self.seqs(100, 7), [6, 7, 8, 9, 10, 11])

    def test_only_ones_own_time(self) -> None:
        """Whoever came later reads nothing from before, and who was removed nothing from after."""
        bob = self.server.join("bob")
        self.server.put(self.alice.account, self.room, *self.server.smith.add(bob.account, self.room))
        bob.say("thirteen", self.room)
        leaf = self.server.smith.leaf(bob.account, self.room)
        self.server.put(self.alice.account, self.room, Remove(leaf))
        self.alice.say("fifteen", self.room)
        self.assertEqual(self.seqs(100, 6, bob), [12, 13, 14])
        self.assertEqual(self.seqs(14, 6, bob), [12, 13])

    def test_removed_and_not_heard_of_yet(self) -> None:
        """What is stored and was not handed out here yet is for nobody: who asks may be removed by it."""
        bob = self.server.join("bob")
        self.server.put(self.alice.account, self.room, *self.server.smith.add(bob.account, self.room))
        listeners, self.server.memory._listeners = self.server.memory._listeners, []
        self.server.put(self.alice.account, self.room, Remove(self.server.smith.leaf(bob.account, self.room)))
        self.server.memory._listeners = listeners
        self.assertEqual(len(self.server.events(self.room)), 13)
        self.assertEqual(self.seqs(100, 6, bob), [12])
        chain = bob.ask(messages.GetRoom, room=self.room, epoch=0)
        self.assertEqual((chain.epoch, len(chain.commits)), (1, 2))

    def test_not_a_member(self) -> None:
        """Nobody reads a room without a place in it."""
        bob = self.server.join("bob")
        self.assertEqual(bob.ask(messages.History, room=self.room, before=100).code, "not_member")

    def test_full_line(self) -> None:
        """A page is cut, from its old end, to what one line holds; repeated, it brings everything."""
        for _ in range(6):
            self.alice.say("x" * LARGEST, self.room)
        found: list[int] = []
        before = 18
        while page := self.seqs(before, 6):
            found = page + found
            before = page[0]
        self.assertEqual(found, list(range(1, 18)))

    @settings(max_examples=30, deadline=None)
    @given(sizes=st.lists(st.integers(0, LARGEST), min_size=1, max_size=12), line=st.integers(17_500, 65_536))
    def test_page_fits(self, sizes: list[int], line: int) -> None:
        """Whatever the sizes, a page fits into a line and is not empty when there is something to read."""
        server = WireServer(line_bytes=line, **RATES)
        alice = server.join("alice")
        for size in sizes:
            alice.say("x" * size)
        page = alice.ask(messages.History, room=server.lobby, before=100, limit=20)
        self.assertTrue(page.events)
        self.assertEqual(page.events[-1].seq, server.message_seqs()[-1])
        self.assertLessEqual(len(encode_message(page)), plaintext_room(line) - ARRAY_HEADER_BYTES)
        self.assertIsNone(alice.error)

    def test_many_at_once(self) -> None:
        """A client that asks for many pages at once and reads them gets them all, and is not taken for a slow reader."""
        server = WireServer(slow=["events_before"])
        alice = server.join("alice")
        for _ in range(4):
            alice.say("x" * LARGEST)
        labels = [alice.label() for _ in range(64)]
        alice.tell(*(messages.History(label, server.lobby, 100, 4) for label in labels))
        server.settle()
        while server.store.waiting:
            server.store.fire_all()
            server.settle()
        self.assertFalse(alice.lost, alice.error)
        self.assertEqual([len(alice.reply(label).events) for label in labels], [4] * 64)


class MarkerTests(SynchronousTestCase):
    """Read markers and typing."""

    def setUp(self) -> None:
        """Alice, on two devices, and Bob hear the lobby."""
        self.server = WireServer(**RATES)
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")
        for client in (self.alice, self.bob):
            client.sync()
        self.lobby = self.server.lobby

    def test_read(self) -> None:
        """A marker is told to the others in the room, and is in the next welcome; it never goes back."""
        self.bob.say("hello")
        head = self.server.hub.rooms[self.lobby].head
        for seq in (head, 1):
            self.assertIsInstance(self.alice.ask(messages.MarkRead, room=self.lobby, seq=seq), messages.Ok)
        self.assertEqual(self.bob.all(messages.Read)[0], messages.Read(self.lobby, "alice", head))
        self.assertEqual(self.alice.all(messages.Read), [])
        (room,) = self.server.log_in(self.alice.account).one(messages.Welcome).rooms
        self.assertEqual(room.read, head)

    def test_read_above_the_head(self) -> None:
        """Nobody has read more than there is: such a marker is not taken, and nobody is told."""
        head = self.server.hub.rooms[self.lobby].head
        for seq in (head + 1, 2**63 - 1):
            self.assertEqual(self.alice.ask(messages.MarkRead, room=self.lobby, seq=seq).code, "bad_message")
        self.assertEqual(self.bob.all(messages.Read), [])
        (room,) = self.server.log_in(self.alice.account).one(messages.Welcome).rooms
        self.assertEqual(room.read, 0)

    def test_typing(self) -> None:
        """Typing is told to the others, and not to oneself."""
        self.assertIsInstance(self.alice.ask(messages.SetTyping, room=self.lobby), messages.Ok)
        self.assertEqual(self.bob.one(messages.Typing), messages.Typing(self.lobby, "alice"))
        self.assertEqual(self.alice.all(messages.Typing), [])

    def test_under_pressure(self) -> None:
        """Above the soft limit typing, markers and presence are dropped; events are not."""
        self.bob.reading, self.bob.transport.full_above = False, 1
        queue = self.bob.protocol._sendq
        assert queue is not None
        while queue.relaxed:
            self.alice.say("x" * LARGEST)
        before = queue.queued_bytes
        self.alice.ask(messages.SetTyping, room=self.lobby)
        self.alice.ask(messages.MarkRead, room=self.lobby, seq=1)
        self.alice.ask(messages.SetPresence, away=True)
        self.assertEqual(queue.queued_bytes, before)
        self.alice.say("last")
        self.assertGreater(queue.queued_bytes, before)
        self.bob.reading = True
        self.server.settle()
        self.assertEqual((self.bob.all(messages.Typing), self.bob.all(messages.Read)), ([], []))
        self.assertEqual(self.bob.seqs(), list(range(1, len(self.server.message_seqs()) + 1)))


class DeliverTests(SynchronousTestCase):
    """How stored events travel."""

    def test_deliver(self) -> None:
        """A batch of several rooms reaches each room in order, and moves its head."""
        server = WireServer()
        alice = server.join("alice")
        other = server.make_room(server.founder)
        alice.sync()
        first = server.hub.rooms[server.lobby].head
        batch = [
            Event(room, seq, 0, "bob", EventKind.MESSAGE, b"")
            for room, seq in ((server.lobby, first + 1), (other, 2), (server.lobby, first + 2))
        ]
        server.backplane.publish(batch)
        server.settle()
        self.assertEqual([event.seq for event in alice.events()][-2:], [first + 1, first + 2])
        self.assertEqual((server.hub.rooms[server.lobby].head, server.hub.rooms[other].head), (first + 2, 2))

    def test_no_answer_before_the_event(self) -> None:
        """Who sends is answered when the sessions of this node have what was sent, also to a repetition."""
        server = WireServer()
        alice = server.join("alice")
        waiting: list[Deferred[None]] = []

        def not_yet(_room: bytes, _seq: int) -> Deferred[None]:
            waiting.append(Deferred())
            return waiting[-1]

        with patch.object(server.backplane, "reached", not_yet):
            command = alice.next_send("hello")
            for again in (command, replace(command, label=alice.label())):
                alice.tell(again)
                server.settle()
                self.assertIsNone(alice.reply(again.label))
                waiting.pop().callback(None)
                server.settle()
                self.assertIsInstance(alice.reply(again.label), messages.Sent)

    def test_unknown_room(self) -> None:
        """Events of a room that was closed meanwhile are nobody's."""
        server = WireServer()
        server.backplane.publish([Event(b"?" * 16, 1, 0, "bob", EventKind.MESSAGE, b"")])
        self.assertNotIn(b"?" * 16, server.hub.rooms)

    def test_wire_event(self) -> None:
        """An event travels with all that is stored of it."""
        event = Event(b"r" * 16, 5, 6, "bob", EventKind.COMMIT, b"body")
        self.assertEqual(wire_event(event), messages.Event(b"r" * 16, 5, 6, "bob", 1, b"body"))
        self.assertEqual(encode_event(event), encode_message(wire_event(event)))
