"""The send queue: the only thing that writes to a peer once a session is open.

It holds encoded messages, whose bytes all recipients share. At the end of a reactor turn what is queued is sealed into as
few lines as hold it and written once. Above the soft limit the peer's own commands wait; a session whose queue has no
place for a room's events reads them from the log; above the hard limit, or where nothing leaves any more, it is cut.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatserv.domain.closing import CloseReason
from chatserv.errors import SlowReader
from chatserv.failpoints import failpoint
from chatserv.limits import Limits
from chatserv.turnstile import turnstile_of
from chatserv.wire.server_session import ServerSession

bugs = Logger(namespace="chatserv.net.sendq")
LIGHT_BYTES: Final = 1024  # two short messages; what a commit brings is more
LIGHT_SECONDS: Final = 0.004  # of a turn, for light queues: a hundred of them take 3 ms
WRITE_BYTES = 49_152  # about one full line a write, so that the transport's buffer can say stop in between
UNREAD = f"{SlowReader.code}: did not read what it was sent"


class Watcher(Protocol):
    """What a queue reports to: the connection that it belongs to."""

    def overflowed(self) -> None:
        """The hard limit is passed."""
        ...

    def pressed(self, *, above: bool) -> None:
        """The queue went above its soft limit, or below again."""
        ...

    def ended(self, reason: CloseReason) -> None:
        """CLOSE was written."""
        ...

    def fell_behind(self) -> None:
        """The session has to catch up from the log."""
        ...

    def broke(self) -> None:
        """What is queued cannot be sealed or written: a bug of ours."""
        ...


class TurnFlusher:
    """Flushes the queues that were filled, once each, at the end of a turn of the reactor.

    Who gets a line or two does not wait until a room as fast as it goes has its thousands: light queues leave first, and the
    heavy ones through the turnstile, with all that has come to them by then.

    Args:
        reactor: Gives the end of the turn, and the clock that it is measured by.
        seconds: The time; by default the reactor's.
    """

    def __init__(self, reactor: Any, seconds: Callable[[], float] | None = None) -> None:
        self._reactor, self._turnstile = reactor, turnstile_of(reactor)
        self.seconds: Callable[[], float] = seconds or reactor.seconds
        self._filled: list[SendQueue] = []  # in this turn
        self._light: deque[SendQueue] = deque()
        self._turning = False

    def add(self, queue: "SendQueue") -> None:
        """Flushes ``queue`` when a turn ends."""
        self._filled.append(queue)
        self._turn_later()

    def _turn_later(self) -> None:
        if not self._turning:
            self._turning = True
            self._reactor.callLater(0, self._flush)

    def _flush(self) -> None:
        self._turning = False
        filled, self._filled = self._filled, []
        light, now = self._light, self._reactor.seconds
        light += [queue for queue in filled if queue.queued_bytes <= LIGHT_BYTES]
        heavy = [queue for queue in filled if queue.queued_bytes > LIGHT_BYTES]
        end = now() + LIGHT_SECONDS
        while light:
            light.popleft().flush()
            if now() >= end:
                break
        for queue in heavy:
            self._turnstile.do(queue.flush)
        if light:
            self._turn_later()


@implementer(IPushProducer)
class SendQueue:
    """One connection's queue; implements `chatserv.domain.hub.Outbox` and is the transport's streaming producer.

    Args:
        session: The open session that seals.
        transport: What tells when to stop.
        write: Writes lines to it.
        flusher: Flushes at the end of the turn.
        limits: The soft and hard limit.
        watcher: Told of limits passed and of the end.
    """

    __slots__ = (
        "_end_reason", "_flusher", "_hard", "_parts", "_paused", "_pressed", "_scheduled", "_session", "_soft",
        "_transport", "_waiting", "_watcher", "_write", "closed", "queued_bytes", "stalled_since",
    )  # fmt: skip

    def __init__(
        self,
        session: ServerSession,
        transport: Any,
        write: Callable[[bytes], object],
        flusher: TurnFlusher,
        limits: Limits,
        watcher: Watcher,
    ) -> None:
        self._session, self._transport, self._flusher = session, transport, flusher
        self._write = write
        self._soft, self._hard = limits.sendq_soft_bytes, limits.sendq_hard_bytes
        self._watcher = watcher
        self._parts: list[bytes] = []
        self._waiting: list[Deferred[None]] = []
        self._paused = self._pressed = self._scheduled = False
        self._end_reason: CloseReason | None = None
        self.queued_bytes = 0
        self.closed = False
        self.stalled_since: float | None = None
        transport.registerProducer(self, True)

    # -- in -----------------------------------------------------------------------------------------------------------

    def queue(self, parts: Sequence[bytes], size: int) -> None:
        """Puts encoded messages at the end; they leave at the end of the turn."""
        if self.closed:
            return
        self._parts += parts
        self.queued_bytes += size
        if self.queued_bytes > self._hard:
            self._watcher.overflowed()
        elif not self._scheduled and not self._paused:
            self._scheduled = True
            self._flusher.add(self)
        if self.queued_bytes > self._soft and not self._pressed:
            self._pressed = True
            self._watcher.pressed(above=True)

    def has_place(self, size: int) -> bool:
        """Whether so many bytes more leave at least half of the hard limit for answers."""
        return self.queued_bytes + size <= self._hard // 2

    @property
    def relaxed(self) -> bool:
        """Whether the queue is below its soft limit."""
        return self.queued_bytes <= self._soft

    def fell_behind(self) -> None:
        """The session has to catch up from the log."""
        self._watcher.fell_behind()

    async def writable(self) -> None:
        """Answers when the queue is below its soft limit, or closed."""
        while self.queued_bytes > self._soft and not self.closed:  # one that waits as well may have filled it again
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting

    def end(self, reason: CloseReason) -> None:
        """Sends what this turn queues, then CLOSE; what the peer has not taken by then is dropped."""
        if self.closed or self._end_reason is not None:
            return
        self._end_reason = reason
        if not self._scheduled:
            self._scheduled = True
            self._flusher.add(self)

    # -- out ----------------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """The turn of this queue has come: it leaves the line. What fails on our side ends the connection."""
        self._scheduled = False
        try:
            self._leave()
        except Exception:  # noqa: BLE001 - the others flush all the same
            bugs.failure("a send queue failed on our side")
            self.close()
            self._watcher.broke()

    def _leave(self) -> None:
        """Seals and writes what is queued, until the transport says stop."""
        while self._parts and not self._paused and not self.closed:
            if self.queued_bytes <= WRITE_BYTES:
                parts, self._parts, self.queued_bytes = self._parts, [], 0
            else:
                parts = self._take()
            failpoint("sendq.sealing")
            self._write(b"".join(self._session.seal(parts)))
            failpoint("sendq.written")
        if (self._pressed or self._waiting) and self.queued_bytes <= self._soft:
            self._relax()
        if self._end_reason is not None and not self.closed:
            self._write(self._session.close(self._end_reason))
            self.close()
            self._watcher.ended(self._end_reason)

    def _take(self) -> list[bytes]:
        size = count = 0
        while count < len(self._parts) and (not count or size + len(self._parts[count]) <= WRITE_BYTES):
            size += len(self._parts[count])
            count += 1
        parts, self._parts = self._parts[:count], self._parts[count:]
        self.queued_bytes -= size
        return parts

    def _relax(self) -> None:
        if self._pressed:
            self._pressed = False
            self._watcher.pressed(above=False)
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    def close(self) -> None:
        """Drops what is left and lets go of the transport and of whoever waits."""
        if self.closed:
            return
        self.closed = True
        self._parts, self.queued_bytes = [], 0
        self._transport.unregisterProducer()
        self._write = self._transport.write  # lets go of the TLS state
        self._relax()

    # -- the transport's side (IPushProducer) --------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """The transport's buffer is full: the peer does not read as fast as it is sent to."""
        self._paused = True
        self.stalled_since = self._flusher.seconds()

    def resumeProducing(self) -> None:
        """The transport's buffer has room again."""
        self._paused = False
        self.stalled_since = None
        self._leave()  # it keeps its place in the line, if it has one

    def stopProducing(self) -> None:
        """The transport is gone."""
        self.close()


def ended_by_peer(queue: SendQueue | None, reason: Failure | None) -> str:
    """Why a connection is gone that we have not ended, in words. Where nothing leaves any more the system gives up as well
    (`chatserv.net.sockets`), and may come before the watch does.
    """
    stalled = queue is not None and queue.stalled_since is not None
    return UNREAD if stalled and reason is not None and not reason.check(ConnectionDone) else "closed by the other side"
