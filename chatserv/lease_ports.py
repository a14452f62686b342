"""What the nodes of a cluster need of a store for the leases of commits (docs/protocol.rst, "Commits").

A lease only schedules; what keeps a room's chain whole is the compare-and-swap of `chatserv.ports.Store.commit`. So nothing
of this has to survive a crash of the database, and all of it ends by its clock.
"""

from collections.abc import Awaitable
from typing import Protocol

from msgspec import Struct


class LeaseClaim(Struct, frozen=True):
    """Who wants the lease of a room: a session of a device, on a node, which has numbered its claims from 1 on.

    ``seconds``: how long it lasts where it is not freed before, nor claimed by the same node again: whose turn it is among
    its own sessions a node knows by itself.
    """

    room_id: bytes
    account_id: bytes
    device_id: bytes
    node: bytes
    number: int
    seconds: float


class LeaseTaken(Struct, frozen=True):
    """It is theirs. ``head``: the room's last seq at that moment; None where there is no such room, or it is closed."""

    head: int | None


class LeaseElsewhere(Struct, frozen=True):
    """Somebody has it, for so many seconds at most."""

    seconds: float


class LeaseRefused(Struct, frozen=True):
    """The account may not have one of this room for so many seconds: it let one lapse, or gave back too many unused."""

    seconds: float


class LeaseStore(Protocol):
    """A part of a store that several nodes share. Every call may be repeated. All raise `Busy`."""

    def take_lease(self, claim: LeaseClaim) -> Awaitable[LeaseTaken | LeaseElsewhere | LeaseRefused]:
        """Gives the room's lease to the claim, if no other node has it."""
        ...

    def free_lease(self, room_id: bytes, node: bytes, number: int) -> Awaitable[bool]:
        """Ends it where that claim has it; says whether it had."""
        ...

    def refuse_leases(self, room_id: bytes, account_id: bytes, seconds: float, most: int) -> Awaitable[None]:
        """Gives an account none of a room for so long; of more than ``most`` such rows those go that end first."""
        ...
