"""The TLS presentation language: numbers, lengths, and a reader that refuses what is short or left over."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.encoding import Reader, u8, u16, u32, u64, v8, v16, v32
from chatserv.errors import Reject

NUMBERS: tuple[tuple[int, Callable[[int], bytes], Callable[[Reader], int]], ...] = (
    (1, u8, Reader.u8),
    (2, u16, Reader.u16),
    (4, u32, Reader.u32),
    (8, u64, Reader.u64),
)
LENGTHS: tuple[tuple[int, Callable[[bytes], bytes], Callable[[Reader], bytes]], ...] = (
    (1, v8, Reader.v8),
    (2, v16, Reader.v16),
    (4, v32, Reader.v32),
)


class NumberTests(SynchronousTestCase):
    """Big-endian numbers of fixed size."""

    def test_known(self) -> None:
        """The first byte is the most significant one."""
        self.assertEqual([u8(1), u16(1), u32(1), u64(1)], [b"\1", b"\0\1", b"\0\0\0\1", b"\0\0\0\0\0\0\0\1"])
        self.assertEqual(u32(0x01020304), b"\1\2\3\4")

    def test_bounds(self) -> None:
        """The largest number fits; one more, or less than none, is our own mistake."""
        for size, write, read in NUMBERS:
            largest = 256**size - 1
            self.assertEqual(write(largest), b"\xff" * size)
            self.assertEqual(read(Reader(b"\xff" * size, "test")), largest)
            self.assertRaises(OverflowError, write, largest + 1)
            self.assertRaises(OverflowError, write, -1)

    def test_short(self) -> None:
        """A number that ends early is refused."""
        for size, _write, read in NUMBERS:
            self.assertRaises(Reject, read, Reader(bytes(size - 1), "test"))


class LengthTests(SynchronousTestCase):
    """Bytes with their length in front."""

    def test_bounds(self) -> None:
        """The longest value fits its length; one byte more is our own mistake."""
        for size, write, read in LENGTHS[:2]:
            longest = bytes(256**size - 1)
            self.assertEqual(read(Reader(write(longest), "test")), longest)
            self.assertRaises(OverflowError, write, longest + b"\0")

    @given(st.lists(st.tuples(st.sampled_from(LENGTHS), st.binary(max_size=255))))
    def test_round_trip(
        self, values: list[tuple[tuple[int, Callable[[bytes], bytes], Callable[[Reader], bytes]], bytes]]
    ) -> None:
        """What was written one after the other is read in the same order, to the end."""
        reader = Reader(b"".join(write(value) for (_size, write, _read), value in values), "test")
        self.assertEqual([read(reader) for (_size, _write, read), _value in values], [value for _, value in values])
        reader.end()

    @given(st.sampled_from(LENGTHS), st.binary(max_size=255), st.data())
    def test_truncated(
        self, form: tuple[int, Callable[[bytes], bytes], Callable[[Reader], bytes]], value: bytes, data: st.DataObject
    ) -> None:
        """A value cut anywhere is refused."""
        _size, write, read = form
        whole = write(value)
        cut = data.draw(st.integers(0, len(whole) - 1))
        self.assertRaises(Reject, read, Reader(whole[:cut], "test"))

    def test_huge_length(self) -> None:
        """A length far beyond the input is refused at once."""
        self.assertRaises(Reject, Reader(b"\xff\xff\xff\xff", "test").v32)


class ReaderTests(SynchronousTestCase):
    """Where a structure ends, and what its text may be."""

    def test_trailing(self) -> None:
        """Bytes after the end are refused, and the error names the structure."""
        reader = Reader(b"ab", "Something")
        reader.take(1)
        self.assertEqual(reader.left, 1)
        self.assertIn("Something", str(self.assertRaises(Reject, reader.end)))

    def test_after_failure(self) -> None:
        """A refused read takes nothing."""
        reader = Reader(b"ab", "test")
        self.assertRaises(Reject, reader.take, 3)
        self.assertEqual(reader.take(2), b"ab")
        reader.end()

    def test_text(self) -> None:
        """Text is UTF-8: overlong forms, surrogates and lone bytes are refused."""
        self.assertEqual(Reader(v8("h\u00e9".encode()), "test").text8(), "h\u00e9")
        for broken in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf4\x90\x80\x80"):
            self.assertRaises(Reject, Reader(v8(broken), "test").text8)
