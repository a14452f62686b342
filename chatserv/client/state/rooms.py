"""The rooms as this client has them in memory, and the names by which people address them."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from twisted.internet.defer import Deferred, DeferredLock

from chatserv.client.state.turns import Turns
from chatserv.client.storage.rooms import Keys, RoomRow, Standing
from chatserv.client.storage.vault import Vault
from chatserv.crypto.commits import Commit, Leave
from chatserv.crypto.room_rules import Head, Outcome
from chatserv.crypto.room_state import Kind, Role, RosterEntry, State
from chatserv.domain.names import room_name, user_name
from chatserv.errors import NameInvalid, NotFound, NotMember
from chatserv.wire import messages

SHORT_ID_DIGITS: Final = 6


@dataclass(eq=False)
class Room:
    """One room. ``row`` is None for a room that we look at without being in it: one to join, or just made.

    ``state``, ``head`` and ``commit`` are where our verified chain of it stands.
    """

    room_id: bytes
    head: Head
    row: RoomRow | None = None
    state: State | None = None
    commit: Commit | None = None
    queue: deque[messages.Event] = field(default_factory=deque)
    wraps: dict[int, messages.WrapReady] = field(default_factory=dict)
    busy: bool = False
    stopped: bool = False  # the server broke the rules here, or withholds something; until the next connection
    committing: Turns = field(default_factory=Turns)
    leaves: int = 0  # how many Leaves wait for a commit, as far as we were told
    withheld: bool = False  # the server says that we are not in it, which nobody has signed
    opening: DeferredLock = field(default_factory=DeferredLock)
    waiting: list[tuple[int, "Deferred[None]"]] = field(default_factory=list)
    told: int = 0  # the newest event that this run has told the program, stored as shown or not
    made_as: tuple[str, str] = ("", "")  # name and topic of a private room that we are making
    commits: dict[bytes, float | None] = field(default_factory=dict)  # of a public room: when each came, for the log

    @property
    def newest(self) -> int:
        """The newest event that has come, dealt with or not."""
        return self.queue[-1].seq if self.queue else 0 if self.row is None else self.row.cursor

    @property
    def in_it(self) -> bool:
        """Whether we have a place in the room now."""
        return self.row is not None and self.row.standing in (Standing.IN, Standing.OFFERED, Standing.REFUSED)

    @property
    def offered(self) -> bool:
        """Whether somebody has put us into it and we have not agreed."""
        return self.row is not None and self.row.standing in (Standing.OFFERED, Standing.REFUSED)

    @property
    def hidden(self) -> bool:
        """Whether a person is not to see that it is there."""
        return self.row is not None and self.row.standing is Standing.REFUSED

    def move(self, outcome: Outcome, commit: Commit) -> None:
        """Our chain goes on by a commit that was validated."""
        self.state, self.head, self.commit = outcome.state, outcome.head, commit
        self.leaves = max(0, self.leaves - sum(isinstance(op, Leave) for op in commit.tbs.ops))

    def own(self, device_id: bytes) -> RosterEntry | None:
        """The device's entry in the roster."""
        return None if self.state is None else self.state.device(device_id)

    def users(self) -> list[str]:
        """Whoever has a device in the room, in order."""
        return [] if self.state is None else sorted({entry.user for entry in self.state.roster})

    def listed(self) -> list[str]:
        """The users who are members, with a device or without, in order."""
        return [] if self.state is None else [member.user for member in self.state.members if member.role]

    def reached(self) -> None:
        """The chain has moved: tells whoever waited for it."""
        due = [waiter for epoch, waiter in self.waiting if epoch <= self.head.epoch]
        self.waiting = [(epoch, waiter) for epoch, waiter in self.waiting if epoch > self.head.epoch]
        for waiter in due:
            waiter.callback(None)

    def abandoned(self, error: Exception) -> None:
        """The connection is gone, or the room stopped: what waits will not happen."""
        waiting, self.waiting = self.waiting, []
        for _, waiter in waiting:
            waiter.errback(error)

    async def reach(self, epoch: int) -> None:
        """Returns when this epoch is processed."""
        if self.head.epoch < epoch:
            waiter: Deferred[None] = Deferred()
            self.waiting.append((epoch, waiter))
            await waiter


class Rooms:
    """All rooms, by id and by name.

    Args:
        vault: Where they are kept.
        user: Our account's name.
    """

    def __init__(self, vault: Vault, user: str) -> None:
        self._vault, self._user = vault, user
        self._rooms: dict[bytes, Room] = {row.room_id: _restored(row) for row in vault.rooms.all()}

    def all(self) -> list[Room]:
        """Every room, those that we look at from outside included."""
        return list(self._rooms.values())

    def ours(self) -> list[Room]:
        """The rooms that we are in."""
        return [room for room in self._rooms.values() if room.in_it]

    def seen(self) -> list[Room]:
        """The rooms that we are in and a person is to see, in order of name."""
        names = self.names()
        return sorted((room for room in self.ours() if not room.hidden), key=lambda room: names[room.room_id])

    def stand(self, room: Room, standing: Standing) -> None:
        """Keeps what a room of ours is to us now."""
        if room.row is not None:
            room.row = replace(room.row, standing=standing)
            self._vault.rooms.put(room.row)

    def get(self, room_id: bytes) -> Room | None:
        """The room with this id."""
        return self._rooms.get(room_id)

    def look_at(self, room_id: bytes) -> Room:
        """The room with this id; a new one, of which nothing is known yet, where there is none."""
        return self._rooms.setdefault(room_id, Room(room_id, Head.before(room_id)))

    def reload(self, room: Room) -> None:
        """Back to what is stored of a room."""
        row = self._vault.rooms.get(room.room_id)
        if row is None:
            room.row, room.state, room.commit, room.head = None, None, None, Head.before(room.room_id)
            return
        kept = _restored(row)
        room.row, room.state, room.commit, room.head = kept.row, kept.state, kept.commit, kept.head

    def reload_all(self) -> None:
        """The same for all; rooms that we only look at are looked at anew when they are needed."""
        for room in self.all():
            self.reload(room)
            self.forget_room(room.room_id)

    def forget_room(self, room_id: bytes) -> None:
        """Drops a room that was only looked at."""
        room = self._rooms.get(room_id)
        if room is not None and room.row is None:
            del self._rooms[room_id]

    # -- names ---------------------------------------------------------------------------------------------------------

    def peer(self, room: Room) -> str | None:
        """The other one of direct messages; None for a room."""
        if room.state is None or room.state.policy.kind is not Kind.DM:
            return None
        others = [member.user for member in room.state.members if member.user != self._user]
        return others[0] if others else self._user

    def name(self, room: Room) -> str:
        """How people address it: ``@bob``, or the name, with part of the id behind it where another room has the same."""
        if room.in_it:
            return self.names()[room.room_id]
        peer = self.peer(room)
        if peer is not None:
            return f"@{peer}"
        return _title(room) or f"~{room.room_id.hex()[:SHORT_ID_DIGITS]}"

    def names(self) -> dict[bytes, str]:
        """The names of all our rooms, by id; no two are the same."""
        found: dict[bytes, str] = {}
        taken: set[str] = set()
        for room in sorted(self.ours(), key=_rank):
            peer, title = self.peer(room), _title(room)
            name, digits = title if peer is None else f"@{peer}", SHORT_ID_DIGITS
            while not name or name in taken:  # ids that begin alike can be made
                name, digits = f"{title}~{room.room_id.hex()[:digits]}", digits + 2
            found[room.room_id] = name
            taken.add(name)
        return found

    def find(self, name: str) -> Room:
        """The room of ours that is addressed so: ``lobby``, ``#lobby``, ``@bob``, or a name with a part of its id.

        Raises:
            NotMember: We are in no such room.
        """
        wanted = name.strip()
        by_name = {each: room_id for room_id, each in self.names().items()}
        for each in (wanted, wanted.removeprefix("#"), _canonical(wanted)):
            if each in by_name:
                return self._rooms[by_name[each]]
        raise NotMember(f"room {name}")

    def direct(self, user: str) -> Room | None:
        """Our direct messages with a user."""
        return next((room for room in self.ours() if self.peer(room) == user), None)

    def sharing(self, user: str) -> Iterable[Room]:
        """Our rooms that a user has a device in."""
        return (room for room in self.ours() if room.state is not None and room.state.devices_of(user))

    def role(self, room: Room) -> Role | None:
        """Our role in it."""
        return None if room.state is None else room.state.role(self._user)

    def public(self, name: str) -> Room:
        """The public room of that name that we are in. Raises `NotFound`."""
        for room in self.ours():
            if room.state is not None and room.state.policy.public and room.state.policy.name == name:
                return room
        raise NotFound(f"room {name}")


def _restored(row: RoomRow) -> Room:
    state, commit = State.decode(row.state), Commit.decode(row.head_commit)
    row = replace(row, read=min(row.read, row.cursor))  # a server may have said otherwise to an earlier version
    return Room(row.room_id, Head.of(commit), row, state, commit, stopped=row.standing is Standing.FORKED)


def _title(room: Room) -> str:
    """What it is called; nothing where that is no name of a room, such as somebody's with an ``@``."""
    title = "" if room.row is None else room.row.title
    if room.state is not None and room.state.policy.public:
        title = room.state.policy.name
    return title if is_room_name(title) else ""


@lru_cache(maxsize=4096)
def is_room_name(name: str) -> bool:
    """Whether a name is one that people can write: none that begins with ``@``, above all, and looks like somebody."""
    try:
        return room_name(name) == name
    except NameInvalid:
        return False


def _rank(room: Room) -> tuple[bool, int, bytes]:
    """Of two rooms of one name, the one that had it first keeps it, and none has it before we agree to the room.

    So nobody takes a name away by an invitation, nor by giving a room another name.
    """
    row = room.row
    return (row is None or room.offered, 0 if row is None else row.agreed, room.room_id)


def _canonical(name: str) -> str:
    try:
        return f"@{user_name(name[1:])}" if name.startswith("@") else room_name(name)
    except NameInvalid:
        return name


__all__ = ["Keys", "Room", "Rooms", "Standing"]
