"""What the server needs to keep files: rows, as a part of `chatserv.ports.Store`, and their bytes, which lie elsewhere."""

from collections.abc import Awaitable, Collection, Sequence
from typing import Final, Protocol

from chatserv.blob_models import NewBlob, StoredBlob

SHELVES: Final = 256  # a byte's values: files lie by the first byte of their ids


class BlobStore(Protocol):
    """The rows. Every method answers after its commit; see `chatserv.ports.Store` for what they have in common.

    A blob that is ended is there for nobody any more; its row stays until its bytes are gone (`forget_blobs`).
    """

    def open_blob(self, new: NewBlob) -> Awaitable[StoredBlob]:
        """Makes a row, or gives the one that the same was begun with.

        Raises `NotFound` (no such account or room), `BadMessage` (another blob under that id), `Quota` (of the account
        ``Limits.open_blobs`` are not whole, or all count for more than ``Limits.blob_account_bytes``), `StorageFull` (those
        of all accounts for more than ``Limits.blob_server_bytes``).
        """
        ...

    def blob(self, blob_id: bytes) -> Awaitable[StoredBlob | None]:
        """The blob with that id; None where there is none, or none any more, or its account or its room has ended."""
        ...

    def note_received(
        self, blob_id: bytes, before: int, received: int, expires_ms: int, *, whole: bool
    ) -> Awaitable[bool]:
        """Notes that a blob which had ``before`` bytes on the disk has ``received``. False: it had not, or is no more."""
        ...

    def blobs(self, owner: str, after: bytes, limit: int) -> Awaitable[Sequence[StoredBlob]]:
        """Up to ``limit`` blobs of an account with ids above ``after``, in order of id."""
        ...

    def blob_bytes(self, owner: str = "") -> Awaitable[int]:
        """What the blobs of an account count for, ended ones too; of nobody in particular: all of them."""
        ...

    def due_blobs(self, now_ms: int, limit: int) -> Awaitable[Sequence[bytes]]:
        """Up to ``limit`` ids of blobs that have ended or expired, or whose account or room has ended."""
        ...

    def end_blobs(self, blob_ids: Collection[bytes]) -> Awaitable[None]:
        """Ends blobs; harmless for those that are unknown."""
        ...

    def forget_blobs(self, blob_ids: Collection[bytes]) -> Awaitable[None]:
        """Deletes the rows of blobs that were ended."""
        ...

    def recount_blobs(self) -> Awaitable[None]:
        """Puts right what all blobs count for, where it is not what their rows make."""
        ...

    def begun_blobs(self, after: bytes, limit: int) -> Awaitable[Sequence[StoredBlob]]:
        """Up to ``limit`` blobs of anybody with ids above ``after`` of which bytes are on the disk, in order of id."""
        ...

    def known_blobs(self, blob_ids: Collection[bytes]) -> Awaitable[Collection[bytes]]:
        """Those of these ids for which there is a row."""
        ...


class BlobFiles(Protocol):
    """The bytes of blobs, by id.

    Errors: `chatserv.errors.NotFound` (there is no such file), `StorageFull`, `ReadOnly` (the disk fails), `Busy` (more than
    ``limits.blob_queue`` calls wait for the disk).
    """

    def write(self, blob_id: bytes, offset: int, data: bytes) -> Awaitable[None]:
        """Puts bytes at their place; with the first ones the file is made. They need not be on the disk yet."""
        ...

    def sync(self, blob_id: bytes) -> Awaitable[None]:
        """Answers when all that was written is on the disk."""
        ...

    def finish(self, blob_ids: Collection[bytes]) -> Awaitable[None]:
        """Makes files final: `write` raises `NotFound` there from now on. What cannot be, stays as it is."""
        ...

    def read(self, blob_id: bytes, offset: int, limit: int) -> Awaitable[bytes]:
        """Up to ``limit`` bytes from ``offset`` on."""
        ...

    def digest(self, blob_id: bytes) -> Awaitable[bytes]:
        """The SHA-256 of the whole file."""
        ...

    def remove(self, blob_ids: Collection[bytes]) -> Awaitable[Collection[bytes]]:
        """Removes files, and gives those that the disk does not let go; harmless where there are none."""
        ...

    def sizes(self, blob_ids: Sequence[bytes]) -> Awaitable[Sequence[int]]:
        """How long these are; -1: there is no such file."""
        ...

    def shelf(self, number: int) -> Awaitable[Sequence[bytes]]:
        """The ids of all files whose ids begin with this byte."""
        ...

    def has_place(self, size: int, share: float) -> Awaitable[bool]:
        """Whether so many bytes more leave no more of the disk in use than this share of it."""
        ...
