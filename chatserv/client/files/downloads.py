"""Sealed bytes that come from the server into the spool, in pieces, and go on where they were after any interruption."""

from collections import deque
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, DeferredLock

from chatserv.client.connection.requests import Requests
from chatserv.client.file_events import FileState
from chatserv.client.files.failures import FileDamaged, FileGone
from chatserv.client.files.progress import Progress
from chatserv.client.files.spool import PIECE_BYTES, Hashing, Spool
from chatserv.client.files.window import LATE_SECONDS, UNDER_WAY, Window
from chatserv.client.state.context import ClientContext, Interrupted, retry_delay
from chatserv.client.state.rooms import Rooms
from chatserv.client.storage.files import Holding, KeptFile
from chatserv.crypto.e2e.file import sealed_size
from chatserv.crypto.file_body import File
from chatserv.crypto.suite import sha256
from chatserv.errors import ChatError, NotFound
from chatserv.local_errors import LocalFileError
from chatserv.wire import messages
from chatserv.wire.blobs import CHUNK_BYTES

KEPT_BYTES: Final = PIECE_BYTES - (UNDER_WAY + 1) * CHUNK_BYTES
"""What is brought to the disk at once: with what is under way then, no more than a piece comes once more after a kill."""
WAIT_SECONDS: Final = 0.5
"""How often is looked whether a transfer that waits for the connection, or for a person, can go on."""


def kept_name(file: File) -> str:
    """What the sealed bytes of a file are called in the spool: nobody can put others there under this name."""
    return f"{sha256(file.blob_id + file.hash).hex()[:40]}.down"


class Downloads:
    """Fetches files, one at a time.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        rooms: For names.
        spool: Where sealed bytes lie.
    """

    def __init__(self, context: ClientContext, requests: Requests, rooms: Rooms, spool: Spool) -> None:
        self._context, self._requests, self._rooms, self._spool = context, requests, rooms, spool
        self._table = context.vault.files.kept
        self._turns = DeferredLock()
        self._wanted: dict[str, int] = {}  # by name in the spool: how many wait for it
        self._paused: set[str] = set()
        self._dropped: set[str] = set()
        self._ready = False

    def ready(self, now: bool) -> None:
        """Whether we have caught up with the server."""
        self._ready = now

    def state(self, name: str) -> FileState | None:
        """Whether it moves or is paused; None where nobody wants it now."""
        if name not in self._wanted:
            return None
        return FileState.PAUSED if name in self._paused else FileState.MOVING

    def pause(self, name: str, *, on: bool) -> None:
        """Stops one on its way, or lets it go on. Raises `NotFound` where none is on its way."""
        if name not in self._wanted:
            raise NotFound("file")
        if on:
            self._paused.add(name)
        else:
            self._paused.discard(name)

    def drop(self, name: str) -> None:
        """What lies here of it goes, also if it is on its way."""
        if name in self._wanted:
            self._dropped.add(name)
        self._spool.remove(name)
        self._table.delete([name])

    async def fetch(self, room_id: bytes, message_id: bytes, file: File, *, silent: bool = False) -> str:
        """Gets all sealed bytes of a file, and checks them; gives their name in the spool. ``silent``: nobody hears of it.

        Raises:
            FileGone: The server does not have it any more.
            FileDamaged: What it has is not what the sender says.
            LocalFileError: It cannot be kept here.
            ChatError: What the server says otherwise; `Interrupted` where the program ends.
        """
        name, size = kept_name(file), sealed_size(file.size)
        progress = Progress(self._context, self._rooms, room_id, message_id, file.size, size, "down", silent=silent)
        kept = KeptFile(name, room_id, message_id, size, Holding.PIECES, self._context.now_ms())
        self._wanted[name] = self._wanted.get(name, 0) + 1
        try:
            while not await self._turn(kept, file, progress):
                progress.tell(FileState.PAUSED if name in self._paused else FileState.MOVING)
                while name not in self._dropped and (name in self._paused or not self._ready):
                    await self._context.pause(WAIT_SECONDS)
                progress.tell(FileState.MOVING)
        except ChatError as error:
            progress.tell(FileState.FAILED, error)
            raise
        except CancelledError:
            progress.tell(FileState.FAILED)
            raise
        finally:
            self._wanted[name] -= 1
            if not self._wanted[name]:
                del self._wanted[name]
                self._paused.discard(name)
                self._dropped.discard(name)
        progress.tell(FileState.DONE)
        return name

    async def _turn(self, kept: KeptFile, file: File, progress: Progress) -> bool:
        """Goes on while it can, no other file meanwhile. Returns whether all is here, and is what the sender says."""
        await self._turns.acquire()
        try:
            return await self._fetch(kept, file, progress)
        finally:
            self._turns.release()

    async def _fetch(self, kept: KeptFile, file: File, progress: Progress) -> bool:
        self._require_wanted(kept.name)
        before = self._table.get(kept.name)
        if before is not None and before.holding is Holding.WHOLE and self._spool.size(kept.name) == kept.size:
            self._table.put(_now(kept, Holding.WHOLE))
            return True
        self._table.put(kept)
        if not await self._pieces(kept, file, progress):
            return False
        hashing = Hashing(self._spool, kept.name, kept.size)
        while await self._context.in_thread(hashing.step):
            pass
        if hashing.hash != file.hash:
            self.drop(kept.name)
            raise FileDamaged("its bytes have another hash")
        self._table.put(_now(kept, Holding.WHOLE))
        return True

    def _require_wanted(self, name: str) -> None:
        if name in self._dropped:
            self._spool.remove(name)  # a thread may have written the last piece meanwhile
            raise FileGone("taken back")

    async def _pieces(self, kept: KeptFile, file: File, progress: Progress) -> bool:
        """Gets what is missing. Returns whether all is there: else the connection went, or a person has stopped it."""
        try:
            return await self._get(kept, file.blob_id, progress)
        except LocalFileError:
            raise
        except NotFound:
            self._spool.remove(kept.name)
            self._table.put(_now(kept, Holding.GONE))
            raise FileGone from None
        except Interrupted:
            self._context.require_going()
        except ChatError as error:
            if not error.retryable:
                raise
            await self._context.pause(retry_delay(error.after_seconds))
        return False

    async def _get(self, kept: KeptFile, blob_id: bytes, progress: Progress) -> bool:
        window = Window(self._context.seconds)
        waiting = deque[tuple[Deferred[messages.BlobData], int, int, float]]()
        name, size = kept.name, kept.size
        at = here = min(self._spool.size(name), size)
        fresh = bytearray()
        try:
            progress.moved(at)
            while here + len(fresh) < size:
                while at < size and len(waiting) < window.under_way and self._goes_on(name):
                    limit = min(window.size, size - at)
                    asked = self._requests.expect(
                        messages.BlobData, messages.ReadBlob, id=blob_id, offset=at, limit=limit
                    )
                    waiting.append((Deferred.fromCoroutine(asked), at, limit, self._context.seconds()))
                    at += limit
                if not waiting:
                    break
                answer, offset, limit, sent = waiting.popleft()
                together = answer.called and window.size < CHUNK_BYTES
                data = await answer
                window.answered(limit, sent)
                if (data.size, data.offset, len(data.data)) != (size, offset, limit):
                    raise FileDamaged("it has another size than was announced")
                fresh += data.data
                progress.moved(here + len(fresh))
                if len(fresh) >= KEPT_BYTES:
                    here += await self._keep(name, here, fresh)
                if together:  # with the one before it, in one line; asked for together, they would go on so
                    await self._context.pause(min((self._context.seconds() - sent) / UNDER_WAY, LATE_SECONDS))
        finally:
            for answer, *_ in waiting:
                answer.addErrback(lambda _: None)
            if fresh and name not in self._dropped and not self._context.over:
                here += await self._keep(name, here, fresh)
        self._require_wanted(name)
        return here == size

    def _goes_on(self, name: str) -> bool:
        return name not in self._paused and name not in self._dropped

    async def _keep(self, name: str, here: int, fresh: bytearray) -> int:
        data = bytes(fresh)
        fresh.clear()
        await self._context.in_thread(self._spool.append, name, here, data)
        return len(data)


def _now(kept: KeptFile, holding: Holding) -> KeptFile:
    return KeptFile(kept.name, kept.room_id, kept.message_id, kept.size, holding, kept.used_ms)
