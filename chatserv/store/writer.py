"""Group commit: what is asked for while a commit runs goes into the next one together.

All state here belongs to the reactor's thread; the lane's thread only executes transactions.
"""

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.counts import Histogram
from chatserv.errors import Busy, ChatError, Internal, ReadOnly, StorageFull, WireError
from chatserv.failpoints import failpoint
from chatserv.models import Appended
from chatserv.node_ports import CommitListener, LogListener
from chatserv.store.lane import Lane
from chatserv.store.limits import StoreLimits
from chatserv.store.transaction import Done, Execute, Work
from chatserv.turnstile import turnstile_of

Translate = Callable[[BaseException | None], WireError]
"""Puts what a call of the database raised into an error of the protocol."""

GATHER_SECONDS = 0.002  # after a commit, for what its end brings, where only such talk as send much
TIDY_CHANGES = 500  # some 700 pages of SQLite's log where one message is a commit, and 300 of commits of 300 devices
COMMIT_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds


class Phase(Enum):
    """Where the writer stands."""

    IDLE = 0
    GATHERING = 1  # the turn of the first call is not over
    COMMITTING = 2
    BROKEN = 3  # the disk failed, say: nothing is written any more


class Writer:
    """Queues work, commits it in order, and answers.

    Args:
        lane: The thread with the one writing connection.
        limits: ``queue`` and ``batch`` count here.
        reactor: Ends the turns.
        publish: Called with the new events of a commit before anyone is answered.
        publish_log: Called before that with the index of the first new leaf of the log, and the leaves.
        publish_orders: Called after both with the number of the first order, and the orders.
        execute: Makes a transaction of what is written.
        translate: What a failed one means.
        tidy: Called where nothing waits after `TIDY_CHANGES` rows; nobody waits for what it does.
    """

    _log = Logger()

    def __init__(
        self,
        lane: Lane,
        limits: StoreLimits,
        reactor: ReactorBase,
        publish: CommitListener,
        publish_log: LogListener,
        publish_orders: LogListener,
        execute: Execute,
        translate: Translate,
        tidy: Callable[[], object] = bool,
    ) -> None:
        self._execute, self._translate, self._tidy = execute, translate, tidy
        self._tidied = 0  # how many rows were written by then
        self._lane, self._limits, self._reactor = lane, limits, reactor
        self._publish, self._publish_log, self._publish_orders = publish, publish_log, publish_orders
        self._turnstile, self._answering = turnstile_of(reactor), 0  # how many batches are being answered
        self._ordered = 0  # where none are kept, they are numbered here
        self._phase = Phase.IDLE
        self._waiting: deque[tuple[Work, Deferred[Any]]] = deque()
        self._drained: list[Deferred[None]] = []
        self._began = 0.0
        self.commit_seconds = Histogram(COMMIT_BOUNDS)

    def write(self, work: Work) -> Deferred[Any]:
        """The outcome of ``work``, after its commit. The order is that of the calls.

        Raises:
            Busy: ``limits.queue`` calls wait for a commit.
            StorageFull, ReadOnly, Internal: The commit failed, nothing of it is stored.
        """
        if self._phase is Phase.BROKEN:
            raise ReadOnly("an earlier commit failed, or the database is damaged")
        if len(self._waiting) >= self._limits.queue:
            raise Busy("the store's queue is full", after_seconds=1)
        answer: Deferred[Any] = Deferred()
        self._waiting.append((work, answer))
        if self._phase is Phase.IDLE:
            self._phase = Phase.GATHERING
            self._reactor.callLater(0, self._submit)
        return answer

    async def drain(self) -> None:
        """Returns when all that waits is answered; the caller takes care that nothing more comes."""
        if self._busy:
            drained: Deferred[None] = Deferred()
            self._drained.append(drained)
            await drained

    @property
    def waiting(self) -> int:
        """How many calls wait for a commit."""
        return len(self._waiting)

    @property
    def broken(self) -> bool:
        """Whether nothing is written any more."""
        return self._phase is Phase.BROKEN

    def break_off(self, reason: str) -> None:
        """Writes nothing any more, as after a failed commit; one that is under way is still answered."""
        if self._phase is not Phase.BROKEN:
            under_way, self._phase = self._phase is Phase.COMMITTING or self._answering > 0, Phase.BROKEN
            waiting, self._waiting = self._waiting, deque()
            for _, answer in waiting:
                answer.errback(ReadOnly(reason))
            if not under_way:
                self._tell_drained()

    def _submit(self) -> None:
        if self._phase is Phase.BROKEN:
            return
        self._phase = Phase.COMMITTING
        batch = [self._waiting.popleft() for _ in range(min(self._limits.batch, len(self._waiting)))]
        failpoint("store.batched")
        self._began = self._reactor.seconds()
        done = self._lane.run(partial(self._execute, [work for work, _ in batch]))
        done.addBoth(self._finish, [answer for _, answer in batch])

    def _finish(self, result: Done | Failure, answers: list[Deferred[Any]]) -> None:
        """Answers a batch; while others talk the thread has the next one before that, so that it works meanwhile.

        What was committed is told at once; whoever is answered goes on when it is their turn.
        """
        self.commit_seconds.observe(max(self._reactor.seconds() - self._began, 0.0))
        done = Done(self._refusals(result, answers)) if isinstance(result, Failure) else result
        if self._phase is Phase.COMMITTING:
            if self._waiting and self._turnstile.short:
                self._submit()
            elif self._waiting:
                self._phase = Phase.GATHERING
                self._reactor.callLater(GATHER_SECONDS, self._submit)
            else:
                self._phase = Phase.IDLE
                self._tidy_if_due(done.changes)
        failpoint("store.publishing")
        if done.before is not None:
            self._tell(done.before)
        self._tell(done)
        failpoint("store.published")
        for answer, outcome in zip(answers, done.outcomes, strict=True):
            self._turnstile.do(partial(_answer, answer, outcome))
        self._answering += 1
        self._turnstile.do(self._answered)

    def _tidy_if_due(self, changes: int) -> None:
        if changes - self._tidied >= TIDY_CHANGES:
            self._tidied = changes
            self._tidy()

    def _answered(self) -> None:
        self._answering -= 1
        failpoint("store.answered")
        if not self._busy:
            self._tell_drained()

    @property
    def _busy(self) -> bool:
        """Whether anybody waits, but for those who were refused."""
        return self._answering > 0 or self._phase in {Phase.GATHERING, Phase.COMMITTING}

    def _tell_drained(self) -> None:
        while self._drained:
            self._drained.pop(0).callback(None)

    def _tell(self, done: Done) -> None:
        if done.leaves:
            self._publish_log(done.first_leaf, done.leaves)
        first, told = done.first_order, 0
        for call, group in groupby(done.orders, itemgetter(0)):  # what was done before an order is heard before it
            self._tell_events(done.outcomes[told:call])
            orders = [order for _, order in group]
            self.order(orders, first)
            first, told = first and first + len(orders), call
        self._tell_events(done.outcomes[told:])

    def _tell_events(self, outcomes: Sequence[object]) -> None:
        events = [outcome.event for outcome in outcomes if type(outcome) is Appended]
        if events:
            self._publish(events)

    def order(self, orders: Sequence[bytes], first: int = 0) -> None:
        """Tells what every node has to hear. ``first``: the number of the first; 0: the next one."""
        if orders:
            first = first or self._ordered + 1
            self._ordered = first + len(orders) - 1
            self._publish_orders(first, orders)

    def _refusals(self, failure: Failure, answers: list[Deferred[Any]]) -> list[object]:
        """One error for each call of a failed commit. After an I/O error those that still wait are refused with it."""
        error: WireError = self._translate(failure.value)
        if isinstance(error, ReadOnly):
            self._log.critical("Nothing is stored until a restart ({reason}).", reason=error.detail)
            self._phase = Phase.BROKEN
            answers.extend(answer for _, answer in self._waiting)
            self._waiting.clear()
        elif isinstance(error, StorageFull):
            self._log.warn(
                "The disk is full ({reason}): {calls} calls refused.", reason=error.detail, calls=len(answers)
            )
        elif isinstance(error, Internal):
            self._log.failure("A commit failed.", failure)
        return [type(error)(error.detail) for _ in answers]


def _answer(answer: Deferred[Any], outcome: object) -> None:
    if isinstance(outcome, ChatError):
        answer.errback(outcome)
    else:
        answer.callback(outcome)
