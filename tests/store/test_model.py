"""The statements and `chatserv.store.memory.MemoryStore` answer the same to the same operations."""

from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import create_engine
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.roles import Role
from chatserv.errors import ChatError
from chatserv.ports import Account, Appended, EventDraft
from chatserv.store import statements
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from chatserv.store.schema import metadata
from chatserv.store.writer import execute
from tests.store.contract import draft, invite, registration

LIMITS = StoreLimits(open_invites=3, accounts=4)
tokens = st.integers(1, 6)
names = st.sampled_from(["alice", "ALICE", "bob", "carol", "dora", "emil"])
times = st.integers(0, 30)
numbers = st.integers(0, 8)
drafts = st.lists(
    st.tuples(st.integers(0, 2), numbers, st.sampled_from([b"d", b"e"]), st.integers(0, 1), times), max_size=9
)


class Answer(SynchronousTestCase):
    """Lends its way of looking into a Deferred."""

    def of(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result or the class of the error."""
        caught: list[Any] = []
        Deferred.fromCoroutine(coroutine).addErrback(lambda failure: type(failure.value)).addCallback(caught.append)
        return caught[0]


class Stores(RuleBasedStateMachine):
    """Both stores with two rooms; ids that are random are compared by their place."""

    def __init__(self) -> None:
        super().__init__()
        self.conn = create_engine("sqlite://").connect()
        with self.conn.begin():
            metadata.create_all(self.conn)
            self.sql_rooms = [
                statements.add_room(self.conn, "lobby", public=True),
                statements.add_room(self.conn, "second", public=False, epoch=1),
            ]
        self.memory = MemoryStore(LIMITS)
        self.memory.add_room("second", public=False, epoch=1)
        self.of = Answer().of
        self.of(self.memory.open())
        self.memory_rooms = [room.room_id for room in self.of(self.memory.rooms())]
        self.accounts: list[tuple[Account, Account]] = []

    def teardown(self) -> None:
        """Closes the database."""
        self.conn.close()

    def run_sql(self, work: EventDraft | Callable[..., Any]) -> Any:
        """The outcome of one call, errors by their class."""
        (outcome,) = execute([work], self.conn)
        return type(outcome) if isinstance(outcome, ChatError) else outcome

    @rule(token=tokens, life=times, name=st.sampled_from(["", "alice", "bob"]), now=times, admin=st.booleans())
    def add_invite(self, token: int, life: int, name: str, now: int, admin: bool) -> None:
        """An invite."""
        new = invite(token, role=Role.ADMIN if admin else Role.USER, expires_ms=life, name=name)
        ours = self.run_sql(lambda conn: statements.add_invite(conn, new, now, LIMITS))
        assert ours == self.of(self.memory.add_invite(new, now))

    @rule(name=names, token=st.none() | tokens, now=times)
    def register(self, name: str, token: int | None, now: int) -> None:
        """A registration, perhaps repeated."""
        new = registration(name, None if token is None else invite(token).token_hash)
        ours = self.run_sql(lambda conn: statements.register(conn, new, now, LIMITS))
        theirs = self.of(self.memory.register(new, now))
        if isinstance(ours, Account) and isinstance(theirs, Account):
            assert (ours.name, ours.role) == (theirs.name, theirs.role)
            if (ours, theirs) not in self.accounts:
                self.accounts.append((ours, theirs))
        else:
            assert ours == theirs

    @rule(batch=drafts)
    def append(self, batch: list[tuple[int, int, bytes, int, int]]) -> None:
        """Some drafts in one commit, one of three for an unknown room."""
        sql_rooms, memory_rooms = [*self.sql_rooms, b"x"], [*self.memory_rooms, b"x"]
        ours: list[Any] = []
        for outcome in execute(
            [draft(sql_rooms[r], n, device=d, epoch=e, at_ms=t) for r, n, d, e, t in batch], self.conn
        ):
            if isinstance(outcome, Appended):
                index = self.sql_rooms.index(outcome.event.room_id)
                ours.append((index, outcome.event.seq, outcome.event.body))
            else:
                ours.append(type(outcome) if isinstance(outcome, ChatError) else outcome)
        theirs: list[Any] = []
        for r, n, d, e, t in batch:
            result = self.of(self.memory.append(draft(memory_rooms[r], n, device=d, epoch=e, at_ms=t)))
            theirs.append((r, result.event.seq, result.event.body) if isinstance(result, Appended) else result)
        assert ours == theirs

    @rule(index=st.integers(0, 1), after=st.integers(-1, 12), before=st.integers(0, 14), limit=st.integers(0, 5))
    def page(self, index: int, after: int, before: int, limit: int) -> None:
        """A page forward and one backward."""
        ours, theirs = self.sql_rooms[index], self.memory_rooms[index]
        with self.conn.begin():
            forward = [(e.seq, e.body, e.at_ms) for e in statements.events(self.conn, ours, after, limit)]
            found = statements.events_before(self.conn, ours, before, after, limit)
        backward = [(e.seq, e.body, e.at_ms) for e in found]
        assert forward == [(e.seq, e.body, e.at_ms) for e in self.of(self.memory.events(theirs, after, limit))]
        expected = self.of(self.memory.events_before(theirs, before, after, limit))
        assert backward == [(e.seq, e.body, e.at_ms) for e in expected]

    @invariant()
    def same(self) -> None:
        """Rooms and memberships agree."""
        with self.conn.begin():
            rooms = [(room.name, room.epoch, room.head) for room in statements.rooms(self.conn)]
            assert rooms == [(room.name, room.epoch, room.head) for room in self.of(self.memory.rooms())]
            for ours, theirs in self.accounts:
                since = [member.since for member in statements.memberships(self.conn, ours.account_id)]
                members = self.of(self.memory.memberships(theirs.account_id))
                assert since == [member.since for member in members]


class ModelTests(SynchronousTestCase):
    """Runs `Stores`."""

    def test_same_answers(self) -> None:
        """Every sequence of operations has the same answers in SQL and in memory."""
        run_state_machine_as_test(Stores, settings=settings(max_examples=60, stateful_step_count=30, deadline=None))
