"""The line receiver: linear, pausable in the middle of a chunk, bounded."""

from typing import Any, SupportsIndex

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import TooLarge
from chatserv.linereceiver import LinearLineReceiver

MEBIBYTE = 2**20


class Lines(LinearLineReceiver):
    """Keeps its lines; pauses after every ``pause_every``."""

    def __init__(self, max_length: int = 100, pause_every: int = 0) -> None:
        super().__init__(max_length)
        self.lines: list[bytes] = []
        self.errors: list[TooLarge] = []
        self.pause_every = pause_every

    def lineReceived(self, line: bytes) -> None:
        """A whole line."""
        self.lines.append(line)
        if self.pause_every and len(self.lines) % self.pause_every == 0:
            self.pauseProducing()

    def line_too_long(self, error: TooLarge) -> None:
        """One that is too long."""
        self.errors.append(error)


class CountingBuffer(bytearray):
    """A buffer that counts the bytes that are looked at, copied or moved in it."""

    work = 0

    def find(self, sub: Any, start: Any = 0, *_: Any) -> int:
        """Looks at bytes up to what is found."""
        found = super().find(sub, start)
        self.work += (len(self) if found < 0 else found + len(sub)) - start
        return found

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        self.work += len(part)
        return part

    def __delitem__(self, key: SupportsIndex | slice) -> None:
        super().__delitem__(key)
        self.work += 1  # bytearray gives up its front without moving the rest

    def __iadd__(self, data: Any) -> "CountingBuffer":  # type: ignore[misc]
        self.work += len(data)
        super().__iadd__(data)
        return self


def connected(lines: Lines) -> StringTransport:
    """Gives ``lines`` a transport."""
    transport = StringTransport()
    lines.makeConnection(transport)
    return transport


def counting(lines: Lines) -> CountingBuffer:
    """Puts a counting buffer into a receiver that has not received anything."""
    buffer = CountingBuffer()
    lines._splitter._buffer = buffer
    return buffer


class LinearLineReceiverTests(SynchronousTestCase):
    """What `LinearLineReceiver` promises."""

    def test_lines(self) -> None:
        """Lines come whole, in order, without CRLF; a rest waits; lone CR and LF are part of a line."""
        lines = Lines()
        lines.dataReceived(b"one\r\ntwo\r\n\r\na\rb\nc\r\nre")
        self.assertEqual(lines.lines, [b"one", b"two", b"", b"a\rb\nc"])
        lines.dataReceived(b"st\r\n")
        self.assertEqual(lines.lines[4:], [b"rest"])

    @given(st.lists(st.binary(max_size=20).filter(lambda line: b"\r" not in line)), st.data())
    def test_any_chunks(self, expected: list[bytes], data: st.DataObject) -> None:
        """However the stream is cut, the same lines come."""
        stream = b"".join(line + b"\r\n" for line in expected)
        lines = Lines()
        while stream:
            size = data.draw(st.integers(1, len(stream)))
            lines.dataReceived(stream[:size])
            stream = stream[size:]
        self.assertEqual(lines.lines, expected)

    def test_empty_lines_are_linear(self) -> None:
        """A mebibyte of empty lines costs work in proportion to its size, in one chunk and in many."""
        for chunk_bytes in (MEBIBYTE, 1000):
            lines = Lines()
            buffer = counting(lines)
            for _ in range(MEBIBYTE // chunk_bytes):
                lines.dataReceived(b"\r\n" * (chunk_bytes // 2))
            self.assertGreater(len(lines.lines), 500_000)
            self.assertLess(buffer.work, 4 * MEBIBYTE)

    def test_dribble_is_linear(self) -> None:
        """Lines that come byte by byte are looked at a constant number of times."""
        lines = Lines(65_536)
        buffer = counting(lines)
        stream = b"x" * 60_000 + b"\r\n" + b"yy\r\n" * 1000
        for byte in stream:
            lines.dataReceived(bytes((byte,)))
        self.assertEqual([len(line) for line in lines.lines], [60_000, *[2] * 1000])
        self.assertLess(buffer.work, 6 * len(stream))

    def test_pause_in_the_middle_of_a_chunk(self) -> None:
        """A receiver that pauses gets no more lines of the chunk until it resumes, and the transport stops reading."""
        lines = Lines(pause_every=1)
        transport = connected(lines)
        lines.dataReceived(b"one\r\ntwo\r\nthree\r\n")
        self.assertEqual((lines.lines, transport.producerState), ([b"one"], "paused"))
        lines.dataReceived(b"four\r\n")
        self.assertEqual(lines.lines, [b"one"])
        lines.resumeProducing()
        self.assertEqual(lines.lines, [b"one", b"two"])
        lines.pause_every = 0
        lines.resumeProducing()
        self.assertEqual((lines.lines[2:], transport.producerState), ([b"three", b"four"], "producing"))

    def test_pause_while_nothing_waits(self) -> None:
        """The transport goes on reading until there is something that waits; then it stops, until that is taken."""
        lines = Lines(pause_every=1)
        transport = connected(lines)
        lines.dataReceived(b"one\r\n")
        self.assertEqual((lines.paused, transport.producerState), (True, "producing"))
        lines.resumeProducing()
        self.assertEqual((lines.paused, transport.producerState), (False, "producing"))
        lines.dataReceived(b"two\r\n")
        for more in (b"thr", b"ee\r\n"):
            lines.dataReceived(more)
            self.assertEqual((lines.lines, transport.producerState), ([b"one", b"two"], "paused"))
            transport.resumeProducing()  # another one has stopped it as well, and reads on
        lines.dataReceived(b"")
        lines.resumeProducing()
        self.assertEqual((lines.lines, transport.producerState), ([b"one", b"two", b"three"], "producing"))

    def test_resume_inside_line_received(self) -> None:
        """Pausing and resuming within one line neither repeats nor swaps the following ones."""
        lines = Lines()
        connected(lines)
        received = lines.lineReceived

        def twice(line: bytes) -> None:
            received(line)
            lines.pauseProducing()
            lines.resumeProducing()

        lines.lineReceived = twice  # type: ignore[method-assign]
        lines.dataReceived(b"".join(b"%d\r\n" % at for at in range(5000)))
        self.assertEqual(lines.lines, [b"%d" % at for at in range(5000)])

    def test_limit(self) -> None:
        """A line of the limit comes; one byte more does not, with or without its end, and is reported."""
        for length, end, good in ((100, b"\r\n", True), (101, b"\r\n", False), (101, b"\r", False), (102, b"", False)):
            lines = Lines(100)
            lines.dataReceived(b"x" * length + end)
            self.assertEqual((len(lines.lines), len(lines.errors)), (1, 0) if good else (0, 1), (length, end))

    def test_endless_line(self) -> None:
        """A line without end is reported once, at the limit, and nothing of it is kept."""
        lines = Lines(100)
        for _ in range(1000):
            lines.dataReceived(b"x" * 50)
        self.assertEqual(len(lines.errors), 1)
        self.assertEqual(lines._splitter.pending, 0)

    def test_lines_before_the_long_one(self) -> None:
        """The lines before one that is too long are delivered, those after it never."""
        lines = Lines(5)
        lines.dataReceived(b"one\r\n" + b"x" * 6 + b"\r\ntwo\r\n")
        lines.dataReceived(b"three\r\n")
        self.assertEqual((lines.lines, len(lines.errors)), ([b"one"], 1))

    def test_raised_limit(self) -> None:
        """The limit may be raised between lines, also from within a line of the same chunk."""
        lines = Lines(5)

        def more(line: bytes) -> None:
            lines.lines.append(line)
            lines.max_line_bytes = 50

        lines.lineReceived = more  # type: ignore[method-assign]
        lines.dataReceived(b"login\r\n" + b"x" * 50 + b"\r\n")
        self.assertEqual([len(line) for line in lines.lines], [5, 50])
        self.assertEqual(lines.max_line_bytes, 50)

    def test_stop_receiving(self) -> None:
        """After ``stop_receiving`` nothing comes any more, not even the rest of the chunk, and nothing is kept."""
        lines = Lines()

        def stop(line: bytes) -> None:
            lines.lines.append(line)
            lines.stop_receiving()

        lines.lineReceived = stop  # type: ignore[method-assign]
        lines.dataReceived(b"one\r\ntwo\r\n" + b"x" * 1000)
        lines.dataReceived(b"three\r\n" * 1000)
        self.assertEqual((lines.lines, lines.errors, lines._splitter.pending), ([b"one"], [], 0))
