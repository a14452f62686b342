"""Removes files that are to go: a few at a time, their rows marked first, then their bytes, then the rows."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from chatserv.blob_models import StoredBlob
from chatserv.blob_ports import SHELVES
from chatserv.commands.context import Context
from chatserv.commands.uploads import Uploads
from chatserv.errors import ReadOnly, WireError

BATCH: Final = 200  # files that go, or are looked at, in one turn
PAUSE_SECONDS: Final = 0.05  # between two turns, so that who chats does not wait behind them


class BlobSweeper:
    """Goes through rows and files now and then.

    Args:
        context: The world.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    async def sweep(self) -> int:
        """Removes what has ended or expired, and what lacks its other half; gives how many.

        What the disk does not let go stays for the next time. Stops where the store fails, or all of the disk does.
        """
        uploads = self._context.uploads
        if uploads is None:
            return 0
        gone = 0
        try:
            await self._context.store.recount_blobs()
            gone += await self._due(uploads)
            gone += await self._other_halves(uploads)
            uploads.used_bytes = await self._context.store.blob_bytes()
        except WireError:  # full, closing, busy: later
            pass
        return gone

    async def _due(self, uploads: Uploads) -> int:
        gone = 0
        while due := await self._context.store.due_blobs(self._context.now_ms(), BATCH):
            dropped = await self._drop(uploads, due)
            gone += dropped
            if not dropped:
                break
            await self._pause()
        return gone

    async def _other_halves(self, uploads: Uploads) -> int:
        gone = 0
        for number in range(SHELVES):
            try:
                found = await uploads.files.shelf(number)
            except ReadOnly:
                # A folder that cannot be read keeps no other from being swept.
                continue
            for start in range(0, len(found), BATCH):
                gone += await self._without_row(uploads, found[start : start + BATCH])
        return gone + await self._without_file(uploads)

    async def _without_row(self, uploads: Uploads, page: Sequence[bytes]) -> int:
        """A row is there before its file, so a file without one is left over from something that was cut short."""
        known = await self._context.store.known_blobs(page)
        strays = [blob_id for blob_id in page if blob_id not in known]
        gone = len(strays)
        if strays:
            gone -= len(await uploads.files.remove(strays))
            self._context.effects.count("blobs_removed", by=gone)
        await self._pause()
        return gone

    async def _without_file(self, uploads: Uploads) -> int:
        """Rows of whose bytes some are not there.

        Where most files are missing the disk itself may be, and no row goes for that: else the next sweep would remove all
        that is on the disk, when it is back.
        """
        rows = missing = short = 0
        async for blobs, sizes in self._begun(uploads):
            await uploads.files.finish([each.blob_id for each in blobs if each.whole])  # where that was cut short
            rows, missing = rows + len(blobs), missing + sum(size < 0 for size in sizes)
            short += len(_short(blobs, sizes))
        if not short or 2 * missing > rows:
            return 0
        gone = 0
        async for blobs, sizes in self._begun(uploads):
            if found := _short(blobs, sizes):
                gone += await self._drop(uploads, found)
        return gone

    async def _begun(self, uploads: Uploads) -> AsyncIterator[tuple[Sequence[StoredBlob], Sequence[int]]]:
        """Rows of which bytes are to be there, a page at a time, with the sizes of their files."""
        after = b""
        while page := await self._context.store.begun_blobs(after, BATCH):
            yield page, await uploads.files.sizes([each.blob_id for each in page])
            after = page[-1].blob_id
            await self._pause()

    async def _drop(self, uploads: Uploads, blob_ids: Sequence[bytes]) -> int:
        gone = await uploads.drop(blob_ids)
        self._context.effects.count("blobs_removed", by=gone)
        return gone

    async def _pause(self) -> None:
        await self._context.effects.pause(PAUSE_SECONDS)


def _short(blobs: Sequence[StoredBlob], sizes: Sequence[int]) -> list[bytes]:
    return [each.blob_id for each, size in zip(blobs, sizes, strict=True) if size < each.received]
