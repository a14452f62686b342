"""What was said in a conversation that more than one room holds, as if it were one (docs/rooms.rst 5.2, direct messages)."""

from collections.abc import Sequence

from chatserv.client.state.rooms import Room
from chatserv.client.storage.messages import Archive
from chatserv.client.storage.stored_message import StoredMessage

Kept = tuple[Room, StoredMessage, int]
"""A message, the room that it is of, and its place in the conversation."""


class Past:
    """The rooms of a conversation, one behind the other.

    Places in the newest room are its own. In the ones before they go down from -1, so that they rise with time throughout.

    Args:
        archive: What is kept.
        rooms: The newest first.
    """

    def __init__(self, archive: Archive, rooms: Sequence[Room]) -> None:
        self._archive = archive
        self._parts: list[tuple[Room, int]] = []  # with what has to be added to a place of the conversation
        shift = 0
        for room in rooms:
            if self._parts:
                newest = archive.last(room.room_id, 1, None)
                shift += 1 + max(0 if room.row is None else room.row.cursor, newest[0].seq if newest else 0)
            self._parts.append((room, shift))

    def place(self, room: Room, seq: int) -> int:
        """Where a message of one of the rooms stands."""
        return next((seq - shift for each, shift in self._parts if each is room), seq)

    def last(self, limit: int, before: int | None) -> list[Kept]:
        """The last ones before a place, or of all; oldest first."""
        found: list[Kept] = []
        for room, shift in self._parts:
            if limit > len(found):
                place = None if before is None else before + shift
                kept = self._archive.last(room.room_id, limit - len(found), place)
                found = [(room, message, message.seq - shift) for message in kept] + found
        return found

    def after(self, place: int, limit: int) -> list[Kept]:
        """The first ones behind a place."""
        found: list[Kept] = []
        for room, shift in reversed(self._parts):
            if limit > len(found) and (shift == 0 or place < 0):
                kept = self._archive.after(room.room_id, max(0, place + shift), limit - len(found))
                found += [(room, message, message.seq - shift) for message in kept]
        return found

    def since(self, at_ms: int, limit: int) -> list[Kept]:
        """The first ones that the server took at a moment or later."""
        found: list[Kept] = []
        for room, shift in reversed(self._parts):
            if limit > len(found):
                kept = self._archive.since(room.room_id, at_ms, limit - len(found))
                found += [(room, message, message.seq - shift) for message in kept]
        return found
