"""Counts what a member gets, and proves that nothing is missing, without decoding all of it.

A DATA record is an array of messages and says how many. The events of a room are numbered without gaps. So a record of
``n`` messages whose first event has seq ``s`` and whose last has ``s + n - 1`` holds ``n`` events; if ``s`` follows the
last seq of the record before, none is missing between. Whatever looks different is decoded in full. What this cannot see
(a lost event made up for by another message in the same record) the sampled members do, which decode everything.
"""

import time
from array import array
from typing import Final

import msgspec

from bench.server import BenchError
from chatserv.crypto.envelope import ENVELOPE_BYTES_MIN, HEADER_BYTES
from chatserv.wire import messages
from chatserv.wire.codec import encode_message, server_decoder

BODY_BYTES: Final = ENVELOPE_BYTES_MIN  # the envelope of a text of up to 160 bytes or so
TIME_BYTES: Final = 8  # after the header: the time that the message was due, in nanoseconds (monotonic)
_TIME: Final = slice(HEADER_BYTES, HEADER_BYTES + TIME_BYTES)
FILLER_BYTES: Final = BODY_BYTES - HEADER_BYTES - TIME_BYTES

_example = encode_message(messages.Event(bytes(16), 0, 0, "", 0, b""))
_MARK: Final = _example[1 : _example.index(b"event") + len(b"event")]  # the tag, as every encoded event begins with it
_SEQ_NAME: Final = b"\xa3seq"
_SEQ_AT: Final = _example.index(_SEQ_NAME) + len(_SEQ_NAME) - 1  # from the mark to the seq
_HARMLESS: Final = (messages.Keepalive, messages.Presence, messages.LogHead, messages.RoomEntered)
_INTEGER_BYTES: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}  # MessagePack's unsigned integers by their first byte


def make_body(header: bytes, due_ns: int, filler: bytes) -> bytes:
    """An envelope: its clear header, when it was due, and bytes that are never looked at, as no server can open it."""
    return header + due_ns.to_bytes(TIME_BYTES, "big") + filler


def make_filler(random: bytes) -> bytes:
    """``random`` without the mark of an event, which would be counted as one."""
    return random.replace(_MARK, bytes(len(_MARK)))


def array_length(plaintext: bytes) -> int:
    """How many messages a record says it holds."""
    first = plaintext[0]
    return first & 0x0F if first & 0xF0 == 0x90 else int.from_bytes(plaintext[1:3], "big")


def seq_at(plaintext: bytes, mark: int) -> int:
    """The seq of the event whose mark is there; -1 where it is not an event after all."""
    at = mark + _SEQ_AT
    if plaintext[at - len(_SEQ_NAME) : at] != _SEQ_NAME:
        return -1
    first = plaintext[at]
    return first if first < 0x80 else int.from_bytes(plaintext[at + 1 : at + 1 + _INTEGER_BYTES.get(first, 0)], "big")


class Tally:
    """One member's deliveries.

    Args:
        head: The last seq before the run.
        latencies: Where the nanoseconds from due to delivered go, or None for a member that is not sampled.
    """

    __slots__ = ("_latencies", "acknowledged", "last_seq", "lines")

    def __init__(self, head: int, latencies: "array[int] | None" = None) -> None:
        self.last_seq = head
        self.lines = 0
        self.acknowledged = 0
        self._latencies = latencies

    def take(self, plaintext: bytes) -> int:
        """Takes a record. Returns how many events it holds.

        Raises:
            BenchError: An event is missing or doubled, or the server refused something.
        """
        if self._latencies is None:
            first, last = plaintext.find(_MARK), plaintext.rfind(_MARK)
            if first >= 0:
                count = array_length(plaintext)
                start = seq_at(plaintext, first)
                if start == self.last_seq + 1 and seq_at(plaintext, last) == self.last_seq + count:
                    self.last_seq += count
                    self.lines += 1
                    return count
        return self._decode(plaintext)

    def _decode(self, plaintext: bytes) -> int:
        now = time.monotonic_ns()
        count = 0
        for message in server_decoder.decode(plaintext):
            if type(message) is messages.Event:
                self._check(message, now)
                count += 1
            elif type(message) is messages.Sent:
                self.acknowledged += 1
            elif not isinstance(message, _HARMLESS):
                raise BenchError(f"the server says {msgspec.json.encode(message).decode()[:300]}")
        self.lines += count > 0
        return count

    def _check(self, event: messages.Event, now: int) -> None:
        if event.seq != self.last_seq + 1:
            raise BenchError(f"event {event.seq} came after {self.last_seq}")
        self.last_seq = event.seq
        if len(event.body) != BODY_BYTES:
            raise BenchError(f"event {event.seq} has {len(event.body)} bytes, {BODY_BYTES} were sent")
        if self._latencies is not None:
            self._latencies.append(now - int.from_bytes(event.body[_TIME], "big"))
