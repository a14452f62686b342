"""Whether somebody is there."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import PresenceSeen
from chatserv.testing.world import World


class AwayTests(SynchronousTestCase):
    """Bob goes away; alice looks."""

    def setUp(self) -> None:
        """Both are in the lobby."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")

    def seen(self) -> list[str]:
        """What alice was told of bob."""
        return [event.presence for event in self.alice.events(PresenceSeen) if event.user == "bob"]

    def own(self) -> str:
        """What bob's own list of members says of bob."""
        return next(member.presence for member in self.bob.room("lobby").members() if member.user == "bob")

    def test_away_and_back(self) -> None:
        """Others see it, and so does whoever says it."""
        self.assertEqual(self.own(), "online")
        for away, presence in ((True, "away"), (False, "online")):
            self.bob.do(self.bob.client.set_away(away=away))
            self.assertEqual((self.seen()[-1], self.own()), (presence, presence))

    def test_holds_over_a_lost_connection(self) -> None:
        """Who is away is away in the next session too, from its first moment."""
        self.bob.do(self.bob.client.set_away(away=True))
        self.alice.told.clear()
        self.world.server.cut()
        self.world.settle(20)
        self.assertEqual((self.seen()[-1:], "online" in self.seen(), self.own()), (["away"], False, "away"))

    def test_said_without_a_connection(self) -> None:
        """What is said meanwhile is told later; without a connection nobody is online."""
        self.world.server.up = False
        self.world.server.cut()
        self.world.run()
        self.assertEqual(self.own(), "offline")
        self.bob.do(self.bob.client.set_away(away=True))
        self.world.server.up = True
        self.world.settle(90)
        self.assertEqual((self.seen()[-1], self.own()), ("away", "away"))
