"""One person's devices: they find each other, and what is decided on one holds on the others."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import (
    Delivered,
    MessageReceived,
    PresenceSeen,
    ReadMoved,
    RoomChanged,
    RoomJoined,
    RoomOffered,
    TypingSeen,
)
from chatserv.client.state.rooms import Room
from chatserv.domain.roles import Role
from chatserv.testing.world import Person, World
from tests.client.attackers import alarms
from tests.support.devices import add_device


def devices_room(person: Person) -> Room:
    """The room of somebody's own devices, as one of them has it."""
    room = person.client.engine.rooms.devices()
    assert room is not None
    return room


class DevicesCase(SynchronousTestCase):
    """Alice with two devices, and Bob."""

    def setUp(self) -> None:
        """A private room of the two, and a second device of Alice."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice1", Role.ADMIN)
        self.bob = self.world.person("bob1")
        self.laptop = add_device(self.world, self.alice, "laptop")

    def offer(self, name: str = "plans") -> None:
        """Bob takes Alice into a private room."""
        self.bob.do(self.bob.client.create_room(name))
        self.bob.do(self.bob.room(name).invite("alice1"))
        self.world.settle()


class RoomTests(DevicesCase):
    """The room of one's own devices."""

    def test_made_and_hidden(self) -> None:
        """Both are in one, and no person sees anything of it."""
        ours, theirs = devices_room(self.alice), devices_room(self.laptop)
        self.assertEqual(ours.room_id, theirs.room_id)
        assert ours.state is not None
        self.assertEqual(len(ours.state.roster), 2)
        for person in (self.alice, self.laptop):
            self.assertEqual(person.client.rooms, ["lobby"])
            self.assertEqual([handle.name for handle in person.client.handles()], ["lobby"])
            about = {event.room for event in person.events(RoomJoined)}
            about |= {event.room for event in person.events(RoomChanged)}
            about |= {event.room for event in person.events(MessageReceived)}
            self.assertLessEqual(about, {"lobby"})

    def test_nobody_alone_makes_one(self) -> None:
        """Who has one device has no such room."""
        self.assertIsNone(self.bob.client.engine.rooms.devices())

    def test_third(self) -> None:
        """A third one comes in, and a name that was said is known to all."""
        third = add_device(self.world, self.alice, "phone", holds_identity=False)
        self.laptop.client.engine.own.talk.rename("my laptop")
        self.world.settle(10)
        names = {row.device_id: row.name for row in third.client.engine.context.vault.own_devices.all()}
        self.assertEqual(names[self.laptop.client.keyring.device_id], "my laptop")
        self.assertEqual(len(names), 2)


class ReadTests(DevicesCase):
    """Read marks."""

    def test_both_ways(self) -> None:
        """What was read on one device is read on the other, by what the server cannot make up."""
        for reader, other in ((self.alice, self.laptop), (self.laptop, self.alice)):
            self.bob.say("lobby", "hello")
            self.world.settle(2)
            self.assertEqual((reader.room("lobby").unread, other.room("lobby").unread), (1, 1))
            reader.room("lobby").mark_seen()
            self.world.settle(10)
            self.assertEqual((reader.room("lobby").unread, other.room("lobby").unread), (0, 0))
            read = other.events(ReadMoved)[-1]
            self.assertEqual((read.room, read.user), ("lobby", "alice1"))

    def test_missed(self) -> None:
        """A device that was away finds what was read meanwhile, also where it reads the room's events after that."""
        self.laptop.leave_the_machine()
        self.bob.say("lobby", "hello")
        self.world.settle(2)
        self.alice.room("lobby").mark_seen()
        self.world.settle(10)
        self.alice.leave_the_machine()
        self.laptop.come_back()
        self.assertEqual(self.laptop.room("lobby").unread, 0)
        self.assertEqual(self.laptop.texts("lobby"), [("bob1", "hello")])

    def test_read_while_offline(self) -> None:
        """What was read without a connection is told when there is one."""
        self.bob.say("lobby", "hello")
        self.world.settle(2)
        self.world.server.up = False
        self.world.server.cut()
        self.alice.room("lobby").mark_seen()
        self.world.settle(10)
        self.alice.leave_the_machine()
        self.world.server.up = True
        self.world.settle(70)
        self.assertEqual(self.laptop.room("lobby").unread, 1)
        self.alice.come_back()
        self.world.settle(10)
        self.assertEqual(self.laptop.room("lobby").unread, 0)

    def test_newcomer(self) -> None:
        """A device that comes is told how far everything was read."""
        self.bob.say("lobby", "hello")
        self.world.settle(2)
        self.alice.room("lobby").mark_seen()
        third = add_device(self.world, self.alice, "phone")
        self.assertEqual(third.room("lobby").read, self.alice.room("lobby").read)

    def test_nobody_else_is_told(self) -> None:
        """Bob hears nothing of it, and no mark goes to the server."""
        self.bob.say("lobby", "hello")
        self.world.settle(2)
        self.alice.room("lobby").mark_seen()
        self.world.settle(10)
        self.assertEqual(self.bob.events(ReadMoved), [])


class ConsentTests(DevicesCase):
    """Rooms that somebody has put us into."""

    def test_agreed_once(self) -> None:
        """What one device has agreed to, the other is in, with what was said before."""
        self.offer()
        self.assertEqual([event.room for event in self.laptop.events(RoomOffered)], ["plans"])
        self.bob.say("plans", "shall we?")
        self.world.settle(2)
        self.assertEqual(len(self.alice.room("plans").accept()), 1)
        self.world.settle(10)
        self.assertFalse(self.laptop.room("plans").offered)
        self.assertEqual(self.laptop.texts("plans"), [("bob1", "shall we?")])
        self.assertIn(RoomJoined("plans"), self.laptop.events(RoomJoined))
        self.laptop.say("plans", "we shall")
        self.world.settle(2)
        self.assertEqual(self.alice.texts("plans")[-1], ("alice1", "we shall"))

    def test_newcomer_knows(self) -> None:
        """A device that others bring into a room later is not asked again, and knows what it is called."""
        self.offer()
        self.alice.room("plans").accept()
        self.world.settle(10)
        third = add_device(self.world, self.alice, "phone", wait=False)
        self.world.settle(20)
        self.bob.do(self.bob.room("plans").rotate())
        self.world.settle(20)
        self.assertEqual(third.client.rooms, ["lobby", "plans"])
        self.assertEqual(third.events(RoomOffered), [])

    def test_refused(self) -> None:
        """Direct messages that were refused on one device are not asked about on the other."""
        self.bob.do(self.bob.client.direct("alice1"))
        self.world.settle(10)
        self.assertIn("@bob1", self.laptop.client.rooms)
        self.alice.do(self.alice.room("@bob1").refuse())
        self.world.settle(10)
        self.assertNotIn("@bob1", self.laptop.client.rooms)


class PeopleTests(DevicesCase):
    """What a person thinks of others."""

    def test_verified(self) -> None:
        """Who was verified on one device is verified on the other, and on one that comes later."""
        shown = self.alice.do(self.alice.client.people.verification("bob1"))
        self.assertTrue(self.alice.do(self.alice.client.people.compare("bob1", shown.number)))
        third = add_device(self.world, self.alice, "phone")
        for person in (self.laptop, third):
            self.assertEqual(person.client.people.trust("bob1"), "verified")

    def test_ignored(self) -> None:
        """Whom one device ignores, the others ignore, until one hears them again."""
        self.alice.client.people.ignore("bob1")
        third = add_device(self.world, self.alice, "phone")
        for person in (self.laptop, third):
            self.assertEqual(person.client.people.ignored(), ["bob1"])
        third.client.people.unignore("bob1")
        self.world.settle(5)
        self.assertEqual([person.client.people.ignored() for person in (self.alice, self.laptop)], [[], []])


class TalkingTests(DevicesCase):
    """Messages, from whichever device."""

    def test_own(self) -> None:
        """What another device of ours says is our own, calls nobody and is not unread."""
        self.laptop.say("lobby", "note to @alice1 and @bob1")
        self.world.settle(2)
        (told,) = self.alice.events(MessageReceived)
        self.assertEqual((told.own, told.mentioned, told.sender), (True, False, "alice1"))
        self.assertEqual(self.alice.room("lobby").unread, 0)
        self.assertEqual(alarms(self.alice), [])

    def test_one_person(self) -> None:
        """Two devices are one person to others: there while one is there, delivered to once, and nothing to oneself."""
        self.bob.do(self.bob.client.direct("alice1"))
        self.world.settle(10)
        self.alice.room("@bob1").accept()
        self.world.settle(10)
        self.bob.told.clear()
        self.bob.say("@alice1", "hello")
        self.world.settle(10)
        self.assertEqual(len(self.bob.events(Delivered)), 1)
        self.laptop.leave_the_machine()
        self.world.settle(10)
        self.assertEqual(self.bob.events(PresenceSeen), [])
        self.alice.do(self.alice.room("lobby").typing())
        self.laptop.come_back()
        self.laptop.do(self.laptop.room("lobby").typing())
        self.world.settle(2)
        for person in (self.alice, self.laptop):
            told = {event.user for event in person.events(PresenceSeen)}
            told |= {event.user for event in person.events(TypingSeen)}
            self.assertNotIn("alice1", told)
        self.assertEqual([event.user for event in self.bob.events(TypingSeen)], ["alice1", "alice1"])
        self.laptop.leave_the_machine()
        self.alice.leave_the_machine()
        self.world.settle(10)
        self.assertEqual(self.bob.events(PresenceSeen)[-1], PresenceSeen("alice1", "offline"))

    def test_ten(self) -> None:
        """Ten devices talk to each other; more the server does not take."""
        others = [add_device(self.world, self.alice, f"device {number}", wait=False) for number in range(8)]
        self.world.settle(90)
        everybody = [self.alice, self.laptop, *others]
        rosters = [devices_room(person).state for person in everybody]
        self.assertEqual([len(state.roster) for state in rosters if state is not None], [10] * 10)
        for person in everybody:
            heard = person.client.engine.context.vault.own_devices.all()
            self.assertEqual(len(heard), 9)
        self.bob.say("lobby", "hello")
        self.world.settle(2)
        others[3].room("lobby").mark_seen()
        self.world.settle(10)
        self.assertEqual([person.room("lobby").unread for person in everybody], [0] * 10)


class ProgramTests(DevicesCase):
    """Programs that count what they have said."""

    def test_not_counted(self) -> None:
        """What devices tell each other counts as nothing that a program has said, and is not given up with it."""
        self.world.server.up = False
        self.world.server.cut()
        self.alice.client.people.ignore("bob1")
        self.alice.client.send("lobby", "unsaid").addErrback(lambda _: None)
        self.assertEqual(self.alice.client.unacknowledged, 1)
        self.assertEqual(self.alice.client.forget_unsent(), 1)
        self.assertEqual(self.alice.client.unacknowledged, 0)
        self.world.server.up = True
        self.world.settle(90)
        self.assertEqual(self.laptop.client.people.ignored(), ["bob1"])
        self.assertEqual(self.laptop.texts("lobby"), [])
