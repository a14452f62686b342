"""Threads that do what blocks: each one call after the other; what comes of it is told in the reactor's thread."""

import os
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread, get_native_id
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

T = TypeVar("T")
bugs = Logger(namespace="chatserv.workers")
HEARD_SECONDS: Final = 0.001  # of a turn, for what has come of calls: 22 logins went on in one turn of 45 ms


class Workers:
    """Threads with one queue of calls, for which whoever gives them has a bound.

    Twisted's pool of threads would do the same, but takes a third of the time of a small commit to hand it over and back,
    and tells all that was done in one turn of the reactor, in which nobody else is served.
    Nothing exists before `start`, because the process may fork between making and starting.

    Args:
        name: Of the threads.
        count: How many there are; all from the start, as the system may refuse one later.
        reactor: Where the answers arrive.
        nice: How far they stand behind the other threads of this process where all want the same core (nice(2)).
    """

    def __init__(self, name: str, count: int, reactor: Any, nice: int = 0) -> None:
        self._name, self.count, self._reactor, self._nice = name, count, reactor, nice
        self._calls: SimpleQueue[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._told: deque[tuple[Callable[[Any], object], object]] = deque()  # as many as were called at most
        self._telling = False  # whether a turn of the reactor will hear of them
        self._lock = Lock()

    def start(self) -> None:
        """Starts them."""
        for _ in range(self.count):
            self._threads.append(thread := Thread(target=self._serve, name=self._name, daemon=True))
            thread.start()

    def stop(self) -> None:
        """Ends them after what was given before; harmless where there are none."""
        for _ in self._threads:
            self._calls.put(None)
        while self._threads:
            self._threads.pop().join()

    def call(self, function: Callable[..., T], *arguments: Any) -> Deferred[T]:
        """Calls ``function`` in the next thread that is free."""
        answer: Deferred[T] = Deferred()
        self._calls.put((answer, function, arguments))
        return answer

    def _serve(self) -> None:
        if self._nice:
            self._give_way()
        while (call := self._calls.get()) is not None:
            self._answer(*call)
            del call

    def _give_way(self) -> None:
        thread = get_native_id()
        with suppress(OSError):  # other systems have one priority for all threads, and may know none of this number
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + self._nice)

    def _answer(self, answer: Deferred[T], function: Callable[..., T], arguments: tuple[Any, ...]) -> None:
        try:
            result = function(*arguments)
        except BaseException:  # noqa: BLE001 - whoever waits hears of it
            self._tell(answer.errback, Failure())
        else:
            self._tell(answer.callback, result)

    def _tell(self, fire: Callable[[Any], object], outcome: object) -> None:
        with self._lock:
            self._told.append((fire, outcome))
            first, self._telling = not self._telling, True
        if first:
            self._reactor.callFromThread(self._hear)

    def _hear(self) -> None:
        """In the reactor's thread: fires what has come of calls, for a short while in each turn."""
        end = time.perf_counter() + HEARD_SECONDS
        while (heard := self._next()) is not None:
            try:
                heard[0](heard[1])
            except Exception:  # noqa: BLE001 - the others are told all the same
                bugs.failure("what a thread was called for could not be told")
            if time.perf_counter() >= end:
                self._reactor.callLater(0, self._hear)
                break

    def _next(self) -> tuple[Callable[[Any], object], object] | None:
        with self._lock:
            self._telling = bool(self._told)
            return self._told.popleft() if self._told else None
