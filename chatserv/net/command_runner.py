"""Runs a session's commands: started in order, a bounded number under way, answers as they come."""

from collections import deque
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.commands import syncing
from chatserv.commands.context import Context
from chatserv.commands.table import dispatch, error_reply
from chatserv.domain.hub import LiveSession
from chatserv.errors import Internal, WireError
from chatserv.wire import messages
from chatserv.wire.codec import Refused, client_decoder

bugs = Logger(namespace="chatserv.net.command_runner")


class CommandRunner:
    """One session's commands.

    A command starts when fewer than ``limit`` are under way and the send queue is below its soft limit; a `Send` does not
    wait for the commit of the one before. What waits is at most the rest of one record, since reading stops meanwhile.

    Args:
        context: The world of the handlers.
        session: Whose commands these are.
        limit: How many may be under way.
        tell: Queues an answer.
        changed: Called when `ready` may have changed.
        broke: Called where the session cannot catch up; only another connection can.
    """

    def __init__(
        self,
        context: Context,
        session: LiveSession,
        limit: int,
        tell: Callable[[messages.Message], None],
        changed: Callable[[], None],
        broke: Callable[[], None],
    ) -> None:
        self._context, self._session, self._limit = context, session, limit
        self._tell, self._changed, self._broke = tell, changed, broke
        self._waiting: deque[messages.ClientMessage | Refused] = deque()
        self._in_flight = 0
        self._held = self._pumping = False

    @property
    def ready(self) -> bool:
        """Whether more commands may be read."""
        return not self._waiting and not self._held

    def take(self, plaintext: bytes) -> None:
        """Takes the commands of a DATA record. Raises `BadMessage` where it is no array of messages."""
        self._waiting.extend(client_decoder.decode(plaintext))
        self._pump()

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

    def _pump(self) -> None:
        if self._pumping:
            return
        self._pumping = True
        while self._waiting and self._in_flight < self._limit and not self._held:
            self._start(self._waiting.popleft())
        self._pumping = False
        self._changed()

    def _start(self, command: messages.ClientMessage | Refused) -> None:
        if isinstance(command, Refused):
            self._tell(error_reply(command.label, command.error))
            return
        self._in_flight += 1
        running = Deferred.fromCoroutine(dispatch(self._context, self._session, command))
        running.addCallbacks(self._replied, self._crashed, errbackArgs=(command.label,))

    def _replied(self, reply: messages.Reply) -> None:
        self._in_flight -= 1
        self._tell(reply)
        if self._waiting:
            self._pump()

    def _crashed(self, failure: Failure, label: int) -> None:
        bugs.failure("a command of {name} failed on our side", failure, name=self._session.name)
        self._replied(error_reply(label, Internal("command")))
