"""What a program is told, and what leaves the disk."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Client, ClientEvent, MessageReceived, StorageError
from chatserv.client.inbound.backlog import KEPT_AT_ONCE
from chatserv.client.tidying import TIDY_SECONDS
from chatserv.testing.world import World


class ShowingTests(SynchronousTestCase):
    """Alice talks, bob's program listens."""

    def setUp(self) -> None:
        """Both are in the lobby."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")

    def test_callback_fails(self) -> None:
        """A callback that fails on a message misses none of the others."""
        self.bob.leave_the_machine()
        for text in ("one", "two", "three"):
            self.alice.say("lobby", text)
        heard: list[str | None] = []

        def on_event(event: ClientEvent) -> None:
            if isinstance(event, MessageReceived):
                heard.append(event.text)
                if event.text == "two":
                    raise ValueError

        self.bob.client = Client(self.bob.profile, self.world.reactor, on_event, **self.world.surroundings)
        self.bob.client.start()
        self.world.settle()
        self.alice.say("lobby", "four")
        self.world.settle()
        self.assertEqual(heard, ["one", "two", "three", "four"])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def unshown(self, count: int) -> list[str]:
        """So many messages that bob's device has and his program was not shown, and that is stopped."""
        self.bob.client.unfollow()
        texts = [str(number) for number in range(count)]
        for text in texts:
            self.alice.client.send("lobby", text)
        self.world.settle()
        self.bob.leave_the_machine()
        return texts

    def test_many_kept(self) -> None:
        """What was kept is told first, in batches, and what comes meanwhile behind it."""
        texts = self.unshown(3 * KEPT_AT_ONCE + 1)
        self.alice.say("lobby", "live")
        self.bob.told.clear()
        self.bob.client = self.bob._make(follow=True)
        self.bob.client.start()
        self.assertEqual(len(self.bob.texts("lobby")), KEPT_AT_ONCE, "others have their turn")
        self.world.settle()
        self.assertEqual([text for _, text in self.bob.texts("lobby")], [*texts, "live"])
        self.alice.say("lobby", "later")
        self.world.settle()
        self.assertEqual(self.bob.texts("lobby")[-1], ("alice", "later"))

    def test_stopped_between_batches(self) -> None:
        """Who is stopped between two batches is told the rest the next time."""
        texts = self.unshown(2 * KEPT_AT_ONCE)
        self.bob.told.clear()
        self.bob.client = self.bob._make(follow=True)
        self.bob.client.start()
        self.bob.leave_the_machine()
        first = [text for _, text in self.bob.texts("lobby")]
        self.bob.come_back()
        self.assertEqual(first + [text for _, text in self.bob.texts("lobby")], texts)

    def test_stopped_on_a_failing_disk(self) -> None:
        """A client whose disk fails while it stops lets the profile go all the same."""
        self.patch(self.bob.client.engine.outbox, "store", self.fail_to_store)
        stopped = self.bob.client.stop()
        self.world.settle()
        self.successResultOf(stopped)  # nothing is lost: what was not stored is asked for again
        self.bob.client = self.bob._make(follow=True)
        self.bob.client.start()
        self.world.settle()
        self.assertTrue(self.bob.online)

    def fail_to_store(self) -> None:
        """The disk is gone."""
        raise StorageError("client.db: disk I/O error")

    def test_taken_back_leaves_the_disk(self) -> None:
        """A message that was taken back is nowhere in the file some minutes later, while the program runs on."""
        self.alice.say("lobby", "xylophones")
        self.world.settle()
        self.alice.do(self.alice.room("lobby").delete(self.alice.room("lobby").history()[-1].message_id))
        self.world.settle(round(TIDY_SECONDS) + 2)
        file = self.bob.profile.database
        kept = b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))
        self.assertFalse(b"xylophones" in kept)
