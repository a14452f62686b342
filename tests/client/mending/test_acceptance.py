"""A person goes on with a restored server that could not be made whole; before they say so, nothing is forgotten."""

from msgspec.structs import replace
from twisted.internet.defer import Deferred

from chatserv.client.errors import Interrupted, NotFound, ServerDistrusted, StandsStill
from chatserv.client.events import Alarm, RoomRewound, ServerRestored
from chatserv.client.mending.acceptance import Acceptance
from chatserv.client.state.rooms import Room
from chatserv.client.storage.database import Database
from chatserv.client.storage.failures import DiskFull
from chatserv.client.verification.gossip import Witness
from chatserv.crypto.bodies import LogEvidence
from chatserv.crypto.content import LogHead
from chatserv.crypto.log_leaves import TreeHead, make_tree_head
from chatserv.crypto.suite import RSA_BYTES
from chatserv.testing.memory_server import rsa_key
from chatserv.testing.world import Person
from chatserv.wire import messages
from clients.shared.event_text import news
from clients.shared.wanted_room import WantedRoom
from tests.client.attackers import Tap, alarms, engine_of, entry_of, idle_leaf, log_leaf, room_of
from tests.client.mending.test_restored import MendingCase


async def nothing(_welcome: object) -> None:
    """Offers nothing: as an old client, or one that came too late."""


def said(person: Person) -> str:
    """All that a person was told of what is wrong."""
    return "\n".join(line for event in person.told for line in news(event, lambda *_: None, person.name))


class AcceptanceCase(MendingCase):
    """A restore after which nobody has offered anything."""

    def restore(self) -> None:
        """The server is restored, and nothing comes back."""
        for person in (self.alice, self.bob, self.carol):
            engine_of(person).offering._offer = nothing  # type: ignore[method-assign,assignment]
        self.mend()

    def start_again(self, person: Person) -> None:
        """A person starts their program again."""
        person.leave_the_machine()
        person.come_back()
        self.world.settle(5)


class WordTests(AcceptanceCase):
    """What people are told."""

    def test_the_restore_is_told(self) -> None:
        """First that it mends, then that it was restored, once; and again to nobody."""
        self.restore()
        found = self.alice.events(ServerRestored)
        self.assertEqual([True, False], [each.mending for each in found])
        self.assertEqual({self.old.at_ms}, {each.backup_ms for each in found})
        self.assertIn("restored on", said(self.alice))
        self.start_again(self.alice)
        self.assertEqual([], self.alice.events(ServerRestored))

    def test_warnings_are_told_in_other_words(self) -> None:
        """They are told none the less."""
        self.alice.say("plans", "lost")
        self.world.settle(2)
        self.restore()
        (rewound,) = self.bob.events(RoomRewound)
        self.assertEqual(self.old.at_ms, rewound.backup_ms)
        self.assertIn("lost messages of this room", said(self.bob))
        self.assertIn("may be the reason, or what somebody says who hides something", said(self.bob))

    def test_without_a_restore_nothing_is_added(self) -> None:
        """A server that just goes back is told as before."""
        self.alice.say("plans", "lost")
        self.world.settle(2)
        self.old.restore()
        self.world.settle(8)
        (rewound,) = self.bob.events(RoomRewound)
        self.assertEqual(0, rewound.backup_ms)
        self.assertNotIn("/accept-restored", said(self.bob))
        with self.assertRaises(NotFound):
            self.bob.do(self.bob.client.account.accept_restored())


class RoomTests(AcceptanceCase):
    """Rooms that stand still."""

    def setUp(self) -> None:
        """A change that is lost."""
        super().setUp()
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.world.settle(3)
        self.restore()

    def test_nothing_goes_before(self) -> None:
        """The statement alone lets nobody write there."""
        with self.assertRaises(StandsStill):
            self.alice.say("plans", "may I?")
        self.start_again(self.alice)
        with self.assertRaises(StandsStill):
            self.alice.say("plans", "may I?")

    def test_a_change_meanwhile(self) -> None:
        """A commit that comes between the last that was read and the newest message is not passed over."""
        self.carol.do(self.carol.client.account.accept_restored())
        self.world.settle(60)
        before = alarms(self.alice)
        held: list[messages.ServerMessage] = []

        def hold(message: messages.ServerMessage) -> tuple[messages.ServerMessage, ...]:
            if isinstance(message, messages.Chain) and not message.commits and not held:
                held.append(message)
                return ()
            return (message,)

        tap = Tap(self.alice, hold)
        accepting = Deferred.fromCoroutine(self.alice.client.account.accept_restored())
        self.world.settle(1)
        self.carol.do(self.carol.room("plans").rotate())
        tap.send(*held)
        self.world.settle(60)
        self.assertEqual(("plans",), self.successResultOf(accepting).rooms)
        self.assertEqual(room_of(self.alice, "plans").head, room_of(self.carol, "plans").head)
        self.carol.say("plans", "and I have said this")
        self.world.settle(3)
        self.assertIn(("carol1", "and I have said this"), self.alice.texts("plans"))
        self.assertEqual(before, alarms(self.alice))

    def test_accepted(self) -> None:
        """At once the room goes on as the server has it, without a start: with somebody who had been removed."""
        found = self.alice.do(self.alice.client.account.restore_to_accept())
        self.assertEqual(("plans",), found.rooms)
        for person in (self.alice, self.carol):
            person.do(person.client.account.accept_restored())
        self.world.settle(60)
        self.alice.say("plans", "hello again")
        self.world.settle(3)
        self.assertIn(("alice1", "hello again"), self.carol.texts("plans"))
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.alice.say("plans", "without bob")
        self.world.settle(3)
        self.assertIn(("alice1", "without bob"), self.carol.texts("plans"))
        with self.assertRaises(NotFound):
            self.alice.do(self.alice.client.account.accept_restored())


class LogTests(AcceptanceCase):
    """A log that has two histories now."""

    def setUp(self) -> None:
        """Something was logged that is lost, and something else is in its place."""
        super().setUp()
        log_leaf(self.world, idle_leaf("one"))
        self.world.settle(3)
        self.restore()
        log_leaf(self.world, idle_leaf("another"))
        self.world.settle(5)

    def test_accepted(self) -> None:
        """Nothing is sent before it, in any room; then it goes on by itself; the alarm is neither told again nor open."""
        self.assertIn("log_forked", alarms(self.alice))
        (alarm,) = [each for each in self.alice.events(Alarm) if each.what == "log_forked"][:1]
        self.assertEqual(self.old.at_ms, alarm.backup_ms)
        with self.assertRaises(ServerDistrusted):
            self.alice.say("lobby", "no")
        found = self.alice.do(self.alice.client.account.accept_restored())
        self.assertGreaterEqual(found.leaves, 1)
        told = len(alarms(self.alice))
        self.world.settle(10)
        self.assertTrue(self.alice.online)
        self.assertEqual(told, len(alarms(self.alice)))
        self.assertEqual([], [each for each in self.alice.client.troubles() if isinstance(each, Alarm)])
        self.alice.say("plans", "yes")
        self.assertEqual(engine_of(self.alice).context.log.size, self.world.server.context.log.size)
        self.assertIn("log_forked", alarms(self.bob))  # who has not accepted it goes on with nothing

    def test_others_have_not_accepted(self) -> None:
        """Whoever shows what was lost, by word or signed, accuses nobody and is not accused; a second log is still told."""
        lost = engine_of(self.alice).context.log.signed_head
        assert lost is not None
        head = TreeHead.decode(lost[:-RSA_BYTES])
        self.alice.do(self.alice.client.account.accept_restored())
        self.start_again(self.alice)
        gossip, plans = engine_of(self.alice).auditor.gossip, room_of(self.alice, "plans")
        bob = Witness("bob1", entry_of(plans, "bob1").device_id, plans)
        ours = engine_of(self.alice).context.log.signed_head
        assert ours is not None
        for heads in ((ours, lost), (lost, ours), (lost,), (ours,)):
            gossip.check(bob, LogHead(head.size, head.root))
            gossip.take(bob, LogEvidence(heads))
            self.world.settle(5)
        self.assertEqual([], alarms(self.alice))
        self.alice.say("plans", "yes")
        later = replace(head, at_ms=self.world.server.now_ms())
        gossip.take(bob, LogEvidence((make_tree_head(later, rsa_key("server")),)))
        self.assertIn("log_forked", alarms(self.alice))

    def test_another_past(self) -> None:
        """A server whose log before the backup is another one is no restored copy of ours."""
        log, newest = engine_of(self.alice).context.log, engine_of(self.alice).offering.restored.newest
        assert newest is not None
        log._roots[newest.size - 1] = bytes(32)
        with self.assertRaises(ServerDistrusted):
            self.alice.do(self.alice.client.account.accept_restored())


class AnewTests(AcceptanceCase):
    """What programs hold while the client begins anew."""

    def setUp(self) -> None:
        """A room that stands still."""
        super().setUp()
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.world.settle(3)
        self.restore()

    def accept(self) -> None:
        """Alice and Carol accept the restore, and their programs connect anew."""
        for person in (self.alice, self.carol):
            person.do(person.client.account.accept_restored())
        self.world.settle(60)

    def test_what_a_program_holds_goes_on(self) -> None:
        """All that it got before does what it did, with what is known now."""
        client = self.alice.client
        wanted = WantedRoom(client, "plans")
        held, lobby = wanted.find(), client.room("lobby")
        assert held is not None
        parts = client.people, client.devices, client.account, client.admin
        same = {held, lobby}
        self.accept()
        self.assertEqual(same, {client.room("plans"), client.room("lobby")})
        for handle in (held, lobby):
            handle.send("by an old handle")
        self.world.settle(30)
        self.carol.say("plans", "hello")
        self.world.settle(30)
        self.assertIn(("alice1", "by an old handle"), self.carol.texts("plans"))
        self.assertIn(("alice1", "by an old handle"), self.bob.texts("lobby"))
        self.assertEqual("hello", held.history(1)[0].text)
        self.assertEqual(1, held.unread)
        held.mark_seen()
        self.assertEqual(0, client.room("plans").unread)
        self.assertIn("bob1", [each.user for each in held.members()])
        self.alice.do(held.kick("bob1"))
        self.assertIs(held, wanted.find())
        people, devices, account, admin = parts
        self.assertEqual("unverified", people.trust("carol1"))
        self.assertEqual(1, len(self.alice.do(devices.list())))
        self.assertEqual(client.account.recovery, account.recovery)
        self.assertIn("carol1", [each.user for each in self.alice.do(admin.accounts())])

    def test_what_was_said_meanwhile(self) -> None:
        """A text that waits when the restore is accepted goes out once; who was away is away."""
        self.alice.do(self.alice.client.set_away(away=True))
        self.alice.do(self.alice.client.account.accept_restored())
        sent = self.alice.client.room("lobby").send("between")
        self.world.settle(60)
        self.assertEqual([("alice1", "between")], [each for each in self.carol.texts("lobby") if each[1] == "between"])
        self.assertIsInstance(self.successResultOf(sent), int)
        self.assertTrue(engine_of(self.alice).away)

    def test_it_is_the_same_run(self) -> None:
        """A program that gives up on what it has said gives up on what it said before, too."""
        self.alice.do(self.alice.client.account.accept_restored())
        self.alice.client.room("lobby").send("between")
        old = engine_of(self.alice)
        self.alice.client._lifecycle._begin_anew()
        self.assertIsNot(old, engine_of(self.alice))
        self.assertEqual(1, self.alice.client.forget_unsent())
        self.world.settle(60)
        self.assertNotIn(("alice1", "between"), self.carol.texts("lobby"))

    def test_what_was_begun_before_ends(self) -> None:
        """What comes back from a thread after that, or keeps a keyring, is of no use any more."""
        slow = Deferred[int]()
        lifecycle, old = self.alice.client._lifecycle, engine_of(self.alice).context

        async def work() -> int:
            return int(await old.in_thread(lambda: slow))  # in memory a thread is a call

        working = Deferred.fromCoroutine(work())
        self.accept()
        self.assertIsNot(old, engine_of(self.alice).context)
        slow.callback(1)
        self.failureResultOf(working, Interrupted)
        with self.assertRaises(Interrupted):
            old.keep(old.keyring)
        engine_of(self.alice).context.keep(lifecycle.keyring)

    def test_another_trouble_is_open(self) -> None:
        """What was accepted is begun with none the less, once the trouble has passed."""
        old, failing = engine_of(self.alice), [True]
        probe = Database.probe

        def broken(database: Database) -> None:
            if failing:
                raise DiskFull("full")
            probe(database)

        take = Acceptance._take_anew

        async def take_and_fail(acceptance: Acceptance, room: Room) -> None:
            await take(acceptance, room)
            self.alice.client._lifecycle.stumbled(DiskFull("full"))

        self.patch(Database, "probe", broken)
        self.patch(Acceptance, "_take_anew", take_and_fail)
        self.alice.do(self.alice.client.account.accept_restored())
        self.world.settle(30)
        self.assertFalse(self.alice.online)
        self.assertIs(old, engine_of(self.alice))
        self.assertEqual("lobby", self.alice.room("lobby").name)
        failing.clear()
        self.world.settle(60)
        self.assertIsNot(old, engine_of(self.alice))
        self.alice.say("plans", "on we go")
