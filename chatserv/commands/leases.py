"""Commit leases: who may commit to a room now, and who comes next (docs/protocol.rst, "Commits").

A lease only schedules; what keeps a room's chain whole is the store's compare-and-swap. So that nobody keeps others from
committing by holding leases for nothing, an account that lets one lapse, or gives back too many unused, waits.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from chatserv.commands.effects import Effects
from chatserv.commands.lease_line import CommitLease, Line, Urgency, Waiter
from chatserv.commands.shared_leases import SharedLeases
from chatserv.domain.hub import LiveSession
from chatserv.domain.rates import Rates
from chatserv.errors import Busy, RateLimited, StaleCommit, WireError
from chatserv.live_settings import LiveSettings

UNUSED_SECONDS: Final = 3600.0  # leases that were given back unused are counted for so long


class Leases:
    """All leases.

    Args:
        settings: Bounds and durations.
        effects: Time, timers and promises.

    Attributes:
        shared: Those that all nodes of a cluster share; None: there is one node.
    """

    def __init__(self, settings: LiveSettings, effects: Effects) -> None:
        self._settings, self._effects = settings, effects
        self.shared: SharedLeases | None = None
        self._queues: dict[bytes, Line] = {}
        self._held: dict[LiveSession, dict[bytes, CommitLease]] = {}
        self._by_account: Counter[bytes] = Counter()  # leases that are held
        self._penalties: OrderedDict[tuple[bytes, bytes], float] = OrderedDict()  # by room and account
        self._unused = Rates(effects.seconds, settings.limits.counters)

    async def begin(
        self, room_id: bytes, session: LiveSession, *, is_new: bool, urgency: Urgency, seconds: float = 0.0
    ) -> CommitLease:
        """Waits for the room's lease and takes it; `start` sets its end. ``seconds``: so long others wait.

        Raises:
            RateLimited: The account has let a lease of this room lapse, or given back too many unused.
            Busy: Too many wait, the session makes a room already, or the account holds as many leases as it may.
            StaleCommit: The session went away while it waited, or the room.
        """
        lease = await self._first_in_line(room_id, session, is_new=is_new, urgency=urgency)
        if self.shared is not None and not is_new:  # nobody else knows of a room that is to be made
            try:
                await self.shared.take(lease, seconds)
            except WireError:
                self.release(lease)
                raise
        return lease

    async def _first_in_line(
        self, room_id: bytes, session: LiveSession, *, is_new: bool, urgency: Urgency
    ) -> CommitLease:
        self._check_penalty(room_id, session)
        if is_new and any(lease.is_new for lease in self._held.get(session, {}).values()):
            raise Busy("lease: one room at a time", after_seconds=self._settings.limits.lease_seconds)
        self._check_held(session)
        queue = self._queues.setdefault(room_id, Line())
        if queue.lease is not None:
            if session in (queue.lease.holder, *(waiter.session for waiter in queue.waiters)):
                raise Busy("lease: one request of a session", after_seconds=self._settings.limits.retry_seconds)
            waiter = Waiter(session, self._effects.promise(), is_new, urgency)
            if len(queue.waiters) >= self._settings.limits.lease_waiting:
                self._make_room(queue, waiter)
            queue.add(waiter)
            await waiter.promise
            return self._taken(queue, room_id, waiter)
        return self._grant(queue, room_id, session, is_new=is_new)

    def _make_room(self, queue: Line, newcomer: Waiter) -> None:
        """The line is full: the last one goes, if the newcomer is more urgent. Raises `Busy` if not."""
        last = queue.waiters[-1]
        if last.urgency <= newcomer.urgency:
            raise self._too_many()
        queue.waiters.pop()
        last.crowded_out = True
        last.promise.callback(None)

    def _too_many(self) -> Busy:
        return Busy("lease: too many wait", after_seconds=self._settings.limits.lease_seconds)

    def _taken(self, queue: Line, room_id: bytes, waiter: Waiter) -> CommitLease:
        """What the waiting has led to."""
        if waiter.crowded_out:
            raise self._too_many()
        if waiter.lease is None or queue.lease is not waiter.lease:
            self._check_penalty(room_id, waiter.session)
            self._check_held(waiter.session)
            raise StaleCommit("lease: gone while it was waited for")
        return waiter.lease

    def _check_penalty(self, room_id: bytes, session: LiveSession) -> None:
        left = self._penalty(room_id, session)
        if left > 0:
            raise RateLimited("lease: earlier ones were not used", after_seconds=left)

    def _check_held(self, session: LiveSession) -> None:
        if self._is_full(session):
            raise Busy("lease: the account holds many", after_seconds=self._settings.limits.lease_seconds)

    def _is_full(self, session: LiveSession) -> bool:
        return self._by_account[session.account_id] >= self._settings.limits.leases_per_account

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

    def _grant(self, queue: Line, room_id: bytes, session: LiveSession, *, is_new: bool) -> CommitLease:
        lease = queue.lease = CommitLease(room_id, session, is_new)
        self._held.setdefault(session, {})[room_id] = lease
        self._by_account[session.account_id] += 1
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
        self._penalties[key] = self._effects.seconds() + self._settings.limits.lease_lapse_seconds
        self._penalties.move_to_end(key)
        if len(self._penalties) > self._settings.limits.counters:
            self._penalties.popitem(last=False)
        if self.shared is not None:
            self.shared.punish(*key)

    def _count_unused(self, lease: CommitLease) -> None:
        """A lease that led to no commit, however it ended, counts as one that lapsed, but for the first few."""
        key = (lease.room_id, lease.holder.account_id)
        if self._unused.wait(key, self._settings.limits.lease_unused, UNUSED_SECONDS) > 0:
            self._punish(lease)
        else:
            self._unused.take(key)

    def held(self, room_id: bytes, session: LiveSession) -> CommitLease | None:
        """The session's lease of the room, which it knows of, unless its commit is under way already."""
        lease = self._held.get(session, {}).get(room_id)
        return lease if lease is not None and lease.told and not lease.committing else None

    @property
    def rooms(self) -> Iterable[bytes]:
        """Those in which somebody has or waits for the lease."""
        return self._queues.keys()

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
        ended, lease.over = lease.over, True
        held = self._held.get(lease.holder, {})
        if held.get(lease.room_id) is lease:
            if lease.told and not (lease.used or lease.is_new):
                self._count_unused(lease)
            del held[lease.room_id]
            self._by_account[lease.holder.account_id] -= 1
            if not self._by_account[lease.holder.account_id]:
                del self._by_account[lease.holder.account_id]
            if not held:
                self._held.pop(lease.holder, None)
        if self.shared is not None and not ended:
            self.shared.end(lease)
        queue = self._queues.get(lease.room_id)
        if queue is not None and queue.lease is lease:
            self._pass_on(lease, queue)

    def _pass_on(self, ended: CommitLease, queue: Line) -> None:
        room_id, queue.lease = ended.room_id, None
        while queue.waiters:
            waiter = queue.waiters.pop(0)
            # Another device of the account may have used it up, or holds all that the account may.
            allowed = self._penalty(room_id, waiter.session) <= 0 and not self._is_full(waiter.session)
            if allowed:
                waiter.lease = self._grant(queue, room_id, waiter.session, is_new=waiter.is_new)
                waiter.lease.yields = ended.wanted
            self._effects.later(0, waiter.wake)  # not from here: a line of them would nest
            if allowed:
                return
        del self._queues[room_id]

    def give_back(self, room_id: bytes, session: LiveSession) -> None:
        """The session does not want the room's lease any more, whether it has it or waits for it."""
        self._withdraw(lambda waiter: waiter.session is session, self._queues.get(room_id))
        lease = self._held.get(session, {}).get(room_id)
        if lease is not None and not lease.committing:
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

    def _withdraw(self, who: Callable[[Waiter], bool], queue: Line | None) -> None:
        for waiter in [] if queue is None else list(queue.waiters):
            if who(waiter) and queue is not None:
                queue.waiters.remove(waiter)
                waiter.promise.callback(None)
