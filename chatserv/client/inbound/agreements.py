"""Tells the server which rooms we agree to be in, of those that others took us into.

It counts the others apart, so that nobody uses up the rooms that we may have (docs/protocol.rst, "Commits").
"""

from collections.abc import Sequence
from typing import Final

from twisted.internet.defer import Deferred

from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms
from chatserv.wire import messages

AGREED: Final = "agreed to "  # and the room's id, in hexadecimal: the server may not know yet


class Agreements:
    """Says so when a person agrees, and at the beginning of a session what the server does not know.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        rooms: All rooms.
    """

    def __init__(self, context: ClientContext, requests: Requests, rooms: Rooms) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms

    def agreed(self, room: Room) -> "Deferred[None]":
        """A person has agreed to a room; fires when the server knows. If it does not arrive, the next session tells it."""
        self._context.vault.facts.put(AGREED + room.room_id.hex(), b"1")
        return self._context.spawn(self._tell((room.room_id,)), "agreed")

    def compare(self, told: Sequence[messages.RoomInfo]) -> None:
        """Compares what the server knows with what we have agreed to, in an earlier version too, once it has sent all.

        A room that we have agreed to without its knowledge may have had to yield, and is not among those that it tells.
        """
        unknown = {info.room for info in told if not info.agreed}
        ours = {room.room_id for room in self._rooms.ours() if not room.offered}
        untold = {each for each in ours if self._context.vault.facts.get(AGREED + each.hex()) is not None}
        if unknown or untold:
            self._context.spawn(self._tell(tuple(ours & unknown | untold), every=True), "agreed")

    async def _tell(self, room_ids: tuple[bytes, ...], *, every: bool = False) -> None:
        await self._requests.ask(messages.Agreed, rooms=room_ids, all=every)
        for room_id in room_ids:
            self._context.vault.facts.delete(AGREED + room_id.hex())
