"""Somebody who has lost everything begins anew: what others see of it, and what becomes of rooms and conversations."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import DeviceSeen, IdentityChanged, RoomChanged
from chatserv.client.slash.formatting import log_lines
from chatserv.domain.roles import Role
from chatserv.testing.world import Person, World
from tests.client.attackers import alarms, room_of
from tests.support.devices import add_device, register_anew, reset_account


class ResetCase(SynchronousTestCase):
    """Alice, who administers, has verified Bob; they share a private room and direct messages, with Carol in the room."""

    def setUp(self) -> None:
        """They have talked."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice1", Role.ADMIN)
        self.bob = self.world.person("bob1")
        self.carol = self.world.person("carol1")
        self.alice.do(self.alice.client.create_room("plans"))
        for person in (self.bob, self.carol):
            self.alice.do(self.alice.room("plans").invite(person.name))
        self.world.settle()
        for person in (self.bob, self.carol):
            person.room("plans").accept()
        self.alice.do(self.alice.client.direct("bob1"))
        self.world.settle()
        self.bob.room("@alice1").accept()
        self.world.settle(2)
        for number in range(3):
            self.alice.say("@bob1", f"before {number}")
        shown = self.alice.do(self.alice.client.people.verification("bob1"))
        self.assertTrue(self.alice.do(self.alice.client.people.compare("bob1", shown.number)))
        self.old = room_of(self.alice, "@bob1")

    def texts(self, person: Person, limit: int = 50, **place: int) -> list[str | None]:
        """The history of direct messages, as somebody has it."""
        return [message.text for message in person.room("@bob1").history(limit, **place)]


class ResetTests(ResetCase):
    """What a reset does."""

    def setUp(self) -> None:
        """Bob begins anew."""
        super().setUp()
        self.again = reset_account(self.world, self.alice, self.bob)

    def test_everybody_sees_it(self) -> None:
        """Who had verified him is told so, all others that he has changed; his old device is out; nobody is alarmed."""
        self.assertEqual(self.alice.events(IdentityChanged), [IdentityChanged("bob1", True)])
        self.assertEqual(self.carol.events(IdentityChanged), [IdentityChanged("bob1", False)])
        self.assertEqual(self.alice.client.people.trust("bob1"), "changed")
        for person in (self.alice, self.carol):  # a device of somebody else, as far as anybody knows
            self.assertEqual(person.events(DeviceSeen), [])
        self.assertFalse(self.bob.online)
        self.assertTrue(self.again.online)
        for person in (self.alice, self.carol, self.again):
            self.assertEqual(alarms(person), [], person.name)

    def test_rooms(self) -> None:
        """Private rooms strike him and may invite him again; public ones he joins."""
        self.assertEqual(self.again.client.rooms, ["lobby"])
        self.alice.client.people.accept_identity("bob1")
        self.alice.say("plans", "without bob")
        struck = [line for event in self.carol.events(RoomChanged) for line in event.lines if event.room == "plans"]
        self.assertIn(("struck", ("bob1",)), struck)
        self.alice.do(self.alice.room("plans").invite("bob1"))
        self.world.settle()
        self.again.room("plans").accept()
        self.carol.client.people.accept_identity("bob1")
        self.alice.say("plans", "with bob")
        self.carol.say("plans", "welcome")
        self.world.settle(2)
        self.assertEqual([text for _, text in self.again.texts("plans")], ["with bob", "welcome"])

    def test_held_until_accepted(self) -> None:
        """What is said to him meanwhile waits, and goes into the new conversation once he is trusted again."""
        handle = self.alice.room("@bob1")
        done: list[object] = []
        handle.send("is that you?").addCallbacks(done.append, lambda _: None)
        self.world.settle(20)
        self.assertEqual(done, [])
        self.alice.client.people.accept_identity("bob1")
        self.world.settle(20)
        self.assertEqual(len(done), 1)
        self.assertEqual(self.again.client.rooms, ["@alice1", "lobby"])
        self.again.room("@alice1").accept()
        self.world.settle(5)
        self.assertEqual(self.again.room("@alice1").history(5)[-1].text, "is that you?")
        self.again.say("@alice1", "it is")
        self.world.settle(2)
        self.assertEqual(self.texts(self.alice)[-2:], ["is that you?", "it is"])
        self.assertNotEqual(handle.room_id, self.old.room_id)
        self.assertEqual(self.alice.client.rooms, ["@bob1", "lobby", "plans"])

    def test_one_conversation(self) -> None:
        """The new direct messages go on where the old ones ended, which stay readable, in every way of looking back."""
        self.alice.client.people.accept_identity("bob1")
        self.alice.do(self.alice.client.direct("bob1"))
        for number in range(3):
            self.alice.say("@bob1", f"after {number}")
        everything = [f"before {number}" for number in range(3)] + [f"after {number}" for number in range(3)]
        kept = self.alice.room("@bob1").history(50)
        self.assertEqual([message.text for message in kept], everything)
        places = [message.seq for message in kept]
        self.assertEqual(places, sorted(places))
        self.assertLess(places[2], 0)
        self.assertGreater(places[3], 0)
        self.assertEqual([message.room for message in kept], ["@bob1"] * 6)
        self.assertEqual(len({message.room_id for message in kept}), 2)
        for at in range(6):
            self.assertEqual(self.texts(self.alice, 2, before=places[at]), everything[max(0, at - 2) : at])
            self.assertEqual(self.texts(self.alice, 2, after=places[at]), everything[at + 1 : at + 3])
            self.assertIn(everything[at], self.texts(self.alice, 3, around=places[at]))
        self.assertEqual(self.texts(self.alice, 4, since_ms=0), everything[:4])
        self.assertEqual([each.text for each in self.alice.room("@bob1").following(places[1])], everything[2:])
        lines = log_lines(self.alice.room("@bob1"), kept)
        self.assertEqual([at for at, line in enumerate(lines) if "begins anew" in line], [3])
        self.assertEqual(self.texts(self.alice, 4), everything[2:])
        found = [message.text for message in self.alice.client.search("before")]
        self.assertEqual(found, everything[2::-1])
        self.assertEqual([message.seq for message in self.alice.client.search("before")], places[2::-1])
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.assertEqual(self.texts(self.alice), everything)
        self.assertEqual(self.alice.client.rooms, ["@bob1", "lobby", "plans"])

    def test_he_begins(self) -> None:
        """Where he begins, it is an offer beside the old conversation, and goes on from it once it is accepted."""
        self.again.do(self.again.client.direct("alice1"))
        self.world.settle(10)
        self.assertEqual(len([name for name in self.alice.client.rooms if name.startswith("@bob1")]), 2)
        offered = next(handle for handle in self.alice.client.handles() if handle.offered)
        self.assertEqual(self.texts(self.alice), ["before 0", "before 1", "before 2"])
        offered.accept()
        self.alice.client.people.accept_identity("bob1")
        self.world.settle(10)
        self.again.say("@alice1", "here I am")
        self.world.settle(2)
        self.assertEqual(self.texts(self.alice), ["before 0", "before 1", "before 2", "here I am"])
        self.assertEqual([name for name in self.alice.client.rooms if name.startswith("@bob1")], ["@bob1"])

    def test_twice(self) -> None:
        """Whoever begins anew twice has three parts of one conversation."""
        self.alice.client.people.accept_identity("bob1")
        self.alice.do(self.alice.client.direct("bob1"))
        self.alice.say("@bob1", "second")
        reset_account(self.world, self.alice, self.again, "once more")
        self.alice.client.people.accept_identity("bob1")
        self.alice.do(self.alice.client.direct("bob1"))
        self.alice.say("@bob1", "third")
        everything = ["before 0", "before 1", "before 2", "second", "third"]
        self.assertEqual(self.texts(self.alice), everything)
        self.assertEqual(self.texts(self.alice, 2, before=self.alice.room("@bob1").history(2)[0].seq), everything[1:3])


class AloneTests(SynchronousTestCase):
    """Nobody else is there who could strike who somebody was."""

    def test_lobby(self) -> None:
        """Whoever begins anew enters public rooms all the same, and what is said there goes to them."""
        world = World(self.mktemp())
        self.addCleanup(world.close)
        alice, bob = world.person("alice1", Role.ADMIN), world.person("bob1")
        bob.leave_the_machine()
        alice.do(alice.client.create_room("open", public=True))
        bob.come_back()
        bob.do(bob.client.join("open"))
        world.settle(2)
        link = alice.do(alice.client.admin.reset_link("bob1"))
        alice.leave_the_machine()
        again = register_anew(world, bob, link)
        self.assertEqual(again.client.rooms, ["lobby"])
        again.do(again.client.join("open"))
        again.say("open", "here again")
        alice.come_back()
        alice.client.people.accept_identity("bob1")
        self.assertEqual(alice.texts("open"), [("bob1", "here again")])
        struck = [line for event in alice.events(RoomChanged) for line in event.lines if event.room == "open"]
        self.assertEqual(struck, [("struck", ("bob1",)), ("joined", ("bob1",))])
        self.assertEqual(alarms(alice), [])


class OtherSideTests(ResetCase):
    """The one who talks with somebody whose identity is reset has two devices."""

    def test_two_devices(self) -> None:
        """What one device has accepted and begun, the other has too."""
        laptop = add_device(self.world, self.alice, "laptop")
        reset_account(self.world, self.alice, self.bob)
        self.alice.client.people.accept_identity("bob1")
        self.world.settle(10)
        self.assertEqual(laptop.client.people.trust("bob1"), "unverified")
        self.alice.do(self.alice.client.direct("bob1"))
        self.world.settle(10)
        laptop.say("@bob1", "from the laptop")
        self.world.settle(5)
        self.assertEqual(self.texts(self.alice)[-1], "from the laptop")
        self.assertEqual(laptop.client.rooms, ["@bob1", "lobby", "plans"])
