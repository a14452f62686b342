"""A disk of ours that fails: nobody else is blamed, nothing is lost, and the client goes on by itself."""

from collections.abc import Callable, Coroutine
from contextlib import closing
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import (
    Alarm,
    GapSeen,
    KeysBroken,
    MessageReceived,
    MessagesMissing,
    RoomRewound,
    SendFailed,
    Status,
    StatusChanged,
)
from chatserv.client.slash.command import explained
from chatserv.client.state.context import Interrupted
from chatserv.client.storage.driver import driver
from chatserv.client.storage.failures import DiskFailed, DiskFull, StorageError, StorageLocked
from chatserv.errors import NotMember
from chatserv.private_files import PrivateFileError
from chatserv.testing.world import Person, World

ACCUSATIONS = (Alarm, GapSeen, MessagesMissing, KeysBroken, RoomRewound, SendFailed)
MOST = 16  # transactions after which a disk is full, at most
WAIT_SECONDS = 20


class Disk:
    """The disk of somebody, which takes nothing more after some transactions, for a while.

    Args:
        person: Whose.
        good: How many transactions it takes first.
        once: Whether it refuses a single one.
    """

    def __init__(self, person: Person, good: int, *, once: bool = False) -> None:
        self._good, self.refused, self._once = good, 0, once
        self.fill()
        self.code, self.text = driver.SQLITE_FULL, "database or disk is full"
        self._database = person.client.engine.context.vault.database
        self._database._before_commit = self._before_commit

    def fill(self) -> None:
        """It is full after so many more transactions."""
        self.left, self.full = self._good, True

    def _before_commit(self) -> None:
        if not self.full:
            return
        if self.left:
            self.left -= 1
            return
        self.refused += 1
        self.full = not self._once
        error = driver.OperationalError(self.text)
        error.sqlite_errorcode = self.code
        raise error


def told(person: Person) -> list[tuple[str, str]]:
    """Sender and text of every message, in the order in which the program was told."""
    return [(event.sender, event.text or "") for event in person.events(MessageReceived)]


class FullDiskTests(SynchronousTestCase):
    """Alice's disk is full from some transaction on, then there is space again."""

    def setUp(self) -> None:
        """Alice and bob talk."""
        self.world = World(commits_per_hour=60)
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice", admin=True)
        self.bob = self.world.person("bob")

    def assert_calm(self, person: Person) -> None:
        """Nobody was accused, and nothing was given up."""
        self.assertEqual([], [event for event in person.told if isinstance(event, ACCUSATIONS)])
        troubles = {type(event.error) for event in person.events(StatusChanged) if event.error is not None}
        self.assertTrue(troubles <= {DiskFull, DiskFailed}, troubles)
        self.assertEqual([], self.flushLoggedErrors())

    def repair(self, disk: Disk) -> None:
        """There is space again, and time passes."""
        disk.full = False
        self.world.settle(WAIT_SECONDS)

    def patiently(self, disk: Disk, work: Callable[[], "Deferred[Any] | Coroutine[Any, Any, Any]"]) -> None:
        """Alice does something on a disk that may be full before it is done; then there is space, and she tries again."""
        disk.fill()
        try:
            begun = work()
            waiting = Deferred.fromCoroutine(begun) if isinstance(begun, Coroutine) else begun
            self.world.settle(4)
            self.repair(disk)
            self.alice.do(waiting)
        except (StorageError, Interrupted, NotMember):
            self.repair(disk)
            self.alice.do(work())

    def accept(self, name: str) -> None:
        """Alice agrees to a room."""
        self.alice.room(name).accept()

    async def rotate(self, name: str) -> None:
        """Alice gives a room a new epoch."""
        await self.alice.room(name).rotate()

    def test_messages(self) -> None:
        """While messages come and go: at each transaction, a disk that is full for a while loses and doubles nothing."""
        refused = 0
        for number in range(MOST):
            disk = Disk(self.alice, number)
            self.bob.client.send("lobby", f"from bob {number}")
            self.patiently(disk, partial(self.alice.client.send, "lobby", f"from alice {number}"))
            self.bob.client.send("lobby", f"again bob {number}")
            self.world.settle(4)
            self.repair(disk)
            self.assert_calm(self.alice)
            self.assertEqual(self.alice.client.unacknowledged, 0, number)
            refused += disk.refused > 0
        self.assertGreater(refused, 4)
        texts = [(who, text) for number in range(MOST) for who, text in said(number)]
        for person in (self.alice, self.bob):
            self.assert_calm(person)
            self.assertEqual(sorted(texts), sorted(told(person)), person.name)

    def test_refused_once(self) -> None:
        """A disk that refuses one transaction while Alice catches up, or is told something: what it held up is no gap."""
        refused, said = 0, 0
        for number in range(MOST):
            for away in (True, False):
                if away:
                    self.world.server.cut()
                disk = Disk(self.alice, number, once=True)
                for _ in range(3):
                    self.bob.client.send("lobby", f"from bob {said}")
                    said += 1
                    self.world.run()
                self.world.settle(WAIT_SECONDS)
                self.assert_calm(self.alice)
                refused += disk.refused
                disk.full = False
        self.assertGreater(refused, 4)
        self.assertEqual([("bob", f"from bob {each}") for each in range(said)], told(self.alice))

    def test_refused_once_with_new_keys(self) -> None:
        """The same where there were commits meanwhile: their keys and certificates are fetched while events wait."""
        refused = 0
        for number in range(MOST):
            self.alice.leave_the_machine()
            self.bob.say("lobby", f"before {number}")
            for _ in range(2):
                self.bob.do(self.bob.room("lobby").rotate())
                self.bob.say("lobby", f"between {number}")
            self.bob.say("lobby", f"after {number}")
            self.alice.told.clear()
            self.alice.client = self.alice._make(follow=True)
            self.alice.client.start()
            disk = Disk(self.alice, number, once=True)
            self.world.settle(WAIT_SECONDS)
            refused += disk.refused
            disk.full = False
            self.assert_calm(self.alice)
            texts = [text.partition(" ")[0] for _, text in told(self.alice)]
            self.assertEqual(texts, ["before", "between", "between", "after"], number)
        self.assertGreater(refused, 4)

    def test_refused_once_at_first(self) -> None:
        """The same while somebody registers and enters the lobby."""
        refused = 0
        for number in range(1, 24, 3):
            newcomer = self.world.person(f"newcomer{number}", wait=False)
            disk = Disk(newcomer, number, once=True)
            self.world.settle(WAIT_SECONDS)
            self.bob.say("lobby", "welcome")
            self.world.settle(WAIT_SECONDS)
            refused += disk.refused
            self.assert_calm(newcomer)
            self.assertEqual(told(newcomer)[-1:], [("bob", "welcome")], number)
        self.assertGreater(refused, 4)

    def test_sync_refused_once(self) -> None:
        """The same of a disk that takes each commit, and does not get one of them through."""
        refused, said = 0, 0
        for number in range(6):
            for away in (True, False):
                if away:
                    self.world.server.cut()
                log, syncs = self.alice.client.engine.context.vault.database.write_ahead, 0
                original = log.sync

                def sync(nth: int = number, original: Callable[[], None] = original) -> None:
                    nonlocal syncs, refused
                    syncs += 1
                    if syncs == nth + 1:
                        refused += 1
                        raise DiskFailed("the disk", file="the file")
                    original()

                patched = self.patch(log, "sync", sync)
                for _ in range(3):
                    self.bob.client.send("lobby", f"from bob {said}")
                    try:
                        self.alice.client.send("lobby", f"from alice {said}")
                    except DiskFailed:
                        self.world.settle(WAIT_SECONDS)
                        self.alice.client.send("lobby", f"from alice {said}")
                    said += 1
                    self.world.run()
                self.world.settle(WAIT_SECONDS)
                patched.restore()
                self.assert_calm(self.alice)
                self.assertEqual(self.alice.client.unacknowledged, 0, number)
        self.assertGreater(refused, 6)
        texts = [(who, f"from {who} {each}") for each in range(said) for who in ("alice", "bob")]
        for person in (self.alice, self.bob):
            self.assertEqual(sorted(texts), sorted(told(person)), person.name)

    def test_rooms(self) -> None:
        """While rooms are made, joined, renamed and rotated, and people talk directly: the same."""
        refused = 0
        for number in range(MOST):
            name, disk = f"plans{number}", Disk(self.alice, number)
            plans = self.bob.do(self.bob.client.create_room(name))
            self.bob.do(plans.invite("alice"))
            self.world.settle(8)
            self.patiently(disk, partial(maybeDeferred, self.accept, name))
            self.patiently(disk, partial(self.alice.client.send, name, "here"))
            self.patiently(disk, partial(self.rotate, name))
            self.bob.say(name, "you too")
            self.patiently(disk, partial(self.alice.client.create_room, f"own{number}"))
            self.repair(disk)
            self.assert_calm(self.alice)
            self.bob.do(plans.rotate())
            self.bob.say(name, "after")
            self.alice.say(name, "well")
            self.world.settle(4)
            refused += disk.refused > 0
            self.assertEqual(self.alice.texts(name), self.bob.texts(name), number)
            self.assertEqual([text for _, text in self.alice.texts(name)], ["here", "you too", "after", "well"], number)
        self.assertGreater(refused, 5)
        self.assert_calm(self.bob)
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.assertEqual(told(self.alice), [])
        for number in range(MOST):
            self.bob.say(f"plans{number}", "still here")
        self.world.settle(4)
        self.assertEqual(len(told(self.alice)), MOST)
        self.assert_calm(self.alice)

    def test_commits_of_a_public_room(self) -> None:
        """A commit whose leaf of the log could not be stored, or the other way round, for minutes: nobody is accused."""
        refused = 0
        for number in range(6):
            disk = Disk(self.alice, number)
            self.bob.do(self.bob.room("lobby").rotate())
            self.world.settle(130)
            self.assert_calm(self.alice)
            self.repair(disk)
            self.world.settle(130)
            self.assert_calm(self.alice)
            refused += disk.refused > 0
        self.assertGreaterEqual(refused, 2)  # at least one for the leaf, one for the commit

    def test_says_whose_trouble(self) -> None:
        """Whoever asks is told that it is this machine's disk, and which file; sending raises the same."""
        disk = Disk(self.alice, 0)
        self.bob.client.send("lobby", "hello")
        self.world.settle(4)
        status = self.alice.events(StatusChanged)[-1]
        assert isinstance(status.error, DiskFull)
        self.assertEqual((status.status, status.error.file), (Status.OFFLINE, str(self.alice.profile.database)))
        self.assertIn("The disk of this machine is full", explained(status.error))
        self.assertIn(status.error.file, explained(status.error))
        self.assertRaises(DiskFull, self.alice.client.send, "lobby", "one")
        self.world.settle(300)
        self.assertEqual(self.alice.events(StatusChanged)[-1], status)  # it is told once
        attempts = len(self.server_attempts())
        self.repair(disk)
        self.assertEqual(len(self.server_attempts()), attempts + 1)  # the server saw nothing of it
        self.assertEqual(told(self.alice), [("bob", "hello")])

    def server_attempts(self) -> list[float]:
        """When anybody connected."""
        return self.world.server.attempts

    def test_server_is_away_too(self) -> None:
        """When there is space again and the server is away, that is what is told."""
        disk = Disk(self.alice, 0)
        self.bob.client.send("lobby", "hello")
        self.world.settle(4)
        self.world.server.up = False
        self.repair(disk)
        self.assertNotIsInstance(self.alice.events(StatusChanged)[-1].error, StorageError)
        self.world.server.up = True
        self.world.settle(90)
        self.assertTrue(self.alice.online)

    def test_damaged_while_it_runs(self) -> None:
        """A file that is damaged does not repair: the client ends with its error."""
        disk = Disk(self.alice, 0)
        disk.code, disk.text = driver.SQLITE_CORRUPT, "database disk image is malformed"
        self.bob.client.send("lobby", "hello")
        self.world.settle(4)
        status = self.alice.events(StatusChanged)[-1]
        self.assertEqual((status.status, type(status.error)), (Status.FAILED, StorageError))

    def test_keyring(self) -> None:
        """A registration whose answer cannot be kept is repeated with the same keys, once it can."""
        carol = self.world.person("carol", wait=False)
        path = carol.profile.directory / "keyring.json"
        kept = path.read_bytes()
        (carol.profile.directory / "keyring.json.new").mkdir()  # so that it cannot be replaced
        self.world.settle(4)
        status = carol.events(StatusChanged)[-1]
        self.assertEqual((status.status, type(status.error)), (Status.OFFLINE, PrivateFileError))
        self.assertEqual(path.read_bytes(), kept)
        (carol.profile.directory / "keyring.json.new").rmdir()
        self.world.settle(WAIT_SECONDS)
        self.assertTrue(carol.online)
        keyring = carol.profile.keyring()
        assert keyring is not None
        self.assertTrue(keyring.registered)

    def test_locked(self) -> None:
        """A program that holds the file: the same."""
        with closing(driver.connect(self.alice.profile.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            self.bob.client.send("lobby", "hello")
            self.world.settle(2)
            self.assertIsInstance(self.alice.events(StatusChanged)[-1].error, StorageLocked)
            other.execute("ROLLBACK")
        self.world.settle(WAIT_SECONDS)
        self.assertEqual(told(self.alice), [("bob", "hello")])

    def test_gone(self) -> None:
        """A file that lost its name takes nothing more: what is written to it would be lost. Put back, it goes on."""
        path = self.alice.profile.database
        path.rename(path.with_name("elsewhere"))
        self.bob.client.send("lobby", "hello")
        self.world.settle(4)
        error = self.alice.events(StatusChanged)[-1].error
        assert isinstance(error, DiskFailed)
        self.assertIn(str(path), error.detail)
        path.with_name("elsewhere").rename(path)
        self.world.settle(WAIT_SECONDS)
        self.assertEqual(told(self.alice), [("bob", "hello")])


def said(number: int) -> list[tuple[str, str]]:
    """What was said in a round."""
    return [("bob", f"from bob {number}"), ("alice", f"from alice {number}"), ("bob", f"again bob {number}")]
