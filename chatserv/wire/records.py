"""An open session's records: sealing messages into lines, opening lines, rekey and close.

See docs/protocol.rst 1.3, 3.1 and 3.2.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Final

from msgspec import Struct

from chatserv.crypto.encoding import Reader, u32, v8
from chatserv.crypto.session import HEADER_BYTES, TAG_BYTES, RecordKey
from chatserv.errors import Reject, TooLarge, WireError, wire_error
from chatserv.wire.codec import MAX_MESSAGES, join
from chatserv.wire.framing import line_to_record, record_to_line

ARRAY_HEADER_BYTES: Final = 3


class RecordType(IntEnum):
    """The first byte of a record."""

    ALERT = 1
    SERVER_AUTH = 2
    CLIENT_AUTH = 3
    SERVER_FINISH = 4
    FINISHED = 5
    KEY_UPDATE = 6
    CLOSE = 7
    PASSWORD_CHALLENGE = 8
    PASSWORD_PROOF = 9
    DATA = 16


_DATA: Final = int(RecordType.DATA)  # an enumeration is slow to read and to encode


class RekeyLimits(Struct, frozen=True):
    """When a sender moves to its next key: after so many records, plaintext bytes or seconds."""

    records: int = 2**20
    sealed_bytes: int = 2**30
    seconds: float = 3600.0


def plaintext_room(line_bytes: int) -> int:
    """How many bytes of plaintext fit into one line of ``line_bytes`` (65,536: 49,134)."""
    return line_bytes * 3 // 4 - HEADER_BYTES - TAG_BYTES


def encode_alert(error: WireError) -> bytes:
    """The body of an ALERT: ``opaque code<V8>; u32 after_seconds``. Nothing else about the error leaves."""
    return v8(error.code.encode()) + u32(int(error.after_seconds or 0))


def decode_alert(body: bytes) -> WireError:
    """The error of an ALERT; one that does not parse counts as `Reject`."""
    reader = Reader(body, "ALERT")
    code, after = reader.text8(), reader.u32()
    reader.end()
    return wire_error(code, "told by the other side", after or None)


class RecordLayer:
    """Both directions of an open session.

    Args:
        sending: Key of what leaves.
        receiving: Key of what comes.
        line_bytes: Longest line in bytes, without CRLF, both ways.
        limits: When to rekey.
        monotonic: A clock that never goes back, in seconds.
    """

    __slots__ = ("_limits", "_monotonic", "_receiving", "_room", "_sending", "_since")

    def __init__(
        self,
        sending: RecordKey,
        receiving: RecordKey,
        line_bytes: int,
        limits: RekeyLimits,
        monotonic: Callable[[], float],
    ) -> None:
        self._sending, self._receiving = sending, receiving
        self._room = plaintext_room(line_bytes)
        self._limits, self._monotonic = limits, monotonic
        self._since = monotonic()

    def seal(self, parts: Sequence[bytes]) -> list[bytes]:
        """Encoded messages as few lines as hold them, each line with CRLF, ready to be written in this order.

        Raises:
            TooLarge: One part alone does not fit into a line; nothing was sealed.
        """
        plaintexts, key, limits = self._cut(parts), self._sending, self._limits
        due = key.sequence >= limits.records or key.sealed_bytes >= limits.sealed_bytes
        lines = [self._rekey()] if due or self._monotonic() - self._since >= limits.seconds else []
        for plaintext in plaintexts:
            lines.append(record_to_line(key.seal(_DATA, plaintext)))
        return lines

    def _cut(self, parts: Sequence[bytes]) -> list[bytes]:
        """The plaintexts of as few records as hold the parts."""
        if 0 < len(parts) <= MAX_MESSAGES and ARRAY_HEADER_BYTES + sum(map(len, parts)) <= self._room:
            return [join(parts)]
        largest = max(map(len, parts), default=0)
        if ARRAY_HEADER_BYTES + largest > self._room:
            raise TooLarge(f"message: {largest} bytes")
        cut: list[bytes] = []
        start, size = 0, ARRAY_HEADER_BYTES
        for at, part in enumerate(parts):
            if size + len(part) > self._room or at - start == MAX_MESSAGES:
                cut.append(join(parts[start:at]))
                start, size = at, ARRAY_HEADER_BYTES
            size += len(part)
        if start < len(parts):
            cut.append(join(parts[start:]))
        return cut

    def control(self, kind: RecordType, body: bytes) -> bytes:
        """One line with an ALERT, CLOSE or KEY_UPDATE record."""
        return self._line(kind, body)

    def open(self, line: bytes) -> tuple[int, bytes]:
        """Type and plaintext of a line; a KEY_UPDATE has moved the key on already. Raises `Reject`."""
        kind, plaintext = self._receiving.open(line_to_record(line))
        if kind == RecordType.KEY_UPDATE:
            if plaintext:
                raise Reject("KEY_UPDATE: not empty")
            self._receiving.update()
        return kind, plaintext

    def _line(self, kind: RecordType, plaintext: bytes) -> bytes:
        return record_to_line(self._sending.seal(kind, plaintext))

    def _rekey(self) -> bytes:
        line = self._line(RecordType.KEY_UPDATE, b"")
        self._sending.update()
        self._since = self._monotonic()
        return line
