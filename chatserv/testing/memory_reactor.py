"""A reactor without sockets and threads: its clock moves when it is told to, and what a thread would do is done at once."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure


class InlinePool:
    """A thread pool that does everything at once, in the calling thread."""

    def callInThreadWithCallback(  # noqa: N802 - Twisted's name
        self, done: Callable[[bool, Any], None], function: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Runs it and tells the result."""
        try:
            result = function(*args, **kwargs)
        except Exception:  # noqa: BLE001 - the caller gets the Failure
            done(False, Failure())
        else:
            done(True, result)

    def run(self, operation: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """The face of `chatserv.net.pool.CryptoPool`."""
        return succeed(operation(*args))


class MemoryReactor(Clock):
    """A clock with the threads of `InlinePool`."""

    def getThreadPool(self) -> InlinePool:  # noqa: N802 - Twisted's name
        """The pool."""
        return InlinePool()

    def callFromThread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:  # noqa: N802
        """There are no threads."""
        function(*args, **kwargs)
