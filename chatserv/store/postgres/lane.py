"""A thread with one connection to PostgreSQL, which connects again where that is lost."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred

from chatserv.store.lane import Lane
from chatserv.store.postgres.errors import RAISED, is_lost, is_raced

T = TypeVar("T")
PAUSES: Final = (0.0, 0.02, 0.05, 0.1, 0.2)  # seconds before the same is tried again; the last one from then on

DOWN_SECONDS: Final = 1.0
"""After everything was tried: until it is tried again, once, and nobody else waits for what will not come."""


class PostgresLane(Lane):
    """Repeats what a lost connection has cut off, or another transaction was in the way of, for as long as it may take.

    Where that was not enough, what comes later is refused at once while there is no connection.

    Args:
        name: The thread's name.
        make_engine: Called in the thread; the connections are made from its result.
        reactor: Where the answers arrive; its clock counts.
        seconds: How long one piece of work may take.
        at_once: The answers do not wait for their turn.

    Attributes:
        waiting: How much is under way or waits.
        repeated: How often something was tried again.
        answers: How often PostgreSQL has answered.
    """

    def __init__(
        self,
        name: str,
        make_engine: Callable[[], Engine],
        reactor: ReactorBase,
        seconds: float,
        *,
        at_once: bool = False,
    ) -> None:
        super().__init__(name, make_engine, reactor, at_once=at_once)
        self.seconds = seconds
        self.waiting = 0
        self.repeated = self.answers = 0
        self._clock = reactor.seconds
        self._until: float | None = None  # of the work that is under way
        self._down_until = 0.0  # nothing is tried before; 0: there is a connection, or none was missed yet
        self._ending = threading.Event()
        self._socket: socket.socket | None = None  # of the connection, once more: `cut` never touches the driver's own
        self._guard = threading.Lock()  # between this thread's closing of it and `cut`

    @property
    def down(self) -> bool:
        """Whether no connection could be made, and none has been since; somebody has to ask for one."""
        return self._down_until > 0

    def run(self, work: Callable[[Connection], T]) -> Deferred[T]:
        """Calls ``work(connection)`` in the thread, more than once where that is needed; it may be repeated."""
        self.waiting += 1
        return super().run(work).addBoth(self._answered)

    def _answered(self, result: Any) -> Any:
        self.waiting -= 1
        return result

    def cut(self) -> None:
        """In the reactor's thread: gives up a connection whose answer is overdue."""
        until = self._until
        if until is None or self._clock() < until:
            return
        with self._guard:
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Disconnects after the work that was given before, and ends the thread; nothing is repeated any more."""
        self._ending.set()
        await super().close()

    def _work(self, work: Callable[[Connection], T]) -> T:
        began = self._clock()
        if began < self._down_until:
            raise OperationalError("", None, psycopg.OperationalError("there was no connection a moment ago"))
        self._until = began + self.seconds
        until = began if self._down_until else self._until
        try:
            for pause in _pauses():
                try:
                    result = self._once(work)
                except RAISED as error:
                    lost, unreachable = is_lost(error), self._connection is None
                    if lost:
                        self._drop()
                    over = self._ending.is_set() or self._clock() + pause >= until
                    if over or not (lost or is_raced(error)):
                        self._down_until = self._clock() + DOWN_SECONDS if unreachable else 0.0
                        raise
                else:
                    self._down_until = 0.0
                    self.answers += 1
                    return result
                self.repeated += 1
                self._ending.wait(pause)
            raise AssertionError("pauses do not end")
        finally:
            self._until = None

    def _once(self, work: Callable[[Connection], T]) -> T:
        if self._connection is not None and self._connection.invalidated:
            self._drop()  # else SQLAlchemy makes another one by itself, which `cut` does not know
        if self._connection is None:
            self._connect()
        return super()._work(work)

    def _connect(self) -> None:
        super()._connect()
        assert self._connection is not None
        driver: Any = self._connection.connection.driver_connection
        with self._guard:
            self._socket = socket.socket(fileno=os.dup(driver.pgconn.socket))

    def _drop(self) -> None:
        with self._guard:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
        lost, self._connection = self._connection, None
        if lost is not None:
            with suppress(*RAISED):
                lost.invalidate()
            with suppress(*RAISED):
                lost.close()

    def _disconnect(self) -> None:
        self._drop()


def _pauses() -> Iterator[float]:
    yield from PAUSES
    while True:
        yield PAUSES[-1]
