"""Who is online, and which of them hear which room live. Pure: no clock, no I/O.

A session hears a room live only while it keeps up: from the moment its ``sync`` has reached the room's head, until its
queue has no place for what comes. Then it reads the log, at its own pace, and comes back. So nothing is buffered for a
session that is behind, and nothing can fall between log and live.
"""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from chatserv.domain.closing import CloseReason
from chatserv.domain.roles import Role


class Outbox(Protocol):
    """Where a session's messages go; bounded, and the only way to the peer."""

    def queue(self, parts: Sequence[bytes], size: int) -> None:
        """Puts encoded messages (``size`` bytes together) at the end."""
        ...

    def writable(self) -> Awaitable[None]:
        """Answers when the queue is below its soft limit, or closed."""
        ...

    def has_place(self, size: int) -> bool:
        """Whether so many bytes more still leave the queue well below its hard limit."""
        ...

    def fell_behind(self) -> None:
        """The session has been put behind: it has to catch up from the log."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the connection is gone or going; what is queued then is dropped."""
        ...

    def end(self, reason: CloseReason) -> None:
        """Sends what this turn of the reactor queues, then CLOSE with this reason."""
        ...


@dataclass(eq=False, slots=True)
class LiveSession:
    """One authenticated connection of a device.

    ``memberships``: room id to the seq that reading starts after. ``behind``: rooms that are read from the log, with the
    last seq that was queued; a room is there, or live, or (before ``sync``) neither.
    """

    account_id: bytes
    name: str
    role: Role
    device_id: bytes
    outbox: Outbox
    memberships: dict[bytes, int]
    synced: bool = False
    behind: dict[bytes, int] = field(default_factory=dict)
    catching_up: bool = False


@dataclass(eq=False, slots=True)
class LiveRoom:
    """A room as the sessions of this node see it. ``head``: last seq handed to live sessions."""

    room_id: bytes
    name: str
    epoch: int
    head: int
    live: dict[LiveSession, None] = field(default_factory=dict)


class Hub:
    """All live sessions, by device and by room.

    Args:
        max_sessions: How many may be logged in at once.
    """

    def __init__(self, max_sessions: int) -> None:
        self._max_sessions = max_sessions
        self._sessions: dict[bytes, LiveSession] = {}
        self.rooms: dict[bytes, LiveRoom] = {}

    @property
    def sessions(self) -> Sequence[LiveSession]:
        """Every session that is logged in."""
        return list(self._sessions.values())

    @property
    def full(self) -> bool:
        """Whether nobody new may log in."""
        return len(self._sessions) >= self._max_sessions

    def has_room_for(self, device_id: bytes) -> bool:
        """Whether this device may log in: there is a place left, or it takes over its own."""
        return device_id in self._sessions or not self.full

    def attach(self, session: LiveSession) -> LiveSession | None:
        """Takes a session in. Returns the one of the same device that it replaces, already detached, if there was one."""
        replaced = self._sessions.get(session.device_id)
        if replaced is not None:
            self.detach(replaced)
        self._sessions[session.device_id] = session
        return replaced

    def detach(self, session: LiveSession) -> None:
        """Forgets a session; harmless when it is gone already."""
        if self._sessions.get(session.device_id) is session:
            del self._sessions[session.device_id]
        for room_id in session.memberships:
            room = self.rooms.get(room_id)
            if room is not None:
                room.live.pop(session, None)

    def is_attached(self, session: LiveSession) -> bool:
        """Whether the session is still the one of its device."""
        return self._sessions.get(session.device_id) is session

    def go_live(self, session: LiveSession, room_id: bytes, position: int) -> bool:
        """Starts live delivery if ``position``, the last seq the session has, is the room's head. Says whether it did."""
        room = self.rooms[room_id]
        if position < room.head or not self.is_attached(session):
            return False
        room.live[session] = None
        return True

    def deliver(self, room_id: bytes, parts: Sequence[bytes], head: int) -> int:
        """Hands encoded events, the last of which has seq ``head``, to everybody who is live and has place for them.

        Who has no place falls behind, from here on. Returns how many got the events.
        """
        room = self.rooms[room_id]
        position, room.head = room.head, head
        size = sum(map(len, parts))
        full: list[LiveSession] = []
        for session in room.live:
            if session.outbox.has_place(size):
                session.outbox.queue(parts, size)
            else:
                full.append(session)
        for session in full:
            del room.live[session]
            session.behind[room_id] = position
            session.outbox.fell_behind()
        return len(room.live)

    def add_rooms(self, rooms: Iterable[LiveRoom]) -> None:
        """Takes rooms in, as they stand in the store."""
        for room in rooms:
            self.rooms[room.room_id] = room
