"""Who is online, and which of them hear which room live. Pure: no clock, no I/O.

A session hears a room live only while it keeps up: from the moment its ``sync`` has reached the room's head, until its
queue has no place for what comes. Then it reads the log, at its own pace, and comes back. So nothing is buffered for a
session that is behind, and nothing can fall between log and live.
"""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from chatserv.domain.arriving import Arrivals
from chatserv.domain.closing import CloseReason
from chatserv.domain.elsewhere import Elsewhere
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
    def relaxed(self) -> bool:
        """Whether the queue is below its soft limit: only then there is place for what may be dropped."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the connection is gone or going; what is queued then is dropped."""
        ...

    def end(self, reason: CloseReason) -> None:
        """Sends what this turn of the reactor queues, then CLOSE with this reason."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A device's place in a room: its leaf there, and which events it may read.

    ``since``: those with a greater seq. ``until``: up to this seq, in a room that the device was removed from; None: open.
    """

    leaf: int
    since: int
    until: int | None = None


@dataclass(eq=False, slots=True)
class LiveSession:
    """One authenticated connection of a device.

    ``places``: by room id. ``ed25519``: its signature key. ``muted``: by the server's administrators. ``away``: the person
    is not at the device. ``seen``: others know of it. ``expelled``: it is being ended, nothing is done for it.
    ``last_word``: the code with which a command of its own ends it, once that is answered; ``over``: that has become so.
    ``behind``: rooms that are read from the log, with the last seq that was queued; a room is there, or live, or (before
    ``sync``) neither. ``host``: where the connection comes from. ``refused``: by room, epoch and generation of the first
    message that was refused for now, and until when those behind it wait for it (monotonic seconds). ``number``: the
    store's, greater than those of sessions that began before.
    """

    account_id: bytes
    name: str
    role: Role
    device_id: bytes
    outbox: Outbox
    places: dict[bytes, Place]
    ed25519: bytes = b""
    muted: bool = False
    away: bool = False
    expelled: bool = False
    last_word: str = ""
    over: bool = False
    seen: bool = False
    synced: bool = False
    behind: dict[bytes, int] = field(default_factory=dict)
    catching_up: bool = False
    host: str = ""
    refused: dict[bytes, tuple[int, int, float]] = field(default_factory=dict)
    number: int = 0


@dataclass(eq=False, slots=True)
class LiveRoom:
    """A room as the sessions of this node see it. ``head``: last seq handed to live sessions. ``first``: before it messages
    may be gone. ``commit_hash``: of the epoch's commit. ``here``: sessions with an open place. ``live``: those that keep up.
    """

    room_id: bytes
    name: str
    epoch: int
    head: int
    commit_hash: bytes = b""
    first: int = 1
    here: dict[LiveSession, None] = field(default_factory=dict)
    live: dict[LiveSession, None] = field(default_factory=dict)


class Hub(Arrivals):
    """All live sessions, by device, by account and by room; and who is elsewhere.

    Args:
        max_sessions: How many may be logged in at once; can be changed.
    """

    def __init__(self, max_sessions: int) -> None:
        super().__init__()
        self.max_sessions = max_sessions
        self._sessions: dict[bytes, LiveSession] = {}
        self._names: dict[str, dict[LiveSession, None]] = {}
        self.rooms: dict[bytes, LiveRoom] = {}
        self.elsewhere = Elsewhere()

    # -- who is online ------------------------------------------------------------------------------------------------

    @property
    def sessions(self) -> Sequence[LiveSession]:
        """Every session that is logged in."""
        return list(self._sessions.values())

    @property
    def full(self) -> bool:
        """Whether nobody new may log in."""
        return len(self._sessions) >= self.max_sessions

    def has_room_for(self, device_id: bytes) -> bool:
        """Whether this device may log in: there is a place left, or it takes over its own."""
        return device_id in self._sessions or not self.full

    def session_of(self, device_id: bytes) -> LiveSession | None:
        """The session of a device."""
        return self._sessions.get(device_id)

    def sessions_of(self, name: str) -> Sequence[LiveSession]:
        """The sessions of an account."""
        return list(self._names.get(name, ()))

    def attach(self, session: LiveSession) -> LiveSession | None:
        """Takes a session in. Returns the one of the same device that it replaces, already detached, if there was one."""
        replaced = self._sessions.get(session.device_id)
        if replaced is not None:
            self.detach(replaced)
        self._sessions[session.device_id] = session
        self._names.setdefault(session.name, {})[session] = None
        for room_id, place in session.places.items():
            if place.until is None and room_id in self.rooms:
                self.rooms[room_id].here[session] = None
        return replaced

    def detach(self, session: LiveSession) -> None:
        """Forgets a session; harmless when it is gone already."""
        if self._sessions.get(session.device_id) is session:
            del self._sessions[session.device_id]
        named = self._names.get(session.name, {})
        named.pop(session, None)
        if not named:
            self._names.pop(session.name, None)
        for room_id in session.places:
            self._put_out(session, room_id)

    def _put_out(self, session: LiveSession, room_id: bytes) -> None:
        room = self.rooms.get(room_id)
        if room is not None:
            room.here.pop(session, None)
            room.live.pop(session, None)

    def is_attached(self, session: LiveSession) -> bool:
        """Whether the session is still the one of its device."""
        return self._sessions.get(session.device_id) is session

    def knows(self, device_id: bytes) -> bool:
        """Whether the device is here, or about to be."""
        return device_id in self._sessions or device_id in self._arriving

    # -- who is in which room -----------------------------------------------------------------------------------------

    def add_rooms(self, rooms: Iterable[LiveRoom]) -> None:
        """Takes rooms in, as they stand in the store."""
        for room in rooms:
            self.rooms[room.room_id] = room

    def close(self, room_id: bytes) -> Sequence[LiveSession]:
        """Forgets a room. Returns the sessions that had a place in it, open or ended."""
        self.touch(self._arriving)
        had = [session for session in self._sessions.values() if room_id in session.places]
        for session in had:
            self.leave(session, room_id)
        self.rooms.pop(room_id, None)
        return had

    def enter(self, session: LiveSession, room_id: bytes, leaf: int, since: int) -> bool:
        """Gives a session its place: a new one, or another leaf in the one that it has. Says whether it is a new one.

        Who has synced is live at once; ``since`` is the room's head then.
        """
        place = session.places.get(room_id)
        if place is not None and place.until is None:
            session.places[room_id] = replace(place, leaf=leaf)
            return False
        session.places[room_id] = Place(leaf, since)
        session.behind.pop(room_id, None)
        room = self.rooms[room_id]
        room.here[session] = None
        if session.synced:
            room.live[session] = None
        return True

    def end_place(self, session: LiveSession, room_id: bytes, until: int) -> None:
        """The device was removed: nothing after ``until`` is for it. Who is behind reads up to there."""
        place = session.places.get(room_id)
        if place is not None and place.until is None:
            session.places[room_id] = replace(place, until=until)
            self._put_out(session, room_id)

    def leave(self, session: LiveSession, room_id: bytes) -> None:
        """Takes a session's place away; nothing more of the room is for it, whether it keeps up or not."""
        session.places.pop(room_id, None)
        session.behind.pop(room_id, None)
        self._put_out(session, room_id)

    # -- who hears what -----------------------------------------------------------------------------------------------

    def target(self, session: LiveSession, room_id: bytes) -> int:
        """The last seq that the session may read now."""
        until = session.places[room_id].until
        return self.rooms[room_id].head if until is None else until

    def go_live(self, session: LiveSession, room_id: bytes, position: int) -> bool:
        """Ends the reading of a room where ``position``, the last seq the session has, is the last one for it.

        In a room that it has an open place in it hears what comes from now on. Says whether the reading is over.
        """
        if not self.is_attached(session) or position < self.target(session, room_id):
            return False
        if session.places[room_id].until is None:
            self.rooms[room_id].live[session] = None
        return True

    def deliver(self, room_id: bytes, parts: Sequence[bytes], head: int) -> int:
        """Hands encoded events, the last of which has seq ``head``, to everybody who is live and has place for them.

        Who has no place, or was not given what came before, falls behind. Returns how many are live then.
        """
        room, size = self.rooms[room_id], sum(map(len, parts))
        position, room.head = room.head, head
        whole = position + len(parts) == head  # else something has failed in between, and the log alone has it
        full: list[LiveSession] = []
        for session in room.live:
            if whole and session.outbox.has_place(size):
                session.outbox.queue(parts, size)
            else:
                full.append(session)
        for session in full:
            self.put_behind(session, room_id, position)
        return len(room.live)

    def put_behind(self, session: LiveSession, room_id: bytes, position: int) -> None:
        """A session that is live in a room reads it from the log from now on; ``position`` is the last seq that it has."""
        del self.rooms[room_id].live[session]
        session.behind[room_id] = position
        session.outbox.fell_behind()
