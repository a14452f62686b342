"""Rooms that somebody has put us into, until we agree: what of them is told, and when.

The offer waits a moment for the room's sealed name, so that a person is asked about a name. Nothing that was said in the
room is told, not even what edits and reactions hold.
"""

from typing import Final

from chatserv.client.events import ClientEvent, RoomJoined, RoomLeft, RoomOffered, RoomTitled
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms, Standing

NAME_SECONDS: Final = 5.0  # a name that has not come by then may never come


class Invitations:
    """Tells events of rooms.

    Args:
        context: What the client's parts share.
        rooms: For names.
    """

    def __init__(self, context: ClientContext, rooms: Rooms) -> None:
        self._context, self._rooms = context, rooms
        self._held: dict[bytes, str] = {}  # who has put us into each room

    def tell(self, room: Room, event: ClientEvent) -> None:
        """Passes an event of a room on to the program, as far as it may know of it."""
        if not room.offered:
            self._held.pop(room.room_id, None)
            if not isinstance(event, RoomOffered):  # out of it again, or agreed to
                self._context.emit(event)
            return
        match event:
            case RoomOffered(by=by) if by in self._context.vault.ignored:
                self._rooms.stand(room, Standing.REFUSED)
            case _ if room.hidden:
                pass
            case RoomOffered(by=by):
                self._offer(room, by)
            case RoomTitled(before=before, by=by):
                if not self._release(room):
                    self._context.emit(RoomTitled(self._rooms.name(room), before, "", by, room.room_id))
            case RoomJoined() | RoomLeft():
                self._context.emit(event)

    def tell_kept(self) -> None:
        """Tells of what waits for our consent since an earlier run."""
        for room in self._rooms.ours():
            if room.offered and not room.hidden:
                self._offer(room, "" if room.row is None else room.row.inviter)

    def _offer(self, room: Room, by: str) -> None:
        self._held[room.room_id] = by
        if self._rooms.name(room).startswith("~"):
            self._context.later(NAME_SECONDS, lambda: self._release(room))
        else:
            self._release(room)

    def _release(self, room: Room) -> bool:
        """Tells an offer that is held; says whether there was one."""
        by = self._held.pop(room.room_id, None)
        if by is None or not room.offered or room.hidden:
            return False
        self._context.emit(RoomOffered(self._rooms.name(room), by, room.room_id))
        return True
