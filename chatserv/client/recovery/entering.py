"""A new device comes into its person's rooms by itself: those that they have agreed to (docs/rooms.rst 5.5)."""

from typing import Final

from twisted.internet.defer import Deferred

from chatserv.client.commits.room_changes import FalseRoom, RoomChanges
from chatserv.client.connection.requests import Requests
from chatserv.client.events import Alarm
from chatserv.client.inbound.places import LEAVING
from chatserv.client.recovery.arrival import TO_ENTER, known_epoch
from chatserv.client.state.context import ClientContext, Interrupted, retry_delay
from chatserv.client.state.rooms import SHORT_ID_DIGITS, Rooms
from chatserv.errors import ChatError
from chatserv.wire import messages

AGAIN_SECONDS: Final = 60.0
ARRIVE_SECONDS: Final = 60.0  # a room in which others are always faster keeps nobody from the rest
MAX_TRIES: Final = 10  # in one session


class Entering:
    """Asks for our rooms at the beginning of a session, and enters those that this device is not in.

    A room that nobody has agreed to is left alone: to enter it would be to agree. Whoever commits next in it adds this
    device, and then it is offered here too.

    Args:
        context: What the client's parts share.
        requests: Asks the server.
        rooms: All rooms.
        room_changes: Commits.
    """

    def __init__(self, context: ClientContext, requests: Requests, rooms: Rooms, room_changes: RoomChanges) -> None:
        self._context, self._requests, self._rooms, self._room_changes = context, requests, rooms, room_changes
        self._busy = self._again = False
        self._tries = 0
        self._told: set[bytes] = set()  # rooms that the server shows as they were before

    def connected(self) -> None:
        """A new session: what failed in the last one is tried again."""
        self._tries = 0

    async def arrive(self) -> None:
        """The first session of a new device: nobody is told that everything is here before its rooms are."""
        if self._context.vault.facts.get(TO_ENTER) is None or self._busy:
            return
        self._busy = self._again = True
        over: Deferred[None] = Deferred()

        def go_on(_: object = None) -> None:
            if not over.called:
                over.callback(None)

        timer = self._context.later(ARRIVE_SECONDS, go_on)
        self._context.spawn(self._arrive(), "own rooms").addCallback(go_on)
        await over
        if timer.active():
            timer.cancel()

    async def _arrive(self) -> None:
        if await self._enter_all():
            self._context.vault.facts.delete(TO_ENTER)

    def look(self) -> None:
        """Something is known of our rooms that was not before."""
        self._again = True
        if not self._busy and self._requests.connected:
            self._busy = True
            self._context.spawn(self._enter_all(), "own rooms")

    async def _enter_all(self) -> bool:
        """Enters what is to be entered; False where the connection went meanwhile."""
        later: float | None = None
        try:
            while self._again:
                self._again = False
                for room_id in await self._missing():
                    later = await self._enter(room_id) or later
        except ChatError as error:
            if isinstance(error, Interrupted):
                return False
            later = AGAIN_SECONDS
        finally:
            self._busy = False
        if later is not None and self._tries < MAX_TRIES:
            self._tries += 1
            self._context.later(later, self.look)
        return True

    async def _missing(self) -> list[bytes]:
        """The rooms that the server has us as a member of, without this device, as far as they are to be entered."""
        found: list[messages.OwnRoom] = []
        more = True
        while more:
            after = found[-1].room if found else b""
            page = await self._requests.expect(messages.OwnRoomList, messages.OwnRooms, after=after)
            found += page.rooms
            more = page.more and bool(page.rooms)
        return [each.room for each in found if self._wanted(each.room)]

    def _wanted(self, room_id: bytes) -> bool:
        """Whether the person has agreed to it, as this device knows from a backup, or from another device of theirs.

        What the server says of that counts for nothing: it could have anybody in any room.
        """
        room, facts = self._rooms.get(room_id), self._context.vault.facts
        if room is not None and room.row is not None:  # one that we were in comes back by itself, or was left
            return False
        if facts.get(LEAVING + room_id.hex()) is not None:
            return False
        return self._context.vault.heard_rooms.get(room_id).agreed

    async def _enter(self, room_id: bytes) -> float | None:
        """Enters one; gives after how many seconds it makes sense to try again."""
        room = self._rooms.look_at(room_id)
        try:
            await self._room_changes.enter(room, known_epoch(self._context.vault.facts, room_id))
        except Interrupted:
            raise
        except FalseRoom as error:
            self._rooms.forget_room(room_id)
            if room_id not in self._told:
                self._told.add(room_id)
                title = self._context.vault.heard_rooms.get(room_id).title or room_id.hex()[:SHORT_ID_DIGITS]
                self._context.emit(Alarm("room_stuck", f"{title}: {error.detail}"))
        except ChatError as error:
            self._rooms.forget_room(room_id)
            return retry_delay(error.after_seconds) if error.retryable else AGAIN_SECONDS
        return None
