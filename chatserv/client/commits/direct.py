"""Direct messages: begun once for two people, and once more where the identity of one of them was reset."""

from chatserv.client.commits.committer import ExistingRoom
from chatserv.client.commits.room_changes import RoomChanges, direct_policy
from chatserv.client.inbound.agreements import Agreements
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.state.context import ClientContext, retry_delay
from chatserv.client.state.rooms import Room, Rooms
from chatserv.crypto.content import ContentType
from chatserv.errors import ChatError, NotMember

AGAIN_SECONDS = 60.0


class DirectMessages:
    """Finds them, and begins them.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        room_changes: Makes them.
        agreements: Tells the server that we want to be in them.
        outbox: What waits in those that have ended goes on in the new ones.
    """

    def __init__(
        self,
        context: ClientContext,
        rooms: Rooms,
        room_changes: RoomChanges,
        agreements: Agreements,
        outbox: Outbox,
    ) -> None:
        self._context, self._rooms, self._room_changes = context, rooms, room_changes
        self._agreements, self._outbox = agreements, outbox
        self._beginning: set[str] = set()

    def ended(self, room: Room) -> bool:
        """Whether nobody enters the direct messages any more: an identity of one of the two was reset, or is gone."""
        if room.state is None or not room.state.policy.kind.fixed or room.of_devices:
            return False
        log = self._context.log
        return any(log.facts.struck(member.user, member.kt_added, log.size) for member in room.state.members)

    async def reach(self, user: str) -> tuple[Room, bool]:
        """The room of our direct messages with a user, made where there is none that goes on; and whether we agree by that.

        Raises:
            NotMember: The server has one of which we are no member.
            ChatError: It cannot be made.
        """
        room = self._rooms.direct(user)
        if room is not None and not self.ended(room):
            return room, room.hidden
        before, begun = room, False
        try:
            room = await self._room_changes.create(direct_policy(), "", "", (user,))
        except ExistingRoom as existing:
            room, begun = self._rooms.look_at(existing.room_id), True
            if not room.in_it:  # we were given too many rooms, and this one had to yield; it comes back now
                await room.reach(0)
        if not room.in_it:
            raise NotMember(f"@{user}")
        if before is not None and not room.offered:
            self.go_on(before, room)
        return room, room.hidden or begun

    def go_on(self, before: Room, room: Room) -> None:
        """What waits in direct messages that have ended waits in the new ones now."""
        vault = self._context.vault
        with vault.transaction():
            for row in vault.outbox.for_room(before.room_id):
                if row.envelope is None and row.ctype == ContentType.TEXT:
                    vault.outbox.move(row.message_id, room.room_id)
                    self._outbox.waiting.move(row.message_id, room.room_id)
                elif row.envelope is None:
                    vault.outbox.delete(row.message_id)  # about what was said there
        self._outbox.flush_soon(room)

    def begin_anew(self, room: Room) -> None:
        """Something waits in direct messages that have ended, and may be sent to the person: they begin anew."""
        user, now = self._rooms.peer(room), self._rooms.current(room)
        if now is not room and not self.ended(now):
            self.go_on(room, now)
        elif user is not None and user not in self._beginning:
            self._beginning.add(user)
            self._context.spawn(self._begin(user, room), "direct messages")

    async def _begin(self, user: str, room: Room) -> None:
        again: float | None = None
        try:
            new, agree = await self.reach(user)
            if agree:
                await self._agreements.agreed(new)
        except ChatError as error:
            again = retry_delay(error.after_seconds) if error.retryable else AGAIN_SECONDS
        finally:
            self._beginning.discard(user)
        if again is not None:
            self._context.later(again, lambda: self._outbox.flush(room))
