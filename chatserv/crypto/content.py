"""What a message says: the ``Content`` structure of docs/rooms.rst 7.2, which only devices see."""

import struct
from enum import IntEnum
from typing import Final

from msgspec import Struct

from chatserv.crypto.encoding import Reader, u8, u64, v32
from chatserv.crypto.merkle import HASH_BYTES
from chatserv.discreet import Discreet
from chatserv.errors import Reject

ID_BYTES: Final = 16
_BEGIN: Final = struct.Struct(f">B{ID_BYTES}sQB")


class ContentType(IntEnum):
    """The first byte of a content; unknown ones are shown as such and never guessed at."""

    TEXT = 1
    EDIT = 2
    DELETE = 3
    REACTION = 4
    FILE = 5
    RECEIPT = 6
    HISTORY = 8
    LOG_EVIDENCE = 9
    ROOM_NAME = 10
    OWN = 11


class LogHead(Struct, frozen=True):
    """The transparency log as the sender sees it, for gossip (docs/rooms.rst 8.3). ``root``: 32 bytes at ``size``."""

    size: int
    root: bytes


class Content(Discreet, frozen=True):
    """One content.

    Attributes:
        ctype: A `ContentType`, or a number that this version does not know.
        message_id: 16 random bytes.
        sent_ms: The sender's clock, milliseconds since 1970.
        body: Depends on ``ctype``.
        head: Comes with a sender's first message of an epoch and every 50th after it.
    """

    shown = ("ctype", "message_id", "sent_ms", "head")

    ctype: int
    message_id: bytes
    sent_ms: int
    body: bytes
    head: LogHead | None = None

    def encode(self) -> bytes:
        """``u8 ctype; msg_id[16]; u64 sent_ms; u8 has_kt; if has_kt=1 { u64 kt_size; kt_root[32] }; body<V32>``."""
        gossip = u8(0) if self.head is None else u8(1) + u64(self.head.size) + self.head.root
        return u8(self.ctype) + self.message_id + u64(self.sent_ms) + gossip + v32(self.body)

    @classmethod
    def decode(cls, data: bytes) -> "Content":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "content")
        ctype, message_id, sent_ms, has_head = _BEGIN.unpack(reader.take(_BEGIN.size))
        if has_head not in {0, 1}:
            raise Reject(f"content: has_kt is {has_head}")
        head = LogHead(reader.u64(), reader.take(HASH_BYTES)) if has_head else None
        content = cls(ctype, message_id, sent_ms, reader.v32(), head)
        reader.end()
        return content
