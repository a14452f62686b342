"""Every message: round trip, bounds of its fields, and nothing secret in its ``repr``."""

from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.wire import messages
from chatserv.wire.codec import Refused, client_decoder, encode_message, join, server_decoder
from chatserv.wire.messages import ClientMessage, ServerMessage

labels = st.integers(0, 2**32 - 1)
ids = st.binary(min_size=16, max_size=16)
seqs = st.integers(0, 2**63 - 1)
epochs = st.integers(0, 2**32 - 1)
times = st.integers(0, 2**63 - 1)
blobs = st.binary(max_size=100)
texts = st.text(max_size=20)
seconds = st.floats(0, 1e6)

events = st.builds(messages.Event, room=ids, seq=seqs, at=times, sender=texts, kind=st.integers(0, 255), body=blobs)
rooms = st.builds(messages.RoomInfo, room=ids, name=texts, epoch=epochs, since=seqs, head=seqs)
limits = st.builds(
    messages.LimitInfo,
    line_bytes=st.integers(0, 2**32), envelope_bytes=st.integers(0, 2**32), idle_seconds=seconds,
    history_events=st.integers(0, 1000),
)  # fmt: skip
cursors = st.lists(st.tuples(ids, seqs), max_size=5).map(tuple)

EXAMPLES: dict[type, st.SearchStrategy[Any]] = {
    messages.Ping: st.builds(messages.Ping, label=labels),
    messages.Sync: st.builds(messages.Sync, label=labels, store=ids, cursors=cursors),
    messages.Send: st.builds(messages.Send, label=labels, room=ids, id=ids, epoch=epochs, envelope=blobs),
    messages.History: st.builds(messages.History, label=labels, room=ids, before=seqs, limit=st.integers(1, 1000)),
    messages.MakeInvite: st.builds(messages.MakeInvite, label=labels, name=texts, admin=st.booleans()),
    messages.Bye: st.builds(messages.Bye, label=labels),
    messages.Ok: st.builds(messages.Ok, label=labels),
    messages.Error: st.builds(
        messages.Error, label=labels, code=texts, text=texts, retryable=st.booleans(), after_seconds=st.none() | seconds
    ),
    messages.Sent: st.builds(messages.Sent, label=labels, id=ids, seq=seqs, at=times),
    messages.Invited: st.builds(messages.Invited, label=labels, token=st.binary(min_size=32, max_size=32), expires=times),
    messages.Page: st.builds(messages.Page, label=labels, events=st.lists(events, max_size=3).map(tuple)),
    messages.Welcome: st.builds(
        messages.Welcome, account=ids, name=texts, role=texts, rooms=st.lists(rooms, max_size=3).map(tuple), limits=limits,
        time=times, log_head=blobs, store=ids,
    ),
    messages.Event: events,
    messages.Keepalive: st.builds(messages.Keepalive),
    messages.DrainingNotice: st.builds(messages.DrainingNotice, reconnect_after=seconds),
    messages.Farewell: st.builds(messages.Farewell, code=texts),
}  # fmt: skip


class RoundTripTests(SynchronousTestCase):
    """What one end encodes the other decodes to the same."""

    def test_complete(self) -> None:
        """The examples of this module cover every message of both directions."""
        known = {*get_args(ClientMessage), *get_args(ServerMessage)}
        self.assertLessEqual(known, set(EXAMPLES), "add an example of the new message")

    @given(st.lists(st.sampled_from(get_args(ClientMessage)).flatmap(EXAMPLES.__getitem__), max_size=20))
    def test_client(self, sent: list[ClientMessage]) -> None:
        """All that a client may say comes through."""
        self.assertEqual(client_decoder.decode(join([encode_message(message) for message in sent])), sent)

    @given(st.lists(st.sampled_from(get_args(ServerMessage)).flatmap(EXAMPLES.__getitem__), max_size=20))
    def test_server(self, sent: list[ServerMessage]) -> None:
        """All that a server may say comes through."""
        self.assertEqual(server_decoder.decode(join([encode_message(message) for message in sent])), sent)

    def test_tags(self) -> None:
        """Within one direction each tag is used once."""
        for union in (ClientMessage, ServerMessage):
            tags = [member.__struct_config__.tag for member in get_args(union)]
            self.assertEqual(len(set(tags)), len(tags))

    def test_frozen(self) -> None:
        """A message cannot be changed after it was made."""
        self.assertRaises(AttributeError, setattr, messages.Ping(1), "label", 2)


class BoundTests(SynchronousTestCase):
    """The bounds of fields, each with the value on it and the one beyond."""

    def check(self, good: bool, tag: str, **fields: object) -> None:
        """Asserts that a command is taken, or refused under its label."""
        (answer,) = client_decoder.decode(msgspec.msgpack.encode([{"t": tag, "label": 7, **fields}]))
        self.assertEqual(isinstance(answer, Refused), not good, answer)
        self.assertEqual(answer.label, 7)

    def test_ids(self) -> None:
        """Ids have 16 bytes."""
        for size in (0, 15, 16, 17):
            self.check(size == 16, "sync", store=bytes(size))

    def test_numbers(self) -> None:
        """Epochs fit 32 bits, seqs 63, and none is negative."""
        send = {"room": bytes(16), "id": bytes(16), "envelope": b""}
        for epoch, good in ((0, True), (2**32 - 1, True), (2**32, False), (-1, False)):
            self.check(good, "send", epoch=epoch, **send)
        for seq, good in ((0, True), (2**63 - 1, True), (2**63, False), (-1, False)):
            self.check(good, "history", room=bytes(16), before=seq)

    def test_pages(self) -> None:
        """A page has 1 to 1,000 events."""
        for limit, good in ((0, False), (1, True), (1000, True), (1001, False)):
            self.check(good, "history", room=bytes(16), before=5, limit=limit)

    def test_cursors(self) -> None:
        """A sync names at most 1,000 rooms, each with one seq."""
        for count, good in ((1000, True), (1001, False)):
            self.check(good, "sync", store=bytes(16), cursors=[[bytes(16), 1]] * count)
        for cursor in ([bytes(16)], [bytes(16), 1, 2], [bytes(15), 1], [bytes(16), -1]):
            self.check(False, "sync", store=bytes(16), cursors=[cursor])

    def test_names(self) -> None:
        """The name of an invite has at most 64 characters here; what a name may be is decided elsewhere."""
        self.check(True, "invite", name="x" * 64)
        self.check(False, "invite", name="x" * 65)


class ReprTests(SynchronousTestCase):
    """What a log may show of a message."""

    def test_no_content(self) -> None:
        """Envelopes, bodies and tokens are in no ``repr``."""
        secret = b"secret"
        for message in (
            messages.Send(1, bytes(16), bytes(16), 0, secret),
            messages.Event(bytes(16), 1, 2, "alice", 1, secret),
            messages.Page(1, (messages.Event(bytes(16), 1, 2, "alice", 1, secret),)),
            messages.Invited(1, secret, 2),
        ):
            self.assertNotIn("secret", repr(message))
