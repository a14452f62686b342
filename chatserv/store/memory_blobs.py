"""The rows of files in the store in memory."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from chatserv.blob_models import NewBlob, StoredBlob, counted
from chatserv.errors import BadMessage, NotFound, Quota, StorageFull
from chatserv.store.limits import StoreLimits
from chatserv.store.memory_accounts import AccountTable
from chatserv.store.memory_rooms import RoomTable


class BlobCalls(ABC):
    """Each looks into a dictionary, at once."""

    _limits: StoreLimits
    _accounts: AccountTable
    _rooms: RoomTable

    def __init__(self) -> None:
        super().__init__()
        self._blobs: dict[bytes, StoredBlob] = {}
        self._ended_blobs: set[bytes] = set()

    @abstractmethod
    def _check_open(self) -> None: ...

    async def open_blob(self, new: NewBlob) -> StoredBlob:
        """Makes a row, or gives the one that is there. Raises `NotFound`, `BadMessage`, `Quota` or `StorageFull`."""
        self._check_open()
        there = self._blobs.get(new.blob_id)
        if there is not None:
            if new.blob_id in self._ended_blobs or not there.is_begun_by(new):
                raise BadMessage("blob: another one has that id")
            return there
        if self._accounts.account(new.owner) is None or not self._is_open(new.room):
            raise NotFound("blob: account or room")
        own = [each for each in self._blobs.values() if each.owner == new.owner]
        unfinished = sum(not each.whole and each.blob_id not in self._ended_blobs for each in own)
        if unfinished >= self._limits.open_blobs:
            raise Quota("blobs that are not whole")
        if sum(counted(each.size) for each in own) + counted(new.size) > self._limits.blob_account_bytes:
            raise Quota("bytes of blobs")
        if await self.blob_bytes() + counted(new.size) > self._limits.blob_server_bytes:
            raise StorageFull("bytes of all blobs")
        made = StoredBlob(new.blob_id, new.owner, new.room, new.size, new.hash, 0, False, new.now_ms, new.expires_ms)
        self._blobs[new.blob_id] = made
        return made

    def _is_open(self, room_id: bytes) -> bool:
        return any(each.room_id == room_id for each in self._rooms.rooms())

    async def blob(self, blob_id: bytes) -> StoredBlob | None:
        """The blob with that id, where neither it nor its account or room is ended."""
        self._check_open()
        found = self._blobs.get(blob_id)
        return None if found is None or blob_id in self._ended_blobs or self._is_left(found) else found

    def _is_left(self, found: StoredBlob) -> bool:
        """Whether its account or its room has ended."""
        return self._accounts.account(found.owner) is None or not self._is_open(found.room)

    async def note_received(self, blob_id: bytes, before: int, received: int, expires_ms: int, *, whole: bool) -> bool:
        """Notes how much of a blob is on the disk; False where it is not the one that had ``before``."""
        self._check_open()
        found = self._blobs.get(blob_id)
        if found is None or blob_id in self._ended_blobs or found.whole or found.received != before:
            return False
        self._blobs[blob_id] = replace(found, received=received, whole=whole, expires_ms=expires_ms)
        return True

    async def blobs(self, owner: str, after: bytes, limit: int) -> Sequence[StoredBlob]:
        """Blobs of an account, in order of id."""
        self._check_open()
        return [each for each in self._living() if each.owner == owner and each.blob_id > after][:limit]

    async def blob_bytes(self, owner: str = "") -> int:
        """What the blobs of an account, or all, count for."""
        self._check_open()
        return sum(counted(each.size) for each in self._blobs.values() if owner in {"", each.owner})

    async def due_blobs(self, now_ms: int, limit: int) -> Sequence[bytes]:
        """Blobs that are to go."""
        self._check_open()
        ended = [
            each.blob_id
            for each in self._blobs.values()
            if each.blob_id in self._ended_blobs or each.expires_ms <= now_ms or self._is_left(each)
        ]
        return ended[:limit]

    async def end_blobs(self, blob_ids: Collection[bytes]) -> None:
        """Ends blobs."""
        self._check_open()
        self._ended_blobs.update(self._blobs.keys() & set(blob_ids))

    async def forget_blobs(self, blob_ids: Collection[bytes]) -> None:
        """Deletes the rows of ended ones."""
        self._check_open()
        for blob_id in self._ended_blobs & set(blob_ids):
            del self._blobs[blob_id]
            self._ended_blobs.discard(blob_id)

    async def recount_blobs(self) -> None:
        """Does nothing: what all blobs count for is noted nowhere."""
        self._check_open()

    async def begun_blobs(self, after: bytes, limit: int) -> Sequence[StoredBlob]:
        """Blobs of which bytes are on the disk, in order of id."""
        self._check_open()
        return [each for each in self._living() if each.received and each.blob_id > after][:limit]

    async def known_blobs(self, blob_ids: Collection[bytes]) -> Collection[bytes]:
        """Those of these that have a row."""
        self._check_open()
        return self._blobs.keys() & set(blob_ids)

    def _living(self) -> list[StoredBlob]:
        return [self._blobs[blob_id] for blob_id in sorted(self._blobs.keys() - self._ended_blobs)]
