"""The turnstile: who comes takes a little of each turn, in order; who is in does not pass it."""

import gc
import weakref
from collections.abc import Callable

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.net.tls import TLSConnection, TLSFactory
from chatserv.net.turnstile import MOST_SECONDS, Turnstile
from tests.net.test_tls import options


class Turns:
    """A reactor whose turns the test takes: what is asked for in one comes in the next."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []

    def callLater(self, seconds: float, call: Callable[[], object]) -> None:  # noqa: ARG002, N802 - as the real one
        """In the next one."""
        self.calls.append(call)

    def turn(self) -> None:
        """The next one."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class TurnTests(SynchronousTestCase):
    """What is done in which turn."""

    def setUp(self) -> None:
        """A turnstile by a clock that work moves on."""
        self.reactor, self.now = Turns(), 0.0
        self.turnstile = Turnstile(self.reactor, lambda: self.now)
        self.did: list[str] = []

    def work(self, name: str, share: float) -> Callable[[], None]:
        """Something that takes this share of what a turn may take."""

        def work() -> None:
            self.now += share * MOST_SECONDS
            self.did.append(name)

        return work

    def test_share(self) -> None:
        """So much is done at once; the rest waits for the next turns, and whoever comes then waits behind it."""
        done = [self.turnstile.do(self.work(name, 0.6)) for name in "abcde"]
        self.assertEqual((done, self.did), ([True, True, False, False, False], ["a", "b"]))
        self.reactor.turn()
        self.assertEqual(self.did, [*"abcd"])
        self.assertFalse(self.turnstile.do(self.work("f", 0.6)))
        self.reactor.turn()
        self.assertEqual(self.did, [*"abcdef"])

    def test_idle(self) -> None:
        """Once nothing waits, the next is done at once again, and no turn is asked for."""
        self.turnstile.do(self.work("a", 2.0))
        self.assertFalse(self.turnstile.do(self.work("b", 2.0)))
        for _ in range(3):
            self.reactor.turn()
        self.assertEqual((self.did, self.reactor.calls), (["a", "b"], []))
        self.assertTrue(self.turnstile.do(self.work("c", 2.0)))


class Coming(Protocol):
    """Somebody who is coming, or is in."""

    coming = True


class ConnectionTests(SynchronousTestCase):
    """What comes over TLS."""

    def setUp(self) -> None:
        """A connection behind a turnstile in which another one's work has used up the turn; what TLS gets is noted."""
        self.reactor, self.now, self.took = Turns(), 0.0, list[bytes]()
        self.turnstile = Turnstile(self.reactor, lambda: self.now)
        self.patch(TLSMemoryBIOProtocol, "dataReceived", lambda _, data: self.took.append(data))
        inner = ServerFactory()
        inner.protocol = Coming
        factory = TLSFactory(inner, options(), self.turnstile)
        connection = factory.buildProtocol(None)
        assert connection is not None
        self.connection, self.transport = connection, StringTransport()
        self.connection.makeConnection(self.transport)
        self.turnstile.do(self.use_up)

    def use_up(self) -> None:
        """Takes all that a turn has."""
        self.now += MOST_SECONDS

    def test_wait(self) -> None:
        """It waits for the next turn; who does not wait for an answer is not read any more meanwhile."""
        self.connection.dataReceived(b"hello")
        self.assertEqual((self.took, self.transport.producerState), ([], "producing"))
        self.connection.dataReceived(b"again")
        self.assertEqual((self.took, self.transport.producerState), ([], "paused"))
        self.reactor.turn()
        self.assertEqual((self.took, self.transport.producerState), ([b"hello", b"again"], "producing"))

    def test_overtaken(self) -> None:
        """What has come before somebody was in comes before what they say then."""
        self.connection.dataReceived(b"hello")
        self.connection.wrappedProtocol.coming = False  # type: ignore[attr-defined]
        self.connection.dataReceived(b"said")
        self.assertEqual(self.took, [])
        self.reactor.turn()
        self.connection.dataReceived(b"more")
        self.assertEqual(self.took, [b"hello", b"said", b"more"])

    def test_in(self) -> None:
        """Who is in goes by, for good."""
        self.connection.wrappedProtocol.coming = False  # type: ignore[attr-defined]
        for _ in range(2):
            self.connection.dataReceived(b"said")
            self.assertNotIn("dataReceived", vars(self.connection))
        self.assertEqual(self.took, [b"said"] * 2)

    def test_lost(self) -> None:
        """What waited for a connection that has ended is dropped, and nothing is left of it."""
        self.addCleanup(gc.enable)
        gc.disable()
        self.connection.dataReceived(b"hello")
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.reactor.turn()
        self.assertEqual(self.took, [])
        seen: weakref.ref[TLSConnection] = weakref.ref(self.connection)
        del self.connection
        self.assertIsNone(seen())
