"""An open session's records: how messages are cut into lines, when keys change, and what an alert says."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.encoding import u32, v8
from chatserv.crypto.session import RecordKey
from chatserv.errors import AuthFailed, BadFrame, Busy, Internal, Reject, TooLarge, WireError
from chatserv.wire.codec import MAX_MESSAGES
from chatserv.wire.framing import DELIMITER
from chatserv.wire.records import (
    ARRAY_HEADER_BYTES,
    RecordLayer,
    RecordType,
    RekeyLimits,
    decode_alert,
    encode_alert,
    plaintext_room,
)
from tests.support.sessions import Hands

pack = msgspec.msgpack.encode
LINE_BYTES = 400
ROOM = plaintext_room(LINE_BYTES)
LARGEST = ROOM - ARRAY_HEADER_BYTES


def layers(
    limits: RekeyLimits | None = None, clock: Hands | None = None, line_bytes: int = LINE_BYTES
) -> tuple[RecordLayer, RecordLayer]:
    """Both ends of a session."""
    limits, clock = limits or RekeyLimits(), clock or Hands()
    one, other = b"1" * 32, b"2" * 32
    return (
        RecordLayer(RecordKey(one), RecordKey(other), line_bytes, limits, clock),
        RecordLayer(RecordKey(other), RecordKey(one), line_bytes, limits, clock),
    )


def part(size: int) -> bytes:
    """An encoded message of exactly so many bytes; at least 259."""
    return pack(b"x" * (size - 3))


def opened(layer: RecordLayer, lines: list[bytes]) -> list[tuple[int, bytes]]:
    """What lines open to."""
    return [layer.open(line.removesuffix(DELIMITER)) for line in lines]


class SealTests(SynchronousTestCase):
    """`RecordLayer.seal` makes as few lines as hold the messages, in order."""

    def test_room(self) -> None:
        """A full line of 65,536 bytes holds 49,134 bytes of plaintext, and no line is ever longer than its limit."""
        self.assertEqual(plaintext_room(65_536), 49_134)
        for line_bytes in range(100, 140):
            sending, receiving = layers(line_bytes=line_bytes)
            fitting = b"\xc0" * (plaintext_room(line_bytes) - ARRAY_HEADER_BYTES)
            (line,) = sending.seal([fitting])
            self.assertLessEqual(len(line) - 2, line_bytes)
            self.assertEqual(receiving.open(line[:-2]), (RecordType.DATA, b"\x91" + fitting))

    def test_one_message(self) -> None:
        """A message that just fits is one line; one byte more is refused."""
        sending, receiving = layers()
        self.assertEqual(opened(receiving, sending.seal([part(LARGEST)])), [(16, b"\x91" + part(LARGEST))])
        self.assertRaises(TooLarge, sending.seal, [part(LARGEST + 1)])

    def test_two_messages(self) -> None:
        """Two messages share a line up to its limit; with one byte more they take two."""
        sending, receiving = layers()
        small = b"\x01"
        self.assertEqual(len(opened(receiving, sending.seal([small, part(LARGEST - 1)]))), 1)
        lines = opened(receiving, sending.seal([small, part(LARGEST)]))
        self.assertEqual(lines, [(16, b"\x91" + small), (16, b"\x91" + part(LARGEST))])

    def test_most_messages(self) -> None:
        """A record gets no more messages than the other side takes, however short they are."""
        for count, records in (
            (MAX_MESSAGES, 1),
            (MAX_MESSAGES + 1, 2),
            (2 * MAX_MESSAGES, 2),
            (2 * MAX_MESSAGES + 1, 3),
        ):
            sending, receiving = layers(line_bytes=65_536)
            lines = opened(receiving, sending.seal([b"\x01"] * count))
            sizes = [len(msgspec.msgpack.decode(plaintext)) for _kind, plaintext in lines]
            self.assertEqual((len(sizes), sum(sizes), max(sizes)), (records, count, MAX_MESSAGES))

    def test_nothing(self) -> None:
        """No messages are no lines."""
        self.assertEqual(layers()[0].seal([]), [])

    def test_too_large_among_others(self) -> None:
        """A message that does not fit is refused wherever it stands, and nothing of its batch is sealed."""
        big, small = part(LARGEST + 1), b"\x01"
        for parts in ([big], [small, big], [big, small], [small, big, small], [part(LARGEST), big, part(LARGEST)]):
            sending, receiving = layers(RekeyLimits(records=0))
            self.assertRaises(TooLarge, sending.seal, parts)
            lines = opened(receiving, sending.seal([small]))
            self.assertEqual(lines, [(RecordType.KEY_UPDATE, b""), (RecordType.DATA, b"\x91\x01")])

    @given(st.lists(st.integers(1, LARGEST - 3), max_size=40))
    def test_order(self, sizes: list[int]) -> None:
        """Any messages come out complete and in order, no line is too long, and no two lines would fit into one."""
        sending, receiving = layers()
        parts = [pack(bytes((at % 256,)) * size) for at, size in enumerate(sizes)]
        lines = sending.seal(parts)
        plaintexts = [plaintext for _kind, plaintext in opened(receiving, lines)]
        self.assertTrue(all(len(line) - 2 <= LINE_BYTES for line in lines))
        found = [pack(message) for plaintext in plaintexts for message in msgspec.msgpack.decode(plaintext)]
        self.assertEqual(found, parts)
        bodies = [sum(len(pack(message)) for message in msgspec.msgpack.decode(plaintext)) for plaintext in plaintexts]
        for one, other in zip(bodies, plaintexts[1:], strict=False):
            first = len(pack(msgspec.msgpack.decode(other)[0]))
            self.assertGreater(ARRAY_HEADER_BYTES + one + first, ROOM)


class RekeyTests(SynchronousTestCase):
    """A sender changes its key after so many records, bytes or seconds."""

    def kinds(self, sending: RecordLayer, receiving: RecordLayer, message: bytes = b"\x01") -> list[int]:
        """The types of the records that one message takes."""
        return [kind for kind, _ in opened(receiving, sending.seal([message]))]

    def test_default_limits(self) -> None:
        """The limits are 2^20 records, 1 GiB and one hour."""
        self.assertEqual(RekeyLimits(), RekeyLimits(2**20, 2**30, 3600.0))

    def test_records(self) -> None:
        """The limit of records is reached, then a KEY_UPDATE goes first."""
        sending, receiving = layers(RekeyLimits(records=3))
        kinds = [self.kinds(sending, receiving) for _ in range(7)]
        self.assertEqual(kinds, [[16], [16], [16], [6, 16], [16], [16], [6, 16]])

    def test_bytes(self) -> None:
        """The limit of bytes is reached, then a KEY_UPDATE goes first."""
        sending, receiving = layers(RekeyLimits(sealed_bytes=600))
        kinds = [self.kinds(sending, receiving, part(LARGEST)) for _ in range(6)]
        self.assertEqual(kinds, [[16], [16], [16], [6, 16], [16], [16]])

    def test_seconds(self) -> None:
        """The limit of time is reached, then a KEY_UPDATE goes first, and the time begins anew."""
        clock = Hands()
        sending, receiving = layers(RekeyLimits(seconds=10.0), clock)
        kinds = []
        for seconds in (0.0, 9.9, 10.0, 19.9, 20.0):
            clock.seconds = seconds
            kinds.append(self.kinds(sending, receiving))
        self.assertEqual(kinds, [[16], [16], [6, 16], [16], [6, 16]])

    def test_each_direction(self) -> None:
        """The directions change keys on their own."""
        one, other = layers(RekeyLimits(records=1))
        self.assertEqual(self.kinds(one, other), [16])
        self.assertEqual(self.kinds(one, other), [6, 16])
        self.assertEqual(self.kinds(other, one), [16])

    def test_many(self) -> None:
        """The phase goes round after 256 changes, and messages still come through."""
        sending, receiving = layers(RekeyLimits(records=1))
        for at in range(600):
            self.assertEqual(opened(receiving, sending.seal([pack(at)]))[-1], (16, b"\x91" + pack(at)))

    def test_not_empty(self) -> None:
        """A KEY_UPDATE with a body is refused, and the key has not moved."""
        sending, receiving = layers()
        line = sending.control(RecordType.KEY_UPDATE, b"\0")
        self.assertRaises(Reject, receiving.open, line[:-2])
        self.assertEqual(opened(receiving, sending.seal([b"\x01"])), [(16, b"\x91\x01")])


class AlertTests(SynchronousTestCase):
    """An ALERT carries a code and a time, and nothing else."""

    def test_round_trip(self) -> None:
        """Every code of the tree comes out as its own class."""
        for code, cls in WireError.by_code.items():
            error = decode_alert(encode_alert(cls("secret detail")))
            self.assertIs(type(error), cls)
            self.assertEqual((error.code, error.after_seconds), (code, None))

    def test_nothing_else(self) -> None:
        """The detail of an error stays here, and a `Reject` is told as the frame that it was."""
        self.assertEqual(encode_alert(Reject("does not open because")), v8(b"bad_frame") + bytes(4))
        self.assertIs(type(decode_alert(encode_alert(Reject("why")))), BadFrame)

    def test_after_seconds(self) -> None:
        """When to come back is told in whole seconds."""
        self.assertEqual(decode_alert(encode_alert(Busy(after_seconds=30))).after_seconds, 30)

    def test_unknown_code(self) -> None:
        """A code of a newer version is an internal error that says which."""
        error = decode_alert(v8(b"brand_new") + u32(5))
        self.assertIs(type(error), Internal)
        self.assertIn("brand_new", error.detail)
        self.assertEqual(error.after_seconds, 5)

    def test_refused(self) -> None:
        """An ALERT that is short, long or no text is refused."""
        whole = encode_alert(AuthFailed())
        for broken in (b"", whole[:-1], whole + b"\0", b"\xff", v8(b"\xff") + bytes(4)):
            self.assertRaises(Reject, decode_alert, broken)


class OpenTests(SynchronousTestCase):
    """`RecordLayer.open`."""

    def test_any_line(self) -> None:
        """A line that is no record is refused with a `Reject`."""
        for line in (b"", b"A", b"AAAA", b"****", b"A" * 24, b"\xff" * 24, b"=" * 24):
            self.assertRaises(Reject, layers()[1].open, line)

    def test_control(self) -> None:
        """Control records open to their type and body."""
        sending, receiving = layers()
        kinds: list[Any] = [RecordType.ALERT, RecordType.CLOSE]
        self.assertEqual([receiving.open(sending.control(kind, b"b")[:-2]) for kind in kinds], [(1, b"b"), (7, b"b")])
