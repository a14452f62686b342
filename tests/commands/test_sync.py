"""Catching up: every event above the cursor once, in order, whatever happens meanwhile."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.unlimited import RATES
from chatserv.wire import messages
from tests.support.server import WireServer
from tests.support.smith import LARGEST

DEVICES = 2
ROOMS = 2


class SyncTests(SynchronousTestCase):
    """What `sync` promises, over real sessions."""

    def setUp(self) -> None:
        """Alice writes; pages are short."""
        self.server = WireServer(page_events=3)
        self.alice = self.server.join("alice")
        self.bob = self.server.join("bob")

    def write(self, count: int) -> None:
        """Alice writes so many messages."""
        for number in range(count):
            self.alice.say(f"number {number}")

    def test_nothing_before_sync(self) -> None:
        """A session that has not asked gets no event."""
        self.write(3)
        self.assertEqual(self.bob.seqs(), [])

    def test_missing_then_live(self) -> None:
        """What is missing comes in order, over several pages, then the answer, then live events."""
        self.write(8)
        reply = self.bob.sync(since=2)
        self.assertEqual(self.bob.seqs(), [3, 4, 5, 6, 7, 8])
        self.assertIs(self.bob.received[-1], reply)
        self.write(2)
        self.assertEqual(self.bob.seqs(), [3, 4, 5, 6, 7, 8, 9, 10])

    def test_no_cursor(self) -> None:
        """A room without a cursor starts where the place does."""
        self.write(2)
        carol = self.server.join("carol")
        self.write(2)
        for client, expected in ((self.bob, [1, 2, 3, 4]), (carol, [3, 4])):
            client.ask(messages.Sync, store=self.server.memory.incarnation)
            self.assertEqual(client.seqs(), expected)

    def test_cursor_before_the_place(self) -> None:
        """A cursor from before one came brings nothing from before."""
        self.write(2)
        carol = self.server.join("carol")
        self.write(1)
        carol.sync(since=0)
        self.assertEqual(carol.seqs(), [3])

    def test_cursor_of_another_incarnation(self) -> None:
        """After a restore a cursor counts as 0: everything comes again rather than something never."""
        self.write(4)
        self.bob.ask(messages.Sync, store=b"another store---", cursors=((self.server.lobby, 4),))
        self.assertEqual(self.bob.seqs(), [1, 2, 3, 4])

    def test_cursor_above_the_head(self) -> None:
        """A cursor above the head counts as the head: the next event comes live."""
        self.write(2)
        self.assertIsInstance(self.bob.sync(since=2**63 - 1), messages.Ok)
        self.write(1)
        self.assertEqual(self.bob.seqs(), [3])

    def test_cursors_of_other_rooms(self) -> None:
        """Cursors of rooms that one is not in are ignored."""
        private = self.server.make_room(self.server.founder)
        cursors = ((private, 0), (b"?" * 16, 5))
        self.assertIsInstance(
            self.bob.ask(messages.Sync, store=self.server.memory.incarnation, cursors=cursors), messages.Ok
        )

    def test_only_once(self) -> None:
        """A second sync of a session is refused, also while the first is under way, and repeats nothing."""
        self.write(2)
        self.bob.sync()
        self.assertEqual(self.bob.sync().code, "bad_message")
        self.assertEqual(self.bob.seqs(), [1, 2])

    def test_large_events(self) -> None:
        """A page of the largest events, more than the hard limit together, reaches a client that reads."""
        server = WireServer(**RATES)
        alice, bob = server.join("alice"), server.join("bob")
        count = server.config.limits.page_events
        self.assertGreater(count * LARGEST, server.config.limits.sendq_hard_bytes)
        for _ in range(count):
            alice.say("x" * LARGEST)
        bob.transport.full_above = 65_536
        reply = bob.sync()
        self.assertEqual((bob.lost, bob.seqs()), (False, list(range(1, count + 1))))
        self.assertIsInstance(reply, messages.Ok)

    def test_not_read(self) -> None:
        """For a client that does not read, sync waits near the soft limit instead of filling the queue."""
        server = WireServer(**RATES)
        alice, bob = server.join("alice"), server.join("bob")
        for _ in range(100):
            alice.say("x" * LARGEST)
        bob.reading, bob.transport.full_above = False, 65_536
        self.assertIsNone(bob.sync())
        queue = bob.protocol._sendq
        assert queue is not None
        limits = server.config.limits
        self.assertLessEqual(queue.queued_bytes, limits.sendq_soft_bytes + 2 * limits.envelope_bytes)
        bob.reading = True
        server.settle()
        self.assertEqual(bob.seqs(), list(range(1, 101)))

    def test_committed_but_not_delivered(self) -> None:
        """What a read finds above the head comes live, when it is delivered, and only then.

        A store's reader sees a commit before the reactor has heard of it.
        """
        server = WireServer()
        alice, bob = server.join("alice"), server.join("bob")
        alice.say("one")
        held: list[Any] = []
        listeners, server.memory._listeners = server.memory._listeners, [held.append]
        alice.say("two")
        server.memory._listeners = listeners
        bob.sync()
        self.assertEqual(bob.seqs(), [1])
        for batch in held:
            server.backplane.publish(batch)
        server.settle()
        self.assertEqual(bob.seqs(), [1, 2])

    def test_gone_while_it_reads(self) -> None:
        """A connection that is lost while the store reads ends its sync without a trace."""
        server = WireServer(slow=["events"])
        alice, bob = server.join("alice"), server.join("bob")
        alice.say("one")
        self.assertIsNone(bob.sync())
        bob.drop()
        server.store.fire_all()
        alice.say("two")
        self.assertEqual((bob.seqs(), server.hub.rooms[server.lobby].live), ([], {}))

    def test_log_that_is_shorter_than_its_head(self) -> None:
        """A log with a hole is a failure of ours that the client is told, not an endless loop."""
        self.write(3)
        del self.server.memory._rooms._rooms[self.server.lobby].events[:]
        self.assertEqual(self.bob.sync().code, "internal")

    def test_rooms_take_turns(self) -> None:
        """A long room does not keep the others waiting: pages of all rooms alternate."""
        carol = self.server.join("carol")
        other = self.server.make_room(carol.account)
        for number in range(6):
            carol.say(str(number))
            carol.say(str(number), other)
        dave = self.server.log_in(carol.account)
        dave.ask(messages.Sync, store=self.server.memory.incarnation)
        rooms = [event.room for event in dave.all(messages.Event)]
        self.assertEqual([rooms[at] for at in (0, 3, 6, 9)], [rooms[0], rooms[3]] * 2)
        self.assertNotEqual(rooms[0], rooms[3])
