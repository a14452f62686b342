"""The two clocks. Dates are read from the one that people set; everything that waits goes by one that never goes back.

Somebody sets the clock of a machine, a virtual machine goes on after a day, daylight saving was written into the hardware
clock: dates jump. A deadline measured by dates then comes at once, or hours late, and Twisted's reactors measure theirs so.
"""

import time
from collections.abc import Callable
from typing import Any, Final

_STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
JUMP_SECONDS: Final = 30.0  # who hears nothing of the clock for so long was asleep, or was not let run


def now_ms() -> int:
    """The date, in milliseconds since 1970. It may jump; nothing waits by it."""
    return time.time_ns() // 1_000_000  # noqa: TID251 - the one place that dates come from


def now_ns() -> int:
    """The same in nanoseconds."""
    return time.time_ns()  # noqa: TID251 - likewise


def steady_seconds() -> float:
    """Seconds since some moment. It never goes back, and counts the time in which the machine sleeps, where a system can."""
    return time.clock_gettime(_STEADY)


def use_steady_clock(reactor: Any) -> Any:
    """Makes a program's reactor wait by `steady_seconds`: to be called once, by whoever owns the reactor, before it runs.

    Calls that wait already keep the time that is left.

    Args:
        reactor: A reactor of Twisted. A deadline that passes while the machine sleeps comes with the next thing that the
            reactor does.

    Returns:
        The reactor.
    """
    before: Callable[[], float] = reactor.seconds
    ahead = steady_seconds() - before()
    for call in reactor.getDelayedCalls():
        call.time += ahead
        call.seconds = steady_seconds
    reactor.seconds = steady_seconds
    return reactor


class AwakeClock:
    """Seconds in which this process ran: time that it slept through, 30 s or more at once, is left out.

    For how long others have been silent: who could not be heard was not silent.

    Args:
        seconds: A clock that never goes back. Whoever uses this one looks at it more often than each 30 s.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._looked_at = seconds()
        self.slept = 0.0  # all of it, in seconds

    def seconds(self) -> float:
        """The time."""
        now = self._seconds()
        if now - self._looked_at >= JUMP_SECONDS:
            self.slept += now - self._looked_at
        self._looked_at = now
        return now - self.slept
