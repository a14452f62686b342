"""The timers of a client, which end with it."""

from collections.abc import Callable
from typing import Any

from chatserv.local_errors import LocalFileError


class Timers:
    """The reactor's `callLater`, for what ends with a client.

    Args:
        reactor: The reactor.
        stumbled: Told of a file of ours that cannot be used.
    """

    def __init__(self, reactor: Any, stumbled: Callable[[LocalFileError], object]) -> None:
        self._reactor, self._stumbled = reactor, stumbled
        self._timers: set[Any] = set()

    def later(self, seconds: float, what: Callable[[], object]) -> Any:
        """Calls something after so many seconds."""

        def run() -> None:
            self._timers.discard(timer)
            try:
                what()
            except LocalFileError as error:
                self._stumbled(error)

        timer = self._reactor.callLater(seconds, run)
        self._timers.add(timer)
        return timer

    def cancel(self) -> None:
        """Nothing of it happens any more."""
        timers, self._timers = self._timers, set()
        for timer in timers:
            if timer.active():
                timer.cancel()
