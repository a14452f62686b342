"""What this device keeps, for our other devices, and what they keep, for this one (docs/rooms.rst 7.8).

It lies at the server as a file does, sealed; what opens it is said in the room of our own devices.
"""

from io import BytesIO
from typing import Final

from twisted.internet.defer import DeferredLock

from chatserv.client.files.failures import NoFiles
from chatserv.client.files.files import Files
from chatserv.client.history.reading import HistoryReader
from chatserv.client.history.writing import HistoryWriter
from chatserv.client.history_results import Exported, HistoryReceived, Imported
from chatserv.client.inbound.content_handler import ContentHandler
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.own.talk import Talk
from chatserv.client.state.context import ClientContext, Interrupted
from chatserv.client.state.rooms import Room, Rooms
from chatserv.client.storage.failures import StorageError
from chatserv.crypto.content import ID_BYTES
from chatserv.crypto.e2e.file import Purpose
from chatserv.crypto.file_body import File
from chatserv.crypto.history_body import MAX_HISTORY_BYTES, History
from chatserv.errors import ChatError, NotFound, Quota, TooLarge

MAX_MESSAGES: Final = 10_000
"""Of each room, the newest; half as many, and so on, where they are more than `MAX_HISTORY_BYTES` together."""
MAX_WAITING: Final = 4
"""Histories that were heard of and are not read yet."""
_HEARD: Final = "history heard "
_SHARED: Final = "history shared"


class Histories:
    """Shares, and takes in what is shared; one at a time.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        contents: Takes what changes a message.
        files: Sends and fetches.
        outbox: Says so.
        talk: Knows whether there is another device.
    """

    def __init__(
        self, context: ClientContext, rooms: Rooms, contents: ContentHandler, files: Files, outbox: Outbox, talk: Talk
    ) -> None:
        self._context, self._rooms, self._contents = context, rooms, contents
        self._files, self._outbox, self._talk = files, outbox, talk
        self._sharing, self._busy = DeferredLock(), False

    # -- what we keep --------------------------------------------------------------------------------------------------

    async def share(self) -> Exported:
        """Gives our other devices what this one keeps. Raises as `OwnDevices.share_history`."""
        await self._sharing.acquire()
        try:
            return await self._share()
        finally:
            self._sharing.release()

    async def _share(self) -> Exported:
        room, limit = self._talk.others(), self._files.limits.size
        if room is None:
            raise NotFound("another device")
        if not limit:
            raise NoFiles
        found, data = await self._lines(min(limit, MAX_HISTORY_BYTES))
        file = await self._files.parcels.send(room.room_id, data, Purpose.HISTORY)
        facts = self._context.vault.facts
        with self._context.vault.transaction():
            before = facts.get(_SHARED)
            self._outbox.put_body(room, History(file.blob_id, file.key, file.hash, file.size))
            facts.put(_SHARED, file.blob_id)
            if before is not None:  # what is in it is in this one too
                self._files.parcels.drop(before)
        return found

    async def _lines(self, most: int) -> tuple[Exported, bytes]:
        rooms = [room for room in self._rooms.ours() if not room.offered and not room.of_devices]
        count = MAX_MESSAGES
        while True:
            data = bytearray()

            def write(line: bytes, data: bytearray = data) -> None:
                if len(data) + len(line) > most:
                    raise TooLarge(f"history: more than {most} bytes")
                data.extend(line)

            try:
                writer = HistoryWriter(self._context, self._rooms, count, proven=True)
                return await writer.fill(write, rooms), bytes(data)
            except TooLarge:
                count //= 2
                if not count:
                    raise

    # -- what others keep ----------------------------------------------------------------------------------------------

    def heard(self, device_id: bytes, history: History) -> list[HistoryReceived]:
        """Another device of ours has shared one: it is fetched from the next turn on, also after a restart.

        Inside the transaction of the message.
        """
        facts = self._context.vault.facts
        if len(facts.beginning(_HEARD)) >= MAX_WAITING:
            label = self._context.vault.own_devices.label(device_id)
            return [HistoryReceived(label, None, Quota(f"{MAX_WAITING} histories wait"))]
        facts.put(_HEARD + history.blob_id.hex(), device_id + history.encode())
        self._context.later(0, self.go)
        return []

    def go(self) -> None:
        """Fetches what was heard of."""
        if not self._busy:
            self._busy = True
            self._context.spawn(self._run(), "histories")

    async def _run(self) -> None:
        facts = self._context.vault.facts
        try:
            while keys := facts.beginning(_HEARD):
                kept = facts.get(keys[0]) or b""
                device_id, history = kept[:ID_BYTES], History.decode(kept[ID_BYTES:])
                imported, problem = None, None
                try:
                    imported = await self._read(history)
                except (Interrupted, StorageError):
                    raise
                except ChatError as error:
                    problem = error
                facts.delete(keys[0])
                self._context.emit(HistoryReceived(self._context.vault.own_devices.label(device_id), imported, problem))
        finally:
            self._busy = False

    async def _read(self, history: History) -> Imported:
        room: Room | None = self._rooms.devices()
        if room is None:
            raise NotFound("the room of our devices")
        file = File(history.blob_id, history.key, history.hash, history.size, "")
        data = await self._files.parcels.fetch(room.room_id, file, Purpose.HISTORY)
        self._context.require_going()
        reader = HistoryReader(self._context, self._rooms, self._contents, proven=True)
        return await reader.take(BytesIO(data))
