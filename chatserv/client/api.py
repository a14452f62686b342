"""The client: one account on one server, connected again and again until it is told to stop."""

import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint

from chatserv.client.conversation import Conversation
from chatserv.client.events import (
    Answered,
    ClientEvent,
    Replaced,
    RetryWanted,
    SendAcknowledged,
    SendFailed,
    Status,
    StatusChanged,
    SyncRefused,
)
from chatserv.client.profile import Profile, ProfileError
from chatserv.client.retrying import Backoff, is_final, now_ms
from chatserv.client.transport import ClientFactory, ClientProtocol, plain_endpoint, tls_endpoint
from chatserv.crypto.content import ID_BYTES, Content, ContentType
from chatserv.errors import BadMessage, ChatError, Draining, LocalProtocolError, wire_error
from chatserv.wire import messages
from chatserv.wire.link import ServerLink


class Client:
    """One account, through all its connections.

    Args:
        profile: Where keys and cursors are kept.
        reactor: The reactor.
        on_event: Told everything that happens, in order: `StatusChanged`, `MessageReceived`, `GapSeen` and the rest of
            `chatserv.client.events`. A message counts as read when the callback has returned.
        follow: Whether to receive messages; without, this client only sends, and does not move the cursors.
        endpoint: Where to connect; by default TLS to the address that the keyring remembers.
        plain: Without TLS, which the server has to allow as well. The session inside and the pin protect what is said.
    """

    def __init__(
        self,
        profile: Profile,
        reactor: Any,
        on_event: Callable[[ClientEvent], None],
        *,
        follow: bool = True,
        endpoint: IStreamClientEndpoint | None = None,
        plain: bool = False,
    ) -> None:
        keyring = profile.keyring()
        if keyring is None:
            raise ProfileError(f"{profile.directory}: no account yet; register with a chatserv:// link first")
        self.profile, self.keyring = profile, keyring
        self._reactor, self._on_event, self._follow = reactor, on_event, follow
        connect = plain_endpoint if plain else tls_endpoint
        self._endpoint, self._plain = endpoint or connect(reactor, keyring.host, keyring.port), plain
        self._unwrap = keyring.unwrapper()
        self._conversation = Conversation(keyring.user, profile.cursors(), follow=follow)
        self._token: bytes | None = None
        self._protocol: ClientProtocol | None = None
        self._service: ClientService | None = None
        self._failed = False
        self._last_word: ChatError | None = None
        self._backoff = Backoff()
        self._release: Callable[[], None] | None = None
        self._acknowledgements: dict[bytes, Deferred[int]] = {}
        self._answers: dict[int, Deferred[Any]] = {}

    # -- life -----------------------------------------------------------------------------------------------------------

    def start(self, token: bytes | None = None) -> None:
        """Connects, and reconnects with a jittered back-off (1 to 60 s) until `stop` or a final refusal.

        Args:
            token: The invite's token, where the account is not registered yet; empty on a server with open registration.

        Raises:
            ProfileError: Another program uses the profile.
        """
        if self._service is not None:
            raise LocalProtocolError("client started twice")
        self._release = self.profile.hold()
        self._token = None if self.keyring.registered else (token or b"")
        self._service = ClientService(
            self._endpoint,
            ClientFactory(self._build),
            retryPolicy=self._backoff.next_delay,
            clock=self._reactor,
        )
        self._emit(StatusChanged(Status.CONNECTING))
        self._service.startService()
        self._service.whenConnected(failAfterFailures=1).addErrback(self._first_attempt_failed)

    def stop(self) -> "Deferred[None]":
        """Ends the session and connects no more."""
        service, self._service = self._service, None
        if service is None:
            return succeed(None)
        stopped: Deferred[None] = Deferred.fromCoroutine(self._stop(service))
        return stopped

    async def _stop(self, service: ClientService) -> None:
        if self._protocol is not None:
            self._protocol.say_goodbye()
        await service.stopService()
        if self._release is not None:
            self._release()
            self._release = None
        if not self._failed:
            self._emit(StatusChanged(Status.STOPPED))

    def _build(self) -> ClientProtocol:
        self._protocol = ClientProtocol(self._reactor, self.keyring, self._token, self, self._unwrap, plain=self._plain)
        return self._protocol

    def _first_attempt_failed(self, failure: Any) -> None:
        if self._service is not None and not self._failed:
            self._emit(StatusChanged(Status.OFFLINE, failure.value))

    # -- what a program asks for ----------------------------------------------------------------------------------------

    @property
    def unacknowledged(self) -> int:
        """How many sent messages have no answer yet."""
        return self._conversation.unacknowledged

    @property
    def rooms(self) -> list[str]:
        """Names of our rooms."""
        return self._conversation.rooms

    def send(self, room: str, text: str) -> "Deferred[int]":
        """Sends a text; fires with its ``seq`` when it is stored, fails with the `ChatError` when it will not be.

        A client that is stopped first leaves it unknown: the result does not fire.

        Raises:
            Quota: Too many messages wait for the server already.
            TooLarge: The text does not fit into a message.
        """
        content = Content(ContentType.TEXT, secrets.token_bytes(ID_BYTES), now_ms(), text.encode())
        acknowledged: Deferred[int] = Deferred()
        self._acknowledgements[content.message_id] = acknowledged
        try:
            events = self._conversation.send(room, content)
        except ChatError:
            del self._acknowledgements[content.message_id]
            raise
        self._handle(events)
        return acknowledged

    async def make_invite(self, name: str = "", *, admin: bool = False) -> ServerLink:
        """A link that lets one person register; administrators only. Raises `chatserv.errors.WireError`."""
        invited = await self._ask(messages.MakeInvite, name=name, admin=admin)
        if not isinstance(invited, messages.Invited):
            raise BadMessage("invite: another kind of answer")
        keyring = self.keyring
        return ServerLink(keyring.host, keyring.port, keyring.server_id, invited.token)

    def _ask(self, make: type[messages.Command], **fields: object) -> "Deferred[Any]":
        label = self._conversation.command(make, **fields)
        answer: Deferred[Any] = Deferred()
        self._answers[label] = answer
        self._flush()
        return answer

    # -- what a connection reports (chatserv.client.transport.Listener) ---------------------------------------------------

    def connection_up(self) -> None:
        """The session is open."""
        if not self.keyring.registered:
            self.keyring = msgspec.structs.replace(self.keyring, registered=True)
            self.profile.save_keyring(self.keyring)
        self._token = None

    def message_received(self, batch: list[messages.ServerMessage]) -> None:
        """Messages came: tells the program, then remembers how far it has read."""
        for message in batch:
            if self._service is None:  # stopped by the program, which shall find the rest unread
                break
            match message:
                case messages.Farewell(code="replaced"):
                    self._last_word = Replaced()
                case messages.DrainingNotice():
                    self._last_word = Draining()
            self._handle(self._conversation.receive(message), flush=False)
        self._flush()
        if self._conversation.ready:
            self._backoff.succeeded()
        if self._follow:
            self.profile.save_cursors(self._conversation.cursors)

    def connection_down(self, error: ChatError | None) -> None:
        """The connection is gone: waits for the next, or gives up where the server will not have us."""
        self._protocol = None
        error, self._last_word = error or self._last_word, None
        self._conversation.disconnected()
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            answer.errback(error or LocalProtocolError("connection lost"))
        if self._service is None:
            return
        if is_final(error):
            self._failed = True
            self._emit(StatusChanged(Status.FAILED, error))
            self.stop()
        else:
            self._emit(StatusChanged(Status.OFFLINE, error))

    # -- inside ---------------------------------------------------------------------------------------------------------

    def _handle(self, events: list[ClientEvent], *, flush: bool = True) -> None:
        for event in events:
            match event:
                case Answered(label, reply):
                    self._answered(label, reply)
                case RetryWanted(after_seconds):
                    self._reactor.callLater(after_seconds, lambda: self._handle(self._conversation.retry()))
                case SyncRefused(error):
                    if self._protocol is not None:
                        self._protocol.refuse(error)
                case _:
                    self._emit(event)
        if flush:
            self._flush()

    def _answered(self, label: int, reply: object) -> None:
        answer = self._answers.pop(label, None)
        if answer is None:
            return
        if isinstance(reply, messages.Error):
            answer.errback(wire_error(reply.code, reply.text, reply.after_seconds))
        else:
            answer.callback(reply)

    def _emit(self, event: ClientEvent) -> None:
        self._on_event(event)
        match event:
            case SendAcknowledged(message_id, seq):
                self._acknowledgements.pop(message_id).callback(seq)
            case SendFailed(message_id, error):
                self._acknowledgements.pop(message_id).errback(error)

    def _flush(self) -> None:
        if self._protocol is not None:
            self._protocol.send(self._conversation.take_outgoing())
