"""Texts that are on their way."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import MessageReceived, SendAcknowledged, SendFailed, SendQueued
from chatserv.client.outbound.pending import (
    FAILED,
    MAX_SETTLED,
    SENDING,
    STORED,
    PendingMessages,
    WaitingMessage,
    Withdrawn,
)
from chatserv.errors import Muted, NotFound
from chatserv.testing.world import World

ROOM = b"r" * 16


def waiting(number: int) -> WaitingMessage:
    """A text."""
    return WaitingMessage(number.to_bytes(16, "big"), f"text {number}", False, None, 0)


class TableTests(SynchronousTestCase):
    """`Waiting` alone."""

    def test_states(self) -> None:
        """A text is sending, then stored or failed, and goes when it is dropped; order and rooms are kept."""
        table, error = PendingMessages(), Muted()
        for number in (1, 2, 3):
            table.put_message(ROOM, waiting(number))
        table.put_message(b"s" * 16, waiting(4))
        table.stored(waiting(1).message_id)
        table.failed(waiting(2).message_id, error)
        self.assertEqual([each.state for each in table.of(ROOM)], [STORED, FAILED, SENDING])
        self.assertIs(table.of(ROOM)[1].error, error)
        table.drop(waiting(1).message_id)
        self.assertEqual([each.text for each in table.of(ROOM)], ["text 2", "text 3"])

    def test_unknown(self) -> None:
        """What is told of other messages changes nothing."""
        table = PendingMessages()
        table.stored(b"x" * 16)
        table.failed(b"x" * 16, Muted())
        table.drop(b"x" * 16)
        self.assertEqual(table.of(ROOM), [])

    def test_bounded(self) -> None:
        """Of stored and failed ones, the oldest leave above the bound; what is being sent stays."""
        table = PendingMessages()
        table.put_message(ROOM, waiting(0))
        for number in range(1, MAX_SETTLED + 2):
            table.put_message(ROOM, waiting(number))
            table.stored(waiting(number).message_id)
        kept = table.of(ROOM)
        self.assertEqual(len(kept), MAX_SETTLED + 1)
        self.assertEqual([each.text for each in kept[:2]], ["text 0", "text 2"])


class WaitingCase(SynchronousTestCase):
    """With a server."""

    def setUp(self) -> None:
        """Alice and bob in the lobby."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")
        self.room = self.bob.room("lobby")


class WaitingTests(WaitingCase):
    """From the line that is typed to the message in the room."""

    def states(self) -> list[tuple[str, str]]:
        """What waits."""
        return [(each.text, each.state) for each in self.room.waiting()]

    def test_told_in_order(self) -> None:
        """A text is told as queued, then as stored, and as a message of the room; then it waits no more."""
        self.bob.told.clear()
        self.room.send("hello")
        self.assertEqual(self.states(), [("hello", SENDING)])
        self.world.settle()
        self.assertEqual(self.states(), [])
        (queued,), (stored,) = self.bob.events(SendQueued), self.bob.events(SendAcknowledged)
        (message,) = self.bob.events(MessageReceived)
        self.assertEqual((queued.room, queued.text), ("lobby", "hello"))
        self.assertEqual({queued.message_id, stored.message_id, message.message_id}, {queued.message_id})

    def test_failed_sent_again_or_given_up(self) -> None:
        """What was refused stays with its reason until it is sent again or given up."""
        self.alice.do(self.alice.room("lobby").mute("bob"))
        self.world.settle()
        for text in ("one", "two"):
            self.room.send(text).addErrback(lambda _: None)
        self.world.settle()
        self.assertEqual(self.states(), [("one", FAILED), ("two", FAILED)])
        self.assertEqual(len(self.bob.events(SendFailed)), 2)
        one, two = self.room.waiting()
        self.assertIsInstance(one.error, Muted)
        self.room.discard(one.message_id)
        with self.assertRaises(NotFound):
            self.room.resend(one.message_id)
        self.alice.do(self.alice.room("lobby").mute("bob", on=False))
        self.world.settle()
        self.bob.do(self.room.resend(two.message_id))
        self.world.settle()
        self.assertEqual(self.states(), [])
        self.assertEqual(self.alice.texts("lobby"), [("bob", "two")])

    def test_told_at_the_start(self) -> None:
        """What could not leave before the program ended is told when it begins again, and leaves."""
        self.world.server.up = False
        self.world.server.cut()
        self.room.send("later")
        self.bob.leave_the_machine()
        self.bob.told.clear()
        self.bob.client = self.bob._make(follow=True)
        self.bob.client.start()
        self.assertEqual([event.text for event in self.bob.events(SendQueued)], ["later"])
        self.assertEqual([each.text for each in self.bob.room("lobby").waiting()], ["later"])
        self.world.server.up = True
        self.world.settle(70)
        self.assertEqual(self.alice.texts("lobby"), [("bob", "later")])
        self.assertEqual(self.bob.room("lobby").waiting(), [])

    def test_answer_lost(self) -> None:
        """A text whose answer was lost, and that is in its room, does not wait any more after the next answer."""
        self.patch(self.bob.client.engine.outbox, "_stored", lambda *_: None)
        self.room.send("ghost")
        self.world.settle()
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertEqual(self.bob.room("lobby").waiting(), [])
        self.assertEqual([text for _, text in self.alice.texts("lobby")], ["ghost"])

    def test_discarded_before_it_leaves(self) -> None:
        """What has not left yet can be given up; what is under way or unknown cannot."""
        self.world.server.up = False
        self.world.server.cut()
        sent = self.room.send("never")
        (message,) = self.room.waiting()
        self.room.discard(message.message_id)
        self.failureResultOf(sent, Withdrawn)
        self.assertEqual(self.bob.client._lifecycle.notifier._acknowledgements, {})
        self.assertEqual((self.states(), self.bob.client.unacknowledged), ([], 0))
        with self.assertRaises(NotFound):
            self.room.discard(message.message_id)


class MarkerTests(WaitingCase):
    """The read marker, unread counts and the search."""

    def test_unread(self) -> None:
        """Messages of others after the marker are unread; the marker moves here without a word to anybody."""
        for text in ("one", "two"):
            self.alice.say("lobby", text)
        self.bob.say("lobby", "three")
        self.world.settle()
        self.assertEqual(self.room.unread, 2)
        first = self.bob.events(MessageReceived)[-3].seq
        self.room.mark_seen(first)
        self.assertEqual((self.room.unread, self.room.read), (1, first))
        self.room.mark_seen()
        self.assertEqual(self.room.unread, 0)
        self.room.mark_seen(first)
        self.assertEqual(self.room.unread, 0, "it does not go back")
        member = next(each for each in self.alice.room("lobby").members() if each.user == "bob")
        self.assertEqual(member.read, 0)

    def test_search(self) -> None:
        """Messages are found on this device, in all rooms or one, the newest first."""
        self.alice.say("lobby", "the plan is good")
        self.bob.say("lobby", "plans change")
        self.world.settle()
        self.assertEqual([each.text for each in self.bob.client.search("plan")], ["plans change", "the plan is good"])
        self.assertEqual([each.sender for each in self.bob.client.search("PLAN good", "#lobby")], ["alice"])
        self.assertEqual(self.bob.client.search("nowhere"), [])
