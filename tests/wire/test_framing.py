"""Lines: splitting in any chunks, the length limit, and the one canonical form of a record."""

import base64
from typing import Any, SupportsIndex

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import Reject, TooLarge
from chatserv.wire.framing import DELIMITER, LineSplitter, line_to_record, record_to_line

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
streams = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"bcd", b"\0", b"\xff" * 9])).map(b"".join)


def split(stream: bytes, chunks: list[int], max_length: int) -> tuple[list[bytes], bool, int]:
    """Lines, whether one was too long, and the bytes left; ``chunks`` are sizes, the rest comes in one piece."""
    splitter, lines, at = LineSplitter(max_length), [], 0
    try:
        for size in [*chunks, len(stream)]:
            splitter.feed(stream[at : at + size])
            at += size
            while (line := splitter.next_line()) is not None:
                lines.append(line)
    except TooLarge:
        return lines, True, 0
    return lines, False, splitter.pending


class Counted(bytearray):
    """Counts the bytes that are looked at, moved or copied in it."""

    work = 0

    def __iadd__(self, data: Any) -> "Counted":  # type: ignore[misc]
        self.work += len(data)
        super().__iadd__(data)
        return self

    def __delitem__(self, key: SupportsIndex | slice) -> None:
        super().__delitem__(key)
        self.work += len(self)  # as if everything behind it was moved

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        self.work += len(found)
        return found

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        """Counts what is searched."""
        found = super().find(sub, start) if end is None else super().find(sub, start, end)
        self.work += (len(self) if found < 0 else found + len(sub)) - start
        return found


class SplitterTests(SynchronousTestCase):
    """`LineSplitter` gives the same lines however the bytes arrive."""

    @given(streams, st.lists(st.integers(0, 7)))
    def test_any_chunks(self, stream: bytes, chunks: list[int]) -> None:
        """Any chunks of a stream give the lines that its delimiters make, and keep the rest."""
        *lines, rest = stream.split(DELIMITER)
        self.assertEqual(split(stream, chunks, 10_000), (lines, False, len(rest)))

    @given(streams, st.lists(st.integers(0, 7)), st.integers(0, 12))
    @example(b"a" * 11, [1] * 11, 10)
    @example(b"a" * 10 + b"\r", [1] * 11, 10)
    @example(b"a" * 10 + b"\r\r", [1] * 12, 10)
    def test_any_chunks_limited(self, stream: bytes, chunks: list[int], limit: int) -> None:
        """With a limit too, any chunks give the same lines, and the same answer to whether one was too long."""
        self.assertEqual(split(stream, chunks, limit), split(stream, [], limit))

    def test_limit(self) -> None:
        """A line of exactly the limit is taken, one byte more is not, in one piece and byte by byte."""
        for chunks in ([], [1] * 102):
            self.assertEqual(split(b"a" * 100 + DELIMITER, chunks, 100), ([b"a" * 100], False, 0))
            self.assertEqual(split(b"a" * 101 + DELIMITER, chunks, 100), ([], True, 0))

    def test_limit_without_end(self) -> None:
        """A line that never ends is refused as soon as it cannot fit any more."""
        self.assertEqual(split(b"a" * 100 + b"\r", [], 100), ([], False, 101))
        self.assertEqual(split(b"a" * 102, [], 100), ([], True, 0))

    def test_lines_before_a_long_one(self) -> None:
        """Good lines before one that is too long are given out first."""
        self.assertEqual(split(b"one\r\ntwo\r\n" + b"a" * 50, [], 5), ([b"one", b"two"], True, 0))

    def test_raised_limit(self) -> None:
        """The limit may be raised between two lines, with bytes already waiting."""
        splitter = LineSplitter(3)
        splitter.feed(b"one\r\nlonger\r\n")
        self.assertEqual(splitter.next_line(), b"one")
        splitter.max_length = 6
        self.assertEqual(splitter.next_line(), b"longer")
        self.assertIsNone(splitter.next_line())

    def test_paused(self) -> None:
        """Bytes that come while nobody takes lines are kept in order."""
        splitter = LineSplitter(100)
        taken = []
        for at in range(50):
            splitter.feed(b"%d\r\n" % at)
            if at % 3 == 0:
                taken.append(splitter.next_line())
        while (line := splitter.next_line()) is not None:
            taken.append(line)
        self.assertEqual(taken, [b"%d" % at for at in range(50)])
        self.assertEqual(splitter.pending, 0)

    def work(self, stream: bytes, chunk: int) -> float:
        """Bytes looked at, moved or copied per byte of the stream."""
        splitter: Any = LineSplitter(len(stream))
        buffer = splitter._buffer = Counted()
        for at in range(0, len(stream), chunk):
            splitter.feed(stream[at : at + chunk])
            while splitter.next_line() is not None:
                pass
            self.assertIs(splitter._buffer, buffer)
        return buffer.work / len(stream)

    def test_linear(self) -> None:
        """Each byte costs the same however long the stream, the lines and the chunks are."""
        for name, make in {
            "empty lines": lambda size: DELIMITER * (size // 2),
            "short lines": lambda size: b"abcdef\r\n" * (size // 8),
            "one line": lambda size: b"a" * size,
            "only CR": lambda size: b"\r" * size,
            "long lines": lambda size: (b"a" * 8190 + DELIMITER) * (size // 8192),
        }.items():
            for chunk in (1, 100, 65_536, 10**9):
                with self.subTest(name, chunk=chunk):
                    self.assertLess(self.work(make(65_536), chunk), 8)


class RecordLineTests(SynchronousTestCase):
    """One record has one line."""

    @given(st.binary(min_size=1, max_size=200))
    def test_round_trip(self, record: bytes) -> None:
        """A record comes back from its line, which is base64url without padding."""
        line = record_to_line(record)
        self.assertTrue(line.endswith(DELIMITER))
        self.assertEqual(line[:-2], base64.urlsafe_b64encode(record).rstrip(b"="))
        self.assertEqual(line_to_record(line[:-2]), record)

    @given(st.text(ALPHABET.decode() + "+/= \n\r\t.\0", max_size=12).map(str.encode) | st.binary(max_size=12))
    def test_canonical(self, line: bytes) -> None:
        """Any bytes are either refused or exactly the line of the record that they give."""
        try:
            record = line_to_record(line)
        except Reject:
            return
        self.assertEqual(record_to_line(record), line + DELIMITER)

    def test_last_characters(self) -> None:
        """Of the last characters, only those whose unused bits are zero are taken."""
        for length, spare in ((2, 16), (3, 4)):
            taken = 0
            for last in ALPHABET:
                try:
                    line_to_record(b"A" * (length - 1) + bytes((last,)))
                    taken += 1
                except Reject:
                    pass
            self.assertEqual(taken, 64 // spare)

    def test_refused(self) -> None:
        """Nothing, one character, padding, white space, the other alphabet and bytes above ASCII are refused."""
        for line in (
            b"", b"A", b"AAAAA", b"AA==", b"AAA=", b"A===", b"====", b"AA A", b"AAAA\n", b"AAA\r", b"\nAAA", b" AAA",
            b"A+AA", b"A/AA", b"AA\0A", b"AA\xffA", b"\xc3\xa9AA", b"AAAA====", b"=AAA", b"AA=A", b"A.AA", b"A,AA",
        ):  # fmt: skip
            self.assertRaises(Reject, line_to_record, line)
