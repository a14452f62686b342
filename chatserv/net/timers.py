"""One timer for all connections, a wheel of ticks instead of a ``DelayedCall`` each."""

from collections.abc import Callable
from math import ceil
from typing import Any, Protocol

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

bugs = Logger(namespace="chatserv.net.timers")
TICK_SECONDS = 1.0


class Timed(Protocol):
    """What can be woken."""

    def woken(self, now: float) -> float | None:
        """The time has come. Returns the next one (monotonic, in seconds), or None for no more."""
        ...


class TimerWheel:
    """Wakes things never early and at most a tick late; each has at most one time at once.

    Args:
        reactor: Gives one repeated call.
        seconds: The time; by default the reactor's.
    """

    def __init__(self, reactor: Any, seconds: Callable[[], float] | None = None) -> None:
        self.seconds: Callable[[], float] = seconds or reactor.seconds
        self._slots: dict[int, set[Timed]] = {}  # by number of the tick since the start
        self._slot_of: dict[Timed, int] = {}
        self._began = self.seconds()
        self._next = 1
        self._loop = LoopingCall(self._tick)
        self._loop.clock = reactor

    def __len__(self) -> int:
        return len(self._slot_of)

    def start(self) -> None:
        """Begins to tick."""
        self._began = self.seconds()
        self._loop.start(TICK_SECONDS, now=False)

    def stop(self) -> None:
        """Ticks no more."""
        if self._loop.running:
            self._loop.stop()

    def wake_at(self, timed: Timed, when: float) -> None:
        """Wakes ``timed`` at ``when`` (as `seconds` tells it), up to a tick later, instead of at its earlier time."""
        self.forget(timed)
        slot = max(ceil((when - self._began) / TICK_SECONDS), self._next)
        self._slots.setdefault(slot, set()).add(timed)
        self._slot_of[timed] = slot

    def forget(self, timed: Timed) -> None:
        """Wakes ``timed`` no more."""
        slot = self._slot_of.pop(timed, None)
        if slot is not None:
            members = self._slots.get(slot)  # None: it is just being woken
            if members is not None:
                members.discard(timed)
                if not members:
                    del self._slots[slot]

    def _tick(self) -> None:
        now = self.seconds()
        last = int((now - self._began) / TICK_SECONDS)
        while self._next <= last:
            slot, self._next = self._next, self._next + 1  # before waking: what is due again at once gets the next slot
            for timed in self._slots.pop(slot, ()):
                if self._slot_of.get(timed) == slot:  # else one before it in this slot has moved or forgotten it
                    del self._slot_of[timed]
                    self._wake(timed, now)

    def _wake(self, timed: Timed, now: float) -> None:
        with bugs.failuresHandled("a deadline failed on our side"):  # the wheel turns on for all others
            again = timed.woken(now)
            if again is not None:
                self.wake_at(timed, again)


class AwakeCall:
    """A call after so many seconds in which this process was awake: nobody else could use those that it slept through.

    Args:
        reactor: Gives timers.
        awake: The clock, without the time that the process slept through.
        delay: How many seconds.
        what: What is called.
    """

    def __init__(self, reactor: Any, awake: Callable[[], float], delay: float, what: Callable[[], object]) -> None:
        self._reactor, self._awake, self._what = reactor, awake, what
        self._due = awake() + delay
        self._call = reactor.callLater(delay, self._come)

    def cancel(self) -> None:
        """Not any more."""
        self._call.cancel()

    def _come(self) -> None:
        left = self._due - self._awake()
        if left > TICK_SECONDS:
            self._call = self._reactor.callLater(left, self._come)
        else:
            self._what()
