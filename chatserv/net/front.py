"""The front of a connection: its socket, its session and its send queue, from the first byte to the last.

Who it is that speaks, and what they ask for, is the business of the seat behind it (`chatserv.net.seat`). A connection is in
one of four phases; each has a deadline that bytes do not move, but for the silence of an open one::

    TLS        the TLS handshake          tls_handshake_seconds from accept
    LOGIN      the session's handshake    login_seconds from accept
    OPEN       messages                   idle_seconds of silence, then a keepalive, then idle_reply_seconds
    CLOSING    the other side's end       close_seconds, then the connection is aborted
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IHandshakeListener
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatserv.crypto.session import channel_binding
from chatserv.domain.closing import CloseReason
from chatserv.errors import BadMessage, Internal, TimedOut, TooLarge, WireError
from chatserv.failpoints import failpoint
from chatserv.linereceiver import LinearLineReceiver
from chatserv.net.authenticator import Wanted
from chatserv.net.direct import fast_writer, give_back_memory
from chatserv.net.link import SeatSide
from chatserv.net.sendq import UNREAD, SendQueue, ended_by_peer
from chatserv.net.sockets import tune_socket
from chatserv.net.watch import Finding, Phase, Watch
from chatserv.wire import messages
from chatserv.wire.codec import encode_message
from chatserv.wire.framing import ALPN, EXPORTER
from chatserv.wire.server_session import ServerSession
from chatserv.wire.session import CloseReceived, Event, Failed, LineReady, PlaintextReceived, ProofWanted

if TYPE_CHECKING:
    from chatserv.net.factory import ChatFactory

log = Logger(namespace="chatserv.net.connections")


def _nowhere(_data: bytes) -> None:
    """Where there is no session, nothing is written."""


@implementer(IHandshakeListener)
class Front(LinearLineReceiver):
    """One connection; the seat's `chatserv.net.link.FrontSide`.

    Args:
        factory: What all connections share.
        peer: The other side's address, for the log.
        tls: Whether this connection is TLS; plain ones have no channel binding.

    Attributes:
        seat: Who is behind it; the factory puts it there.
    """

    seat: SeatSide

    def __init__(self, factory: "ChatFactory", peer: str, *, tls: bool) -> None:
        super().__init__(factory.limits.login_line_bytes)
        self.factory, self.peer, self.host = factory, peer, peer.rpartition(":")[0]
        self.phase = Phase.TLS if tls else Phase.LOGIN
        self._session: ServerSession | None = None
        self._sendq: SendQueue | None = None
        self._write: Callable[[bytes], object] = _nowhere
        self._accepted_at: float = factory.seconds()
        self._watch = Watch(factory.limits, self._accepted_at)
        self._why = ""

    # -- life of the transport -----------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """A connection was accepted."""
        tune_socket(self.transport)
        failpoint("net.accepted")
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
        self._write = fast_writer(self.transport)
        factory.wheel.wake_at(self, self._accepted_at + factory.limits.login_seconds)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """The connection is gone, whoever ended it."""
        self._stop()
        self.factory.wheel.forget(self)
        self.factory.forget(self)
        name, seconds = self.seat.leave() or "nobody yet", self.factory.seconds() - self._accepted_at
        log.info(
            "{peer}: {name} disconnected after {seconds:.1f} s: {why}",
            peer=self.peer, name=name, seconds=seconds, why=self._why or ended_by_peer(self._sendq, reason),
        )  # fmt: skip
        self._sendq = self._session = None  # which knows us
        self._write = _nowhere  # lets go of the TLS state

    def _wake_in(self, seconds: float) -> None:
        self.factory.wheel.wake_at(self, self.factory.seconds() + seconds)

    def woken(self, now: float) -> float | None:
        """The wheel: a deadline has passed. Returns the next one."""
        match self.phase:
            case Phase.TLS:
                self.factory.refused(self.host, TimedOut("TLS"))
                self.abort("no TLS handshake in time")
            case Phase.LOGIN:
                self.fail(TimedOut("no login in time"))
            case Phase.CLOSING:
                self.transport.abortConnection()
            case Phase.OPEN:
                return self._check(now)
        return None

    def _check(self, now: float) -> float | None:
        if self.paused:
            self._watch.heard(now)  # the silence is our doing: we do not read
        stalled_since = None if self._sendq is None else self._sendq.stalled_since
        match self._watch.check(now, stalled_since):
            case Finding.SILENT:
                self.fail(TimedOut("silence"))
                self._wake_in(0)  # nobody is there to take note, so that nothing is waited for
            case Finding.STALLED:
                self.overflowed()
            case Finding.OLD:
                self.end(CloseReason.TOO_OLD)
            case Finding.ASK | Finding.NOTHING as finding:
                if finding is Finding.ASK:
                    give_back_memory(self.transport)
                    self.tell(messages.Keepalive())
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
            self.proceed(self._session.refuse(error))

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
        self.seat.stop()
        if self._sendq is not None:
            self._sendq.close()

    # -- lines in ------------------------------------------------------------------------------------------------------

    def lineReceived(self, line: bytes) -> None:
        """A whole line."""
        failpoint("net.line_in")
        self._watch.heard(self.factory.seconds())
        if self._session is not None and self.phase is not Phase.CLOSING:
            self.proceed(self._session.receive_line(line))

    def line_too_long(self, error: TooLarge) -> None:
        """A line over the limit ends the connection."""
        self.fail(error)

    def proceed(self, events: list[Event]) -> None:
        """Does what the session's core says."""
        for event in events:
            match event:
                case PlaintextReceived(plaintext):
                    self._take(plaintext)
                case LineReady(line):
                    self._write(line)
                case _ if isinstance(event, Wanted):
                    self._ask(event)
                case Failed(error, told):
                    if not told:
                        self.factory.refused(self.host, error, known=self.phase is not Phase.LOGIN)
                    self._close(f"{'client says' if told else 'refused'}: {error.code}: {error.detail}")
                case CloseReceived(reason):
                    self._close(f"left ({reason})")

    def _take(self, plaintext: bytes) -> None:
        try:
            self.seat.take(plaintext)
        except BadMessage as error:
            self.fail(error)

    # -- what the seat says --------------------------------------------------------------------------------------------

    @property
    def coming(self) -> bool:
        """Whether nobody is logged in yet."""
        return self.phase in (Phase.TLS, Phase.LOGIN)

    @property
    def closing(self) -> bool:
        """Whether nobody is there any more."""
        return self.phase is Phase.CLOSING

    def update_reading(self) -> None:
        """Reads on, or no more, as the seat can take it."""
        wanted = self.seat.ready
        if self.phase is not Phase.CLOSING and wanted == self.paused:
            if wanted:
                self.resumeProducing()
            else:
                self.pauseProducing()

    def _ask(self, wanted: Wanted) -> None:
        if self._session is None:
            return
        if isinstance(wanted, ProofWanted):  # a proof may wait its turn, longer than a login may take otherwise
            self._wake_in(self.factory.limits.longest_turn_seconds + self.factory.limits.login_seconds)
        self.seat.ask(self._session, wanted)

    def open(self, seconds: float) -> SendQueue:
        """Somebody is logged in, for so many seconds since the connection was accepted: from here on a queue writes."""
        if self._session is None:
            raise AssertionError("nobody has logged in")
        limits = self.factory.limits
        self.phase = Phase.OPEN
        self.max_line_bytes = limits.line_bytes
        self.factory.logged_in(self)
        give_back_memory(self.transport)
        self._sendq = SendQueue(self._session, self.transport, self._write, self.factory.flusher, limits, self)
        self._watch.lasts(seconds)
        self.factory.wheel.wake_at(self, self._watch.due(None))
        return self._sendq

    def tell(self, message: messages.Message) -> None:
        """Queues a message of ours."""
        if self._sendq is not None:
            encoded = encode_message(message)
            self._sendq.queue((encoded,), len(encoded))

    # -- what the send queue reports -----------------------------------------------------------------------------------

    def overflowed(self) -> None:
        """The peer does not read: the hard limit is passed, or nothing leaves any more. It resumes by ``sync``."""
        self.abort(UNREAD)

    def pressed(self, *, above: bool) -> None:
        """The queue went above its soft limit, or below again."""
        self.seat.hold(held=above)

    def ended(self, reason: CloseReason) -> None:
        """CLOSE was written."""
        self._close(f"ended: {reason.name.lower()}")
        if reason is CloseReason.REPLACED:
            self._wake_in(0)  # its device is elsewhere: most likely nobody is there to take note

    def broke(self) -> None:
        """What was queued cannot be sent, or what is missing cannot be read: another connection may do better."""
        self.fail(Internal("delivery"))

    def fell_behind(self) -> None:
        """The session has to catch up from the log."""
        self.seat.catch_up()
