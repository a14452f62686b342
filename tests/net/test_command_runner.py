"""The command runner: started in order, so many at once, answered as they come."""

from msgspec.structs import force_setattr
from twisted.trial.unittest import SynchronousTestCase

from chatserv.net.command_runner import BUSY_SECONDS
from chatserv.net.front import Front
from chatserv.turnstile import LONG_SECONDS
from chatserv.wire import messages
from chatserv.wire.codec import encode_message, join
from tests.support.server import MemoryClient, WireServer


class CommandRunnerTests(SynchronousTestCase):
    """What `CommandRunner` promises, over a session whose store answers when told."""

    def setUp(self) -> None:
        """Alice may have three commands under way."""
        self.server = WireServer(slow=["append"], commands_in_flight=3)
        self.alice = self.server.join("alice")

    def send(self, *labels: int) -> None:
        """Alice's sends, in one record."""
        self.alice.tell(*(self.alice.next_send("", label=label) for label in labels))
        self.server.settle()

    def replies(self) -> list[int]:
        """The labels of the replies, as they came."""
        return [reply.label for reply in self.alice.all(messages.Reply)]

    @property
    def reading(self) -> bool:
        """Whether what she says next is read; one more piece is, and waits."""
        front = self.alice.seat._front
        assert isinstance(front, Front)
        return not front.paused

    def test_bound(self) -> None:
        """As many commands as the limit are under way; the next waits until one is answered."""
        self.send(1, 2, 3)
        self.assertEqual((len(self.server.store.waiting), self.reading), (3, True))
        self.send(4)
        self.assertEqual((len(self.server.store.waiting), self.reading), (3, False))
        self.server.store.fire()
        self.server.settle()
        self.assertEqual((len(self.server.store.waiting), self.reading), (3, True))
        self.server.store.fire_all()
        self.server.settle()
        self.assertEqual(self.replies(), [1, 2, 3, 4])

    def test_reading_stops_while_the_rest_waits(self) -> None:
        """While commands of a record wait nothing more is read, and nothing of it is started."""
        self.send(*range(1, 9))
        self.send(9)
        self.send(10)
        self.assertEqual((len(self.server.store.waiting), self.reading), (3, False))
        self.assertEqual((bool(self.alice._outgoing), self.alice.transport.producerState), (True, "paused"))
        runner = self.alice.seat._runner
        assert runner is not None
        self.assertEqual(len(runner._waiting), 5)
        while self.server.store.waiting:
            self.server.store.fire()
            self.server.settle()
            self.assertLessEqual(len(self.server.store.waiting), 3)
        self.assertEqual(self.replies(), list(range(1, 11)))

    def test_quick_ones_behind_a_slow_one(self) -> None:
        """A send does not wait for the commit of the one before, and a ping not for either."""
        self.send(1, 2)
        self.alice.tell(messages.Ping(3))
        self.server.settle()
        self.assertEqual(self.replies(), [3])

    def test_order_of_commits(self) -> None:
        """Sends get their places in the order in which they were sent, and replies leave in the order of the commits."""
        first = self.server.hub.rooms[self.server.lobby].head + 1
        self.send(1, 2, 3)
        self.server.store.fire_all()
        self.server.settle()
        found = [(sent.label, sent.seq - first) for sent in self.alice.all(messages.Sent)]
        self.assertEqual(found, [(1, 0), (2, 1), (3, 2)])

    def test_replies_as_they_come(self) -> None:
        """A store that answers in another order is repeated as it is."""
        self.send(1, 2, 3)
        for at in (2, 0, 0):
            self.server.store.fire(at)
        self.server.settle()
        self.assertEqual(self.replies(), [3, 1, 2])

    def test_refused_message(self) -> None:
        """A message that could not be taken is answered with its label, and takes no place of those under way."""
        bad = b"\x82\xa1t\xa7no such\xa5label\x07"
        self.alice.transmit([bad] * 8 + [encode_message(messages.Ping(8))])
        self.server.settle()
        errors = self.alice.all(messages.Error)
        self.assertEqual([(error.label, error.code) for error in errors], [(7, "unknown_type")] * 8)
        self.assertEqual(self.alice.all(messages.Ok), [messages.Ok(8)])

    def test_crash(self) -> None:
        """A handler that fails is logged, its command answered with ``internal``, and its place free again."""
        real, crashing = self.server.store, self.server.context

        class Broken:
            """A store that is broken."""

            def append(self, _: object) -> None:
                """Fails."""
                raise ZeroDivisionError

        force_setattr(crashing, "store", Broken())
        for label in range(1, 8):
            self.send(label)
        self.assertEqual([error.code for error in self.alice.all(messages.Error)], ["internal"] * 7)
        self.assertTrue(all(error.retryable for error in self.alice.all(messages.Error)))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 7)
        force_setattr(crashing, "store", real)
        self.send(8)
        self.server.store.fire_all()
        self.server.settle()
        self.assertEqual(self.alice.one(messages.Sent).label, 8)

    def test_gone(self) -> None:
        """When the connection is lost what waits is forgotten, and what is under way ends in silence."""
        self.send(1, 2, 3, 4, 5)
        self.alice.drop()
        self.server.store.fire_all()
        self.server.settle()
        self.assertEqual((len(self.server.message_seqs()), self.flushLoggedErrors()), (3, []))

    def test_who_sends_much_waits(self) -> None:
        """Records of who sends much wait at the turnstile, and nothing more of theirs is read; who says little passes."""
        bob = self.server.join("bob")
        self.server.clock.rightNow += BUSY_SECONDS
        self.server.factory.turnstile.do(self.use_up)
        self.take(self.alice, 1)
        self.assertEqual((len(self.server.store.waiting), self.reading), (1, True))
        self.take(self.alice, 2, 3)
        self.assertEqual((len(self.server.store.waiting), self.reading), (1, False))
        self.take(bob, 1)
        self.assertEqual((len(self.server.store.waiting), self.reading), (2, False))
        self.server.settle()
        self.assertEqual((len(self.server.store.waiting), self.reading), (4, True))

    def take(self, sender: MemoryClient, *labels: int) -> None:
        """Has a record of sends arrive now."""
        runner = sender.seat._runner
        assert runner is not None
        runner.take(join([encode_message(sender.next_send("", label=label)) for label in labels]))

    def use_up(self) -> None:
        """Takes all that a turn has."""
        self.server.clock.rightNow += LONG_SECONDS

    def test_many_records_at_once(self) -> None:
        """Records that come in one chunk are done one after the other, however often reading stops in between."""
        for label in range(1, 201):
            self.alice.tell(self.alice.next_send("", label=label))
        self.server.settle()
        while self.server.store.waiting:
            self.assertLessEqual(len(self.server.store.waiting), 3)
            self.server.store.fire_all()
            self.server.settle()
        self.assertEqual(self.replies(), list(range(1, 201)))
