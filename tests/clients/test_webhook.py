"""The webhook bot, with the web server that it is made of, in memory."""

import json
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.world import World
from clients.examples.webhook_bot import MAX_BODY, MAX_CONNECTIONS, REQUEST_SECONDS, STORED_SECONDS, Body, Hook

HEADER = b"Authorization: Bearer a-token"
KNOWN = HEADER.decode()


class WebhookTests(SynchronousTestCase):
    """`clients.examples.webhook_bot`."""

    def setUp(self) -> None:
        """Alice listens to what the bot says in the lobby."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bot = self.world.person("alice", admin=True), self.world.person("hook")
        self.hook = Hook(self.bot.client, "lobby", HEADER, self.world.reactor)

    def connect(self) -> tuple[Any, StringTransport]:
        """A connection, and what is written to it."""
        channel, transport = self.hook.door.buildProtocol(None), StringTransport()
        channel.makeConnection(transport)
        return channel, transport

    def begin(self, request: bytes) -> StringTransport:
        """A connection on which this came, until the end of the test."""
        channel, transport = self.connect()
        self.addCleanup(channel.connectionLost, Failure(ConnectionDone()))
        channel.dataReceived(request)
        return transport

    def request(self, body: bytes = b"", *headers: str, method: str = "POST", path: str = "/") -> bytes:
        """A request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}", *headers, "", ""]
        return "\r\n".join(lines).encode() + body

    def status(self, transport: StringTransport) -> int:
        """What was answered; 0 for nothing yet."""
        return int((transport.value() or b"HTTP/1.1 0").split()[1])

    def post(self, body: bytes, *headers: str, method: str = "POST", path: str = "/") -> int:
        """A request with the token, and what is answered at last."""
        channel, transport = self.connect()
        channel.dataReceived(self.request(body, *(headers or (KNOWN,)), method=method, path=path))
        self.world.settle(1)
        channel.connectionLost(Failure(ConnectionDone()))
        return self.status(transport)

    def said(self) -> list[str | None]:
        """What came of it."""
        return [text for sender, text in self.alice.texts("lobby") if sender == "hook"]

    def test_text(self) -> None:
        """A text is said as it is, but for the end of its last line; the answer comes when the server has stored it."""
        transport = self.begin(self.request("grün\nrot\n".encode(), KNOWN))
        self.assertEqual(self.status(transport), 0)
        self.world.settle()
        self.assertEqual((self.status(transport), self.said()), (200, ["grün\nrot"]))

    def test_json(self) -> None:
        """The text of an object; what else it holds does not count."""
        body = json.dumps({"text": "it is done", "more": [1]}).encode()
        self.assertEqual(self.post(body, KNOWN, "Content-Type: application/json; charset=utf-8"), 200)
        self.assertEqual(self.said(), ["it is done"])

    def test_unreadable(self) -> None:
        """What has no text in it is refused, and nothing ends."""
        for body in (b"", b"{}", b"[", b'{"text": 5}', b"[" * MAX_BODY, b'{"text": " "}', b'"text"'):
            self.assertEqual(self.post(body, KNOWN, "Content-Type: application/json"), 400, body[:20])
        for body in (b"", b"\n", b"\xff"):
            self.assertEqual(self.post(body), 400, body)
        self.assertEqual(self.said(), [])

    def test_token(self) -> None:
        """Without the token nothing is said, whatever else is wrong, and the answer says how one comes in."""
        self.assertEqual(self.post(b"x", "X: y", method="GET"), 401)
        for header in (
            "X: y",
            "Authorization: ",
            "Authorization: Bearer",
            f"{KNOWN}x",
            KNOWN[:-1],
            "Authorization: a-token",
        ):
            transport = self.begin(self.request(b"x" * (MAX_BODY + 1), header))
            self.assertEqual(self.status(transport), 401, header)
            self.assertIn(b"WWW-Authenticate: Bearer\r\n", transport.value())
        self.assertEqual(self.said(), [])

    def test_elsewhere(self) -> None:
        """There is one place, and one method."""
        self.assertEqual(self.post(b"x", path="/other"), 404)
        self.assertEqual(self.post(b"x", path="/?token=a-token"), 200)
        self.assertEqual([self.post(b"", method=method) for method in ("GET", "HEAD", "PUT")], [405, 405, 405])
        self.assertEqual(self.said(), ["x"])

    def test_size(self) -> None:
        """A body may have so many bytes and no more, in chunks neither; the rest is not kept."""
        body = json.dumps({"text": "x"}).encode()
        typed = (KNOWN, "Content-Type: application/json")
        self.assertEqual(self.post(body.ljust(MAX_BODY), *typed), 200)
        self.assertEqual(self.post(body.ljust(MAX_BODY + 1), *typed), 413)
        chunk = b"%x\r\n%b\r\n" % (MAX_BODY, b"x" * MAX_BODY)
        chunked = f"POST / HTTP/1.1\r\nHost: x\r\n{KNOWN}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        transport = self.begin(chunked + chunk * 20 + b"0\r\n\r\n")
        self.assertEqual(self.status(transport), 413)
        kept = Body()
        for _ in range(20):
            kept.write(b"x" * MAX_BODY)
        self.assertEqual(len(kept.getvalue()), MAX_BODY + 1)
        self.assertEqual(self.post(b"x" * 20_000), 413, "more than fits into a message")
        self.assertEqual(self.said(), ["x"])

    def test_connections(self) -> None:
        """So many are open and no more, whether they say anything or not; one that ends gives its place to another."""
        open_ = [self.connect()[0] for _ in range(MAX_CONNECTIONS)]
        self.assertIsNone(self.hook.door.buildProtocol(None))
        open_.pop().connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.post(b"on time"), 200)
        open_.append(self.connect()[0])
        self.assertIsNone(self.hook.door.buildProtocol(None))
        for each in open_:
            each.connectionLost(Failure(ConnectionDone()))

    def test_slow(self) -> None:
        """A request that is not whole in time ends its connection, byte by byte too; the next one has as long again."""
        whole = self.request(b"x", KNOWN)
        answered = self.request(b"", "X: y")
        for beginning, more in ((b"", b""), (whole[:-1], b""), (answered + whole[:-1], b""), (whole[:20], b"x")):
            channel, transport = self.connect()
            channel.dataReceived(beginning)
            for _ in range(int(REQUEST_SECONDS) - 1):
                self.world.settle(1)
                channel.dataReceived(more)
            self.assertFalse(transport.disconnecting, beginning)
            self.world.settle(1)
            self.assertTrue(transport.disconnecting, beginning)
            channel.connectionLost(Failure(ConnectionDone()))
        channel, transport = self.connect()
        for _ in range(3):
            self.world.settle(int(REQUEST_SECONDS) - 2)
            channel.dataReceived(whole)
            self.world.settle(1)
        self.assertEqual((transport.value().count(b"HTTP/1.1 200"), transport.disconnecting), (3, False))
        channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.said(), ["x"] * 3)

    def test_waiting(self) -> None:
        """All wait for the server; each is told then that its text will be said, and so it is, once."""
        self.world.server.up = False
        self.world.server.cut()
        waiting = [self.begin(self.request(b"%d" % number, KNOWN)) for number in range(MAX_CONNECTIONS - 1)]
        self.world.settle(int(STORED_SECONDS) - 1)
        self.assertEqual({self.status(each) for each in waiting}, {0})
        self.world.settle(1)
        self.assertEqual({self.status(each) for each in waiting}, {202})
        self.world.server.up = True
        self.world.settle(70)
        self.assertEqual(self.said(), [str(number) for number in range(MAX_CONNECTIONS - 1)])
        self.assertEqual(self.post(b"on time"), 200)

    def test_gone(self) -> None:
        """Who does not wait for the answer has said it all the same, and takes nobody's place."""
        for number in range(MAX_CONNECTIONS + 1):
            channel, _ = self.connect()
            channel.dataReceived(self.request(b"%d" % number, KNOWN))
            channel.connectionLost(Failure(ConnectionDone()))
            self.world.settle(1)
        self.assertEqual(self.said(), [str(number) for number in range(MAX_CONNECTIONS + 1)])

    def test_refused(self) -> None:
        """What the room does not take is answered in words."""
        self.alice.do(self.alice.room("lobby").mute("hook"))
        self.world.settle()
        transport = self.begin(self.request(b"x", KNOWN))
        self.world.settle()
        self.assertEqual(self.status(transport), 403)
        self.assertIn(b"muted", transport.value())
        self.hook = Hook(self.bot.client, "attic", HEADER, self.world.reactor)
        self.assertEqual(self.post(b"x"), 503)

    def test_offered(self) -> None:
        """It agrees to the room when it has something to say there."""
        room = self.alice.do(self.alice.client.create_room("builds"))
        self.alice.do(room.invite("hook"))
        self.world.settle()
        self.hook = Hook(self.bot.client, "builds", HEADER, self.world.reactor)
        self.assertEqual(self.post(b"green"), 200)
        self.assertEqual(self.alice.texts("builds"), [("hook", "green")])
