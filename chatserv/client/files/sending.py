"""One sealed file on its way to the server, in pieces."""

from collections import deque
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred

from chatserv.client.connection.requests import Requests
from chatserv.client.files.failures import FileDamaged
from chatserv.client.files.progress import Progress
from chatserv.client.files.spool import SMALL_BYTES, Spool
from chatserv.client.files.window import Window
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.state.context import ClientContext
from chatserv.client.storage.files import Upload
from chatserv.crypto.e2e.file import sealed_size
from chatserv.errors import BadMessage, NotFound
from chatserv.wire import messages
from chatserv.wire.blobs import BadBlob

AGAIN: Final = 3
"""How often a file is begun anew that the server says it has not, or has wrong."""

WAIT_SECONDS: Final = 0.5
"""How often a server is asked that has all of a file, and has not said yet that it is whole."""


def spool_name(message_id: bytes) -> str:
    """What the sealed bytes of an upload are called in the spool."""
    return f"{message_id.hex()}.up"


class Sending:
    """Sends what is sealed.

    Args:
        context: What the client's parts share.
        requests: Sends.
        outbox: Has what people say, which goes first.
        spool: Where the sealed bytes lie.
    """

    def __init__(self, context: ClientContext, requests: Requests, outbox: Outbox, spool: Spool) -> None:
        self._context, self._requests, self._outbox, self._spool = context, requests, outbox, spool

    async def send(self, upload: Upload, progress: Progress, goes_on: Callable[[], bool]) -> bool:
        """Sends what the server has not got. Returns whether it has all of it: else ``goes_on`` has stopped it.

        Raises:
            FileDamaged: The server does not take it, again and again.
            ChatError: What it says otherwise, and `Interrupted`.
        """
        body, size, failed = upload.body, sealed_size(upload.body.size), 0
        while True:
            blob = await self._requests.expect(
                messages.Blob, messages.OpenBlob, room=upload.room_id, id=body.blob_id, size=size, hash=body.hash
            )
            if not blob.whole and blob.received >= size and goes_on():  # it looks at what has come, or says so
                await self._context.pause(WAIT_SECONDS)
                continue
            try:
                return blob.whole or await self._put(upload, blob.received, size, progress, goes_on)
            except (NotFound, BadMessage, BadBlob):  # it has expired there, or arrived wrong
                if not goes_on():
                    return False
                failed += 1
                if failed > AGAIN:
                    raise FileDamaged("the server does not take it") from None

    async def _put(
        self, upload: Upload, received: int, size: int, progress: Progress, goes_on: Callable[[], bool]
    ) -> bool:
        window, waiting = Window(self._context.seconds), deque[tuple[Deferred[messages.Blob], int, float]]()
        at, read = received, b""
        progress.moved(received)
        try:
            while True:
                while at < size and len(waiting) < window.under_way and goes_on():
                    # A line of its own: two in one would be answered together from then on.
                    await self._context.pause(0)
                    while self._outbox.leaving:
                        await self._context.pause(0)
                    read = read or await self._read(upload, at, size)
                    piece, read = read[: window.size], read[window.size :]
                    put = self._requests.expect(
                        messages.Blob, messages.PutChunk, id=upload.body.blob_id, offset=at, data=piece
                    )
                    waiting.append((Deferred.fromCoroutine(put), len(piece), self._context.seconds()))
                    at += len(piece)
                if not waiting:
                    return False
                answer, length, sent = waiting.popleft()
                blob = await answer
                window.answered(length, sent)
                progress.moved(blob.received)
                if blob.whole:
                    return True
                if at == size and not waiting:
                    raise BadMessage("blob: not whole at its end")
        finally:
            for answer, *_ in waiting:
                answer.addErrback(lambda _: None)

    async def _read(self, upload: Upload, at: int, size: int) -> bytes:
        many = min(SMALL_BYTES, size - at)
        read: bytes = await self._context.in_thread(self._spool.read, spool_name(upload.message_id), at, many)
        return read
