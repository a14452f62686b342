"""Rooms that somebody has put us into: told when their sealed name is here, so that a person is asked about a name."""

from typing import Final

from chatserv.client.events import ClientEvent, RoomOffered, RoomTitled
from chatserv.client.parts import Parts
from chatserv.client.rooms import Room, Rooms, Standing

NAME_SECONDS: Final = 5.0  # a name that has not come by then may never come


class Offers:
    """Holds an offer back for a moment; everything else passes.

    Args:
        parts: The surroundings.
        rooms: For names.
    """

    def __init__(self, parts: Parts, rooms: Rooms) -> None:
        self._parts, self._rooms = parts, rooms
        self._held: dict[bytes, RoomOffered] = {}

    def tell(self, room: Room, event: ClientEvent) -> None:
        """Passes an event of a room on to the program."""
        if isinstance(event, RoomOffered) and self._is_nameless(room):
            self._held[room.room_id] = event
            self._parts.later(NAME_SECONDS, lambda: self._release(room))
        elif isinstance(event, RoomTitled) and room.room_id in self._held:
            self._release(room)
        else:
            self._parts.emit(event)

    def _is_nameless(self, room: Room) -> bool:
        return self._rooms.name(room).startswith("~")

    def _release(self, room: Room) -> None:
        held = self._held.pop(room.room_id, None)
        if held is not None and room.row is not None and room.row.standing is Standing.OFFERED:
            self._parts.emit(RoomOffered(self._rooms.name(room), held.by))
