"""The log where several nodes have one store: who signs, what is told of it and when, and what stops a node."""

from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.leaf_log import RETRY_SECONDS, WAIT_SECONDS
from chatserv.commands.log_keeper import UNSIGNED_SECONDS, LogKeeper
from chatserv.config import Config
from chatserv.crypto.log_leaves import LEAF_BYTES, LeafType, TreeHead, room_leaf, signed_tree_head, user_leaf
from chatserv.crypto.statements import make_rotation
from chatserv.crypto.suite import RSA_BYTES, pss_sign, sha256
from chatserv.errors import Busy, ReadOnly
from chatserv.live_settings import LiveSettings
from chatserv.models import LeafDraft
from chatserv.net.effects import reactor_effects
from chatserv.node_models import Numbers
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from chatserv.wire.handshake import ALL_METHODS
from chatserv.wire.parameters import ServerIdentity
from tests.support.server import START_MS
from tests.support.sessions import rsa_key, seeded, spki

SERVER_ID = sha256(spki("server"))
AT = st.integers(0, 2)
HOUR_SECONDS = LiveSettings(Config()).limits.log_head_seconds


def draft(number: int) -> LeafDraft:
    """A leaf of a public room."""
    commit_hash = number.to_bytes(32, "big")
    return LeafDraft(room_leaf(SERVER_ID, "garden", bytes(16), commit_hash, START_MS).encode())


def identity_draft(kind: LeafType, new: bytes, statement: bytes) -> LeafDraft:
    """A leaf of alice's identity."""
    return LeafDraft(user_leaf(kind, SERVER_ID, "alice", sha256(new), statement, START_MS).encode(), statement)


def place(signed: bytes) -> tuple[int, int]:
    """Size and time of a head; of none less than of any."""
    if not signed:
        return -1, 0
    head = TreeHead.decode(signed[:-RSA_BYTES])
    return head.size, head.at_ms


class Node:
    """A node: its log, over the store of all. What it says to the others, and asks the store, waits in ``calls``."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.told: list[bytes] = []  # heads, to its sessions
        self.said: list[bytes] = []  # heads, to the other nodes
        self.files: list[bytes] = []
        self.calls: list[Callable[[], object]] = []
        self.held = False
        self.refuses: type[Exception] | None = None
        self.gave_up = ""
        self.signed = 0
        effects = reactor_effects(world.clock, world.now_ms, seeded("node"))
        identity = ServerIdentity(spki("server"), ALL_METHODS)
        self.log = LogKeeper(
            identity,
            LiveSettings(Config()),
            effects,
            self,  # type: ignore[arg-type]
            self,  # type: ignore[arg-type]
            self.sign,
            lambda _part: None,
            self.keep,
        )
        self.log._notices = self  # type: ignore[assignment]
        self.log.take_in(world.leaves)

    # -- the parts that a log needs

    async def sign(self, to_sign: bytes) -> bytes:
        """Signs."""
        self.signed += 1
        return pss_sign(rsa_key("server"), to_sign)

    def adopted(self, size: int, signed: bytes) -> None:
        """To the sessions: a head is in the store and in the node's own file by then, and its leaves are here."""
        self.world.expect(place(signed) <= place(self.world.kept), "told before it was stored")
        self.world.expect(signed in self.files, "told before it was in the file")
        self.world.expect(size <= self.log.size, "told before its leaves were here")
        if self.told:
            self.world.expect(place(self.told[-1]) < place(signed), "a lower one after a higher one")
        self.told.append(signed)

    async def keep(self, signed: bytes, lower: bool) -> None:
        """Into the file."""
        assert not lower
        self.files.append(signed)

    def give_up(self, reason: str) -> None:
        """The end."""
        self.gave_up = reason

    def ask(self, happens: Callable[[], Awaitable[Any]]) -> "Deferred[Any]":
        """Something of the store: refused, at once, or later in two steps: it happens, and it is answered."""
        if self.refuses is not None:
            raise self.refuses("the store")
        if not self.held:
            return Deferred.fromCoroutine(happens())  # type: ignore[arg-type]
        answer: Deferred[Any] = Deferred()

        def happen() -> None:
            done: Deferred[Any] = Deferred.fromCoroutine(happens())  # type: ignore[arg-type]
            self.calls.append(lambda: done.chainDeferred(answer))

        self.calls.append(happen)
        return answer

    async def statement(self, index: int) -> bytes | None:
        """What is signed behind a leaf."""
        found: bytes | None = await self.ask(lambda: self.world.store.statement(index))
        return found

    async def keep_head(self, signed: bytes, last: bytes) -> bytes:
        """Into the row, and then to the others."""
        kept: bytes = await self.ask(lambda: self.world.store.keep_head(signed, last))
        if kept == signed:
            self.said.append(signed)
        return kept

    async def current(self) -> None:
        """As far as the store."""
        numbers: Numbers = await self.ask(self.world.store.numbers)
        self.hear(numbers.log_size)
        await self.log.up_to(numbers.log_size, numbers.head)

    # -- what happens to it

    def append(self, *drafts: LeafDraft) -> None:
        """A transaction of its own."""
        first = len(self.world.leaves)
        self.world.append(drafts)
        self.log.appended(first, [each.leaf for each in drafts])

    def hear(self, size: int) -> None:
        """The leaves of the store up to a size."""
        known = self.log.size + len(self.log._coming)
        if known < size:
            self.log.take(known, self.world.leaves[known:size])


class World:
    """The store, and what is in it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore(StoreLimits(), b"i" * 16)
        Deferred.fromCoroutine(self.store.open())
        self.append([draft(0), draft(1)])
        self.wrong: list[str] = []

    def expect(self, holds: bool, what: str) -> None:
        """Notes what does not hold."""
        if not holds:
            self.wrong.append(what)

    @property
    def leaves(self) -> list[bytes]:
        """The log."""
        return self.store._leaves

    @property
    def kept(self) -> bytes:
        """The row."""
        return self.store._head

    def append(self, drafts: Any) -> None:
        """Into the store, by whomever."""
        Deferred.fromCoroutine(self.store.append_leaves(len(self.leaves), drafts))

    def now_ms(self) -> int:
        """The clock."""
        return START_MS + int(self.clock.seconds() * 1000)


class LogNodesTests(SynchronousTestCase):
    """Two nodes."""

    def setUp(self) -> None:
        """Both have two leaves, and a head that is kept."""
        self.world = World()
        self.first, self.second = Node(self.world), Node(self.world)
        self.nodes = self.first, self.second
        self.first.log.refresh()
        self.second.log.told(self.world.kept)
        self.world.clock.advance(1)
        self.addCleanup(lambda: self.assertEqual([], self.world.wrong))

    def start(self, coroutine: Any) -> "Deferred[Any]":
        """Runs it."""
        return Deferred.fromCoroutine(coroutine)

    def test_writer_signs(self) -> None:
        """Who has made a leaf signs it, once; the others tell of that head when they hear it."""
        self.assertEqual([1, 0], [each.signed for each in self.nodes])
        self.first.append(draft(2))
        waits = self.start(self.first.log.covered())
        self.second.hear(3)
        self.successResultOf(waits)
        self.assertEqual((3, [2, 0]), (place(self.world.kept)[0], [each.signed for each in self.nodes]))
        self.assertEqual(1, len(self.second.told))
        self.second.log.told(self.first.said[-1])
        self.assertEqual([self.world.kept] * 2, [each.told[-1] for each in self.nodes])
        self.assertEqual([self.world.kept] * 2, [each.log.signed_head for each in self.nodes])
        self.world.clock.advance(UNSIGNED_SECONDS)
        self.assertEqual([2, 0], [each.signed for each in self.nodes])

    def test_head_before_leaves(self) -> None:
        """A head that comes before its leaves waits for them, and nothing is signed meanwhile."""
        self.first.append(draft(2), draft(3))
        self.first.hear(4)
        self.second.log.told(self.first.said[-1])
        self.assertEqual(2, self.second.log.covered_size)
        self.second.hear(3)
        self.assertEqual(2, self.second.log.covered_size)
        self.second.hear(4)
        self.assertEqual((4, 0), (self.second.log.covered_size, self.second.signed))

    def test_who_loses(self) -> None:
        """Of two heads the higher one stays; who has signed the lower one tells of the other, once its leaves are here."""
        self.first.held = True
        self.first.append(draft(2))
        self.first.hear(3)
        waits = self.start(self.first.log.covered(3))
        self.second.append(draft(3))
        self.second.hear(4)
        self.assertEqual(4, place(self.world.kept)[0])
        while self.first.calls:
            self.first.calls.pop(0)()
        self.assertNoResult(waits)
        self.assertEqual(([], 2), (self.first.said[1:], self.first.log.covered_size))
        self.first.hear(4)
        self.successResultOf(waits)
        self.assertEqual([self.world.kept] * 2, [each.told[-1] for each in self.nodes])

    def test_writer_dies(self) -> None:
        """Leaves that nobody has signed are signed by another node, after a while."""
        self.world.append([draft(2)])
        self.second.hear(3)
        self.world.clock.advance(UNSIGNED_SECONDS - 0.1)
        self.assertEqual((0, 2), (self.second.signed, self.second.log.covered_size))
        self.world.clock.advance(0.1)
        self.assertEqual((1, 3), (self.second.signed, self.second.log.covered_size))

    def test_who_waits(self) -> None:
        """Whoever waits for a head over leaves of another node waits for that node's, and has no second one signed."""
        self.world.append([draft(2)])
        self.second.hear(3)
        waits = self.start(self.second.log.covered(3))
        self.assertEqual(0, self.second.signed)
        self.first.append()
        self.first.hear(3)
        self.world.clock.advance(UNSIGNED_SECONDS)
        self.successResultOf(waits)
        self.assertEqual(1, self.first.signed - 1 + self.second.signed)

    def test_head_lost(self) -> None:
        """A head that the bus has lost is found in the store, and none is signed beside it."""
        self.first.append(draft(2))
        self.first.hear(3)
        self.second.hear(3)
        self.world.clock.advance(UNSIGNED_SECONDS)
        self.assertEqual((0, 3), (self.second.signed, self.second.log.covered_size))

    def test_store_away(self) -> None:
        """While the store refuses nobody signs for others; a head of one's own is kept as soon as it can be."""
        self.second.refuses = Busy
        self.world.append([draft(2)])
        self.second.hear(3)
        self.world.clock.pump([UNSIGNED_SECONDS] * 5)
        self.assertEqual(0, self.second.signed)
        self.second.append(draft(3))
        self.second.hear(4)
        waits = self.start(self.second.log.covered(4))
        self.world.clock.pump([RETRY_SECONDS] * 3)
        self.assertNoResult(waits)
        self.second.refuses = None
        self.world.clock.advance(RETRY_SECONDS)
        self.successResultOf(waits)
        self.assertEqual(4, self.second.log.covered_size)

    def test_first_head(self) -> None:
        """A node that starts tells of no head that is not kept; who comes in meanwhile waits for it."""
        new = Node(self.world)
        new.held = True
        new.log.refresh()
        waits = self.start(new.log.up_to(2, b""))
        self.assertNoResult(waits)
        while new.calls:
            new.calls.pop(0)()
        self.successResultOf(waits)
        self.assertEqual([self.world.kept], new.told)

    def test_up_to(self) -> None:
        """Who comes from a node that was ahead is told of no lower head here."""
        self.first.append(draft(2))
        self.first.hear(3)
        waits = self.start(self.second.log.up_to(3, self.world.kept))
        self.assertNoResult(waits)
        self.second.hear(3)
        self.successResultOf(waits)
        self.assertEqual(self.world.kept, self.second.log.signed_head)

    def test_patience(self) -> None:
        """Who waits for what does not come is told that the server is busy."""
        self.first.append(draft(2))
        self.first.hear(3)
        waits = (
            self.start(self.second.log.up_to(3, self.world.kept)),
            self.start(self.second.log.up_to(2, self.world.kept)),
        )
        self.world.clock.advance(WAIT_SECONDS)
        for each in waits:
            self.failureResultOf(each, Busy)
        self.second.hear(3)
        self.assertEqual(3, self.second.log.covered_size)

    def test_same_size(self) -> None:
        """Of heads over the same leaves the later one counts, whoever has signed it."""
        self.second.log.told(self.first.said[-1])
        self.assertEqual(1, len(self.second.told))
        self.world.clock.advance(HOUR_SECONDS)
        self.first.log.refresh()
        self.second.log.told(self.first.said[-1])
        self.second.log.refresh()
        self.assertEqual((self.world.kept, 0), (self.second.log.signed_head, self.second.signed))

    # -- what stops a node

    def test_not_signed_by_us(self) -> None:
        """A head that this server has not signed: somebody has changed the database."""
        false = signed_tree_head(TreeHead(3, bytes(32), START_MS), bytes(RSA_BYTES))
        self.failureResultOf(self.start(self.second.log.up_to(2, false)), ReadOnly)
        self.assertIn("not signed by this server", self.second.gave_up)
        self.assertEqual(2, self.second.log.covered_size)

    def test_another_log(self) -> None:
        """A head over other leaves than ours: it is told to nobody, and this node stops."""
        self.second.append(draft(2))
        self.second.log.take(2, [draft(9).leaf])
        self.assertIn("lacks leaf 2", self.second.gave_up)
        self.first.append(draft(3))
        self.first.hear(4)
        third = Node(self.world)
        third.log.take_in([])
        third.log._leaves[:LEAF_BYTES] = draft(7).leaf
        third.log._roots[-32:] = bytes(32)
        third.log.told(self.world.kept)
        self.assertIn("another node has another log", third.gave_up)
        self.assertEqual([], third.told)

    def test_store_goes_back(self) -> None:
        """A leaf that the store gives the number of one that was here before, is none: nothing is written any more."""
        self.first.append(draft(2))
        self.first.hear(3)
        self.first.log.appended(2, [draft(2).leaf, draft(3).leaf])
        self.assertEqual("", self.first.gave_up)
        self.first.log.appended(2, [draft(3).leaf])
        self.assertIn("the database has gone back", self.first.gave_up)

    def test_hole(self) -> None:
        """A leaf that does not follow."""
        self.second.log.take(3, [draft(3).leaf])
        self.assertIn("leaf 3 of the log came after 2", self.second.gave_up)

    # -- identities

    def rotation(self) -> tuple[LeafDraft, LeafDraft]:
        """Alice's first identity, and the next one, which both have signed."""
        old, new = spki("identity of alice"), spki("identity of bob")
        statement = make_rotation(rsa_key("identity of alice"), rsa_key("identity of bob"), START_MS)
        return identity_draft(LeafType.UIK, old, old), identity_draft(LeafType.ROTATE, new, statement)

    def test_rotation(self) -> None:
        """An identity that came elsewhere counts when its signatures were read; it never counts as a break before."""
        old, new = self.rotation()
        self.world.append([old, new, draft(2)])
        self.second.refuses = Busy
        self.second.hear(5)
        self.assertEqual((3, []), (self.second.log.size, self.second.log.facts.undecided(3)))
        waits = self.start(self.second.log.reached(5))
        self.world.append([draft(3)])
        self.second.hear(6)
        self.second.refuses = None
        self.world.clock.advance(RETRY_SECONDS)
        self.successResultOf(waits)
        facts = self.second.log.facts
        self.assertEqual((6, []), (facts.size, facts.undecided(6)))
        self.assertTrue(facts.carried("alice", sha256(spki("identity of alice")), 6))
        self.assertFalse(facts.struck("alice", 3, 6))

    def test_false_rotation(self) -> None:
        """One that nobody has signed is not taken: the node stops, and signs nothing over it."""
        old, new = self.rotation()
        self.world.append([old, LeafDraft(new.leaf, b"nothing"), draft(2)])
        self.second.hear(5)
        self.world.clock.advance(60)
        self.assertIn("leaf 3 of the log is a new identity that its owner has not signed", self.second.gave_up)
        self.assertEqual((3, []), (self.second.log.size, self.second.log.facts.undecided(3)))


class LogMachine(RuleBasedStateMachine):
    """Three nodes, whatever the bus loses and in whatever order the store answers: see `Node.publish`."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.nodes = [Node(self.world) for _ in range(3)]
        for node in self.nodes:
            node.held = True
            node.log.refresh()
        self.waiting: list[Deferred[Any]] = []

    def wait(self, coroutine: Any) -> "Deferred[Any]":
        """Somebody waits for it."""
        self.waiting.append(Deferred.fromCoroutine(coroutine))
        return self.waiting[-1]

    @rule(at=AT)
    def append(self, at: int) -> None:
        """A transaction of a node, which has heard everything."""
        node = self.nodes[at]
        node.append(draft(len(self.world.leaves)))
        node.hear(len(self.world.leaves))
        self.wait(node.log.covered(len(self.world.leaves)))

    @rule(at=AT)
    def append_behind(self, at: int) -> None:
        """Likewise, but leaves of others before it have not come yet."""
        self.nodes[at].append(draft(len(self.world.leaves)))

    @rule(at=AT, share=st.floats(0, 1))
    def hear_leaves(self, at: int, share: float) -> None:
        """Some of the leaves come."""
        self.nodes[at].hear(round(share * len(self.world.leaves)))

    @rule(at=AT, by=AT, share=st.floats(0, 1))
    def hear_head(self, at: int, by: int, share: float) -> None:
        """A head comes that was said at any time."""
        said = self.nodes[by].said
        if said:
            self.nodes[at].log.told(said[round(share * (len(said) - 1))])

    @rule(at=AT, steps=st.integers(1, 4))
    def answer(self, at: int, steps: int) -> None:
        """The store does something for a node, or answers it."""
        for call in [self.nodes[at].calls.pop(0) for _ in range(min(steps, len(self.nodes[at].calls)))]:
            call()

    @rule(seconds=st.sampled_from((0.001, 0.5, UNSIGNED_SECONDS)))
    def pass_time(self, seconds: float) -> None:
        """Time passes."""
        self.world.clock.advance(seconds)

    @rule(at=AT)
    def refresh(self, at: int) -> None:
        """The head is so old that a node signs it anew."""
        self.world.clock.advance(HOUR_SECONDS)
        self.nodes[at].log.refresh()

    @rule(at=AT)
    def come(self, at: int) -> None:
        """Somebody logs in who may have been told of any head anywhere."""
        node, kept = self.nodes[at], self.world.kept
        highest = max((place(each.told[-1]) for each in self.nodes if each.told), default=(0, 0))

        def welcome(_: None) -> None:
            self.world.expect(place(node.log.signed_head) >= highest, "taken back")

        self.wait(node.log.up_to(len(self.world.leaves), kept)).addCallback(welcome)

    def teardown(self) -> None:
        """In the end all have all, and nobody waits in vain."""
        for node in self.nodes:
            node.hear(len(self.world.leaves))
        for _ in range(8):
            while any(node.calls for node in self.nodes):
                for node in self.nodes:
                    if node.calls:
                        node.calls.pop(0)()
            self.world.clock.advance(UNSIGNED_SECONDS)
        for each in self.waiting:
            each.addErrback(lambda failure: self.world.expect(failure.check(Busy) is not None, repr(failure)))
            self.world.expect(each.called, "waits in vain")
        assert self.world.wrong == []
        assert [node.gave_up for node in self.nodes] == [""] * 3
        assert {node.log.covered_size for node in self.nodes} == {len(self.world.leaves)}


def _keeps_nothing(self: Node, signed: bytes, last: bytes) -> "Deferred[bytes]":  # noqa: ARG001 - as the other
    self.said.append(signed)
    return succeed(signed)


async def _lets_in_at_once(self: LogKeeper, size: int, signed: bytes) -> None:
    """Whatever this node has."""


def _hears_at_once(self: LogKeeper, signed: bytes) -> None:
    self._adopt(TreeHead.decode(signed[:-RSA_BYTES]), signed)


MUTANTS: dict[str, tuple[type, str, Any]] = {
    "stored before it is told": (Node, "keep_head", _keeps_nothing),
    "leaves before the head, and the file": (LogKeeper, "told", _hears_at_once),
    "nobody is let in below the row": (LogKeeper, "up_to", _lets_in_at_once),
    "no lower one": (LogKeeper, "_is_higher", lambda *_: True),
    "somebody signs for who has died": (LogKeeper, "_watch_over", lambda _: None),
}


class AnyOrderTests(SynchronousTestCase):
    """Runs it."""

    def test_any_order(self) -> None:
        """No head is told before it is kept, before its leaves are here, or after a higher one; and nobody is taken back."""
        run_state_machine_as_test(LogMachine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))

    def test_each_switched_off_is_noticed(self) -> None:
        """Without any of the rules some history goes wrong."""
        unnoticed = []
        bounds = settings(
            max_examples=200,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            database=None,
        )
        for name, (owner, attribute, broken) in MUTANTS.items():
            with patch.object(owner, attribute, broken):
                try:
                    run_state_machine_as_test(LogMachine, settings=bounds)
                except (AssertionError, IndexError):
                    continue
                finally:
                    self.flushLoggedErrors()  # of what was broken on purpose
            unnoticed.append(name)
        self.assertEqual([], unnoticed)
