"""Threads that do what blocks: each one call after the other; what comes of it is told in the reactor's thread."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread, get_native_id
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from chatserv.turnstile import turnstile_of

T = TypeVar("T")


class Workers:
    """Threads with one queue of calls, for which whoever gives them has a bound.

    Twisted's pool of threads would do the same, but takes a third of the time of a small commit to hand it over and back,
    and tells all that was done in one turn of the reactor: 22 logins went on in one of 45 ms.
    Nothing exists before `start`, because the process may fork between making and starting.

    Args:
        name: Of the threads.
        count: How many there are; all from the start, as the system may refuse one later.
        reactor: Where the answers arrive.
        nice: How far they stand behind the other threads of this process where all want the same core (nice(2)).
        at_once: What comes of calls does not wait for its turn, since those who talk wait for it.
    """

    def __init__(self, name: str, count: int, reactor: Any, nice: int = 0, *, at_once: bool = False) -> None:
        self._name, self.count, self._reactor, self._nice = name, count, reactor, nice
        self._turnstile = None if at_once else turnstile_of(reactor)
        self._calls: SimpleQueue[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]] | None] = SimpleQueue()
        self._threads: list[Thread] = []

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
        if self._turnstile is None:
            self._reactor.callFromThread(fire, outcome)
        else:
            self._reactor.callFromThread(self._turnstile.do, partial(fire, outcome))
