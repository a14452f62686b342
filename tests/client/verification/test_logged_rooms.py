"""Removals from private rooms, held against the log: who is kept from one knows, and honest servers are not blamed."""

from collections.abc import Iterable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from chatserv.client.events import Alarm
from chatserv.client.storage.vault import Vault
from chatserv.client.verification import logged_rooms
from chatserv.client.verification.logged_rooms import BEGUN, GRACE_SECONDS, LOOKED_BACK
from chatserv.crypto.log_leaves import removal_tag
from chatserv.models import EventKind
from chatserv.testing.memory_server import server_id
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import AttackCase, Tap, alarms, as_it_is, engine_of, room_of


def without_commits(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
    """The edit of a server that withholds commits."""
    commit = isinstance(message, messages.Event) and message.kind == EventKind.COMMIT
    return () if commit else (message,)


def without_log(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
    """The edit of a server that says nothing more about the log."""
    return () if isinstance(message, messages.LogHead) else (message,)


class LoggedCase(AttackCase):
    """Alice, Bob and Carol in a private room."""

    def setUp(self) -> None:
        """The room."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.room_id = room_of(self.alice, "plans").room_id

    def logged(self, person: Person) -> int:
        """How many removals from the room are in somebody's log."""
        facts = engine_of(person).context.log.facts
        return len(facts.heads(removal_tag(server_id(), self.room_id), facts.size))

    def kick(self) -> None:
        """Alice puts Bob out, whatever she is told of it."""
        Deferred.fromCoroutine(self.alice.room("plans").kick("bob1")).addErrback(lambda _: None)
        self.world.settle(2)

    def reconnect(self, seconds: int = 8) -> None:
        """Everybody's connection is lost, and there is another one."""
        self.world.server.cut()
        self.world.settle(seconds)


class RemovalTests(LoggedCase):
    """What is in the log, and who misses it."""

    def test_what_is_logged(self) -> None:
        """Removals and Leaves are, also of a device alone; rotations, invitations and roles are not."""
        self.assertEqual(0, self.logged(self.carol))
        self.alice.do(self.alice.room("plans").rotate())
        self.alice.do(self.alice.room("plans").set_role("carol1", "moderator"))
        self.assertEqual(0, self.logged(self.carol))
        self.kick()
        self.assertEqual(1, self.logged(self.carol))
        self.carol.do(self.carol.room("plans").leave())
        self.world.settle(int(GRACE_SECONDS) + 20)
        self.assertEqual(2, self.logged(self.alice))
        self.nobody_alarmed()

    def test_kept_from_one(self) -> None:
        """Carol is kept from Bob's removal, and everything else: a minute later she knows."""
        Tap(self.carol, without_commits)
        self.kick()
        self.world.settle(int(GRACE_SECONDS) - 5)
        self.assertEqual([], alarms(self.carol))
        self.world.settle(10)
        self.assertEqual([Alarm("room_forked", "plans", room_id=self.room_id)], self.carol.events(Alarm))
        self.nobody_alarmed(self.alice)

    def test_kept_from_who_is_removed(self) -> None:
        """So does Bob, who is told that he is in it still."""
        Tap(self.bob, without_commits)
        self.kick()
        self.world.settle(int(GRACE_SECONDS) + 5)
        self.assertEqual(["room_forked"], alarms(self.bob))

    def test_not_logged(self) -> None:
        """A removal that is shown and not logged may be kept from others: all who have it are told."""
        for person in (self.alice, self.carol):
            Tap(person, without_log)
        self.kick()
        self.world.settle(int(GRACE_SECONDS) + 5)
        for person in (self.alice, self.carol):
            self.assertEqual(["room_forked"], alarms(person), person.name)

    def test_own_and_logged(self) -> None:
        """One's own that is logged and does not come is told as what it is."""
        Tap(self.alice, without_commits)
        self.kick()
        self.world.settle(int(GRACE_SECONDS) + 5)
        self.assertEqual(["commit_stalled"], alarms(self.alice))

    def test_own_and_cut(self) -> None:
        """A server that says that it has taken a change, cuts the connection, and shows the room without it."""

        def older(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
            return without_commits(message)

        tap = Tap(self.alice, older)
        Deferred.fromCoroutine(self.alice.room("plans").rotate()).addErrback(lambda _: None)
        self.world.settle(2)
        self.assertEqual([], alarms(self.alice))
        self.reconnect()
        self.assertEqual(["commit_stalled"], alarms(self.alice))
        tap.edit = as_it_is
        self.reconnect()
        self.assertEqual(1, len(alarms(self.alice)))

    def test_cut_again_and_again(self) -> None:
        """A server that cuts the connection before a minute is over is found out by the next one, which tells everything."""

        def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
            return without_commits(message)

        Tap(self.carol, edit)
        self.kick()
        self.world.settle(20)
        self.assertEqual([], alarms(self.carol))
        self.reconnect()
        self.assertEqual(["room_forked"], alarms(self.carol))

    def test_the_program_ends_before_a_minute_is_over(self) -> None:
        """The leaf was seen by an earlier run, and its commit never comes: the next run knows when it has caught up."""
        Tap(self.carol, without_commits)
        self.kick()
        self.world.settle(10)
        self.carol.leave_the_machine()
        self.assertEqual([], alarms(self.carol))
        self.start(self.carol)
        self.assertEqual(["room_forked"], alarms(self.carol))
        self.nobody_alarmed(self.alice)

    def test_it_ends_again_before_it_has_caught_up(self) -> None:
        """What was not compared stays so, whatever comes into the log meanwhile, and however often the program starts."""
        Tap(self.carol, without_commits)
        self.kick()
        self.world.settle(10)
        self.carol.leave_the_machine()
        self.world.person("dora1")
        self.world.server.up = False
        self.start(self.carol)
        self.carol.leave_the_machine()
        self.world.server.up = True
        self.start(self.carol)
        self.assertIn(Alarm("room_forked", "plans", room_id=self.room_id), self.carol.events(Alarm))

    def start(self, person: Person) -> None:
        """Somebody's program starts again, and is kept from commits again."""
        person.told.clear()
        person.client = person._make(follow=True)
        Tap(person, without_commits)
        person.client.start()
        self.world.settle(20)


class HonestTests(LoggedCase):
    """Who is not to blame."""

    def test_offline_between(self) -> None:
        """Between leaf and commit the connection is lost, for long: what comes then is no fork."""
        tap = Tap(self.carol, without_commits)
        self.kick()
        self.world.server.up = False
        self.world.server.cut()
        self.world.settle(5 * int(GRACE_SECONDS))
        tap.edit = as_it_is
        self.world.server.up = True
        self.world.settle(120)
        self.assertTrue(self.carol.online)
        self.nobody_alarmed(self.alice, self.carol)

    def test_leaf_late(self) -> None:
        """The server dies between commit and leaf, and logs it when it is back."""
        tap = Tap(self.carol, without_log)
        self.kick()
        self.world.server.restart()
        tap.edit = as_it_is
        self.world.settle(120)
        self.nobody_alarmed(self.alice, self.carol)

    def test_restarted_between(self) -> None:
        """A program ends when it has commits whose leaves it has not, and more than its newest one: the chain tells."""
        Tap(self.carol, without_log)
        self.kick()
        self.alice.do(self.alice.room("plans").rotate())
        self.alice.do(self.alice.room("plans").rotate())
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.world.settle(2 * int(GRACE_SECONDS))
        self.nobody_alarmed(self.alice, self.carol)

    def test_restarted_long_after(self) -> None:
        """The same where the commits behind such a leaf are more than are looked through at first."""
        self.patch(logged_rooms, "LOOKED_BACK", 1)
        self.world.person("dora1")
        self.alice.do(self.alice.room("plans").invite("dora1"))
        Tap(self.carol, without_commits)
        self.kick()
        Deferred.fromCoroutine(self.alice.room("plans").kick("dora1")).addErrback(lambda _: None)
        self.world.settle(2)
        self.carol.leave_the_machine()
        for _ in range(4):
            self.alice.do(self.alice.room("plans").rotate())
        self.carol.come_back()
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.world.settle(2 * int(GRACE_SECONDS))
        self.assertEqual(3, self.logged(self.carol) + 1)
        self.nobody_alarmed(self.alice, self.carol)

    def test_of_before(self) -> None:
        """What was removed on a server of an earlier version, which logged none, owes nothing to who reads it today."""
        commit = self.world.server.store._rooms.commit

        def without_leaf(draft: Any) -> object:
            return commit(msgspec.structs.replace(draft, leaves=()))

        self.carol.leave_the_machine()
        self.patch(self.world.server.store._rooms, "commit", without_leaf)
        engine_of(self.alice).context.vault.facts.delete(BEGUN)
        self.kick()
        self.patch(self.world.server.store._rooms, "commit", commit)
        vault = Vault.open(self.carol.profile.database)
        vault.facts.delete(BEGUN)
        vault.close()
        self.carol.come_back()
        self.world.settle(2 * int(GRACE_SECONDS))
        self.nobody_alarmed(self.carol)

    def test_offered(self) -> None:
        """Of a room that nobody has agreed to, nothing is told."""
        self.world.person("dora1")
        dora = self.world.people[-1]
        self.alice.do(self.alice.room("plans").invite("dora1"))
        self.world.settle(2)
        Tap(dora, without_commits)
        self.kick()
        self.world.settle(2 * int(GRACE_SECONDS))
        self.nobody_alarmed(dora)

    def test_too_long_ago(self) -> None:
        """The chain is looked through so far back."""
        facts, room = engine_of(self.carol).auditor.logged_rooms, room_of(self.carol, "plans")
        for _ in range(3):
            self.alice.do(self.alice.room("plans").rotate())
        self.world.settle(2)
        chain = self.carol.do(facts._chain(room))
        self.assertEqual(room.head.epoch + 1, len(chain))
        self.assertEqual(room.head.commit_hash, chain[0])
        self.assertLess(len(chain), LOOKED_BACK)

    def test_newcomer(self) -> None:
        """Somebody is taken in by who has not heard of the last leaf yet."""
        tap = Tap(self.alice, without_log)
        self.kick()
        tap.edit = as_it_is
        self.world.person("dora1")
        self.alice.do(self.alice.room("plans").invite("dora1"))
        self.world.settle(2)
        dora = self.world.people[-1]
        dora.room("plans").accept()
        self.world.settle(2 * int(GRACE_SECONDS))
        self.nobody_alarmed(dora, self.carol)
