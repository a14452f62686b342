"""Commit leases: who may commit to a room now, and who comes next (docs/protocol.rst, "Commits").

A lease only schedules; what keeps a room's chain whole is the store's compare-and-swap. So that nobody keeps others from
committing by holding leases for nothing, an account that lets one lapse, or gives back too many unused, waits.
"""

from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from chatserv.commands.effects import Effects, Promise, Timer
from chatserv.config import Limits
from chatserv.domain.hub import LiveSession
from chatserv.domain.rates import Rates
from chatserv.errors import Busy, RateLimited, StaleCommit

UNUSED_SECONDS: Final = 3600.0  # leases that were given back unused are counted for so long


class Urgency(IntEnum):
    """Who comes before whom in the line for a lease; of one urgency, whoever came first."""

    MODERATION = 0  # an owner or moderator removes or bans somebody
    DUE = 1  # a member takes out a device that the log has ended
    ORDINARY = 2


@dataclass(eq=False, slots=True)
class CommitLease:
    """One session's turn.

    ``staged``: wraps by leaf of the new roster. ``one_time``: one-time prekeys given out under it, by device. ``is_new``:
    for a room that is to be made. ``told``: the holder knows that it has it. ``committing``: the commit was submitted; it
    does not lapse any more, and takes nothing more. ``used``: the commit is one that the room can take.
    """

    room_id: bytes
    holder: LiveSession
    is_new: bool
    timer: Timer | None = None
    staged: dict[int, bytes] = field(default_factory=dict)
    one_time: Counter[bytes] = field(default_factory=Counter)
    told: bool = False
    committing: bool = False
    used: bool = False


@dataclass(eq=False, slots=True)
class _Waiter:
    session: LiveSession
    promise: Promise
    is_new: bool
    urgency: Urgency
    lease: CommitLease | None = None
    crowded_out: bool = False

    def wake(self) -> None:
        self.promise.callback(None)


@dataclass(eq=False, slots=True)
class _Queue:
    """One room's: the lease, and who waits for it, the next one first."""

    lease: CommitLease | None = None
    waiters: list[_Waiter] = field(default_factory=list)

    def add(self, waiter: _Waiter) -> None:
        """Behind those that are as urgent."""
        insort(self.waiters, waiter, key=lambda each: each.urgency)


class Leases:
    """All leases.

    Args:
        limits: Bounds and durations.
        effects: Time, timers and promises.
    """

    def __init__(self, limits: Limits, effects: Effects) -> None:
        self._limits, self._effects = limits, effects
        self._queues: dict[bytes, _Queue] = {}
        self._held: dict[LiveSession, dict[bytes, CommitLease]] = {}
        self._penalties: OrderedDict[tuple[bytes, bytes], float] = OrderedDict()  # by room and account
        self._unused = Rates(effects.seconds, limits.counters)

    async def begin(self, room_id: bytes, session: LiveSession, *, is_new: bool, urgency: Urgency) -> CommitLease:
        """Waits for the room's lease and takes it; `start` sets its end.

        Raises:
            RateLimited: The account has let a lease of this room lapse, or given back too many unused.
            Busy: Too many wait, or the session makes a room already.
            StaleCommit: The session went away while it waited, or the room.
        """
        self._check_penalty(room_id, session)
        if is_new and any(lease.is_new for lease in self._held.get(session, {}).values()):
            raise Busy("lease: one room at a time", after_seconds=self._limits.lease_seconds)
        queue = self._queues.setdefault(room_id, _Queue())
        if queue.lease is not None:
            if session in (queue.lease.holder, *(waiter.session for waiter in queue.waiters)):
                raise Busy("lease: one request of a session", after_seconds=self._limits.retry_seconds)
            waiter = _Waiter(session, self._effects.promise(), is_new, urgency)
            if len(queue.waiters) >= self._limits.lease_waiting:
                self._make_room(queue, waiter)
            queue.add(waiter)
            await waiter.promise
            return self._taken(queue, room_id, waiter)
        return self._grant(queue, room_id, session, is_new=is_new)

    def _make_room(self, queue: _Queue, newcomer: _Waiter) -> None:
        """The line is full: the last one goes, if the newcomer is more urgent. Raises `Busy` if not."""
        last = queue.waiters[-1]
        if last.urgency <= newcomer.urgency:
            raise self._too_many()
        queue.waiters.pop()
        last.crowded_out = True
        last.promise.callback(None)

    def _too_many(self) -> Busy:
        return Busy("lease: too many wait", after_seconds=self._limits.lease_seconds)

    def _taken(self, queue: _Queue, room_id: bytes, waiter: _Waiter) -> CommitLease:
        """What the waiting has led to."""
        if waiter.crowded_out:
            raise self._too_many()
        if waiter.lease is None or queue.lease is not waiter.lease:
            self._check_penalty(room_id, waiter.session)
            raise StaleCommit("lease: gone while it was waited for")
        return waiter.lease

    def _check_penalty(self, room_id: bytes, session: LiveSession) -> None:
        left = self._penalty(room_id, session)
        if left > 0:
            raise RateLimited("lease: earlier ones were not used", after_seconds=left)

    def _penalty(self, room_id: bytes, session: LiveSession) -> float:
        """How many seconds the account still has to wait for the room's lease."""
        key = (room_id, session.account_id)
        until = self._penalties.get(key)
        if until is None:
            return 0.0
        left = until - self._effects.seconds()
        if left <= 0:
            del self._penalties[key]
        return left

    def _grant(self, queue: _Queue, room_id: bytes, session: LiveSession, *, is_new: bool) -> CommitLease:
        lease = queue.lease = CommitLease(room_id, session, is_new)
        self._held.setdefault(session, {})[room_id] = lease
        return lease

    def start(self, lease: CommitLease, seconds: float) -> None:
        """The holder is told: from now on it has so many seconds."""
        lease.told = True
        lease.timer = self._effects.later(seconds, lambda: self._lapse(lease))

    def _lapse(self, lease: CommitLease) -> None:
        lease.timer = None
        self._punish(lease)
        lease.told = False  # punished already
        self.release(lease)

    def _punish(self, lease: CommitLease) -> None:
        key = (lease.room_id, lease.holder.account_id)
        self._penalties[key] = self._effects.seconds() + self._limits.lease_lapse_seconds
        self._penalties.move_to_end(key)
        if len(self._penalties) > self._limits.counters:
            self._penalties.popitem(last=False)

    def _count_unused(self, lease: CommitLease) -> None:
        """A lease that led to no commit, however it ended, counts as one that lapsed, but for the first few."""
        key = (lease.room_id, lease.holder.account_id)
        if self._unused.wait(key, self._limits.lease_unused, UNUSED_SECONDS) > 0:
            self._punish(lease)
        else:
            self._unused.take(key)

    def held(self, room_id: bytes, session: LiveSession) -> CommitLease | None:
        """The session's lease of the room, unless its commit is under way already."""
        lease = self._held.get(session, {}).get(room_id)
        return None if lease is None or lease.committing else lease

    def is_committing(self, room_id: bytes) -> bool:
        """Whether a commit of the room is under way."""
        queue = self._queues.get(room_id)
        return queue is not None and queue.lease is not None and queue.lease.committing

    def staged(self, session: LiveSession) -> int:
        """How many wraps are kept for the session, under all of its leases."""
        return sum(len(lease.staged) for lease in self._held.get(session, {}).values())

    def require(self, room_id: bytes, session: LiveSession) -> CommitLease:
        """As `held`. Raises `StaleCommit` where there is none."""
        lease = self.held(room_id, session)
        if lease is None:
            raise StaleCommit(f"room {room_id.hex()}: no lease")
        return lease

    def submit(self, lease: CommitLease) -> None:
        """The commit comes: the lease does not lapse any more."""
        lease.committing = True
        self._stop(lease)

    def _stop(self, lease: CommitLease) -> None:
        if lease.timer is not None:
            lease.timer.cancel()
            lease.timer = None

    def release(self, lease: CommitLease) -> None:
        """Ends a lease; the next one that waits has it. Harmless where it has ended."""
        self._stop(lease)
        held = self._held.get(lease.holder, {})
        if held.get(lease.room_id) is lease:
            if lease.told and not (lease.used or lease.is_new):
                self._count_unused(lease)
            del held[lease.room_id]
            if not held:
                self._held.pop(lease.holder, None)
        queue = self._queues.get(lease.room_id)
        if queue is not None and queue.lease is lease:
            self._pass_on(lease.room_id, queue)

    def _pass_on(self, room_id: bytes, queue: _Queue) -> None:
        queue.lease = None
        while queue.waiters:
            waiter = queue.waiters.pop(0)
            allowed = self._penalty(room_id, waiter.session) <= 0  # else another device of the account has used it up
            if allowed:
                waiter.lease = self._grant(queue, room_id, waiter.session, is_new=waiter.is_new)
            self._effects.later(0, waiter.wake)  # not from here: a line of them would nest
            if allowed:
                return
        del self._queues[room_id]

    def give_back(self, room_id: bytes, session: LiveSession) -> None:
        """The session does not want the room's lease any more, whether it has it or waits for it."""
        self._withdraw(lambda waiter: waiter.session is session, self._queues.get(room_id))
        lease = self.held(room_id, session)
        if lease is not None:
            self.release(lease)

    def forget(self, session: LiveSession) -> None:
        """The session is gone: its leases end, but for those whose commit is under way, and it waits for none."""
        for queue in list(self._queues.values()):
            self._withdraw(lambda waiter: waiter.session is session, queue)
        for lease in list(self._held.get(session, {}).values()):
            if not lease.committing:
                self.release(lease)

    def close(self, room_id: bytes) -> None:
        """The room is closed: nobody has or waits for its lease."""
        queue = self._queues.get(room_id)
        self._withdraw(lambda _: True, queue)
        if queue is not None and queue.lease is not None:
            queue.lease.used = True  # nobody is to blame
            self.release(queue.lease)

    def _withdraw(self, who: Callable[[_Waiter], bool], queue: _Queue | None) -> None:
        for waiter in [] if queue is None else list(queue.waiters):
            if who(waiter) and queue is not None:
                queue.waiters.remove(waiter)
                waiter.promise.callback(None)
