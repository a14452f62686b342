"""Compares public rooms with the log (docs/rooms.rst 8.2): the server cannot fork one without a leaf that gives it
away.

Each commit of a public room has a leaf of type 8, and each such leaf belongs to a commit of our chain, within a minute of
each other. What happened before we began to watch was compared when we came in, or by an earlier run.
"""

from collections.abc import Callable
from typing import Final

from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Room, Rooms
from chatserv.crypto.log_facts import RoomHead

GRACE_SECONDS: Final = 60.0  # so long a commit and its leaf may miss each other
MAX_WATCHED: Final = 10_000  # commits of a room, and leaves, that are remembered


class PublicRooms:
    """Watches the public rooms that we are in.

    Args:
        context: What the client's parts share.
        rooms: Which rooms there are.
        alarm: Told of a room that does not fit the log.
    """

    def __init__(self, context: ClientContext, rooms: Rooms, alarm: Callable[[Room], None]) -> None:
        self._context, self._rooms, self._alarm = context, rooms, alarm
        self._first_leaf = context.log.size  # what an earlier run has compared
        self._since: dict[bytes, tuple[str, int]] = {}  # by room: under which name, and the first leaf that counts
        self._leaves: dict[tuple[bytes, int], float] = {}  # when each leaf was first seen without its commit
        self._due: set[bytes] = set()
        for room in rooms.ours():
            self._begin(room, self._first_leaf)

    def _begin(self, room: Room, first_leaf: int) -> None:
        if room.state is not None and room.state.policy.public:
            self._since[room.room_id] = (room.state.policy.name, first_leaf)
            room.commits = {room.head.commit_hash: None}

    def forget_room(self, room: Room) -> None:
        """We are in the room no more, or it is not public any more."""
        self._since.pop(room.room_id, None)
        room.commits = {}

    def moved(self, room: Room) -> None:
        """A commit was processed in a room."""
        state, commit = room.state, room.commit
        if state is None or commit is None or not room.in_it or not state.policy.public:
            self.forget_room(room)
            return
        name, _ = self._since.get(room.room_id, ("", 0))
        if name != state.policy.name:  # we have just come in, or the room has another name: by this commit
            self._since[room.room_id] = (state.policy.name, commit.tbs.kt_size)
            room.commits = {}
        room.commits[room.head.commit_hash] = self._context.awake()
        while len(room.commits) > MAX_WATCHED:
            del room.commits[next(iter(room.commits))]
        self._check_later(room)

    def grown(self) -> None:
        """The log has grown."""
        for room in self._rooms.ours():
            if self._strange(room):
                self._check_later(room)

    def _check_later(self, room: Room) -> None:
        if room.room_id not in self._due:
            self._due.add(room.room_id)
            self._context.later(GRACE_SECONDS, lambda: self._check(room))

    def _heads(self, room: Room) -> list[RoomHead]:
        """The leaves for the room's name since we watch."""
        if room.room_id not in self._since:
            return []
        (name, first), facts = self._since[room.room_id], self._context.log.facts
        return [head for head in facts.room_heads(name, facts.size) if head.index >= first and not head.closed]

    def _strange(self, room: Room) -> list[RoomHead]:
        """Leaves that name another room, or no commit of ours; notes when each was first seen."""
        found = [h for h in self._heads(room) if h.room_id != room.room_id or h.commit_hash not in room.commits]
        now = self._context.awake()
        for head in found[:MAX_WATCHED]:
            self._leaves.setdefault((room.room_id, head.index), now)
        return found

    def _check(self, room: Room) -> None:
        self._due.discard(room.room_id)
        if not room.in_it or room.room_id not in self._since:
            return
        now = self._context.awake()
        strange = self._strange(room)
        logged = {head.commit_hash for head in self._heads(room)}
        bare = [seen for each, seen in room.commits.items() if seen is not None and each not in logged]
        ages = [now - self._leaves[room.room_id, head.index] for head in strange]
        ages += [now - seen for seen in bare]
        facts = self._context.log.facts
        if ages and facts.undecided(facts.size, room.listed()):
            self._check_later(room)  # commits wait for a statement; where that does not come, this is told
        elif any(age >= GRACE_SECONDS for age in ages):
            self._alarm(room)
        elif ages:
            self._check_later(room)
