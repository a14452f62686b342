"""The store on SQLite: one thread writes, another reads."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatserv.domain.roles import Role
from chatserv.errors import Busy, Draining
from chatserv.local_errors import LocalProtocolError
from chatserv.models import (
    Account,
    AccountStatus,
    Ban,
    Certified,
    CommitDraft,
    ConsentAt,
    Device,
    Event,
    EventDraft,
    Invite,
    LeafDraft,
    PlaceAt,
    PrekeyItem,
    Registration,
    Room,
    StoredWrap,
    TakenPrekey,
)
from chatserv.ports import AppendResult, CommitListener, CommitResult, LogListener
from chatserv.store import statements
from chatserv.store.database import reading_engine, translate, writing_engine
from chatserv.store.lane import Lane
from chatserv.store.limits import StoreLimits
from chatserv.store.writer import Writer

T = TypeVar("T")


class Phase(Enum):
    """The life of a store."""

    NEW = 0
    OPEN = 1
    DRAINING = 2
    CLOSED = 3


class SqlStore:
    """`chatserv.ports.Store` in a file that `chatserv.store.database.prepare` made.

    Threads and connections exist between `open` and `close` only. Writes keep the order in which their coroutines are
    started.

    Args:
        path: The database file.
        limits: The bounds.
        reactor: The reactor that answers; its threads are not used.
    """

    _log = Logger()

    def __init__(self, path: Path, limits: StoreLimits, reactor: ReactorBase) -> None:
        self._limits = limits
        self._phase = Phase.NEW
        self._listeners: list[CommitListener] = []
        self._log_listeners: list[LogListener] = []
        self._incarnation = b""
        self._reads = 0
        self._closing: list[Deferred[None]] = []
        self._writing = Lane("store-writer", partial(writing_engine, path), reactor)
        self._reading = Lane("store-reader", partial(reading_engine, path), reactor)
        self._writer = Writer(self._writing, limits, reactor, self._publish, self._publish_log)

    @property
    def incarnation(self) -> bytes:
        """16 random bytes, known after `open`."""
        if not self._incarnation:
            raise LocalProtocolError("the store was never open")
        return self._incarnation

    async def open(self) -> None:
        """Starts both threads and connects them.

        Raises:
            WireError: The file cannot be opened.
            LocalProtocolError: The store was open before, or the database is not prepared.
        """
        if self._phase is not Phase.NEW:
            raise LocalProtocolError("a store opens once")
        self._phase = Phase.CLOSED  # until all of it works
        try:
            async with AsyncExitStack() as undo:
                for lane in (self._writing, self._reading):  # the writer first: it recovers the file after a crash
                    await lane.open()
                    undo.push_async_callback(lane.close)
                incarnation = await self._reading.run(statements.incarnation)
                if incarnation is None:
                    raise LocalProtocolError("the database is not prepared")
                undo.pop_all()
        except SQLAlchemyError as error:
            raise translate(error) from error
        self._incarnation = incarnation
        self._phase = Phase.OPEN

    async def close(self) -> None:
        """Commits and answers what waits, then ends threads and connections. Again: waits for the same end."""
        if self._phase is Phase.OPEN:
            self._phase = Phase.DRAINING
            await self._writer.drain()
            try:
                await self._reading.close()  # the writer's connection goes last: it moves the log into the file
            finally:
                await self._writing.close()
                self._phase = Phase.CLOSED
                waiting, self._closing = self._closing, []
                for waiter in waiting:
                    waiter.callback(None)
        elif self._phase is Phase.DRAINING:
            closed: Deferred[None] = Deferred()
            self._closing.append(closed)
            await closed

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` after each commit with its events; one that raises is logged and disturbs nobody."""
        self._listeners.append(listener)

    def subscribe_log(self, listener: LogListener) -> None:
        """Calls ``listener`` likewise with the new leaves of the log, before the events of the same commit."""
        self._log_listeners.append(listener)

    async def add_invite(self, invite: Invite, now_ms: int) -> None:
        """Stores an invite. Raises `Quota`, or `LocalProtocolError` for a token that exists."""
        await self._write(lambda conn: statements.add_invite(conn, invite, now_ms, self._limits))

    async def register(self, registration: Registration, now_ms: int) -> Account:
        """Makes an account. Raises `InviteInvalid`, `NameTaken`, `Quota` or `BadMessage` (a device that exists)."""
        return await self._write(lambda conn: statements.register(conn, registration, now_ms, self._limits))

    async def device(self, name: str, device_id: bytes) -> Device | None:
        """The device of that account, or None."""
        return await self._read(lambda conn: statements.find_device(conn, name, device_id))

    async def account(self, name: str) -> AccountStatus | None:
        """The account of that name."""
        return await self._read(lambda conn: statements.find_account(conn, name))

    async def accounts(self, after: str, limit: int) -> Sequence[AccountStatus]:
        """Accounts with ``name > after``, in order of name."""
        return await self._read(lambda conn: statements.accounts(conn, after, limit))

    async def set_account(
        self, name: str, *, role: Role | None = None, suspended: bool | None = None, muted: bool | None = None
    ) -> AccountStatus:
        """Changes what is given. Raises `NotFound`, or `Forbidden` for the last administrator who is not suspended."""
        return await self._write(lambda conn: statements.set_account(conn, name, role, suspended, muted))

    async def set_ban(self, ban: Ban, *, on: bool) -> None:
        """Adds a ban, or lifts it. Raises `Quota`."""
        await self._write(lambda conn: statements.set_ban(conn, ban, on, self._limits))

    async def bans(self) -> Sequence[Ban]:
        """All bans, in order of subject."""
        return await self._read(statements.bans)

    async def log(self) -> Sequence[bytes]:
        """All leaves of the log, in order."""
        return await self._read(statements.log)

    async def statement(self, index: int) -> bytes | None:
        """The signed bytes behind a leaf."""
        return await self._read(lambda conn: statements.statement(conn, index))

    async def certificates(self, hashes: Sequence[bytes]) -> Sequence[Certified]:
        """Those of the certificates that are known."""
        return await self._read(lambda conn: statements.certificates(conn, hashes))

    async def revoke(self, cert_hash: bytes, leaf: LeafDraft, now_ms: int) -> bool:
        """Ends a device; False where it is unknown or revoked already."""
        return await self._write(lambda conn: statements.revoke(conn, cert_hash, leaf, now_ms))

    async def publish_prekeys(self, device_id: bytes, prekeys: Sequence[PrekeyItem], most: int) -> int:
        """Lists prekeys. Raises `NotFound` for a device that is unknown or revoked."""
        return await self._write(lambda conn: statements.publish_prekeys(conn, device_id, prekeys, most))

    async def take_prekey(self, device_id: bytes, *, one_time: bool) -> TakenPrekey:
        """Gives out a prekey."""
        return await self._write(lambda conn: statements.take_prekey(conn, device_id, one_time))

    async def prekeys_left(self, device_id: bytes) -> int:
        """How many one-time prekeys the device has."""
        return await self._read(lambda conn: statements.prekeys_left(conn, device_id))

    async def rooms(self) -> Sequence[Room]:
        """All open rooms, oldest first."""
        return await self._read(statements.rooms)

    async def places(self, device_id: bytes) -> Sequence[PlaceAt]:
        """The places of a device, ended ones included."""
        return await self._read(lambda conn: statements.places(conn, device_id))

    async def append(self, draft: EventDraft) -> AppendResult:
        """Puts a message at the end of its room. Raises `NotFound` for an unknown or closed room."""
        self._check_open()
        return cast(AppendResult, await self._writer.write(draft))

    async def commit(self, draft: CommitDraft) -> CommitResult:
        """Makes a commit the room's newest. Raises `NotFound`, `NameTaken` or `Quota`."""
        return await self._write(lambda conn: statements.commit(conn, draft, self._limits))

    async def consents(self) -> Sequence[ConsentAt]:
        """What users say to their places in open rooms."""
        return await self._read(statements.consents)

    async def set_consents(self, consents: Sequence[ConsentAt]) -> None:
        """Keeps each in place of what was kept before."""
        await self._write(lambda conn: statements.set_consents(conn, consents))

    async def commits(self, room_id: bytes, epoch: int, limit: int) -> Sequence[bytes]:
        """Up to ``limit`` commits from ``epoch`` on, in order."""
        return await self._read(lambda conn: statements.commits(conn, room_id, epoch, limit))

    async def wrap(self, room_id: bytes, epoch: int, device_id: bytes) -> StoredWrap | None:
        """The wrap of the device in that epoch, where it is still kept."""
        return await self._read(lambda conn: statements.wrap_of(conn, room_id, epoch, device_id))

    async def passed(self, device_id: bytes, cursors: Mapping[bytes, int]) -> None:
        """Forgets the device's wraps of epochs that ended before its cursors."""
        await self._write(lambda conn: statements.passed(conn, device_id, cursors))

    async def leave(self, room_id: bytes, user: str, leave: bytes) -> None:
        """Keeps a Leave until a commit takes it. Raises `NotFound`."""
        await self._write(lambda conn: statements.leave(conn, room_id, user, leave))

    async def close_room(self, room_id: bytes, leaf: LeafDraft | None) -> None:
        """Ends a room. Raises `NotFound`."""
        await self._write(lambda conn: statements.close_room(conn, room_id, leaf))

    async def mark_read(self, account_id: bytes, room_id: bytes, seq: int) -> None:
        """Moves the account's read marker forward, never back. Raises `NotFound`."""
        await self._write(lambda conn: statements.mark_read(conn, account_id, room_id, seq))

    async def read_marks(self, account_id: bytes) -> Mapping[bytes, int]:
        """The account's read markers by room."""
        return await self._read(lambda conn: statements.read_marks(conn, account_id))

    async def events(self, room_id: bytes, after: int, limit: int) -> Sequence[Event]:
        """Up to ``limit`` events with ``seq > after``, in order."""
        return await self._read(lambda conn: statements.events(conn, room_id, after, limit))

    async def events_before(self, room_id: bytes, before: int, since: int, limit: int) -> Sequence[Event]:
        """The last ``limit`` events with ``since < seq < before``, in order."""
        return await self._read(lambda conn: statements.events_before(conn, room_id, before, since, limit))

    def _check_open(self) -> None:
        if self._phase is Phase.NEW:
            raise LocalProtocolError("the store is not open")
        if self._phase is not Phase.OPEN:
            raise Draining("the store is closing")

    async def _write(self, work: Callable[[Connection], T]) -> T:
        self._check_open()
        return cast(T, await self._writer.write(work))

    async def _read(self, query: Callable[[Connection], T]) -> T:
        self._check_open()
        if self._reads >= self._limits.queue:
            raise Busy("too many reads wait", after_seconds=1)
        self._reads += 1
        try:
            return await self._reading.run(query)
        except SQLAlchemyError as error:
            refusal = translate(error)
            self._log.error("A read failed ({reason}).", reason=refusal.detail)
            raise refusal from error
        finally:
            self._reads -= 1

    def _publish(self, events: Sequence[Event]) -> None:
        for listener in self._listeners:
            with self._log.failuresHandled("A listener for commits failed."):
                listener(events)

    def _publish_log(self, first: int, leaves: Sequence[bytes]) -> None:
        for listener in self._log_listeners:
            with self._log.failuresHandled("A listener for the log failed."):
                listener(first, leaves)
