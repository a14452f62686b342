"""Notices that the machine slept: then the server is asked whether the connection stands, which nobody could tell us."""

from collections.abc import Callable
from typing import Any, Final

from chatserv.clocks import AwakeClock

LOOK_SECONDS: Final = 5.0


class Waking:
    """Looks at the clock every few seconds. That also wakes a reactor whose deadlines came while the machine slept.

    Args:
        later: Calls something after so many seconds.
        clock: What is looked at.
        look: Told each time; its argument says whether we slept since the last time.
    """

    def __init__(
        self, later: Callable[[float, Callable[[], object]], Any], clock: AwakeClock, look: Callable[[bool], object]
    ) -> None:
        self._later, self._clock, self._tell = later, clock, look
        self._slept = clock.slept

    def start(self) -> None:
        """Begins; it ends with ``later``."""
        self._later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._clock.seconds()
        before, self._slept = self._slept, self._clock.slept
        self._later(LOOK_SECONDS, self._look)
        self._tell(self._slept > before)
