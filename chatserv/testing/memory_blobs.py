"""The bytes of files in memory: `chatserv.blob_ports.BlobFiles` without a disk."""

import hashlib
from collections.abc import Collection, Sequence

from chatserv.errors import NotFound


class MemoryBlobs:
    """Every call is done at once.

    Attributes:
        files: The bytes by id.
        final: Which of them nobody writes into any more.
        durable: How many bytes of each are on the disk: what a crash leaves for certain.
        full: The disk is too full for another file.
        stuck: Which of them the disk does not let go.
        fail: Raised by what is written or brought to the disk next, once.
    """

    def __init__(self) -> None:
        self.files: dict[bytes, bytearray] = {}
        self.durable: dict[bytes, int] = {}
        self.final: set[bytes] = set()
        self.full = False
        self.stuck: set[bytes] = set()
        self.fail: Exception | None = None

    async def write(self, blob_id: bytes, offset: int, data: bytes) -> None:
        """Puts bytes at their place."""
        self._may_fail()
        if blob_id in self.final:
            raise NotFound("blob: final")
        if not offset:
            self.files.setdefault(blob_id, bytearray())
        file = self._file(blob_id)
        file.extend(bytes(max(0, offset - len(file))))
        file[offset : offset + len(data)] = data

    async def sync(self, blob_id: bytes) -> None:
        """All that was written is on the disk."""
        self._may_fail()
        self.durable[blob_id] = len(self._file(blob_id))

    async def finish(self, blob_ids: Collection[bytes]) -> None:
        """Makes files final."""
        self.final.update(self.files.keys() & set(blob_ids))

    async def read(self, blob_id: bytes, offset: int, limit: int) -> bytes:
        """Up to ``limit`` bytes from ``offset`` on."""
        return bytes(self._file(blob_id)[offset : offset + limit])

    async def digest(self, blob_id: bytes) -> bytes:
        """The SHA-256 of the whole file."""
        return hashlib.sha256(self._file(blob_id)).digest()

    async def remove(self, blob_ids: Collection[bytes]) -> Collection[bytes]:
        """Removes files."""
        left = self.stuck.intersection(blob_ids)
        for blob_id in left.symmetric_difference(blob_ids):
            self.files.pop(blob_id, None)
            self.final.discard(blob_id)
            self.durable.pop(blob_id, None)
        return left

    async def sizes(self, blob_ids: Sequence[bytes]) -> Sequence[int]:
        """How long these are; -1: there is no such file."""
        return [len(self.files[blob_id]) if blob_id in self.files else -1 for blob_id in blob_ids]

    async def shelf(self, number: int) -> Sequence[bytes]:
        """The ids that begin with this byte."""
        return [blob_id for blob_id in self.files if blob_id[0] == number]

    async def has_place(self, size: int, share: float) -> bool:  # noqa: ARG002 - of a port
        """Whether the disk takes another file."""
        return not self.full

    def crash(self) -> None:
        """The machine dies: what was not on the disk for certain is lost, or other bytes are there."""
        for blob_id, file in self.files.items():
            durable = self.durable.get(blob_id, 0)
            file[durable:] = b"?" * (len(file) - durable)

    def _file(self, blob_id: bytes) -> bytearray:
        if blob_id not in self.files:
            raise NotFound("blob")
        return self.files[blob_id]

    def _may_fail(self) -> None:
        error, self.fail = self.fail, None
        if error is not None:
            raise error
