"""What the server is told of our consent, and what comes of rooms that we are given too many of."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import ClientEvent, Quota, RoomLeft, RoomOffered, Status, StatusChanged
from chatserv.client.slash.command import SlashError
from chatserv.client.slash.dispatcher import Slash
from chatserv.client.state.rooms import Keys
from chatserv.crypto.commits import Op, Remove
from chatserv.domain.roles import Role
from chatserv.models import Consent
from chatserv.testing.world import Person, World
from tests.client.attackers import alarms, engine_of, entry_of, room_of
from tests.support.server import ask_nobody


class Hasty(list[ClientEvent]):
    """A program that accepts what it is offered, and ends."""

    def __init__(self, person: Person) -> None:
        super().__init__()
        self._person = person

    def append(self, event: ClientEvent) -> None:
        """Told of an event."""
        super().append(event)
        if isinstance(event, StatusChanged) and event.status is Status.ONLINE:
            for handle in self._person.client.handles():
                handle.accept()
            self._person.client.stop()


class AgreeingTests(SynchronousTestCase):
    """Mallory and trudy may take bob into two rooms each, and bob has place for three that he has not agreed to."""

    def setUp(self) -> None:
        """Everybody is in the lobby."""
        self.world = World(self.mktemp(), offers_per_account=3, offers_per_inviter=2, rooms_per_account=6)
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice1", Role.ADMIN)
        names = ("bob1", "mallory1", "trudy1")
        self.bob, self.mallory, self.trudy = (self.world.person(name) for name in names)

    def offers(self) -> list[str]:
        """Who has given bob places that he has not agreed to."""
        return [each.inviter for each in self.world.server.await_(self.world.server.store.offers(["bob1"]))]

    def take_in(self, person: Person, name: str) -> None:
        """Somebody makes a room with bob in it."""
        person.do(person.client.create_room(name))
        person.do(person.room(name).invite("bob1"))
        self.world.settle(2)

    def consents(self) -> dict[str, Consent]:
        """What the server knows of bob, by the names that he has for his rooms."""
        found = self.world.server.await_(self.world.server.store.consents())
        rooms = engine_of(self.alice).rooms
        if self.bob.client._lifecycle.running is not None:
            rooms = engine_of(self.bob).rooms
        names = {room.room_id: rooms.name(room) for room in rooms.all()}
        return {names.get(each.room_id, "?"): each.consent for each in found if each.user == "bob1"}

    def test_accepted(self) -> None:
        """Bob agrees, and the server knows; what he made or joined himself it knew."""
        self.take_in(self.alice, "plans")
        self.bob.do(self.bob.client.create_room("garden"))
        expected = {"lobby": Consent.AGREED, "garden": Consent.AGREED, "plans": Consent.ASKED}
        self.assertEqual(expected, self.consents())
        self.bob.room("plans").accept()
        self.world.settle(1)
        self.assertEqual(dict.fromkeys(expected, Consent.AGREED), self.consents())

    def test_accepted_without_a_connection(self) -> None:
        """What could not be told is told with the next session."""
        self.take_in(self.alice, "plans")
        self.world.server.up = False
        self.world.server.cut()
        self.world.run()
        self.bob.room("plans").accept()
        self.world.server.up = True
        self.world.settle(20)
        self.assertIs(Consent.AGREED, self.consents()["plans"])

    def test_accepted_too_late(self) -> None:
        """A room that had to yield before the server knew that bob wants it is back with his next session."""

        async def lost(*_: object) -> None:
            return None

        self.take_in(self.alice, "plans")
        engine_of(self.bob).agreements._tell = lost  # type: ignore[method-assign, assignment]
        self.bob.room("plans").accept()
        self.bob.leave_the_machine()
        self.alice.say("plans", "see you there")
        for person, name in ((self.mallory, "trap"), (self.trudy, "pit"), (self.world.person("eve1"), "net")):
            self.take_in(person, name)
        self.assertNotIn(Consent.AGREED, [self.consents()["plans"]])
        self.bob.come_back()
        self.assertIn("plans", self.bob.client.rooms)
        self.assertEqual([("alice1", "see you there")], self.bob.texts("plans"))
        self.bob.say("plans", "I am here")
        self.assertEqual(([], [Consent.AGREED]), (alarms(self.bob), [self.consents()["plans"]]))

    def test_accepted_in_passing(self) -> None:
        """A program that agrees to what it is offered and ends at once, as a script does, has told the server."""
        self.take_in(self.alice, "plans")
        self.bob.leave_the_machine()
        self.bob.told = Hasty(self.bob)
        self.bob.come_back()
        self.assertIs(Consent.AGREED, self.consents()["plans"])

    def test_accepted_before_anybody_asked(self) -> None:
        """A server that is new to this learns from our client what we agreed to in an earlier version, and what not."""
        self.take_in(self.alice, "plans")
        self.take_in(self.mallory, "trap")
        self.bob.room("plans").accept()
        ask_nobody(self.world.server.store)
        self.bob.leave_the_machine()
        self.world.server.restart()
        self.bob.come_back()
        self.assertEqual({"lobby": Consent.AGREED, "plans": Consent.AGREED, "trap": Consent.ASKED}, self.consents())
        self.assertEqual(["mallory1"], self.offers())

    def test_flood(self) -> None:
        """Others fill bob's places: alice's invitation comes all the same, and bob's own rooms are as many as ever."""
        for number in range(2):
            self.take_in(self.mallory, f"trap{number}")
            self.take_in(self.trudy, f"pit{number}")
        self.assertRaises(Quota, self.take_in, self.mallory, "trap2")
        self.take_in(self.alice, "plans")
        self.assertEqual([RoomLeft("trap0"), RoomLeft("pit0")], self.bob.events(RoomLeft))
        self.assertEqual(["lobby", "pit1", "plans", "trap1"], self.bob.client.rooms)
        self.bob.room("plans").accept()
        for number in range(4):
            self.bob.do(self.bob.client.create_room(f"own{number}"))
        self.assertRaises(Quota, self.bob.do, self.bob.client.create_room("own4"))
        self.assertEqual([], alarms(self.bob))
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertEqual(["pit1", "trap1"], sorted(event.room for event in self.bob.events(RoomOffered)))

    def take_off(self, person: Person, name: str) -> None:
        """Somebody takes bob's device off a room's roster, and leaves him a member."""
        engine, room = engine_of(person), room_of(person, name)
        leaf = entry_of(room, "bob1").leaf

        async def plan(_: object) -> list[Op]:
            return [Remove(leaf)]

        person.do(engine.room_changes.commit(room, plan))
        self.world.settle(5)

    def test_brought_to_come_back(self) -> None:
        """A device that is taken off a room which bob has not agreed to does not come back by itself: that is no consent."""
        self.take_in(self.mallory, "trap")
        self.take_off(self.mallory, "trap")
        self.assertIsNot(Consent.AGREED, self.consents()["trap"])
        self.assertEqual(["lobby"], [each.name for each in self.bob.client.handles() if not each.offered])

        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertIsNot(Consent.AGREED, self.consents()["trap"])

    def test_taken_in_again_without_a_word(self) -> None:
        """Nor is it consent where it is put back by others; bob is asked, as the first time."""
        self.take_in(self.mallory, "trap")
        self.take_off(self.mallory, "trap")
        engine, room = engine_of(self.mallory), room_of(self.mallory, "trap")
        self.mallory.do(engine.room_changes.commit(room, engine.planner.change()))
        self.world.settle(5)
        self.assertEqual(2, len(self.bob.events(RoomOffered)))
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertIsNot(Consent.AGREED, self.consents()["trap"])
        self.bob.room("trap").accept()
        self.take_off(self.mallory, "trap")
        self.assertIs(Consent.AGREED, self.consents()["trap"])

    def test_brought_to_commit(self) -> None:
        """Nor is it consent to do for a room what anybody in it could do: that is left to those who want to be there."""
        self.take_in(self.mallory, "trap")
        self.mallory.do(self.mallory.room("trap").invite("trudy1"))
        self.world.settle(3)
        self.patch(engine_of(self.mallory).maintenance, "commit_when_due", lambda *_: None)
        self.trudy.do(self.trudy.room("trap").leave())
        room = room_of(self.bob, "trap")
        assert room.row is not None
        room.row = replace(room.row, keys=Keys.BROKEN)
        engine_of(self.bob).maintenance.repair(room)
        self.world.settle(40)
        self.assertIs(Consent.ASKED, self.consents()["trap"])
        self.assertIs(Keys.BROKEN, room.row.keys)
        self.bob.room("trap").accept()
        self.world.settle(40)
        self.assertIsNot(Keys.BROKEN, room.row.keys)

    def test_left_and_taken_off(self) -> None:
        """Who has left a room is not brought back by one who takes their device off it instead."""
        self.take_in(self.mallory, "trap")
        self.bob.room("trap").accept()
        self.world.settle(2)
        self.patch(engine_of(self.mallory).maintenance, "leave_waits", lambda _: None)
        self.bob.do(self.bob.room("trap").leave())
        self.take_off(self.mallory, "trap")
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.world.settle(30)
        self.assertIsNot(Consent.AGREED, self.consents().get("trap"))
        self.assertEqual(["lobby"], self.bob.client.rooms)

    def test_inviter_is_told(self) -> None:
        """Who invites somebody who has not answered hears what to wait for."""
        for number in range(2):
            self.take_in(self.mallory, f"trap{number}")
        self.mallory.do(self.mallory.client.create_room("trap2"))
        slash = Slash(self.mallory.client, "trap2")
        error = self.assertRaises(SlashError, self.mallory.do, slash.run("/invite bob1"))
        self.assertEqual("bob1 has many unanswered invitations from you. Wait until they answer.", error.explain())

    def test_refused(self) -> None:
        """A room that bob refuses makes place, although its owner does nothing."""
        self.take_in(self.mallory, "trap0")
        self.take_in(self.mallory, "trap1")
        self.mallory.leave_the_machine()
        for name in ("trap0", "trap1"):
            self.bob.do(self.bob.room(name).refuse())
        for number in range(2):
            self.take_in(self.trudy, f"pit{number}")
        self.assertEqual(2, len(self.offers()))

    def test_direct_messages_come_back(self) -> None:
        """Direct messages that had to yield are there again, with all that was said, when bob begins with them."""
        self.alice.do(self.alice.do(self.alice.client.direct("bob1")).send("hello bob"))
        self.world.settle(2)
        self.bob.leave_the_machine()
        self.bring_back()

    def test_direct_messages_come_late(self) -> None:
        """Also where bob's client has never seen them."""
        self.bob.leave_the_machine()
        self.alice.do(self.alice.do(self.alice.client.direct("bob1")).send("hello bob"))
        self.bring_back()

    def bring_back(self) -> None:
        """Alice's direct messages yield while bob is away; he comes and begins with them."""
        self.take_in(self.mallory, "trap0")
        self.take_in(self.trudy, "pit0")
        self.take_in(self.world.person("eve1"), "net0")
        self.bob.come_back()
        self.assertEqual(["lobby", "net0", "pit0", "trap0"], self.bob.client.rooms)
        self.bob.do(self.bob.do(self.bob.client.direct("alice1")).send("hello alice"))
        self.world.settle(2)
        self.assertIn(("bob1", "hello alice"), self.alice.texts("@bob1"))
        history = [message.text for message in self.bob.room("@alice1").history()]
        self.assertEqual(["hello bob", "hello alice"], history)
        self.assertEqual([], alarms(self.bob))
        self.assertEqual([], alarms(self.alice))
