"""What the store holds about files: a row for each, never its bytes."""

from typing import Final

import msgspec

LEAST_COUNTED_BYTES: Final = 65_536  # what the smallest blob counts for, so that a bound of bytes is one of rows too


class NewBlob(msgspec.Struct, frozen=True):
    """A blob that is to be begun: its id (16 bytes), whose it is, in which room, and what it is to become.

    ``size``, ``hash``: of all of its bytes. ``expires_ms``: until when it has to go on.
    """

    blob_id: bytes
    owner: str
    room: bytes
    size: int
    hash: bytes
    now_ms: int
    expires_ms: int


class StoredBlob(msgspec.Struct, frozen=True):
    """A blob as it stands. The first ``received`` bytes are on the disk; ``whole``: all of them, and they have the hash."""

    blob_id: bytes
    owner: str
    room: bytes
    size: int
    hash: bytes
    received: int
    whole: bool
    created_ms: int
    expires_ms: int

    def is_begun_by(self, new: NewBlob) -> bool:
        """Whether the same was begun as ``new`` would begin."""
        same = self.owner, self.room, self.size, self.hash
        return same == (new.owner, new.room, new.size, new.hash)


def counted(size: int) -> int:
    """What a blob of so many bytes counts for."""
    return max(size, LEAST_COUNTED_BYTES)
