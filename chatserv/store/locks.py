"""What a write needs for itself while it decides, where others write to the same database.

SQLite has one writer, who needs nothing. On PostgreSQL a batch takes what its calls have declared before the first of them
runs, in one order for everybody: rooms by their keys, then the locks below by their numbers. So no two wait for each other,
and what a call has read under its locks is so until its commit.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection

from chatserv.control_models import Order

T = TypeVar("T")
Rooms = Sequence[bytes] | Callable[[Connection], Iterable[bytes]]
"""Ids of rooms, known or not; or what finds them."""

Orders = Callable[[Connection, T], Sequence[Order]]
"""Gives the orders that follow from what was done, and from its result; in the same transaction."""


class Lock(IntEnum):
    """What one transaction at a time may change, in the order in which they are taken."""

    ACCOUNTS = 1  # accounts, their devices, keys, prekeys and invites; bans
    ROOMS = 2  # which rooms there are, their names and pairs
    LOG = 3  # the leaves of the log; the last that is taken of what many need
    CONTROL = 4  # what there is once: settings of the store, what it is mended from, how long messages are kept


ALL: Final = tuple(Lock)


class Locked(Generic[T]):
    """A function that writes, with what it declares.

    Args:
        work: The function.
        locks: Which locks it needs.
        rooms: Which rooms it changes, but for making them (that needs `Lock.ROOMS`).
        orders: What every node has to hear of it, by what it has come to; these are numbered under `Lock.CONTROL`.
    """

    __slots__ = ("_work", "locks", "orders", "rooms")

    def __init__(
        self,
        work: Callable[[Connection], T],
        locks: Sequence[Lock] = (),
        rooms: Rooms = (),
        orders: Orders[T] | None = None,
    ) -> None:
        self._work, self.rooms, self.orders = work, rooms, orders
        self.locks = locks if orders is None else (*locks, Lock.CONTROL)

    def __call__(self, conn: Connection) -> T:
        """What the function returns."""
        return self._work(conn)


def needs(work: Callable[[Connection], object]) -> Locked[object]:
    """What was declared; of a function that has declared nothing, everything."""
    return work if isinstance(work, Locked) else Locked(work, ALL)


def leaves_need(*leaves: Any) -> tuple[Lock, ...]:
    """The lock of the log, where there is a leaf for it."""
    return (Lock.LOG,) if any(leaf is not None for leaf in leaves) else ()
