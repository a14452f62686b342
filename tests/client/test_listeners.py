"""Several listeners of one client: nobody misses what another was shown."""

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Client, ClientEvent, MessageReceived, RoomOffered, Status, StatusChanged
from chatserv.client.events import Delivered, SendQueued
from chatserv.client.inbound.backlog import KEPT_AT_ONCE
from chatserv.client.state.listeners import MAX_LISTENERS
from chatserv.errors import NameInvalid, Quota
from chatserv.testing.world import World


class ListenerCase(SynchronousTestCase):
    """Alice talks, several of bob's programs listen."""

    def setUp(self) -> None:
        """Both are in the lobby."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")
        self.heard: list[str | None] = []
        self.events: list[ClientEvent] = []

    def hear(self, event: ClientEvent) -> None:
        """Notes what is told."""
        self.events.append(event)
        if isinstance(event, MessageReceived):
            self.heard.append(event.text)

    def listen(self, name: str = "irc", *, follow: bool = True) -> Callable[[], None]:
        """One more of bob's listeners."""
        return self.bob.client.listen(self.hear, name=name, follow=follow)

    def say(self, *texts: str) -> None:
        """Alice says something, and time passes."""
        for text in texts:
            self.alice.say("lobby", text)
        self.world.settle()

    def begin(self, *, follow: bool = True, name: str = "default") -> None:
        """Bob's program starts again."""
        self.bob.leave_the_machine()
        self.bob.told.clear()
        self.bob.client = Client(
            self.bob.profile, self.world.reactor, self.bob.told.append, follow=follow, name=name,
            **self.world.surroundings,
        )  # fmt: skip
        self.bob.client.start()
        self.world.settle()


class ListenTests(ListenerCase):
    """`Client.listen`."""

    def test_both(self) -> None:
        """Two listeners are told the same, and one that fails keeps nothing from the other."""

        def fail(event: ClientEvent) -> None:
            if isinstance(event, MessageReceived):
                raise ZeroDivisionError

        self.bob.client.listen(fail, name="broken")
        self.listen()
        self.say("one", "two")
        self.assertEqual(self.heard, ["one", "two"])
        self.assertEqual([text for _, text in self.bob.texts("lobby")], ["one", "two"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_place_of_its_own(self) -> None:
        """What one was shown while the other was away, the other is told when it is back; also over a restart."""
        leave = self.listen()
        self.say("one")
        leave()
        self.say("two")
        self.begin()
        self.assertEqual(self.bob.texts("lobby"), [])
        self.say("three")
        self.listen()
        self.world.settle()
        self.assertEqual(self.heard, ["one", "two", "three"])

    def test_first_alone_follows_later(self) -> None:
        """What a listener was shown, the first one is still told."""
        self.bob.client.follow(False)
        self.listen()
        self.say("one", "two")
        self.assertEqual(self.bob.texts("lobby"), [])
        self.bob.client.follow()
        self.world.settle()
        self.assertEqual([text for _, text in self.bob.texts("lobby")], ["one", "two"])
        self.say("three")
        self.assertEqual(len(self.bob.texts("lobby")), 3)
        self.assertEqual(self.heard, ["one", "two", "three"])

    def test_nobody(self) -> None:
        """What nobody follows stays unshown, and is told to the first who comes."""
        self.begin(follow=False)
        self.say("one")
        self.begin(follow=False)
        self.listen("late")
        self.world.settle()
        self.assertEqual(self.heard, ["one"])
        self.assertEqual(self.bob.texts("lobby"), [])

    def test_many_kept(self) -> None:
        """A listener that comes late is told in batches, in order, what comes meanwhile behind; others not twice."""
        self.listen()()
        texts = [str(number) for number in range(2 * KEPT_AT_ONCE + 1)]
        for text in texts:
            self.alice.client.send("lobby", text)
        self.world.settle()
        self.listen()
        self.assertEqual(len(self.heard), KEPT_AT_ONCE)
        self.say("live")
        self.assertEqual(self.heard, [*texts, "live"])
        self.assertEqual([text for _, text in self.bob.texts("lobby")], [*texts, "live"])

    def test_two_of_one_name(self) -> None:
        """Two of one name are both told what comes, and begin where the name stands."""
        leave = self.listen()
        other: list[ClientEvent] = []
        self.bob.client.listen(other.append, name="irc")
        self.say("one")
        self.assertEqual(self.heard, ["one"])
        self.assertEqual([event.text for event in other if isinstance(event, MessageReceived)], ["one"])
        leave()
        self.begin()
        self.listen()
        self.world.settle()
        self.assertEqual(self.heard, ["one"])

    def test_named_program(self) -> None:
        """A program with a name of its own leaves the default place alone."""
        self.begin(name="follow")
        self.say("one")
        self.assertEqual(self.bob.texts("lobby"), [("alice", "one")])
        self.begin(name="follow")
        self.assertEqual(self.bob.texts("lobby"), [])
        self.begin()
        self.assertEqual(self.bob.texts("lobby"), [("alice", "one")])

    def test_how_things_stand(self) -> None:
        """Who comes late is told what waits, what is offered, and the connection."""
        plans = self.alice.do(self.alice.client.create_room("plans"))
        self.alice.do(plans.invite("bob"))
        self.world.settle()
        self.world.server.up = False
        self.world.server.cut()
        self.bob.client.send("lobby", "waits")
        self.listen(follow=False)
        self.assertEqual([event.text for event in self.events if isinstance(event, SendQueued)], ["waits"])
        self.assertIn(RoomOffered("plans", "alice"), self.events)
        status = self.events[-1]
        self.assertEqual((isinstance(status, StatusChanged), self.heard), (True, []))
        self.world.server.up = True
        self.world.settle(70)
        self.assertEqual(self.events.count(StatusChanged(Status.ONLINE)), 1)

    def test_before_the_start(self) -> None:
        """Who listens before the start is told from the start on."""
        self.bob.leave_the_machine()
        self.say("one")
        self.bob.client = self.bob._make(follow=False)
        self.listen()
        self.bob.client.start()
        self.world.settle()
        self.assertEqual((self.heard, self.events[0]), (["one"], StatusChanged(Status.CONNECTING)))

    def test_too_many(self) -> None:
        """One listener too many is refused, and the others go on."""
        leaving = [self.listen("irc") for _ in range(MAX_LISTENERS - 1)]
        self.assertRaises(Quota, self.listen, "irc")
        leaving[0]()
        leaving[0]()
        self.listen("irc")
        self.assertRaises(NameInvalid, self.listen, "two words")


class AcceptedTests(ListenerCase):
    """What was said in a room before it was agreed to."""

    def test_others_are_told(self) -> None:
        """Who accepts gets it, the others are told it once."""
        plans = self.alice.do(self.alice.client.create_room("plans"))
        self.alice.do(plans.invite("bob"))
        self.alice.say("plans", "before")
        self.listen()
        self.world.settle()
        self.assertEqual(self.heard, [])
        self.assertEqual([message.text for message in self.bob.room("plans").accept()], ["before"])
        self.world.settle()
        self.alice.say("plans", "after")
        self.world.settle()
        self.assertEqual(self.heard, ["before", "after"])
        self.assertEqual(self.bob.texts("plans"), [("alice", "after")])


class ReceiptTests(ListenerCase):
    """Senders of direct messages are told that they arrived when a program was told, and once."""

    def delivered(self) -> int:
        """How many messages of alice's arrived."""
        return sum(len(event.message_ids) for event in self.alice.events(Delivered))

    def test_program_and_listener(self) -> None:
        """A listener alone is no arrival; the program is, and telling another program again sends nothing more."""
        direct = self.alice.do(self.alice.client.direct("bob"))
        self.world.settle()
        self.bob.room("@alice").accept()
        self.world.settle()
        self.bob.client.follow(False)
        self.listen()
        self.alice.do(direct.send("one"))
        self.world.settle(20)
        self.assertEqual((self.heard, self.delivered()), (["one"], 0))
        self.begin(name="follow")
        self.alice.do(direct.send("two"))
        self.world.settle(20)
        sent = self.bob.room("@alice").position
        self.begin()
        self.world.settle(20)
        self.assertEqual([text for _, text in self.bob.texts("@alice")], ["one", "two"])
        self.assertEqual(self.bob.room("@alice").position, sent)
