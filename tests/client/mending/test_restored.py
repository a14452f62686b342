"""A server that was restored from a backup gets back what it lacks, from those who have it, and from nobody else."""

from typing import Any

from chatserv.client.events import GapSeen, MessageReceived, MessagesMissing, RoomLeft, RoomRewound
from chatserv.commands.leaving import close_room
from chatserv.crypto.bodies import Text
from chatserv.crypto.content import ContentType
from chatserv.crypto.log_leaves import LeafType
from chatserv.wire import messages
from tests.client.attackers import AttackCase, OldCopy, Tap, alarms, engine_of, room_of, say_anything
from tests.client.test_server_rotation import rotate


class MendingCase(AttackCase):
    """Alice, Bob and Carol in a private room, with something said in it."""

    def setUp(self) -> None:
        """The room."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.alice.say("plans", "before")
        self.world.settle(2)
        self.old = OldCopy(self.world, accounts=True)

    def mend(self) -> dict[str, Any]:
        """The server is restored, everybody offers, and it ends; what it says is missing."""
        self.old.mend()
        self.world.settle(8)
        self.assertTrue(self.world.server.context.mending.active)
        return self.finish()

    def mend_while_carol_is_away(self) -> None:
        """What comes back is a change that she has not seen, and a message behind it; she comes when it is over."""
        self.carol.leave_the_machine()
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.alice.say("plans", "not for carol any more")
        self.world.settle(3)
        self.mend()
        self.carol.come_back()
        self.world.settle(60)

    def finish(self) -> dict[str, Any]:
        """The operator ends it; everybody comes back."""
        report = self.world.do(self.world.server.context.mending.finish())
        self.world.settle(70)
        self.assertFalse(self.world.server.context.mending.active)
        return report


class MessageTests(MendingCase):
    """Messages."""

    def test_a_lost_message_comes_back_from_its_sender(self) -> None:
        """Who was away and has not read it gets it, from the place where it was; nobody sees anything missing."""
        self.carol.leave_the_machine()
        self.alice.say("plans", "lost and found")
        self.bob.leave_the_machine()
        report = self.mend()
        self.assertEqual([], report["rooms"])
        self.bob.come_back()
        self.carol.come_back()
        self.assertIn(("alice1", "lost and found"), self.carol.texts("plans"))
        for person in (self.alice, self.bob, self.carol):
            self.assertTrue(person.online, person.name)
            self.assertEqual([], alarms(person), person.name)
            for kind in (RoomRewound, GapSeen, MessagesMissing):
                self.assertEqual([], person.events(kind), person.name)
        self.bob.say("plans", "go on")
        self.assertIn(("bob1", "go on"), self.carol.texts("plans"))

    def test_what_was_taken_back_since_is_not_offered(self) -> None:
        """Nobody brings it back: neither its sender nor two who have read it."""
        self.alice.say("plans", "a slip of the tongue")
        self.world.settle(2)
        (said,) = [each for each in self.alice.events(MessageReceived) if each.text == "a slip of the tongue"]
        self.alice.do(self.alice.room("plans").delete(said.message_id))
        self.world.settle(2)
        (room,) = self.mend()["rooms"]
        self.assertEqual([[said.seq, said.seq]], room["missing"])
        for person in (self.alice, self.bob, self.carol):
            self.assertTrue(person.online, person.name)

    def test_what_came_twice_is_forgotten_at_both_places(self) -> None:
        """A member can say the same once more, under the same id: when they take it back, nobody keeps any of it."""
        self.alice.say("plans", "a slip of the tongue")
        self.world.settle(2)
        (said,) = [each for each in self.alice.events(MessageReceived) if each.text == "a slip of the tongue"]
        say_anything(self.alice, "plans", ContentType.TEXT, Text("another slip").encode(), message_id=said.message_id)
        self.world.settle(2)
        kept, room_id = engine_of(self.bob).context.vault.kept_events, room_of(self.bob, "plans").room_id
        self.assertEqual(2, len(kept.after(room_id, said.seq - 1, 100)))
        self.alice.do(self.alice.room("plans").delete(said.message_id))
        self.world.settle(2)
        self.assertEqual([said.seq + 2], [each.seq for each in kept.after(room_id, said.seq - 1, 100)])
        say_anything(self.alice, "plans", ContentType.TEXT, Text("and another").encode(), message_id=said.message_id)
        self.world.settle(2)
        self.assertEqual([said.seq + 2], [each.seq for each in kept.after(room_id, said.seq - 1, 100)])

    def test_acknowledged_and_not_come_back_yet(self) -> None:
        """What the server had confirmed and not yet sent on is offered from the outbox."""
        self.bob.leave_the_machine()
        self.carol.leave_the_machine()
        tap = Tap(self.alice, lambda message: () if isinstance(message, messages.Event) else (message,))
        self.alice.say("plans", "only confirmed")
        tap.edit = lambda message: (message,)
        self.assertEqual([], self.mend()["rooms"])
        self.carol.come_back()
        self.assertIn(("alice1", "only confirmed"), self.carol.texts("plans"))
        self.assertEqual(
            ["only confirmed"], [said for _, said in self.alice.texts("plans") if said == "only confirmed"]
        )

    def test_interrupted(self) -> None:
        """A server that dies while it decides goes on after the next start, and does nothing twice."""
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.alice.say("plans", "after the change")
        self.world.settle(3)
        self.old.mend()
        self.world.settle(8)
        store = self.world.server.store
        store.mend_messages, whole = self.dies, store.mend_messages  # type: ignore[method-assign,assignment]
        with self.assertRaises(ZeroDivisionError):
            self.world.do(self.world.server.context.mending.finish())
        store.mend_messages = whole  # type: ignore[method-assign]
        self.world.server.restart()
        self.world.settle(70)
        self.assertTrue(self.world.server.context.mending.active)
        self.assertEqual([], self.finish()["rooms"])
        events = store._rooms.between(room_of(self.alice, "plans").room_id, 0, None)
        self.assertEqual(list(range(1, len(events) + 1)), [event.seq for event in events])
        self.alice.say("plans", "and on")
        self.assertIn(("alice1", "and on"), self.carol.texts("plans"))
        self.assertEqual([], alarms(self.carol))

    async def dies(self, *_: object) -> None:
        """The machine has lost its power."""
        raise ZeroDivisionError

    def test_it_ends_by_itself(self) -> None:
        """Some time after the last offer, or the start; who comes later is as after a restore of before."""
        self.old.mend()
        self.world.settle(8)
        self.world.settle(int(self.world.server.config.limits.mending_quiet_seconds) + 70)
        self.assertFalse(self.world.server.context.mending.active)
        self.assertTrue(self.alice.online)


class KeyTests(MendingCase):
    """The server got another identity key since the backup, and is restored with that."""

    def test_given_back(self) -> None:
        """What was said and who came is given back, the change of the key with it, once."""
        rotate(self.world)
        self.world.person("dora").say("lobby", "with the new key")
        self.world.settle(2)
        size = len(self.world.server.store._leaves)
        self.assertEqual([], self.mend()["rooms"])
        self.assertEqual(size, len(self.world.server.store._leaves))
        self.assert_well()

    def test_nobody_has_it(self) -> None:
        """The log says it at its end then: for who comes anew, too, no server has a key that is not in its log."""
        self.mended_alone()
        rotate(self.world)
        self.old.mend()
        self.finish()
        leaves = self.world.server.store._leaves
        self.assertEqual(len(self.old._leaves) + 1, len(leaves))
        self.assertEqual(LeafType.SERVER_KEY, leaves[-1][0])
        for person in (self.alice, self.bob, self.carol):
            person.come_back()
        self.world.settle(5)
        self.assert_well()

    def mended_alone(self) -> None:
        """Nobody is there."""
        for person in (self.alice, self.bob, self.carol):
            person.leave_the_machine()

    def assert_well(self) -> None:
        """Everybody talks, and nothing is amiss; a newcomer, too."""
        erin = self.world.person("erin")
        self.bob.say("lobby", "go on")
        self.world.settle(5)
        for person in (self.alice, self.bob, self.carol, erin):
            self.assertTrue(person.online, person.name)
            self.assertEqual([], alarms(person), person.name)
        self.assertIn(("bob1", "go on"), self.carol.texts("lobby"))


class ChangeTests(MendingCase):
    """Changes of rooms, and of who there is."""

    def test_a_lost_change_comes_back(self) -> None:
        """Somebody who was removed stays out, and the room goes on for those who have seen it."""
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.alice.say("plans", "without bob")
        self.world.settle(3)
        report = self.mend()
        self.assertEqual([], report["rooms"])
        for person in (self.alice, self.carol):
            self.assertEqual([], alarms(person), person.name)
            self.assertEqual([], person.events(RoomRewound), person.name)
        self.alice.say("plans", "still without bob")
        self.assertIn(("alice1", "still without bob"), self.carol.texts("plans"))
        self.assertNotIn(("alice1", "still without bob"), self.bob.texts("plans"))

    def test_a_closed_room_stays_closed(self) -> None:
        """What whoever runs the server has closed since the backup, the log closes again; nobody is accused."""
        self.carol.leave_the_machine()
        server = self.world.server
        record = server.context.registry.get(room_of(self.alice, "plans").room_id)
        assert record is not None
        self.world.do(close_room(server.context, record, in_use=True))
        self.world.settle(3)
        self.mend()
        self.carol.come_back()
        self.world.settle(80)
        self.assertIsNone(server.context.registry.get(record.room_id))
        for person in (self.alice, self.bob, self.carol):
            self.assertEqual([RoomLeft("plans", closed=True)], person.events(RoomLeft), person.name)
            self.assertEqual([], alarms(person), person.name)

    def test_a_lost_room_comes_back(self) -> None:
        """One that was made since, with what was said in it."""
        self.private_room(self.bob, name="later")
        self.bob.say("later", "in a new room")
        self.world.settle(3)
        self.assertEqual([], self.mend()["rooms"])
        self.alice.say("later", "and on")
        self.assertIn(("alice1", "and on"), self.bob.texts("later"))
        for person in (self.alice, self.bob):
            self.assertEqual([], alarms(person), person.name)

    def test_somebody_who_was_away_for_a_lost_change(self) -> None:
        """Their keys of that epoch are gone with the server's copy; the room gets new ones by itself, and they read on."""
        self.mend_while_carol_is_away()
        self.alice.say("plans", "carol again")
        self.world.settle(3)
        self.assertIn(("alice1", "carol again"), self.carol.texts("plans"))

    def test_somebody_who_registered_since(self) -> None:
        """The account comes back with its device, which goes on as if nothing had been."""
        dave = self.world.person("dave")
        dave.say("lobby", "I am new here")
        self.world.settle(3)
        report = self.mend()
        self.assertEqual([], report["log"]["undone"])
        self.assertTrue(dave.online)
        dave.say("lobby", "still here")
        self.assertIn(("dave", "still here"), self.alice.texts("lobby"))
        for person in (self.alice, self.bob, dave):
            self.assertEqual([], alarms(person), person.name)

    def test_a_revoked_device_stays_revoked(self) -> None:
        """The log ends it again, and it does not get in."""
        phone = self.world.new_device(self.bob, self.bob.recovery_code)
        self.world.settle(10)
        self.old = OldCopy(self.world, accounts=True)
        self.bob.do(self.bob.client.devices.revoke(engine_of(phone).context.device_id))
        self.world.settle(10)
        self.mend()
        self.world.settle(10)
        self.assertFalse(phone.online)
        for person in (self.alice, self.bob):
            self.assertEqual([], alarms(person), person.name)
