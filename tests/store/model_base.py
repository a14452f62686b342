"""What the two model tests have in common: both stores, and one way to ask them the same."""

from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine
from sqlalchemy import Connection, create_engine
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import ChatError
from chatserv.models import Account, AccountStatus, Event
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from chatserv.store.schema import metadata
from chatserv.store.transaction import Execute, Work, execute


class Answer(SynchronousTestCase):
    """Lends its way of looking into a Deferred."""

    def of(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result or the class of the error."""
        caught: list[Any] = []
        Deferred.fromCoroutine(coroutine).addErrback(lambda failure: type(failure.value)).addCallback(caught.append)
        return caught[0]


def plain(outcome: Any) -> Any:
    """An outcome without what is random: the ids of accounts."""
    if isinstance(outcome, Account):
        return outcome.name, outcome.role
    if isinstance(outcome, AccountStatus):
        return plain(outcome.account), outcome.suspended, outcome.muted, outcome.created_ms
    return type(outcome) if isinstance(outcome, ChatError) else outcome


class Stores(RuleBasedStateMachine):
    """A database and a `MemoryStore`; all ids but those of accounts are the same in both."""

    LIMITS = StoreLimits()

    def __init__(self) -> None:
        super().__init__()
        self.connect()
        self.memory = MemoryStore(self.LIMITS)
        self.of = Answer().of
        self.of(self.memory.open())
        self.heard: list[Event] = []
        self.memory.subscribe(self.heard.extend)
        self.heard_leaves: list[tuple[int, bytes]] = []
        self.memory.subscribe_log(lambda first, new: self.heard_leaves.extend(enumerate(new, first)))

    def connect(self) -> None:
        """Makes an empty database with the tables, connected as ``conn``; and ``execute``, which makes its transactions."""
        self.execute: Execute = execute
        self.conn = create_engine("sqlite://").connect()
        self.conn.exec_driver_sql("PRAGMA foreign_keys=ON")
        self.conn.rollback()
        with self.conn.begin():
            metadata.create_all(self.conn)

    def teardown(self) -> None:
        """Closes the database."""
        self.conn.close()

    def same(self, work: Work, call: Coroutine[Any, Any, Any]) -> Any:
        """Does one thing with both and returns the answer."""
        return self.same_turn([work], [call])[0]

    def same_turn(self, works: list[Work], calls: list[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Does the same things with both, the database in one transaction; compares answers, events and leaves."""
        done = self.execute(works, self.conn)
        self.heard.clear()
        self.heard_leaves.clear()
        theirs = [self.of(call) for call in calls]
        assert list(map(plain, done.outcomes)) == list(map(plain, theirs))
        assert [outcome.event for outcome in theirs if hasattr(outcome, "event")] == self.heard
        assert list(enumerate(done.leaves, done.first_leaf)) == self.heard_leaves
        return theirs

    def read(self, query: Callable[[Connection], Any]) -> Any:
        """What the database answers."""
        with self.conn.begin():
            return query(self.conn)
