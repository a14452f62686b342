"""What a room needs and nobody asked for: repairing, rotation, commits that are due, keys before sending, the lobby."""

from collections.abc import Sequence
from typing import Final

from chatserv.client.commits.planner import Planner
from chatserv.client.commits.preparation import OpsMaker, Plan
from chatserv.client.commits.room_changes import RoomChanges, public_policy
from chatserv.client.connection.requests import Requests
from chatserv.client.inbound.epoch_keys import EpochKeys
from chatserv.client.outbound.outbox import Outbox
from chatserv.client.state.context import ClientContext, Interrupted, retry_delay
from chatserv.client.state.rooms import Keys, Room, Rooms, Standing
from chatserv.crypto.commits import Op
from chatserv.domain.names import LOBBY
from chatserv.errors import Busy, ChatError, Muted
from chatserv.wire import messages

REPAIR_SECONDS: Final = 30.0  # docs/rooms.rst 5.6: after bad wraps somebody commits within this
DUE_SECONDS: Final = 5.0  # a commit that everybody could make waits up to this, and a tenth of a second for each user
LOBBY_ENTERED: Final = "lobby entered"


class Maintenance:
    """Looks after all rooms.

    Args:
        context: What the client's parts share.
        requests: Tells whether there is a connection.
        rooms: All rooms.
        room_changes: Commits.
        planner: Knows what the log asks for.
        keys: Opens epochs.
        outbox: Goes on when a room can be sent to.
    """

    def __init__(
        self,
        context: ClientContext,
        requests: Requests,
        rooms: Rooms,
        room_changes: RoomChanges,
        planner: Planner,
        keys: EpochKeys,
        outbox: Outbox,
    ) -> None:
        self.context, self.requests, self.rooms = context, requests, rooms
        self.room_changes, self.planner, self.keys, self.outbox = room_changes, planner, keys, outbox
        self._preparing: set[bytes] = set()
        self._due: set[bytes] = set()
        self._repairing: set[bytes] = set()
        self._entering = False

    def repair(self, room: Room) -> None:
        """The keys of the epoch do not open here: a rotation repairs that, unless somebody else is faster."""
        if room.room_id not in self._repairing and not room.offered:
            self._repairing.add(room.room_id)
            self.context.spawn(self._repair(room), "repairing")

    async def _repair(self, room: Room) -> None:
        """Until it is repaired; a lost connection ends it, and the next one begins it again."""
        try:
            await self.context.pause(self.context.chance(REPAIR_SECONDS))
            while room.in_it and room.row is not None and room.row.keys is Keys.BROKEN and self.requests.connected:
                try:
                    await self.room_changes.commit(room, self._repairs(room))
                except Interrupted:
                    return
                except ChatError:
                    await self.context.pause(REPAIR_SECONDS)
        finally:
            self._repairing.discard(room.room_id)

    def _repairs(self, room: Room) -> OpsMaker:
        """A rotation, if nobody has repaired the room by the time it is our turn."""
        rotation = self.planner.change()

        async def plan(given: Plan) -> Sequence[Op] | None:
            broken = room.row is not None and room.row.keys is Keys.BROKEN
            return await rotation(given) if broken or self.rooms.lost_keys.are_in(room) else None

        return plan

    def rotate(self, room: Room) -> None:
        """Gives a room a new epoch."""
        if not room.committing.locked:
            self.context.spawn(self.room_changes.commit(room, self.planner.change()), "rotation")

    def look(self, role: str) -> None:
        """Rooms with a device that the log has ended get a commit by somebody, and a lobby that was not there is entered."""
        for room in self.rooms.all():
            self.come_back(room)
        for room in self.rooms.ours():
            if room.state is not None and self.planner.due(room.state):
                self.commit_when_due(room, REPAIR_SECONDS)
            if room.row is not None and room.row.keys is Keys.BROKEN:
                self.repair(room)
        if self.outbox.ready:
            self.context.spawn(self.enter_lobby(role), LOBBY)

    def leave_waits(self, room: Room | None) -> None:
        """Somebody has left the room, and a commit has to carry that."""
        if room is not None:
            room.leaves += 1
            self.commit_when_due(room, DUE_SECONDS)

    def agreed(self, room: Room) -> None:
        """We are in a room by our own will now: before, nothing was done for it, as a commit of ours would be consent."""
        if room.row is not None and room.row.keys is Keys.BROKEN:
            self.repair(room)
        if room.leaves:
            self.commit_when_due(room, DUE_SECONDS)

    def commit_when_due(self, room: Room, seconds: float) -> None:
        """Makes the commit that everybody in the room could make, after a while, if it is still due then."""
        if not room.in_it or room.offered or room.room_id in self._due:
            return
        self._due.add(room.room_id)
        wait = self.context.chance(seconds + len(room.users()) / 10)

        def commit() -> None:
            self._due.discard(room.room_id)
            if room.in_it and self.requests.connected:
                self.context.spawn(
                    self.room_changes.commit(room, self.planner.change(only_if_due=True), urgent=True), "upkeep"
                )

        self.context.later(wait, commit)

    def come_back(self, room: Room) -> None:
        """A device that was taken off the roster while its user stays a member comes back by itself, where they want that.

        See docs/rooms.rst 3.4.
        """
        if room.row is None or room.row.standing is not Standing.OUT or room.row.inviter or room.state is None:
            return
        member = bool(room.state.role(self.context.user)) and room.own(self.context.device_id) is None
        if member and self.outbox.ready and not room.committing.locked:
            self.context.spawn(self.room_changes.commit(room, self.planner.enter()), "return")

    def make_sendable(self, room: Room) -> None:
        """Messages wait for the room's keys, or for a commit that the log asks for."""
        if room.room_id not in self._preparing:
            self._preparing.add(room.room_id)
            self.context.spawn(self._prepare(room), "prepare")

    async def _prepare(self, room: Room) -> None:
        """Opens the room's keys, and commits where the log asks for it before anything is sent."""
        again: float | None = None
        try:
            if self.rooms.lost_keys.are_in(room):
                if self.room_changes.auditor.proven:
                    return  # no commit of ours fits the log that is shown, and there are few in an hour
                await self.room_changes.commit(room, self._repairs(room))
            if not await self.keys.hold(room):
                self.repair(room)
                return
            if room.state is not None and self.planner.due(room.state):
                await self.room_changes.commit(room, self.planner.change(only_if_due=True), urgent=True)
                if self.planner.due(room.state):
                    raise Busy("room: a device that is not valid is still there")
            elif self.context.vault.chains.lost(room.room_id) is not None:
                await self._rotate_unless_muted(room)
            self.outbox.flush_soon(room)
        except Interrupted:
            pass
        except ChatError as error:
            again = retry_delay(error.after_seconds)
            if error.retryable:
                self.outbox.delay(room, error)
        finally:
            self._preparing.discard(room.room_id)
        if again is not None:
            self.context.later(again, lambda: self.outbox.flush(room))

    async def _rotate_unless_muted(self, room: Room) -> None:
        """A message was refused, and its place in our chain is lost. If the next one would be refused too, that is said at
        once, without a commit: there are not many in an hour.
        """
        try:
            await self.requests.ask(messages.SetTyping, room=room.room_id)
        except Muted as error:
            self.outbox.refuse(room, error)
        else:
            await self.room_changes.commit(room, self.planner.change())

    async def enter_lobby(self, role: str) -> None:
        """``#lobby`` is made by the first administrator's client; every other client joins it once."""
        context = self.context
        if context.vault.facts.get(LOBBY_ENTERED) is not None or self._entering:
            return
        self._entering = True
        try:
            facts = context.log.facts
            head = facts.room_head(LOBBY, facts.size)
            if head is not None and not head.closed:
                await self.room_changes.join(LOBBY)
            elif role == "admin":
                await self.room_changes.create(public_policy(LOBBY), LOBBY, "")
            else:
                return
            context.vault.facts.put(LOBBY_ENTERED, b"1")
        except ChatError as error:
            if error.code in {"room_full", "banned"}:
                context.vault.facts.put(LOBBY_ENTERED, b"0")
        finally:
            self._entering = False
