"""Runs a session's commands: paid for, started in order, a bounded number under way, answers as they come."""

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.commands import syncing
from chatserv.commands.context import Context
from chatserv.commands.effects import Timer
from chatserv.commands.table import Charged, charge, dispatch, error_reply
from chatserv.domain.buckets import Bucket
from chatserv.domain.hub import LiveSession
from chatserv.errors import Internal, WireError
from chatserv.failpoints import failpoint
from chatserv.turnstile import Turnstile
from chatserv.wire import messages
from chatserv.wire.codec import Refused, client_decoder

log = Logger(namespace="chatserv.net.connections")
bugs = Logger(namespace="chatserv.net.command_runner")
EARLY_SECONDS: Final = 0.001  # a timer is no more precise than that
BUSY_SECONDS: Final = 0.25  # who has something said more often than that sends much


Item = messages.ClientMessage | Refused


class CommandRunner:
    """One session's commands.

    A command starts when it is paid for, fewer than ``limits.commands_in_flight`` are under way, and the send queue is below
    its soft limit; a `Send` does not wait for the commit of the one before. Who is too fast waits, each kind of command in a
    line of its own: a commit does not wait behind what is said. Where as many wait as may be under way, no more is read.
    So what is held is those, and at most the rest of one record. Records of who sends much wait at the turnstile.

    Args:
        context: The world of the handlers.
        session: Whose commands these are.
        turnstile: Told that somebody talks, and goes on with those who send much.
        tell: Queues an answer.
        changed: Called when `ready` may have changed.
        broke: Called where the session cannot catch up; only another connection can.
    """

    __slots__ = (
        "_broke", "_changed", "_context", "_heard_at", "_held", "_in_flight", "_lagging", "_limit", "_lines", "_meter",
        "_pieces", "_pumping", "_session", "_tell", "_timer", "_told", "_turnstile", "_waiting",
    )  # fmt: skip

    def __init__(
        self,
        context: Context,
        session: LiveSession,
        turnstile: Turnstile,
        tell: Callable[[messages.Message], None],
        changed: Callable[[], None],
        broke: Callable[[], None],
    ) -> None:
        self._context, self._session, self._limit = context, session, context.config.limits.commands_in_flight
        self._turnstile, self._tell, self._changed, self._broke = turnstile, tell, changed, broke
        self._heard_at = -BUSY_SECONDS
        self._meter = context.meter(session)
        self._waiting: list[Item] = []
        self._lines: dict[Bucket, deque[tuple[float, Item]]] = {}  # with the second from which each may start
        self._lagging = 0
        self._timer: Timer | None = None
        self._in_flight = self._pieces = 0
        self._held = self._pumping = self._told = False

    @property
    def ready(self) -> bool:
        """Whether more commands may be read."""
        return not self._waiting and not self._held and self._lagging < self._limit

    def take(self, plaintext: bytes) -> None:
        """Takes the commands of a DATA record. Raises `BadMessage` where it is no array of messages."""
        self._waiting.extend(client_decoder.decode(plaintext))
        failpoint("net.commands_in")
        now = self._context.effects.seconds()
        busy, self._heard_at = now - self._heard_at < BUSY_SECONDS, now
        if not busy:
            self._turnstile.others_talk()
            self._pump()
        elif not self._turnstile.do(self._pump):
            self._changed()

    def hold(self, *, held: bool) -> None:
        """Starts nothing while held."""
        self._held = held
        self._pump()

    def catch_up(self) -> None:
        """Brings a session that fell behind back to live, unless that is under way already."""
        if not self._session.catching_up:
            catching_up = Deferred.fromCoroutine(syncing.catch_up(self._context, self._session))
            catching_up.addErrback(self._lost_track)

    def _lost_track(self, failure: Failure) -> None:
        if failure.check(WireError) is None:
            bugs.failure("{name} cannot catch up", failure, name=self._session.name)
        self._broke()

    def stop(self) -> None:
        """Forgets what waits."""
        self._waiting.clear()
        self._lines.clear()
        self._lagging = 0
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _may_start(self) -> bool:
        return self._in_flight < self._limit and not self._held

    def _may_begin(self, bucket: Bucket) -> bool:
        """Pieces of files are let through a few at a time, so that what else there is goes between them."""
        return bucket is not Bucket.BLOB or self._pieces < self._context.config.limits.blob_commands

    def _pump(self) -> None:
        if self._pumping:
            return
        self._pumping = True
        if self._lagging:
            self._go_on()
        while self._waiting and self._may_start and self._lagging < self._limit:
            self._admit(charge(self._context, self._session, self._meter, self._waiting.pop(0)))
        self._pumping = False
        self._changed()

    def _admit(self, charged: Charged) -> None:
        line = self._lines.get(charged.line)
        if not charged.wait and not line and self._may_begin(charged.line):
            self._start(charged.message, charged.line)
            return
        if line is None:
            line = self._lines[charged.line] = deque()
        line.append((self._context.effects.seconds() + charged.wait, charged.message))
        self._lagging += 1
        if self._lagging == self._limit and not self._told:
            self._told = True
            self._context.effects.count("slowed")
            log.info("{name} is too fast: nothing more is read until its turn", name=self._session.name)
        if self._timer is None or len(line) == 1:
            self._wake_for_first()

    def _go_on(self) -> None:
        """Starts what has waited long enough."""
        now = self._context.effects.seconds() + EARLY_SECONDS
        for bucket, line in list(self._lines.items()):
            while line and line[0][0] <= now and self._may_start and self._may_begin(bucket):
                self._lagging -= 1
                self._start(line.popleft()[1], bucket)
        self._told = self._told and self._lagging > 0
        self._wake_for_first()

    def _wake_for_first(self) -> None:
        self._cancel()
        due = [line[0][0] for bucket, line in self._lines.items() if line and self._may_begin(bucket)]
        if due and self._may_start:  # else an answer, or a send queue that empties, brings us back
            wait = max(0.0, min(due) - self._context.effects.seconds())
            self._timer = self._context.effects.later(wait, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._pump()

    def _start(self, command: Item, bucket: Bucket) -> None:
        if isinstance(command, Refused):
            self._context.effects.count("refusals", command.error.code)
            self._tell(error_reply(command.label, command.error))
            return
        self._in_flight += 1
        self._pieces += bucket is Bucket.BLOB
        self._go(None, dispatch(self._context, self._session, command), command.label, bucket)

    def _go(
        self, result: object, command: Coroutine[Deferred[Any], Any, messages.Reply], label: int, bucket: Bucket
    ) -> None:
        """Goes on with a command until it waits; a Deferred of its own would take a fifth of what a message costs here."""
        try:
            waits = result.throwExceptionIntoGenerator(command) if isinstance(result, Failure) else command.send(result)
        except StopIteration as done:
            reply = done.value
        except Exception:  # noqa: BLE001 - a bug of ours, told and logged
            self._crashed(Failure(), label, bucket)
            return
        else:
            waits.addBoth(self._go, command, label, bucket)
            return
        self._replied(reply, bucket)

    def _replied(self, reply: messages.Reply, bucket: Bucket) -> None:
        self._in_flight -= 1
        self._pieces -= bucket is Bucket.BLOB
        failpoint("command.answering")
        self._tell(reply)
        if self._waiting or self._lagging:
            self._pump()

    def _crashed(self, failure: Failure, label: int, bucket: Bucket) -> None:
        bugs.failure("a command of {name} failed on our side", failure, name=self._session.name)
        self._replied(error_reply(label, Internal("command")), bucket)
