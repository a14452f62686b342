"""What every store on SQL is: one thread writes, others read."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from enum import Enum
from typing import TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatserv.control_models import Announced, encode_order
from chatserv.counts import Histogram
from chatserv.errors import BadMessage, Busy, Draining, WireError
from chatserv.local_errors import LocalProtocolError
from chatserv.models import Event, EventDraft
from chatserv.node_ports import CommitListener, LogListener
from chatserv.ports import AppendResult
from chatserv.store import statements
from chatserv.store.checking import Damage
from chatserv.store.lane import Lane
from chatserv.store.limits import StoreLimits
from chatserv.store.locks import Lock, Locked, Orders, Rooms
from chatserv.store.sql_accounts import AccountCalls
from chatserv.store.sql_blobs import BlobCalls
from chatserv.store.sql_mending import MendingCalls
from chatserv.store.sql_rooms import RoomCalls
from chatserv.store.transaction import Execute
from chatserv.store.writer import Translate, Writer

T = TypeVar("T")


class Phase(Enum):
    """The life of a store."""

    NEW = 0
    OPENING = 1
    OPEN = 2
    DRAINING = 3
    CLOSED = 4


class BaseSqlStore(RoomCalls, AccountCalls, BlobCalls, MendingCalls):
    """`chatserv.ports.Store` in a database that was prepared.

    Threads and connections exist between `open` and `close` only. Writes keep the order in which their coroutines are
    started.

    Args:
        limits: The bounds.
        reactor: The reactor that answers; its threads are not used.
        writing: The thread that writes.
        reading: The threads that read: one at least.
        execute: Makes a transaction of what is written.
        translate: Puts what a call of the database raised into an error of the protocol.

    Attributes:
        gave_up: Called once, with the reason, where nothing is written any more until the server has started anew, as its
            memory and the database are not the same.
    """

    _log = Logger()

    def __init__(
        self,
        limits: StoreLimits,
        reactor: ReactorBase,
        writing: Lane,
        reading: Sequence[Lane],
        execute: Execute,
        translate: Translate,
    ) -> None:
        self._limits, self._reactor = limits, reactor
        self._phase = Phase.NEW
        self._listeners: list[CommitListener] = []
        self._log_listeners: list[LogListener] = []
        self._control_listeners: list[LogListener] = []
        self._sessions = 0
        self._incarnation = b""
        self._reads = 0
        self._gave_up = False
        self.gave_up: Callable[[str], object] = bool
        self._until_turn: list[Deferred[None]] = []  # who waits for the end of opening or draining
        self._writing, self._readers, self._translate = writing, reading, translate
        ways_out = self._publish, self._publish_log, self._publish_orders
        self._writer = Writer(writing, limits, reactor, *ways_out, execute, translate, self._tidy)

    def _tidy(self) -> None:
        """Much was written, and nothing waits now."""

    @property
    def incarnation(self) -> bytes:
        """16 random bytes, known after `open`."""
        if not self._incarnation:
            raise LocalProtocolError("the store was never open")
        return self._incarnation

    async def open(self) -> None:
        """Starts both threads and connects them.

        Raises:
            WireError: The database cannot be opened.
            LocalProtocolError: The store was open before, or the database is not prepared.
        """
        if self._phase is not Phase.NEW:
            raise LocalProtocolError("a store opens once")
        self._phase = Phase.OPENING
        try:
            async with AsyncExitStack() as undo:
                for lane in (self._writing, *self._readers):  # the writer first: it recovers a file after a crash
                    await lane.open()
                    undo.push_async_callback(lane.close)
                incarnation = await self._reading.run(statements.incarnation)
                if incarnation is None:
                    raise LocalProtocolError("the database is not prepared")
                undo.pop_all()
            self._incarnation = incarnation
        except SQLAlchemyError as error:
            raise self._translate(error) from error
        finally:
            self._turn(Phase.OPEN if self._incarnation else Phase.CLOSED)

    async def close(self) -> None:
        """Commits and answers what waits, then ends threads and connections. Again: waits for the same end."""
        if self._phase is Phase.OPEN:
            self._phase = Phase.DRAINING
            await self._stop_checking()
            await self._writer.drain()
            try:
                for lane in self._readers:
                    await lane.close()
            finally:
                await self._writing.close()  # the last: it moves the log of a file into it
                self._turn(Phase.CLOSED)
        elif self._phase is Phase.DRAINING:
            await self._turned()

    @abstractmethod
    def begin_check(self, found: Callable[[Damage], object]) -> None:
        """Reads the whole database, beside the work, where nothing else does. ``found`` hears of the first damage."""

    async def _stop_checking(self) -> None:
        """What else uses the database ends."""

    @property
    def _reading(self) -> Lane:
        """The thread that reads next."""
        return self._readers[0]

    def _turn(self, phase: Phase) -> None:
        self._phase = phase
        while self._until_turn:
            self._until_turn.pop(0).callback(None)

    async def _turned(self) -> None:
        turned: Deferred[None] = Deferred()
        self._until_turn.append(turned)
        await turned

    @property
    def broken(self) -> bool:
        """Whether nothing is written any more."""
        return self._writer.broken

    @property
    def commit_seconds(self) -> Histogram:
        """How long commits took."""
        return self._writer.commit_seconds

    @property
    def writes_waiting(self) -> int:
        """How many calls wait for a commit."""
        return self._writer.waiting

    @property
    def reads_waiting(self) -> int:
        """How many reads are under way or wait."""
        return self._reads

    async def ping(self) -> None:
        """Answers when the thread that writes has had a turn, and one that reads has read."""
        await self._ready()
        try:
            await self._writing.run(_nothing)
            await self._reading.run(statements.incarnation)
        except SQLAlchemyError as error:
            raise self._translate(error) from error

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` after each commit with its events; one that raises is logged and disturbs nobody."""
        self._listeners.append(listener)

    def subscribe_log(self, listener: LogListener) -> None:
        """Calls ``listener`` likewise with the new leaves of the log, before the events of the same commit.

        Where one raises, nothing is written any more: a log in memory that lacks leaves must not be signed, and go on.
        """
        self._log_listeners.append(listener)

    def subscribe_control(self, listener: LogListener) -> None:
        """Calls ``listener`` with orders; one that raises is logged and disturbs nobody."""
        self._control_listeners.append(listener)

    async def announce(self, text: str, at_ms: int) -> None:
        """Tells it at once, also where nothing can be written."""
        await self._ready()
        self._writer.order([encode_order(Announced(text, at_ms))])

    async def session_number(self) -> int:
        """One more than before: nobody else numbers sessions."""
        await self._ready()
        self._sessions += 1
        return self._sessions

    async def orders(self, after: int, limit: int) -> Sequence[bytes]:  # noqa: ARG002 - of a port
        """None: they were carried out before anybody could ask."""
        await self._ready()
        return []

    def give_up(self, reason: str) -> None:
        """Writes nothing any more, as memory and database are not the same."""
        if not self._writer.broken:
            self._log.critical("Nothing is stored until a restart ({reason}).", reason=reason)
            self._writer.break_off(reason)
        if not self._gave_up:
            self._gave_up = True
            self.gave_up(reason)

    async def _ready(self) -> None:
        """Waits while the store opens: a server takes connections before that, and turns nobody away for it."""
        if self._phase is Phase.OPENING:
            await self._turned()
        if self._phase is Phase.NEW:
            raise LocalProtocolError("the store is not open")
        if self._phase is not Phase.OPEN:
            raise Draining("the store is closing")

    async def append(self, draft: EventDraft) -> AppendResult:
        """Puts a message at the end of its room. Raises `NotFound` for an unknown or closed room."""
        if self._phase is not Phase.OPEN:
            await self._ready()
        return cast(AppendResult, await self._writer.write(draft))

    async def _write(
        self, work: Callable[[Connection], T], *locks: Lock, rooms: Rooms = (), orders: Orders[T] | None = None
    ) -> T:
        await self._ready()
        return cast(T, await self._writer.write(Locked(work, locks, rooms, orders)))

    async def _read(self, query: Callable[[Connection], T]) -> T:
        await self._ready()
        if self._reads >= self._limits.queue:
            raise Busy("too many reads wait", after_seconds=1)
        self._reads += 1
        try:
            return await self._reading.run(query)
        except SQLAlchemyError as error:
            refusal = self._translate(error)
            if not isinstance(refusal, Busy | BadMessage):  # else who asks does so again, or has asked for nonsense
                self._log.error("A read failed ({reason}).", reason=refusal.detail)
            self._read_failed(refusal)
            raise refusal from error
        finally:
            self._reads -= 1

    def _read_failed(self, refusal: WireError) -> None:
        """A read has failed so."""

    def _publish(self, events: Sequence[Event]) -> None:
        for listener in self._listeners:
            with self._log.failuresHandled("A listener for commits failed."):
                listener(events)

    def _publish_log(self, first: int, leaves: Sequence[bytes]) -> None:
        for listener in self._log_listeners:
            with self._log.failuresHandled("A listener for the log failed.") as handled:
                listener(first, leaves)
            if handled.failed:
                self.give_up("what was added to the key log was not taken in")

    def _publish_orders(self, first: int, orders: Sequence[bytes]) -> None:
        for listener in self._control_listeners:
            with self._log.failuresHandled("A listener for orders failed."):
                listener(first, orders)


def _nothing(_: Connection) -> None:
    """What `BaseSqlStore.ping` writes."""
