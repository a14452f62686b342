"""What a message says: the ``Content`` structure of CRYPTO section 9.2, opaque to the server.

Until rooms are sealed end to end, an envelope is the bare content; sealing puts header, ratchet and signature around it.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from chatserv.crypto.encoding import Reader, u8, u64, v32
from chatserv.errors import Reject

ID_BYTES: Final = 16


class ContentType(IntEnum):
    """The first byte of a content; unknown ones are shown as such and never guessed at."""

    TEXT = 1


@dataclass(frozen=True)
class Content:
    """One content. ``sent_ms`` is the sender's clock, in milliseconds since 1970; ``body`` depends on ``ctype``."""

    ctype: int
    message_id: bytes
    sent_ms: int
    body: bytes = field(repr=False)

    def encode(self) -> bytes:
        """``u8 ctype; msg_id[16]; u64 sent_ms; u8 has_kt = 0; body<V32>``."""
        return u8(self.ctype) + self.message_id + u64(self.sent_ms) + u8(0) + v32(self.body)

    @classmethod
    def decode(cls, data: bytes) -> "Content":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "content")
        ctype, message_id, sent_ms = reader.u8(), reader.take(ID_BYTES), reader.u64()
        if reader.u8() != 0:
            raise Reject("content: carries a log head, which this version does not know")
        content = cls(ctype, message_id, sent_ms, reader.v32())
        reader.end()
        return content

    @property
    def text(self) -> str | None:
        """The text of a `ContentType.TEXT`, or None: another type, or not UTF-8."""
        if self.ctype != ContentType.TEXT:
            return None
        try:
            return self.body.decode()
        except UnicodeDecodeError:
            return None
