"""Every message: round trip, bounds of its fields, and nothing secret in its ``repr``."""

from typing import Any, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect
from twisted.trial.unittest import SynchronousTestCase

from chatserv.wire import messages
from chatserv.wire.codec import Decoder, Refused, client_decoder, encode_message, join, server_decoder
from chatserv.wire.messages import ClientMessage, ServerMessage

MOST: int = 40  # of bytes, characters or items in an example; the bounds themselves have their own tests


def _sizes(of: Any) -> dict[str, Any]:
    least = of.min_length or 0
    return {"min_size": least, "max_size": least + MOST if of.max_length is None else min(least + MOST, of.max_length)}


def examples(of: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0912 - one case a type
    """Values of a type of a message's field, as its declaration bounds them."""
    match of:
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.IntType():
            return st.integers(0 if of.ge is None else of.ge, 2**63 - 1 if of.le is None else of.le)
        case inspect.FloatType():
            return st.floats(0 if of.ge is None else of.ge, 1e6 if of.le is None else of.le)
        case inspect.BytesType():
            sizes = _sizes(of)
            return st.binary(max_size=min(MOST, sizes["max_size"])).map(
                lambda found: found.ljust(sizes["min_size"], b"\0")
            )
        case inspect.StrType():
            return st.text(**_sizes(of))
        case inspect.LiteralType():
            return st.sampled_from(of.values)
        case inspect.UnionType():
            return st.one_of([examples(one) for one in of.types])
        case inspect.TupleType():
            return st.tuples(*(examples(one) for one in of.item_types))
        case inspect.VarTupleType():
            most = 3 if of.max_length is None else min(3, of.max_length)
            return st.lists(examples(of.item_type), min_size=of.min_length or 0, max_size=most).map(tuple)
        case inspect.DictType():
            return st.dictionaries(examples(of.key_type), examples(of.value_type), max_size=3)
        case inspect.StructType():
            return st.builds(of.cls, **{field.name: examples(field.type) for field in of.fields})
        case _:
            raise AssertionError(f"no examples of {of!r}")


EXAMPLES: dict[type, st.SearchStrategy[Any]] = {
    kind: examples(inspect.type_info(kind)) for kind in (*get_args(ClientMessage), *get_args(ServerMessage))
}


class RoundTripTests(SynchronousTestCase):
    """What one end encodes the other decodes to the same."""

    def check(self, kind: type, decoder: Decoder[Any]) -> None:
        """Asserts that examples of one message come through."""

        @settings(max_examples=10)
        @given(EXAMPLES[kind])
        def round_trip(message: Any) -> None:
            self.assertEqual(decoder.decode(join([encode_message(message)])), [message])

        round_trip()

    def test_each(self) -> None:
        """Every message there is comes through."""
        for union, decoder in ((ClientMessage, client_decoder), (ServerMessage, server_decoder)):
            for kind in get_args(union):
                with self.subTest(kind.__name__):
                    self.check(kind, decoder)

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

    def test_limits_of_files(self) -> None:
        """What a server names is a number that a client can keep."""
        for wrong in ({"blob_bytes": -1}, {"blob_days": -1.0}, {"blob_days": float("nan")}, {"blob_days": 1e300}):
            limits = messages.LimitInfo(65_536, 12_000, 60, 500, **wrong)
            with self.subTest(str(wrong)), self.assertRaises(msgspec.ValidationError):
                msgspec.msgpack.decode(msgspec.msgpack.encode(limits), type=messages.LimitInfo)

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

    def test_backups(self) -> None:
        """A backup has 1 to 48,000 bytes, a counter from 1 on, and at most two slots of at most 256 bytes."""
        for size, good in ((0, False), (1, True), (48_000, True), (48_001, False)):
            self.check(good, "put_backup", counter=1, blob=bytes(size), slots=())
        for counter, good in ((0, False), (1, True), (2**63 - 1, True), (2**63, False)):
            self.check(good, "put_backup", counter=counter, blob=b"x", slots=())
        for slots, good in (((256, 256), True), ((1, 1, 1), False), ((257,), False), ((0,), False)):
            self.check(good, "put_backup", counter=1, blob=b"x", slots=[bytes(size) for size in slots])

    def test_statements(self) -> None:
        """A rotation has 1,232 bytes; the end of an account 427 and a name of 1 to 64."""
        for size in (1231, 1232, 1233):
            self.check(size == 1232, "rotate", statement=bytes(size))
        for size, good in ((427, False), (428, True), (491, True), (492, False)):
            self.check(good, "delete_account", statement=bytes(size))

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
