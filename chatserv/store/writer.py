"""Group commit: what is asked for while a commit runs goes into the next one together.

All state here belongs to the reactor's thread; the lane's thread only executes transactions.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import groupby
from typing import Any

from sqlalchemy import Connection
from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.errors import Busy, ChatError, Internal, ReadOnly, StorageFull, WireError
from chatserv.models import Appended, EventDraft
from chatserv.ports import CommitListener, LogListener
from chatserv.store.appending import append_batch
from chatserv.store.database import translate
from chatserv.store.lane import Lane
from chatserv.store.limits import StoreLimits
from chatserv.store.log_statements import log, log_size

Work = EventDraft | Callable[[Connection], object]
"""What goes into a commit: a draft, or a function that writes and may refuse with a `ChatError`."""


@dataclass
class Done:
    """What a transaction came to: an outcome for each call, and the new leaves of the log, the first with its index."""

    outcomes: list[object]
    first_leaf: int = 0
    leaves: list[bytes] = field(default_factory=list)


class Phase(Enum):
    """Where the writer stands."""

    IDLE = 0
    GATHERING = 1  # the turn of the first call is not over
    COMMITTING = 2
    BROKEN = 3  # the disk failed: nothing is written any more


class Writer:
    """Queues work, commits it in order, and answers.

    Args:
        lane: The thread with the one writing connection.
        limits: ``queue`` and ``batch`` count here.
        reactor: Ends the turns.
        publish: Called with the new events of a commit before anyone is answered.
        publish_log: Called before that with the index of the first new leaf of the log, and the leaves.
    """

    _log = Logger()

    def __init__(
        self, lane: Lane, limits: StoreLimits, reactor: ReactorBase, publish: CommitListener, publish_log: LogListener
    ) -> None:
        self._lane, self._limits, self._reactor = lane, limits, reactor
        self._publish, self._publish_log = publish, publish_log
        self._phase = Phase.IDLE
        self._waiting: deque[tuple[Work, Deferred[Any]]] = deque()
        self._drained: list[Deferred[None]] = []

    async def write(self, work: Work) -> Any:
        """The outcome of ``work``, after its commit. The order is that in which the coroutines are started.

        Raises:
            Busy: ``limits.queue`` calls wait for a commit.
            StorageFull, ReadOnly, Internal: The commit failed, nothing of it is stored.
        """
        if self._phase is Phase.BROKEN:
            raise ReadOnly("an earlier commit failed")
        if len(self._waiting) >= self._limits.queue:
            raise Busy("the store's queue is full", after_seconds=1)
        answer: Deferred[Any] = Deferred()
        self._waiting.append((work, answer))
        if self._phase is Phase.IDLE:
            self._phase = Phase.GATHERING
            self._reactor.callLater(0, self._submit)
        return await answer

    async def drain(self) -> None:
        """Returns when all that waits is answered; the caller takes care that nothing more comes."""
        if self._phase in {Phase.GATHERING, Phase.COMMITTING}:
            drained: Deferred[None] = Deferred()
            self._drained.append(drained)
            await drained

    def _submit(self) -> None:
        self._phase = Phase.COMMITTING
        batch = [self._waiting.popleft() for _ in range(min(self._limits.batch, len(self._waiting)))]
        done = self._lane.run(partial(execute, [work for work, _ in batch]))
        done.addBoth(self._finish, [answer for _, answer in batch])

    def _finish(self, result: Done | Failure, answers: list[Deferred[Any]]) -> None:
        """Answers a batch; the thread has the next one before that, so that it works meanwhile."""
        done = Done(self._refusals(result, answers)) if isinstance(result, Failure) else result
        if self._phase is Phase.COMMITTING:
            if self._waiting:
                self._submit()
            else:
                self._phase = Phase.IDLE
        if done.leaves:
            self._publish_log(done.first_leaf, done.leaves)
        events = [outcome.event for outcome in done.outcomes if type(outcome) is Appended]
        if events:
            self._publish(events)
        for answer, outcome in zip(answers, done.outcomes, strict=True):
            if isinstance(outcome, ChatError):
                answer.errback(outcome)
            else:
                answer.callback(outcome)
        if self._phase is not Phase.COMMITTING:
            drained, self._drained = self._drained, []
            for waiter in drained:
                waiter.callback(None)

    def _refusals(self, failure: Failure, answers: list[Deferred[Any]]) -> list[object]:
        """One error for each call of a failed commit. After an I/O error those that still wait are refused with it."""
        error: WireError = translate(failure.value)
        if isinstance(error, ReadOnly):
            self._log.critical("The disk failed ({reason}): nothing is stored until a restart.", reason=error.detail)
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


def execute(works: Sequence[Work], conn: Connection) -> Done:
    """One transaction: all of ``works`` in their order. A refused function does not undo the others.

    Returns:
        An outcome for each, in the same order (a `ChatError` is one that was refused), and the leaves that they appended.
    """
    done = Done([])
    functions = not all(map(_is_draft, works))  # messages append no leaves
    try:
        with conn.begin():
            if functions:
                done.first_leaf = log_size(conn)
            for is_draft, run in groupby(works, _is_draft):
                if is_draft:
                    done.outcomes.extend(append_batch(conn, list(run)))  # type: ignore[arg-type]
                else:
                    done.outcomes.extend(_attempt(conn, work) for work in run)  # type: ignore[arg-type]
            if functions:
                done.leaves = log(conn, done.first_leaf)
    except BaseException:
        conn.connection.rollback()  # after a failed COMMIT SQLAlchemy leaves this to the driver; else it does nothing
        raise
    return done


def _is_draft(work: Work) -> bool:
    return type(work) is EventDraft


def _attempt(conn: Connection, work: Callable[[Connection], object]) -> object:
    try:
        with conn.begin_nested():
            return work(conn)
    except ChatError as refusal:
        return refusal
