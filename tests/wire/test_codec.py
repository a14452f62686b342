"""MessagePack in and out: one bad message does not spoil the others, and nothing hostile gets further than a refusal."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import BadMessage, UnknownType
from chatserv.wire.codec import MAX_MESSAGES, MAX_REFUSED, Refused, client_decoder, encode_message, join, server_decoder
from chatserv.wire.messages import Bye, ClientMessage, Ping, Send

pack = msgspec.msgpack.encode
PING = encode_message(Ping(label=1))
BYE = encode_message(Bye(label=9))
DEEP = 10_000


class DecodeTests(SynchronousTestCase):
    """`Decoder.decode` of what clients send."""

    def one(self, message: bytes) -> ClientMessage | Refused:
        """The answer to one encoded message between two good ones, which must come through."""
        first, answer, last = client_decoder.decode(join([PING, message, BYE]))
        self.assertEqual((first, last), (Ping(label=1), Bye(label=9)))
        return answer

    def refused(self, message: bytes, error: type[BadMessage] | type[UnknownType], label: int) -> None:
        """Asserts how one message is refused."""
        answer = self.one(message)
        assert isinstance(answer, Refused), answer
        self.assertIs(type(answer.error), error)
        self.assertEqual(answer.label, label)

    def fatal(self, plaintext: bytes) -> None:
        """Asserts that the whole record is refused, in both directions."""
        self.assertRaises(BadMessage, client_decoder.decode, plaintext)
        self.assertRaises(BadMessage, server_decoder.decode, plaintext)

    def test_order(self) -> None:
        """The messages of a record come in their order; none are none."""
        self.assertEqual(client_decoder.decode(join([PING, BYE, PING])), [Ping(label=1), Bye(label=9), Ping(label=1)])
        self.assertEqual(client_decoder.decode(join([])), [])

    def test_unknown_type(self) -> None:
        """An unknown type is refused under its label, or under 0 where that is none."""
        self.refused(pack({"t": "teleport", "label": 7, "to": "here"}), UnknownType, 7)
        self.refused(pack({"t": "teleport"}), UnknownType, 0)
        self.refused(pack({"t": "", "label": 7}), UnknownType, 7)
        self.refused(pack({"t": "x" * 40_000, "label": 7}), UnknownType, 7)

    def test_other_direction(self) -> None:
        """What only the server may say is unknown from a client."""
        self.refused(pack({"t": "ok", "label": 7}), UnknownType, 7)

    def test_missing_fields(self) -> None:
        """A missing field is refused under the label; without a type, under 0."""
        self.refused(pack({"t": "send", "label": 7}), BadMessage, 7)
        self.refused(pack({"t": "ping"}), BadMessage, 0)
        self.refused(pack({"label": 7}), BadMessage, 0)
        self.refused(pack({}), BadMessage, 0)

    def test_labels(self) -> None:
        """The largest label is taken; what lies beyond, or is no number, is refused under 0."""
        self.assertEqual(self.one(pack({"t": "ping", "label": 2**32 - 1})), Ping(label=2**32 - 1))
        for label in (2**32, 2**64 - 1, -1, -(2**63)):
            self.refused(pack({"t": "ping", "label": label}), BadMessage, 0)
            self.refused(pack({"t": "teleport", "label": label}), UnknownType, 0)
        for wrong in (1.5, "1", None, True, b"1", [1], {"a": 1}):
            self.refused(pack({"t": "ping", "label": wrong}), BadMessage, 0)

    def test_wrong_types(self) -> None:
        """Fields and messages of a wrong type are refused."""
        good = {"t": "send", "label": 7, "room": bytes(16), "id": bytes(16), "epoch": 0, "envelope": b""}
        self.assertIsInstance(self.one(pack(good)), Send)
        for name, wrong in (("room", "x" * 16), ("room", bytes(15)), ("id", 5), ("epoch", "0"), ("envelope", None)):
            self.refused(pack(good | {name: wrong}), BadMessage, 7)
        for not_a_map in (None, 5, "ping", b"ping", [], ["ping", 1], True, 1.5):
            self.refused(pack(not_a_map), BadMessage, 0)
        for tag in (5, None, b"ping", ["ping"]):
            self.refused(pack({"t": tag, "label": 7}), BadMessage, 0)

    def test_unknown_fields(self) -> None:
        """Fields that this version does not know are ignored, whatever they hold."""
        self.assertEqual(self.one(pack({"t": "ping", "label": 7, "new": {"deep": [1, None, b"x"]}})), Ping(label=7))

    def test_duplicate_keys(self) -> None:
        """Of a field given twice the last one counts; two types do not fit one message."""
        twice = b"\x83\xa1t\xa4ping\xa5label\x01\xa5label\x02"
        self.assertEqual(self.one(twice), Ping(label=2))
        self.refused(b"\x83\xa1t\xa4ping\xa1t\xa3bye\xa5label\x07", BadMessage, 7)

    def test_invalid_utf8(self) -> None:
        """Text that is not UTF-8 is refused: as type, as field and as name of a field."""
        self.refused(b"\x82\xa1t\xa2\xff\xfe\xa5label\x07", BadMessage, 0)
        self.refused(b"\x83\xa1t\xa6invite\xa5label\x07\xa4name\xa2\xff\xfe", BadMessage, 7)
        self.assertEqual(self.one(b"\x83\xa1t\xa4ping\xa5label\x07\xa2\xff\xfe\x01"), Ping(label=7))

    def test_depth(self) -> None:
        """Nesting without end is refused, wherever it is."""
        self.fatal(b"\x91" * DEEP + b"\xc0")
        self.fatal(b"\x81\x01" * DEEP + b"\xc0")
        self.fatal(join([b"\x83\xa1t\xa4ping\xa5label\x07\xa1x" + b"\x91" * DEEP + b"\xc0"]))
        self.fatal(join([b"\x82\xa1t\xa8teleport\xa1x" + b"\x81\xa1x" * DEEP + b"\xc0"]))

    def test_not_an_array(self) -> None:
        """What is no array, ends early or has bytes after it is refused as a whole."""
        whole = join([PING])
        for broken in (b"", PING, b"\xc0", b"\xc1", whole[:-1], whole + b"\xc0", b"\x92" + PING, b"\x91\xc1"):
            self.fatal(broken)

    def test_huge_sizes(self) -> None:
        """Sizes that are announced and never come are refused without room being made for them."""
        head = b"\x91\x83\xa1t\xa4sync\xa5label\x07\xa7cursors"
        for size in (
            b"\xdd\xff\xff\xff\xff",
            b"\xdf\xff\xff\xff\xff",
            b"\xc6\xff\xff\xff\xff",
            b"\xdb\xff\xff\xff\xff",
        ):
            self.fatal(size)
            self.fatal(b"\x91" + size)
            self.fatal(head + size)

    @given(st.binary(max_size=200))
    def test_any_bytes(self, plaintext: bytes) -> None:
        """Any bytes are messages, refusals or a BadMessage, in both directions."""
        for decoder in (client_decoder, server_decoder):
            try:
                answers = decoder.decode(plaintext)
            except BadMessage:
                continue
            for answer in answers:
                if isinstance(answer, Refused):
                    self.assertIsInstance(answer.error, BadMessage | UnknownType)
                    self.assertTrue(0 <= answer.label < 2**32)

    @given(
        st.lists(
            st.dictionaries(
                st.sampled_from(["t", "label", "room", "id", "epoch", "envelope", "cursors", "store", "x"]),
                st.sampled_from(["ping", "send", "sync", "bye", "zzz"])
                | st.integers(-(2**63), 2**64 - 1)
                | st.binary(max_size=17)
                | st.none()
                | st.floats()
                | st.lists(st.integers(0, 5), max_size=3),
            )
        )
    )
    def test_any_maps(self, maps: list[dict[str, object]]) -> None:
        """Each map of a record is answered, one for one, unless too many of them are wrong."""
        try:
            answers = client_decoder.decode(pack(maps))
        except BadMessage:
            self.assertGreater(len(maps), MAX_REFUSED)
        else:
            self.assertEqual(len(answers), len(maps))

    def test_most_messages(self) -> None:
        """A record has at most so many messages; one more is refused before any of them is read."""
        self.assertEqual(len(client_decoder.decode(join([PING] * MAX_MESSAGES))), MAX_MESSAGES)
        for count in (MAX_MESSAGES + 1, 65_535):
            self.assertRaises(BadMessage, client_decoder.decode, join([b"\xc0"] * count))
            self.assertRaises(BadMessage, client_decoder.decode, b"\xdc" + count.to_bytes(2, "big"))

    def test_longest_header(self) -> None:
        """The header for more than 65,535 messages is refused, whatever number it holds."""
        for count in (1, MAX_MESSAGES, 2**32 - 1):
            self.fatal(b"\xdd" + count.to_bytes(4, "big") + PING)

    def test_most_refusals(self) -> None:
        """A record may hold so many wrong messages among good ones; with one more it is refused as a whole."""
        wrong = [pack({"t": "teleport", "label": 7}), PING]
        answers = client_decoder.decode(join(wrong * MAX_REFUSED))
        self.assertEqual(sum(isinstance(answer, Refused) for answer in answers), MAX_REFUSED)
        self.assertRaises(BadMessage, client_decoder.decode, join(wrong * MAX_REFUSED + wrong))


class JoinTests(SynchronousTestCase):
    """`join` puts a header before messages that are encoded already."""

    def test_counts(self) -> None:
        """Up to 65,535 messages make one array."""
        for count in (0, 1, 15, 16, 17, 65_535):
            self.assertEqual(len(msgspec.msgpack.decode(join([b"\xc0"] * count))), count)
        self.assertRaises(OverflowError, join, [b"\xc0"] * 65_536)
