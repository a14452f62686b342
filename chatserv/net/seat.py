"""The seat of a connection: who logs in there, what they ask for, and what they are told; behind a `FrontSide`."""

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatserv.commands import attendance
from chatserv.commands.context import Context
from chatserv.commands.session import Admission, GuestAdmission
from chatserv.domain.hub import LiveSession
from chatserv.errors import Internal
from chatserv.failpoints import failpoint
from chatserv.net.authenticator import Answer, Authenticator, Wanted
from chatserv.net.command_runner import CommandRunner
from chatserv.net.link import FrontSide
from chatserv.turnstile import Turnstile
from chatserv.wire.server_session import ServerSession

log = Logger(namespace="chatserv.net.connections")
bugs = Logger(namespace="chatserv.net.seat")


class Seat:
    """One person's, or nobody's yet; the front's `chatserv.net.link.SeatSide`.

    Args:
        context: The world of the commands.
        authenticator: Answers logins.
        front: The connection.
        turnstile: Where those wait who send much.

    Attributes:
        live: The session, once somebody is logged in.
    """

    __slots__ = ("_answer", "_answering", "_authenticator", "_context", "_front", "_runner", "_turnstile", "live")

    def __init__(self, context: Context, authenticator: Authenticator, front: FrontSide, turnstile: Turnstile) -> None:
        self._context, self._authenticator, self._turnstile = context, authenticator, turnstile
        self._front: FrontSide | None = front  # None: it is gone
        self.live: LiveSession | None = None
        self._answer: Answer | None = None
        self._runner: CommandRunner | None = None
        self._answering = False

    # -- login ---------------------------------------------------------------------------------------------------------

    def ask(self, core: ServerSession, wanted: Wanted) -> None:
        """Answers what a login wants."""
        front = self._front
        if front is not None:
            self._answering = True
            front.update_reading()
            answer = self._authenticator.answer(core, wanted, front.host, self._answer, lambda: not front.closing)
            Deferred.fromCoroutine(answer).addCallbacks(self._answered, self._answer_crashed)

    def _answered(self, answer: Answer) -> None:
        self._answering, front = False, self._front
        if front is None or front.closing:
            answer.forget(self._context)
            return
        self._answer = answer
        if answer.admission is not None:
            self._answer = None  # nothing is asked any more
            self._welcome(front, answer.admission)
        front.proceed(answer.events)
        front.update_reading()

    def _answer_crashed(self, failure: Failure) -> None:
        bugs.failure("{peer}: login failed on our side", failure, peer=self._front and self._front.peer)
        if self._front is not None:
            self._front.fail(Internal("login"))

    def _welcome(self, front: FrontSide, admission: Admission | GuestAdmission) -> None:
        context = self._context
        failpoint("login.welcoming")
        outbox = front.open(admission.lifetime(context.settings.limits))
        self.live = live = admission.session(outbox, front.host, context.now_ms())
        self._runner = CommandRunner(context, live, self._turnstile, front.tell, front.update_reading, front.broke)
        for notice in admission.begin(context, live):
            front.tell(notice)
        log.info("{peer}: {name} connected", peer=front.peer, name=live.name)

    @property
    def taken(self) -> bool:
        """Whether somebody is logged in, or was."""
        return self.live is not None

    def leave(self) -> str:
        """The connection is gone. Says whose it was; empty: nobody's."""
        live, self.live = self.live, None
        self._front = self._runner = self._answer = None  # else all of this hangs together until the collector comes
        if live is None:
            return ""
        attendance.depart(self._context, live)
        return live.name

    # -- commands ------------------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether more may be read."""
        return not self._answering and (self._runner is None or self._runner.ready)

    def take(self, plaintext: bytes) -> None:
        """Takes the commands of a record. Raises `BadMessage` where it is no array of messages."""
        if self._runner is not None:
            self._runner.take(plaintext)

    def hold(self, *, held: bool) -> None:
        """Begins no command while held."""
        if self._runner is not None:
            self._runner.hold(held=held)

    def catch_up(self) -> None:
        """Brings the session back to live, from the log."""
        if self._runner is not None:
            self._runner.catch_up()

    def stop(self) -> None:
        """Begins nothing more."""
        if self._runner is not None:
            self._runner.stop()
