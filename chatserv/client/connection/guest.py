"""A guest's connection: somebody who has the password of an account, and no device of it yet (docs/protocol.rst 4.7)."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import LoopingCall

from chatserv.client.connection.backoff import farewell
from chatserv.client.connection.endpoints import ClientFactory
from chatserv.client.connection.protocol import LOGIN_SECONDS, ClientProtocol, Login
from chatserv.client.connection.requests import Requests
from chatserv.client.state.context import Interrupted, Offline
from chatserv.clocks import steady_seconds
from chatserv.crypto.password import PasswordParameters, salted_password
from chatserv.errors import BadMessage, ChatError, Draining, Reject, WireError
from chatserv.local_errors import LocalProtocolError
from chatserv.wire import messages
from chatserv.wire.client_session import OtherAccount

LOOK_SECONDS: Final = 5.0


class GuestConnection:
    """One session of a guest: opened once, then asked, and closed.

    Args:
        reactor: Gives time and threads.
        login: The server, and who we would like to be: its credentials are `GuestCredentials`.
        password: Prepared (RFC 8265); forgotten as soon as the key is derived from it.
        unwrap: Opens RSA-OAEP ciphertexts with the key of the device that we would like to be.
        on_notice: Told what the server says unasked.
        on_lost: Told once when an open session is over, and why, where that is known; not after `close`.
        plain: Whether there is no TLS around the session.
        seconds: A clock that never goes back.
        patience: How many seconds the server has to say anything at all.
        derive: Makes the key of a password; takes 0.3 s, in a thread.
    """

    def __init__(
        self,
        reactor: Any,
        login: Login,
        password: str,
        unwrap: Callable[[bytes, bytes], bytes | None],
        *,
        on_notice: Callable[[messages.ServerMessage], object],
        on_lost: Callable[[ChatError | None], object],
        plain: bool = False,
        seconds: Callable[[], float] = steady_seconds,
        patience: float = LOGIN_SECONDS,
        derive: Callable[[str, bytes, PasswordParameters], bytes] = salted_password,
    ) -> None:
        self._reactor, self._login, self._on_notice, self._on_lost = reactor, login, on_notice, on_lost
        self._unwrap, self._derive = unwrap, partial(derive, password)
        self._around: Any = {"plain": plain, "seconds": seconds, "patience": patience}
        self._protocol: ClientProtocol | None = None
        self._requests = Requests(self._write, seconds, reactor.callLater)
        self._welcome: Deferred[messages.GuestWelcome] | None = None
        self._closed: Deferred[None] | None = None
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._last_word: ChatError | None = None
        self._proven = False

    async def open(self, endpoint: IStreamClientEndpoint) -> messages.GuestWelcome:
        """Connects and logs in; gives the server's first message.

        Raises:
            AuthFailed: There is no such user, or the password is another one; nobody is told which.
            RateLimited: Too many passwords were tried; again after ``after_seconds``.
            Forbidden: The account is suspended or banned.
            PinMismatch: Another server answers.
            MethodRefused: The server knows no passwords.
            Offline: The server cannot be reached.
            Interrupted: The connection went meanwhile.
            OtherAccount: The server lets us in as somebody else, or without having the account's verifier.
        """
        if self._welcome is not None:
            raise LocalProtocolError("a guest's connection is opened once")
        welcome: Deferred[messages.GuestWelcome] = Deferred()
        self._welcome = welcome
        try:
            await endpoint.connect(ClientFactory(self._build))
        except (ConnectError, DNSLookupError) as error:
            raise Offline(str(error)) from error
        return await welcome

    def _build(self) -> ClientProtocol:
        self._protocol = ClientProtocol(self._reactor, self._login, self, self._unwrap, self._derive, **self._around)
        return self._protocol

    @property
    def connected(self) -> bool:
        """Whether the session is open."""
        return self._requests.connected

    @property
    def proven(self) -> bool:
        """Whether what answers, or has answered, has shown that it is our server."""
        return self._proven or (self._protocol is not None and self._protocol.proven)

    async def ask(self, make: type[messages.Command], **fields: object) -> Any:
        """The reply to a command. Raises the `WireError` of an error reply, or `Interrupted`."""
        return await self._requests.ask(make, **fields)

    async def expect(self, kind: type[Any], make: type[messages.Command], **fields: object) -> Any:
        """The reply, which has to be of this kind. Raises `BadMessage` for another."""
        return await self._requests.expect(kind, make, **fields)

    async def close(self) -> None:
        """Ends the session, if there is one; what is under way fails with `Interrupted`. Returns when it is over."""
        if self._protocol is None:
            return
        if self._closed is None:
            self._closed = Deferred()
            self._protocol.say_goodbye()
            self._protocol.transport.loseConnection()
        over: Deferred[None] = Deferred()
        self._closed.addCallback(over.callback)
        await over

    # -- what the connection reports -----------------------------------------------------------------------------------

    def connection_up(self) -> None:
        """The server has shown that it has the verifier of our account; its first message comes next."""
        self._looking.start(LOOK_SECONDS, now=False)

    def message_received(self, batch: list[messages.ServerMessage]) -> None:
        """Messages came, in order."""
        try:
            for message in batch:
                self._receive(message)
        except WireError as error:
            self._refuse(error)

    def _receive(self, message: messages.ServerMessage) -> None:
        if not self._requests.connected:
            self._enter(message)
            return
        match message:
            case messages.Keepalive():
                self._ping()
            case messages.Farewell(code=code):
                self._last_word = farewell(code)
            case messages.DrainingNotice():
                self._last_word = Draining()
            case _:
                if not self._requests.answered(message):
                    self._on_notice(message)

    def _enter(self, message: messages.ServerMessage) -> None:
        """The first message: it has to be about us."""
        if not isinstance(message, messages.GuestWelcome):
            raise BadMessage(f"a guest is greeted by {type(message).__name__}")
        if message.name != self._login.credentials.user:
            raise OtherAccount("the server greets somebody else")
        try:
            self._login.keys.add(message.server_key)
        except Reject:
            raise BadMessage("the server has another key than its pin says") from None
        self._requests.up()
        if self._welcome is not None and not self._welcome.called:
            self._welcome.callback(message)

    def connection_silent(self) -> None:
        """Nothing has come for a while."""
        self._ping()

    def connection_down(self, error: ChatError | None) -> None:
        """The session is over, or never came to be."""
        if self._looking.running:
            self._looking.stop()
        self._proven, self._protocol = self.proven, None
        was_open, error = self._requests.connected, error or self._last_word
        self._requests.down()
        if self._welcome is not None and not self._welcome.called:
            self._welcome.errback(error or Interrupted("the connection was lost"))
        if self._closed is not None:
            self._closed.callback(None)
        elif was_open:
            self._on_lost(error)

    def _ping(self) -> None:
        self._requests.ask(messages.Ping).addErrback(lambda _: None)

    def _look(self) -> None:
        if self._protocol is not None:
            self._protocol.look(jumped=False)

    def _write(self, encoded: bytes) -> None:
        if self._protocol is not None:
            self._protocol.send([encoded])

    def _refuse(self, error: WireError) -> None:
        if self._protocol is not None:
            self._protocol.refuse(error)
