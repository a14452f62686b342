"""Whether the program follows, and what it was not shown while it did not."""

from typing import Final

from chatserv.client.inbound.content_handler import ContentHandler
from chatserv.client.inbound.room_queue import RoomQueue
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Rooms, Standing

KEPT_AT_ONCE: Final = 100


class Backlog:
    """Tells the program what the archive has and nobody was shown, in order and in batches, before it follows again.

    Messages that come meanwhile go into the archive, and are told from there.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        contents: Makes events of messages.
        room_queue: Tells messages as they come, where its ``follow`` is set.
    """

    def __init__(self, context: ClientContext, rooms: Rooms, contents: ContentHandler, room_queue: RoomQueue) -> None:
        self._context, self._rooms, self._contents, self._room_queue = context, rooms, contents, room_queue
        self._wanted, self._running = True, False

    def follow(self, wanted: bool) -> None:
        """Says whether the program wants messages; it gets the first ones at once."""
        self._wanted = wanted
        if not wanted:
            self._room_queue.follow = False
        elif not self._running:
            self.again()

    def again(self) -> None:
        """There may be messages that the program was not shown."""
        if self._wanted and not self._running:
            self._running, self._room_queue.follow = True, False
            self._context.spawn(self._run(), "catching up")

    async def _run(self) -> None:
        follow = False
        try:
            while self._wanted and self._tell_batch():
                await self._context.pause(0)  # others have their turn
            follow = self._wanted
        finally:
            self._running, self._room_queue.follow = False, follow

    def _tell_batch(self) -> bool:
        """Tells some messages; says whether there may be more."""
        left = KEPT_AT_ONCE
        for room in self._rooms.ours():
            row = room.row
            if row is None or row.standing is not Standing.IN:
                continue
            last = max(room.told, row.shown)
            for message in self._context.vault.archive.after(room.room_id, last, left):
                if not self._wanted:  # the program has had enough
                    break
                self._context.emit(self._contents.received(room, message))
                room.told = last = message.seq
                left -= 1
            if self._room_queue.marks_shown:
                self._room_queue.mark_shown(room, last)
            if not left:
                return True
        return False
