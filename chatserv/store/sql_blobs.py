"""What the store answers about files."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from sqlalchemy import Connection
from twisted.logger import Logger

from chatserv.blob_models import NewBlob, StoredBlob
from chatserv.store import blob_statements as statements
from chatserv.store.limits import StoreLimits
from chatserv.store.locks import Lock, Orders, Rooms

T = TypeVar("T")
_log = Logger(namespace="chatserv.store.blobs")


class BlobCalls(ABC):
    """Each runs one function of `chatserv.store.blob_statements`, in the thread that writes or in the one that reads."""

    _limits: StoreLimits

    @abstractmethod
    async def _write(
        self, work: Callable[[Connection], T], *locks: Lock, rooms: Rooms = (), orders: Orders[T] | None = None
    ) -> T: ...

    @abstractmethod
    async def _read(self, query: Callable[[Connection], T]) -> T: ...

    async def open_blob(self, new: NewBlob) -> StoredBlob:
        """Makes a row, or gives the one that is there. Raises `NotFound`, `BadMessage`, `Quota` or `StorageFull`."""
        return await self._write(lambda conn: statements.open_blob(conn, new, self._limits), Lock.ACCOUNTS)

    async def blob(self, blob_id: bytes) -> StoredBlob | None:
        """The blob with that id."""
        return await self._read(lambda conn: statements.find_blob(conn, blob_id))

    async def note_received(self, blob_id: bytes, before: int, received: int, expires_ms: int, *, whole: bool) -> bool:
        """Notes how much of a blob is on the disk; False where it is not the one that had ``before``."""
        return await self._write(
            lambda conn: statements.note_received(conn, blob_id, before, received, expires_ms, whole)
        )

    async def blobs(self, owner: str, after: bytes, limit: int) -> Sequence[StoredBlob]:
        """Blobs of an account, in order of id."""
        return await self._read(lambda conn: statements.blobs_of(conn, owner, after, limit))

    async def blob_bytes(self, owner: str = "") -> int:
        """What the blobs of an account, or all, count for."""
        return await self._read(lambda conn: statements.blob_bytes(conn, owner))

    async def due_blobs(self, now_ms: int, limit: int) -> Sequence[bytes]:
        """Blobs that are to go."""
        return await self._read(lambda conn: statements.due_blobs(conn, now_ms, limit))

    async def end_blobs(self, blob_ids: Collection[bytes]) -> None:
        """Ends blobs."""
        await self._write(lambda conn: statements.end_blobs(conn, blob_ids))

    async def forget_blobs(self, blob_ids: Collection[bytes]) -> None:
        """Deletes the rows of ended ones."""
        # As open_blob: the total.
        await self._write(lambda conn: statements.forget_blobs(conn, blob_ids), Lock.ACCOUNTS)

    async def recount_blobs(self) -> None:
        """Puts right what all blobs count for, and logs it."""
        # Read first: where all is well, nobody who writes waits for it.
        noted, counts_for = await self._read(statements.noted_and_counted)
        if noted != counts_for:
            await self._write(statements.recount_blobs, Lock.ACCOUNTS)
            said = "all files count for {counts_for} bytes, and {noted} were noted: put right"
            _log.warn(said, noted=noted, counts_for=counts_for)

    async def begun_blobs(self, after: bytes, limit: int) -> Sequence[StoredBlob]:
        """Blobs of which bytes are on the disk, in order of id."""
        return await self._read(lambda conn: statements.begun_blobs(conn, after, limit))

    async def known_blobs(self, blob_ids: Collection[bytes]) -> Collection[bytes]:
        """Those of these that have a row."""
        return await self._read(lambda conn: statements.known_blobs(conn, blob_ids))
