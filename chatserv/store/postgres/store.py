"""The store in a PostgreSQL database: one connection writes, some read."""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, Final

from sqlalchemy import Connection, Engine, select
from twisted.internet.base import ReactorBase

from chatserv.control_models import Announced
from chatserv.domain.retention import Kept, RetentionDue
from chatserv.errors import ReadOnly
from chatserv.lease_ports import LeaseClaim, LeaseElsewhere, LeaseRefused, LeaseTaken
from chatserv.local_errors import LocalProtocolError
from chatserv.repeating import repeated
from chatserv.store import control_statements
from chatserv.store.checking import Damage
from chatserv.store.lane import Lane
from chatserv.store.limits import StoreLimits
from chatserv.store.postgres import leases
from chatserv.store.postgres.batches import Batches
from chatserv.store.postgres.engines import SECONDS, reading_engine, writing_engine
from chatserv.store.postgres.errors import RAISED, translate
from chatserv.store.postgres.functions import session_number
from chatserv.store.postgres.lane import PostgresLane
from chatserv.store.postgres.using import OVERTAKEN, Use, users
from chatserv.store.sql_base import BaseSqlStore

MISSED: Final = "more orders were missed than are kept"
LOOK_SECONDS: Final = 0.5  # between two looks for connections that do not answer
TOUCH_SECONDS: Final = 2.0  # after this the connection that writes, and holds the lock, is tried where nobody else does


class PostgresStore(BaseSqlStore):
    """`chatserv.ports.Store` and `chatserv.lease_ports.LeaseStore` in a database that was prepared (`.preparing`).

    A connection that is lost is made again, and what it had not answered is repeated, for ``seconds``; after that calls are
    refused as busy. Other stores may write to the same database.

    Args:
        url: Of the database, as libpq has it.
        readers: How many connections read.
        limits: The bounds.
        reactor: The reactor that answers; its threads are not used.
        seconds: How long a call of the database may take.
        use: Keeps other servers out; None: they may write to it too.
        keeps_orders: Whether others do, and have to hear of this one's orders.

    Attributes:
        reached_again: Called when PostgreSQL can be reached again.
    """

    def __init__(
        self,
        url: str,
        readers: int,
        limits: StoreLimits,
        reactor: ReactorBase,
        seconds: float = SECONDS,
        use: Use | None = None,
        *,
        keeps_orders: bool = False,
    ) -> None:
        self.batches, self._use, self._touched = Batches(keeps_orders=keeps_orders), use, 0.0

        @cache
        def engine() -> Engine:
            made = writing_engine(url, seconds)
            return made if use is None else use.hold(made)

        writing = PostgresLane("store-writer", engine, reactor, seconds, at_once=True)
        self._lanes = [
            PostgresLane(f"store-reader-{number}", cache(partial(reading_engine, url, seconds)), reactor, seconds)
            for number in range(readers)
        ]
        self._all = [writing, *self._lanes]
        super().__init__(limits, reactor, writing, self._lanes, self.batches.execute, translate)
        self.reached_again: Callable[[], object] = bool
        self._down_since: float | None = None  # PostgreSQL cannot be reached, and that was said
        self._looking = repeated(self._look, reactor)

    async def open(self) -> None:
        """Starts the threads and connects them. Raises as `BaseSqlStore.open`."""
        await super().open()
        self._looking.start(LOOK_SECONDS, now=False)

    @property
    def repeated(self) -> int:
        """How often something was tried again: a connection was lost, or another transaction was in the way."""
        return sum(lane.repeated for lane in self._all)

    @property
    def answers(self) -> int:
        """How often PostgreSQL has answered: where that grows it is there, however long some answer is waited for."""
        return sum(lane.answers for lane in self._all)

    async def close(self) -> None:
        """Commits and answers what waits, then ends threads and connections. Again: waits for the same end."""
        await super().close()
        if self._looking.running:
            self._looking.stop()

    async def users(self) -> int:
        """How many stores have the database in use; this one too, where it keeps others out or shares it."""
        return await self._read(users)

    def begin_check(self, found: Callable[[Damage], object]) -> None:
        """Nothing: PostgreSQL has checksums of its own, and ``pg_amcheck``."""

    async def take_lease(self, claim: LeaseClaim) -> LeaseTaken | LeaseElsewhere | LeaseRefused:
        """Gives the room's lease to the claim, if no other node has it."""
        return await self._write(lambda conn: leases.take(conn, claim), rooms=(claim.room_id,))

    async def free_lease(self, room_id: bytes, node: bytes, number: int) -> bool:
        """Ends it where that claim has it; says whether it had."""
        return await self._write(lambda conn: leases.free(conn, room_id, node, number), rooms=(room_id,))

    async def refuse_leases(self, room_id: bytes, account_id: bytes, seconds: float, most: int) -> None:
        """Gives an account none of a room for so long; of more than ``most`` such rows those go that end first."""
        await self._write(lambda conn: leases.refuse(conn, room_id, account_id, seconds, most), rooms=(room_id,))

    async def retain(self, due: RetentionDue) -> Kept:
        """Deletes some of what is not to be kept. Raises `LocalProtocolError` for a bound of bytes."""
        if due.bytes:
            raise LocalProtocolError("how large a PostgreSQL database is says little of what is in it")
        return await super().retain(due)

    async def announce(self, text: str, at_ms: int) -> None:
        """Tells every node, where there are others."""
        if not self.batches.keeps_orders:
            await super().announce(text, at_ms)
            return
        await self._write(_nothing, orders=lambda _conn, _done: [Announced(text, at_ms)])

    async def session_number(self) -> int:
        """The next one of the database."""
        return await self._read(lambda conn: int(conn.execute(select(session_number.next_value())).scalar_one()))

    async def orders(self, after: int, limit: int) -> Sequence[bytes]:
        """Orders behind a number. Gives up where it is not kept any more what follows it; raises `ReadOnly` then."""
        found = await self._read(lambda conn: control_statements.orders(conn, after, limit))
        if found and found[0][0] != after + 1:
            self.give_up(MISSED)
            raise ReadOnly(MISSED)
        return [body for _, body in found]

    @property
    def _reading(self) -> Lane:
        return min(self._lanes, key=lambda lane: lane.waiting)

    def _look(self) -> None:
        now = self._reactor.seconds()
        for lane in self._all:
            lane.cut()
            idle = lane is self._writing and now - self._touched >= TOUCH_SECONDS
            if (lane.down or idle) and not lane.waiting:
                self._touched = now if idle else self._touched
                lane.run(_touch).addErrback(lambda failure: failure.trap(*RAISED))
        if self._use is not None and self._use.overtaken:
            self.give_up(OVERTAKEN)
        else:
            self._tell_if_down(any(lane.down for lane in self._all))

    def _tell_if_down(self, down: bool) -> None:
        """Once each time: whoever asks meanwhile is told that the server is busy, and nothing of that is in the log."""
        now = self._reactor.seconds()
        if down and self._down_since is None:
            self._down_since = now
            self._log.error("PostgreSQL cannot be reached: what needs it is refused as busy until it can.")
        elif not down and self._down_since is not None:
            seconds, self._down_since = now - self._down_since, None
            self._log.info("PostgreSQL can be reached again, after {seconds:.0f} s.", seconds=seconds)
            self.reached_again()


def _touch(connection: Connection) -> None:
    """Work that only needs a connection, and shows whether it is there."""
    driver: Any = connection.connection.driver_connection
    driver.execute(b"SELECT 1")


def _nothing(_: Connection) -> None:
    """An announcement changes nothing."""
