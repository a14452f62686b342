"""Whether a room may be sent to (docs/rooms.rst 5.8): what only we know stops our sending, and nothing else."""

from collections.abc import Callable

from chatserv.client.events import SendHeld
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Keys, Room, Rooms, Standing
from chatserv.crypto.room_state import State


class Fitness:
    """Looks at rooms before anything is sent, and remembers as what each was found fit.

    Args:
        context: What the client's parts share.
        rooms: For names.
        commit_due: Says whether the log asks for a commit in a room of this state before anything is sent.

    Attributes:
        commit_first: Asked to commit in a room, or to open its keys.
        ended: Says whether nobody can come into direct messages any more.
        begin_anew: Asked to begin such direct messages anew.
    """

    commit_first: Callable[[Room], None]
    ended: Callable[[Room], bool]
    begin_anew: Callable[[Room], None]

    def __init__(self, context: ClientContext, rooms: Rooms, commit_due: Callable[[State], bool]) -> None:
        self._context, self._rooms, self._commit_due = context, rooms, commit_due
        self._held: dict[bytes, tuple[str, ...]] = {}
        self._checked: dict[bytes, tuple[object, ...]] = {}

    def forget_room(self, room_id: bytes) -> None:
        """A room is looked at anew."""
        self._checked.pop(room_id, None)

    def forget_all(self) -> None:
        """All rooms are."""
        self._checked.clear()

    def may_send(self, room: Room) -> bool:
        """Whether messages may go to a room now; asks for what they wait for."""
        row, state = room.row, room.state
        if row is None or state is None or room.stopped or room.withheld or row.standing is not Standing.IN:
            return False
        if row.keys is not Keys.HELD:
            self.commit_first(room)
            return False
        seen = (room.head.commit_hash, self._context.log.size, self._context.pins.changes)
        if self._checked.get(room.room_id) == seen:
            return True
        facts, listed = self._context.log.facts, room.listed()
        if facts.undecided(self._context.log.size, listed):
            return False  # it is being asked about
        changed = tuple(self._context.pins.changed_among(listed))
        if changed:
            if self._held.get(room.room_id) != changed:
                self._held[room.room_id] = changed
                self._context.emit(SendHeld(self._rooms.name(room), changed, room.room_id))
            return False
        self._held.pop(room.room_id, None)
        if self.ended(room):
            self.begin_anew(room)
            return False
        lost = self._rooms.lost_keys.are_in(room) or self._context.vault.chains.lost(room.room_id) is not None
        if lost or self._commit_due(state):
            self.commit_first(room)
            return False
        if row.kt_size > self._context.log.size:
            return False
        self._checked[room.room_id] = seen
        return True
