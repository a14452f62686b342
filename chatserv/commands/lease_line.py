"""One room's lease, and the line of those who wait for it."""

from bisect import insort
from collections import Counter
from collections.abc import Mapping
from enum import IntEnum

from msgspec import Struct, field

from chatserv.commands.effects import Promise, Timer
from chatserv.crypto.wraps import wrap_hash
from chatserv.domain.hub import LiveSession


class Urgency(IntEnum):
    """Who comes before whom in the line for a lease; of one urgency, whoever came first."""

    MODERATION = 0  # an owner or moderator removes or bans somebody
    DUE = 1  # a member takes out a device that the log has ended
    ORDINARY = 2


class CommitLease(Struct, eq=False):
    """One session's turn.

    ``staged``: wraps by leaf of the new roster; ``hashes``: theirs. ``one_time``: one-time prekeys given out under it, by
    device. ``is_new``: for a room that is to be made. ``told``: the holder knows that it has it. ``committing``: the commit
    was submitted; it does not lapse any more, and takes nothing more. ``used``: the commit is one that the room can take.
    ``over``: it has ended. ``number``: its own among those that this node has asked the store for; 0: none. ``wanted``:
    somebody on another node waits for it. ``yields``: the one before it was wanted elsewhere.
    """

    room_id: bytes
    holder: LiveSession
    is_new: bool
    timer: Timer | None = None
    staged: dict[int, bytes] = field(default_factory=dict)
    hashes: dict[int, bytes] = field(default_factory=dict)
    one_time: Counter[bytes] = field(default_factory=Counter)
    told: bool = False
    committing: bool = False
    used: bool = False
    over: bool = False
    number: int = 0
    wanted: bool = False
    yields: bool = False

    def stage(self, wraps: Mapping[int, bytes]) -> None:
        """Keeps wraps, by leaf. They are hashed page by page, as they come, not all with the commit."""
        self.staged.update(wraps)
        self.hashes.update({leaf: wrap_hash(wrap) for leaf, wrap in wraps.items()})


class Waiter(Struct, eq=False):
    """Somebody in the line. ``lease``: what the waiting has led to; ``crowded_out``: somebody more urgent has the place."""

    session: LiveSession
    promise: Promise
    is_new: bool
    urgency: Urgency
    lease: CommitLease | None = None
    crowded_out: bool = False

    def wake(self) -> None:
        """The waiting is over."""
        self.promise.callback(None)


class Line(Struct, eq=False):
    """One room's: the lease, and who waits for it, the next one first."""

    lease: CommitLease | None = None
    waiters: list[Waiter] = field(default_factory=list)

    def add(self, waiter: Waiter) -> None:
        """Behind those that are as urgent."""
        insort(self.waiters, waiter, key=lambda each: each.urgency)
