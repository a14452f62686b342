"""The programs that show how the library is used: the echo bot and the bridge; others have modules of their own."""

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.world import Person, World
from clients import examples
from clients.examples.bridge import bridge
from clients.examples.echo_bot import serve

MAX_LINES = 100


class ExampleTestCase(SynchronousTestCase):
    """Alice and bob, and a program between them."""

    def setUp(self) -> None:
        """A server in memory."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")

    def heard(self, person: Person, room: str) -> list[str | None]:
        """What the programs said there."""
        return [text for sender, text in person.texts(room) if sender in {"echo", "bridge", "other"}]


class EchoTests(ExampleTestCase):
    """`clients.examples.echo_bot`."""

    def setUp(self) -> None:
        """The bot serves."""
        super().setUp()
        self.bot = self.world.person("echo", listens=False)
        self.serving = Deferred.fromCoroutine(serve(self.bot.client))

    def test_mentioned(self) -> None:
        """In a room it says back what mentions it, and nothing else; not even the answer of somebody to its answer."""
        self.alice.say("lobby", "hello all")
        self.alice.say("lobby", "@echo hello")
        self.world.settle()
        self.assertEqual(self.heard(self.bob, "lobby"), ["@echo hello"])
        answer = self.alice.room("lobby").message("-1", own=False)
        self.alice.do(self.alice.room("lobby").send("@echo again", reply_to=answer.message_id))
        self.world.settle()
        self.assertEqual(self.heard(self.bob, "lobby"), ["@echo hello"])

    def test_direct(self) -> None:
        """In direct messages it says back everything, also what was said before it agreed to them."""
        room = self.alice.do(self.alice.client.direct("echo"))
        self.alice.do(room.send("one"))
        self.world.settle()
        self.alice.do(room.send("two"))
        self.world.settle()
        self.assertEqual(self.heard(self.alice, "@echo"), ["one", "two"])

    def test_put_out_at_once(self) -> None:
        """A room that it is put into and out of again does not end it."""
        trap = self.alice.do(self.alice.client.create_room("trap", public=True))

        async def both() -> None:
            await trap.invite("echo")
            await trap.kick("echo")

        self.alice.do(both())
        self.world.settle(20)
        self.assertNoResult(self.serving)
        self.alice.say("lobby", "@echo there?")
        self.world.settle()
        self.assertEqual(self.heard(self.bob, "lobby"), ["@echo there?"])

    def test_ends(self) -> None:
        """It ends when its client is stopped."""
        self.assertNoResult(self.serving)
        self.bot.client.stop()
        self.world.run()
        self.successResultOf(self.serving)


class BridgeTests(ExampleTestCase):
    """`clients.examples.bridge`."""

    def test_both_ways(self) -> None:
        """What is said in one room is said in the other by the bridge, once, with the name of whoever said it."""
        self.alice.do(self.alice.client.create_room("garden", public=True))
        left, right = (self.world.person(name, listens=False) for name in ("bridge", "other"))
        right.do(right.client.join("garden"))
        self.world.settle()
        bridging = Deferred.fromCoroutine(bridge(left.client, "lobby", right.client, "garden"))
        self.bob.say("lobby", "from the lobby")
        self.alice.say("garden", "from the garden")
        self.world.settle()
        self.assertEqual(self.heard(self.alice, "garden"), ["<bob> from the lobby"])
        self.assertEqual(self.heard(self.bob, "lobby"), ["<alice> from the garden"])
        for person in (left, right):
            person.client.stop()
        self.world.run()
        self.successResultOf(bridging)


class SizeTests(SynchronousTestCase):
    """An example is short."""

    def test_lines(self) -> None:
        """Each has less than 100 lines."""
        for name in ("echo_bot", "bridge", "file_keeping_bot", "webhook_bot"):
            source = Path(examples.__path__[0]) / f"{name}.py"
            self.assertLess(len(source.read_text().splitlines()), MAX_LINES, name)
