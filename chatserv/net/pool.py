"""The pool that private-key operations run in: threads of its own, and a bound on what may wait.

Only calls that release the GIL belong here (RSA private operations: 0.7 ms each); everything else is faster inline. The
threads give way to the reactor's: else who logs in takes every second millisecond from those who talk.
"""

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred

from chatserv.errors import Busy
from chatserv.workers import Workers

T = TypeVar("T")
NICE: Final = 5  # a quarter of a core that one other thread wants too; what 0 and 10 cost: docs/performance-history.rst


class CryptoPool:
    """Runs slow operations off the reactor.

    Args:
        reactor: The reactor that answers come back to.
        max_waiting: How many operations may run or wait at once; can be changed.
        threads: How many run at once; by default one less than there are cores, at least one.
    """

    def __init__(self, reactor: Any, max_waiting: int, threads: int | None = None) -> None:
        self.max_waiting = max_waiting
        self._waiting = 0
        self._threads = Workers("crypto", threads or max(1, (os.cpu_count() or 1) - 1), reactor, NICE)

    @property
    def waiting(self) -> int:
        """How many are under way."""
        return self._waiting

    def start(self) -> None:
        """Starts the threads; after the fork."""
        self._threads.start()

    def stop(self) -> None:
        """Ends the threads, when what runs is done."""
        self._threads.stop()

    def run(self, operation: Callable[..., T], *args: Any) -> "Deferred[T]":
        """Runs ``operation`` in the pool. Raises `Busy` at once where ``max_waiting`` are under way."""
        if self._waiting >= self.max_waiting:
            raise Busy("crypto pool: queue is full", after_seconds=1.0)
        self._waiting += 1
        return self._threads.call(operation, *args).addBoth(self._done)

    def _done(self, result: T) -> T:
        self._waiting -= 1
        return result
