"""Files on their way to the server: sealed into the spool, sent in pieces, and said in the room when all of it is there.

What is stored says how far each is, so a restart goes on where it was: the sealed bytes are what is resumed, and the server
says how many of them it has. One file moves at a time, in the order in which they were sent.
"""

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from mimetypes import guess_type
from typing import Final

from chatserv.client.events import SendFailed
from chatserv.client.file_events import FileState, Preview
from chatserv.client.file_names import safe_file_name
from chatserv.client.files.failures import FileInvalid, NoFiles
from chatserv.client.files.progress import Progress
from chatserv.client.files.sending import Sending, spool_name
from chatserv.client.files.spool import Sealing, Spool, open_source
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.outbound.pending import queued, waiting_message
from chatserv.client.state.context import ClientContext, Interrupted, retry_delay
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.storage.failures import StorageError
from chatserv.client.storage.files import Stage, Upload
from chatserv.crypto.content import ID_BYTES
from chatserv.crypto.e2e.file import largest_file, sealed_size
from chatserv.crypto.file_body import FILE_HASH_BYTES, FILE_KEY_BYTES, MAX_MIME_BYTES, MAX_WORDS_BYTES, File
from chatserv.domain.texts import valid_text
from chatserv.errors import ChatError, NotFound, NotMember, Quota, Reject, TooLarge

MAX_UPLOADS: Final = 100
"""That wait for the server."""


class Uploads:
    """All of them.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        outbox: Says a file when it is at the server.
        sending: Sends sealed bytes.
        spool: Where they lie.

    Attributes:
        limit: The largest sealed size that the server takes; None where that is not known, 0: it takes none.
        drop: Told of a blob that is of no use any more.
    """

    limit: Callable[[], int | None]
    drop: Callable[[bytes], None]

    def __init__(self, context: ClientContext, rooms: Rooms, outbox: Outbox, sending: Sending, spool: Spool) -> None:
        self._context, self._rooms, self._outbox = context, rooms, outbox
        self._sending, self._spool = sending, spool
        self._table = context.vault.files.uploads
        self._ready = self._moving = False
        self._said = {upload.message_id for upload in self._table.all() if upload.stage is Stage.SAID}
        self._progress: dict[bytes, Progress] = {}
        self.sent_from: dict[bytes, tuple[str, Preview | None]] = {}  # of those of this run that failed: to send again

    # -- what a program asks for ---------------------------------------------------------------------------------------

    def send(self, room: Room, path: str, words: str, preview: Preview | None, asked: bytes | None) -> bytes:
        """Takes a file in; it is read, sealed and sent when it can be. Returns the id of its message.

        Raises:
            NotMember: We are not in the room.
            FileInvalid: It is no regular file, or the preview is none.
            NoFiles, TooLarge: The server takes none, or none of this size.
            Quota: Too many wait already.
            TextInvalid: The words cannot be said.
        """
        if not room.in_it:
            raise NotMember(f"room {self._rooms.name(room)}")
        if self._table.count() >= MAX_UPLOADS:
            raise Quota(f"{MAX_UPLOADS} files wait for the server")
        file = self._file(path, valid_text(words, MAX_WORDS_BYTES), preview)
        message_id = asked or self._context.random(ID_BYTES)
        now_ms, vault = self._context.now_ms(), self._context.vault
        with vault.transaction(wait=False):
            where = (message_id, room.room_id, file, os.path.abspath(path), Stage.CHOSEN)
            self._table.add(Upload(*where, paused=False, asked=asked is not None, at_ms=now_ms))
            if asked is not None:
                vault.asked.begin(asked)
                self._outbox.giving_up.others.add(asked)
        self.sent_from[message_id] = (path, preview)
        self._tell_queued(room, message_id, file, now_ms, FileState.MOVING)
        self.go()
        return message_id

    def _file(self, path: str, words: str, preview: Preview | None) -> File:
        descriptor, facts = open_source(path)
        os.close(descriptor)
        limit, size = self.limit(), facts.st_size
        if limit == 0:
            raise NoFiles
        if limit is not None and sealed_size(size) > limit:
            raise TooLarge(f"file: {size} bytes, at most {largest_file(limit)}")
        name = safe_file_name(os.fsencode(os.path.basename(path)).decode(errors="replace"))
        mime = (guess_type(name)[0] or "")[:MAX_MIME_BYTES]
        picture = (0, 0, b"") if preview is None else (preview.width, preview.height, preview.data)
        random = self._context.random
        try:
            return File(
                random(ID_BYTES), random(FILE_KEY_BYTES), bytes(FILE_HASH_BYTES), size, name, mime, *picture, words
            )
        except Reject as error:
            raise FileInvalid(error.detail) from None

    def pause(self, message_id: bytes, *, on: bool) -> None:
        """Stops one on its way, or lets it go on. Raises `NotFound`."""
        upload = self._table.get(message_id)
        if upload is None or upload.stage is Stage.SAID:
            raise NotFound("file")
        self._table.pause(message_id, on=on)
        self._show(upload, FileState.PAUSED if on else FileState.MOVING)
        self.go()

    def discard(self, message_id: bytes) -> bool:
        """Gives one up that has not been said; whether there was one."""
        upload = self._table.get(message_id)
        if upload is None or upload.stage is Stage.SAID:
            return False
        self._forget(upload, drop=True)
        self._outbox.waiting.drop(message_id)
        return True

    @property
    def own(self) -> int:
        """How many wait that this program has sent, or an earlier run of it."""
        return sum(not upload.asked and upload.stage is not Stage.SAID for upload in self._table.all())

    def forget_unsent(self, ids: Collection[bytes] | None = None) -> list[bytes]:
        """Gives up those of this run, or with these ids of a program that has joined; says which."""
        wanted = self.sent_from if ids is None else ids
        uploads = [each for each in self._table.all() if each.message_id in wanted and each.asked is not (ids is None)]
        return [upload.message_id for upload in uploads if self.discard(upload.message_id)]

    def waits(self, message_id: bytes) -> bool:
        """Whether a file is on its way, and not yet in the outbox."""
        upload = self._table.get(message_id)
        return upload is not None and upload.stage is not Stage.SAID

    # -- the connection ------------------------------------------------------------------------------------------------

    def tell_kept(self) -> None:
        """Tells of those that an earlier run has left."""
        for upload in self._table.all():
            room = self._rooms.get(upload.room_id)
            if upload.stage is not Stage.SAID and room is not None and room.in_it:
                state = FileState.PAUSED if upload.paused else FileState.MOVING
                self._tell_queued(room, upload.message_id, upload.body, upload.at_ms, state)

    def synced(self) -> None:
        """We have caught up: what waits may go."""
        self._ready = True
        self.settle()
        self.go()

    def disconnected(self) -> None:
        """The session is over."""
        self._ready = False

    def settle(self) -> None:
        """Forgets those whose messages are stored, with what was sealed for them, and those whose messages failed."""
        for message_id in tuple(self._said):
            upload = self._table.get(message_id)
            if upload is None:
                self._said.discard(message_id)
            elif self._context.vault.outbox.get(message_id) is None:
                self._said.discard(message_id)
                stored = self._context.vault.archive.by_id(upload.room_id, message_id) is not None
                self._forget(upload, drop=not stored)

    # -- moving --------------------------------------------------------------------------------------------------------

    def go(self) -> None:
        """Moves what waits, one after the other, from the next turn on: whoever sends one has its `Sent` by then."""
        if not self._moving:
            self._moving = True
            self._context.later(0, lambda: self._context.spawn(self._run(), "files"))

    async def _run(self) -> None:
        try:
            while (upload := self._next()) is not None:
                await self._one(upload)
        finally:
            self._moving = False

    def _next(self) -> Upload | None:
        for upload in self._table.all():
            if not upload.paused and (upload.stage is Stage.CHOSEN or (self._ready and upload.stage is Stage.SEALED)):
                return upload
        return None

    async def _one(self, upload: Upload) -> None:
        room = self._rooms.get(upload.room_id)
        try:
            if room is None or not room.in_it:
                raise NotMember("room")
            if upload.stage is Stage.CHOSEN:
                await self._seal(upload)
            else:
                await self._move(room, upload)
        except StorageError:
            raise
        except Interrupted:
            self._context.require_going()
        except ChatError as error:
            if error.retryable and room is not None:
                self._outbox.delay(room, error)
                await self._context.pause(retry_delay(error.after_seconds))
            else:
                self._fail(upload, error)

    async def _seal(self, upload: Upload) -> None:
        name = spool_name(upload.message_id)
        sealing = Sealing(self._spool, name, upload)
        try:
            while await self._context.in_thread(sealing.step) and self._table.get(upload.message_id) is not None:
                pass
        finally:
            sealing.close()
        if self._table.get(upload.message_id) is None:  # given up meanwhile
            self._spool.remove(name)
            return
        with self._context.vault.transaction(wait=False):
            self._table.sealed(upload.message_id, replace(upload.body, hash=sealing.hash))
        await self._context.keeping.kept()  # or other bytes could be sealed for what the server has begun

    async def _move(self, room: Room, upload: Upload) -> None:
        progress = self._progress[upload.message_id] = self._new_progress(upload)
        try:
            if await self._sending.send(upload, progress, lambda: self._goes_on(upload)):
                self._say(room, upload)
                progress.tell(FileState.DONE)
            elif self._table.get(upload.message_id) is None:  # given up meanwhile
                self.drop(upload.body.blob_id)
        finally:
            self._progress.pop(upload.message_id, None)

    def _goes_on(self, upload: Upload) -> bool:
        now = self._table.get(upload.message_id)
        return now is not None and not now.paused

    def _say(self, room: Room, upload: Upload) -> None:
        with self._context.vault.transaction(wait=False):
            if self._table.get(upload.message_id) is None:  # given up meanwhile
                return
            asked = upload.message_id if upload.asked else None
            self._table.said(upload.message_id)
            self._outbox.put_body(room, upload.body, asked, upload.message_id)
        self._said.add(upload.message_id)

    # -- ends ----------------------------------------------------------------------------------------------------------

    def _fail(self, upload: Upload, error: ChatError) -> None:
        if self._table.get(upload.message_id) is None:
            return
        self._forget(upload, drop=upload.stage is not Stage.CHOSEN)
        self._show(upload, FileState.FAILED, error)
        self._outbox.waiting.failed(upload.message_id, error)
        self._context.emit(SendFailed(upload.message_id, error, upload.room_id))

    def _forget(self, upload: Upload, *, drop: bool) -> None:
        with self._context.vault.transaction(wait=False):
            self._table.delete(upload.message_id)
            if drop:
                self.drop(upload.body.blob_id)
        self._spool.remove(spool_name(upload.message_id))
        if len(self.sent_from) > 2 * MAX_UPLOADS:
            self.sent_from.pop(next(iter(self.sent_from)))

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _tell_queued(self, room: Room, message_id: bytes, file: File, at_ms: int, state: FileState) -> None:
        message = waiting_message(message_id, file, at_ms, state)
        if message is not None:
            self._outbox.waiting.put_message(room.room_id, message)
            self._context.emit(queued(self._rooms.name(room), message, room.room_id))

    def _show(self, upload: Upload, state: FileState, error: ChatError | None = None) -> None:
        progress = self._progress.get(upload.message_id) or self._new_progress(upload)
        self._outbox.waiting.file_moved(upload.message_id, progress.done, state)
        progress.tell(state, error)

    def _new_progress(self, upload: Upload) -> Progress:
        size = upload.body.size
        where = (upload.room_id, upload.message_id, size, sealed_size(size), "up")
        told = self._outbox.waiting.file_moved
        return Progress(self._context, self._rooms, *where, lambda done: told(upload.message_id, done, None))
