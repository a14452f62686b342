"""What is done again and again, whatever becomes of it."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

bugs = Logger(namespace="chatserv.repeating")


def repeated(work: Callable[[], object], reactor: Any) -> LoopingCall:
    """Does something again and again, once it is started: what fails is in the log, and is tried again the next time.

    Args:
        work: What; may give a coroutine or a Deferred, whose end is waited for.
        reactor: Counts the time.
    """

    async def once() -> None:
        with bugs.failuresHandled("what is done again and again has failed"):
            await maybeDeferred(work)

    call = LoopingCall(lambda: Deferred.fromCoroutine(once()))
    call.clock = reactor
    return call
