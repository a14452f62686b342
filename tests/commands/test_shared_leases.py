"""Leases on two nodes, whose lines know nothing of each other, over one store (docs/protocol.rst, "Commits")."""

from collections.abc import Awaitable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.bus_models import Notice, NoticeKind
from chatserv.commands.lease_line import CommitLease, Urgency
from chatserv.commands.leases import Leases
from chatserv.commands.shared_leases import AGAIN_SECONDS, FREE_TRIES, SPARE_SECONDS, YIELD_SECONDS, SharedLeases
from chatserv.config import Config
from chatserv.domain.hub import LiveSession
from chatserv.domain.roles import Role
from chatserv.errors import Busy, RateLimited, StaleCommit
from chatserv.lease_ports import LeaseClaim, LeaseElsewhere, LeaseRefused, LeaseTaken
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from chatserv.net.effects import reactor_effects
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from tests.store.drafts import founding

ROOM = founding(1).room_id
SECONDS = 15.0


class Store:
    """A node's way to the store: may be refused, and may be slow."""

    def __init__(self, shared: MemoryStore) -> None:
        self.shared = shared
        self.error: Busy | None = None
        self.slow: Deferred[None] | None = None
        self.calls = 0

    async def _wait(self) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error
        if self.slow is not None:
            await self.slow

    async def take_lease(self, claim: LeaseClaim) -> LeaseTaken | LeaseElsewhere | LeaseRefused:
        """At once, or later."""
        found = await self.shared.take_lease(claim) if self.error is None else LeaseTaken(None)
        await self._wait()
        return found

    async def free_lease(self, room_id: bytes, node: bytes, number: int) -> bool:
        """Likewise."""
        await self._wait()
        return await self.shared.free_lease(room_id, node, number)

    async def refuse_leases(self, room_id: bytes, account_id: bytes, seconds: float, most: int) -> None:
        """Likewise."""
        await self._wait()
        await self.shared.refuse_leases(room_id, account_id, seconds, most)


class Node:
    """One, with its line."""

    def __init__(self, number: int, test: "SharedLeaseTests", limits: Limits) -> None:
        self.test, self.store = test, Store(test.store)
        settings, effects = LiveSettings(Config(limits=limits)), reactor_effects(test.clock, lambda: 0, bytes)
        self.leases = Leases(settings, effects)
        self.shared = SharedLeases(self.store, bytes([number]) * 8, settings, effects, self.reached, self.tell)
        self.leases.shared = self.shared
        self.waited_for: list[int] = []
        self.behind: Deferred[None] | None = None

    def reached(self, room_id: bytes, seq: int) -> Awaitable[None]:
        """When the node has come so far."""
        assert room_id == ROOM
        self.waited_for.append(seq)
        return self._reached()

    async def _reached(self) -> None:
        if self.behind is not None:
            await self.behind

    def tell(self, notice: Notice) -> None:
        """Tells the other node."""
        self.test.told.append(NoticeKind(notice.kind))
        for node in self.test.nodes:
            if node is not self and not self.test.loses:
                heard = node.shared.freed if notice.kind == NoticeKind.LEASE_FREE else node.shared.wanted
                heard(notice.about)

    def ask(self, session: LiveSession, *, is_new: bool = False) -> list[Any]:
        """Asks for the lease; gives where the answer will be. A lease begins at once."""
        answer: list[Any] = []

        async def begin() -> CommitLease:
            wanted = {"is_new": is_new, "urgency": Urgency.ORDINARY, "seconds": SECONDS}
            lease = await self.leases.begin(ROOM, session, **wanted)  # type: ignore[arg-type]
            self.leases.start(lease, SECONDS)
            return lease

        Deferred.fromCoroutine(begin()).addBoth(answer.append)
        return answer


class SharedLeaseTests(SynchronousTestCase):
    """What `SharedLeases` promises."""

    def setUp(self) -> None:
        """Two nodes, a room, and time that stands still."""
        self.clock = Clock()
        self.store = MemoryStore(StoreLimits())
        self.store.seconds = self.clock.seconds
        for each in (self.store.open(), self.store.commit(founding(1))):
            self.successResultOf(Deferred.fromCoroutine(each))
        self.made: dict[int, list[LiveSession]] = {}
        self.told: list[NoticeKind] = []
        self.loses = False
        self.nodes: list[Node] = []
        self.nodes.extend(Node(number, self, Limits()) for number in (1, 2))
        self.one, self.two = self.nodes
        self.alice, self.bob, self.carol, self.dave = (self.session(name) for name in ("alice", "bob", "carol", "dave"))

    def session(self, name: str) -> LiveSession:
        """A session of somebody."""
        nowhere: Any = None
        return LiveSession(name.encode(), name, Role.USER, name.encode().ljust(16), nowhere, {})

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.clock.pump([seconds / 2, seconds / 2, 0])

    def assert_has(self, answer: list[Any], holder: LiveSession) -> CommitLease:
        """The lease is there."""
        (lease,) = answer
        self.assertIsInstance(lease, CommitLease)
        self.assertIs(holder, lease.holder)
        return lease  # type: ignore[no-any-return]

    def refused(self, answer: list[Any]) -> type[Exception] | None:
        """Why there is none."""
        (failure,) = answer
        self.assertIsInstance(failure, Failure)
        return failure.type  # type: ignore[no-any-return]

    def test_one_at_a_time(self) -> None:
        """Whoever is second, on the other node, has it as soon as the first has given it back, and not before."""
        first, second = self.one.ask(self.alice), self.two.ask(self.bob)
        lease = self.assert_has(first, self.alice)
        self.later(5)
        self.assertEqual([], second)
        self.one.leases.release(lease)
        self.assert_has(second, self.bob)
        self.assertEqual(([1], [1]), (self.one.waited_for, self.two.waited_for))

    def test_nothing_heard(self) -> None:
        """Where nobody hears that it is free, it is asked for again before long."""
        first, second = self.one.ask(self.alice), self.two.ask(self.bob)
        self.loses = True
        self.one.leases.release(first[0])
        self.assertEqual([], second)
        self.later(AGAIN_SECONDS)
        self.assert_has(second, self.bob)

    def test_dead_node(self) -> None:
        """What a node held that died ends by time."""
        self.one.ask(self.alice)
        self.one.store.error = Busy("dead")
        second = self.two.ask(self.bob)
        self.later(SECONDS + SPARE_SECONDS - 1)
        self.assertEqual([], second)
        self.later(1)
        self.assert_has(second, self.bob)

    def test_given_back_while_waiting(self) -> None:
        """Who does not want it any more lets the next one in the line try, and gets nothing that has to be given back."""
        first, second, third = self.one.ask(self.alice), self.two.ask(self.bob), self.two.ask(self.carol)
        self.two.leases.forget(self.bob)
        self.assertIs(StaleCommit, self.refused(second))
        self.later(0)
        self.one.leases.release(self.assert_has(first, self.alice))
        self.assert_has(third, self.carol)

    def test_gone_while_the_store_answers(self) -> None:
        """A lease that is given to somebody who has gone is free again at once."""
        self.one.store.slow = Deferred()
        first = self.one.ask(self.alice)
        second = self.two.ask(self.bob)
        self.one.leases.forget(self.alice)
        self.one.store.slow.callback(None)
        self.assertIs(StaleCommit, self.refused(first))
        self.assert_has(second, self.bob)
        self.assertEqual(({}, {}), (self.one.shared._turns, self.one.shared._held))

    def test_gone_while_the_room_comes(self) -> None:
        """Likewise where the room is waited for; and until it has come nobody is told of a lease, and may use it."""
        self.one.behind = Deferred()
        first, second = self.one.ask(self.alice), self.two.ask(self.bob)
        self.assertEqual(([], None), (first, self.one.leases.held(ROOM, self.alice)))
        self.one.leases.give_back(ROOM, self.alice)
        self.assert_has(second, self.bob)
        self.one.behind.callback(None)
        self.assertIs(StaleCommit, self.refused(first))

    def test_head(self) -> None:
        """The answer waits until this node has what the room had when the lease was given."""
        self.one.behind = Deferred()
        first = self.one.ask(self.alice)
        self.assertEqual([], first)
        self.one.behind.callback(None)
        self.assert_has(first, self.alice)

    def test_a_room_that_does_not_come(self) -> None:
        """Then there is no lease, and the next one has it."""
        self.one.behind = Deferred()
        first, second = self.one.ask(self.alice), self.two.ask(self.bob)
        self.one.behind.errback(Failure(Busy("feed")))
        self.assertIs(Busy, self.refused(first))
        self.assert_has(second, self.bob)

    def test_busy_store(self) -> None:
        """Where the store cannot be asked it is refused for now; what may have been taken all the same is given back."""
        self.one.store.error = Busy("away")
        first = self.one.ask(self.alice)
        self.assertIs(Busy, self.refused(first))
        self.one.store.error = None
        self.assert_has(self.one.ask(self.alice), self.alice)

    def test_busy_when_it_ends(self) -> None:
        """What could not be given back is given back when the store can be asked again, and own sessions need not wait."""
        first, second = self.one.ask(self.alice), self.two.ask(self.bob)
        self.one.store.error = Busy("away")
        self.one.leases.release(self.assert_has(first, self.alice))
        self.later(2 * AGAIN_SECONDS)
        self.one.store.error = None
        self.assert_has(third := self.one.ask(self.carol), self.carol)
        self.assertEqual([], second)
        self.one.leases.release(third[0])
        self.assert_has(second, self.bob)

    def test_busy_for_long(self) -> None:
        """It is tried so many times to give one back; then it ends by time."""
        self.one.ask(self.alice)
        self.one.store.error, before = Busy("away"), self.one.store.calls
        self.one.leases.give_back(ROOM, self.alice)
        self.clock.pump([AGAIN_SECONDS] * 2 * FREE_TRIES)
        self.assertEqual(before + FREE_TRIES, self.one.store.calls)

    def test_lapsed(self) -> None:
        """Who lets one lapse waits for the next on every node; the next in line has it."""
        self.one.ask(self.alice)
        second = self.two.ask(self.bob)
        self.later(SECONDS)
        lease = self.assert_has(second, self.bob)
        third = self.two.ask(self.session("alice"))
        self.two.leases.submit(lease)
        lease.used = True
        self.two.leases.release(lease)
        self.later(0)
        self.assertIs(RateLimited, self.refused(third))

    def test_other_nodes_have_their_turn(self) -> None:
        """A line on one node does not keep another's waiting: who waits there comes after the one who has it now."""
        first, second = self.one.ask(self.alice), self.one.ask(self.carol)
        third = self.two.ask(self.bob)
        self.loses = True  # that it is free: else who hears of it is first anyway
        self.one.leases.release(self.assert_has(first, self.alice))
        self.clock.advance(0)
        self.assertEqual(([], []), (second, third))
        self.two.shared.freed(ROOM)
        lease = self.assert_has(third, self.bob)
        self.later(2 * YIELD_SECONDS)
        self.assertEqual([], second)
        self.two.leases.release(lease)
        self.later(AGAIN_SECONDS)
        self.assert_has(second, self.carol)

    def test_line_of_a_node(self) -> None:
        """Where nobody waits elsewhere, the next one has it in the same moment."""
        first, second = self.one.ask(self.alice), self.one.ask(self.carol)
        self.one.leases.release(self.assert_has(first, self.alice))
        self.clock.advance(0)
        self.assert_has(second, self.carol)

    def test_free_while_the_store_answers(self) -> None:
        """A word that comes before the answer to which it belongs is not lost."""
        first = self.one.ask(self.alice)
        slow: Deferred[None] = Deferred()
        self.two.store.slow = slow
        second = self.two.ask(self.bob)
        self.one.leases.release(self.assert_has(first, self.alice))
        self.two.store.slow = None
        slow.callback(None)
        self.assert_has(second, self.bob)

    def test_new_room(self) -> None:
        """Of a room that is to be made nobody else knows: nothing is asked of the store."""
        self.assert_has(self.one.ask(self.alice, is_new=True), self.alice)
        self.assertEqual((0, []), (self.one.store.calls, self.told))

    def test_unknown_rooms(self) -> None:
        """What others say of rooms whose lease nobody here has or wants does nothing."""
        self.one.shared.freed(b"x")
        self.one.shared.wanted(b"x")
        self.assertEqual(({}, {}), (self.one.shared._turns, self.one.shared._held))

    @settings(max_examples=80, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2), st.integers(0, 3)), max_size=60))
    def test_whatever_happens(self, steps: list[tuple[int, int, int]]) -> None:
        """Two never have it at once; and whoever has waited has it, or is told why not, when the others are done."""
        self.setUp()
        self.nodes.append(Node(3, self, Limits(lease_unused=1000)))
        answers = dict[LiveSession, list[Any]]()
        for what, number, who in steps:
            node, session = self.nodes[number], self.sessions(number)[who]
            if what <= 2 and not answers.get(session):
                answers[session] = node.ask(session)
            elif what == 3:
                node.leases.give_back(ROOM, session)
            elif what == 4:
                node.leases.forget(session)
            elif what == 5:
                self.loses = not self.loses
            elif what == 6:
                node.store.error = None if node.store.error else Busy("away")
            else:
                self.later(0.05 if who < 2 else AGAIN_SECONDS)
            self.assertLessEqual(len(self.holders(answers)), 1)
        for node in self.nodes:
            node.store.error = None
        for _ in range(200):
            for lease in self.holders(answers):
                lease.used = True
                self.nodes[lease.holder.account_id[0]].leases.release(lease)
            self.later(AGAIN_SECONDS / 2)
            self.assertLessEqual(len(self.holders(answers)), 1)
        self.assertEqual([], [session for session, answer in answers.items() if not answer])
        self.assertEqual([({}, {}, {})] * 3, [(n.shared._turns, n.shared._held, n.leases._queues) for n in self.nodes])

    def sessions(self, number: int) -> list[LiveSession]:
        """Four of a node, of as many accounts."""
        nowhere: Any = None
        found = self.made.setdefault(number, [])
        for who in range(4 - len(found)):
            account = bytes([number, who])
            found.append(LiveSession(account, account.hex(), Role.USER, account.ljust(16), nowhere, {}))
        return found

    def holders(self, answers: dict[LiveSession, list[Any]]) -> list[CommitLease]:
        """Leases that somebody has been told of, and that have not ended."""
        told = [each for answer in answers.values() for each in answer if isinstance(each, CommitLease)]
        return [lease for lease in told if not lease.over]
