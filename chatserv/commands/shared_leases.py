"""Leases where there are several nodes: the line stays in the node, and who is the first in it takes the lease in the store.

Who does not get it asks again when another node says that it is free, and that may be lost: so also each second. What a node
holds that dies ends by the store's clock.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.effects import Effects, Promise, Timer
from chatserv.commands.lease_line import CommitLease
from chatserv.errors import Busy, RateLimited, StaleCommit, WireError
from chatserv.lease_ports import LeaseClaim, LeaseElsewhere, LeaseRefused, LeaseStore
from chatserv.live_settings import LiveSettings

AGAIN_SECONDS: Final = 1.0  # after which the store is asked again, whatever was heard
YIELD_SECONDS: Final = 0.1  # in which another node may take what this one has just had
FREE_TRIES: Final = 5  # to give one back to a store that is busy
SPARE_SECONDS: Final = 5.0  # that a lease has in the store beyond what its holder has: the commit has to be stored, too


class _Turn(Struct, eq=False):
    """Who tries for the lease of a room. ``again``: it was said to be free, or is not wanted any more."""

    lease: CommitLease
    again: bool = False
    promise: Promise | None = None
    timer: Timer | None = None

    def due(self) -> None:
        """It is time to try again."""
        self.timer = None
        self.wake()

    def wake(self) -> None:
        """Tries, or ends, now or as soon as the store has answered."""
        self.again = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        promise, self.promise = self.promise, None
        if promise is not None:
            promise.callback(None)


class SharedLeases:
    """Those that this node holds in the store, and tries for: one a room at most, by its line (`Leases`).

    Args:
        store: Where they are.
        node: What this node is called: 8 bytes, new at each start.
        settings: Bounds and durations.
        effects: Timers, promises.
        reached: Answers when a room has come as far as a seq, here. Raises `Busy`.
        tell: Tells the other nodes.
    """

    def __init__(
        self,
        store: LeaseStore,
        node: bytes,
        settings: LiveSettings,
        effects: Effects,
        reached: Callable[[bytes, int], Awaitable[None]],
        tell: Callable[[Notice], None],
    ) -> None:
        self._store, self._node, self._settings, self._effects = store, node, settings, effects
        self._reached, self._tell = reached, tell
        self._number = 0
        self._turns: dict[bytes, _Turn] = {}
        self._held: dict[bytes, CommitLease] = {}

    async def take(self, lease: CommitLease, seconds: float) -> None:
        """Answers when the first in the line has the lease in the store, and the room is here as it was then.

        Raises:
            RateLimited: As of `Leases.begin`, by what other nodes have seen.
            StaleCommit: It has ended meanwhile.
            Busy: The store cannot be asked, or the room does not come.
        """
        self._number += 1
        lease.number = self._number
        turn = self._turns[lease.room_id] = _Turn(lease)
        try:
            head = await self._try(turn, seconds)
        finally:
            if self._turns.get(lease.room_id) is turn:
                del self._turns[lease.room_id]
        if not lease.over:
            self._held[lease.room_id] = lease
            if head is not None:
                await self._reached(lease.room_id, head)
        if lease.over:
            raise StaleCommit("lease: gone while it was waited for")

    async def _try(self, turn: _Turn, seconds: float) -> int | None:
        lease = turn.lease
        owner = lease.holder.account_id, lease.holder.device_id
        claim = LeaseClaim(lease.room_id, *owner, self._node, lease.number, seconds + SPARE_SECONDS)
        if lease.yields:
            await self._wait(turn, YIELD_SECONDS)
        while not lease.over:
            turn.again = False
            found = await self._store.take_lease(claim)
            if isinstance(found, LeaseRefused):
                raise RateLimited("lease: earlier ones were not used", after_seconds=found.seconds)
            if not isinstance(found, LeaseElsewhere):
                return found.head
            self._tell(Notice(NoticeKind.LEASE_WANTED, lease.room_id))
            await self._wait(turn, min(found.seconds, AGAIN_SECONDS))
        return None

    async def _wait(self, turn: _Turn, seconds: float) -> None:
        if turn.again:
            return
        promise = turn.promise = self._effects.promise()
        turn.timer = self._effects.later(max(seconds, 0.0), turn.due)
        await promise

    def end(self, lease: CommitLease) -> None:
        """A lease of this node has ended, whether it was taken already or not."""
        if self._held.get(lease.room_id) is lease:
            del self._held[lease.room_id]
        turn = self._turns.get(lease.room_id)
        if turn is not None and turn.lease is lease:
            turn.wake()
        if lease.number:
            self._effects.spawn(self._free(lease))  # behind a call that may be under way to take it

    async def _free(self, lease: CommitLease, tries: int = FREE_TRIES) -> None:
        try:
            had = await self._store.free_lease(lease.room_id, self._node, lease.number)
        except Busy:
            if tries > 1:  # then it ends by time
                self._effects.later(AGAIN_SECONDS, lambda: self._free_again(lease, tries - 1))
        except WireError:
            pass  # this node ends
        else:
            if had:
                self._tell(Notice(NoticeKind.LEASE_FREE, lease.room_id))

    def _free_again(self, lease: CommitLease, tries: int) -> None:
        self._effects.spawn(self._free(lease, tries))

    def punish(self, room_id: bytes, account_id: bytes) -> None:
        """The account waits for the room's lease, on all nodes."""
        self._effects.spawn(self._refuse(room_id, account_id))

    async def _refuse(self, room_id: bytes, account_id: bytes) -> None:
        limits = self._settings.limits
        try:
            await self._store.refuse_leases(room_id, account_id, limits.lease_lapse_seconds, limits.counters)
        except WireError:
            return  # this node knows

    # -- what other nodes say

    def freed(self, room_id: bytes) -> None:
        """Nobody has the room's lease, or not for long."""
        turn = self._turns.get(room_id)
        if turn is not None:
            turn.wake()

    def wanted(self, room_id: bytes) -> None:
        """Somebody elsewhere waits for the room's lease: they get their turn before who comes next in the line here."""
        lease = self._held.get(room_id)
        if lease is not None:
            lease.wanted = True
