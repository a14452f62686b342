"""How long something is waited for."""

from collections.abc import Callable
from typing import Any


class Patience:
    """Runs out once, unless it is ended before; may begin again.

    Args:
        reactor: Tells the time.
        seconds: How long it lasts.
        over: Called when it runs out.
    """

    def __init__(self, reactor: Any, seconds: float, over: Callable[[], object]) -> None:
        self._reactor, self._seconds, self._over = reactor, seconds, over
        self._timer: Any = None

    def begin(self) -> None:
        """Begins, unless it has begun."""
        if self._timer is None or not self._timer.active():
            self._timer = self._reactor.callLater(self._seconds, self._over)

    def end(self) -> None:
        """What was waited for is there."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
