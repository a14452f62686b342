"""One connection of a client: its deadlines, and peers that are no server or a broken one."""

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.connection.endpoints import ClientFactory
from chatserv.client.connection.protocol import (
    ANSWER_SECONDS,
    CLOSE_SECONDS,
    LINE_BYTES,
    LOGIN_SECONDS,
    SILENCE_SECONDS,
    ClientProtocol,
    Login,
)
from chatserv.client.connection.silence import ASK_SECONDS, Silence
from chatserv.crypto.server_keys import ServerKeys
from chatserv.domain.closing import CloseReason
from chatserv.errors import BadMessage, ChatError, Reject, TimedOut, TooLarge, WireError
from chatserv.testing.memory_server import MemoryServer, keyring
from chatserv.wire import messages
from chatserv.wire.codec import encode_message


class Heard:
    """A listener that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.error: ChatError | None = None
        self.messages: list[Any] = []

    def connection_up(self) -> None:
        """Up."""
        self.told.append("up")

    def message_received(self, batch: list[messages.ServerMessage]) -> None:
        """Messages."""
        self.messages += batch

    def connection_silent(self) -> None:
        """Silent."""
        self.told.append("silent")

    def connection_down(self, error: ChatError | None) -> None:
        """Down."""
        self.told.append("down")
        self.error = error


class TransportTests(SynchronousTestCase):
    """A connection of alice's."""

    def setUp(self) -> None:
        """Connects; nothing has moved yet."""
        self.server = MemoryServer()
        self.server.add_account("alice")
        self.heard = Heard()
        ring = msgspec.structs.replace(keyring("alice"), registered=True)
        login, seconds = Login(ServerKeys(ring.server_id), ring.credentials()), self.server.reactor.seconds
        self.protocol = ClientProtocol(self.server.reactor, login, self.heard, ring.unwrapper(), seconds=seconds)
        self.server.connect(ClientFactory(lambda: self.protocol))
        (self.pump,) = self.server.connections

    @property
    def aborted(self) -> bool:
        """Whether our end of the TCP connection is closed."""
        return bool(self.pump.clientIO.disconnecting)

    def server_line(self, line: bytes) -> None:
        """The server's connection writes a line, whatever its session thinks."""
        self.server_protocol.transport.write(line + b"\r\n")
        self.server.run()

    @property
    def server_protocol(self) -> Any:
        """The server's end."""
        (protocol,) = self.server.factory.connections
        return protocol

    def wait(self, seconds: float) -> None:
        """Time passes for the client alone: the server neither reads nor writes."""
        self.server.factory.wheel.stop()
        self.server.reactor.advance(seconds)
        self.protocol.look(jumped=False)

    def test_open(self) -> None:
        """The listener hears that the session is open, then the welcome."""
        self.server.run()
        self.assertEqual(self.heard.told, ["up"])
        self.assertIsInstance(self.heard.messages[0], messages.Welcome)

    def test_nobody_answers(self) -> None:
        """A server that accepts and then says nothing is left at the login deadline."""
        self.wait(LOGIN_SECONDS - 0.1)
        self.assertFalse(self.aborted)
        self.wait(0.2)
        self.assertTrue(self.aborted)
        self.server.run()
        self.assertEqual(self.heard.told, ["down"])
        self.assertIsInstance(self.heard.error, TimedOut)

    def test_slow_login(self) -> None:
        """Bytes do not move the login deadline."""
        for _ in range(3):
            self.pump.pump()
            self.wait(LOGIN_SECONDS / 4)
        self.assertFalse(self.aborted)
        self.wait(LOGIN_SECONDS / 4)
        self.assertTrue(self.aborted)

    def test_silence(self) -> None:
        """An open session is left after a silence in which the server would have asked."""
        self.server.run()
        self.wait(SILENCE_SECONDS - 0.1)
        self.assertFalse(self.aborted)
        self.wait(0.2)
        self.assertTrue(self.aborted)
        self.server.run()
        self.assertIsInstance(self.heard.error, TimedOut)

    def test_no_silence(self) -> None:
        """Each line begins the silence anew."""
        self.server.run()
        for _ in range(3):
            self.wait(SILENCE_SECONDS - 1)
            self.server_protocol.tell(messages.Keepalive())
            self.server.run()
        self.assertFalse(self.aborted)

    def test_slow(self) -> None:
        """Where others wait for us, a part of a line is a sign of life: a long one takes minutes on a thin line."""
        silence = Silence(self.server.reactor.callLater, self.server.reactor.seconds)
        self.protocol._silence = silence
        self.server.run()
        for _ in range(4):
            self.wait(ASK_SECONDS - 1)
            self.server_protocol.transport.write(b"part of a line")
            self.server.run()
        self.assertEqual(self.heard.told, ["up"])
        silence.end()

    def test_sleep(self) -> None:
        """After a sleep, however long, the server has a moment to answer; where it does not, it is left."""
        self.server.run()
        self.server.factory.wheel.stop()
        self.server.reactor.advance(7200)
        self.protocol.look(jumped=True)
        self.wait(ANSWER_SECONDS - 0.1)
        self.assertFalse(self.aborted)
        self.wait(0.2)
        self.assertTrue(self.aborted)

    def test_sleep_with_an_answer(self) -> None:
        """Where it answers, the connection stays."""
        self.server.run()
        self.server.factory.wheel.stop()
        self.server.reactor.advance(7200)
        self.protocol.look(jumped=True)
        self.server_protocol.tell(messages.Keepalive())
        self.server.run()
        self.wait(SILENCE_SECONDS - 0.1)
        self.assertFalse(self.aborted)

    def test_close_never_comes(self) -> None:
        """A connection that is closed on purpose is gone soon, even if the server never closes its end."""
        self.server.run()
        self.protocol.say_goodbye()
        self.protocol.transport.loseConnection()
        self.wait(CLOSE_SECONDS - 0.1)
        self.assertFalse(self.aborted)
        self.wait(0.2)
        self.assertTrue(self.aborted)

    def test_goodbye(self) -> None:
        """The server sees a session that left, and the listener hears no error."""
        self.server.run()
        protocol = self.server_protocol
        self.protocol.say_goodbye()
        self.protocol.transport.loseConnection()
        self.server.run()
        self.assertIn("left", protocol._why)
        self.assertEqual((self.heard.told, self.heard.error), (["up", "down"], None))

    def test_goodbye_before_login(self) -> None:
        """Leaving in the middle of the login is possible too."""
        self.pump.pump()
        self.protocol.say_goodbye()
        self.protocol.transport.loseConnection()
        self.wait(CLOSE_SECONDS + 0.1)
        self.server.run()
        self.assertEqual((self.heard.told[-1], self.aborted), ("down", True))

    def test_server_closes(self) -> None:
        """A session that the server ends is over, without an error."""
        self.server.run()
        self.server_protocol.end(CloseReason.DRAINING)
        self.server.run()
        self.assertEqual((self.heard.told, self.heard.error), (["up", "down"], None))

    def test_refusal(self) -> None:
        """A refusal of the server reaches the listener with its code."""
        self.server.run()
        self.server_protocol.fail(WireError.by_code["rate_limited"]())
        self.server.run()
        assert self.heard.error is not None
        self.assertEqual(self.heard.error.code, "rate_limited")

    def test_our_refusal(self) -> None:
        """The client can end a session with an error, which the server is told."""
        self.server.run()
        protocol = self.server_protocol
        self.protocol.refuse(BadMessage("what is this"))
        self.server.run()
        self.assertIsInstance(self.heard.error, BadMessage)
        self.assertIn("client says: bad_message", protocol._why)

    def test_line_too_long(self) -> None:
        """A line above the limit ends the connection."""
        self.server.run()
        self.server_line(b"A" * (LINE_BYTES + 1))
        self.assertIsInstance(self.heard.error, TooLarge)

    def test_garbage(self) -> None:
        """A line that is no record ends the connection, also in the login."""
        self.server.run()
        self.server_line(b"hello?")
        self.assertIsInstance(self.heard.error, Reject)

    def test_garbage_in_login(self) -> None:
        """A server of another protocol is recognised by its first line."""
        while not self.server.factory.connections or self.server_protocol._session is None:
            self.pump.pump()
        self.server_line(b"220 mail.example ESMTP")
        self.assertEqual(self.heard.told, ["down"])
        self.assertIsInstance(self.heard.error, Reject)

    def test_not_tls(self) -> None:
        """A server that does not speak TLS leads to a plain end of the connection."""
        self.pump.clientIO.bufferReceived(b"220 mail.example ESMTP\r\n")
        self.server.run()
        self.assertEqual(self.heard.told, ["down"])
        self.flushLoggedErrors()

    def test_not_messages(self) -> None:
        """A sealed record that holds no messages ends the connection."""
        self.server.run()
        session = self.server_protocol._session
        self.server_line(session.seal([b"\xc1"])[0].removesuffix(b"\r\n"))
        self.assertIsInstance(self.heard.error, BadMessage)

    def test_unknown_message(self) -> None:
        """A message of a type that this version does not know is skipped, and its neighbours are not."""
        self.server.run()
        session = self.server_protocol._session
        unknown = msgspec.msgpack.encode({"t": "from_the_future"})
        known = encode_message(messages.DrainingNotice(1.0))
        self.server_line(session.seal([unknown, known])[0].removesuffix(b"\r\n"))
        self.assertEqual(self.heard.messages[-1], messages.DrainingNotice(1.0))
        self.assertEqual(self.heard.told, ["up"])

    def test_nothing_after_the_end(self) -> None:
        """What is sent when the connection is over goes nowhere, and no timer is left."""
        self.server.run()
        self.server.cut()
        self.protocol.send([encode_message(messages.Ping(1))])
        self.server.factory.wheel.stop()
        waiting = [call for call in self.server.reactor.getDelayedCalls() if call is self.protocol._timer]
        self.assertEqual(waiting, [])
