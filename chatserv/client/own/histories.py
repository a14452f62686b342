"""What this device keeps, for our other devices and for newcomers to a room, and what others keep, for this one.

It lies at the server as a file does, sealed; what opens it is said in the room that it is for (docs/rooms.rst 7.8).
"""

from dataclasses import dataclass
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
from chatserv.client.storage.stored_message import StoredMessage
from chatserv.crypto.content import ID_BYTES
from chatserv.crypto.e2e.file import Purpose
from chatserv.crypto.file_body import File
from chatserv.crypto.history_body import HISTORY_BYTES, MAX_HISTORY_BYTES, History
from chatserv.crypto.room_state import Kind, Role
from chatserv.errors import ChatError, Forbidden, NotFound, Quota, TooLarge

MAX_MESSAGES: Final = 10_000
"""Of each room, the newest; half as many, and so on, where they are more than `MAX_HISTORY_BYTES` together."""
MAX_WAITING: Final = 4
"""Histories that were heard of and are not read yet: so many of our devices, and so many of all rooms."""
_HEARD: Final = "history heard "
_HEARD_IN: Final = "history heard-in "
_SHARED: Final = "history shared"


@dataclass(frozen=True)
class _Heard:
    """A history that is to be fetched; where it is a room's and no device's of ours, ``sender`` has shared it."""

    device_id: bytes
    history: History
    room_id: bytes = b""
    sender: str = ""

    def encode(self) -> bytes:
        return self.device_id + self.history.encode() + self.room_id + self.sender.encode()

    @classmethod
    def decode(cls, data: bytes) -> "_Heard":
        room, sender = ID_BYTES + HISTORY_BYTES, 2 * ID_BYTES + HISTORY_BYTES
        return cls(data[:ID_BYTES], History.decode(data[ID_BYTES:room]), data[room:sender], data[sender:].decode())


def _may_share(room: Room, user: str) -> bool:
    """Whether the room's state lets this user give newcomers what was said before."""
    state = room.state
    role = None if state is None else state.role(user)
    allowed = state is not None and state.policy.kind is Kind.ROOM and state.policy.history
    return allowed and role is not None and role >= Role.MODERATOR


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
            room = self._talk.others()
            if room is None:
                raise NotFound("another device")
            rooms = [each for each in self._rooms.ours() if not each.offered and not each.of_devices]
            return await self._share(room, rooms, _SHARED)
        finally:
            self._sharing.release()

    async def share_in(self, room: Room) -> Exported:
        """Gives a room's members what this device keeps of it. Raises as `RoomHandle.share_history`."""
        await self._sharing.acquire()
        try:
            if not room.in_it:
                raise NotFound("room")
            if not _may_share(room, self._context.user):
                raise Forbidden("for moderators and owners, where the room's rules allow it")
            return await self._share(room, [room], f"{_SHARED} {room.room_id.hex()}")
        finally:
            self._sharing.release()

    async def _share(self, room: Room, rooms: list[Room], shared: str) -> Exported:
        limit = self._files.limits.size
        if not limit:
            raise NoFiles
        found, data = await self._lines(rooms, min(limit, MAX_HISTORY_BYTES))
        file = await self._files.parcels.send(room.room_id, data, Purpose.HISTORY)
        facts = self._context.vault.facts
        with self._context.vault.transaction():
            before = facts.get(shared)
            self._outbox.put_body(room, History(file.blob_id, file.key, file.hash, file.size))
            facts.put(shared, file.blob_id)
            if before is not None:  # what is in it is in this one too
                self._files.parcels.drop(before)
        return found

    async def _lines(self, rooms: list[Room], most: int) -> tuple[Exported, bytes]:
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
        return self._hear(_HEARD, _Heard(device_id, history))

    def heard_in(self, room: Room, message: StoredMessage, history: History) -> list[HistoryReceived]:
        """Somebody has shared one in a room. It counts from owners and moderators, where the room's state allows it.

        Inside the transaction of the message, while the room's state is the one that it was said in.
        """
        ours = message.device_id == self._context.device_id
        ignored = message.sender in self._context.vault.ignored
        if ours or ignored or room.offered or not _may_share(room, message.sender):
            return []
        return self._hear(_HEARD_IN, _Heard(message.device_id, history, room.room_id, message.sender))

    def _hear(self, key: str, heard: _Heard) -> list[HistoryReceived]:
        facts = self._context.vault.facts
        if len(facts.beginning(key)) >= MAX_WAITING:
            return [self._received(heard, None, Quota(f"{MAX_WAITING} histories wait"))]
        facts.put(key + heard.history.blob_id.hex(), heard.encode())
        self._context.later(0, self.go)
        return []

    def _received(self, heard: _Heard, imported: Imported | None, error: ChatError | None) -> HistoryReceived:
        if not heard.room_id:
            return HistoryReceived(self._context.vault.own_devices.label(heard.device_id), imported, error)
        room = self._rooms.get(heard.room_id)
        name = "" if room is None else self._rooms.name(room)
        return HistoryReceived("", imported, error, name, heard.sender, heard.room_id)

    def go(self) -> None:
        """Fetches what was heard of."""
        if not self._busy:
            self._busy = True
            self._context.spawn(self._run(), "histories")

    async def _run(self) -> None:
        facts = self._context.vault.facts
        try:
            while keys := facts.beginning(_HEARD) + facts.beginning(_HEARD_IN):
                heard = _Heard.decode(facts.get(keys[0]) or b"")
                imported, problem = None, None
                try:
                    imported = await self._read(heard)
                except (Interrupted, StorageError):
                    raise
                except ChatError as error:
                    problem = error
                facts.delete(keys[0])
                self._context.emit(self._received(heard, imported, problem))
        finally:
            self._busy = False

    async def _read(self, heard: _Heard) -> Imported:
        history = heard.history
        room: Room | None = self._rooms.get(heard.room_id) if heard.room_id else self._rooms.devices()
        if room is None or not room.in_it:
            raise NotFound("the room of the history")
        file = File(history.blob_id, history.key, history.hash, history.size, "")
        data = await self._files.parcels.fetch(room.room_id, file, Purpose.HISTORY)
        self._context.require_going()
        whose, where = heard.sender or None, heard.room_id or None
        reader = HistoryReader(self._context, self._rooms, self._contents, proven=True, sharer=whose, newcomer_to=where)
        return await reader.take(BytesIO(data))
