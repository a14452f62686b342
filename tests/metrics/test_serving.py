"""The pages of figures and health, without a server or a socket."""

import json
import re
from types import SimpleNamespace
from typing import Any, cast

from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import ReadOnly
from chatserv.metrics import serving
from chatserv.metrics.figures import Watched
from chatserv.metrics.serving import (
    DEADLINE_SECONDS,
    MOST_CONNECTIONS,
    PING_SECONDS,
    BoundedFactory,
    Pages,
    PageSite,
)


class _NoFigures(Collector):
    """Nothing is measured."""

    def collect(self) -> list[Any]:
        """Nothing."""
        return []


class PagesCase(SynchronousTestCase):
    """A server of which only its health is known."""

    def setUp(self) -> None:
        """Healthy."""
        self.clock = Clock()
        self.asked: list[Deferred[None]] = []
        self.store = SimpleNamespace(broken=False, ping=self._ping)
        self.factory_state = SimpleNamespace(draining=False)
        self.mending = SimpleNamespace(active=False)
        context = SimpleNamespace(mending=self.mending)
        self.watched = cast(Watched, SimpleNamespace(store=self.store, factory=self.factory_state, context=context))
        self.patch(serving, "Figures", lambda _: _NoFigures())
        self.bounded = self.make()

    def make(self, *, any_host: bool = False) -> BoundedFactory:
        """What listens."""
        return BoundedFactory(PageSite(Pages(self.watched, self.clock, any_host=any_host), self.clock), self.clock)

    async def _ping(self) -> None:
        self.asked.append(Deferred())
        await self.asked[-1]

    def connect(self) -> Any:
        """A connection; None, it was closed at once."""
        protocol = self.bounded.buildProtocol(None)
        if protocol is None:
            return None
        transport = StringTransport()
        transport.abortConnection = transport.loseConnection  # type: ignore[method-assign]
        protocol.makeConnection(transport)
        return protocol

    def ask(self, lines: str) -> Any:
        """What somebody sends; gives the connection."""
        protocol = self.connect()
        protocol.dataReceived(lines.replace("\n", "\r\n").encode())
        return protocol

    def said(self, protocol: Any) -> tuple[int, bytes]:
        """Status and body of an answer."""
        head, _, body = protocol.transport.value().partition(b"\r\n\r\n")
        return int(head.split()[1]), body

    def get(self, path: str, host: str = "127.0.0.1:9464", method: str = "GET") -> tuple[int, bytes]:
        """A whole request, where the store answers at once."""
        protocol = self.ask(f"{method} {path} HTTP/1.1\nHost: {host}\n\n")
        for asked in self.asked:
            if not asked.called:
                asked.callback(None)
        return self.said(protocol)


class HealthTests(PagesCase):
    """``/health``."""

    def test_well(self) -> None:
        """200 as long as nothing is wrong."""
        status, body = self.get("/health")
        self.assertEqual((status, json.loads(body)), (200, {"healthy": True, "reasons": []}))

    def test_ill(self) -> None:
        """503, and every reason, where something is."""
        self.store.broken = self.factory_state.draining = self.mending.active = True
        status, body = self.get("/health")
        reasons = ["the database is read-only", "the server is draining", "the server mends after a restore"]
        self.assertEqual((status, json.loads(body)["reasons"]), (503, reasons))

    def test_no_answer(self) -> None:
        """A database that does not answer, or answers with an error, is a reason too."""
        protocol = self.ask("GET /health HTTP/1.1\nHost: [::1]:9464\n\n")
        self.assertEqual(protocol.transport.value(), b"")
        self.clock.advance(PING_SECONDS)
        status, body = self.said(protocol)
        self.assertEqual((status, json.loads(body)["reasons"]), (503, ["the database does not answer within 2 s"]))
        failing = self.ask("GET /health HTTP/1.1\nHost: localhost\n\n")
        self.asked[-1].errback(ReadOnly("disk"))
        self.assertIn(b"the database does not answer: read_only", self.said(failing)[1])

    def test_nobody_waits(self) -> None:
        """Whoever goes before the answer does no harm."""
        protocol = self.ask("GET /health HTTP/1.1\nHost: localhost\n\n")
        protocol.connectionLost(None)
        self.asked[-1].callback(None)
        self.assertEqual(protocol.transport.value(), b"")


class BoundsTests(PagesCase):
    """What is refused."""

    def test_methods(self) -> None:
        """Only GET; a body is dropped as it comes."""
        for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS"):
            self.assertEqual(self.get("/metrics", method=method)[0], 405)
        long = "x" * 200_000
        protocol = self.ask(f"POST /metrics HTTP/1.1\nHost: localhost\nContent-Length: 200000\n\n{long}")
        self.assertEqual(self.said(protocol)[0], 405)

    def test_paths(self) -> None:
        """Two paths; a query changes nothing."""
        self.assertEqual(
            [self.get(path)[0] for path in ("/", "/metrics/", "/..", "/metrics?name=x")], [404, 404, 404, 200]
        )

    def test_hosts(self) -> None:
        """A page in a browser of this machine, under a name of its own, gets nothing; nor who says no host."""
        self.assertEqual([self.get("/metrics", host)[0] for host in ("evil.example:9464", "192.0.2.1", "")], [403] * 3)
        self.assertEqual([self.get("/metrics", host)[0] for host in ("localhost:1", "[::1]", "127.0.0.2")], [200] * 3)
        self.bounded = self.make(any_host=True)
        self.assertEqual(self.get("/metrics", "chat.example")[0], 200)

    def test_connections(self) -> None:
        """One more than the bound is closed at once; a place is free again when somebody goes."""
        held = [self.connect() for _ in range(MOST_CONNECTIONS)]
        self.assertIsNone(self.connect())
        held[0].connectionLost(None)
        self.assertIsNotNone(self.connect())

    def test_deadline(self) -> None:
        """A connection ends after a while, though bytes come all the time."""
        protocol = self.ask("GET /metrics HTTP/1.1\n")
        for _ in range(int(DEADLINE_SECONDS)):
            self.assertFalse(protocol.transport.disconnecting)
            protocol.dataReceived(b"X: y\r\n")
            self.clock.advance(1)
        self.assertTrue(protocol.transport.disconnecting)

    def test_endless_header(self) -> None:
        """A header without end is cut off."""
        protocol = self.ask("GET /metrics HTTP/1.1\n")
        for _ in range(40):
            protocol.dataReceived(b"x" * 1000)
        self.assertTrue(protocol.transport.disconnecting)
        self.assertNotRegex(protocol.transport.value(), re.compile(rb"HTTP/1.1 2\d\d"))
