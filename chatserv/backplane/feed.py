"""One stream of numbers without a hole, as a node hears it: in order and once, whatever its carrier loses or doubles.

A room's events, the leaves of the log and control entries each have numbers that the store gives out one by one. A number
that is missing is a reason to wait a moment, and then to read. Pure: time, timers and the store come in.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Final, Generic, TypeVar

from chatserv.commands.effects import Effects, Promise, Timer
from chatserv.errors import Busy, WireError

GAP_SECONDS: Final = 0.02  # what is missing may still be under way; then it is read
RETRY_SECONDS: Final = 0.5  # after a read that the store refused
WAIT_SECONDS: Final = 5.0  # in which nothing was handed on or read; then who waits is told "busy"
MAX_HELD: Final = 512  # of one stream above a gap; what is more is read from the store
MAX_HELD_BYTES: Final = 64 * 2**20  # of all streams of a node
MAX_WAITING: Final = 10_000  # for numbers of one stream, then "busy"
MAX_READS: Final = 8  # of all streams of a node at once

T = TypeVar("T")


class Budget:
    """What all streams of a node share: bytes that are held, and reads at once; the others wait in line.

    Args:
        effects: Runs the reads.
        most_bytes: That are held at most.
        most_reads: That are under way at most.
    """

    def __init__(self, effects: Effects, most_bytes: int = MAX_HELD_BYTES, most_reads: int = MAX_READS) -> None:
        self._effects, self._most_bytes, self._most_reads = effects, most_bytes, most_reads
        self._line: deque[Callable[[], Awaitable[None]]] = deque()  # a stream stands in it once
        self.held_bytes = self.reads = 0

    def has_place(self, size: int) -> bool:
        """Whether so many bytes more may be held."""
        return self.held_bytes + size <= self._most_bytes

    def read(self, read: Callable[[], Awaitable[None]]) -> None:
        """Calls ``read`` as soon as it is its turn."""
        self._line.append(read)
        self._next()

    def _next(self) -> None:
        while self._line and self.reads < self._most_reads:
            self.reads += 1
            self._effects.spawn(self._run(self._line.popleft()))

    async def _run(self, read: Callable[[], Awaitable[None]]) -> None:
        try:
            await read()
        finally:
            self.reads -= 1
            self._next()


class Feed(ABC, Generic[T]):
    """One stream.

    Args:
        effects: Timers, promises.
        budget: What all streams share.
        head: The last number that was handed on.
        ready: Whether ``head`` is known; else everything is held until `_begin`.

    Attributes:
        head: All up to it were handed on, and nothing above it.
        ready: Whether ``head`` is known.
        ended: The stream is over; nothing more is handed on.
        refused: It is over, since it could not be followed, and may be begun again.
    """

    def __init__(self, effects: Effects, budget: Budget, head: int, *, ready: bool = True) -> None:
        self._effects, self._budget = effects, budget
        self.head, self.ended, self.refused = head, False, False
        self.ready = ready
        self._claimed = head  # the store has given out numbers up to this one, as somebody says
        self._held: dict[int, T] = {}
        self._waiting: list[tuple[int, int, Promise]] = []
        self._order = count()
        self._timer: Timer | None = None
        self._patience: Timer | None = None  # stands while somebody waits
        self._gap_at = head
        self._reading = self._again = False
        self._target = head  # of the read that is under way: who asked for it was told of numbers up to here

    # -- what a kind of stream is -------------------------------------------------------------------------------------

    @abstractmethod
    def _number(self, item: T) -> int:
        """Its number."""

    @abstractmethod
    def _size(self, item: T) -> int:
        """How many bytes it holds, about."""

    def _whole(self, item: T) -> bool:  # noqa: ARG002 - most are
        """Whether it can be handed on as it is; else it only says that its number is there."""
        return True

    @abstractmethod
    def _deliver(self, run: Sequence[T]) -> None:
        """Hands on what follows what was handed on before."""

    @abstractmethod
    async def _mend(self) -> None:
        """Reads from the store until ``head`` is what the store's was when this began, or more. Raises `WireError`."""

    # -- what comes in ------------------------------------------------------------------------------------------------

    def offer(self, items: Sequence[T]) -> None:
        """Takes what comes, from the carrier, from an own commit or from the store, in any order and any number of times."""
        if self.ended:
            return
        run: list[T] = []
        following = self.head + 1
        for item in items:
            number = self._number(item)
            if number < following:
                continue
            self._claimed = max(self._claimed, number)
            if not self._whole(item):
                continue
            if number > following or not self.ready:
                self._hold(number, item)
                continue
            run.append(item)
            following += 1
            while self._held and (held := self._let_go(following)) is not None:
                run.append(held)
                following += 1
        self._hand_on(run)

    def claim(self, number: int) -> None:
        """Somebody says that the store has given out ``number``; what is missing up to there will be read."""
        if number > self._claimed and not self.ended:
            self._claimed = number
            self._look()

    def _hold(self, number: int, item: T) -> None:
        size = self._size(item)
        if number not in self._held and len(self._held) < MAX_HELD and self._budget.has_place(size):
            self._held[number] = item
            self._budget.held_bytes += size

    def _let_go(self, number: int) -> T | None:
        item = self._held.pop(number, None)
        if item is not None:
            self._budget.held_bytes -= self._size(item)
        return item

    def _hand_on(self, run: Sequence[T]) -> None:
        """Moves ``head`` before anybody is told: if that fails, the hub sees it by the numbers, and nothing comes twice."""
        if not run:
            self._look()
            return
        self.head = self._number(run[-1])
        if self._held:
            self._drop(lambda number: number <= self.head)
        try:
            self._deliver(run)
        finally:
            if self._waiting:
                self._wake()
            if self._timer is not None or self._claimed > self.head:
                self._look()

    def _drop(self, which: Callable[[int], bool]) -> None:
        for number in [number for number in self._held if which(number)]:
            self._let_go(number)

    def _begin(self, head: int) -> None:
        """The head is known, or has gone on without its events; what is held goes on from there."""
        self.head, self.ready = head, True
        self._claimed = max(self._claimed, head)
        self._drop(lambda number: number <= head)
        self._wake()
        following = self._let_go(self.head + 1)
        self.offer([] if following is None else [following])

    def end(self, *, refused: bool = False) -> None:
        """The stream is over. Who waits goes on, or is told to come back where it was refused."""
        self.ended, self.refused = True, refused
        self._drop(lambda _: True)
        self._stop_timer()
        self._wake()

    # -- who waits ----------------------------------------------------------------------------------------------------

    async def reached(self, number: int) -> None:
        """Answers when all up to ``number``, which the store has given out, was handed on, or the stream is over.

        Raises:
            Busy: More than `MAX_WAITING` wait, the store does not know of that number, it could not be asked for
                `WAIT_SECONDS`, or the stream was refused.
        """
        if self._is_done(number):
            return
        if self.refused or len(self._waiting) >= MAX_WAITING:
            raise Busy("feed: too many wait", after_seconds=RETRY_SECONDS)
        promise = self._effects.promise()
        heappush(self._waiting, (number, next(self._order), promise))
        if self._patience is None:
            self._patience = self._effects.later(WAIT_SECONDS, self._lose_patience)
        self.claim(number)
        await promise
        if not self._is_done(number):
            raise Busy("feed: the store does not have that, or cannot be asked", after_seconds=RETRY_SECONDS)

    @property
    def rests(self) -> bool:
        """Whether nothing is read, missing or waited for, as far as is known."""
        return self.ready and not (self._reading or self._waiting or self._claimed > self.head)

    def _is_done(self, number: int) -> bool:
        return (self.ended and not self.refused) or (self.ready and self.head >= number)

    def _lose_patience(self) -> None:
        """Who waits is told to come back; what is missing is read all the same."""
        self._patience = None
        waiting, self._waiting = self._waiting, []
        for *_, promise in waiting:
            promise.callback(None)

    def _be_patient(self) -> None:
        """Something has gone on: who waits still does so for `WAIT_SECONDS` from now."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = self._effects.later(WAIT_SECONDS, self._lose_patience) if self._waiting else None

    def _wake(self, claimed: int = 0) -> None:
        """Lets go on whose number was handed on; and, after a read, those who were told of one that is not there."""
        while self._waiting and (self.ended or (self.ready and self._waiting[0][0] <= max(self.head, claimed))):
            heappop(self._waiting)[2].callback(None)
        self._be_patient()

    # -- what is missing ----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Waits for what is missing, or does not any more."""
        if self.ended or not self.ready or self._reading:
            return
        if self._claimed <= self.head:
            self._stop_timer()
        elif self._timer is None:
            self._gap_at = self.head
            self._timer = self._effects.later(GAP_SECONDS, self._overdue)

    def _overdue(self) -> None:
        self._timer = None
        if self._gap_at == self.head:
            self.mend()
        else:
            self._look()  # that came, and something else is missing

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def mend(self) -> None:
        """Reads what is missing now; after a read that is under way once more."""
        if self._reading:
            self._again = True
        elif not self.ended:
            self._stop_timer()
            self._reading = True
            self._budget.read(self._read)

    async def _read(self) -> None:
        """One read. A number that was told of before it and is not in the store then is none."""
        self._again = False
        self._target, self._claimed = self._claimed, self.head
        before, done = set(self._held), False
        try:
            await self._mend()
            done = True
        except WireError:
            pass  # once more, in a while
        finally:
            self._reading = False
            if done:
                self._drop(lambda number: number > self.head and number in before)
                self._wake(self._target)
                self.mend() if self._again else self._look()
            elif not self.ended:
                self._claimed = max(self._claimed, self._target)
                self._stop_timer()
                self._timer = self._effects.later(RETRY_SECONDS, self._retry)

    def _retry(self) -> None:
        self._timer = None
        self.mend()
