"""Every phase of a connection has an end that its other side cannot put off."""

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.closing import CloseReason
from chatserv.net.front import Front
from chatserv.net.timers import TICK_SECONDS
from chatserv.wire import messages
from tests.support.server import MemoryClient, MemoryTransport, WireServer


class TlsHandshakeTests(SynchronousTestCase):
    """A connection on which TLS never comes up."""

    def setUp(self) -> None:
        """A connection whose `handshakeCompleted` does not come."""
        self.server = WireServer(tls_handshake_seconds=10, login_seconds=30)
        protocol = self.server.factory.buildProtocol(None)
        assert isinstance(protocol, Front)
        self.protocol = protocol
        self.ends: list[bool] = []
        self.transport = MemoryTransport(self.ends.append)
        protocol.makeConnection(self.transport)

    def test_aborted(self) -> None:
        """It is aborted after its time, not before, and at most a tick later."""
        self.server.advance(9.9)
        self.assertEqual(self.ends, [])
        self.server.advance(TICK_SECONDS + 0.1)
        self.assertEqual(self.ends, [True])
        self.assertEqual(self.transport.value(), b"")

    def test_place_is_free_again(self) -> None:
        """Afterwards nothing of it is left."""
        self.server.advance(12)
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.server.factory.connections, set())
        self.assertEqual(len(self.server.factory.wheel), 0)


class LoginTests(SynchronousTestCase):
    """A connection that does not log in."""

    def setUp(self) -> None:
        """A server with short patience for logins and long for everything else."""
        self.server = WireServer(login_seconds=30, close_seconds=5)

    def connect(self) -> MemoryClient:
        """A connection that has said nothing."""
        client = self.server.connect(self.server.account("alice"), token=b"")
        assert client is not None
        return client

    def test_silence(self) -> None:
        """A client that says nothing is told why and closed after its time."""
        client = self.connect()
        self.server.advance(29.9)
        self.assertFalse(client.transport.disconnecting)
        self.server.clock.advance(TICK_SECONDS + 0.1)
        self.assertTrue(client.transport.disconnecting)
        self.server.settle()
        self.assertEqual((client.early, client.lost), ([b"ERR 6"], True))

    def test_bytes_do_not_extend_it(self) -> None:
        """A client that sends a byte each second is closed no later."""
        client = self.connect()
        for _ in range(31):
            client.raw(b"C")
            self.server.advance(1)
        self.assertTrue(client.lost)

    def test_steps_do_not_extend_it(self) -> None:
        """Progress of the handshake does not put the end off."""
        client = self.connect()
        self.server.advance(25)
        client.reading = False
        client.start()
        self.server.settle()
        self.assertTrue(client.transport.value())
        self.server.advance(4.9)
        self.assertFalse(client.transport.disconnecting)
        self.server.advance(TICK_SECONDS + 0.1)
        self.assertTrue(client.transport.disconnecting)

    def test_answer_that_comes_too_late(self) -> None:
        """An answer of the pool or the store after the end is ignored without an error in the log."""
        self.server.pool.held = True
        client = self.connect()
        client.start()
        self.server.settle()
        self.server.advance(32)
        self.assertTrue(client.lost)
        self.server.pool.release()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_store_that_comes_too_late(self) -> None:
        """An account that is made after the end of its connection is there at the next login, and nobody is online."""
        self.server.store.slow.add("register")
        alice = self.server.account("alice")
        client = self.server.log_in(alice, token=b"")
        self.server.advance(32)
        self.assertTrue(client.lost)
        self.server.store.fire_all()
        self.assertEqual((self.flushLoggedErrors(), self.server.hub.sessions), ([], []))
        self.assertTrue(self.server.log_in(alice).authenticated)


class ClosingTests(SynchronousTestCase):
    """A connection that was closed on our side."""

    def test_other_side_never_ends(self) -> None:
        """Where the other side's end does not come, the connection is aborted ``close_seconds`` later."""
        server = WireServer(close_seconds=5)
        alice = server.join("alice")
        alice.answers_close = False
        alice.ask(messages.Bye)
        server.advance(4.9)
        self.assertEqual((alice.transport.disconnecting, alice.aborted), (True, False))
        server.advance(TICK_SECONDS + 0.1)
        self.assertTrue(alice.aborted)
        self.assertTrue(alice.lost)
        self.assertEqual(server.factory.connections, set())

    def test_taken_over(self) -> None:
        """A connection whose device has connected again is gone a second later: nobody may be there to end it."""
        server = WireServer(close_seconds=5)
        alice = server.join("alice")
        alice.answers_close = False
        self.assertTrue(server.log_in(alice.account).authenticated)
        self.assertEqual((alice.transport.disconnecting, alice.aborted), (True, False))
        server.advance(TICK_SECONDS)
        self.assertEqual((alice.aborted, alice.lost, len(server.factory.connections)), (True, True, 1))

    def test_bytes_do_not_extend_it(self) -> None:
        """Whatever the other side still sends is ignored and puts nothing off."""
        server = WireServer(close_seconds=5)
        alice = server.join("alice")
        alice.answers_close = False
        alice.ask(messages.Bye)
        for _ in range(6):
            alice.raw(b"more\r\n")
            server.advance(1)
        self.assertTrue(alice.aborted)

    def test_reads_the_end_of_a_client_that_was_held(self) -> None:
        """A connection closed while its reading is paused reads again, else it could not see the other side's end."""
        server = WireServer(slow=["append"], commands_in_flight=1)
        alice = server.join("alice")
        alice.tell(*(alice.next_send("", label=label) for label in (1, 2)))
        server.settle()
        alice.tell(alice.next_send("", label=3))
        server.settle()
        self.assertEqual(alice.transport.producerState, "paused")
        alice.answers_close = False
        server.factory.drain()
        server.settle()
        self.assertEqual((alice.transport.disconnecting, alice.transport.producerState), (True, "producing"))


class SilenceTests(SynchronousTestCase):
    """An open session on which nothing comes."""

    def setUp(self) -> None:
        """Alice is online; a minute of silence, then half a minute."""
        self.server = WireServer(idle_seconds=60, idle_reply_seconds=30)
        self.alice = self.server.join("alice")

    def asked(self) -> int:
        """How often she was asked whether she is there."""
        return len(self.alice.all(messages.Keepalive))

    def test_asked_then_cut(self) -> None:
        """She is asked after ``idle_seconds``, once, and cut ``idle_reply_seconds`` after that."""
        self.server.advance(59.9)
        self.assertEqual(self.asked(), 0)
        self.server.advance(TICK_SECONDS + 0.1)
        self.assertEqual(self.asked(), 1)
        self.server.advance(28.9)
        self.assertEqual((self.asked(), self.alice.lost), (1, False))
        self.server.advance(2 * TICK_SECONDS)
        self.assertTrue(self.alice.lost)
        assert self.alice.error is not None
        self.assertEqual(self.alice.error.code, "timed_out")

    def test_nobody_there(self) -> None:
        """Whoever was silent until now is not waited for once more: the connection is gone a second after it is closed."""
        self.alice.answers_close = False
        self.server.advance(60 + 30 + 3 * TICK_SECONDS)
        self.assertEqual((self.alice.aborted, self.alice.lost), (True, True))
        self.assertEqual(self.server.factory.connections, set())

    def test_answers(self) -> None:
        """Whoever answers stays, and is asked again after the next silence."""
        for round_ in range(1, 5):
            self.server.advance(62)
            self.assertEqual(self.asked(), round_)
            self.assertEqual(self.alice.ask(messages.Ping).label, round_)
        self.assertFalse(self.alice.lost)

    def test_talks(self) -> None:
        """Whoever talks is never asked."""
        for _ in range(10):
            self.server.advance(50)
            self.alice.ask(messages.Ping)
        self.assertEqual((self.asked(), self.alice.lost), (0, False))

    def test_half_a_line_is_silence(self) -> None:
        """Bytes that never become a line do not keep a session."""
        for _ in range(92):
            self.alice.raw(b"A")
            self.server.advance(1)
        self.assertTrue(self.alice.lost)

    def test_listening_is_silence(self) -> None:
        """What the server sends does not count: a client that only listens is asked."""
        bob = self.server.join("bob")
        self.alice.sync()
        for _ in range(95):
            bob.say("hello")
            self.server.advance(1)
        self.assertTrue(self.alice.lost)

    def test_server_that_slept(self) -> None:
        """What the server slept through is nobody's silence: she is asked after what is left, and cut after that."""
        self.server.advance(50)
        self.server.clock.advance(7200)
        self.server.settle()
        self.assertEqual((self.asked(), self.alice.lost), (0, False))
        self.server.advance(12)
        self.assertEqual((self.asked(), self.alice.lost), (1, False))
        self.server.advance(32)
        self.assertTrue(self.alice.lost)

    def test_short_times(self) -> None:
        """Times below the tick of the wheel are kept, a tick late at most each."""
        server = WireServer(idle_seconds=0.5, idle_reply_seconds=0.01)
        alice = server.join("alice")
        server.advance(4)
        self.assertTrue(alice.lost)


class AgeTests(SynchronousTestCase):
    """A session that has lasted too long."""

    def test_too_old(self) -> None:
        """A session is ended at its age, with its reason, however much it talks."""
        server = WireServer(session_max_seconds=100)
        alice = server.join("alice")
        for _ in range(99):
            alice.ask(messages.Ping)
            server.advance(1)
        self.assertFalse(alice.lost)
        server.advance(2)
        self.assertIs(alice.close_reason, CloseReason.TOO_OLD)
        self.assertTrue(alice.lost)

    def test_shorter_than_silence(self) -> None:
        """An age below the time of silence is kept as well."""
        server = WireServer(session_max_seconds=10, idle_seconds=60)
        alice = server.join("alice")
        server.advance(11.5)
        self.assertIs(alice.close_reason, CloseReason.TOO_OLD)
