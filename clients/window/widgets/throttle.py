"""Work that is asked for often and done now and then."""

from collections.abc import Callable
from typing import Any


class Throttle:
    """Does something a moment after it was asked for, however often it is asked for meanwhile.

    Args:
        reactor: Tells the time.
        seconds: How long a moment is.
        work: What to do.
    """

    def __init__(self, reactor: Any, seconds: float, work: Callable[[], object]) -> None:
        self._reactor, self.seconds, self._work = reactor, seconds, work
        self._call: Any = None
        self._over = False

    def ask(self) -> None:
        """It is wanted."""
        if self._call is None and not self._over:
            self._call = self._reactor.callLater(self.seconds, self._run)

    def _run(self) -> None:
        self._call = None
        self._work()

    def stop(self) -> None:
        """It is not wanted any more, now and later."""
        self._over = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
