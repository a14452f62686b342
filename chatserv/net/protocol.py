"""One connection of the server: from the first byte to the last, around a `ServerSession` core.

A connection is in one of four phases; each has a deadline that bytes do not move, but for the silence of an open one::

    TLS        the TLS handshake          tls_handshake_seconds from accept
    LOGIN      the session's handshake    login_seconds from accept
    OPEN       messages                   idle_seconds of silence, then a keepalive, then idle_reply_seconds
    CLOSING    the other side's end       close_seconds, then the connection is aborted
"""

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatserv.commands import attendance
from chatserv.commands.session import Admission, welcome
from chatserv.crypto.session import channel_binding
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import LiveSession
from chatserv.errors import BadMessage, Internal, SlowReader, TimedOut, TooLarge, WireError
from chatserv.linereceiver import LinearLineReceiver
from chatserv.net.authenticator import Answer, Wanted
from chatserv.net.command_runner import CommandRunner
from chatserv.net.sendq import SendQueue
from chatserv.net.sockets import tune_socket
from chatserv.net.watch import Finding, Phase, Watch
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.framing import ALPN, EXPORTER
from chatserv.wire.server_session import ServerSession
from chatserv.wire.session import (
    Authenticated,
    CloseReceived,
    DeviceWanted,
    Event,
    Failed,
    LineReady,
    PlaintextReceived,
    RegistrationWanted,
    SignatureWanted,
)

if TYPE_CHECKING:
    from chatserv.net.factory import ChatFactory

log = Logger(namespace="chatserv.net.connections")
bugs = Logger(namespace="chatserv.net.protocol")


@implementer(IHandshakeListener)
class ChatProtocol(LinearLineReceiver):
    """One connection.

    Args:
        factory: What all connections share.
        peer: The other side's address, for the log.
        tls: Whether this connection is TLS; plain ones have no channel binding.
    """

    def __init__(self, factory: "ChatFactory", peer: str, *, tls: bool) -> None:
        super().__init__(factory.limits.login_line_bytes)
        self.factory, self.peer, self._host = factory, peer, peer.rpartition(":")[0]
        self.phase = Phase.TLS if tls else Phase.LOGIN
        self.live: LiveSession | None = None
        self._session: ServerSession | None = None
        self._sendq: SendQueue | None = None
        self._answer: Answer | None = None
        self._runner: CommandRunner | None = None
        self._answering = False
        self._accepted_at: float = factory.seconds()
        self._watch = Watch(factory.limits, self._accepted_at)
        self._why = "closed by the other side"

    # -- life of the transport -----------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """A connection was accepted."""
        tune_socket(self.transport)
        if self.phase is Phase.LOGIN:
            self._begin(None)
        else:
            self._wake_in(self.factory.limits.tls_handshake_seconds)

    def handshakeCompleted(self) -> None:
        """TLS is up; only now is there an exporter to bind the session to."""
        if self.transport.negotiatedProtocol != ALPN:
            self._close("another protocol than ours (ALPN)")
            return
        handle = self.transport.getHandle()
        log.debug("{peer}: TLS up, group {group}", peer=self.peer, group=handle.get_group_name())
        self._begin(handle.export_keying_material(EXPORTER, 32, b""))

    def _begin(self, exporter: bytes | None) -> None:
        factory = self.factory
        self.phase = Phase.LOGIN
        self._session = ServerSession(factory.identity, factory.session_context, channel_binding(exporter))
        factory.wheel.wake_at(self, self._accepted_at + factory.limits.login_seconds)

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: ARG002 - Twisted's signature
        """The connection is gone, whoever ended it."""
        self._stop()
        self.factory.wheel.forget(self)
        self.factory.forget(self)
        name = "nobody yet"
        if self.live is not None:
            attendance.depart(self.factory.context, self.live)
            name = self.live.name
        seconds = self.factory.seconds() - self._accepted_at
        log.info(
            "{peer}: {name} disconnected after {seconds:.1f} s: {why}",
            peer=self.peer, name=name, seconds=seconds, why=self._why,
        )  # fmt: skip

    def _wake_in(self, seconds: float) -> None:
        self.factory.wheel.wake_at(self, self.factory.seconds() + seconds)

    def woken(self, now: float) -> float | None:
        """The wheel: a deadline has passed. Returns the next one."""
        match self.phase:
            case Phase.TLS:
                self.abort("no TLS handshake in time")
            case Phase.LOGIN:
                self.fail(TimedOut("no login in time"))
            case Phase.CLOSING:
                self.transport.abortConnection()
            case Phase.OPEN:
                return self._check(now)
        return None

    def _check(self, now: float) -> float | None:
        stalled_since = None if self._sendq is None else self._sendq.stalled_since
        match self._watch.check(now, stalled_since):
            case Finding.SILENT:
                self.fail(TimedOut("silence"))
            case Finding.STALLED:
                self.overflowed()
            case Finding.OLD:
                self.end(CloseReason.TOO_OLD)
            case Finding.ASK:
                self._tell(messages.Keepalive())
                return self._watch.due(stalled_since)
            case Finding.NOTHING:
                return self._watch.due(stalled_since)
        return None

    # -- ways to end ---------------------------------------------------------------------------------------------------

    def end(self, reason: CloseReason) -> None:
        """Sends what is queued, then CLOSE; before login, just closes."""
        if self._sendq is None:
            self._close(reason.name.lower())
        else:
            self._sendq.end(reason)

    def fail(self, error: WireError) -> None:
        """Tells the other side the code of ``error`` and closes."""
        if self._session is not None and self.phase is not Phase.CLOSING:
            self._handle(self._session.refuse(error))

    def abort(self, why: str) -> None:
        """Ends the connection now, with no more words."""
        self._why = why
        self._stop()
        self.transport.abortConnection()

    def _close(self, why: str) -> None:
        if self.phase is Phase.CLOSING:
            return
        self._why = why
        self._stop()
        if self.paused:
            self.resumeProducing()  # what still comes is ignored, but for the other side's end
        self.transport.loseConnection()
        self._wake_in(self.factory.limits.close_seconds)

    def _stop(self) -> None:
        self.phase = Phase.CLOSING
        self.stop_receiving()
        if self._runner is not None:
            self._runner.stop()
        if self._sendq is not None:
            self._sendq.close()

    # -- lines in ------------------------------------------------------------------------------------------------------

    def lineReceived(self, line: bytes) -> None:
        """A whole line."""
        self._watch.heard(self.factory.seconds())
        if self._session is not None and self.phase is not Phase.CLOSING:
            self._handle(self._session.receive_line(line))

    def line_too_long(self, error: TooLarge) -> None:
        """A line over the limit ends the connection."""
        self.fail(error)

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case PlaintextReceived(plaintext):
                    self._take_commands(plaintext)
                case LineReady(line):
                    self.transport.write(line)
                case SignatureWanted() | DeviceWanted() | RegistrationWanted() | Authenticated():
                    self._ask(event)
                case Failed(error, told):
                    self._close(f"{'client says' if told else 'refused'}: {error.code}: {error.detail}")
                case CloseReceived(reason):
                    self._close(f"left ({reason})")

    def _update_reading(self) -> None:
        wanted = not self._answering and (self._runner is None or self._runner.ready)
        if self.phase is not Phase.CLOSING and wanted == self.paused:
            if wanted:
                self.resumeProducing()
            else:
                self.pauseProducing()

    # -- login ---------------------------------------------------------------------------------------------------------

    def _ask(self, wanted: Wanted) -> None:
        if self._session is None:
            return
        self._answering = True
        self._update_reading()
        asking = Deferred.fromCoroutine(
            self.factory.authenticator.answer(self._session, wanted, self._host, self._answer)
        )
        asking.addCallbacks(self._answered, self._answer_crashed)

    def _answered(self, answer: Answer) -> None:
        self._answering = False
        if self.phase is Phase.CLOSING:
            return
        self._answer = answer
        if answer.admission is not None:
            self._welcome(answer.admission)
        self._handle(answer.events)
        self._update_reading()

    def _answer_crashed(self, failure: Failure) -> None:
        bugs.failure("{peer}: login failed on our side", failure, peer=self.peer)
        self.fail(Internal("login"))

    def _welcome(self, admission: Admission) -> None:
        context, limits = self.factory.context, self.factory.limits
        session = self._session
        if session is None:
            raise AssertionError("admitted without a session")
        self.phase = Phase.OPEN
        self.max_line_bytes = limits.line_bytes
        self.factory.logged_in(self)
        sendq = self._sendq = SendQueue(session, self.transport, self.factory.flusher, limits, self)
        self.live = live = admission.session(sendq, self._host)
        in_flight = limits.commands_in_flight
        self._runner = CommandRunner(context, live, in_flight, self._tell, self._update_reading, self.broke)
        attendance.enter(context, live)
        self._tell(welcome(context, live, admission))
        self.factory.wheel.wake_at(self, self._watch.due(None))
        log.info("{peer}: {name} connected", peer=self.peer, name=live.name)

    def _take_commands(self, plaintext: bytes) -> None:
        if self._runner is not None:
            try:
                self._runner.take(plaintext)
            except BadMessage as error:
                self.fail(error)

    def _tell(self, message: messages.Message) -> None:
        if self._sendq is not None:
            encoded = encode_message(message)
            self._sendq.queue((encoded,), len(encoded))

    # -- what the send queue reports -----------------------------------------------------------------------------------

    def overflowed(self) -> None:
        """The peer does not read: the hard limit is passed, or nothing leaves any more. It resumes by ``sync``."""
        self.abort(f"{SlowReader.code}: did not read what it was sent")

    def pressed(self, *, above: bool) -> None:
        """The queue went above its soft limit, or below again."""
        if self._runner is not None:
            self._runner.hold(held=above)

    def ended(self, reason: CloseReason) -> None:
        """CLOSE was written."""
        self._close(f"ended: {reason.name.lower()}")

    def broke(self) -> None:
        """What was queued cannot be sent, or what is missing cannot be read: another connection may do better."""
        self.fail(Internal("delivery"))

    def fell_behind(self) -> None:
        """The session has to catch up from the log."""
        if self._runner is not None:
            self._runner.catch_up()
