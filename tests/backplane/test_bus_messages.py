"""What nodes tell each other: both ways, of nobody else, and what this node does not know yet."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.bus_events import MESSAGE_BYTES, events_of, room_messages
from chatserv.backplane.bus_messages import (
    MAC_BYTES,
    MAX_EVENTS,
    MAX_STATE_BYTES,
    VERSION,
    BadNode,
    Beat,
    BusMessage,
    Change,
    Entries,
    Noticed,
    OtherVersion,
    Presence,
    RoomEvents,
    Said,
    Sealer,
    Subjects,
    Takeover,
)
from chatserv.backplane.nats import MAX_PAYLOAD, checked_subject
from chatserv.bus_models import GuestShown, Notice, PersonShown
from chatserv.crypto.suite import mac, xlabel
from chatserv.models import Event, EventKind, WrapDraft
from tests.backplane.nodes import commit_draft

NODE, ROOM, SUBJECT = b"a node--", b"a room----------", "chat.log"
SEALER = Sealer(bytes(32), "chat", b"incarnation")

ids, hashes = st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32)
numbers, epochs = st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1)
words, devices = st.text(max_size=16), st.binary(min_size=1, max_size=32)
users = st.lists(words, max_size=3).map(tuple)
changes = st.builds(
    Change,
    epochs,
    hashes,
    numbers,
    st.binary(max_size=50),
    words,
    st.lists(st.tuples(devices, epochs), max_size=3).map(tuple),
    st.lists(devices, max_size=3).map(tuple),
    *[users] * 4,
)
said = st.builds(Said, numbers, numbers, words, st.sampled_from(EventKind), st.binary(max_size=50), st.none() | changes)
messages = st.one_of(
    st.builds(RoomEvents, st.just(NODE), ids, st.lists(said, min_size=1, max_size=3).map(tuple)),
    st.builds(Entries, st.just(NODE), st.integers(1, 2**63 - 1), st.lists(hashes, max_size=3).map(tuple), hashes),
    st.builds(
        Beat, st.just(NODE), words, st.booleans(), st.booleans(), numbers, numbers, st.dictionaries(ids, numbers)
    ),
    st.builds(Takeover, st.just(NODE), devices, numbers),
    st.builds(
        Presence,
        st.just(NODE),
        numbers,
        st.lists(st.builds(PersonShown, words, st.integers(0, 2), *[st.lists(ids, max_size=3).map(tuple)] * 2)).map(
            tuple
        ),
        st.lists(st.builds(GuestShown, words, devices, numbers, numbers, st.binary(max_size=50), hashes)).map(tuple),
        numbers,
        numbers,
        st.none() | st.binary(max_size=8),
    ),
    st.builds(
        Noticed, st.just(NODE), st.builds(Notice, st.integers(0, 255), devices, words, numbers, st.binary(max_size=50))
    ),
)


def sealed(subject: str, body: bytes, version: int = VERSION) -> bytes:
    """Whatever a node may say one day."""
    whole = bytes((version,)) + body
    return whole[:1] + SEALER._mac(subject, whole) + body


def message(seq: int, size: int = 10) -> Event:
    """A message of a room."""
    return Event(ROOM, seq, 1, "alice", EventKind.MESSAGE, bytes(size))


class SealerTests(SynchronousTestCase):
    """What `Sealer` promises."""

    @given(messages)
    def test_both_ways(self, said: BusMessage) -> None:
        """What is said is heard."""
        self.assertEqual(SEALER.open(SUBJECT, SEALER.seal(SUBJECT, said)), said)

    @settings(max_examples=50)
    @given(messages, st.integers(0, 10_000), st.integers(1, 255))
    def test_changed(self, said: BusMessage, at: int, by: int) -> None:
        """Another byte, and it is nobody's."""
        data = bytearray(SEALER.seal(SUBJECT, said))
        data[at % len(data)] ^= by
        with self.assertRaises(BadNode):
            SEALER.open(SUBJECT, bytes(data))

    def test_of_others(self) -> None:
        """Of another server, cluster, or store from before a restore; and what was said under another subject."""
        said = Takeover(NODE, b"device", 7)
        for other in (
            Sealer(bytes(31) + b"x", "chat", b"incarnation"),
            Sealer(bytes(32), "chat2", b"incarnation"),
            Sealer(bytes(32), "chat", b"earlier"),
        ):
            with self.assertRaises(BadNode):
                SEALER.open(SUBJECT, other.seal(SUBJECT, said))
        with self.assertRaises(BadNode):
            SEALER.open(SUBJECT, SEALER.seal("chat.control", said))

    @given(st.binary(max_size=100))
    def test_anything(self, data: bytes) -> None:
        """It is nobody's, and refused by name."""
        with self.assertRaises(BadNode):
            SEALER.open(SUBJECT, data)

    def test_what_is_not_known_yet(self) -> None:
        """A later kind is passed over, whatever is in it; another version is named, and of another server it is not."""
        with self.assertRaises(OtherVersion):
            SEALER.open(SUBJECT, sealed(SUBJECT, b"anything", version=2))
        self.assertIsNone(SEALER.open(SUBJECT, sealed(SUBJECT, msgspec.msgpack.encode([99, NODE, "more"]))))
        later = msgspec.msgpack.encode([4, NODE, b"device", 7, "a field more"])
        self.assertEqual(SEALER.open(SUBJECT, sealed(SUBJECT, later)), Takeover(NODE, b"device", 7))

    def test_broken(self) -> None:
        """What is known and cannot be read is refused, and so is what is beyond its bounds."""
        wrongs: list[object] = [
            [4, NODE],
            [4, NODE, b"", 7],
            [4, NODE, b"d", -1],
            [4, b"short", b"d", 1],
            [],
            {},
            "x",
            [4],
        ]
        for wrong in wrongs:
            with self.assertRaises(BadNode, msg=repr(wrong)):
                SEALER.open(SUBJECT, sealed(SUBJECT, msgspec.msgpack.encode(wrong)))
        many = RoomEvents(NODE, ROOM, (Said(1, 1, "alice", EventKind.MESSAGE, b""),) * (MAX_EVENTS + 1))
        with self.assertRaises(BadNode):
            SEALER.open(SUBJECT, SEALER.seal(SUBJECT, many))
        few = replace(many, events=many.events[1:])
        self.assertEqual(SEALER.open(SUBJECT, SEALER.seal(SUBJECT, few)), few)

    def test_longest(self) -> None:
        """A byte more than a bus carries is not even looked at."""
        size = MAX_PAYLOAD - 1 - MAC_BYTES
        with self.assertRaises(OtherVersion):
            SEALER.open(SUBJECT, sealed(SUBJECT, bytes(size), version=2))
        with self.assertRaises(BadNode) as refused:
            SEALER.open(SUBJECT, sealed(SUBJECT, bytes(size + 1), version=2))
        self.assertNotIsInstance(refused.exception, OtherVersion)

    def test_secrets(self) -> None:
        """The mac is HMAC-SHA256 of subject and message, each time, under a key that is not shown."""
        key = xlabel(bytes(32), "bus", b"incarnationchat", 32)
        for number in range(2):
            made = SEALER.seal(SUBJECT, Entries(NODE, 1 + number, ()))
            body = made[:1] + made[1 + MAC_BYTES :]
            self.assertEqual(made[1 : 1 + MAC_BYTES], mac(key, SUBJECT.encode() + b"\0" + body)[:MAC_BYTES])
        self.assertNotIn(repr(key)[2:-1], repr(SEALER))


class EventsTests(SynchronousTestCase):
    """Events of a room as messages, and back."""

    def test_both_ways(self) -> None:
        """A commit comes with what it makes of its room, and without wraps."""
        change = commit_draft(ROOM, 3, added=((b"d" * 16, 4),), removed=(b"e" * 16,))
        change = replace(
            change, name="lobby", kt_size=9, left=("bob",), asked=("eve",), agreed=("alice",), gone=("bob",), at_ms=5
        )
        commit = Event(ROOM, 2, 5, "writer", EventKind.COMMIT, b"commit", change)
        (said,) = room_messages(NODE, [message(1), commit])
        self.assertEqual(events_of(said), [message(1), commit_as_told(commit)])
        with_wraps = replace(commit, change=replace(change, wraps=(WrapDraft(b"d", b"w", ()),), leaves=()))
        (again,) = room_messages(NODE, [message(1), with_wraps])
        self.assertEqual(again, said)

    def test_what_has_to_be_read(self) -> None:
        """A state that is too large, and a commit that goes back to its place after a restore, come without their change."""
        change = replace(commit_draft(ROOM, 1), state=bytes(MAX_STATE_BYTES))
        for kept, changed in (
            (True, change),
            (False, replace(change, state=bytes(MAX_STATE_BYTES + 1))),
            (False, replace(change, at_seq=2)),
        ):
            (said,) = room_messages(NODE, [Event(ROOM, 2, 5, "writer", EventKind.COMMIT, b"commit", changed)])
            self.assertEqual(events_of(said)[0].change is not None, kept)

    def test_a_change_of_a_message(self) -> None:
        """Is none."""
        change = Change(1, bytes(32), 0, b"", "", (), (), (), (), (), ())
        said = RoomEvents(NODE, ROOM, (Said(1, 1, "alice", EventKind.MESSAGE, b"", change),))
        self.assertIsNone(events_of(said)[0].change)

    def test_many(self) -> None:
        """In messages that the bus takes, in order; what is larger than one alone is left out."""
        events = [message(seq, size=12_000) for seq in range(1, 600)]
        events[300] = message(301, size=MAX_PAYLOAD)
        told = list(room_messages(NODE, events))
        self.assertEqual([each for said in told for each in events_of(said)], events[:300] + events[301:])
        sizes = [len(SEALER.seal(SUBJECT, said)) for said in told]
        self.assertLess(max(sizes), MESSAGE_BYTES + MAC_BYTES + 1000)
        small = [message(seq, size=1) for seq in range(1, MAX_EVENTS + 2)]
        self.assertEqual([len(said.events) for said in room_messages(NODE, small)], [MAX_EVENTS, 1])
        largest = replace(message(1), body=bytes(MAX_PAYLOAD - 2000))
        (one,) = room_messages(NODE, [largest])
        self.assertIsNotNone(SEALER.open(SUBJECT, SEALER.seal(SUBJECT, one)))

    def test_subjects(self) -> None:
        """All are words that a bus takes."""
        subjects = Subjects("chat")
        for subject in (
            subjects.control,
            subjects.log,
            subjects.presence,
            subjects.beat,
            subjects.room(ROOM),
            subjects.device(bytes(range(32))),
        ):
            self.assertTrue(checked_subject(subject).startswith(b"chat."))


def commit_as_told(commit: Event) -> Event:
    """Without what other nodes do not need."""
    assert commit.change is not None
    return replace(commit, change=replace(commit.change, prev=b"", sender=commit.sender))
