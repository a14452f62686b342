"""Tests of `chatserv.client.state.keeping`: nothing is told, and nothing leaves, before the disk has what it comes of."""

import os
import secrets
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import MessageReceived, SendAcknowledged, Status, StatusChanged
from chatserv.client.state.keeping import Keeping
from chatserv.client.storage import write_ahead
from chatserv.client.storage.database import Database
from chatserv.client.storage.facts import Facts
from chatserv.client.storage.failures import DiskFailed, StorageError
from chatserv.client.storage.write_ahead import HEAD_BYTES
from chatserv.testing.world import Person, World


class Thread:
    """A thread that does something when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    def __call__(self, work: Callable[[], Any]) -> "Deferred[Any]":
        """It is to be done."""
        done: Deferred[Any] = Deferred()
        self.waiting.append((done, work))
        return done

    def work(self) -> None:
        """Does the first thing that waits."""
        done, work = self.waiting.pop(0)
        maybeDeferred(work).chainDeferred(done)


def fail_to_sync(_: object) -> None:
    """A disk that fails."""
    raise OSError(5, "Input/output error")


class KeepingTests(SynchronousTestCase):
    """`Keeping`, of a file."""

    key: bytes | None = None

    def setUp(self) -> None:
        """A file, and a thread."""
        self.path = Path(self.mktemp())
        self.database = Database.open(self.path, key=self.key)
        self.addCleanup(self.database.close)
        self.facts, self.thread = Facts(self.database), Thread()
        self.keeping = Keeping(self.database, self.thread)
        self.told: list[int] = []

    def commit(self, number: int) -> None:
        """Something is committed without waiting, and told when it is kept."""
        with self.database.transaction(wait=False):
            self.facts.put("key", bytes([number]))
        self.keeping.kept().addCallback(lambda _: self.told.append(number))

    def test_order(self) -> None:
        """One sync at a time; what is committed while it runs waits for the next one; all are told in order."""
        self.commit(1)
        self.commit(2)
        self.commit(3)
        self.assertEqual((len(self.thread.waiting), self.told), (1, []))
        self.thread.work()
        self.assertEqual((len(self.thread.waiting), self.told), (1, [1]))
        self.thread.work()
        self.assertEqual((len(self.thread.waiting), self.told), (0, [1, 2, 3]))
        self.successResultOf(self.keeping.kept())

    def test_a_commit_that_waits_keeps_all_before_it(self) -> None:
        """SQLite syncs the log then; and who comes behind others is called behind them all the same."""
        self.commit(1)
        self.facts.put("key", b"other")
        self.assertEqual(self.database.write_ahead.committed, self.database.write_ahead.on_disk)
        self.keeping.kept().addCallback(lambda _: self.told.append(2))
        self.assertEqual(self.told, [])
        self.thread.work()
        self.assertEqual(self.told, [1, 2])

    def test_a_commit_that_changes_nothing(self) -> None:
        """SQLite writes and syncs nothing then: what was committed before is synced all the same."""
        synced: list[int] = []
        fsync = os.fsync
        for wait in (lambda: self.database.write("DELETE FROM facts WHERE key = 'nobody'"), self.empty):
            self.commit(1)
            patched = self.patch(os, "fsync", lambda log: synced.append(fsync(log) or 1))
            wait()
            patched.restore()
            self.assertEqual((len(synced), self.database.write_ahead.on_disk), (1, self.database.write_ahead.committed))
            synced.clear()
            self.thread.work()

    def empty(self) -> None:
        """A transaction without anything in it."""
        with self.database.transaction():
            pass

    def test_at_an_end(self) -> None:
        """Without the thread."""
        self.commit(1)
        self.keeping.keep_now()
        self.assertEqual(self.told, [1])

    def test_a_sync_that_fails(self) -> None:
        """It is told, nobody who waits is called, and nothing is written until the disk is repaired."""
        failed: list[StorageError] = []
        self.database.failed = failed.append
        self.commit(1)
        self.patch(os, "fsync", fail_to_sync)
        self.thread.work()
        self.assertEqual((self.told, [type(each) for each in failed]), ([], [DiskFailed]))
        self.keeping.kept().addCallback(lambda _: self.told.append(2))
        self.assertEqual(self.thread.waiting, [])
        self.assertRaises(DiskFailed, self.facts.put, "key", b"new")
        self.assertRaises(DiskFailed, self.keeping.keep_now)
        self.assertEqual(self.facts.get("key"), b"\1")
        self.database.probe()
        self.keeping.settle()
        self.assertEqual(self.told, [1, 2])
        self.facts.put("key", b"new")

    def fill(self) -> None:
        """Makes the log long."""
        self.patch(write_ahead, "CHECKPOINT_BYTES", 100_000)
        for number in range(20):
            with self.database.transaction(wait=False):
                self.facts.put("key", bytes([number]) * 20_000)

    def log(self) -> bytes:
        """What is in it."""
        return self.path.with_name(f"{self.path.name}-wal").read_bytes()

    def test_a_long_log_moves_into_the_file(self) -> None:
        """By the thread, which begins it anew as well: the commits after it do not have to wait for the disk."""
        self.fill()
        before = self.log()
        self.assertGreater(len(before), 400_000)
        self.commit(1)
        self.thread.work()
        begun = self.log()
        self.assertLess(len(begun), 10_000)
        self.commit(2)
        self.assertEqual(begun[:HEAD_BYTES], self.log()[:HEAD_BYTES])
        self.assertNotEqual(begun[:HEAD_BYTES], before[:HEAD_BYTES])
        self.thread.work()
        self.assertEqual((self.facts.get("key"), self.told), (b"\2", [1, 2]))

    def test_a_log_that_grows(self) -> None:
        """While more is committed it does not move before it is much longer."""
        self.fill()
        fsync = os.fsync

        def commit_meanwhile(log: int) -> None:
            fsync(log)
            self.commit(2)

        self.commit(1)
        before = self.log()
        patched = self.patch(os, "fsync", commit_meanwhile)
        self.thread.work()
        patched.restore()
        self.assertEqual(before, self.log()[: len(before)])
        self.patch(write_ahead, "MOST_BYTES", 100_000)
        self.commit(3)
        self.patch(os, "fsync", commit_meanwhile)
        self.thread.work()
        self.assertNotEqual(before[:HEAD_BYTES], self.log()[:HEAD_BYTES])

    def test_emptied(self) -> None:
        """When it is asked for, however short the log is; where that is not possible just now, that is said."""
        self.commit(1)
        self.thread.work()
        before = self.log()
        emptied = Deferred.fromCoroutine(self.keeping.emptied())
        with self.database.transaction():
            self.thread.work()
        self.assertFalse(self.successResultOf(emptied))
        self.assertEqual(before, self.log())
        for _ in range(2):
            before = self.log()
            emptied = Deferred.fromCoroutine(self.keeping.emptied())
            self.thread.work()
            self.assertTrue(self.successResultOf(emptied))
            self.assertNotEqual(before[:HEAD_BYTES], self.log()[:HEAD_BYTES])
        self.assertEqual(self.facts.get("key"), b"\1")


class SealedTests(KeepingTests):
    """The same of a sealed one."""

    key = secrets.token_bytes(32)


class MemoryTests(SynchronousTestCase):
    """`Keeping`, of a database in memory."""

    def test_at_once(self) -> None:
        """There is no disk to wait for."""
        database, thread = Database.open(None), Thread()
        self.addCleanup(database.close)
        with database.transaction(wait=False):
            Facts(database).put("key", b"value")
        self.successResultOf(Keeping(database, thread).kept())
        self.assertEqual(thread.waiting, [])


class ClientTests(SynchronousTestCase):
    """Alice's disk is slow."""

    def setUp(self) -> None:
        """Alice and bob talk."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")
        for person in (self.alice, self.bob):
            person.say("lobby", "before")
        self.world.settle()
        for person in (self.alice, self.bob):
            person.told.clear()
        self.thread = Thread()
        self.alice.client.engine.context.keeping._in_thread = self.thread

    def work(self) -> None:
        """It is done with all that waits."""
        while self.thread.waiting:
            self.thread.work()
            self.world.run()

    def heard(self, person: Person) -> list[str | None]:
        """What somebody was told."""
        return [event.text for event in person.events(MessageReceived)]

    def test_received(self) -> None:
        """What came is told when the disk has it, once; also to whoever begins to listen meanwhile."""
        self.bob.client.send("lobby", "one")
        self.world.settle()
        self.assertEqual(self.alice.room("lobby").history()[-1].text, "one")
        late: list[object] = []
        self.alice.client.listen(late.append, name="late")
        self.world.run()
        self.assertEqual(
            (self.heard(self.alice), [each for each in late if isinstance(each, MessageReceived)]), ([], [])
        )
        self.bob.client.send("lobby", "two")
        self.world.run()
        self.work()
        self.assertEqual(self.heard(self.alice), ["one", "two"])
        self.assertEqual([each.text for each in late if isinstance(each, MessageReceived)], ["one", "two"])

    def test_sent(self) -> None:
        """What we say leaves when its place in our chain is on disk, and is told as stored when that is."""
        self.alice.client.send("lobby", "one")
        self.world.run()
        self.assertEqual((self.heard(self.bob), self.alice.client.unacknowledged), ([], 1))
        self.thread.work()
        self.world.run()
        self.assertEqual((self.heard(self.bob), self.alice.events(SendAcknowledged)), (["one"], []))
        self.work()
        self.assertEqual((len(self.alice.events(SendAcknowledged)), self.heard(self.alice)), (1, ["one"]))

    def test_a_session_begins(self) -> None:
        """Who comes back, and is told what was missed, waits for the disk in the thread alone."""
        waited: list[str] = []
        wait_for_disk = Database._wait_for_disk

        def note(database: Database, wait: bool) -> None:
            if wait:
                waited.append("".join(traceback.format_stack(limit=8)))
            wait_for_disk(database, wait)

        self.alice.leave_the_machine()
        for number in range(5):
            self.bob.client.send("lobby", str(number))
        self.world.settle()
        self.bob.leave_the_machine()
        self.patch(Database, "_wait_for_disk", note)
        self.alice.come_back()
        self.world.settle()
        self.assertEqual((self.heard(self.alice)[-1], "\n\n".join(waited)), ("4", ""))

    def test_what_was_deleted_leaves_the_disk(self) -> None:
        """The reactor's thread does not wait for that: the log moves into the file, and begins anew, in another one."""
        log = self.alice.profile.database.with_name("client.db-wal")
        self.alice.room("lobby").mark_seen()
        before = log.read_bytes()
        self.alice.client.engine.tidying.now()
        self.world.settle()
        self.assertEqual((len(self.thread.waiting), log.read_bytes()), (1, before))
        self.work()
        self.assertNotEqual(log.read_bytes()[:HEAD_BYTES], before[:HEAD_BYTES])
        self.alice.client.engine.tidying.now()
        self.work()
        self.assertEqual(self.thread.waiting, [])

    def test_the_connection_goes_meanwhile(self) -> None:
        """What was sealed goes out once, in the next session; what came is told once."""
        self.alice.client.send("lobby", "mine")
        self.bob.client.send("lobby", "theirs")
        self.world.run()
        self.world.server.cut()
        for _ in range(20):
            self.world.settle(5)
            self.work()
        self.assertEqual(sorted(filter(None, self.heard(self.alice))), ["mine", "theirs"])
        self.assertEqual(self.heard(self.alice), self.heard(self.bob))
        self.assertEqual(self.alice.client.unacknowledged, 0)

    def test_the_program_ends_meanwhile(self) -> None:
        """What is committed is there when it starts again, and told once; whenever the thread of before is done."""
        for number, late in enumerate((False, True)):
            texts = [f"mine {number}", f"theirs {number}"]
            self.alice.told.clear()
            self.bob.told.clear()
            self.alice.client.engine.context.keeping._in_thread = self.thread
            self.alice.client.send("lobby", texts[0])
            self.bob.client.send("lobby", texts[1])
            self.world.run()
            self.alice.leave_the_machine()
            before = self.heard(self.alice)
            if not late:
                self.work()
            self.alice.come_back()
            self.work()
            self.assertEqual(sorted(filter(None, before + self.heard(self.alice))), texts)
            self.assertEqual(sorted(filter(None, self.heard(self.bob))), texts)
            self.assertEqual(self.alice.events(StatusChanged)[-1].status, Status.ONLINE)

    def test_a_sync_that_fails(self) -> None:
        """The disk is named; once it is repaired, what it held up is told, and leaves, once."""
        self.bob.client.send("lobby", "theirs")
        self.alice.client.send("lobby", "mine")
        self.world.settle()
        fsync = self.patch(os, "fsync", fail_to_sync)
        self.thread.work()
        fsync.restore()
        self.world.run()
        status = self.alice.events(StatusChanged)[-1]
        self.assertEqual((status.status, type(status.error)), (Status.OFFLINE, DiskFailed))
        self.assertEqual(self.heard(self.bob), ["theirs"])
        for _ in range(10):
            self.world.settle(5)
            self.work()
        self.assertEqual(sorted(filter(None, self.heard(self.alice))), ["mine", "theirs"])
        self.assertEqual(sorted(filter(None, self.heard(self.bob))), ["mine", "theirs"])
        self.assertEqual(self.flushLoggedErrors(), [])
