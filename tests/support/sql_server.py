"""A whole server in memory over a store in a file, without threads: for tests of what lies in the file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import ChatError
from chatserv.models import Appended, EventDraft
from chatserv.store import statements
from chatserv.store.database import prepare, writing_engine
from chatserv.store.limits import StoreLimits
from chatserv.store.locks import Lock, Locked, Orders, Rooms
from chatserv.store.sql import SqlStore
from chatserv.store.transaction import execute
from tests.support import server
from tests.support.server import WireServer

T = TypeVar("T")


class InlineStore(SqlStore):
    """A store that does all at once, in the caller's thread.

    Args:
        path: The file; made where it is missing.
        limits: The bounds.
    """

    def __init__(self, path: Path, limits: StoreLimits) -> None:
        super().__init__(path, limits, Clock())  # type: ignore[arg-type]
        prepare(path)
        self._engine = writing_engine(path)
        self._connection = self._engine.connect()
        with self._connection.begin():
            self._incarnation = statements.incarnation(self._connection) or b""

    async def open(self) -> None:
        """It is."""

    async def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()
        self._engine.dispose()

    async def append(self, draft: Any) -> Any:
        """As `SqlStore.append`."""
        return await self._write(draft)

    async def _ready(self) -> None:
        """It is."""

    async def _write(
        self,
        work: Any,
        *locks: Lock,
        rooms: Rooms = (),
        orders: Orders[Any] | None = None,
    ) -> Any:
        done = execute([work if isinstance(work, EventDraft) else Locked(work, locks, rooms, orders)], self._connection)
        if done.leaves:
            self._publish_log(done.first_leaf, done.leaves)
        (outcome,) = done.outcomes
        if isinstance(outcome, ChatError):
            raise outcome
        if isinstance(outcome, Appended):
            self._publish([outcome.event])
        self._writer.order([order for _, order in done.orders])
        return outcome

    async def _read(self, query: Callable[[Connection], T]) -> T:
        with self._connection.begin():
            return query(self._connection)


def sql_server(case: SynchronousTestCase, path: Path, **options: Any) -> WireServer:
    """A server over a store in that file, until the test ends; its key is ``rsa_key("server")``."""

    def make(limits: StoreLimits) -> InlineStore:
        store = InlineStore(path, limits)
        case.addCleanup(lambda: made.wait(store.close()))
        return store

    case.patch(server, "MemoryStore", make)
    made = WireServer(**options)
    return made
