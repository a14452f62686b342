"""What the store does about a restore."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from chatserv.mending_models import Candidate, MendedMessage, MendingState, OfferedEvent, OfferLimits, Voucher
from chatserv.models import LeafDraft
from chatserv.store import statements
from chatserv.store.locks import Lock, Orders, Rooms

T = TypeVar("T")


class MendingCalls(ABC):
    """Each runs one function of `chatserv.store.mending_statements`, in the thread that writes or in the one that reads."""

    @abstractmethod
    async def _write(
        self, work: Callable[[Connection], T], *locks: Lock, rooms: Rooms = (), orders: Orders[T] | None = None
    ) -> T: ...

    @abstractmethod
    async def _read(self, query: Callable[[Connection], T]) -> T: ...

    async def mending_state(self) -> MendingState:
        """The last restore, and whether it is being mended."""
        return await self._read(statements.mending_state)

    async def offer(self, room_id: bytes, by: Voucher, offers: Sequence[OfferedEvent], limits: OfferLimits) -> int:
        """Keeps what is new of the offers, and says how many those are. Raises `Quota`."""
        return await self._write(
            lambda conn: statements.offer(conn, room_id, by, offers, limits), Lock.CONTROL, rooms=(room_id,)
        )

    async def mending_floor(self, room_id: bytes) -> int:
        """The last place of a room at the restore."""
        return await self._read(lambda conn: statements.find_floor(conn, room_id))

    async def offered_rooms(self) -> Sequence[bytes]:
        """The rooms that there are offers for."""
        return await self._read(statements.offered_rooms)

    async def offered(self, room_id: bytes, after: int, limit: int) -> Sequence[Candidate]:
        """All candidates of the first places above ``after``."""
        return await self._read(lambda conn: statements.offered(conn, room_id, after, limit))

    async def mend_messages(self, room_id: bytes, mended: Sequence[MendedMessage]) -> Sequence[int]:
        """Puts messages where nothing is; returns the places that were filled. Raises `NotFound`."""
        return await self._write(lambda conn: statements.mend_messages(conn, room_id, mended), rooms=(room_id,))

    async def append_leaves(self, first: int, leaves: Sequence[LeafDraft]) -> None:
        """Puts leaves at the end of the log. Raises `StaleCommit`."""
        await self._write(lambda conn: statements.mend_leaves(conn, first, leaves), Lock.LOG)

    async def fill_statement(self, index: int, statement: bytes) -> bool:
        """Keeps what was signed behind a leaf that has nothing behind it."""
        return await self._write(lambda conn: statements.fill_statement(conn, index, statement), Lock.LOG)

    async def end_mending(self, report: bytes) -> None:
        """Forgets the offers."""
        await self._write(lambda conn: statements.end_mending(conn, report), Lock.CONTROL)
