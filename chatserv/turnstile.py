"""Work that may wait does not hold up who talks: a little of it is done in each turn of the reactor, in order.

Such is what comes from who sends a lot, what leaves long queues, what comes of calls in threads, and all that a login
takes. What little the others say passes it by. So turns are short where others talk, and nobody waits for ever.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.logger import Logger

bugs = Logger(namespace="chatserv.turnstile")
SHORT_SECONDS: Final = 0.0005  # of a turn, and what was begun by then, while others talk
LONG_SECONDS: Final = 0.004  # while none do: the more goes through at once, the less each costs
OTHERS_SECONDS: Final = 1.0  # for so long they are thought of


class Turnstile:
    """Shares the turns of a reactor among those who can wait.

    Args:
        reactor: Ends the turns, and has the clock that they are measured by.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._seconds: Callable[[], float] = reactor.seconds
        self._waiting: deque[Callable[[], object]] = deque()  # bounded by those who give it work
        self._spent = 0.0  # in this turn
        self._short_until = self._seconds()
        self._most = LONG_SECONDS
        self._turning = False

    @property
    def short(self) -> bool:
        """Whether turns are short now."""
        return self._most == SHORT_SECONDS

    def others_talk(self) -> None:
        """Somebody who says little has said something: for a while turns are short."""
        self._short_until = self._seconds() + OTHERS_SECONDS
        self._most = SHORT_SECONDS

    def do(self, work: Callable[[], object]) -> bool:
        """Does the work at once, or in a later turn after what waits already; says whether it is done."""
        now = not self._waiting and self._spent < self._most
        if now:
            self._work(work)
        else:
            self._waiting.append(work)
        if self._spent or self._waiting:
            self._turn_later()
        return now

    def _turn_later(self) -> None:
        if not self._turning:
            self._turning = True
            self._reactor.callLater(0, self._turn)

    def _turn(self) -> None:
        self._turning, self._spent = False, 0.0
        if self.short and self._seconds() >= self._short_until:
            self._most = LONG_SECONDS
        while self._waiting and self._spent < self._most:
            self._work(self._waiting.popleft())
        if self._spent or self._waiting:
            self._turn_later()

    def _work(self, work: Callable[[], object]) -> None:
        began = self._seconds()
        try:
            work()
        except Exception:  # noqa: BLE001 - the others go on all the same
            bugs.failure("something failed on our side that had waited for its turn")
        self._spent += self._seconds() - began


def turnstile_of(reactor: Any) -> Turnstile:
    """The one of this reactor: whoever shares its turns shares it."""
    found: Turnstile | None = getattr(reactor, "chatserv_turnstile", None)
    if found is None:
        found = reactor.chatserv_turnstile = Turnstile(reactor)
    return found
