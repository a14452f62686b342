"""Whether this node reaches the store. Where others do and it does not, its people are better off with them.

If nobody reaches the store, everybody keeps their sessions and is told that the server is busy: there is nowhere to go.
Who was last heard to reach it, and is not heard any more, may be on the other side of a cut, with the store.
Pure: time, timers and the question come in.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from chatserv.commands.effects import Effects, Timer
from chatserv.errors import WireError

LOOK_SECONDS: Final = 0.8  # each is a question to the store, a third of what a node does that has nothing to do
MOST_SECONDS: Final = 1.0  # of silence that are counted at once: a node that comes to nothing itself blames nobody
AWAY_SECONDS: Final = 2.0  # without an answer: the others are told that it is not reached, and know it before they
LEAVE_SECONDS: Final = 5.0  # would send their people here
REMEMBER_SECONDS: Final = 60.0  # what a node has said that is not heard any more
MAX_REMEMBERED: Final = 256  # nodes


class Told(Protocol):
    """What another node tells of itself."""

    @property
    def node(self) -> bytes:
        """Which one."""
        ...

    @property
    def draining(self) -> bool:
        """Whether it takes nobody in."""
        ...

    @property
    def store_reached(self) -> bool:
        """Whether it reaches the store."""
        ...


class OwnState(Protocol):
    """What this one tells."""

    draining: bool
    store_reached: bool


class Reach:
    """Asks the store again and again.

    Args:
        effects: Time, timers, and who runs a question.
        ask: Something that the store answers. Raises `WireError` where it does not.
        answers: How often the store has answered anything: a question may wait in a line that is long, as when all people
            of a node that has died come at once, and nobody is sent away for that.
        nodes: What the others say, as long as they are heard.
        state: What this one says.
        leave: Sends everybody elsewhere, and takes nobody in.
        stay: Takes people in again.
    """

    def __init__(
        self,
        effects: Effects,
        ask: Callable[[], Awaitable[object]],
        answers: Callable[[], int],
        nodes: Callable[[], Sequence[Told]],
        state: OwnState,
        leave: Callable[[], None],
        stay: Callable[[], None],
    ) -> None:
        self._effects, self._ask, self._answers, self._nodes, self._state = effects, ask, answers, nodes, state
        self._counted = 0
        self._leave, self._stay = leave, stay
        self._silent, self._looked_at = 0.0, effects.awake()
        self._asking = self._left = False
        self._heard: dict[bytes, tuple[bool, float]] = {}  # whether that node could take people in, and when it said so
        self._timer: Timer | None = None

    def start(self) -> None:
        """From now on."""
        self._looked_at = self._effects.awake()
        self._look()

    def stop(self) -> None:
        """Nothing is asked any more, and nobody sent away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = self._effects.later(LOOK_SECONDS, self._look)
        now = self._effects.awake()
        self._remember(now)
        counted = self._answers()
        if counted != self._counted:
            self._counted = counted
            self._answer()
        if not self._asking:
            self._asking = True
            self._effects.spawn(self._question())
        self._silent += min(now - self._looked_at, MOST_SECONDS)
        self._looked_at = now
        self._state.store_reached = self._silent < AWAY_SECONDS
        if self._silent >= LEAVE_SECONDS and not self._left and any(takes_in for takes_in, _ in self._heard.values()):
            self._left = self._state.draining = True
            self._leave()

    def _remember(self, now: float) -> None:
        self._heard = {node: each for node, each in self._heard.items() if now - each[1] < REMEMBER_SECONDS}
        for each in self._nodes():
            if each.node in self._heard or len(self._heard) < MAX_REMEMBERED:
                self._heard[each.node] = each.store_reached and not each.draining, now

    async def _question(self) -> None:
        try:
            await self._ask()
        except WireError:
            return
        finally:
            self._asking = False
        self._answer()

    def _answer(self) -> None:
        self._silent = 0.0
        if self._left and self._timer is not None:
            self._left = self._state.draining = False
            self._stay()
