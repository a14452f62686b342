"""The handlers' outside."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import Busy
from chatserv.net.effects import reactor_effects


class EffectsTests(SynchronousTestCase):
    """What `reactor_effects` gives."""

    def setUp(self) -> None:
        """A clock."""
        self.clock = Clock()
        self.effects = reactor_effects(self.clock, lambda: 7, bytes)

    def test_time(self) -> None:
        """Clocks are those that were given; what is to happen later does, unless it is cancelled."""
        called: list[str] = []
        self.effects.later(2, lambda: called.append("kept"))
        self.effects.later(2, lambda: called.append("cancelled")).cancel()
        self.clock.advance(2)
        self.assertEqual((called, self.effects.seconds(), self.effects.now_ms()), (["kept"], 2.0, 7))

    def test_sleep(self) -> None:
        """What is to happen after a time that somebody has to use waits for the time that we were awake."""
        called: list[float] = []
        self.effects.later(20, lambda: called.append(self.effects.awake()))
        self.clock.pump([1] * 5)
        self.clock.advance(7200)
        self.assertEqual(called, [])
        self.clock.pump([1] * 20)
        self.assertEqual((len(called), self.effects.seconds()), (1, 7225.0))
        self.effects.later(20, lambda: called.append(0.0)).cancel()
        self.clock.pump([1] * 30)
        self.assertEqual(len(called), 1)

    def test_promise(self) -> None:
        """Who waits for a promise goes on when it is kept."""
        promise = self.effects.promise()

        async def wait() -> str:
            await promise
            return "done"

        waiting = Deferred.fromCoroutine(wait())
        self.assertNoResult(waiting)
        promise.callback(None)
        self.assertEqual(self.successResultOf(waiting), "done")

    def test_spawn(self) -> None:
        """What nobody waits for is run, and logged where it fails."""

        async def broken() -> None:
            raise ZeroDivisionError

        self.effects.spawn(broken())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def together(self, *awaitables: Any) -> "Deferred[list[Any]]":
        """All of them at once."""

        async def wait() -> list[Any]:
            return await self.effects.together(awaitables)

        return Deferred.fromCoroutine(wait())

    def test_together(self) -> None:
        """Several things are waited for at once; their results come in order."""
        waits: list[Deferred[int]] = [Deferred(), Deferred()]
        both = self.together(*waits)
        waits[1].callback(2)
        self.assertNoResult(both)
        waits[0].callback(1)
        self.assertEqual(self.successResultOf(both), [1, 2])
        self.assertEqual(self.successResultOf(self.together()), [])

    def test_together_fails(self) -> None:
        """The error of one of them is the error of all, as it is."""

        async def busy() -> None:
            raise Busy("full")

        self.failureResultOf(self.together(busy(), Deferred()), Busy)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_audit(self) -> None:
        """What an administrator did is an event with its fields, in the log of audits."""
        with capturedLogs() as events:
            self.effects.audit("Suspend", who="alice", user="bob\nmallory")
        (event,) = events
        self.assertEqual((event["log_namespace"], event["event"]), ("chatserv.audit", "Suspend"))
        self.assertEqual((event["audit_who"], event["text"]), ("alice", "who='alice' user='bob\\nmallory'"))
