"""What the handlers need of the world beyond the store: clocks, timers, randomness, and ways to wait. No Twisted here."""

from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from functools import partial
from typing import Any, Protocol

from msgspec import Struct

from chatserv.counts import Count


class Timer(Protocol):
    """A call that will be made; cancelled at most once, and not after it was made."""

    def cancel(self) -> object:
        """Makes it not happen."""
        ...


class Promise(Protocol):
    """Something to wait for, kept once."""

    def callback(self, result: None) -> object:
        """Lets who waits go on, at once."""
        ...

    def __await__(self) -> Generator[Any, Any, None]: ...


class Effects(Struct, frozen=True):
    """The outside, as functions.

    Args:
        now_ms: The clock, in milliseconds since 1970.
        seconds: A clock in seconds that never goes back.
        awake: Likewise, without the time that this process slept through: for how long others have been silent.
        random: Gives so many random bytes.
        later: Calls something after so many seconds in which this process was awake.
        promise: Makes a `Promise`.
        spawn: Runs a coroutine that nobody waits for; what it raises is a bug and logged.
        together: Awaits several things at once, and gives their results in order; raises what one of them raises.
        audit: Notes what an administrator did: an event's name, and fields.
        count: One more, or ``by`` more, of a name of `chatserv.counts.COUNTED`, and of a label where the name has one.
    """

    now_ms: Callable[[], int]
    seconds: Callable[[], float]
    awake: Callable[[], float]
    random: Callable[[int], bytes]
    later: Callable[[float, Callable[[], None]], Timer]
    promise: Callable[[], Promise]
    spawn: Callable[[Coroutine[Any, Any, None]], object]
    together: Callable[[Sequence[Awaitable[Any]]], Awaitable[list[Any]]]
    audit: Callable[..., None]
    count: Count

    async def pause(self, seconds: float) -> None:
        """Lets so much time pass."""
        over = self.promise()
        self.later(seconds, partial(_end, over))
        await over


def _end(pause: Promise) -> None:
    pause.callback(None)
