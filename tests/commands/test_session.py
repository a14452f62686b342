"""Commands about the session itself."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.closing import CloseReason
from chatserv.wire import messages
from tests.support.server import MemoryServer


class SessionCommandTests(SynchronousTestCase):
    """What `ping`, `bye` and `welcome` promise."""

    def setUp(self) -> None:
        """Alice is online."""
        self.server = MemoryServer()
        self.alice = self.server.join("alice")

    def test_ping(self) -> None:
        """A ping is answered with its label."""
        self.assertEqual(self.alice.ask(messages.Ping), messages.Ok(1))

    def test_bye(self) -> None:
        """Whoever leaves gets the answer, then CLOSE, and leaves a place."""
        self.assertEqual(self.alice.ask(messages.Bye), messages.Ok(1))
        self.assertIs(self.alice.close_reason, CloseReason.NORMAL)
        self.assertTrue(self.alice.lost)
        self.assertEqual(self.server.hub.sessions, [])

    def test_bye_answers_what_came_before(self) -> None:
        """Commands before the farewell in the same record are answered before CLOSE."""
        self.alice.tell(messages.Ping(1), messages.Send(2, self.server.lobby, b"i" * 16, 0, b"last"), messages.Bye(3))
        self.server.settle()
        self.assertEqual([reply.label for reply in self.alice.all(messages.Reply)], [1, 2, 3])
        self.assertIs(self.alice.close_reason, CloseReason.NORMAL)

    def test_welcome(self) -> None:
        """The first message says who one is, what rooms there are and how far they are, the limits, clock and store."""
        self.alice.say("one")
        bob = self.server.join("bob")
        welcome = bob.received[0]
        assert isinstance(welcome, messages.Welcome)
        self.assertEqual((welcome.name, welcome.role, len(welcome.account)), ("bob", "user", 16))
        self.assertEqual(welcome.rooms, (messages.RoomInfo(self.server.lobby, "lobby", 0, 1, 1),))
        self.assertEqual((welcome.time, welcome.store), (self.server.now_ms(), self.server.memory.incarnation))
        limits = self.server.config.limits
        self.assertEqual(
            welcome.limits,
            messages.LimitInfo(limits.line_bytes, limits.envelope_bytes, limits.idle_seconds, limits.history_events),
        )
