"""The body of a shared history (docs/rooms.rst 7.4): where its sealed lines are at the server, and what opens them."""

from dataclasses import dataclass, field
from typing import Final

from chatserv.crypto.checks import check_id
from chatserv.crypto.content import ID_BYTES
from chatserv.crypto.encoding import Reader, u32
from chatserv.crypto.file_body import FILE_HASH_BYTES, FILE_KEY_BYTES
from chatserv.errors import Reject

MAX_HISTORY_BYTES: Final = 16 * 1024 * 1024
"""Of the lines of one history, which is opened and sealed in memory."""
HISTORY_BYTES: Final = ID_BYTES + FILE_KEY_BYTES + FILE_HASH_BYTES + 4
"""Of the body."""


@dataclass(frozen=True)
class History:
    """A history that one device shares with others, sealed as a file is, in a context of its own (docs/crypto.rst, "Files").

    Attributes:
        blob_id: What the server calls the sealed bytes, 16 bytes.
        key: Opens them, 32 bytes.
        hash: SHA-256 of the sealed bytes, 32 bytes.
        size: Of the lines, in bytes, 1 to `MAX_HISTORY_BYTES`.
    """

    blob_id: bytes
    key: bytes = field(repr=False)
    hash: bytes
    size: int

    def __post_init__(self) -> None:
        """Raises `Reject` for what cannot be."""
        check_id(self.blob_id, "history")
        if len(self.key) != FILE_KEY_BYTES or len(self.hash) != FILE_HASH_BYTES:
            raise Reject("history: a key or a hash of another length")
        if not 1 <= self.size <= MAX_HISTORY_BYTES:
            raise Reject(f"history: {self.size} bytes, at most {MAX_HISTORY_BYTES}")

    def encode(self) -> bytes:
        """``blob_id[16]; key[32]; hash[32]; u32 size``."""
        return self.blob_id + self.key + self.hash + u32(self.size)

    @classmethod
    def decode(cls, data: bytes) -> "History":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "history")
        history = cls(reader.take(16), reader.take(FILE_KEY_BYTES), reader.take(FILE_HASH_BYTES), reader.u32())
        reader.end()
        return history
