"""One thread that owns one connection."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred

from chatserv.workers import Workers

T = TypeVar("T")


class Lane:
    """Runs functions of a connection, one after the other, in a thread of its own.

    Nothing exists before `open`, because the process may fork between making and opening.

    Args:
        name: The thread's name.
        make_engine: Called in the thread; the connection is made from its result.
        reactor: Where the answers arrive.
        at_once: They do not wait for their turn.
    """

    def __init__(
        self, name: str, make_engine: Callable[[], Engine], reactor: ReactorBase, *, at_once: bool = False
    ) -> None:
        self._make_engine = make_engine
        self._thread = Workers(name, 1, reactor, at_once=at_once)
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Starts the thread and connects. Raises what the connecting raises, with the thread stopped."""
        self._thread.start()
        try:
            await self._thread.call(self._connect)
        except BaseException:
            self._thread.stop()
            raise

    def run(self, work: Callable[[Connection], T]) -> Deferred[T]:
        """Calls ``work(connection)`` in the thread; fires in the reactor's thread with its result or failure."""
        return self._thread.call(self._work, work)

    async def close(self) -> None:
        """Disconnects after the work that was given before, and ends the thread."""
        try:
            await self._thread.call(self._disconnect)
        finally:
            self._thread.stop()

    def _connect(self) -> None:
        self._connection = self._make_engine().connect()

    def _work(self, work: Callable[[Connection], T]) -> T:
        assert self._connection is not None
        return work(self._connection)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
