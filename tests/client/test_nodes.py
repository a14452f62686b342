"""Clients on two nodes of a cluster, in memory: what a person does on the one works with who is on the other."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import Alarm, DeviceAsks, DeviceGone
from chatserv.client.recovery.failures import EnrolmentRefused
from chatserv.client.recovery.guest import Guest
from chatserv.testing.world import Person
from tests.support.node_world import NodeWorld
from tests.support.nodes import SUBJECTS


class NodesCase(SynchronousTestCase):
    """Alice is on the first node, Bob on the second."""

    def setUp(self) -> None:
        """Both are in the lobby."""
        self.world = NodeWorld(2)
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice", admin=True)
        self.world.go_to(1)
        self.bob = self.world.person("bob")

    def tearDown(self) -> None:
        """Nobody has been alarmed."""
        for person in self.world.people:
            self.assertEqual([], person.events(Alarm))


class TalkTests(NodesCase):
    """Rooms."""

    def test_talk(self) -> None:
        """A room that Alice makes on the one node Bob comes into on the other, and both talk."""
        room = self.alice.do(self.alice.client.create_room("plans"))
        self.alice.do(room.invite("bob"))
        self.world.settle()
        self.bob.room("plans").accept()
        self.bob.say("plans", "here")
        self.alice.say("plans", "there")
        self.world.settle(2)
        for person in (self.alice, self.bob):
            self.assertEqual([("bob", "here"), ("alice", "there")], person.texts("plans"))


class MovingTests(NodesCase):
    """Who goes from node to node while these hear nothing of each other: nothing is taken back."""

    def move(self, person: Person, number: int) -> None:
        """To that node, until everything is there."""
        person.leave_the_machine()
        self.world.go_to(number)
        person.come_back()
        self.assertEqual((True, []), (person.online, person.events(Alarm)))

    def test_log(self) -> None:
        """The key log of a node that has heard of no new account is as long as that of the one before."""
        with self.world.nodes[0].bus.losing():
            for number, name in enumerate(("carol", "dora", "erin", "frank")):
                self.world.go_to(number % 2)
                self.world.person(name)
                self.move(self.bob, number % 2)
                self.move(self.bob, 1 - number % 2)
        size = self.bob.client.engine.context.log.size
        self.assertEqual({size}, {node.context.log.covered_size for node in self.world.nodes})

    def test_log_ahead_of_the_room(self) -> None:
        """A device that ends when its node has heard of a change by the log alone finds both in order when it comes back."""
        self.world.go_to(0)
        self.move(self.bob, 1)
        bus = self.world.nodes[0].bus
        before, bus.fate = bus.fate, lambda _one, _other, subject: int(subject == SUBJECTS.log)
        self.alice.do(self.alice.room("lobby").rotate())
        self.world.run()
        log, room = self.bob.client.engine.context.log, self.bob.room("lobby")
        self.assertEqual(log.size, self.world.nodes[0].context.log.size)
        self.assertLess(room.epoch, self.alice.room("lobby").epoch)
        self.move(self.bob, 0)
        bus.fate = before
        self.world.settle(3)
        self.assertEqual(self.bob.room("lobby").epoch, self.alice.room("lobby").epoch)

    def test_rotation(self) -> None:
        """A new identity made on the one node is its person's own for all on the other one; and so are their rooms."""
        self.world.go_to(1)
        with self.world.nodes[0].bus.losing():
            self.bob.do(self.bob.client.engine.own.identity.rotate())
            self.move(self.bob, 0)
        self.world.settle(3)
        self.bob.say("lobby", "still me")
        self.world.settle(2)
        self.assertIn(("bob", "still me"), self.alice.texts("lobby"))


class AwayTests(NodesCase):
    """Somebody whose node has let go of their rooms while they were away."""

    def test_back(self) -> None:
        """They find what was said, changed and made meanwhile, and go on; a room that they were taken into too."""
        node = self.world.nodes[1]
        self.bob.leave_the_machine()
        self.world.settle(100)
        self.assertEqual({}, node.context.hub.rooms)
        self.alice.say("lobby", "anybody there?")
        self.alice.do(self.alice.room("lobby").rotate())
        self.alice.say("lobby", "still nobody?")
        room = self.alice.do(self.alice.client.create_room("plans"))
        self.alice.do(room.invite("bob"))
        self.world.settle(2)
        self.assertEqual({}, node.context.hub.rooms)
        self.bob.come_back()
        self.world.settle(2)
        self.assertEqual(2, len(node.context.hub.rooms))
        self.bob.room("plans").accept()
        self.bob.say("lobby", "back again")
        self.bob.say("plans", "thank you")
        self.world.settle(2)
        said = [("alice", "anybody there?"), ("alice", "still nobody?"), ("bob", "back again")]
        for person in (self.alice, self.bob):
            self.assertEqual(said, person.texts("lobby"))
            self.assertEqual([("bob", "thank you")], person.texts("plans"))


class ApprovalTests(NodesCase):
    """A new device on another node than the one that approves it."""

    def test_approved(self) -> None:
        """It asks, is seen, is approved, and is in all rooms; then it and the old one talk in the same ones."""
        new = self.world.approved_device(self.alice, hand_over=True)
        self.assertTrue(new.online)
        self.assertEqual(new.client.rooms, self.alice.client.rooms)
        new.say("lobby", "from the new one")
        self.world.settle(2)
        self.assertIn(("alice", "from the new one"), self.alice.texts("lobby"))
        self.assertIn(("alice", "from the new one"), self.bob.texts("lobby"))
        self.assertEqual([], self.waiting(self.alice))
        for person in (self.alice, new):
            self.assertEqual([True, True], self.online(person))
        new.leave_the_machine()
        self.world.settle(2)
        self.assertEqual([True, False], self.online(self.alice))

    def online(self, person: Person) -> list[bool]:
        """Which of their own devices somebody sees online, the oldest first."""
        return [each.online for each in person.do(person.client.devices.list())]

    def test_asked_before(self) -> None:
        """A device that logs in while a guest waits elsewhere sees it; one that has gone it does not."""
        self.alice.leave_the_machine()
        guest = self.world.guest("alice")
        asking = self.ask(guest)
        self.world.go_to(0)
        self.alice.come_back()
        self.assertEqual(1, len(self.waiting(self.alice)))
        self.world.do(guest.close())
        self.world.settle(2)
        self.assertEqual([], self.waiting(self.alice))
        self.assertEqual(1, len(self.alice.events(DeviceGone)))
        asking.addErrback(lambda _: None)

    def test_refused(self) -> None:
        """A guest elsewhere is told that it was refused."""
        asking = self.ask(self.world.guest("alice"))
        (request,) = self.alice.client.devices.waiting
        self.alice.do(self.alice.client.devices.refuse(request.device_id))
        self.assertRaises(EnrolmentRefused, self.world.do, asking)
        self.assertEqual([DeviceGone(request.device_id)], self.alice.events(DeviceGone))
        self.assertEqual(1, len(self.alice.events(DeviceAsks)))

    def ask(self, guest: Guest) -> "Deferred[None]":
        """A guest asks to become a device."""
        words: list[str] = []

        async def same(_words: str) -> bool:
            return True

        asking: Deferred[None] = Deferred.fromCoroutine(guest.ask(words.append, same))
        self.world.run()
        return asking

    def waiting(self, person: Person) -> list[bytes]:
        """Who asks, as a device shows it."""
        return [request.device_id for request in person.client.devices.waiting]
