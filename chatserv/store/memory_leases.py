"""Leases of commits in the store in memory, whose clock is the machine's."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from chatserv.lease_ports import LeaseClaim, LeaseElsewhere, LeaseRefused, LeaseTaken
from chatserv.store.memory_rooms import RoomTable


class LeaseCalls(ABC):
    """Implements `chatserv.lease_ports.LeaseStore`.

    Attributes:
        seconds: The clock.
    """

    _rooms: RoomTable

    def __init__(self) -> None:
        super().__init__()
        self.seconds: Callable[[], float] = time.monotonic
        self._leases: dict[bytes, tuple[LeaseClaim, float]] = {}
        self._refused: dict[tuple[bytes, bytes], float] = {}

    @abstractmethod
    def _check_open(self) -> None: ...

    async def take_lease(self, claim: LeaseClaim) -> LeaseTaken | LeaseElsewhere | LeaseRefused:
        """Gives the room's lease to the claim, if no other node has it."""
        self._check_open()
        now = self.seconds()
        left = self._refused.get((claim.room_id, claim.account_id), now) - now
        if left > 0:
            return LeaseRefused(left)
        before, until = self._leases.get(claim.room_id, (claim, now))
        if until > now and before.node != claim.node:
            return LeaseElsewhere(until - now)
        self._leases[claim.room_id] = claim, now + claim.seconds
        heads = {room.room_id: room.head for room in self._rooms.rooms()}
        return LeaseTaken(heads.get(claim.room_id))

    async def free_lease(self, room_id: bytes, node: bytes, number: int) -> bool:
        """Ends it where that claim has it; those that have ended by time go with it."""
        self._check_open()
        found = self._leases.get(room_id)
        now = self.seconds()
        had = found is not None and (found[0].node, found[0].number) == (node, number)
        self._leases = {
            key: (claim, until)
            for key, (claim, until) in self._leases.items()
            if until > now and not (had and key == room_id)
        }
        return had

    async def refuse_leases(self, room_id: bytes, account_id: bytes, seconds: float, most: int) -> None:
        """Gives an account none of a room for so long."""
        self._check_open()
        now = self.seconds()
        self._refused[room_id, account_id] = now + seconds
        lasting = sorted((until, key) for key, until in self._refused.items() if until > now)
        self._refused = {key: until for until, key in lasting[max(0, len(lasting) - most) :]}
