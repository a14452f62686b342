"""Files of all rooms: what is sent, received, kept and dropped, put together for the engine."""

import os
from typing import Final

from chatserv.client.connection.requests import Requests
from chatserv.client.file_events import Attachment, FileLimits, FileState, OwnFile, OwnFiles
from chatserv.client.file_names import safe_file_name
from chatserv.client.files.downloads import Downloads, kept_name
from chatserv.client.files.drops import Drops
from chatserv.client.files.parcels import Parcels
from chatserv.client.files.saving import Saving, open_directory
from chatserv.client.files.sending import Sending, spool_name
from chatserv.client.files.spool import Spool
from chatserv.client.files.uploads import Uploads
from chatserv.client.inbound.content_handler import ContentHandler
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.storage.files import Holding
from chatserv.client.storage.stored_message import StoredMessage, file_of
from chatserv.crypto.e2e.file import largest_file
from chatserv.crypto.file_body import File
from chatserv.errors import NotFound
from chatserv.wire import messages

CACHE_BYTES: Final = 10**9
"""Of sealed bytes that were received, as long as nobody has said otherwise."""
MAX_LISTED: Final = 100_000
_CACHE: Final = "file_cache"
_SIZE: Final = "blob_bytes"
_DAYS: Final = "blob_days"
_DAY_MS: Final = 86_400_000


class Files:
    """All of it.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        rooms: All rooms.
        outbox: Says files that are at the server.
        contents: Shows files, and tells of those that are taken back.
    """

    def __init__(
        self, context: ClientContext, requests: Requests, rooms: Rooms, outbox: Outbox, contents: ContentHandler
    ) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._tables = context.vault.files
        self._spool = Spool(context.directory)
        self._downloads = Downloads(context, requests, rooms, self._spool)
        self._drops = Drops(context, requests)
        sending = Sending(context, requests, outbox, self._spool)
        self.uploads = Uploads(context, rooms, outbox, sending, self._spool)
        self.uploads.limit = self._limit
        self.uploads.drop = lambda blob_id: self._drops.add(blob_id, context.user)
        self.parcels = Parcels(context, rooms, sending, self._downloads, self.uploads.drop, self._spool)
        contents.attach, contents.file_deleted = self.attachment, self._deleted

    # -- what the server takes -----------------------------------------------------------------------------------------

    def announced(self, limits: messages.LimitInfo) -> None:
        """The server says what it takes."""
        self._context.vault.facts.note(_SIZE, limits.blob_bytes.to_bytes(8, "big"))
        self._context.vault.facts.note(_DAYS, int(limits.blob_days * _DAY_MS).to_bytes(8, "big"))

    def _limit(self) -> int | None:
        return self._number(_SIZE)

    def _number(self, fact: str) -> int | None:
        value = self._context.vault.facts.get(fact)
        return None if value is None else int.from_bytes(value, "big")

    @property
    def limits(self) -> FileLimits:
        """What the server takes, as it has said last."""
        size, days_ms = self._limit() or 0, self._number(_DAYS) or 0
        return FileLimits(largest_file(size), days_ms // _DAY_MS)

    # -- the connection ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The client starts: what an earlier run has left in the spool without a use goes."""
        self.sweep()
        self.uploads.tell_kept()
        self.uploads.go()

    def synced(self) -> None:
        """We have caught up."""
        self._downloads.ready(True)
        self.uploads.synced()
        self._drops.go()

    def disconnected(self) -> None:
        """The session is over."""
        self._downloads.ready(False)
        self.uploads.disconnected()

    # -- what is known of a file ---------------------------------------------------------------------------------------

    def attachment(self, message: StoredMessage) -> Attachment | None:
        """The file that a message brings, and how it stands here; None where it brings none."""
        file = file_of(message)
        if file is None:
            return None
        days_ms = self._number(_DAYS) or 0
        expires_ms = message.at_ms + days_ms if days_ms else 0
        return Attachment.of(message.message_id, file, expires_ms, self._state(file, expires_ms))

    def _state(self, file: File, expires_ms: int) -> FileState:
        name = kept_name(file)
        kept, moving = self._tables.kept.get(name), self._downloads.state(name)
        if kept is not None and kept.holding is Holding.WHOLE:
            return FileState.KEPT
        if moving:
            return moving
        gone = kept is not None and kept.holding is Holding.GONE
        return FileState.GONE if gone or 0 < expires_ms < self._context.now_ms() else FileState.THERE

    def _find(self, room: Room, message_id: bytes) -> File:
        message = self._context.vault.archive.by_id(room.room_id, message_id)
        file = None if message is None else file_of(message)
        if file is None:
            raise NotFound("file")
        return file

    # -- what a program asks for ---------------------------------------------------------------------------------------

    async def save(self, room: Room, message_id: bytes, directory: str) -> str:
        """Gets a file and opens it into a directory. Returns its path there. Raises as `RoomHandle.save_file`."""
        file = self._find(room, message_id)
        os.close(open_directory(directory))  # or a long wait would be for nothing
        name = await self._downloads.fetch(room.room_id, message_id, file)
        part = f"{safe_file_name(file.name).encode()[:150].decode(errors='ignore')}.{self._context.random(8).hex()}"
        saving = Saving(self._spool, name, room.room_id, file, directory, part)
        try:
            while await self._context.in_thread(saving.step):
                pass
            path: str = await self._context.in_thread(saving.finish)
        finally:
            saving.close()
        self.bound()
        return path

    def forget(self, room: Room, message_id: bytes) -> None:
        """Forgets the sealed bytes that lie here. Raises `NotFound` where the message brings no file."""
        self._downloads.drop(kept_name(self._find(room, message_id)))

    def pause(self, room: Room, message_id: bytes, *, on: bool) -> None:
        """Stops a file on its way, up or down, or lets it go on. Raises `NotFound` where it is not on its way."""
        if self.uploads.waits(message_id):
            self.uploads.pause(message_id, on=on)
        else:
            self._downloads.pause(kept_name(self._find(room, message_id)), on=on)

    async def own(self) -> OwnFiles:
        """What the server has of ours."""
        found: list[messages.BlobInfo] = []
        used = quota = 0
        more = True
        while more and len(found) < MAX_LISTED:
            page = await self._requests.expect(
                messages.BlobList, messages.ListBlobs, after=found[-1].id if found else b""
            )
            found += page.blobs
            used, quota, more = page.used, page.quota, page.more and bool(page.blobs)
        said = self._tables.said_by(self._context.user)
        waiting = {each.body.blob_id: (each.message_id, each.body) for each in self._tables.uploads.all()}
        return OwnFiles(tuple(self._own(each, {**said, **waiting}) for each in found), used, quota)

    def _own(self, blob: messages.BlobInfo, known: dict[bytes, tuple[bytes, File]]) -> OwnFile:
        room = self._rooms.get(blob.room)
        name = self._rooms.name(room) if room is not None and room.in_it else ""
        message_id, file = known.get(blob.id, (b"", None))
        called = "" if file is None else safe_file_name(file.name)
        return OwnFile(blob.id, name, called, blob.size, blob.received, blob.expires, message_id)

    # -- what goes -----------------------------------------------------------------------------------------------------

    def _deleted(self, target: StoredMessage, ours: bool) -> None:
        """A message was taken back, ``ours``: by this device, which tells the server, unless its author has sent it twice.

        Anybody can name a blob of somebody else: the server drops it only if it is the author's.
        """
        file = file_of(target)
        if file is None:
            return
        self._downloads.drop(kept_name(file))
        if ours and not self._tables.kept.shared(target.room_id, target.sender, file.blob_id):
            self._drops.add(file.blob_id, target.sender)

    @property
    def cache_limit(self) -> int:
        """How many sealed bytes of received files are kept."""
        limit = self._number(_CACHE)
        return CACHE_BYTES if limit is None else limit

    def set_cache_limit(self, size: int) -> None:
        """Keeps so many from now on."""
        self._context.vault.facts.put(_CACHE, size.to_bytes(8, "big"))
        self.bound()

    def bound(self) -> None:
        """What was not used for longest goes, until the rest is within the limit."""
        kept = [each for each in self._tables.kept.all() if each.holding is not Holding.GONE]
        excess = sum(self._spool.size(each.name) for each in kept) - self.cache_limit
        for each in kept:
            if excess <= 0:
                return
            if not self._downloads.state(each.name):
                excess -= self._spool.size(each.name)
                self._downloads.drop(each.name)

    def sweep(self) -> None:
        """What lies here without a message that is kept goes, and what has no place in the tables."""
        self._tables.kept.delete(self._tables.kept.orphans())
        names = [each.name for each in self._tables.kept.all()]
        self._spool.sweep(names + [spool_name(each.message_id) for each in self._tables.uploads.all()])
