"""Twisted's ``LineReceiver`` with a linear ``dataReceived``: what both edges, server and client, read lines with.

The class is kept for what it offers (``lineReceived``, pausing); the splitting is `chatserv.wire.framing.LineSplitter`,
because the original copies its buffer for every line: 1 MiB of empty lines costs it 9 s.
"""

from abc import ABC, abstractmethod
from typing import Any

from twisted.protocols.basic import LineReceiver

from chatserv.errors import TooLarge
from chatserv.wire.framing import DELIMITER, LineSplitter


class LinearLineReceiver(LineReceiver, ABC):
    """Splits in linear time, stops mid-chunk while paused, and reports an over-long line once.

    While it is paused the transport reads on until bytes have come that wait: whoever waits for our answer sends none, and
    to tell the system each time that nothing is read takes longer than the rest of the pause.

    Args:
        max_length: Longest line in bytes, without CRLF.
    """

    delimiter = DELIMITER
    transport: Any

    def __init__(self, max_length: int) -> None:
        self._splitter = LineSplitter(max_length)
        self._receiving = False
        self._ignoring = False
        self._held = False  # the transport does not read

    @property
    def max_line_bytes(self) -> int:
        """Longest line in bytes, without CRLF; may be raised after login."""
        return self._splitter.max_length

    @max_line_bytes.setter
    def max_line_bytes(self, value: int) -> None:
        self._splitter.max_length = value

    def stop_receiving(self) -> None:
        """Ignores whatever still comes; for a connection that is being closed."""
        self._ignoring = True
        self._splitter = LineSplitter(0)

    def dataReceived(self, data: bytes) -> None:
        """Takes bytes in and hands out whole lines until paused."""
        if self._ignoring:
            return
        self._splitter.feed(data)
        if self._receiving:
            return
        self._receiving = True
        try:
            while not self.paused and not self._ignoring:
                line = self._splitter.next_line()
                if line is None:
                    break
                self.lineReceived(line)
        except TooLarge as error:
            self.stop_receiving()
            self.line_too_long(error)
        finally:
            self._receiving = False
        if self.paused and self._splitter.pending:
            self._held = True
            self.transport.pauseProducing()

    @abstractmethod
    def lineReceived(self, line: bytes) -> None:
        """A whole line without its CRLF."""

    def pauseProducing(self) -> None:
        """Hands out no more lines, and reads no more bytes than come next."""
        self.paused = True

    def resumeProducing(self) -> None:
        """Goes on where `pauseProducing` stopped."""
        self.paused = False
        if self._held:
            self._held = False
            self.transport.resumeProducing()
        self.dataReceived(b"")

    @abstractmethod
    def line_too_long(self, error: TooLarge) -> None:
        """A line is over the limit; nothing more can be read from this stream."""
