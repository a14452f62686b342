"""The turnstile: what may wait takes a little of each turn, in order; so does what comes from who is not in yet."""

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
from chatserv.turnstile import LONG_SECONDS, OTHERS_SECONDS, SHORT_SECONDS, Turnstile, turnstile_of
from tests.net.test_tls import options


class Turns:
    """A reactor whose turns the test takes: what is asked for in one comes in the next."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []
        self.now = 0.0

    def seconds(self) -> float:
        """Its clock, which work moves on."""
        return self.now

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
        """A turnstile, where nobody else talks."""
        self.reactor = Turns()
        self.turnstile = Turnstile(self.reactor)
        self.did: list[str] = []

    def work(self, name: str, share: float, most: float = LONG_SECONDS) -> Callable[[], None]:
        """Something that takes this share of what a turn may take."""

        def work() -> None:
            self.reactor.now += share * most
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

    def test_others_talk(self) -> None:
        """Turns are short while others talk, and for a while after."""
        self.turnstile.others_talk()
        for name in "abcdef":
            self.turnstile.do(self.work(name, 0.6, SHORT_SECONDS))
        self.assertEqual(self.did, [*"ab"])
        self.reactor.turn()
        self.assertEqual(self.did, [*"abcd"])
        self.reactor.now = OTHERS_SECONDS
        self.reactor.turn()
        self.assertEqual(self.did, [*"abcdef"])
        self.reactor.turn()
        for name in "ghij":
            self.turnstile.do(self.work(name, 0.6, SHORT_SECONDS))
        self.assertEqual(self.did, [*"abcdefghij"])

    def test_others_go_on(self) -> None:
        """Who talks again before that, keeps them short."""
        for _ in range(2):
            self.turnstile.others_talk()
            self.reactor.now += OTHERS_SECONDS - 4 * SHORT_SECONDS
        self.turnstile.do(self.work("a", 2.0, SHORT_SECONDS))
        self.assertFalse(self.turnstile.do(self.work("b", 1.0, SHORT_SECONDS)))

    def test_failure(self) -> None:
        """What fails takes nothing from those that follow."""
        self.assertTrue(self.turnstile.do(lambda: 1 // 0))
        self.turnstile.do(self.work("a", 1.0))
        self.turnstile.do(lambda: 1 // 0)
        self.turnstile.do(self.work("b", 1.0))
        self.reactor.turn()
        self.assertEqual(self.did, ["a", "b"])
        self.assertEqual(2, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_no_time(self) -> None:
        """What takes no time by the clock asks for no turn."""
        self.assertTrue(self.turnstile.do(self.work("a", 0)))
        self.assertEqual([], self.reactor.calls)

    def test_one_each(self) -> None:
        """A reactor has one."""
        self.assertIs(turnstile_of(self.reactor), turnstile_of(self.reactor))
        self.assertIsNot(turnstile_of(Turns()), turnstile_of(self.reactor))


class Coming(Protocol):
    """Somebody who is coming, or is in."""

    coming = True


class ConnectionTests(SynchronousTestCase):
    """What comes over TLS."""

    def setUp(self) -> None:
        """A connection behind a turnstile in which another one's work has used up the turn; what TLS gets is noted."""
        self.reactor, self.took = Turns(), list[bytes]()
        self.turnstile = Turnstile(self.reactor)
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
        self.reactor.now += LONG_SECONDS

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
