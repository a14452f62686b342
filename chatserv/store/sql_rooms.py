"""What the store answers about rooms, and what it keeps of its own."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from chatserv.control_models import Addressed, Consented, LeaveKept, RoomClosed, entered, retained
from chatserv.domain.retention import Kept, RetentionDue
from chatserv.models import CommitDraft, ConsentAt, Event, EventDraft, LeafDraft, Room, StoredWrap
from chatserv.node_models import Arriving, Membership, Numbers, PublicRoom, RoomAt, Standing
from chatserv.ports import AppendResult, CommitResult
from chatserv.store import consent_statements, meta_statements, node_statements, statements
from chatserv.store.limits import StoreLimits
from chatserv.store.locks import Lock, Orders, Rooms, leaves_need
from chatserv.store.log_statements import log_page, log_size

T = TypeVar("T")


class RoomCalls(ABC):
    """Each runs one function of `chatserv.store.statements`, in the thread that writes or in one that reads."""

    _limits: StoreLimits

    @abstractmethod
    async def _write(
        self, work: Callable[[Connection], T], *locks: Lock, rooms: Rooms = (), orders: Orders[T] | None = None
    ) -> T: ...

    @abstractmethod
    async def _read(self, query: Callable[[Connection], T]) -> T: ...

    async def set_addresses(self, addresses: Sequence[str], before: Sequence[str] | None = None) -> bool:
        """Keeps where else the server can be reached, in the place of what was kept before, or of that alone."""
        return await self._write(
            lambda conn: meta_statements.set_addresses(conn, addresses, before),
            Lock.CONTROL,
            orders=lambda _, done: [Addressed(tuple(addresses))] if done else [],
        )

    async def addresses(self) -> Sequence[str]:
        """What was kept last."""
        return await self._read(meta_statements.addresses)

    async def rooms(self) -> Sequence[Room]:
        """All open rooms, oldest first."""
        return await self._read(statements.rooms)

    async def rooms_of(self, name: str) -> Sequence[bytes]:
        """Open rooms that an account has to do with, by id."""
        return await self._read(lambda conn: statements.rooms_of(conn, name))

    @abstractmethod
    async def append(self, draft: EventDraft) -> AppendResult:
        """Puts a message at the end of its room. Raises `NotFound` for an unknown or closed room."""

    async def commit(self, draft: CommitDraft) -> CommitResult:
        """Makes a commit the room's newest. Raises `NotFound`, `NameTaken` or `Quota`."""
        names = (Lock.ROOMS,) if draft.epoch == 0 or draft.name else ()
        return await self._write(
            lambda conn: statements.commit(conn, draft, self._limits),
            *names,
            *leaves_need(*draft.leaves),
            rooms=(draft.room_id, draft.replaces),
            orders=(lambda _, result: entered(draft, result)) if draft.added else None,
        )

    async def consents(self) -> Sequence[ConsentAt]:
        """What users say to their places in open rooms."""
        return await self._read(statements.consents)

    async def memberships(self, user: str) -> Sequence[Membership]:
        """The places of somebody in open rooms, by age of the room."""
        return await self._read(lambda conn: consent_statements.memberships(conn, user))

    async def offers(self, users: Sequence[str]) -> Sequence[ConsentAt]:
        """The places of these that others gave them and they have not agreed to, by age of the room."""
        return await self._read(lambda conn: consent_statements.offers(conn, users)) if users else []

    async def public_rooms(self, after: str, limit: int) -> Sequence[PublicRoom]:
        """Up to ``limit`` rooms with names behind ``after``, in order of name."""
        return await self._read(lambda conn: consent_statements.public_rooms(conn, after, limit))

    async def empty_rooms(self) -> Sequence[bytes]:
        """Open rooms that nobody is in, by age."""
        return await self._read(consent_statements.empty_rooms)

    async def set_consents(self, consents: Sequence[ConsentAt]) -> Sequence[ConsentAt]:
        """Keeps what may follow what was kept before; gives that."""
        return await self._write(
            lambda conn: statements.set_consents(conn, consents),
            rooms=[each.room_id for each in consents],
            orders=lambda conn, kept: [Consented(each, *statements.point_of(conn, each.room_id)) for each in kept],
        )

    async def commits(self, room_id: bytes, epoch: int, limit: int) -> Sequence[bytes]:
        """Up to ``limit`` commits from ``epoch`` on, in order."""
        return await self._read(lambda conn: statements.commits(conn, room_id, epoch, limit))

    async def wrap(self, room_id: bytes, epoch: int, device_id: bytes) -> StoredWrap | None:
        """The wrap of the device in that epoch, where it is still kept."""
        return await self._read(lambda conn: statements.wrap_of(conn, room_id, epoch, device_id))

    async def passed(self, device_id: bytes, cursors: Mapping[bytes, int]) -> None:
        """Forgets the device's wraps of epochs that ended before its cursors."""
        await self._write(lambda conn: statements.passed(conn, device_id, cursors), rooms=tuple(cursors))

    async def leave(self, room_id: bytes, user: str, leave: bytes) -> None:
        """Keeps a Leave until a commit takes it. Raises `NotFound`."""
        await self._write(
            lambda conn: statements.leave(conn, room_id, user, leave),
            rooms=(room_id,),
            orders=lambda conn, _: [LeaveKept(room_id, *statements.point_of(conn, room_id), user, leave)],
        )

    async def close_room(self, room_id: bytes, *leaves: LeafDraft | None, epoch: int | None = None) -> None:
        """Ends a room. Raises `NotFound` or `StaleCommit`."""
        await self._write(
            lambda conn: statements.close_room(conn, room_id, *leaves, epoch=epoch),
            *leaves_need(*leaves),
            rooms=(room_id,),
            orders=lambda conn, _: [RoomClosed(room_id, log_size(conn) if leaves_need(*leaves[-1:]) else 0)],
        )

    async def mark_read(self, account_id: bytes, room_id: bytes, seq: int) -> None:
        """Moves the account's read marker forward, never back. Raises `NotFound`."""
        await self._write(lambda conn: statements.mark_read(conn, account_id, room_id, seq), rooms=(room_id,))

    async def read_marks(self, account_id: bytes) -> Mapping[bytes, int]:
        """The account's read markers by room."""
        return await self._read(lambda conn: statements.read_marks(conn, account_id))

    async def retain(self, due: RetentionDue) -> Kept:
        """Deletes some of what is not to be kept."""
        return await self._write(
            lambda conn: statements.retain(conn, due),
            Lock.CONTROL,
            rooms=lambda conn: statements.due_rooms(conn, due),
            orders=lambda _, kept: retained(kept.floors),
        )

    async def events(self, room_id: bytes, after: int, limit: int) -> Sequence[Event]:
        """Up to ``limit`` events with ``seq > after``, in order."""
        return await self._read(lambda conn: statements.events(conn, room_id, after, limit))

    async def events_before(self, room_id: bytes, before: int, since: int, limit: int) -> Sequence[Event]:
        """The last ``limit`` events with ``since < seq < before``, in order."""
        return await self._read(lambda conn: statements.events_before(conn, room_id, before, since, limit))

    # -- what a node has to read

    async def rooms_at(self, room_ids: Sequence[bytes]) -> Mapping[bytes, RoomAt]:
        """Rooms as they stand."""
        return await self._read(lambda conn: node_statements.rooms_at(conn, room_ids))

    async def moved(self, heads: Mapping[bytes, int]) -> Mapping[bytes, int]:
        """The heads of those of these rooms that are open and not there."""
        return await self._read(lambda conn: node_statements.moved(conn, heads))

    async def standing(self, device_id: bytes) -> Standing:
        """Where a device is that logs in."""
        return await self._read(lambda conn: node_statements.standing(conn, device_id))

    async def arriving(self, name: str, device_id: bytes) -> Arriving | None:
        """What a device that logs in goes by."""
        return await self._read(lambda conn: node_statements.arriving(conn, name, device_id))

    async def numbers(self) -> Numbers:
        """How far the store has come with what is not a room's."""
        return await self._read(node_statements.numbers)

    async def leaves(self, first: int, limit: int) -> Sequence[bytes]:
        """Up to ``limit`` leaves of the log from index ``first`` on, in order."""
        return await self._read(lambda conn: log_page(conn, first, limit))
