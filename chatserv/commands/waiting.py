"""Who waits until something has come as far as a number."""

from typing import Generic, TypeVar

from chatserv.commands.effects import Effects, Promise
from chatserv.errors import Busy

N = TypeVar("N", int, tuple[int, int])


class Waiting(Generic[N]):
    """A line of those, each for a number of its own.

    Args:
        effects: Timers, promises.
        what: What they wait for, for who waits in vain.
    """

    def __init__(self, effects: Effects, what: str) -> None:
        self._effects, self._what = effects, what
        self._line: list[tuple[N, Promise]] = []

    async def until(self, number: N, seconds: float | None = None) -> None:
        """Answers when ``number`` is `reached` from now on.

        Raises:
            Busy: It was not, for so many seconds.
        """
        entry = number, self._effects.promise()
        self._line.append(entry)
        timer = None if seconds is None else self._effects.later(seconds, lambda: self._lose_patience(entry))
        await entry[1]
        if entry in self._line:
            self._line.remove(entry)
            raise Busy(self._what, after_seconds=1)
        if timer is not None:
            timer.cancel()

    def _lose_patience(self, entry: tuple[N, Promise]) -> None:
        entry[1].callback(None)

    def reached(self, number: N) -> None:
        """Lets go on, in the order in which they came, who waits for no more than ``number``."""
        ready = [promise for wanted, promise in self._line if wanted <= number]
        self._line = [(wanted, promise) for wanted, promise in self._line if wanted > number]
        for promise in ready:
            promise.callback(None)
