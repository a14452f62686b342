"""One thread that owns one connection."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


class Lane:
    """Runs functions of a connection, one after the other, in a thread of its own.

    Nothing exists before `open`, because the process may fork between making and opening. Twisted's pool of threads would do
    the same, but takes a third of the time of a small commit to hand it over and back.

    Args:
        name: The thread's name.
        make_engine: Called in the thread; the connection is made from its result.
        reactor: Where the answers arrive.
    """

    def __init__(self, name: str, make_engine: Callable[[], Engine], reactor: ReactorBase) -> None:
        self._make_engine = make_engine
        self._reactor = reactor
        self._name = name
        self._calls: SimpleQueue[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._connection: Connection | None = None

    async def open(self) -> None:
        """Starts the thread and connects. Raises what the connecting raises, with the thread stopped."""
        self._thread = Thread(target=self._serve, name=self._name, daemon=True)
        self._thread.start()
        try:
            await self._call(self._connect)
        except BaseException:
            self._end()
            raise

    def run(self, work: Callable[[Connection], T]) -> Deferred[T]:
        """Calls ``work(connection)`` in the thread; fires in the reactor's thread with its result or failure."""
        return self._call(self._work, work)

    async def close(self) -> None:
        """Disconnects after the work that was given before, and ends the thread."""
        try:
            await self._call(self._disconnect)
        finally:
            self._end()

    def _call(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        answer: Deferred[T] = Deferred()
        self._calls.put((answer, function, arguments))
        return answer

    def _end(self) -> None:
        self._calls.put(None)
        if self._thread is not None:
            self._thread.join()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            self._answer(*call)
            del call

    def _answer(self, answer: Deferred[T], function: Callable[..., T], arguments: tuple[Any, ...]) -> None:
        try:
            result = function(*arguments)
        except BaseException:  # noqa: BLE001 - whoever waits hears of it
            self._reactor.callFromThread(answer.errback, Failure())
        else:
            self._reactor.callFromThread(answer.callback, result)

    def _connect(self) -> None:
        self._connection = self._make_engine().connect()

    def _work(self, work: Callable[[Connection], T]) -> T:
        assert self._connection is not None
        return work(self._connection)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
