"""The client's Twisted edge: one connection of a client, around a `ClientSession` core."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from zope.interface import implementer

from chatserv.client.connection.silence import Silence, give_up_soon
from chatserv.clocks import now_ms, steady_seconds
from chatserv.crypto.password import PasswordParameters
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.session import channel_binding
from chatserv.domain.closing import CloseReason
from chatserv.errors import BadMessage, ChatError, Internal, TimedOut, TooLarge, WireError
from chatserv.linereceiver import LinearLineReceiver
from chatserv.local_errors import LocalProtocolError
from chatserv.wire import messages
from chatserv.wire.client_session import ClientSession
from chatserv.wire.codec import Refused, server_decoder
from chatserv.wire.framing import EXPORTER
from chatserv.wire.parameters import DeviceCredentials, GuestCredentials, NewAccount, SessionContext
from chatserv.wire.session import (
    Authenticated,
    CloseReceived,
    Event,
    Failed,
    LineReady,
    PasswordKeyWanted,
    PlaintextReceived,
    State,
    UnwrapWanted,
)

LINE_BYTES: Final = 65_536
LOGIN_SECONDS: Final = 30.0
PASSWORD_SECONDS: Final = 240.0  # from the challenge on: a key is derived, and the server may let a proof wait its turn
SILENCE_SECONDS: Final = 100.0  # the server breaks a silence of 60 s; this much means that it is gone
ANSWER_SECONDS: Final = 10.0  # how long a server may be silent that was asked after a sleep
CLOSE_SECONDS: Final = 5.0


@dataclass(frozen=True)
class Login:
    """Who connects, to which server (by its keys, as far as they are known), and what a registration adds to that."""

    keys: ServerKeys
    credentials: DeviceCredentials | GuestCredentials
    new_account: NewAccount | None = None


def no_password(salt: bytes, parameters: PasswordParameters) -> bytes:  # noqa: ARG001
    """Derives nothing: a device logs in without a password."""
    raise LocalProtocolError("a password is asked for where none is used")


class Listener(Protocol):
    """What a connection reports to."""

    def connection_up(self) -> None:
        """The session is open."""
        ...

    def message_received(self, batch: list[messages.ServerMessage]) -> None:
        """Messages came, in order."""
        ...

    def connection_silent(self) -> None:
        """Nothing has come for a while: the server is to be asked for something."""
        ...

    def connection_down(self, error: ChatError | None) -> None:
        """The session is over, or never came to be; ``error`` says why, where that is known."""
        ...


@implementer(IHandshakeListener)
class ClientProtocol(LinearLineReceiver):
    """One connection to the server.

    Args:
        reactor: Gives time and threads.
        login: Who we are and which server we accept.
        listener: What is told.
        unwrap: Opens the server's RSA-OAEP ciphertext; runs in a thread.
        derive: Gives the password's key, for a login by password; runs in a thread.
        plain: Whether there is no TLS around the session.
        seconds: A clock that never goes back.
        silence: Notices a dead server soon, where there is another machine to go to.
        patience: How many seconds the server has to say anything at all.
    """

    def __init__(
        self,
        reactor: Any,
        login: Login,
        listener: Listener,
        unwrap: Callable[[bytes, bytes], bytes | None],
        derive: Callable[[bytes, PasswordParameters], bytes] = no_password,
        *,
        plain: bool = False,
        seconds: Callable[[], float] = steady_seconds,
        silence: Silence | None = None,
        patience: float = LOGIN_SECONDS,
    ) -> None:
        super().__init__(LINE_BYTES)  # before login too: a server shows how it came to its key
        self._reactor, self._login, self._listener = reactor, login, listener
        self._unwrap, self._derive = unwrap, derive
        self._plain, self._seconds, self._silence = plain, seconds, silence
        self._patience = patience
        self._silent_at = 0.0  # when it counts as gone, once it is open
        self._session: ClientSession | None = None
        self._error: ChatError | None = None
        self._timer: Any = None

    # -- life of the transport -----------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """TCP is up."""
        self.transport.setTcpNoDelay(True)
        if self._silence is not None:
            give_up_soon(self.transport)
        self._restart_timer(min(self._patience, LOGIN_SECONDS))
        if self._plain:
            self._begin(None)

    def handshakeCompleted(self) -> None:
        """TLS is up: the session begins."""
        self._answered()
        self._begin(self.transport.getHandle().export_keying_material(EXPORTER, 32, b""))

    def _begin(self, exporter: bytes | None) -> None:
        surroundings = SessionContext(secrets.token_bytes, now_ms, self._seconds)
        login = self._login
        self._session = ClientSession(
            login.keys, login.credentials, surroundings, channel_binding(exporter), login.new_account
        )
        self._handle(self._session.start())

    def _answered(self) -> None:
        """The server has said something: it has as long for its part of the login as ever."""
        if self._patience < LOGIN_SECONDS:
            self._patience = LOGIN_SECONDS
            self._restart_timer(LOGIN_SECONDS)

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: ARG002 - Twisted's signature
        """The connection is gone."""
        self.stop_receiving()
        self._stop_timer()
        if self._silence is not None:
            self._silence.end()
        self._listener.connection_down(self._error)

    @property
    def proven(self) -> bool:
        """Whether what answers has shown that it is our server."""
        return self._session is not None and self._session.proven

    def _restart_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self._reactor.callLater(seconds, self._timed_out)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def look(self, *, jumped: bool) -> None:
        """To be called every few seconds: ends an open session when nothing has come for too long.

        ``jumped``: the machine slept meanwhile. The listener asks the server now, which has a moment to answer.
        """
        if self._session is None or self._session.state is not State.OPEN:
            return
        now = self._seconds()
        if jumped:
            self._silent_at = now + ANSWER_SECONDS
        elif now >= self._silent_at:
            self._timed_out()

    def _timed_out(self) -> None:
        self._error = self._error or TimedOut("the server is silent")
        self.transport.abortConnection()

    # -- lines ---------------------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Bytes came, perhaps a small part of a long line: a server that is slow is not dead."""
        if self._silence is not None and self._session is not None:
            self._silence.heard()
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """A whole line."""
        if self._session is not None:
            self._answered()
            self._silent_at = self._seconds() + SILENCE_SECONDS
            self._handle(self._session.receive_line(line))

    def line_too_long(self, error: TooLarge) -> None:
        """A line over the limit ends the connection."""
        self._fail(error)

    def send(self, parts: list[bytes]) -> None:
        """Seals and writes encoded messages."""
        if self._session is not None and self._session.state is State.OPEN and parts:
            self.transport.write(b"".join(self._session.seal(parts)))
            if self._silence is not None:
                self._silence.said()

    def refuse(self, error: WireError) -> None:
        """Ends the connection because of this error, and tells the server."""
        self._fail(error)

    def leave(self, error: ChatError) -> None:
        """Ends the connection for a reason of our own, which the listener is told and the server is not."""
        if self._session is not None and self._session.state is State.OPEN:
            self.transport.write(self._session.close(CloseReason.NORMAL))
        self._error = self._error or error
        self._lose()

    def say_goodbye(self) -> None:
        """Ends the session on purpose; the connection is closed by whoever opened it, and soon in any case."""
        if self._session is not None and self._session.state is State.OPEN:
            self.transport.write(self._session.close(CloseReason.NORMAL))
        self.stop_receiving()
        self._restart_timer(CLOSE_SECONDS)

    def _handle(self, events: list[Event]) -> None:
        session = self._session
        if session is None:
            return
        for event in events:
            match event:
                case PlaintextReceived(plaintext):
                    self._take_messages(plaintext)
                case LineReady(line):
                    self.transport.write(line)
                case UnwrapWanted(ciphertext, label):
                    self._work_out(session.unwrapped, self._unwrap, ciphertext, label)
                case PasswordKeyWanted(salt, parameters):
                    self._restart_timer(PASSWORD_SECONDS)
                    self._work_out(session.derived, self._derive, salt, parameters)
                case Authenticated():
                    self._stop_timer()
                    if self._silence is not None:
                        self._silence.begin(self._listener.connection_silent, self._timed_out)
                    self._listener.connection_up()
                case Failed(error):
                    self._error = error
                    self._lose()
                case CloseReceived():
                    self._lose()

    def _work_out(self, then: Callable[[Any], list[Event]], work: Callable[..., Any], *args: Any) -> None:
        """Does something slow in a thread, and feeds the session with what comes of it."""
        self.pauseProducing()
        working = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work, *args)
        working.addCallbacks(self._worked_out, self._cannot_work, callbackArgs=(then,))

    def _worked_out(self, result: Any, then: Callable[[Any], list[Event]]) -> None:
        if self._session is not None and self._session.state is not State.CLOSED and self.transport.connected:
            self._handle(then(result))
            self.resumeProducing()

    def _cannot_work(self, failure: Failure) -> None:
        failure.trap(MemoryError)
        self._fail(Internal("not enough memory for the key of the password"))

    def _take_messages(self, plaintext: bytes) -> None:
        try:
            batch = server_decoder.decode(plaintext)
        except BadMessage as error:
            self._fail(error)
            return
        self._listener.message_received([message for message in batch if not isinstance(message, Refused)])

    def _fail(self, error: WireError) -> None:
        if self._session is not None:
            self._handle(self._session.refuse(error))

    def _lose(self) -> None:
        self.stop_receiving()
        self.transport.loseConnection()
        self._restart_timer(CLOSE_SECONDS)
