"""The client's Twisted edge: one connection of a client, around a `ClientSession` core."""

import secrets
from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IHandshakeListener, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from zope.interface import implementer

from chatserv.client.account.keyring import Keyring
from chatserv.clocks import now_ms, steady_seconds
from chatserv.crypto.session import channel_binding
from chatserv.domain.closing import CloseReason
from chatserv.errors import BadMessage, ChatError, TimedOut, TooLarge, WireError
from chatserv.linereceiver import LinearLineReceiver
from chatserv.wire import messages
from chatserv.wire.client_session import ClientSession
from chatserv.wire.codec import Refused, server_decoder
from chatserv.wire.framing import ALPN, EXPORTER
from chatserv.wire.parameters import SessionContext
from chatserv.wire.session import (
    Authenticated,
    CloseReceived,
    Event,
    Failed,
    LineReady,
    PlaintextReceived,
    State,
    UnwrapWanted,
)

LOGIN_LINE_BYTES: Final = 4096
LINE_BYTES: Final = 65_536
LOGIN_SECONDS: Final = 30.0
SILENCE_SECONDS: Final = 100.0  # the server breaks a silence of 60 s; this much means that it is gone
ANSWER_SECONDS: Final = 10.0  # how long a server may be silent that was asked after a sleep
CLOSE_SECONDS: Final = 5.0


class Listener(Protocol):
    """What a connection reports to."""

    def connection_up(self) -> None:
        """The session is open."""
        ...

    def message_received(self, batch: list[messages.ServerMessage]) -> None:
        """Messages came, in order."""
        ...

    def connection_down(self, error: ChatError | None) -> None:
        """The session is over, or never came to be; ``error`` says why, where that is known."""
        ...


def tls_endpoint(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    """TLS 1.3 to a server whose certificate does not matter.

    The session inside signs this connection's exporter with the pinned identity key, so a man in the middle, who has
    another exporter, fails there (docs/protocol.rst 1.1).
    """
    options = CertificateOptions(raiseMinimumTo=TLSVersion.TLSv1_3, acceptableProtocols=[ALPN])
    return wrapClientTLS(options, HostnameEndpoint(reactor, host, port))


def plain_endpoint(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    """Plain TCP, for loopback or an isolated network (docs/protocol.rst 1.2): the session inside protects it, the pin
    holds.
    """
    return HostnameEndpoint(reactor, host, port)


@implementer(IHandshakeListener)
class ClientProtocol(LinearLineReceiver):
    """One connection to the server.

    Args:
        reactor: Gives time and threads.
        keyring: Who we are and which server we accept.
        token: The invite's token where this connection registers, else None.
        listener: What is told.
        unwrap: Opens the server's RSA-OAEP ciphertext; runs in a thread.
        plain: Whether there is no TLS around the session.
        seconds: A clock that never goes back.
    """

    def __init__(
        self,
        reactor: Any,
        keyring: Keyring,
        token: bytes | None,
        listener: Listener,
        unwrap: Callable[[bytes, bytes], bytes | None],
        *,
        plain: bool = False,
        seconds: Callable[[], float] = steady_seconds,
    ) -> None:
        super().__init__(LOGIN_LINE_BYTES)
        self._reactor, self._keyring, self._token = reactor, keyring, token
        self._listener, self._unwrap = listener, unwrap
        self._plain, self._seconds = plain, seconds
        self._silent_at = 0.0  # when it counts as gone, once it is open
        self._session: ClientSession | None = None
        self._error: ChatError | None = None
        self._timer: Any = None

    # -- life of the transport -----------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """TCP is up."""
        self.transport.setTcpNoDelay(True)
        self._restart_timer(LOGIN_SECONDS)
        if self._plain:
            self._begin(None)

    def handshakeCompleted(self) -> None:
        """TLS is up: the session begins."""
        self._begin(self.transport.getHandle().export_keying_material(EXPORTER, 32, b""))

    def _begin(self, exporter: bytes | None) -> None:
        surroundings = SessionContext(secrets.token_bytes, now_ms, self._seconds)
        keyring = self._keyring
        new = None if self._token is None else keyring.new_account(self._token)
        self._session = ClientSession(
            keyring.server_id, keyring.credentials(), surroundings, channel_binding(exporter), new
        )
        self._handle(self._session.start())

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: ARG002 - Twisted's signature
        """The connection is gone."""
        self.stop_receiving()
        self._stop_timer()
        self._listener.connection_down(self._error)

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

    def lineReceived(self, line: bytes) -> None:
        """A whole line."""
        if self._session is not None:
            self._silent_at = self._seconds() + SILENCE_SECONDS
            self._handle(self._session.receive_line(line))

    def line_too_long(self, error: TooLarge) -> None:
        """A line over the limit ends the connection."""
        self._fail(error)

    def send(self, parts: list[bytes]) -> None:
        """Seals and writes encoded messages."""
        if self._session is not None and self._session.state is State.OPEN and parts:
            self.transport.write(b"".join(self._session.seal(parts)))

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
        for event in events:
            match event:
                case PlaintextReceived(plaintext):
                    self._take_messages(plaintext)
                case LineReady(line):
                    self.transport.write(line)
                case UnwrapWanted(ciphertext, label):
                    self._ask_to_unwrap(ciphertext, label)
                case Authenticated():
                    self.max_line_bytes = LINE_BYTES
                    self._stop_timer()
                    self._listener.connection_up()
                case Failed(error):
                    self._error = error
                    self._lose()
                case CloseReceived():
                    self._lose()

    def _ask_to_unwrap(self, ciphertext: bytes, label: bytes) -> None:
        self.pauseProducing()
        pool = self._reactor.getThreadPool()
        unwrapping = deferToThreadPool(self._reactor, pool, self._unwrap, ciphertext, label)
        unwrapping.addCallback(self._unwrapped)

    def _unwrapped(self, secret: bytes | None) -> None:
        if self._session is not None and self._session.state is State.UNWRAP and self.transport.connected:
            self._handle(self._session.unwrapped(secret))
            self.resumeProducing()

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


class ClientFactory(Factory):
    """Builds a `ClientProtocol` for each attempt."""

    noisy = False

    def __init__(self, build: Callable[[], ClientProtocol]) -> None:
        self._build = build

    def buildProtocol(self, addr: Any) -> ClientProtocol:  # noqa: ARG002 - Twisted's signature
        """A protocol for a new connection."""
        return self._build()
