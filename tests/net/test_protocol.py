"""One connection of the server, from its first byte to its last: bounds, refusals, slow readers, and TLS."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.logger import LogLevel, capturedLogs
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from chatserv.crypto.password import PasswordParameters, PasswordVerifier
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.session import channel_binding
from chatserv.domain.closing import CloseReason
from chatserv.domain.roles import Role
from chatserv.errors import Busy, TooLarge, WireError
from chatserv.linereceiver import LinearLineReceiver
from chatserv.net.front import Front
from chatserv.net.tls import TLSFactory
from chatserv.testing.unlimited import RATES
from chatserv.wire import messages
from chatserv.wire.client_session import ClientSession
from chatserv.wire.codec import encode_message, server_decoder
from chatserv.wire.framing import ALPN, record_to_line
from chatserv.wire.parameters import SessionContext
from chatserv.wire.session import Authenticated, CloseReceived, Failed, LineReady, PlaintextReceived, UnwrapWanted
from tests.net.test_tls import options
from tests.support.server import MemoryClient, TestAccount, WireServer, make_account, unwrap
from tests.support.sessions import said, seeded
from tests.support.smith import LARGEST


def code(client: MemoryClient) -> str | None:
    """The code of the error that a client was refused with."""
    return said(client.error) if isinstance(client.error, WireError) else None


class LoginBoundTests(SynchronousTestCase):
    """How much may be said before login."""

    def setUp(self) -> None:
        """A server with the smallest bounds that a registration needs."""
        self.server = WireServer(login_line_bytes=4096, login_total_bytes=8192)

    def connect(self) -> MemoryClient:
        """A connection that has said nothing."""
        client = self.server.connect(self.server.account("alice"), token=b"")
        assert client is not None
        return client

    def test_line(self) -> None:
        """A first line of the limit is looked at and refused for what it is; one byte more for its length, at once."""
        for length, end, error in ((4096, b"\r\n", b"ERR 1"), (4097, b"\r\n", b"ERR 4"), (4098, b"", b"ERR 4")):
            client = self.connect()
            client.raw(b"x" * length + end)
            self.server.settle()
            self.assertEqual((client.early, client.lost), ([error], True), length)

    def test_whole_line_of_the_limit_waits(self) -> None:
        """A line of the limit that has no end yet is waited for."""
        client = self.connect()
        client.raw(b"x" * 4096)
        self.server.settle()
        self.assertEqual((client.early, client.lost), ([], False))

    def test_total(self) -> None:
        """Bytes in all of the limit are taken; one more ends the login, and what they say no longer counts."""
        for excess in (0, 1):
            client = self.connect()
            client.start()
            hello = len(client.sent[0])
            client.reading = False
            self.server.settle()
            session = client.protocol._session
            assert session is not None
            left = 8192 - hello
            self.assertGreater(left, 4096)
            session._received_bytes += left - 2000  # as if a longer handshake had come so far
            client.raw(b"x" * (1998 + excess) + b"\r\n")
            client.reading = True
            with capturedLogs() as logs:
                self.server.settle()
            why = [event["why"] for event in logs if "why" in event]
            self.assertEqual(len(why), 1)
            self.assertEqual("too_large" in why[0], bool(excess), why)

    def test_registration_fits(self) -> None:
        """A whole registration with the longest name stays under both bounds."""
        client = self.server.join("a" * 32)
        self.assertTrue(client.authenticated)
        self.assertLessEqual(max(map(len, client.sent)) - 2, 2500)
        self.assertLessEqual(sum(map(len, client.sent)), 5000)

    def test_byte_by_byte(self) -> None:
        """A login that comes byte by byte is a login."""
        client = self.connect()
        client.start()
        while not client.authenticated:
            outgoing, client._outgoing = bytes(client._outgoing), bytearray()
            self.assertTrue(outgoing)
            for at in range(len(outgoing)):
                client.protocol.dataReceived(outgoing[at : at + 1])
            self.server.settle()
        self.assertIsInstance(self.server.join("bob").say("hello"), messages.Sent)

    def test_not_our_protocol(self) -> None:
        """Whoever speaks something else is told once and closed, and what follows is ignored."""
        for first in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n" * 4000, b"\x16\x03\x01\r\n", b"CHATSERV/1 !!\r\n"):
            client = self.connect()
            client.raw(first)
            self.server.settle()
            self.assertEqual((client.early, client.lost), ([b"ERR 1"], True), first[:10])
        self.assertEqual(self.flushLoggedErrors(), [])


class LoginTests(SynchronousTestCase):
    """Who is let in."""

    def test_unknown_and_wrong_look_alike(self) -> None:
        """An unknown account, an unknown device and a wrong key get the same answer."""
        server = WireServer()
        known = server.join("alice").account
        stranger = server.account("alice")
        wrong_key = TestAccount("alice", known.device_id, stranger.signing_key, b"", b"")
        answers = [server.log_in(account) for account in (server.account("bob"), stranger, wrong_key)]
        self.assertEqual([code(client) for client in answers], ["auth_failed"] * 3)
        self.assertEqual(len({sum(map(len, client.transport.writes)) for client in answers}), 1)

    def test_closed_registration(self) -> None:
        """A closed server makes no account."""
        server = WireServer(registration="closed")
        self.assertEqual(code(server.join("alice")), "invite_invalid")

    def test_no_invite(self) -> None:
        """Where an invite is needed, none and a wrong one are refused."""
        server = WireServer(registration="invite")
        for token in (b"", b"t" * 32):
            self.assertEqual(code(server.log_in(server.account("alice"), token=token)), "invite_invalid")

    def test_name_taken(self) -> None:
        """A name that exists, or looks like one, is refused, and the login goes on to work."""
        server = WireServer()
        alice = server.join("alice")
        self.assertEqual(code(server.join("alice")), "name_taken")
        self.assertTrue(server.log_in(alice.account).authenticated)

    def test_what_registrations_are_told(self) -> None:
        """The refusals of docs/protocol.rst 4.1 come as an ALERT with that code, and nobody is there afterwards."""
        server = WireServer(max_connections=2, accounts=4)
        admin = server.join("ada", Role.ADMIN)
        admin.ask(messages.SetBan, kind="account", subject="mallory", on=True)
        heavy = PasswordVerifier(bytes(16), PasswordParameters(2**20 + 1), bytes(32), bytes(32)).encode()

        def account(user: str, keys: str = "new") -> TestAccount:
            return make_account(user, server.identity.server_id, seeded(keys))

        server.log_in(account("ann", "known"), token=b"").drop()
        for expected, each, token in (
            ("forbidden", account("mallory"), b""),
            ("name_invalid", account("Bob"), b""),
            ("name_taken", account("ann"), b""),
            ("bad_message", account("bob", "known"), b""),
            ("bad_frame", replace(account("bob"), verifier=heavy), b""),
            ("invite_invalid", account("bob"), b"t" * 32),
            (None, account("carol", "third"), b""),
            ("server_full", account("bob"), b""),
        ):
            client = server.log_in(each, token=token)
            self.assertEqual((code(client), client.lost), (expected, expected is not None), each.user)
        admin.drop()
        self.assertEqual(code(server.log_in(account("bob"), token=b"")), "quota")
        self.assertIsNone(server.wait(server.memory.account("bob")))

    def test_counted(self) -> None:
        """Each refusal that ends a connection is counted once, before a login, in it and after it, and so is the end."""
        server = WireServer(login_line_bytes=4096)
        for raw, client in (
            (b"x" * 4098, server.connect()),
            (b"CHATSERV/0 AAAA\r\n", server.connect()),
            (b"AAAA\r\n", server.join("alice")),
        ):
            assert client is not None
            client.raw(raw)
            server.settle()
        server.log_in(server.account("alice"))
        server.join("alice")
        server.connect()
        server.advance(server.config.limits.login_seconds + 1)
        found = server.counts.of("refusals")
        self.assertEqual(
            dict(found), {"too_large": 1, "bad_frame": 2, "auth_failed": 1, "name_taken": 1, "timed_out": 1}
        )
        self.assertEqual(dict(server.counts.of("connections_ended")), {"login": 5, "session": 1})

    def test_repeated_registration(self) -> None:
        """A registration whose answer was lost may be repeated and gives the same account."""
        server = WireServer()
        first = server.join("alice")
        first.drop()
        again = server.log_in(first.account, token=b"")
        self.assertEqual(again.one(messages.Welcome).account, first.one(messages.Welcome).account)

    def test_crypto_queue_is_full(self) -> None:
        """A login that finds the pool's queue full is told to come again."""
        server = WireServer()

        def full(*_: Any) -> Any:
            raise Busy("full")

        self.patch(server.pool, "run", full)
        client = server.connect(server.account("alice"))
        assert client is not None
        client.start()
        server.settle()
        self.assertEqual((code(client), client.lost), ("busy", True))

    def test_bug_in_the_store(self) -> None:
        """A failure of ours during login is logged, and the client is told only that."""
        server = WireServer()
        alice = server.join("alice").account

        def broken(*_: Any) -> Any:
            raise ZeroDivisionError

        self.patch(server.memory, "device", broken)
        client = server.log_in(alice)
        self.assertEqual((code(client), client.lost), ("internal", True))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_lost_at_every_step(self) -> None:
        """A connection that dies after any number of bytes leaves nothing: no session, no place, no error."""
        server = WireServer()
        account = server.join("alice").account
        server.clients[0].drop()
        for step in range(7):
            for slow in (False, True):
                client = server.connect(account)
                assert client is not None
                server.pool.held = slow
                client.start()
                for _ in range(step):
                    server.clock.advance(0)
                    client.exchange()
                client.drop()
                server.pool.release()
                server.pool.held = False
                server.settle()
                self.assertEqual((server.factory.connections, server.hub.sessions), (set(), []))
                self.assertEqual(len(server.factory.wheel), 0)
        self.assertEqual(self.flushLoggedErrors(), [])


class OpenSessionTests(SynchronousTestCase):
    """What an open session bears."""

    def setUp(self) -> None:
        """Alice is online."""
        self.server = WireServer()
        self.alice = self.server.join("alice")

    def test_line(self) -> None:
        """A record that fills a line is taken; a line one byte longer ends the session."""
        filler = b"x" * 20_000
        limit = self.server.config.limits.line_bytes
        pad = 49_134 - 3 - 2 * len(encode_message(messages.Send(1, b"r" * 16, b"i" * 16, 0, filler)))
        send = messages.Send(1, b"r" * 16, b"i" * 16, 0, filler)
        last = messages.Send(3, b"r" * 16, b"i" * 16, 0, b"x" * 300)
        size = pad - len(encode_message(last)) + 300
        last = messages.Send(3, b"r" * 16, b"i" * 16, 0, b"x" * size)
        self.alice.tell(send, messages.Send(2, b"r" * 16, b"i" * 16, 0, filler), last)
        self.assertLessEqual(limit - 4, len(self.alice.sent[-1]) - 2)
        self.server.settle()
        self.assertEqual(len(self.alice.all(messages.Error)), 3)
        self.alice.raw(b"A" * (limit + 1) + b"\r\n")
        self.server.settle()
        self.assertEqual((code(self.alice), self.alice.lost), ("too_large", True))

    def test_endless_line(self) -> None:
        """A line without end is cut at the limit, not kept."""
        self.alice.raw(b"A" * 65_538)
        self.server.settle()
        self.assertEqual(code(self.alice), "too_large")

    def test_garbage(self) -> None:
        """A line that is no record, and a record that does not open, end the session with a word about it."""
        for line in (b"", b"!!", record_to_line(bytes(40))[:-2]):
            alice = self.server.log_in(self.alice.account)
            alice.raw(line + b"\r\n")
            self.server.settle()
            self.assertEqual((code(alice), alice.lost), ("bad_frame", True))

    def test_replayed_line(self) -> None:
        """A line that comes twice ends the session."""
        self.alice.ask(messages.Ping)
        self.alice.raw(self.alice.sent[-1])
        self.server.settle()
        self.assertEqual((code(self.alice), len(self.alice.all(messages.Ok))), ("bad_frame", 1))

    def test_no_messages(self) -> None:
        """A record that holds no array of messages ends the session."""
        session = self.alice.session
        line = session._open_layer("test").control(16, b"\xc1")  # type: ignore[arg-type]
        self.alice.raw(line)
        self.server.settle()
        self.assertEqual(code(self.alice), "bad_message")

    def test_wrong_message_among_good_ones(self) -> None:
        """A message that is wrong is answered under its label; the others of the record are done, in order."""
        self.alice.transmit([encode_message(messages.Ping(1)), b"\x82\xa1t\xa4send\xa5label\x02", b"\xc0"])
        self.alice.tell(messages.Ping(3))
        self.server.settle()
        replies = [(reply.label, getattr(reply, "code", "ok")) for reply in self.alice.all(messages.Reply)]
        self.assertEqual(replies, [(1, "ok"), (2, "bad_message"), (0, "bad_message"), (3, "ok")])

    def test_close_of_the_client(self) -> None:
        """A client that closes its session is closed."""
        self.alice.raw(self.alice.session.close(CloseReason.NORMAL))
        self.server.settle()
        self.assertEqual((self.alice.lost, self.server.hub.sessions), (True, []))

    def test_message_that_cannot_be_sealed(self) -> None:
        """A message of ours that fits no line is a failure of ours: it is logged, and this session alone is ended."""
        bob = self.server.join("bob")
        bob.sync()
        self.alice.protocol.tell(messages.Farewell("x" * 70_000))
        bob.tell(messages.Ping(9))
        self.server.settle()
        self.assertEqual((code(self.alice), self.alice.lost, bob.lost), ("internal", True, False))
        self.assertIsNotNone(bob.reply(9))
        self.assertEqual(len(self.flushLoggedErrors()), 1)


class SlowReaderTests(SynchronousTestCase):
    """A client that does not read."""

    def setUp(self) -> None:
        """Bob hears the room and does not read; Alice writes."""
        self.server = WireServer(history_events=1, **RATES)
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")
        for client in (self.alice, self.bob):
            client.sync()
        self.bob.reading, self.bob.transport.full_above = False, 65_536

    def write(self, count: int) -> None:
        """Alice writes so many large messages."""
        for _ in range(count):
            self.alice.say("x" * LARGEST)

    def test_own_commands_wait(self) -> None:
        """Above the soft limit Bob's commands wait, and no more is read of him; when he reads, they are answered."""
        self.write(20)
        self.assertIsNone(self.bob.ask(messages.Ping))
        self.assertEqual(self.bob.transport.producerState, "paused")
        self.bob.reading = True
        self.server.settle()
        self.assertIsNotNone(self.bob.reply(2))
        self.assertEqual(self.bob.seqs(), list(range(1, 21)))
        self.assertEqual(self.bob.transport.producerState, "producing")

    def why(self, logs: Sequence[Any]) -> list[str]:
        """The reasons of all ends."""
        return [str(event["why"]) for event in logs if "why" in event]

    def test_falls_behind(self) -> None:
        """What he has no place for is not kept for him; when he reads, everything comes, once and in order, then live."""
        queue = self.bob.protocol._sendq
        assert queue is not None
        limits = self.server.config.limits
        for _ in range(110):
            self.write(1)  # half the limit, and the one event that the log's reader has in hand
            self.assertLessEqual(queue.queued_bytes, limits.sendq_hard_bytes // 2 + limits.envelope_bytes + 100)
        self.assertEqual((self.bob.lost, len(self.alice.seqs())), (False, 110))
        self.bob.reading = True
        self.server.settle()
        self.write(3)
        self.assertEqual(self.bob.seqs(), list(range(1, 114)))
        self.assertIn(self.bob.seat.live, self.server.hub.rooms[self.server.lobby].live)

    def test_falls_behind_again_and_again(self) -> None:
        """Reading now and then brings everything, however often he falls behind."""
        for _ in range(6):
            self.bob.reading = False
            self.write(60)
            self.bob.reading = True
            self.write(2)
        self.assertEqual(self.bob.seqs(), list(range(1, 6 * 62 + 1)))

    def test_never_reads(self) -> None:
        """Who takes nothing for too long is cut, with the reason in the log; the others notice nothing."""
        with capturedLogs() as logs:
            self.write(110)
            for _ in range(95):
                self.alice.ask(messages.Ping)
                self.bob.tell(messages.Ping(self.bob.label()))
                self.server.advance(1)
        self.assertEqual((self.bob.lost, self.bob.aborted, self.alice.lost), (True, True, False))
        (why,) = self.why(logs)
        self.assertIn("slow_reader", why)

    def test_system_gives_up(self) -> None:
        """The system may give up before we do (TCP_USER_TIMEOUT); whoever ends it by himself has not been slow for that."""
        self.write(110)
        self.assertIsNotNone(self.bob.protocol._sendq and self.bob.protocol._sendq.stalled_since)
        for reason, words in ((ConnectionLost(), "slow_reader"), (ConnectionDone(), "closed by the other side")):
            with capturedLogs() as logs:
                self.bob.protocol.connectionLost(Failure(reason))
            self.assertIn(words, self.why(logs)[0])

    def test_hard_limit(self) -> None:
        """Whose queue passes the hard limit is cut at once, with the reason in the log."""
        with capturedLogs() as logs:
            for _ in range(80):
                self.bob.protocol.tell(messages.Page(1, (messages.Event(bytes(16), 1, 0, "alice", 0, bytes(15_000)),)))
            self.server.settle()
        self.assertEqual((self.bob.lost, self.bob.aborted, self.alice.lost), (True, True, False))
        (why,) = self.why(logs)
        self.assertIn("slow_reader", why)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_resumes(self) -> None:
        """Whoever was cut gets by a sync what he missed."""
        self.write(110)
        self.bob.drop()
        again = self.server.log_in(self.bob.account)
        again.sync(since=5)
        self.assertEqual(again.seqs(), list(range(6, 111)))

    def test_commands_that_are_never_read(self) -> None:
        """A client that asks and never reads the answers stops being asked for more: both queues stay bounded."""
        self.write(1)
        for _ in range(600):
            label = self.bob.label()
            self.bob.tell(messages.History(label, self.server.lobby, 100))
            self.server.settle()
        queue = self.bob.protocol._sendq
        assert queue is not None
        self.assertFalse(self.bob.lost)
        self.assertLess(queue.queued_bytes, self.server.config.limits.sendq_soft_bytes + 50_000)
        self.assertEqual(self.bob.transport.producerState, "paused")


class TlsClient(LinearLineReceiver):
    """The client's end inside TLS."""

    def __init__(self, server: WireServer, account: TestAccount) -> None:
        super().__init__(65_536)
        self.server, self.account = server, account
        self.received: list[Any] = []
        self.events: list[Any] = []
        self.session: ClientSession | None = None
        self.exporter = b""

    def start(self, exporter: bytes) -> None:
        """Says hello on a connection with this exporter."""
        self.session = ClientSession(
            ServerKeys(self.server.identity.server_id),
            self.account.credentials(),
            SessionContext(seeded("client"), self.server.now_ms, self.server.clock.seconds),
            channel_binding(exporter),
            self.account.new_account(b""),
        )
        self.handle(self.session.start())

    def lineReceived(self, line: bytes) -> None:
        """A whole line."""
        assert self.session is not None
        self.handle(self.session.receive_line(line))

    def line_too_long(self, error: TooLarge) -> None:
        """The server sends none."""
        raise error

    def handle(self, events: list[Any]) -> None:
        """What an edge does."""
        assert self.session is not None
        for event in events:
            self.events.append(event)
            if isinstance(event, LineReady):
                self.transport.write(event.line)
            elif isinstance(event, UnwrapWanted):
                self.handle(self.session.unwrapped(unwrap(event.ciphertext, event.label)))
            elif isinstance(event, PlaintextReceived):
                self.received += server_decoder.decode(event.plaintext)


class TlsTests(SynchronousTestCase):
    """The same connection inside real TLS, in memory."""

    def setUp(self) -> None:
        """A TLS connection whose handshake is done."""
        self.server = WireServer()
        self.client = TlsClient(self.server, self.server.account("alice"))
        tls = TLSFactory(self.server.factory, options())
        tls._clock = self.server.clock  # Twisted puts small writes of a turn together
        outer = tls.buildProtocol(None)
        assert outer is not None
        self.protocol = next(iter(self.server.factory.connections))
        client_options = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_3, acceptableProtocols=[ALPN])

        class Clients:
            """Builds the one client."""

            noisy = False

            @staticmethod
            def buildProtocol(_: Any, client: TlsClient = self.client) -> TlsClient:
                """The client."""
                return client

        clients: Any = Clients()
        wrapped = TLSMemoryBIOFactory(client_options, True, clients, self.server.clock).buildProtocol(None)
        self.pump: IOPump = connect(
            outer, FakeTransport(outer, True), wrapped, FakeTransport(wrapped, False), clock=self.server.clock
        )
        self.wrapped = wrapped

    def exporter(self) -> bytes:
        """The exporter that the client sees."""
        handle: Any = self.client.transport.getHandle()
        return bytes(handle.export_keying_material(b"EXPORTER-Channel-Binding", 32, b""))

    def test_listener(self) -> None:
        """The protocol is told when TLS is up."""
        self.assertTrue(verifyObject(IHandshakeListener, self.protocol))

    def test_another_protocol(self) -> None:
        """A connection that did not agree on our protocol by name is closed, and no session begins."""
        for name in (b"h2", None):
            self.patch(type(self.protocol.transport), "negotiatedProtocol", name)
            other = self.server.factory.build(None, tls=True)
            assert other is not None
            other.makeConnection(self.protocol.transport)
            with capturedLogs() as logs:
                other.handshakeCompleted()
                other.connectionLost()
            self.assertIsNone(other._session)
            self.assertIn("ALPN", next(event["why"] for event in logs if "why" in event))

    def test_session(self) -> None:
        """A session bound to the connection's exporter opens, and messages flow."""
        self.client.start(self.exporter())
        self.pump.flush()
        self.assertTrue(any(isinstance(event, Authenticated) for event in self.client.events))
        self.assertIsInstance(self.client.received[0], messages.Welcome)

    def test_another_exporter(self) -> None:
        """A session bound to another connection's exporter, as somebody in the middle has it, does not open."""
        self.client.start(bytes(32))
        self.pump.flush()
        self.assertFalse(any(isinstance(event, Authenticated) for event in self.client.events))
        self.assertTrue(any(isinstance(event, Failed) for event in self.client.events))

    def test_end(self) -> None:
        """A drain reaches the client through TLS, and its close_notify ends the connection without an abort."""
        self.client.start(self.exporter())
        self.pump.flush()
        self.server.factory.drain()
        self.pump.flush()
        self.assertTrue(any(isinstance(event, CloseReceived) for event in self.client.events))
        self.assertEqual(self.server.factory.connections, set())

    def test_group_in_the_log(self) -> None:
        """The log says which group a connection has, at level debug."""
        with capturedLogs() as logs:
            self.protocol.handshakeCompleted()
        (event,) = [event for event in logs if "group" in event]
        self.assertIs(event["log_level"], LogLevel.debug)
        self.assertTrue(event["group"])

    def test_protocol(self) -> None:
        """The protocol in use is ours, TLS 1.3 and by name."""
        handle: Any = self.client.transport.getHandle()
        self.assertEqual(handle.get_protocol_version_name(), "TLSv1.3")
        self.assertEqual(handle.get_alpn_proto_negotiated(), ALPN)
        self.assertIsInstance(self.protocol, Front)
