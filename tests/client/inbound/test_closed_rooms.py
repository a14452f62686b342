"""Rooms that have ended while somebody was away: told as that, by the word of the log, and nobody is accused."""

from chatserv.client.events import RoomLeft
from chatserv.commands.leaving import close_room
from chatserv.testing.world import Person
from tests.client.attackers import AttackCase, OldCopy, alarms, engine_of, room_of


class DesertedTests(AttackCase):
    """Alice, Bob and Carol in a private room; all leave it."""

    def setUp(self) -> None:
        """The room."""
        super().setUp()
        self.private_room(self.bob, self.carol)

    def leave(self, *people: Person, room: str = "plans") -> None:
        """They leave one after the other, at once."""
        for person in people:
            person.do(person.room(room).leave())
        self.world.settle(3)

    def assert_closed(self, person: Person, room: str = "plans") -> None:
        """They are told that the room is closed, and of nothing else."""
        self.world.settle(80)
        self.assertEqual([RoomLeft(room, closed=True)], person.events(RoomLeft), person.name)
        self.nobody_alarmed()

    def test_who_was_put_out_while_away(self) -> None:
        """The commit that did it is gone with the room."""
        self.carol.leave_the_machine()
        self.alice.do(self.alice.room("plans").kick("carol1"))
        self.leave(self.alice, self.bob)
        self.assertNotIn("plans", self.alice.client.rooms)
        self.carol.come_back()
        self.assert_closed(self.carol)

    def test_after_a_restart(self) -> None:
        """The log says it to all who come later."""
        self.carol.leave_the_machine()
        self.alice.do(self.alice.room("plans").kick("carol1"))
        self.leave(self.alice, self.bob)
        self.world.server.restart()
        size = self.world.server.context.log.size
        self.carol.come_back()
        self.assert_closed(self.carol)
        self.assertEqual(size, self.world.server.context.log.size)

    def test_another_device_of_who_left(self) -> None:
        """It has signed nothing, and no commit has carried the Leave."""
        tablet = self.world.approved_device(self.bob)
        tablet.leave_the_machine()
        self.leave(self.alice, self.carol, self.bob)
        tablet.come_back()
        self.assert_closed(tablet)
        self.assertEqual([], alarms(tablet))

    def test_public(self) -> None:
        """So it is with a public room."""
        self.alice.do(self.alice.client.create_room("garden", public=True))
        self.bob.do(self.bob.client.join("garden"))
        self.bob.leave_the_machine()
        self.alice.do(self.alice.room("garden").kick("bob1"))
        self.leave(self.alice, room="garden")
        self.bob.come_back()
        self.assert_closed(self.bob, "garden")

    def test_deserted_since_the_backup(self) -> None:
        """A restored server ends it again."""
        self.carol.leave_the_machine()
        old = OldCopy(self.world, accounts=True)
        self.alice.do(self.alice.room("plans").kick("carol1"))
        self.leave(self.alice, self.bob)
        old.mend()
        self.world.settle(8)
        self.world.do(self.world.server.context.mending.finish())
        self.world.settle(70)
        self.carol.come_back()
        self.assert_closed(self.carol)


class FixedTests(AttackCase):
    """Rooms that nobody leaves, and that whoever runs the server closes."""

    def close(self, room_id: bytes) -> None:
        """As `chatserv room close` does it."""
        record = self.world.server.context.registry.get(room_id)
        assert record is not None
        self.world.do(close_room(self.world.server.context, record, in_use=True))
        self.world.settle(80)

    def test_direct_messages(self) -> None:
        """Both are told, who was away too; and begin anew when they want to."""
        self.alice.do(self.alice.client.direct("bob1"))
        self.alice.say("@bob1", "hello")
        self.world.settle(2)
        self.bob.room("@alice1").accept()
        self.world.settle(2)
        self.bob.leave_the_machine()
        self.close(room_of(self.alice, "@bob1").room_id)
        self.bob.come_back()
        self.world.settle(80)
        self.assertEqual([RoomLeft("@bob1", closed=True)], self.alice.events(RoomLeft))
        self.assertEqual([RoomLeft("@alice1", closed=True)], self.bob.events(RoomLeft))
        self.alice.do(self.alice.client.direct("bob1"))
        self.alice.say("@bob1", "hello again")
        self.world.settle(2)
        self.assertEqual(["hello again"], [each.text for each in self.bob.room("@alice1").accept()])
        self.nobody_alarmed()

    def test_own_devices(self) -> None:
        """Nobody sees that room, and the devices make another one."""
        tablet = self.world.approved_device(self.bob)
        for away in (False, True):
            before = engine_of(self.bob).rooms.devices()
            assert before is not None
            if away:
                tablet.leave_the_machine()
            self.close(before.room_id)
            if away:
                tablet.come_back()
            self.world.settle(80)
            for device in (self.bob, tablet):
                now = engine_of(device).rooms.devices()
                assert now is not None
                self.assertNotEqual(before.room_id, now.room_id)
                self.assertEqual(2, 0 if now.state is None else len(now.state.roster))
                self.assertEqual(([], []), (alarms(device), device.events(RoomLeft)))
