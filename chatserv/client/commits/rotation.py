"""Epochs that are old or full get a successor, by whoever is there, even where nobody says anything any more.

A commit says what its maker has seen, so the maker of a rotation learns nothing of their own messages that were swallowed.
So who has said nothing comes first, and who has said something last comes last.
"""

from collections.abc import Sequence
from typing import Final

from chatserv.client.commits.planner import Planner
from chatserv.client.commits.preparation import OpsMaker, Plan
from chatserv.client.commits.room_changes import RoomChanges
from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import ClientContext, Interrupted
from chatserv.client.state.rooms import Keys, Room, Rooms, Standing
from chatserv.crypto.commits import Op
from chatserv.errors import ChatError

TURN_SECONDS: Final = (
    5.0  # within such a time, and a tenth of a second for each user, everybody of one turn is heard of
)
LOOK_SECONDS: Final = 600.0  # how late it may be found that an epoch has become too old
AGAIN_SECONDS: Final = 60.0  # after a refusal


class EpochRotation:
    """Rotates rooms that are due.

    Args:
        context: What the client's parts share.
        requests: Tells whether there is a connection.
        rooms: All rooms.
        room_changes: Commits.
        planner: Plans.
    """

    def __init__(
        self, context: ClientContext, requests: Requests, rooms: Rooms, room_changes: RoomChanges, planner: Planner
    ) -> None:
        self._context, self._requests, self._rooms = context, requests, rooms
        self._room_changes, self._planner = room_changes, planner
        self._waiting: set[bytes] = set()  # for our turn
        self._rotating: set[bytes] = set()  # or about to try again
        self._looking = False

    def look_at_all(self) -> None:
        """Looks at all rooms now, and again from time to time."""
        for room in self._rooms.ours():
            self.look(room)
        if not self._looking:
            self._looking = True
            self._context.later(LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._looking = False
        self.look_at_all()

    def look(self, room: Room, *, said: bool = False) -> None:
        """Rotates the room when it is our turn, if it is due then.

        Args:
            room: Which room.
            said: Something of ours has just been stored there: who passes the limit rotates at once, if somebody else has
                said something in the epoch too.
        """
        if room.room_id in self._rotating or not self._due(room):
            return
        if said and self._others_spoke(room):
            self._start(room)
        elif room.room_id not in self._waiting:
            self._waiting.add(room.room_id)
            self._context.later(self._turn(room), lambda: self._start(room))

    def _due(self, room: Room) -> bool:
        """Whether the epoch has anything that others should have seen, and is too old or too full."""
        row, state = room.row, room.state
        if row is None or state is None or row.standing is not Standing.IN or row.keys is not Keys.HELD:
            return False
        if room.stopped or room.withheld or not row.epoch_messages:
            return False
        return self._full(room) or self._context.now_ms() - row.epoch_since_ms >= state.policy.rotate_seconds * 1000

    @staticmethod
    def _full(room: Room) -> bool:
        row, state = room.row, room.state
        return row is not None and state is not None and row.epoch_messages >= state.policy.rotate_messages

    def _others_spoke(self, room: Room) -> bool:
        own = room.own(self._context.device_id)
        return any(leaf != own.leaf for leaf in self._context.vault.chains.generations(room.room_id)) if own else False

    def _turn(self, room: Room) -> float:
        """How long we wait, in seconds: one turn for those who have said nothing, then those who have, the last one last."""
        turn = TURN_SECONDS + len(room.users()) / 10
        last = self._context.vault.chains.acknowledged(room.room_id)
        if last is None or room.row is None:
            return self._context.chance(turn)
        begun_ms, now_ms = room.row.epoch_since_ms, self._context.now_ms()
        how_late = (last.noted_ms - begun_ms) / max(1, now_ms - begun_ms)
        if not self._full(room):
            turn += LOOK_SECONDS  # the others may look so much later
        return turn + 2 * turn * min(1.0, max(0.0, how_late)) + self._context.chance(turn / 4)

    def _start(self, room: Room) -> None:
        self._waiting.discard(room.room_id)
        free = room.room_id not in self._rotating and not room.committing.locked
        if free and self._due(room) and self._requests.connected:
            self._rotating.add(room.room_id)
            self._context.spawn(self._rotate(room), "rotation")

    async def _rotate(self, room: Room) -> None:
        again = False
        try:
            await self._room_changes.commit(room, self._plan(room))
        except Interrupted:
            pass  # the next connection begins with a look
        except ChatError:
            again = True  # such as too many commits in an hour; nothing is held up by it
        finally:
            if not again:
                self._rotating.discard(room.room_id)
        if again:
            self._context.later(AGAIN_SECONDS, lambda: self._try_again(room))

    def _try_again(self, room: Room) -> None:
        self._rotating.discard(room.room_id)
        self.look(room)

    def _plan(self, room: Room) -> OpsMaker:
        """A rotation, if nobody has been faster."""
        rotation = self._planner.change()

        async def plan(given: Plan) -> Sequence[Op] | None:
            return await rotation(given) if self._due(room) else None

        return plan
