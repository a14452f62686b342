"""How late the reactor is, and where it stands when it stands still.

A call of the reactor, 20 times a second, measures how late it comes; a thread looks on, and after a second without one logs
where the reactor's thread stands. Whether it is ended then is the business of systemd's watchdog or of the monitor child.

Time in which nothing of this process ran (it was stopped by a signal, the machine slept) is no lag: then the thread that
looks on has not run either, and the reactor's has used no processor.
"""

import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.counts import Count, Histogram
from chatserv.errors import ChatError
from chatserv.systemd import Notifier

TICK_SECONDS: Final = 0.05
LOOK_SECONDS: Final = 0.25  # between two looks of the thread
STALL_SECONDS: Final = 0.1  # late by so much is counted
STACK_SECONDS: Final = 1.0  # late by so much is logged with a stack; then after twice the time, and so on
BOUNDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
FEEDS: Final = 4  # in the time after which the watchdog bites
_STACK_FRAMES: Final = 40


class LagMeter:
    """Measures the reactor's lag.

    Args:
        reactor: What is measured; its thread starts this.
        count: Is told of ``stalls``.
        seconds: A clock that stands while the machine sleeps.
    """

    log = Logger(namespace="chatserv.watchdog")

    def __init__(self, reactor: Any, count: Count, seconds: Callable[[], float] = time.monotonic) -> None:
        self.last = 0.0
        self.lags = Histogram(BOUNDS)
        self._reactor, self._count, self._seconds = reactor, count, seconds
        self._worst: dict[str, float] = {}
        self._call: Any = None
        self._ticked = self._looked = self._cpu = 0.0
        self._cpu_clock: int | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._watched = 0

    def start(self) -> None:
        """Starts both, the call and the thread; in the reactor's thread."""
        self._watched = threading.get_ident()
        self._cpu_clock = time.pthread_getcpuclockid(self._watched)
        self._mark(self._seconds())
        self._looked = self._ticked
        self._call = self._reactor.callLater(TICK_SECONDS, self._tick)
        self._ended.clear()
        self._thread = threading.Thread(target=self._look_on, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends both."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._thread is not None:
            self._ended.set()
            self._thread.join(STACK_SECONDS)
            self._thread = None

    def worst(self, taker: str) -> float:
        """The longest lag, in seconds, since this taker asked the last time; the one that goes on counts."""
        now = max(self._seconds() - self._ticked - TICK_SECONDS, 0.0) if self._call is not None else 0.0
        worst = max(self._worst.get(taker, 0.0), now)
        self._worst[taker] = 0.0
        return worst

    def _mark(self, now: float) -> None:
        self._ticked, self._cpu = now, self._used()

    def _used(self) -> float:
        """The processor time of the reactor's thread, in seconds."""
        return 0.0 if self._cpu_clock is None else time.clock_gettime(self._cpu_clock)

    def _tick(self) -> None:
        now = self._seconds()
        lag = 0.0 if self._paused(now) else max(now - self._ticked - TICK_SECONDS, 0.0)
        self.last = lag
        self.lags.observe(lag)
        for taker, worst in self._worst.items():
            if lag > worst:
                self._worst[taker] = lag
        if lag >= STALL_SECONDS:
            self._count("stalls")
        if lag >= STACK_SECONDS:
            self.log.warn("the reactor stood still for {seconds:.1f} s", seconds=lag)
        self._mark(now)
        self._call = self._reactor.callLater(TICK_SECONDS, self._tick)

    def _paused(self, now: float) -> bool:
        """Whether most of the time since the last tick passed without this process."""
        passed = now - self._ticked
        return passed > 2 * LOOK_SECONDS and now - self._looked > passed / 2 and self._used() - self._cpu < passed / 2

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _look_on(self) -> None:
        due, ticked = STACK_SECONDS, self._ticked
        while not self._ended.wait(LOOK_SECONDS):
            now = self._seconds()
            if self._ticked != ticked:
                due, ticked = STACK_SECONDS, self._ticked
            if now - ticked - TICK_SECONDS >= due and not self._paused(now):
                due *= 2
                self._show(now - ticked)
            self._looked = now

    def _show(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._watched)
        lines = [] if frame is None else traceback.format_stack(frame)[-_STACK_FRAMES:]
        stack = "".join(lines).rstrip("\n")
        self.log.error(
            "the reactor has stood still for {seconds:.1f} s, here", seconds=seconds, log_stack=stack.split("\n")
        )


class Feeder:
    """Feeds systemd's watchdog, each time after the store has answered: whose disk hangs, is restarted too.

    Args:
        reactor: Gives time.
        notifier: Says how often; nothing is done where nobody watches.
        ping: Answers when the store does.
        status: What ``systemctl status`` shows.
    """

    log = Logger(namespace="chatserv.watchdog")

    def __init__(
        self, reactor: Any, notifier: Notifier, ping: Callable[[], Awaitable[None]], status: Callable[[], str]
    ) -> None:
        self._notifier, self._ping, self._status = notifier, ping, status
        self._call = LoopingCall(self._feed)
        self._call.clock = reactor

    def start(self) -> None:
        """Starts to feed, four times as often as the watchdog wants it."""
        if self._notifier.watchdog_seconds is not None:
            self._call.start(self._notifier.watchdog_seconds / FEEDS).addErrback(self._broke)

    def stop(self) -> None:
        """Ends."""
        if self._call.running:
            self._call.stop()

    def _feed(self) -> "Deferred[None]":
        return Deferred.fromCoroutine(self._after_a_ping())  # the next one waits for this

    async def _after_a_ping(self) -> None:
        with suppress(ChatError):  # that is an answer as well; no restart heals a disk
            await self._ping()
        self._notifier.alive(self._status())

    def _broke(self, failure: Failure) -> None:
        self.log.failure("the store does not answer any more, and the watchdog is not fed", failure)
