"""Compares public rooms with the log (CRYPTO section 12.3): the server cannot fork one without a leaf that gives it away.

Each commit of a public room has a leaf of type 8, and each such leaf belongs to a commit of our chain, within a minute of
each other. What happened before we began to watch was compared when we came in, or by an earlier run.
"""

from collections.abc import Callable
from typing import Final

from chatserv.client.parts import Parts
from chatserv.client.rooms import Room, Rooms
from chatserv.crypto.log_facts import RoomHead

GRACE_MS: Final = 60_000  # so long a commit and its leaf may miss each other
MAX_WATCHED: Final = 10_000  # commits of a room, and leaves, that are remembered


class PublicWatch:
    """Watches the public rooms that we are in.

    Args:
        parts: The surroundings.
        rooms: Which rooms there are.
        alarm: Told of a room that does not fit the log.
    """

    def __init__(self, parts: Parts, rooms: Rooms, alarm: Callable[[Room], None]) -> None:
        self._parts, self._rooms, self._alarm = parts, rooms, alarm
        self._first_leaf = parts.log.size  # what an earlier run has compared
        self._from: dict[bytes, int] = {}
        self._leaves: dict[tuple[bytes, int], int] = {}  # when each leaf was first seen without its commit
        self._due: set[bytes] = set()
        for room in rooms.ours():
            self._begin(room, self._first_leaf)

    def _begin(self, room: Room, first_leaf: int) -> None:
        self._from[room.room_id] = first_leaf
        room.commits = {room.head.commit_hash: None}

    def moved(self, room: Room) -> None:
        """A commit was processed in a room that we are in."""
        state, commit = room.state, room.commit
        if state is None or commit is None or not state.policy.public:
            self._from.pop(room.room_id, None)
            return
        if room.room_id not in self._from:  # we have just come in, by this commit or with it
            self._from[room.room_id] = commit.tbs.kt_size
            room.commits = {}
        room.commits[room.head.commit_hash] = self._parts.now_ms()
        while len(room.commits) > MAX_WATCHED:
            del room.commits[next(iter(room.commits))]
        self._check_later(room)

    def grown(self) -> None:
        """The log has grown."""
        for room in self._rooms.ours():
            if room.room_id in self._from and self._strange(room):
                self._check_later(room)

    def _check_later(self, room: Room) -> None:
        if room.room_id not in self._due:
            self._due.add(room.room_id)
            self._parts.later(GRACE_MS / 1000, lambda: self._check(room))

    def _heads(self, room: Room) -> list[RoomHead]:
        """The leaves for the room's name since we watch."""
        if room.state is None:
            return []
        facts = self._parts.log.facts
        heads = facts.room_heads(room.state.policy.name, facts.size)
        return [head for head in heads if head.index >= self._from[room.room_id] and not head.closed]

    def _strange(self, room: Room) -> list[RoomHead]:
        """Leaves that name another room, or no commit of ours; notes when each was first seen."""
        found = [h for h in self._heads(room) if h.room_id != room.room_id or h.commit_hash not in room.commits]
        now_ms = self._parts.now_ms()
        for head in found[:MAX_WATCHED]:
            self._leaves.setdefault((room.room_id, head.index), now_ms)
        return found

    def _check(self, room: Room) -> None:
        self._due.discard(room.room_id)
        if not room.in_it or room.state is None or room.room_id not in self._from:
            return
        now_ms = self._parts.now_ms()
        strange = self._strange(room)
        logged = {head.commit_hash for head in self._heads(room)}
        bare = [seen for each, seen in room.commits.items() if seen is not None and each not in logged]
        ages = [now_ms - self._leaves[room.room_id, head.index] for head in strange]
        ages += [now_ms - seen for seen in bare]
        if any(age >= GRACE_MS for age in ages):
            self._alarm(room)
        elif ages:
            self._check_later(room)
