"""One room as this client has it in memory."""

from collections import deque
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, DeferredLock

from chatserv.client.state.room_names import is_room_name
from chatserv.client.state.turns import Turns
from chatserv.client.storage.rooms import RoomRow, Standing
from chatserv.crypto.commits import Commit, Leave
from chatserv.crypto.room_rules import Head, Outcome
from chatserv.crypto.room_state import Kind, RosterEntry, State
from chatserv.wire import messages


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
    told: int | None = None  # while what came is stored: nobody is told yet of what is behind this place
    stopped: bool = False  # the server broke the rules here, or withholds something; until the next connection
    committing: Turns = field(default_factory=Turns)
    leaves: int = 0  # how many Leaves wait for a commit, as far as we were told
    withheld: bool = False  # the server says that we are not in it, which nobody has signed
    lost: bool = False  # and has said so for long
    opening: DeferredLock = field(default_factory=DeferredLock)
    waiting: list[tuple[int, "Deferred[None]"]] = field(default_factory=list)
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
        return self.of_devices or (self.row is not None and self.row.standing is Standing.REFUSED)

    @property
    def of_devices(self) -> bool:
        """Whether it is that of our own devices, and no room for people."""
        return self.state is not None and self.state.policy.kind is Kind.DEVICES

    def move(self, outcome: Outcome, commit: Commit) -> None:
        """Our chain goes on by a commit that was validated."""
        self.state, self.head, self.commit = outcome.state, outcome.head, commit
        self.leaves = max(0, self.leaves - sum(isinstance(op, Leave) for op in commit.tbs.ops))

    def own(self, device_id: bytes) -> RosterEntry | None:
        """The device's entry in the roster."""
        return None if self.state is None else self.state.device(device_id)

    def roster(self) -> tuple[RosterEntry, ...]:
        """The devices in the room."""
        return () if self.state is None else self.state.roster

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
        for _epoch, waiter in waiting:
            waiter.errback(error)

    async def reach(self, epoch: int) -> None:
        """Returns when this epoch is processed."""
        if self.head.epoch < epoch:
            waiter: Deferred[None] = Deferred()
            self.waiting.append((epoch, waiter))
            await waiter


def begun(room: Room) -> tuple[int, int, bytes]:
    """Direct messages in the order in which they began."""
    added = 0 if room.state is None else max(member.kt_added for member in room.state.members)
    return added, 0 if room.row is None else room.row.agreed, room.room_id


def title_of(room: Room) -> str:
    """What it is called; nothing where that is no name of a room, such as somebody's with an ``@``."""
    title = "" if room.row is None else room.row.title
    if room.state is not None and room.state.policy.public:
        title = room.state.policy.name
    return title if is_room_name(title) else ""


def rank(room: Room) -> tuple[bool, int, bytes]:
    """Of two rooms of one name, the one that had it first keeps it, and none has it before we agree to the room.

    So nobody takes a name away by an invitation, nor by giving a room another name.
    """
    row = room.row
    return (row is None or room.offered, 0 if row is None else row.agreed, room.room_id)
