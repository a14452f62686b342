"""The client's copy of the log: what it believes, what it stores, and when it raises the alarm."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.state import transparency_log
from chatserv.client.state.transparency_log import HEAD_AGE_MS_MAX, LogForked, TransparencyLog
from chatserv.client.storage.database import Database
from chatserv.client.storage.failures import StorageError
from chatserv.client.storage.vault import Vault
from chatserv.crypto.log_leaves import LEAF_BYTES, Leaf, LeafType, TreeHead, make_tree_head, room_leaf, user_leaf
from chatserv.crypto.merkle import EMPTY_ROOT, leaf_hash, tree_root
from chatserv.errors import Reject
from tests.support.sessions import NOW_MS, flip, rsa_key, server_id, spki

SERVER_ID, SPKI = server_id(), spki("server")


def leaf(number: int, user: str = "alice") -> Leaf:
    """The leaf with this index in the log of `Server`: an identity, then devices."""
    kind = LeafType.DEVICE if number else LeafType.UIK
    return user_leaf(kind, SERVER_ID, user, bytes([number]) * 32, b"statement", NOW_MS)


class Server:
    """A log and its heads."""

    def __init__(self, leaves: list[Leaf] | None = None, key: str = "server") -> None:
        self.leaves = [leaf(number) for number in range(12)] if leaves is None else leaves
        self.key = key

    def root(self, size: int) -> bytes:
        """The root of the first leaves."""
        return tree_root(leaf_hash(each.encode()) for each in self.leaves[:size])

    def head(self, size: int, at_ms: int = NOW_MS) -> bytes:
        """A signed head."""
        return make_tree_head(TreeHead(size, self.root(size), at_ms), rsa_key(self.key))

    def page(self, start: int, end: int) -> bytes:
        """Leaves, as they travel."""
        return b"".join(each.encode() for each in self.leaves[start:end])


class Stop(Exception):
    """What a test throws into a transaction."""


class LogCopyCase(SynchronousTestCase):
    """A server, and an empty copy of its log."""

    def setUp(self) -> None:
        """Makes both."""
        self.server = Server()
        self.failing = False
        self.vault = Vault(Database.open(None, self.before_commit))
        self.addCleanup(self.vault.close)
        self.copy = self.again()
        self.copy.set_server_key(SPKI)

    def before_commit(self) -> None:
        """Fails when told to."""
        if self.failing:
            raise Stop

    def again(self) -> TransparencyLog:
        """The copy as the next run of the program loads it."""
        return TransparencyLog(SERVER_ID, self.vault.log, self.vault.facts)

    def take(self, size: int, start: int | None = None) -> int:
        """Extends the copy in one step."""
        return self.copy.extend(
            self.server.page(self.copy.size if start is None else start, size), self.server.head(size)
        )

    def forked(self, leaves: bytes, head: bytes) -> LogForked:
        """Asserts that this raises the alarm and leaves the copy as it was, in memory and in the store."""
        before = (self.copy.size, self.copy.head, self.vault.log.load(), self.vault.facts.get("log head"))
        error: LogForked = self.assertRaises(LogForked, self.copy.extend, leaves, head)
        self.assertEqual(
            before, (self.copy.size, self.copy.head, self.vault.log.load(), self.vault.facts.get("log head"))
        )
        self.assertEqual(self.copy.facts.size, self.copy.size)
        self.assertEqual((error.ours, error.theirs), (self.copy.signed_head, head))
        return error


class ExtendTests(LogCopyCase):
    """Leaves that fit."""

    def test_at_once(self) -> None:
        """Leaves up to a head are believed, stored and in the table of facts."""
        head = self.server.head(5)
        self.assertEqual(self.copy.extend(self.server.page(0, 5), head), 5)
        self.assertEqual((self.copy.size, self.copy.facts.size, self.copy.next_index), (5, 5, 5))
        self.assertEqual(len(self.copy.facts.certificates("alice", 5)), 4)
        self.assertEqual([leaf for leaf, _ in self.vault.log.load()], [leaf(number).encode() for number in range(5)])
        self.assertEqual(self.copy.head, TreeHead(5, self.server.root(5), NOW_MS))
        self.assertEqual(self.copy.signed_head, head)

    def test_roots(self) -> None:
        """The root is known at each size, also between heads, and not beyond."""
        self.assertEqual((self.copy.root_at(0), self.copy.root_at(1)), (EMPTY_ROOT, None))
        self.take(3)
        self.take(7)
        for size in range(8):
            self.assertEqual(self.copy.root_at(size), self.server.root(size))
        self.assertEqual((self.copy.root_at(8), self.copy.root_at(-1)), (None, None))

    def test_leaves_from(self) -> None:
        """Leaves are read from any index on, confirmed ones only."""
        self.take(4)
        self.copy.extend(self.server.page(4, 6), self.server.head(7))
        self.assertEqual((self.copy.size, self.copy.next_index), (4, 6))
        self.assertEqual(self.copy.leaves_from(1, 2), [leaf(1), leaf(2)])
        self.assertEqual(self.copy.leaves_from(2, 9), [leaf(2), leaf(3)])
        self.assertEqual(self.copy.leaves_from(4, 9), [])

    def test_pages(self) -> None:
        """Pages below the head are neither believed nor stored until the head's root confirms them."""
        head = self.server.head(9)
        self.assertEqual(self.copy.missing(head), 9)
        for start, end, missing in ((0, 4, 5), (4, 8, 1)):
            self.assertEqual(self.copy.extend(self.server.page(start, end), head), 0)
            self.assertEqual((self.copy.size, self.copy.facts.size, self.copy.next_index), (0, 0, end))
            self.assertEqual((self.vault.log.count(), self.copy.head, self.copy.root_at(1)), (0, None, None))
            self.assertEqual(self.copy.missing(head), missing)
        self.assertEqual(self.copy.extend(self.server.page(8, 9), head), 9)
        self.assertEqual((self.copy.size, self.copy.missing(head)), (9, 0))

    def test_growing_head(self) -> None:
        """Pages that come with newer and newer heads are confirmed by the one that they reach."""
        self.assertEqual(self.copy.extend(self.server.page(0, 3), self.server.head(5)), 0)
        self.assertEqual(self.copy.extend(self.server.page(3, 6), self.server.head(8)), 0)
        self.assertEqual(self.copy.extend(b"", self.server.head(4)), 4)
        self.assertEqual((self.copy.size, self.copy.next_index), (4, 6))
        self.assertEqual(self.copy.extend(self.server.page(6, 8), self.server.head(8)), 4)

    def test_beyond_the_head(self) -> None:
        """Leaves beyond the head are left out."""
        self.assertEqual(self.copy.extend(self.server.page(0, 7), self.server.head(5)), 5)
        self.assertEqual(self.copy.next_index, 5)

    def test_most(self) -> None:
        """As many leaves as there may be wait for their head; one more is refused, and nothing is kept of them."""
        self.patch(transparency_log, "MAX_PENDING", 4)
        head = self.server.head(9)
        self.assertEqual(self.copy.extend(self.server.page(0, 4), head), 0)
        self.assertRaises(Reject, self.copy.extend, self.server.page(4, 5), head)
        self.assertEqual((self.copy.size, self.copy.next_index), (0, 0))

    def test_overlap(self) -> None:
        """Leaves that are there already are left out, and none is taken where some are missing between."""
        self.take(5)
        head = self.server.head(8)
        self.assertEqual(self.copy.extend(self.server.page(6, 8), head, after=6), 0)
        self.assertEqual(self.copy.next_index, 5)
        self.assertEqual(self.copy.extend(self.server.page(2, 8), head, after=2), 3)
        self.assertEqual(self.copy.extend(self.server.page(2, 8), head, after=2), 0)

    def test_loaded(self) -> None:
        """The next run of the program has leaves, roots, facts, head and the server's key; unconfirmed leaves are gone."""
        self.take(6)
        self.copy.extend(self.server.page(6, 7), self.server.head(9))
        loaded = self.again()
        self.assertEqual((loaded.size, loaded.facts.size, loaded.next_index), (6, 6, 6))
        self.assertEqual((loaded.head, loaded.signed_head), (self.copy.head, self.copy.signed_head))
        self.assertEqual([loaded.root_at(size) for size in range(7)], [self.server.root(size) for size in range(7)])
        self.assertEqual(loaded.extend(self.server.page(6, 12), self.server.head(12)), 6)

    @settings(deadline=None, max_examples=25)
    @given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=8))
    def test_any_pages(self, steps: list[tuple[int, int]]) -> None:
        """Whatever pages and heads an honest server sends, the copy is a prefix of its log and raises no alarm."""
        vault = Vault.open(None)
        copy = TransparencyLog(SERVER_ID, vault.log, vault.facts)
        copy.set_server_key(SPKI)
        for size, end in steps:
            before = copy.size
            confirmed = copy.extend(self.server.page(copy.next_index, end), self.server.head(size))
            self.assertEqual((copy.size, copy.facts.size, vault.log.count()), (before + confirmed,) * 3)
            self.assertEqual(copy.root_at(copy.size), self.server.root(copy.size))
            self.assertEqual(copy.missing(self.server.head(size)), max(0, size - copy.next_index))
        vault.close()

    def test_store_fails(self) -> None:
        """Where the store fails nothing is believed, and the same leaves can come again."""
        self.take(3)
        self.failing = True
        self.assertRaises(Stop, self.take, 6)
        self.assertEqual(
            (self.copy.size, self.copy.facts.size, self.copy.next_index, self.vault.log.count()), (3, 3, 3, 3)
        )
        self.failing = False
        self.assertEqual(self.take(6), 3)

    def test_undone_around(self) -> None:
        """A transaction around it that is undone takes the leaves back; the copy finds that out before the next ones."""
        self.take(3)
        with self.assertRaises(Stop), self.vault.transaction():
            self.take(6)
            raise Stop
        self.copy.extend(b"", self.server.head(3))
        self.assertEqual((self.copy.size, self.copy.facts.size, self.copy.next_index), (3, 3, 3))
        self.assertEqual(self.take(9), 6)
        self.assertEqual(self.again().size, 9)


class HeadTests(LogCopyCase):
    """Signed heads."""

    def test_older(self) -> None:
        """An older head of the same log is fine and changes nothing; a newer one of the same size is taken."""
        self.take(6)
        newest = self.copy.head
        self.assertEqual(self.copy.extend(b"", self.server.head(4, NOW_MS + 5)), 0)
        self.assertEqual(self.copy.extend(b"", self.server.head(0)), 0)
        self.assertEqual(self.copy.head, newest)
        self.assertEqual(self.copy.extend(b"", self.server.head(6, NOW_MS + 5)), 0)
        self.assertEqual(self.copy.head, TreeHead(6, self.server.root(6), NOW_MS + 5))
        self.assertEqual(self.again().head, self.copy.head)

    def test_empty_log(self) -> None:
        """The head of a log without leaves is a head."""
        self.assertEqual(self.copy.extend(b"", self.server.head(0)), 0)
        self.assertEqual(self.copy.head, TreeHead(0, EMPTY_ROOT, NOW_MS))

    def test_too_old(self) -> None:
        """A head is too old after a day; no head is too old at once."""
        self.assertTrue(self.copy.too_old(NOW_MS))
        self.take(1)
        self.assertFalse(self.copy.too_old(NOW_MS + HEAD_AGE_MS_MAX))
        self.assertTrue(self.copy.too_old(NOW_MS + HEAD_AGE_MS_MAX + 1))

    def test_not_signed(self) -> None:
        """A head of another key, changed or cut, is refused and is no reason for the alarm; its leaves are not taken."""
        good = self.server.head(3)
        for wrong in (Server(key="other server").head(3), flip(good, 7), flip(good, 431), good[:-1], good + b"x", b""):
            for call in (lambda head: self.copy.extend(self.server.page(0, 3), head), self.copy.missing):
                error = self.assertRaises(Reject, call, wrong)
                self.assertNotIsInstance(error, LogForked)
        self.assertEqual((self.copy.next_index, self.copy.head), (0, None))

    def test_server_key(self) -> None:
        """The pinned key alone is taken, and remembered; without it no head can be checked."""
        fresh = Vault.open(None)
        self.addCleanup(fresh.close)
        copy = TransparencyLog(SERVER_ID, fresh.log, fresh.facts)
        self.assertRaises(Reject, copy.extend, self.server.page(0, 3), self.server.head(3))
        for wrong in (spki("other server"), SPKI[:-1], b""):
            self.assertRaises(Reject, copy.set_server_key, wrong)
        self.assertRaises(Reject, copy.missing, self.server.head(3))
        copy.set_server_key(SPKI)
        self.assertEqual(TransparencyLog(SERVER_ID, fresh.log, fresh.facts).missing(self.server.head(3)), 3)

    def test_unusable_server_key(self) -> None:
        """A pin of something that is no RSA-3072 key does not make it one."""
        fresh = Vault.open(None)
        self.addCleanup(fresh.close)
        self.assertRaises(Reject, TransparencyLog(EMPTY_ROOT, fresh.log, fresh.facts).set_server_key, b"")

    def test_no_leaves(self) -> None:
        """Bytes that are not a whole number of leaves are refused."""
        page = self.server.page(0, 3)
        for wrong in (page[:-1], page + b"x", page[: LEAF_BYTES - 1]):
            self.assertRaises(Reject, self.copy.extend, wrong, self.server.head(3))
        self.assertEqual(self.copy.next_index, 0)


class ForkTests(LogCopyCase):
    """Two logs, and logs against the rules."""

    def other(self, at: int) -> Server:
        """The same server's other log, which differs from the leaf ``at`` on."""
        leaves = [*self.server.leaves[:at], *(leaf(number + 100) for number in range(at, 12))]
        return Server(leaves)

    def test_same_size(self) -> None:
        """Another root at a size that is known raises the alarm, at the newest size and at an older one."""
        self.take(8)
        for size in (8, 5):
            head = self.other(4).head(size)
            self.forked(b"", head)
            self.assertRaises(LogForked, self.copy.missing, head)
        self.assertEqual(self.copy.extend(b"", self.other(5).head(5)), 0)

    def test_continued_otherwise(self) -> None:
        """Leaves that continue another log than ours raise the alarm, as the root comes out wrong."""
        self.take(8)
        other = self.other(4)
        self.forked(other.page(8, 10), other.head(10))
        self.assertEqual(self.take(10), 2)

    def test_leaves_of_no_head(self) -> None:
        """Leaves under a head that is of others raise the alarm and are forgotten, pages before them too."""
        self.copy.extend(flip(self.server.page(0, 2), 20), self.server.head(4))
        self.forked(self.server.page(2, 4), self.server.head(4))
        self.assertEqual(self.copy.next_index, 0)
        self.assertEqual(self.take(4), 4)

    def test_against_the_rules(self) -> None:
        """Leaves that the server signed and that break the rules of logs raise the alarm; facts stay as they were."""
        rows = (leaf(0), leaf(1, "nobody"), leaf(0, "bob"))
        for second in rows[:2]:
            server = Server([leaf(0), leaf(1), leaf(0, "bob"), second])
            copy = self.again()
            self.copy = copy
            error = self.forked(server.page(0, 4), server.head(4))
            self.assertIn("log:", error.detail)
            self.assertIsNone(self.copy.facts.identity("bob", 0))
        server = Server([leaf(0), leaf(1), rows[2]])
        self.assertEqual(self.copy.extend(server.page(0, 3), server.head(3)), 3)

    def test_no_leaf(self) -> None:
        """Bytes that are no leaf, in a log that the server signed, raise the alarm."""
        data = b"\xff" + bytes(LEAF_BYTES - 1)
        head = make_tree_head(TreeHead(1, tree_root([leaf_hash(data)]), NOW_MS), rsa_key("server"))
        self.forked(data, head)

    def test_is_a_reject(self) -> None:
        """The alarm is a kind of `Reject`, with words for people, and no code of the wire that a server could send."""
        self.assertIsInstance(LogForked("x"), Reject)
        self.assertIn("server", LogForked("x").explain())
        self.assertEqual(LogForked.code, Reject.code)


class QuestionTests(LogCopyCase):
    """What the copy is asked."""

    def test_gossip(self) -> None:
        """Somebody else's root is right, wrong, or beyond what we know, and not validated by unconfirmed leaves."""
        self.take(5)
        self.copy.extend(self.server.page(5, 7), self.server.head(9))
        for size in (0, 1, 5):
            self.assertIs(self.copy.check_gossip(size, self.server.root(size)), True)
            self.assertIs(self.copy.check_gossip(size, bytes(32)), False)
        for size in (6, 9, 2**64 - 1):
            self.assertIsNone(self.copy.check_gossip(size, self.server.root(9)))

    def test_own_devices(self) -> None:
        """A certificate that stands for us and is not known is found; revoked ones and those of others are not."""
        revoke = user_leaf(LeafType.REVOKE, SERVER_ID, "alice", leaf(2).subject, b"", NOW_MS)
        room = room_leaf(SERVER_ID, "lobby", b"r" * 16, b"c" * 32, NOW_MS)
        self.server = Server([leaf(0), leaf(1), leaf(2), leaf(0, "bob"), leaf(3, "bob"), leaf(4), revoke, room])
        self.take(8)
        first, fourth = leaf(1).subject, leaf(4).subject
        self.assertEqual(self.copy.own_devices_unknown("alice", {first}), (fourth,))
        self.assertEqual(self.copy.own_devices_unknown("alice", [first, fourth]), ())
        self.assertEqual(self.copy.own_devices_unknown("nobody", ()), ())


class DamageTests(SynchronousTestCase):
    """What is stored and does not fit together."""

    def setUp(self) -> None:
        """A file with a copy in it."""
        self.path = Path(self.mktemp()).absolute()
        self.vault = Vault.open(self.path)
        self.addCleanup(self.vault.close)
        self.server = Server()
        copy = TransparencyLog(SERVER_ID, self.vault.log, self.vault.facts)
        copy.set_server_key(SPKI)
        copy.extend(self.server.page(0, 4), self.server.head(4))

    def damaged(self, sql: str, *values: object) -> None:
        """Asserts that the copy cannot be loaded after a statement."""
        self.vault.database.write(sql, values)
        self.assertRaises(StorageError, TransparencyLog, SERVER_ID, self.vault.log, self.vault.facts)

    def test_leaf(self) -> None:
        """A changed leaf is found."""
        self.damaged("UPDATE log SET leaf = ? WHERE position = 2", leaf(50).encode())

    def test_no_leaf(self) -> None:
        """Bytes that are no leaf are found."""
        self.damaged("UPDATE log SET leaf = x'00' WHERE position = 2")

    def test_missing_leaves(self) -> None:
        """Leaves that are missing, at the end or in between, are found."""
        self.damaged("DELETE FROM log WHERE position = 3")
        self.damaged("DELETE FROM log WHERE position = 1")

    def test_head(self) -> None:
        """A remembered head that is not the server's, or of another log, is found."""
        self.damaged("UPDATE facts SET value = ? WHERE key = 'log head'", Server(key="other server").head(4))
        self.damaged("UPDATE facts SET value = ? WHERE key = 'log head'", Server([leaf(9)] * 4).head(4))
