"""The room of our own devices: made by the first that finds another, entered by each that finds it (docs/rooms.rst 4.3)."""

from typing import Final

from chatserv.client.commits.committer import ExistingRoom
from chatserv.client.commits.room_changes import RoomChanges
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.state.context import ClientContext, retry_delay
from chatserv.client.state.rooms import Room, Rooms
from chatserv.crypto.room_state import Kind, Policy
from chatserv.errors import ChatError

MAKE_SECONDS: Final = 3.0  # two devices that find each other seldom make it both
AGAIN_SECONDS: Final = 60.0


class DevicesRoom:
    """Sees to it that this device is in the room, where there is anybody to talk to.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        room_changes: Makes and enters it.
        outbox: Tells whether we have caught up.
    """

    def __init__(self, context: ClientContext, rooms: Rooms, room_changes: RoomChanges, outbox: Outbox) -> None:
        self._context, self._rooms, self._room_changes, self._outbox = context, rooms, room_changes, outbox
        self._busy = False

    def look(self) -> None:
        """Makes or enters the room, if it is needed and we are not in it."""
        if self._wanted() and not self._busy:
            self._busy = True
            self._context.later(self._context.chance(MAKE_SECONDS), self._begin)

    def _wanted(self) -> bool:
        log, ours = self._context.log, self._context.cert_hash
        valid = log.facts.certificates(self._context.user, log.size)
        return self._outbox.ready and self._rooms.devices() is None and ours in valid and len(valid) > 1

    def _begin(self) -> None:
        self._busy = self._wanted()
        if self._busy:
            self._context.spawn(self._enter(), "own devices")

    async def _enter(self) -> None:
        again: float | None = None
        try:
            await self._make_or_enter()
        except ChatError as error:
            again = retry_delay(error.after_seconds) if error.retryable else AGAIN_SECONDS
        finally:
            self._busy = False
        if again is not None:
            self._context.later(again, self.look)

    async def _make_or_enter(self) -> None:
        try:
            await self._room_changes.create(devices_policy(), "", "")
        except ExistingRoom as existing:
            room: Room = self._rooms.look_at(existing.room_id)
            if room.row is None:
                await self._room_changes.commit(room, self._room_changes.planner.enter())


def devices_policy() -> Policy:
    """That of the room."""
    return Policy(Kind.DEVICES, rotate_seconds=86_400, rotate_messages=1000)
