"""Messages that the server does not keep: what is told of the holes that its rule makes, and of those that it does not."""

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import GapSeen, MessageReceived, MessagesExpired, MessagesMissing, RetentionChanged
from chatserv.client.slash.dispatcher import Slash
from chatserv.commands.retention import Sweeper
from chatserv.config import Retention
from chatserv.testing.world import World

HOUR = 3600
STEP_SECONDS = 20


class RuleTests(SynchronousTestCase):
    """Three people in a private room; carol is away for long."""

    def setUp(self) -> None:
        """Puts them there."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.server = self.world.server
        self.alice = self.world.person("alice", admin=True)
        self.bob, self.carol = self.world.person("bob"), self.world.person("carol")
        self.alice.do(self.alice.client.create_room("plans"))
        for person in (self.bob, self.carol):
            self.alice.do(self.alice.room("plans").invite(person.name))
            self.world.settle(3)
            person.room("plans").accept()
            self.world.settle(3)
        self.sweeper = Sweeper(self.server.context, 0)
        self.sweep()

    def rule(self, age: float = 0, size: int = 0) -> None:
        """The operator's rule is this from now on."""
        config = replace(self.server.context.config, retention=Retention(age, size))
        self.server.context.settings.replace(config)

    def sweep(self) -> int:
        """The server deletes what is due."""
        return self.world.do(self.sweeper.sweep())

    def hours(self, number: int) -> None:
        """So many hours pass, for everybody."""
        for _ in range(number * HOUR // STEP_SECONDS):
            self.world.run()
            self.server.pass_time(STEP_SECONDS)
        self.world.run()

    def away(self, hours: int) -> None:
        """Carol is away, while alice and bob talk, and comes back; the server has swept before."""
        self.carol.leave_the_machine()
        for text in ("one", "two"):
            self.alice.say("plans", text)
            self.bob.say("plans", text)
        self.sweep()
        self.hours(hours)
        self.sweep()
        self.carol.told.clear()
        self.carol.come_back()
        self.world.settle(5)

    def test_hole(self) -> None:
        """What is gone by the rule is told as that, once, and nobody is blamed for it, nor behind it; what is new comes."""
        self.rule(age=3 * HOUR)
        self.away(4)
        self.assertEqual(
            [("plans", 4)], [(each.room, each.last - each.first + 1) for each in self.carol.events(MessagesExpired)]
        )
        self.alice.say("plans", "three")
        self.bob.say("plans", "four")
        self.alice.do(self.alice.room("plans").rotate())
        self.bob.say("plans", "five")
        self.world.settle(5)
        self.assertEqual(["three", "four", "five"], [text for _, text in self.carol.texts("plans")][-3:])
        self.assertEqual([], self.carol.events(GapSeen) + self.carol.events(MessagesMissing))
        self.assertEqual([RetentionChanged(3.0 * HOUR, 0)], self.carol.events(RetentionChanged))

    def test_behind_a_restart(self) -> None:
        """Nor is anybody blamed who speaks only when the program was started anew."""
        self.rule(age=3 * HOUR)
        self.away(4)
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.bob.say("plans", "six")
        self.assertEqual("six", self.carol.texts("plans")[-1][1])
        self.assertEqual([], self.carol.events(GapSeen) + self.carol.events(MessagesMissing))

    def test_not_away_for_so_long(self) -> None:
        """A hole of an hour ago is none of a rule of three, whatever the server says is the first that it keeps."""
        self.rule(age=3 * HOUR)
        self.away(2)  # nothing goes
        self.carol.leave_the_machine()
        self.alice.say("plans", "swallowed")
        room_id = self.carol_room()
        head = self.server.context.hub.rooms[room_id].head
        self.server.store._rooms.forget(self.server.store._rooms._rooms[room_id].events[head - 1])
        self.server.context.hub.rooms[room_id].first = head + 1
        self.hours(1)
        self.carol.told.clear()
        self.carol.come_back()
        self.assertEqual([GapSeen("plans", head, head)], self.carol.events(GapSeen))
        self.assertEqual([], self.carol.events(MessagesExpired))

    def test_beyond_the_first(self) -> None:
        """A hole behind the first place that the server keeps is none of the rule, however long one was away."""
        self.rule(age=3 * HOUR)
        self.carol.leave_the_machine()
        self.alice.say("plans", "swallowed")
        room_id = self.carol_room()
        head = self.server.context.hub.rooms[room_id].head
        self.server.store._rooms.forget(self.server.store._rooms._rooms[room_id].events[head - 1])
        self.hours(9)
        self.carol.told.clear()
        self.carol.come_back()
        self.assertEqual(1, len(self.carol.events(GapSeen)))

    def carol_room(self) -> bytes:
        """The room's id."""
        (info,) = [
            room
            for room in self.alice.client.engine.rooms.all()
            if self.alice.client.engine.rooms.name(room) == "plans"
        ]
        return info.room_id

    def test_people_are_told(self) -> None:
        """Whoever comes is told of the rule, and when it is another one; /keep says it at any time."""
        self.rule(age=90 * HOUR)
        dora = self.world.person("dora")
        self.assertEqual([RetentionChanged(90.0 * HOUR, 0)], dora.events(RetentionChanged))
        dora.leave_the_machine()
        dora.come_back()
        self.assertEqual([], dora.events(RetentionChanged))
        lines = self.world.do(Slash(dora.client).run("/keep"))
        self.assertIn("The server deletes messages that are older than 90 hours.", lines)
        self.rule()
        dora.leave_the_machine()
        dora.come_back()
        self.assertEqual([RetentionChanged(0.0, 0)], dora.events(RetentionChanged))

    def test_all_gone(self) -> None:
        """Where nothing is left behind the place that somebody has reached, they are up to date, and what comes is live."""
        self.rule(age=3 * HOUR)
        self.away(4)
        self.alice.say("plans", "live")
        self.assertEqual("live", self.carol.texts("plans")[-1][1])
        self.assertEqual(1, len([each for each in self.carol.events(MessageReceived) if each.text == "live"]))

    def test_clock_that_jumps(self) -> None:
        """A server whose clock is set a year ahead deletes nothing."""
        self.rule(age=30 * HOUR)
        self.alice.say("plans", "stays")
        self.sweep()
        now_ms = self.server.context.effects.now_ms
        ahead = Sweeper(self.server.context, now_ms())
        ahead._clock.tick(now_ms() + 365 * 24 * HOUR * 1000, self.server.context.effects.seconds())
        self.assertEqual(0, self.world.do(ahead.sweep()))
