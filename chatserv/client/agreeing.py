"""Tells the server which rooms we agree to be in, of those that others took us into.

It counts the others apart, so that nobody uses up the rooms that we may have (docs/protocol.rst, "Commits").
"""

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from chatserv.client.parts import Parts
from chatserv.client.requests import Requests
from chatserv.client.rooms import Room, Rooms
from chatserv.wire import messages


class Agreeing:
    """Says so when a person agrees, and at the beginning of a session what the server does not know.

    Args:
        parts: The surroundings.
        requests: Asks the server.
        rooms: All rooms.
    """

    def __init__(self, parts: Parts, requests: Requests, rooms: Rooms) -> None:
        self._parts, self._requests, self._rooms = parts, requests, rooms

    def agreed(self, room: Room) -> "Deferred[None]":
        """A person has agreed to a room; fires when the server knows. If it does not arrive, the next session tells it."""
        return self._parts.spawn(self._tell((room.room_id,)), "agreed")

    def compare(self, told: Sequence[messages.RoomInfo]) -> None:
        """Compares what the server knows with what we have agreed to, in an earlier version too, once it has sent all."""
        unknown = [self._rooms.get(info.room) for info in told if not info.agreed]
        if unknown:
            ours = tuple(room.room_id for room in unknown if room is not None and room.in_it and not room.offered)
            self._parts.spawn(self._tell(ours, every=True), "agreed")

    async def _tell(self, room_ids: tuple[bytes, ...], *, every: bool = False) -> None:
        await self._requests.ask(messages.Agreed, rooms=room_ids, all=every)
