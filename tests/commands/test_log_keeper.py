"""The log: order, signatures, notices, pages, and waiting for it."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.endings import end_account
from chatserv.commands.head_notices import GATHER_SECONDS
from chatserv.crypto.log_leaves import LEAF_BYTES, Leaf, LeafType, verify_tree_head
from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.crypto.suite import pss_sign, sha256
from chatserv.errors import Busy
from chatserv.wire import messages
from tests.support.server import WireServer
from tests.support.sessions import rsa_key, spki
from tests.support.smith import Smith, code


class LogTests(SynchronousTestCase):
    """What `LogKeeper` promises, over a whole server."""

    def setUp(self) -> None:
        """Alice listens."""
        self.server = WireServer()
        self.alice = self.server.join("alice")
        self.log = self.server.context.log

    def head(self, signed: bytes) -> Any:
        """A signed head, checked."""
        return verify_tree_head(signed, spki("server"))

    def register(self, *names: str) -> None:
        """Accounts that come to be past all sessions."""
        for name in names:
            self.server.smith.register(self.server.account(name))

    def test_leaves(self) -> None:
        """A registration is two leaves: the identity, then the device, each with what was signed."""
        first = self.log.size
        bob = self.server.join("bob", lobby=False).account
        identity, device = (Leaf.decode(self.log.leaves(at, at + 1)) for at in (first, first + 1))
        self.assertEqual((identity.kind, identity.statement), (LeafType.UIK, sha256(bob.identity_spki)))
        self.assertEqual((device.kind, device.subject, device.statement), (LeafType.DEVICE, *[bob.cert_hash] * 2))
        self.assertTrue(
            self.log.facts.certificate_valid(self.server.certificates[bob.cert_hash], bob.cert_hash, first + 2)
        )

    def test_notice(self) -> None:
        """Every session gets new leaves with the head that covers them."""
        self.alice.received.clear()
        before = self.log.size
        self.register("bob")
        self.server.advance(GATHER_SECONDS)
        (notice,) = self.alice.all(messages.LogHead)
        head = self.head(notice.head)
        self.assertEqual((notice.after, notice.leaves), (before, self.log.leaves(before, before + 2)))
        self.assertEqual((head.size, head.root), (before + 2, self.log.root_at(before + 2)))

    def test_many_leaves(self) -> None:
        """As many leaves as the limit are in a notice; of more none are, to be fetched."""
        for limit, inside in ((2, True), (1, False)):
            server = WireServer(log_notice_leaves=limit)
            alice = server.join("alice")
            alice.received.clear()
            before = server.context.log.size
            server.smith.register(server.account("bob"))
            server.settle()
            (notice,) = alice.all(messages.LogHead)
            expected = (before, 2 * LEAF_BYTES) if inside else (before + 2, 0)
            self.assertEqual((notice.after, len(notice.leaves)), expected)

    def test_slow_reader(self) -> None:
        """A session without place for a notice is not cut for it."""
        self.alice.reading, self.alice.transport.full_above = False, 1
        queue = self.alice.protocol._sendq
        assert queue is not None
        while queue.has_place(1000):
            self.alice.protocol.tell(messages.Announcement("x" * 500, 1))
            self.server.settle()
        self.register("bob")
        self.server.settle()
        self.assertFalse(self.alice.lost)
        self.assertFalse(queue.has_place(1000))

    def test_burst_shares_a_signature(self) -> None:
        """What comes while one signature is made shares the next."""
        self.server.pool.held = True
        before, covered = self.log.size, []
        self.register(*(f"user{number}" for number in range(10)))
        for _ in range(2):
            self.server.pool.release()
            self.server.settle()
            covered.append(self.log.covered_size)
        self.assertEqual(covered, [before + 2, before + 20])

    def test_gathered(self) -> None:
        """Of a class that comes in within a second everybody is told once; who asks meanwhile gets what there is."""
        self.alice.received.clear()
        before = self.log.size
        for number in range(30):
            self.server.join(f"pupil{number}", lobby=False)
            self.server.advance(GATHER_SECONDS / 31)
        self.assertEqual(self.alice.all(messages.LogHead), [])
        self.assertEqual(self.head(self.alice.ask(messages.GetLog, after=0).head).size, before + 60)
        self.server.advance(GATHER_SECONDS)
        (notice,) = self.alice.all(messages.LogHead)
        self.assertEqual((notice.after, len(notice.leaves) // LEAF_BYTES), (before, 60))
        self.assertEqual((notice.head, notice.leaves), (self.log.signed_head, self.log.leaves(before, before + 60)))
        self.server.advance(10 * GATHER_SECONDS)
        self.assertEqual(len(self.alice.all(messages.LogHead)), 1)

    def test_not_gathered(self) -> None:
        """What ends something is told at once, and what waited with it; then nothing waits any more."""
        self.alice.received.clear()
        before = self.log.size
        self.register("bob", "carol")
        self.server.wait(end_account(self.server.context, "bob", b"", None))
        self.server.settle()
        (notice,) = self.alice.all(messages.LogHead)
        kinds = [Leaf.decode(self.log.leaves(at, at + 1)).kind for at in range(before, before + 5)]
        self.assertEqual(kinds, 2 * [LeafType.UIK, LeafType.DEVICE] + [LeafType.GONE])
        self.assertEqual((notice.after, notice.leaves), (before, self.log.leaves(before, before + 5)))
        self.server.advance(10 * GATHER_SECONDS)
        self.assertEqual(len(self.alice.all(messages.LogHead)), 1)

    def test_before_a_commit(self) -> None:
        """Who is in a room has heard of the leaves with which its commit was made, before the commit; others' wait on."""
        room = self.alice.make_room()
        self.alice.sync()
        self.alice.received.clear()
        before = self.log.size
        self.register("bob")
        self.assertIsInstance(self.alice.commit(room, kt_size=before), messages.Committed)
        self.assertEqual(self.alice.all(messages.LogHead), [])
        self.assertIsInstance(self.alice.commit(room), messages.Committed)
        kinds = [type(each) for each in self.alice.received if isinstance(each, messages.LogHead | messages.Event)]
        self.assertEqual(kinds, [messages.Event, messages.LogHead, messages.Event])
        self.assertEqual(self.head(self.alice.one(messages.LogHead).head).size, before + 2)

    def test_as_many_as_a_notice_holds(self) -> None:
        """They are told as soon as one more would have to be fetched by everybody."""
        server = WireServer(log_notice_leaves=4)
        alice = server.join("alice")
        alice.received.clear()
        for name, told in (("bob", 0), ("carol", 1), ("dora", 1)):
            server.smith.register(server.account(name))
            server.settle()
            self.assertEqual(len(alice.all(messages.LogHead)), told)
        self.assertEqual(len(alice.one(messages.LogHead).leaves), 4 * LEAF_BYTES)

    def test_waits_for_the_right_head(self) -> None:
        """Whose leaves a head does not cover yet waits for the next one."""
        self.server.pool.held = True
        waiting = []
        for name in ("bob", "carol"):
            self.register(name)
            waiting.append(Deferred.fromCoroutine(self.log.covered(self.log.size)))
        self.server.pool.release()
        self.successResultOf(waiting[0])
        self.assertNoResult(waiting[1])
        self.server.pool.release()
        self.successResultOf(waiting[1])

    def test_answer_after_the_head(self) -> None:
        """A registration is answered when a head covers it, and not before; those that listen have that head then."""
        bob = self.server.connect(self.server.account("bob"), token=b"")
        assert bob is not None
        bob.start()
        before = self.log.size
        while self.log.size == before:
            self.assertTrue(bob.exchange())
            self.server.pool.held = self.server.pool.held or bool(bob.sent[1:])
        self.server.settle()
        self.assertEqual((self.log.size, self.log.covered_size, bob.authenticated), (before + 2, before, False))
        self.server.pool.held = False
        self.server.pool.release()
        self.server.settle()
        self.assertTrue(bob.authenticated)
        self.assertGreaterEqual(self.head(bob.one(messages.Welcome).log_head).size, before + 2)

    def test_kept_before_it_is_told(self) -> None:
        """A head that is not kept yet is told to nobody; one that the disk does not take is made again and kept then."""
        kept: list[bytes] = []
        refusing = True

        async def keep(signed: bytes, _lower: bool) -> None:
            if refusing:
                raise Busy("disk full", after_seconds=2.0)
            self.assertEqual(self.alice.all(messages.LogHead), [])
            kept.append(signed)

        self.patch(self.log, "_keep", keep)
        self.alice.received.clear()
        self.register("bob")
        waiting = Deferred.fromCoroutine(self.log.covered(self.log.size))
        self.server.advance(1)
        self.assertNoResult(waiting)
        self.assertEqual(self.alice.all(messages.LogHead), [])
        refusing = False
        self.server.advance(1)
        self.successResultOf(waiting)
        self.server.advance(GATHER_SECONDS)
        self.assertEqual([notice.head for notice in self.alice.all(messages.LogHead)], kept)

    def test_no_place_for_the_signature(self) -> None:
        """A signature that finds no place is tried again; nobody is answered meanwhile, and no leaf is lost."""
        refusing = True

        async def sign(signed: bytes) -> bytes:
            if refusing:
                raise Busy("full", after_seconds=2.0)
            return pss_sign(rsa_key("server"), signed)

        self.patch(self.log, "_sign", sign)
        self.register("bob")
        waiting = Deferred.fromCoroutine(self.log.covered(self.log.size))
        self.server.advance(1)
        self.register("carol")
        self.server.advance(3)
        self.assertNoResult(waiting)
        refusing = False
        self.server.advance(2)
        self.successResultOf(waiting)
        self.assertEqual(self.log.covered_size, self.log.size)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_crash_of_the_signature(self) -> None:
        """A signature that fails on our side is logged, and tried again with the next leaf."""

        async def broken(_: bytes) -> bytes:
            raise ZeroDivisionError

        sign = self.log._sign
        self.log._sign = broken
        self.register("bob")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.log._sign = sign
        self.register("carol")
        self.server.settle()
        self.assertEqual(self.log.covered_size, self.log.size)

    def test_age(self) -> None:
        """A head is signed anew when it is as old as the limit, where somebody asks or looks, and no sooner."""
        server = WireServer(log_head_seconds=100, idle_seconds=1000)
        alice = server.join("alice")
        made = self.head(server.context.log.signed_head).at_ms
        server.clock.advance(99)
        server.context.log.refresh()
        self.assertEqual(self.head(alice.ask(messages.GetLog, after=0).head).at_ms, made)
        server.clock.advance(1)
        server.context.log.refresh()
        again = self.head(alice.ask(messages.GetLog, after=0).head)
        self.assertEqual((again.at_ms, again.size), (made + 100_000, server.context.log.size))

    def test_pages(self) -> None:
        """Pages of the log hold as many leaves as the limit, up to the newest head, and nothing behind it."""
        server = WireServer(log_page_leaves=3, log_notice_leaves=3)
        alice = server.join("alice")
        leaves, after = b"", 0
        sizes = []
        while page := alice.ask(messages.GetLog, after=after).leaves:
            leaves += page
            sizes.append(len(page) // LEAF_BYTES)
            after = len(leaves) // LEAF_BYTES
        self.assertEqual(sizes, [3, 3])
        hashes = (leaf_hash(leaves[at : at + LEAF_BYTES]) for at in range(0, len(leaves), LEAF_BYTES))
        self.assertEqual(tree_root(hashes), server.context.log.root_at(6))
        server.pool.held = True
        server.smith.register(server.account("bob"))
        page = alice.ask(messages.GetLog, after=6)
        self.assertEqual((page.leaves, self.head(page.head).size), (b"", 6))
        self.assertEqual(alice.ask(messages.GetLog, after=2**63 - 1).leaves, b"")

    def test_short_lines(self) -> None:
        """A page fits into the shortest line that there can be."""
        server = WireServer(line_bytes=4096, envelope_bytes=1024)
        alice = server.join("alice")
        for number in range(20):
            server.smith.register(server.account(f"user{number}"))
        page = alice.ask(messages.GetLog, after=0)
        self.assertGreater(len(page.leaves), 0)
        self.assertIsNone(alice.error)

    def test_restart(self) -> None:
        """After a restart the log is the same, and its first head covers all of it."""
        size, root = self.log.size, self.log.root_at(self.log.size)
        self.server.restart()
        log = self.server.context.log
        self.assertEqual((log.size, log.covered_size, log.root_at(size)), (size, size, root))

    def test_roots(self) -> None:
        """There is a root for each size up to the newest, and for no other."""
        self.assertEqual([self.log.root_at(-1), self.log.root_at(self.log.size + 1)], [None, None])
        self.assertEqual(self.log.root_at(0), sha256())

    def test_hole(self) -> None:
        """A store that skips a leaf is caught."""
        self.log.take(self.log.size + 1, [])
        self.assertIn("came after", self.log.over)

    def test_no_leaf(self) -> None:
        """So is one that gives something else; nothing is stored from then on, and nothing more is signed."""
        self.log.take(self.log.size, [b"no leaf"])
        self.assertIn("breaks its rules", self.log.over)
        self.assertEqual(code(self.alice.say("hello")), "read_only")
        before, hour = self.log.signed_head, self.server.config.limits.log_head_seconds
        self.server.advance(2 * hour)
        self.assertEqual(before, self.log.signed_head)


class SmithTests(SynchronousTestCase):
    """That the tests' own commits are what they seem."""

    def test_leaf(self) -> None:
        """A device that is in no room has the next leaf."""
        server = WireServer()
        self.assertEqual(Smith(server).leaf(server.account("bob"), server.lobby), 1)
