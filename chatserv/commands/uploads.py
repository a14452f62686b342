"""How far the blobs are that somebody uploads or reads here: on the disk and in the store, in this order.

The store says how much of a blob is on the disk for good, each half MiB. What came after that is known here alone: after a
restart, or on another node, the client goes on from what the store says, and no byte of before is trusted.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from msgspec.structs import replace

from chatserv.blob_models import NewBlob, StoredBlob
from chatserv.blob_ports import BlobFiles, BlobStore
from chatserv.commands.effects import Effects
from chatserv.errors import BadMessage, Busy, NotFound, ReadOnly, StorageFull
from chatserv.failpoints import failpoint
from chatserv.live_settings import LiveSettings
from chatserv.wire.blobs import BadBlob

SYNC_BYTES: Final = 1 << 19
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


class Upload:
    """A blob as it is here.

    Attributes:
        blob: As the store has it.
        position: Where the next piece begins.
        parts: Hashes all pieces, where they have come here from the first one on; else None.
        broken: The disk has failed it: nothing of it counts but what the store has.
    """

    __slots__ = ("blob", "broken", "parts", "position")

    def __init__(self, blob: StoredBlob) -> None:
        self.blob, self.position, self.broken = blob, blob.received, False
        self.parts = None if blob.received else hashlib.sha256()

    @property
    def told(self) -> StoredBlob:
        """The same as the client has to go on."""
        return replace(self.blob, received=self.position)


class Uploads:
    """All of them that were used last.

    Args:
        files: Where the bytes are.
        store: Where the rows are.
        settings: How long blobs are kept, and how many are remembered here.
        effects: The clock.

    Attributes:
        used_bytes: What all files counted for when it was last looked.
    """

    def __init__(self, files: BlobFiles, store: BlobStore, settings: LiveSettings, effects: Effects) -> None:
        self.files, self.used_bytes = files, 0
        self._store, self._settings, self._effects = store, settings, effects
        self._known: OrderedDict[bytes, Upload] = OrderedDict()

    async def begin(self, new: NewBlob) -> Upload:
        """Begins a blob, or finds the one that was begun alike. Raises as `BlobStore.open_blob`."""
        blob = await self._store.open_blob(new)
        if blob.expires_ms <= self._effects.now_ms():
            await self.drop([blob.blob_id])
            blob = await self._store.open_blob(new)
        known = self._known.get(blob.blob_id)
        if known is not None and (known.blob.received, known.blob.whole) == (blob.received, blob.whole):
            self._known.move_to_end(blob.blob_id)
            return known
        if not blob.received:
            # A store that was restored may have no row of what lies there, which is final.
            if await self.files.remove([blob.blob_id]):
                raise ReadOnly("blob: what lies in its place")
            meanwhile = self._known.get(blob.blob_id)
            if meanwhile is not None and meanwhile is not known:
                return meanwhile
        return self._remember(blob)

    async def find(self, blob_id: bytes, *, whole: bool = False) -> Upload:
        """The blob with that id. Raises `NotFound`: there is none, or none any more.

        Args:
            blob_id: Of the blob.
            whole: Whether it may be more than is known here: another node may have made it whole.
        """
        known = self._known.get(blob_id)
        if known is None or (whole and not known.blob.whole):
            blob = await self._store.blob(blob_id)
            if blob is None:
                raise NotFound("blob")
            # Meanwhile somebody may have begun it here, and gone on with it.
            known = self._known.get(blob_id)
            if known is None or (blob.whole and not known.blob.whole):
                known = self._remember(blob)
        if known.blob.expires_ms <= self._effects.now_ms():
            raise NotFound("blob: expired")
        if blob_id in self._known:  # it may have gone while the store was asked
            self._known.move_to_end(blob_id)
        return known

    def _remember(self, blob: StoredBlob) -> Upload:
        upload = self._known[blob.blob_id] = Upload(blob)
        self._known.move_to_end(blob.blob_id)
        if len(self._known) > self._settings.limits.blobs_known:
            self._known.popitem(last=False)
        return upload

    async def put(self, upload: Upload, offset: int, data: bytes) -> StoredBlob:
        """Takes the next piece, and says how far the blob is then; one that is there already is not written again.

        Raises:
            BadMessage: It does not begin where the last one ended, or goes beyond the end.
            BadBlob: It was the last one, and all of them do not have the hash: the blob is dropped.
            NotFound, StorageFull, ReadOnly, Busy: It was not written, and the client has to ask how far the blob is.
        """
        blob, end = upload.blob, offset + len(data)
        if blob.whole or offset < upload.position:
            return upload.told
        if offset > upload.position or end > blob.size:
            raise BadMessage("blob: not the next piece")
        upload.position = end
        if upload.parts is not None:
            upload.parts.update(data)
        try:
            await self.files.write(blob.blob_id, offset, data)
            if end == blob.size:
                await self._finish(upload)
            elif end // SYNC_BYTES > offset // SYNC_BYTES:
                if not await self.files.has_place(0, self._settings.limits.blob_disk_share):
                    raise StorageFull("blob: the disk")  # many were begun while there was place
                await self._keep(upload, end)
        except BaseException:
            upload.broken = True
            self._forget(upload)
            raise
        return replace(upload.blob, received=end)

    async def _finish(self, upload: Upload) -> None:
        blob = upload.blob
        found = await self.files.digest(blob.blob_id) if upload.parts is None else upload.parts.digest()
        if found != blob.hash:
            await self.drop([blob.blob_id])
            raise BadBlob("blob: another hash")
        await self._keep(upload, blob.size)
        await self.files.finish([blob.blob_id])  # only now: what the store does not know to be whole has to go on

    async def _keep(self, upload: Upload, end: int) -> None:
        """Has all up to ``end`` on the disk, and then in the store."""
        blob_id = upload.blob.blob_id
        await self.files.sync(blob_id)
        whole, limits = end == upload.blob.size, self._settings.limits
        kept_ms = self._settings.config.blob_days * DAY_MS if whole else limits.blob_open_hours * HOUR_MS
        expires_ms = self._effects.now_ms() + round(kept_ms)
        while upload.blob.received < end:  # two may be under way, and the store does the first one first
            before = upload.blob.received
            if upload.broken:
                raise Busy("blob: an earlier piece is missing")
            failpoint("blob.noting")
            if await self._store.note_received(blob_id, before, end, expires_ms, whole=whole):
                upload.blob = replace(upload.blob, received=end, whole=whole, expires_ms=expires_ms)
                failpoint("blob.noted")
            elif upload.blob.received == before:
                raise NotFound("blob: dropped, or uploaded elsewhere too")

    async def drop(self, blob_ids: Collection[bytes]) -> int:
        """Ends blobs, for everybody at once; then their bytes go, then their rows. What is left behind a sweep finds.

        Gives how many have gone: not those whose files the disk does not let go.
        """
        await self._store.end_blobs(blob_ids)
        for blob_id in blob_ids:
            upload = self._known.pop(blob_id, None)
            if upload is not None:
                upload.broken = True
        left = await self.files.remove(blob_ids)
        gone = [blob_id for blob_id in blob_ids if blob_id not in left]
        await self._store.forget_blobs(gone)
        return len(gone)

    def forget(self, owner: str = "", room: bytes = b"") -> None:
        """An account, or a room, has ended: whatever it had is asked of the store from now on."""
        for upload in list(self._known.values()):
            if upload.blob.owner == owner or upload.blob.room == room:
                self._forget(upload)

    def _forget(self, upload: Upload) -> None:
        if self._known.get(upload.blob.blob_id) is upload:
            del self._known[upload.blob.blob_id]
