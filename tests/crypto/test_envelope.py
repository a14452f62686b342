"""Tests of the clear header, the envelope and the content."""

# mypy: allow-untyped-calls

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.content import Content, ContentType, LogHead
from chatserv.crypto.encoding import u8, u64, v32
from chatserv.crypto.envelope import (
    ENVELOPE_BYTES_MAX,
    ENVELOPE_BYTES_MIN,
    HEADER_BYTES,
    TAG_BYTES,
    Envelope,
    Header,
)
from chatserv.crypto.suite import pad
from chatserv.errors import Reject

HEADER = Header(bytes(range(16)), 9, 3, 258, b"\xde\xad\xbe\xef")
ENCODED = "1000010001000102030405060708090a0b0c0d0e0f000000090000000300000102deadbeef"

U32 = st.integers(0, 2**32 - 1)
HEADERS = st.builds(
    Header,
    room_id=st.binary(min_size=16, max_size=16),
    epoch=U32,
    leaf=U32,
    generation=U32,
    reuse_guard=st.binary(min_size=4, max_size=4),
)
CONTENTS = st.builds(
    Content,
    ctype=st.integers(0, 255),
    message_id=st.binary(min_size=16, max_size=16),
    sent_ms=st.integers(0, 2**64 - 1),
    body=st.binary(max_size=300),
    head=st.none() | st.builds(LogHead, st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32)),
)


class HeaderTests(SynchronousTestCase):
    """The 37 clear bytes."""

    def test_layout(self) -> None:
        """A header is laid out as docs/rooms.rst 7.2 says; the signature covers all of it but the reuse guard."""
        self.assertEqual(HEADER.encode().hex(), ENCODED)
        self.assertEqual(len(HEADER.encode()), HEADER_BYTES)
        self.assertEqual(HEADER.signed, HEADER.encode()[:-4])

    @given(HEADERS)
    def test_round_trip(self, header: Header) -> None:
        """What is encoded parses to the same header."""
        self.assertEqual(Header.decode(header.encode()), header)

    def test_strict(self) -> None:
        """Another kind, version or suite, a byte too few or too many is refused."""
        good = HEADER.encode()
        for at in range(5):
            for flip in (1, 0x80, 0xFF):
                changed = bytearray(good)
                changed[at] ^= flip
                self.assertRaises(Reject, Header.decode, bytes(changed))
        for bad in (b"", good[:-1], good + b"\x00"):
            self.assertRaises(Reject, Header.decode, bad)


class EnvelopeTests(SynchronousTestCase):
    """Header and ciphertext."""

    def test_lengths(self) -> None:
        """Only the lengths that padding gives are taken, from 309 bytes up to the limit."""
        padded = {len(pad(bytes(length))) for length in range(12_000)}
        taken = set()
        for length in range(ENVELOPE_BYTES_MAX + 200):
            data = HEADER.encode()[:length].ljust(length, b"\x01")
            try:
                envelope = Envelope.decode(data)
            except Reject:
                continue
            self.assertEqual(envelope.encode(), data)
            taken.add(length)
        clear = HEADER_BYTES + TAG_BYTES
        self.assertEqual(taken, {clear + length for length in padded if clear + length <= ENVELOPE_BYTES_MAX})
        self.assertEqual((min(taken), max(taken)), (ENVELOPE_BYTES_MIN, 37 + 11_776 + 16))
        self.assertEqual(ENVELOPE_BYTES_MIN, 309)

    def test_header_is_checked(self) -> None:
        """An envelope of another suite is refused before anything else is done with it."""
        self.assertRaises(Reject, Envelope.decode, b"\x10\x00\x01\x00\x02" + bytes(ENVELOPE_BYTES_MIN - 5))

    def test_repr(self) -> None:
        """The ciphertext stays out of the repr."""
        self.assertNotIn("ciphertext", repr(Envelope(HEADER, b"secret")))


class ContentTests(SynchronousTestCase):
    """What a message says."""

    @given(CONTENTS)
    def test_round_trip(self, content: Content) -> None:
        """What is encoded parses to the same content, with and without a log head."""
        self.assertEqual(Content.decode(content.encode()), content)

    def test_layout(self) -> None:
        """A content is laid out as docs/rooms.rst 7.2 says."""
        head = LogHead(7, bytes(range(32)))
        content = Content(ContentType.TEXT, b"i" * 16, 5, b"hello", head)
        start = u8(1) + b"i" * 16 + u64(5)
        self.assertEqual(content.encode(), start + b"\x01" + u64(7) + bytes(range(32)) + v32(b"hello"))
        self.assertEqual(Content(1, b"i" * 16, 5, b"hello").encode(), start + b"\x00" + v32(b"hello"))

    @given(CONTENTS, st.integers(2, 255))
    def test_strict(self, content: Content, flag: int) -> None:
        """A flag other than 0 and 1, and a byte too few or too many, are refused."""
        data = content.encode()
        for bad in (data[:25] + bytes((flag,)) + data[26:], data[:-1], data + b"\x00", b""):
            self.assertRaises(Reject, Content.decode, bad)

    def test_repr(self) -> None:
        """The body stays out of the repr."""
        self.assertNotIn("hello", repr(Content(1, bytes(16), 0, b"hello")))
