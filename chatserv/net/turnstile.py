"""Who comes does not hold up who is in: what logins need of the reactor's thread is done a little in each turn, in order."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

MOST_SECONDS: Final = 0.001  # of a turn; and what was begun by then


class Turnstile:
    """Shares the turns of a reactor among those who come.

    Args:
        reactor: Ends the turns.
        seconds: The clock, in seconds.
    """

    def __init__(self, reactor: Any, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._reactor, self._seconds = reactor, seconds
        self._waiting: deque[Callable[[], object]] = deque()
        self._spent = 0.0  # in this turn
        self._turning = False

    def do(self, work: Callable[[], object]) -> bool:
        """Does the work at once, or in a later turn after what waits already; says whether it is done."""
        now = not self._waiting and self._spent < MOST_SECONDS
        if now:
            self._work(work)
        else:
            self._waiting.append(work)
        self._turn_later()
        return now

    def _turn_later(self) -> None:
        if not self._turning:
            self._turning = True
            self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._turning, self._spent = False, 0.0
        while self._waiting and self._spent < MOST_SECONDS:
            self._work(self._waiting.popleft())
        if self._spent:
            self._turn_later()

    def _work(self, work: Callable[[], object]) -> None:
        began = self._seconds()
        work()
        self._spent += self._seconds() - began
