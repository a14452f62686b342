"""The handlers' outside, made of a Twisted reactor."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.clocks import AwakeClock
from chatserv.commands.effects import Effects, Promise
from chatserv.counts import Counts
from chatserv.net.timers import AwakeCall

audit = Logger(namespace="chatserv.audit")
bugs = Logger(namespace="chatserv.net.effects")


def reactor_effects(
    reactor: Any, now_ms: Callable[[], int], random: Callable[[int], bytes], counts: Counts | None = None
) -> Effects:
    """What commands get from this process.

    Args:
        reactor: Gives time.
        now_ms: The clock, in milliseconds since 1970.
        random: Gives so many random bytes.
        counts: Who is told what is counted; by default one that nobody asks.
    """
    awake = AwakeClock(reactor.seconds).seconds
    return Effects(
        now_ms=now_ms,
        seconds=reactor.seconds,
        awake=awake,
        random=random,
        later=partial(AwakeCall, reactor, awake),
        promise=_promise,
        spawn=_spawn,
        together=_together,
        audit=partial(note_audit, audit),
        count=(counts or Counts()).add,
    )


def _promise() -> Promise:
    waiting: Deferred[None] = Deferred()
    return waiting


def _spawn(coroutine: Coroutine[Any, Any, None]) -> None:
    Deferred.fromCoroutine(coroutine).addErrback(_log)


def _log(failure: Failure) -> None:
    bugs.failure("something failed on our side that nobody waits for", failure)


async def _result(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _together(awaitables: Sequence[Awaitable[Any]]) -> list[Any]:
    running = [Deferred.fromCoroutine(_result(each)) for each in awaitables]
    try:
        return list(await gatherResults(running, consumeErrors=True))
    except FirstError as error:
        error.subFailure.raiseException()
        raise


def note_audit(audit: Logger, event: str, **fields: object) -> None:
    """Notes for ``audit.log`` what was done or tried: ``who``, by which ``way``, its ``result``, and what else there is."""
    text = " ".join(f"{name}={value!r}" for name, value in fields.items())
    audit.info("{event} {text}", event=event, text=text, **{f"audit_{name}": value for name, value in fields.items()})
