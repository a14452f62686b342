"""Whose turn it is to commit to a room, among the commits of this client: one at a time, removals first."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from twisted.internet.defer import Deferred


class Turns:
    """The turns of one room.

    Who has the turn and only waits for the server's lease lets a removal pass: who is to be banned might have many of them
    wait.
    """

    def __init__(self) -> None:
        self._taken = False
        self._urgent: deque[Deferred[None]] = deque()
        self._others: deque[Deferred[None]] = deque()
        self._step_aside: Callable[[], object] | None = None
        self._stepped = False

    @property
    def locked(self) -> bool:
        """Whether somebody has the turn."""
        return self._taken

    @property
    def urgent_waits(self) -> bool:
        """Whether somebody urgent waits for the turn."""
        return bool(self._urgent)

    async def take(self, *, urgent: bool) -> None:
        """Returns when it is one's turn; `release` ends it. ``urgent``: before all who are not."""
        if not self._taken:
            self._taken = True
            return
        turn: Deferred[None] = Deferred()
        (self._urgent if urgent else self._others).append(turn)
        if urgent and self._step_aside is not None:
            step_aside, self._step_aside, self._stepped = self._step_aside, None, True
            step_aside()
        await turn

    def release(self) -> None:
        """The turn is over: the next one has it."""
        waiting = self._urgent or self._others
        if waiting:
            waiting.popleft().callback(None)
        else:
            self._taken = False

    @contextmanager
    def waiting(self, step_aside: Callable[[], object]) -> Iterator[None]:
        """Who has the turn waits for something; ``step_aside`` is called, once, where an urgent one comes meanwhile.

        `stepped_aside` says afterwards whether that was so.
        """
        self._step_aside, self._stepped = step_aside, False
        try:
            yield
        finally:
            self._step_aside = None

    @property
    def stepped_aside(self) -> bool:
        """Whether the last waiting was given up for an urgent one."""
        return self._stepped
