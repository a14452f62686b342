"""One timer for all connections: a wheel of whole seconds instead of a ``DelayedCall`` each."""

from typing import Any, Protocol

from twisted.internet.task import LoopingCall

TICK_SECONDS = 1.0


class Timed(Protocol):
    """What can be woken."""

    def woken(self, now: float) -> float | None:
        """The time has come. Returns the next one (monotonic, in seconds), or None for no more."""
        ...


class TimerWheel:
    """Wakes things at about the right second; each has at most one time at once.

    Args:
        reactor: Gives time and one repeated call.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._slots: dict[int, set[Timed]] = {}
        self._slot_of: dict[Timed, int] = {}
        self._next = 0
        self._loop = LoopingCall(self._tick)
        self._loop.clock = reactor

    def __len__(self) -> int:
        return len(self._slot_of)

    def start(self) -> None:
        """Begins to tick."""
        self._next = int(self._reactor.seconds() / TICK_SECONDS)
        self._loop.start(TICK_SECONDS, now=False)

    def stop(self) -> None:
        """Ticks no more."""
        if self._loop.running:
            self._loop.stop()

    def wake_at(self, timed: Timed, when: float) -> None:
        """Wakes ``timed`` at ``when`` (the reactor's seconds), up to a tick later, instead of at its earlier time."""
        self.forget(timed)
        slot = max(int(when / TICK_SECONDS) + 1, self._next)
        self._slots.setdefault(slot, set()).add(timed)
        self._slot_of[timed] = slot

    def forget(self, timed: Timed) -> None:
        """Wakes ``timed`` no more."""
        slot = self._slot_of.pop(timed, None)
        if slot is not None:
            members = self._slots[slot]
            members.discard(timed)
            if not members:
                del self._slots[slot]

    def _tick(self) -> None:
        now = self._reactor.seconds()
        last = int(now / TICK_SECONDS)
        while self._next <= last:
            for timed in self._slots.pop(self._next, ()):
                del self._slot_of[timed]
                again = timed.woken(now)
                if again is not None:
                    self.wake_at(timed, again)
            self._next += 1
