"""The store on SQLite: one thread writes, another reads."""

from collections.abc import Callable, Sequence
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

from chatserv.errors import Busy, Draining, LocalProtocolError
from chatserv.ports import (
    Account,
    AppendResult,
    CommitListener,
    Device,
    Event,
    EventDraft,
    Invite,
    Membership,
    Registration,
    Room,
)
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
        self._incarnation = b""
        self._reads = 0
        self._closing: list[Deferred[None]] = []
        self._writing = Lane("store-writer", partial(writing_engine, path), reactor)
        self._reading = Lane("store-reader", partial(reading_engine, path), reactor)
        self._writer = Writer(self._writing, limits, reactor, self._publish)

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

    async def add_invite(self, invite: Invite, now_ms: int) -> None:
        """Stores an invite. Raises `Quota`, or `LocalProtocolError` for a token that exists."""
        self._check_open()
        await self._writer.write(partial(statements.add_invite, new=invite, now_ms=now_ms, limits=self._limits))

    async def register(self, registration: Registration, now_ms: int) -> Account:
        """Makes an account. Raises `InviteInvalid`, `NameTaken`, `Quota` or `BadMessage` (a device that exists)."""
        self._check_open()
        work = partial(statements.register, new=registration, now_ms=now_ms, limits=self._limits)
        return cast(Account, await self._writer.write(work))

    async def append(self, draft: EventDraft) -> AppendResult:
        """Puts an event at the end of its room. Raises `NotFound` for an unknown room."""
        self._check_open()
        return cast(AppendResult, await self._writer.write(draft))

    async def device(self, name: str, device_id: bytes) -> Device | None:
        """The device of that account, or None."""
        return await self._read(lambda conn: statements.find_device(conn, name, device_id))

    async def rooms(self) -> Sequence[Room]:
        """All rooms, oldest first."""
        return await self._read(statements.rooms)

    async def memberships(self, account_id: bytes) -> Sequence[Membership]:
        """The rooms of an account."""
        return await self._read(lambda conn: statements.memberships(conn, account_id))

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
