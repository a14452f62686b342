"""Lines: splitting a stream in linear time, and the base64url form of a record (docs/protocol.rst 1.3).

``LineReceiver.dataReceived`` of Twisted copies its whole buffer for every line; `LineSplitter` copies each byte once.
"""

from binascii import Error as Base64Error
from typing import Final

import pybase64

from chatserv.errors import Reject, TooLarge

ALPN: Final = b"chatserv/1"  # of the TLS around the lines (RFC 7301)
EXPORTER: Final = b"EXPORTER-Channel-Binding"  # what the session is bound to (RFC 9266 section 4.2)
DELIMITER: Final = b"\r\n"
GREETING: Final = b"CHATSERV/1 "  # stands before the first line of each side
ERROR_LINE: Final = b"ERR "
_ALTERNATIVE: Final = b"-_"
_PADDING: Final = (b"", b"=", b"==", b"=")
_LAST_OF_TWO: Final = frozenset(b"AQgw")  # last characters whose unused bits are zero
_LAST_OF_THREE: Final = frozenset(b"AEIMQUYcgkosw048")


def record_to_line(record: bytes) -> bytes:
    """The line of a record, CRLF included."""
    return pybase64.b64encode(record, altchars=_ALTERNATIVE).rstrip(b"=") + DELIMITER


def line_to_record(line: bytes) -> bytes:
    """The record of a line without its CRLF.

    Raises:
        Reject: It is empty, not base64url without padding (RFC 4648 section 5), or not the canonical form.
    """
    left = len(line) % 4
    if not line or left == 1 or b"+" in line or b"/" in line or b"=" in line:
        raise Reject("line: not base64url")
    if (left == 2 and line[-1] not in _LAST_OF_TWO) or (left == 3 and line[-1] not in _LAST_OF_THREE):
        raise Reject("line: base64url is not canonical")
    try:
        return pybase64.b64decode(line + _PADDING[-left % 4], altchars=_ALTERNATIVE, validate=True)
    except Base64Error:
        raise Reject("line: not base64url") from None


class LineSplitter:
    """Splits a stream into lines, each byte looked at and moved a constant number of times.

    Args:
        max_length: Longest line in bytes, without CRLF. May be raised at any time.
    """

    __slots__ = ("_buffer", "_searched", "_start", "max_length")

    def __init__(self, max_length: int) -> None:
        self.max_length = max_length
        self._buffer = bytearray()
        self._start = 0  # where the next line begins
        self._searched = 0  # no delimiter begins before this

    def feed(self, data: bytes) -> None:
        """Takes bytes in; `next_line` gives lines out."""
        if self._start:
            del self._buffer[: self._start]
            self._searched -= self._start
            self._start = 0
        self._buffer += data

    @property
    def pending(self) -> int:
        """Bytes held that no line was made of yet."""
        return len(self._buffer) - self._start

    def next_line(self) -> bytes | None:
        """The next whole line without its CRLF, or None until more is fed.

        Raises:
            TooLarge: A line is longer than ``max_length``. The stream is then of no further use.
        """
        end = self._buffer.find(DELIMITER, self._searched)
        if end < 0:
            self._searched = max(self._start, len(self._buffer) - 1)
            if self.pending > self.max_length + 1:  # a lone CR may still become the delimiter
                raise TooLarge(f"line: longer than {self.max_length} bytes")
            return None
        if end - self._start > self.max_length:
            raise TooLarge(f"line: {end - self._start} bytes, {self.max_length} allowed")
        line = bytes(self._buffer[self._start : end])
        self._start = self._searched = end + len(DELIMITER)
        return line
