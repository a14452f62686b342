"""Bytes that our programs make and read themselves, sealed at the server as files are, and never on the disk in clear."""

from collections.abc import Callable
from dataclasses import replace

from chatserv.client.files.downloads import Downloads
from chatserv.client.files.failures import FileDamaged
from chatserv.client.files.progress import Progress
from chatserv.client.files.sending import Sending, spool_name
from chatserv.client.files.spool import PIECE_BYTES, Spool
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Rooms
from chatserv.client.storage.files import Stage, Upload
from chatserv.crypto.content import ID_BYTES
from chatserv.crypto.e2e.file import FileOpener, FileSealer, Purpose, sealed_size
from chatserv.crypto.file_body import FILE_HASH_BYTES, FILE_KEY_BYTES, File
from chatserv.errors import Reject


class Parcels:
    """Sends and fetches them, of which programs are told nothing; each is in memory while it is sealed or opened.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        sending: Sends sealed bytes.
        downloads: Fetches them.
        drop: Told of blobs that nobody needs any more.
        spool: Where they lie on the way.
    """

    def __init__(
        self,
        context: ClientContext,
        rooms: Rooms,
        sending: Sending,
        downloads: Downloads,
        drop: Callable[[bytes], None],
        spool: Spool,
    ) -> None:
        self._context, self._rooms, self._sending = context, rooms, sending
        self._downloads, self._spool = downloads, spool
        self.drop = drop

    async def send(self, room_id: bytes, data: bytes, purpose: Purpose) -> File:
        """Sends bytes; what has come to the server of them goes where that fails. Raises as `Sending.send`."""
        random, size = self._context.random, len(data)
        file = File(random(ID_BYTES), random(FILE_KEY_BYTES), bytes(FILE_HASH_BYTES), size, "")
        message_id = random(ID_BYTES)
        name, sealed = spool_name(message_id), sealed_size(size)
        try:
            digest = await self._context.in_thread(self._seal, name, room_id, file, data, purpose)
            file = replace(file, hash=digest)
            now_ms = self._context.now_ms()
            upload = Upload(message_id, room_id, file, "", Stage.SEALED, paused=False, asked=False, at_ms=now_ms)
            progress = Progress(self._context, self._rooms, room_id, message_id, size, sealed, "up", silent=True)
            await self._sending.send(upload, progress, lambda: True)
        except BaseException:
            if not self._context.over:
                self.drop(file.blob_id)
            raise
        finally:
            self._spool.remove(name)
        return file

    def _seal(self, name: str, room_id: bytes, file: File, data: bytes, purpose: Purpose) -> bytes:
        sealer = FileSealer(file.key, room_id, file.size, purpose)
        self._spool.append(name, 0, sealer.update(data) + sealer.finalize())
        return sealer.hash

    async def fetch(self, room_id: bytes, file: File, purpose: Purpose) -> bytes:
        """Gets such bytes; nothing of them stays in the spool. Raises as `Downloads.fetch`."""
        name = await self._downloads.fetch(room_id, file.blob_id, file, silent=True)
        try:
            data: bytes = await self._context.in_thread(self._open, name, room_id, file, purpose)
        except Reject as error:
            raise FileDamaged(error.detail) from None
        finally:
            if not self._context.over:
                self._downloads.drop(name)
        return data

    def _open(self, name: str, room_id: bytes, file: File, purpose: Purpose) -> bytes:
        opener, size, data, at = FileOpener(file.key, room_id, file.size, purpose), sealed_size(file.size), b"", 0
        while at < size:
            sealed = self._spool.read(name, at, min(PIECE_BYTES, size - at))
            data, at = data + opener.update(sealed), at + len(sealed)
        return data + opener.finalize()
