"""What outlives a connection: one behaviour at a time, and then everything at once against a model of the server."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.conversation import Conversation, Cursors
from chatserv.client.events import (
    Answered,
    ClientEvent,
    GapSeen,
    MessageReceived,
    RetryWanted,
    RoomRewound,
    SendAcknowledged,
    SendFailed,
    Status,
    StatusChanged,
    SyncRefused,
)
from chatserv.crypto.content import Content, ContentType
from chatserv.errors import Busy, LocalProtocolError, Quota, WireError
from chatserv.testing.oracle import compare
from chatserv.wire import messages

LOBBY = b"lobby-id".ljust(16, b"-")
STORE, OTHER_STORE = b"s" * 16, b"t" * 16
LIMITS = messages.LimitInfo(65_536, 12_000, 60, 500)
MOVES = st.sampled_from([*["deliver"] * 4, *["serve"] * 4, "busy", "read_only", "forbidden", "too_large"])
commands: Any = msgspec.msgpack.Decoder(messages.ClientMessage)


def content(number: int, text: str = "hello") -> Content:
    """A text with an id made of ``number``."""
    return Content(ContentType.TEXT, number.to_bytes(16, "big"), 0, text.encode())


def welcome(head: int = 0, since: int = 0, store: bytes = STORE, rooms: bool = True) -> messages.Welcome:
    """The first message of a session."""
    room = messages.RoomInfo(LOBBY, "lobby", 0, since, head)
    return messages.Welcome(bytes(16), "alice", "user", (room,) if rooms else (), LIMITS, 0, b"", store)


def event(seq: int, what: Content | None = None, sender: str = "bob", room: bytes = LOBBY) -> messages.Event:
    """An entry of the lobby's log."""
    return messages.Event(room, seq, 1000 + seq, sender, 0, (what or content(seq)).encode())


def sent_by(conversation: Conversation) -> list[Any]:
    """The commands that want to go out."""
    return [commands.decode(part) for part in conversation.take_outgoing()]


class ConversationTests(SynchronousTestCase):
    """One behaviour at a time."""

    def setUp(self) -> None:
        """A conversation of alice's, not connected."""
        self.conversation = Conversation("alice", Cursors())

    def tell(self, *told: messages.ServerMessage) -> list[ClientEvent]:
        """What comes of messages."""
        return [found for message in told for found in self.conversation.receive(message)]

    def connect(self, **fields: Any) -> list[ClientEvent]:
        """Welcome and a whole sync."""
        found = self.tell(welcome(**fields))
        (sync,) = sent_by(self.conversation)
        return found + self.tell(messages.Ok(sync.label))

    def test_sync_from_cursors(self) -> None:
        """After the welcome the client is online and asks for what is missing since its cursors."""
        self.conversation = Conversation("alice", Cursors(STORE, {LOBBY: 7}))
        self.assertEqual(self.tell(welcome(head=9)), [StatusChanged(Status.ONLINE)])
        (sync,) = sent_by(self.conversation)
        self.assertEqual((sync.store, sync.cursors), (STORE, ((LOBBY, 7),)))
        self.assertEqual(self.conversation.rooms, ["lobby"])

    def test_sync_from_membership(self) -> None:
        """A room without a cursor is read from where the membership begins."""
        self.tell(welcome(head=9, since=4))
        (sync,) = sent_by(self.conversation)
        self.assertEqual(sync.cursors, ((LOBBY, 4),))

    def test_other_store(self) -> None:
        """Cursors of another incarnation of the store count as none, and what was shown is not shown again."""
        self.connect()
        self.tell(event(1), event(2))
        self.conversation.disconnected()
        self.tell(welcome(store=OTHER_STORE))
        (sync,) = sent_by(self.conversation)
        self.assertEqual((sync.store, sync.cursors), (OTHER_STORE, ((LOBBY, 0),)))
        shown = [found.seq for found in self.tell(event(1), event(2), event(3)) if isinstance(found, MessageReceived)]
        self.assertEqual(shown, [3])

    def test_room_rewound(self) -> None:
        """A cursor beyond the room's end is told and given up: whoever poisoned it does not make us deaf."""
        self.conversation = Conversation("alice", Cursors(STORE, {LOBBY: 2**63 - 1}))
        self.assertEqual(self.tell(welcome(head=5)), [RoomRewound("lobby", 2**63 - 1, 5), StatusChanged(Status.ONLINE)])
        (sync,) = sent_by(self.conversation)
        self.assertEqual(sync.cursors, ((LOBBY, 0),))

    def test_beginning_moved(self) -> None:
        """A membership that begins later than we have read is told as a gap."""
        self.conversation = Conversation("alice", Cursors(STORE, {LOBBY: 3}))
        self.assertEqual(self.tell(welcome(head=9, since=7))[0], GapSeen("lobby", 4, 7))

    def test_impossible_welcome(self) -> None:
        """A room that begins beyond its end, and a second welcome, end the connection; cursors stay as they were."""
        self.conversation = Conversation("alice", Cursors(STORE, {LOBBY: 3}))
        (refused,) = self.tell(welcome(head=5, since=2**63 - 1))
        self.assertIsInstance(refused, SyncRefused)
        self.assertEqual(self.conversation.cursors.positions, {LOBBY: 3})
        self.tell(welcome(head=5))
        self.assertIsInstance(self.tell(welcome(head=6))[0], SyncRefused)

    def test_left_rooms_are_forgotten(self) -> None:
        """Cursors are kept for the rooms of the last welcome alone, so that a server cannot make them grow."""
        self.conversation = Conversation("alice", Cursors(STORE, {bytes(16): 8, LOBBY: 3}))
        self.tell(welcome(head=5))
        self.assertEqual(self.conversation.cursors.positions, {LOBBY: 3})

    def test_sent_for_another_label(self) -> None:
        """An acknowledgement counts only under the label that the message went out with."""
        self.connect()
        self.conversation.send("lobby", content(1))
        (send,) = sent_by(self.conversation)
        self.assertEqual(self.tell(messages.Sent(send.label + 1, send.id, 1, 0)), [])
        self.assertEqual(self.tell(messages.Sent(send.label, send.id, 1, 0)), [SendAcknowledged(send.id, 1)])

    def test_forgets_oldest(self) -> None:
        """Only so many shown messages are remembered."""
        self.conversation = Conversation("alice", Cursors(), max_seen=2)
        self.connect()
        self.tell(event(1), event(2), event(3))
        self.conversation.disconnected()
        self.tell(welcome(store=OTHER_STORE))
        shown = [found.seq for found in self.tell(event(1), event(2), event(3)) if isinstance(found, MessageReceived)]
        self.assertEqual(len(self.conversation._seen), 2)
        self.assertIn(1, shown)

    def test_shown(self) -> None:
        """An event is shown with room, seq, time, sender, id, text, and whether it is our own."""
        self.connect()
        (found,) = self.tell(event(1, content(9, "hi"), "bob"))
        self.assertEqual(found, MessageReceived("lobby", 1, 1001, "bob", content(9).message_id, "hi", own=False))
        (own,) = self.tell(event(2, content(10), "alice"))
        assert isinstance(own, MessageReceived)
        self.assertTrue(own.own)

    def test_old_event(self) -> None:
        """An event at or below the cursor is not shown, and does not move the cursor back."""
        self.connect()
        self.tell(event(1), event(2))
        self.assertEqual(self.tell(event(2), event(1)), [])
        self.assertEqual([type(found) for found in self.tell(event(3))], [MessageReceived])

    def test_unknown_room(self) -> None:
        """An event of a room that the welcome did not name is ignored."""
        self.connect()
        self.assertEqual(self.tell(event(1, room=bytes(16))), [])

    def test_gap(self) -> None:
        """Missing numbers are reported once, before the message behind them."""
        self.connect()
        found = self.tell(event(1), event(4), event(5))
        self.assertEqual(found[1], GapSeen("lobby", 2, 3))
        self.assertEqual([type(one) for one in found].count(GapSeen), 1)

    def test_not_a_content(self) -> None:
        """A body that does not parse is shown as a message without text."""
        self.connect()
        (found,) = self.tell(messages.Event(LOBBY, 1, 0, "bob", 0, b"no content"))
        assert isinstance(found, MessageReceived)
        self.assertIsNone(found.text)

    def test_same_id_of_others(self) -> None:
        """Somebody who takes another's message id does not hide that message."""
        self.connect()
        found = self.tell(event(1, content(5), "mallory"), event(2, content(5), "bob"))
        self.assertEqual(len(found), 2)

    def test_send_waits_for_sync(self) -> None:
        """A send before the sync is done goes out right behind it, in order."""
        self.conversation.send("lobby", content(1))
        self.tell(welcome())
        self.conversation.send("lobby", content(2))
        (sync,) = sent_by(self.conversation)
        self.tell(messages.Ok(sync.label))
        self.assertEqual(
            [send.id for send in sent_by(self.conversation)], [content(1).message_id, content(2).message_id]
        )

    def test_without_following(self) -> None:
        """A client that does not follow asks for no events and sends right after the welcome."""
        self.conversation = Conversation("alice", Cursors(), follow=False)
        self.conversation.send("lobby", content(1))
        self.assertEqual(self.tell(welcome()), [StatusChanged(Status.ONLINE)])
        (send,) = sent_by(self.conversation)
        self.assertIsInstance(send, messages.Send)

    def test_acknowledged_once(self) -> None:
        """The first answer acknowledges; a second one, or one for a foreign id, says nothing."""
        self.connect()
        self.conversation.send("lobby", content(1))
        (send,) = sent_by(self.conversation)
        answer = messages.Sent(send.label, send.id, 1, 0)
        self.assertEqual(self.tell(answer), [SendAcknowledged(send.id, 1)])
        self.assertEqual(self.tell(answer, messages.Sent(99, bytes(16), 2, 0)), [])
        self.assertEqual(self.conversation.unacknowledged, 0)

    def test_same_bytes_again(self) -> None:
        """After a lost connection an unanswered send goes out again, with the same id and the same envelope."""
        self.connect()
        self.conversation.send("lobby", content(1))
        (first,) = sent_by(self.conversation)
        self.conversation.disconnected()
        self.tell(welcome())
        (sync,) = sent_by(self.conversation)
        self.tell(messages.Ok(sync.label))
        (again,) = sent_by(self.conversation)
        self.assertEqual((again.id, again.envelope), (first.id, first.envelope))
        self.assertNotEqual(again.label, first.label)

    def test_refused_for_now(self) -> None:
        """A retryable refusal asks for a retry, which sends only what is not under way, in its old order."""
        self.connect()
        for number in (1, 2, 3):
            self.conversation.send("lobby", content(number))
        sends = sent_by(self.conversation)
        found = self.tell(*(messages.Error(send.label, "busy", "", True, 4.0) for send in sends[:2]))
        self.assertEqual(found, [RetryWanted(4.0), RetryWanted(4.0)])
        self.assertEqual(self.conversation.retry(), [])
        self.assertEqual([send.id for send in sent_by(self.conversation)], [send.id for send in sends[:2]])
        self.conversation.retry()
        self.assertEqual(sent_by(self.conversation), [])

    def test_retry_while_away(self) -> None:
        """A retry without a connection does nothing."""
        self.conversation.send("lobby", content(1))
        self.assertEqual((self.conversation.retry(), sent_by(self.conversation)), ([], []))

    @settings(deadline=None)
    @given(st.one_of(st.none(), st.floats()))
    def test_retry_delay(self, seconds: float | None) -> None:
        """Whatever delay the server names, the client waits a moment to a minute."""
        self.setUp()
        self.connect()
        self.conversation.send("lobby", content(1))
        (send,) = sent_by(self.conversation)
        (found,) = self.tell(messages.Error(send.label, "busy", "", True, seconds))
        assert isinstance(found, RetryWanted)
        self.assertTrue(math.isfinite(found.after_seconds) and 0 < found.after_seconds <= 60)

    def test_refused_for_good(self) -> None:
        """A final refusal fails the send with the error of its code."""
        self.connect()
        self.conversation.send("lobby", content(1))
        (send,) = sent_by(self.conversation)
        (found,) = self.tell(messages.Error(send.label, "too_large"))
        assert isinstance(found, SendFailed)
        self.assertEqual((found.message_id, found.error.code), (send.id, "too_large"))
        self.assertEqual(self.conversation.unacknowledged, 0)

    def test_unknown_code(self) -> None:
        """A code that this version does not know is a trouble of the server, and tried again."""
        self.connect()
        self.conversation.send("lobby", content(1))
        (send,) = sent_by(self.conversation)
        (found,) = self.tell(messages.Error(send.label, "from_the_future"))
        self.assertIsInstance(found, RetryWanted)

    def test_no_such_room(self) -> None:
        """A send to a room that we are no member of fails."""
        self.connect()
        (found,) = self.conversation.send("attic", content(1))
        assert isinstance(found, SendFailed)
        self.assertEqual(found.error.code, "not_member")
        self.assertEqual(self.conversation.unacknowledged, 0)

    def test_room_lost_meanwhile(self) -> None:
        """A waiting send fails where the room is gone when the connection is back."""
        self.conversation.send("lobby", content(1))
        self.assertIsInstance(self.connect(rooms=False)[-1], SendFailed)

    def test_bound(self) -> None:
        """5000 sends may wait; one more is refused."""
        for number in range(5000):
            self.conversation.send("lobby", content(number))
        with self.assertRaises(Quota):
            self.conversation.send("lobby", content(5000))
        self.assertEqual(self.conversation.unacknowledged, 5000)

    def test_keepalive(self) -> None:
        """The server's question is answered with a ping, whose answer is nobody's business."""
        self.connect()
        self.assertEqual(self.tell(messages.Keepalive()), [])
        (ping,) = sent_by(self.conversation)
        self.assertIsInstance(ping, messages.Ping)

    def test_keepalive_before_welcome(self) -> None:
        """A question before the welcome is ignored."""
        self.assertEqual(self.tell(messages.Keepalive()), [])

    def test_command(self) -> None:
        """The answer to a command carries its label; without a connection there is no command."""
        with self.assertRaises(LocalProtocolError):
            self.conversation.command(messages.MakeInvite)
        self.connect()
        label = self.conversation.command(messages.MakeInvite, name="bob")
        answer = messages.Invited(label, b"t" * 32, 5)
        self.assertEqual(self.tell(answer), [Answered(label, answer)])

    def test_sync_refused(self) -> None:
        """A refused sync is reported, since this connection will deliver nothing; the sends wait."""
        self.conversation.send("lobby", content(1))
        self.tell(welcome())
        (sync,) = sent_by(self.conversation)
        (found,) = self.tell(messages.Error(sync.label, "busy", "", True))
        assert isinstance(found, SyncRefused)
        self.assertIsInstance(found.error, Busy)
        self.assertFalse(self.conversation.ready)
        self.assertEqual(self.conversation.unacknowledged, 1)

    def test_notices(self) -> None:
        """A server that goes down or says goodbye changes nothing until the connection ends."""
        self.connect()
        self.assertEqual(self.tell(messages.DrainingNotice(2.0), messages.Farewell("draining")), [])


# -- everything at once -----------------------------------------------------------------------------------------------


@dataclass
class ModelServer:
    """What a server may do: it appends, answers, forgets connections, and keeps what it has committed."""

    store: bytes = STORE
    log: list[messages.Event] = field(default_factory=list)
    places: dict[bytes, int] = field(default_factory=dict)
    live: bool = False
    down: deque[messages.ServerMessage] = field(default_factory=deque)

    def append(self, sender: str, message_id: bytes, body: bytes) -> int:
        """Commits an event, once for each id, and delivers it."""
        if message_id not in self.places:
            self.places[message_id] = len(self.log) + 1
            entry = messages.Event(LOBBY, len(self.log) + 1, 0, sender, 0, body)
            self.log.append(entry)
            if self.live:
                self.down.append(entry)
        return self.places[message_id]

    def sync(self, command: messages.Sync) -> None:
        """Delivers what is missing, then goes live."""
        cursor = dict(command.cursors).get(LOBBY, 0) if command.store == self.store else 0
        self.down.extend(self.log[cursor:])
        self.down.append(messages.Ok(command.label))
        self.live = True


class Talk(RuleBasedStateMachine):
    """One client, one model server, and a connection that may die at any message."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ModelServer()
        self.conversation = Conversation("alice", Cursors())
        self.connected = False
        self.up: deque[Any] = deque()
        self.count = 0
        self.written: dict[bytes, str] = {}
        self.acknowledged: dict[bytes, int] = {}
        self.failed: set[bytes] = set()
        self.shown: list[tuple[str, str]] = []
        self.seqs: list[int] = []
        self.retry_wanted = self.sync_refused = False

    def take(self, found: list[ClientEvent]) -> None:
        """Books what the client reports, then moves its commands onto the connection."""
        for one in found:
            match one:
                case MessageReceived(_, seq, _, sender, _, text):
                    self.seqs.append(seq)
                    self.shown.append((sender, str(text)))
                case SendAcknowledged(message_id, seq):
                    assert message_id not in self.acknowledged, "acknowledged twice"
                    self.acknowledged[message_id] = seq
                case SendFailed(message_id, _):
                    self.failed.add(message_id)
                case RetryWanted():
                    self.retry_wanted = True
                case SyncRefused():
                    self.sync_refused = True
                case GapSeen():
                    raise AssertionError(f"a gap where nothing is missing: {one}")
        outgoing = sent_by(self.conversation)
        if self.connected:
            self.up.extend(outgoing)

    # -- what people do -------------------------------------------------------------------------------------------------

    @rule(writers=st.lists(st.sampled_from(["alice", "bob"]), min_size=1, max_size=5))
    def say(self, writers: list[str]) -> None:
        """The client sends, connected or not; or somebody else's message is committed."""
        for writer in writers:
            self.count += 1
            what = content(self.count, f"{writer} {self.count}")
            if writer == "alice":
                self.written[what.message_id] = f"alice {self.count}"
                self.take(self.conversation.send("lobby", what))
            else:
                self.server.append("bob", what.message_id, what.encode())

    # -- what the network does ------------------------------------------------------------------------------------------

    @rule(moves=st.lists(MOVES, min_size=1, max_size=15))
    def work(self, moves: list[str]) -> None:
        """Connects where needed; then the client gets messages and the server handles or refuses commands."""
        if not self.connected:
            self.connect()
        for move in moves:
            if move == "deliver" and self.server.down:
                self.deliver()
            elif move != "deliver" and self.up:
                self.serve(None if move == "serve" else move)

    def connect(self) -> None:
        """A connection is up."""
        self.connected, self.sync_refused = True, False
        self.server.down.append(welcome(head=len(self.server.log), store=self.server.store))

    @precondition(lambda self: self.connected)
    @rule()
    def lose_connection(self) -> None:
        """The connection dies, with all that was under way in both directions."""
        self.connected = self.server.live = False
        self.up.clear()
        self.server.down.clear()
        self.conversation.disconnected()

    def deliver(self) -> None:
        """The client gets the server's next message."""
        self.take(self.conversation.receive(self.server.down.popleft()))

    @precondition(lambda self: any(isinstance(one, messages.Sent) for one in self.server.down))
    @rule()
    def double_an_answer(self) -> None:
        """An answer arrives twice."""
        answers = [one for one in self.server.down if isinstance(one, messages.Sent)]
        self.server.down.append(answers[0])

    @precondition(lambda self: self.server.live)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        """An event that was delivered already is delivered again."""
        if self.seqs:
            self.server.down.append(self.server.log[data.draw(st.sampled_from(self.seqs)) - 1])

    # -- what the server does -------------------------------------------------------------------------------------------

    def serve(self, refusal: str | None) -> None:
        """The server handles the client's next command, or refuses it."""
        command = self.up.popleft()
        if isinstance(command, messages.Sync) and refusal in {None, "forbidden", "too_large"}:
            self.server.sync(command)
        elif isinstance(command, messages.Send) and (refusal is None or command.id in self.server.places):
            seq = self.server.append("alice", command.id, command.envelope)
            self.server.down.append(messages.Sent(command.label, command.id, seq, 0))
        elif refusal is not None:
            retryable = WireError.by_code[refusal].retryable
            self.server.down.append(messages.Error(command.label, refusal, "", retryable))

    @precondition(lambda self: self.up and isinstance(self.up[0], messages.Send))
    @rule()
    def commit_and_die(self) -> None:
        """The server commits, and dies before it answers."""
        command = self.up.popleft()
        self.server.append("alice", command.id, command.envelope)
        self.lose_connection()

    @precondition(lambda self: not self.connected)
    @rule()
    def restore(self) -> None:
        """The same log comes back under another incarnation, so that cursors are worth nothing."""
        self.server.store = OTHER_STORE if self.server.store == STORE else STORE

    @precondition(lambda self: self.retry_wanted)
    @rule()
    def retry(self) -> None:
        """The time to try again has come."""
        self.retry_wanted = False
        self.take(self.conversation.retry())

    # -- what must hold -------------------------------------------------------------------------------------------------

    @invariant()
    def acknowledged_is_stored_once(self) -> None:
        """What was acknowledged is in the log exactly once, under the number that the client was told."""
        ids = [Content.decode(entry.body).message_id for entry in self.server.log]
        assert len(set(ids)) == len(ids)
        for message_id, seq in self.acknowledged.items():
            assert ids[seq - 1] == message_id

    @invariant()
    def failed_is_not_stored(self) -> None:
        """What was reported as failed is not in the log."""
        assert not self.failed & set(self.server.places)

    @invariant()
    def shown_is_a_beginning_of_the_log(self) -> None:
        """What was shown is the beginning of the log: nothing missing, nothing twice, in order."""
        assert self.seqs == list(range(1, len(self.seqs) + 1))

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """Each message sent is acknowledged, failed, or still waits."""
        waiting = len(self.written) - len(self.acknowledged) - len(self.failed)
        assert waiting == self.conversation.unacknowledged

    def teardown(self) -> None:
        """Once everything works again, all that was sent is stored once and shown to everybody in the log's order."""
        if self.connected:
            self.lose_connection()
        self.connect()
        while self.up or self.server.down:
            while self.server.down:
                self.deliver()
            while self.up:
                self.serve(None)
        assert self.conversation.unacknowledged == 0
        assert set(self.acknowledged) | self.failed == set(self.written)
        log = [(entry.sender, str(Content.decode(entry.body).text)) for entry in self.server.log]
        wanted = {text for message_id, text in self.written.items() if message_id not in self.failed}
        assert {text for sender, text in log if sender == "alice"} == wanted
        written = {name: [text for sender, text in log if sender == name] for name in ("alice", "bob")}
        verdict = compare(written, {"alice": self.shown, "a reader of the log": log})
        assert verdict.good, str(verdict)
        assert self.shown == log


class TalkTests(SynchronousTestCase):
    """The client against the model."""

    def test_talk(self) -> None:
        """Whatever people, network and server do: acknowledged is stored once, shown is the log, nothing is forgotten."""
        how = settings(max_examples=200, stateful_step_count=40, deadline=None)
        run_state_machine_as_test(Talk, settings=how)
