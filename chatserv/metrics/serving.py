"""``/metrics`` and ``/health`` over HTTP: for this machine alone, bounded, and deaf to anything but GET."""

import json
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from twisted.application.internet import TCPServer, UNIXServer
from twisted.application.service import Service
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.http import Request
from twisted.web.server import Site

from chatserv.config import Metrics
from chatserv.errors import ChatError
from chatserv.metrics.figures import Figures, Watched
from chatserv.units import is_loopback

MOST_CONNECTIONS: Final = 16
DEADLINE_SECONDS: Final = 30.0  # of a connection, whatever comes
PING_SECONDS: Final = 2.0
BACKLOG: Final = 16


class Pages:
    """What is answered.

    Args:
        watched: The server.
        reactor: Times the question to the store.
        any_host: Whether requests may name any host; else one of this machine, so that no page in a browser of this
            machine reads them under a name of its own.
    """

    def __init__(self, watched: Watched, reactor: Any, *, any_host: bool) -> None:
        self._watched, self._reactor, self._any_host = watched, reactor, any_host
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Figures(watched))

    async def answer(self, method: bytes, path: bytes, host: str) -> tuple[int, str, bytes]:
        """Status, type and body."""
        if method != b"GET":
            return 405, "text/plain", b"only GET\n"
        if not self._any_host and not is_loopback(host):
            return 403, "text/plain", b"only by an address of this machine\n"
        if path == b"/metrics":
            return 200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)
        if path == b"/health":
            reasons = await self.reasons()
            body = json.dumps({"healthy": not reasons, "reasons": reasons}).encode() + b"\n"
            return 503 if reasons else 200, "application/json", body
        return 404, "text/plain", b"/metrics, /health\n"

    async def reasons(self) -> list[str]:
        """Why the server is not well; none: it is."""
        watched = self._watched
        found = {
            "the database is read-only": watched.store.broken,
            "the server is draining": watched.factory.draining,
            "the server mends after a restore": watched.context.mending.active,
        }
        reasons = [reason for reason, holds in found.items() if holds]
        try:
            await _within(PING_SECONDS, self._reactor, watched.store.ping())
        except defer.TimeoutError:
            reasons.append(f"the database does not answer within {PING_SECONDS:g} s")
        except ChatError as error:
            reasons.append(f"the database does not answer: {error.code}")
        return reasons


async def _within(seconds: float, reactor: Any, waiting: Awaitable[None]) -> None:
    asked: Deferred[None] = Deferred.fromCoroutine(_awaited(waiting))
    await asked.addTimeout(seconds, reactor)


async def _awaited(waiting: Awaitable[None]) -> None:
    await waiting


class PageRequest(Request):
    """A request whose body, if any, is dropped as it comes."""

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Nobody reads it."""

    def process(self) -> None:
        """Answers, and ends the connection."""
        channel: Any = self.channel
        pages: Pages = channel.site.pages
        answer = pages.answer(self.method, self.path.partition(b"?")[0], self.getRequestHostname().decode("latin-1"))
        Deferred.fromCoroutine(answer).addCallbacks(self._answered, self._failed)

    def _answered(self, answer: tuple[int, str, bytes]) -> None:
        if self._disconnected:
            return
        status, kind, body = answer
        self.setResponseCode(status)
        self.setHeader("Content-Type", kind)
        self.setHeader("Content-Length", str(len(body)))
        self.setHeader("Connection", "close")
        self.setHeader("X-Content-Type-Options", "nosniff")
        self.write(body)
        self.finish()

    def _failed(self, failure: Failure) -> None:
        self._answered((500, "text/plain", b"failed\n"))
        failure.raiseException()  # into the log


class PageSite(Site):
    """The pages, without a log of requests."""

    noisy = False

    def __init__(self, pages: Pages, reactor: Any) -> None:
        super().__init__(None, requestFactory=PageRequest, timeout=DEADLINE_SECONDS, reactor=reactor)
        self.pages = pages

    def log(self, request: Request) -> None:
        """Nothing: a scrape each few seconds is no event."""


class BoundedConnection(ProtocolWrapper):
    """A connection that ends after a while, whatever comes."""

    _end: Any = None

    def makeConnection(self, transport: Any) -> None:  # noqa: N802 - Twisted's name
        """Begins."""
        factory: Any = self.factory
        self._end = factory.reactor.callLater(DEADLINE_SECONDS, transport.abortConnection)
        super().makeConnection(transport)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Ends."""
        if self._end is not None and self._end.active():
            self._end.cancel()
        super().connectionLost(reason)


class BoundedFactory(WrappingFactory):
    """As many connections as are sensible; more are closed at once."""

    noisy = False
    protocol = BoundedConnection

    def __init__(self, site: Site, reactor: Any) -> None:
        super().__init__(site)
        self.reactor = reactor

    def buildProtocol(self, addr: IAddress | None) -> ProtocolWrapper | None:  # type: ignore[override]
        """A connection, or None."""
        return None if len(self.protocols) >= MOST_CONNECTIONS else super().buildProtocol(addr)


def metrics_service(settings: Metrics, watched: Watched, reactor: Any) -> Service:
    """What listens; to be made where ``settings.listen`` says something."""
    pages = Pages(watched, reactor, any_host=settings.allow_network)
    factory = BoundedFactory(PageSite(pages, reactor), reactor)
    address = settings.address
    if isinstance(address, str):
        path = str(watched.paths.path / Path(address))
        return UNIXServer(path, factory, mode=0o600, backlog=BACKLOG, wantPID=1, reactor=reactor)
    host, port = address
    return TCPServer(port, factory, backlog=BACKLOG, interface=host, reactor=reactor)
