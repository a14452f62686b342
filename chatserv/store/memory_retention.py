"""Retention of the store in memory: what has been here for long goes, the oldest first."""

from chatserv.domain.retention import LEAST_KEPT_MS, Kept, RetentionDue
from chatserv.models import EventKind
from chatserv.store.memory_room import NOTHING
from chatserv.store.memory_rooms import RoomTable


class MemoryRetention:
    """Knows since when messages are here, from step to step.

    Args:
        rooms: All rooms.
    """

    def __init__(self, rooms: RoomTable) -> None:
        self._rooms = rooms
        self._since: dict[tuple[bytes, int], int] = {}

    def retain(self, due: RetentionDue) -> Kept:
        """One step, as `chatserv.ports.Store.retain` says."""
        there = {(event.room_id, event.seq): event for room in self._rooms.open_rooms() for event in room.events}
        kept = {key: event for key, event in there.items() if event is not NOTHING and event.kind is EventKind.MESSAGE}
        self._since = {key: self._since.get(key, due.now_ms) for key in kept}
        aged = [key for key in kept if due.age_ms and self._since[key] <= due.now_ms - due.age_ms]
        size = sum(len(event.body) for event in kept.values())
        old = [key for key in kept if self._since[key] <= due.now_ms - LEAST_KEPT_MS]
        going = (aged or (sorted(old, key=self._since.__getitem__) if due.bytes and size > due.bytes else []))[
            : due.most
        ]
        floors: dict[bytes, int] = {}
        for room_id, seq in going:
            self._rooms.forget(kept[room_id, seq])
            floors[room_id] = max(floors.get(room_id, 0), seq)
        return Kept(floors, len(going), more=len(going) == due.most)
