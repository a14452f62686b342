"""The crypto pool: off the reactor, and never more than its bound."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import Busy
from chatserv.net.pool import CryptoPool


class Threads:
    """Workers without threads."""

    started = False

    def __init__(self) -> None:
        self.work: list[Callable[[], object]] = []

    def start(self) -> None:
        """Starts."""
        self.started = True

    def stop(self) -> None:
        """Stops."""
        self.started = False

    def call(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Keeps the call."""
        answer: Deferred[Any] = Deferred()
        self.work.append(lambda: execute(function, *arguments).chainDeferred(answer))
        return answer


class CryptoPoolTests(SynchronousTestCase):
    """What `CryptoPool` promises."""

    def setUp(self) -> None:
        """A pool for two."""
        self.pool = CryptoPool(Clock(), 2, threads=1)
        self.threads = Threads()
        self.patch(self.pool, "_threads", self.threads)

    def test_answer(self) -> None:
        """An operation runs in the pool with its arguments, and its result comes back."""
        running = self.pool.run(pow, 2, 10)
        self.assertNoResult(running)
        self.threads.work.pop()()
        self.assertEqual(self.successResultOf(running), 1024)

    def test_bound(self) -> None:
        """As many operations as the bound may wait; the next is refused at once, until one is done."""
        first, second = self.pool.run(pow, 1, 1), self.pool.run(pow, 1, 1)
        self.assertRaises(Busy, self.pool.run, pow, 1, 1)
        self.threads.work.pop(0)()
        third = self.pool.run(pow, 1, 1)
        self.assertRaises(Busy, self.pool.run, pow, 1, 1)
        for run in self.threads.work:
            run()
        for running in (first, second, third):
            self.assertEqual(self.successResultOf(running), 1)

    def test_failure(self) -> None:
        """An operation that fails gives its failure, and its place back."""
        for _ in range(5):
            running = self.pool.run(divmod, 1, 0)
            self.threads.work.pop()()
            self.failureResultOf(running, ZeroDivisionError)

    def test_life(self) -> None:
        """Threads start and stop with the pool; stopping one that was never started is harmless."""
        self.pool.stop()
        self.pool.start()
        self.assertTrue(self.threads.started)
        self.pool.stop()
        self.assertFalse(self.threads.started)

    def test_threads(self) -> None:
        """There is at least one thread, whatever the machine, or as many as are asked for."""
        self.assertGreaterEqual(CryptoPool(Clock(), 1)._threads.count, 1)
        self.assertEqual(CryptoPool(Clock(), 1, threads=3)._threads.count, 3)
