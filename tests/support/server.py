"""A whole server in memory, and clients that speak to it through the real session core: no socket, thread or real time.

`MemoryServer` composes `ChatFactory` with a `MemoryStore` and a `Clock`; `MemoryClient` drives a `ClientSession` at the
other end of a `MemoryTransport`. Nothing moves by itself: ``server.settle()`` carries bytes and ends reactor turns until
all is quiet, ``server.advance(seconds)`` lets time pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatserv.backplane.local import LocalBackplane
from chatserv.commands.context import Context
from chatserv.config import Config, Limits, Security, Server
from chatserv.crypto.password import PasswordParameters, PasswordVerifier
from chatserv.crypto.session import channel_binding
from chatserv.crypto.statements import DeviceFacts, make_certificate
from chatserv.crypto.suite import oaep, sha256
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import Hub, LiveRoom
from chatserv.domain.roles import Role
from chatserv.errors import WireError
from chatserv.net.factory import ChatFactory
from chatserv.net.login import LoginDesk
from chatserv.net.protocol import ChatProtocol
from chatserv.ports import Invite
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from chatserv.wire import messages
from chatserv.wire.client_session import ClientSession
from chatserv.wire.codec import Refused, encode_message, server_decoder
from chatserv.wire.framing import LineSplitter
from chatserv.wire.handshake import METHOD_DEVICE, METHOD_REGISTER
from chatserv.wire.parameters import DeviceCredentials, NewAccount, ServerIdentity, Surroundings
from chatserv.wire.session import (
    Authenticated,
    CloseReceived,
    Failed,
    LineReady,
    PlaintextReceived,
    State,
    UnwrapWanted,
)
from tests.support.sessions import rsa_key, seeded, spki

IDENTITY, DEVICE = (
    "identity of alice",
    "device of alice",
)  # every account has these RSA keys; certificates tell them apart
START_MS = 1_795_000_000_000
LOOPBACK = "127.0.0.1"
M = TypeVar("M", bound=messages.Message)


@dataclass(frozen=True)
class TestAccount:
    """An account's secrets on one device."""

    __test__ = False  # not a test case
    user: str
    device_id: bytes
    signing_key: ed25519.Ed25519PrivateKey = field(repr=False)
    certificate: bytes = field(repr=False)
    verifier: bytes = field(repr=False)

    def credentials(self) -> DeviceCredentials:
        """What a session logs in with."""
        return DeviceCredentials(self.user, self.device_id, self.signing_key)

    def new_account(self, token: bytes) -> NewAccount:
        """What a session registers with."""
        return NewAccount(token, spki(IDENTITY), self.certificate, self.verifier)


def make_account(user: str, server_id: bytes, random: Callable[[int], bytes]) -> TestAccount:
    """A new account with one device, not registered anywhere yet."""
    signing = ed25519.Ed25519PrivateKey.from_private_bytes(random(32))
    facts = DeviceFacts(
        server_id=server_id,
        user=user,
        device_id=random(16),
        rsa_spki=spki(DEVICE),
        ed25519=signing.public_key().public_bytes_raw(),
        created_ms=START_MS,
        identity_fingerprint=sha256(spki(IDENTITY)),
    )
    verifier = PasswordVerifier(random(16), PasswordParameters(), random(32), random(32))
    certificate = make_certificate(facts, rsa_key(IDENTITY), signing)
    return TestAccount(user, facts.device_id, signing, certificate, verifier.encode())


def unwrap(ciphertext: bytes, label: bytes) -> bytes | None:
    """What a device does with its RSA key."""
    try:
        return rsa_key(DEVICE).decrypt(ciphertext, oaep(label))
    except ValueError:
        return None


class MemoryTransport(StringTransport):
    """A server's end: keeps each write, can be full, and loses its connection in a later turn as real ones do.

    Args:
        lose: Called once, when the connection is to end; the argument says whether it was aborted.
    """

    def __init__(self, lose: Callable[[bool], None]) -> None:
        super().__init__(lenient=True)
        self.writes: list[bytes] = []
        self.full_above: int | None = None  # unread bytes above which the producer is told to stop
        self._lose = lose

    def write(self, data: bytes) -> None:
        """Takes bytes, and says stop where there are too many."""
        if self.disconnecting:
            return
        self.writes.append(data)
        super().write(data)
        if self.full_above is not None and len(self.value()) > self.full_above and self.producer is not None:
            self.producer.pauseProducing()

    def loseConnection(self) -> None:
        """The connection ends when all is read."""
        if not self.disconnecting:
            self.disconnecting = True
            self._lose(False)

    def abortConnection(self) -> None:
        """The connection ends now."""
        if not self.disconnected:
            self.disconnected = self.disconnecting = True
            self._lose(True)


class InlinePool:
    """A crypto pool that works at once, or when ``release`` says so."""

    def __init__(self) -> None:
        self.held = False
        self._waiting: list[Callable[[], None]] = []

    def run(self, operation: Callable[..., Any], *args: Any) -> "Deferred[Any]":
        """Runs ``operation``, now or later."""
        answer: Deferred[Any] = Deferred()
        self._waiting.append(lambda: answer.callback(operation(*args)))
        if not self.held:
            self.release()
        return answer

    def release(self) -> None:
        """Does what waits."""
        waiting, self._waiting = self._waiting, []
        for work in waiting:
            work()


class DelayedStore:
    """A store whose methods named in ``slow`` answer only when fired by hand; the rest goes straight through."""

    def __init__(self, store: MemoryStore, slow: set[str]) -> None:
        self._store, self.slow = store, slow
        self.waiting: list[tuple[str, Callable[[], None]]] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in self.slow:
            return found

        def delayed(*args: Any) -> "Deferred[Any]":
            answer: Deferred[Any] = Deferred()

            def work() -> None:
                Deferred.fromCoroutine(found(*args)).chainDeferred(answer)

            self.waiting.append((name, work))
            return answer

        return delayed

    def fire(self, at: int = 0) -> str:
        """Does the call that waits at this place, the oldest first, and answers it. Returns its name."""
        name, work = self.waiting.pop(at)
        work()
        return name

    def fire_all(self) -> None:
        """Answers everything, and what comes of it."""
        while self.waiting:
            self.fire()


class MemoryServer:
    """A server without listeners.

    Args:
        max_connections: Sessions after login.
        registration: Who may make an account.
        slow: Names of the store's methods that wait for ``store.fire()``.
        **limits: Limits other than the defaults.
    """

    def __init__(
        self,
        *,
        max_connections: int = 100,
        registration: Any = "open",
        slow: Sequence[str] = (),
        **limits: Any,
    ) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.random = seeded("server")
        self.config = Config(
            server=Server(max_connections=max_connections),
            security=Security(registration=registration),
            limits=Limits(**limits),
        )
        bounds = self.config.limits
        self.memory = MemoryStore(StoreLimits(open_invites=bounds.open_invites, accounts=bounds.accounts))
        Deferred.fromCoroutine(self.memory.open())
        self.store: Any = DelayedStore(self.memory, set(slow))
        self.hub = Hub(max_connections)
        self.context = Context(self.store, self.hub, self.config, self.now_ms, self.random)
        self.backplane = LocalBackplane()
        self.memory.subscribe(self.backplane.publish)
        self.backplane.subscribe(self.context.deliver)
        self.take_rooms_in()
        self.identity = ServerIdentity(spki("server"), bytes((METHOD_DEVICE, METHOD_REGISTER)))
        self.surroundings = Surroundings(
            random=self.random,
            now_ms=self.now_ms,
            monotonic=self.clock.seconds,
            line_bytes=bounds.line_bytes,
            login_total_bytes=bounds.login_total_bytes,
        )
        self.pool = InlinePool()
        desk = LoginDesk(self.context, self.pool, rsa_key("server"))  # type: ignore[arg-type]
        self.factory = ChatFactory(self.context, self.identity, self.surroundings, desk, self.clock)
        self.factory.wheel.start()
        self.clients: list[MemoryClient] = []
        self._ports = iter(range(10_000, 60_000))

    def now_ms(self) -> int:
        """The clock, in milliseconds since 1970."""
        return START_MS + int(self.clock.seconds() * 1000)

    def take_rooms_in(self) -> None:
        """Makes the hub know the store's rooms."""
        for room_id, log in self.memory._logs.items():
            self.hub.add_rooms([LiveRoom(room_id, log.name, log.epoch, len(log.events))])

    @property
    def lobby(self) -> bytes:
        """The id of the first room."""
        return next(iter(self.hub.rooms))

    # -- clients --------------------------------------------------------------------------------------------------------

    def account(self, user: str) -> TestAccount:
        """A new account that is not registered yet."""
        return make_account(user, self.identity.server_id, self.random)

    def connect(self, account: TestAccount | None = None, *, token: bytes | None = None) -> "MemoryClient | None":
        """A connection that has said nothing yet, or None where the server turns it away."""
        protocol = self.factory.build(IPv4Address("TCP", LOOPBACK, next(self._ports)), tls=False)
        if protocol is None:
            return None
        client = MemoryClient(self, account or self.account("nobody"), protocol, token)
        self.clients.append(client)
        return client

    def join(self, user: str, role: Role = Role.USER) -> "MemoryClient":
        """Registers an account and gives its open session."""
        account, token = self.account(user), b""
        if role is not Role.USER:
            token = self.random(32)
            invite = Invite(sha256(token), role, START_MS * 2)
            Deferred.fromCoroutine(self.memory.add_invite(invite, self.now_ms()))
        return self.log_in(account, token=token)

    def log_in(self, account: TestAccount, *, token: bytes | None = None) -> "MemoryClient":
        """Opens a connection and takes it as far as the server lets it come."""
        client = self.connect(account, token=token)
        if client is None:
            raise AssertionError("turned away")
        client.start()
        self.settle()
        return client

    # -- time -----------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Moves bytes and ends turns of the reactor until nothing happens any more; no time passes."""
        moved = True
        while moved:
            self.clock.advance(0)
            moved = sum(client.exchange() for client in list(self.clients)) > 0

    def advance(self, seconds: float) -> None:
        """Lets time pass, in steps of a second or less, with everything that it sets off."""
        while seconds > 0:
            self.clock.advance(min(seconds, 1.0))
            self.settle()
            seconds -= 1.0


class MemoryClient:
    """A client at the other end of an in-memory connection.

    Args:
        server: The server.
        account: Who it is.
        protocol: The server's end of the connection.
        token: The invite's token (or empty) where this connection registers, else None.
    """

    def __init__(self, server: MemoryServer, account: TestAccount, protocol: ChatProtocol, token: bytes | None) -> None:
        self.server, self.account, self.protocol = server, account, protocol
        self.transport = MemoryTransport(self._server_closes)
        new = None if token is None else account.new_account(token)
        self.session = ClientSession(
            server.identity.server_id,
            account.credentials(),
            Surroundings(seeded(server.random(16).hex()), server.now_ms, server.clock.seconds),
            channel_binding(None),
            new,
        )
        self.received: list[Any] = []
        self.close_reason: CloseReason | None = None
        self.error: WireError | None = None
        self.authenticated = self.lost = self.aborted = False
        self.reading = self.answers_close = True
        self.early: list[bytes] = []  # lines that came although nothing was said
        self.sent: list[bytes] = []  # every line that left, CRLF included
        self._outgoing = bytearray()
        self._splitter = LineSplitter(200_000)
        self._labels = iter(range(1, 2**32))
        self._losing = False
        protocol.makeConnection(self.transport)

    # -- what a client does ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Says hello."""
        self._handle(self.session.start())

    def raw(self, data: bytes) -> None:
        """Sends bytes that are no part of the session."""
        self._outgoing += data

    def tell(self, *commands: messages.Command) -> None:
        """Sends commands, in one record."""
        self.transmit([encode_message(command) for command in commands])

    def transmit(self, parts: list[bytes]) -> None:
        """Sends encoded messages, in one record."""
        for line in self.session.seal(parts):
            self.sent.append(line)
            self._outgoing += line

    def ask(self, kind: type[M], **fields: Any) -> Any:
        """Sends one command, and gives its reply once all is quiet, or None."""
        label = self.label()
        self.tell(kind(label=label, **fields))  # type: ignore[arg-type]
        self.server.settle()
        return self.reply(label)

    def say(self, text: str, room: bytes | None = None, *, message_id: bytes | None = None) -> Any:
        """Sends a message, and gives the reply."""
        return self.ask(
            messages.Send,
            room=room or self.server.lobby,
            id=message_id or self.server.random(16),
            epoch=0,
            envelope=text.encode(),
        )

    def sync(self, since: int = 0, room: bytes | None = None) -> Any:
        """Catches up with one room, and gives the reply."""
        cursors = ((room or self.server.lobby, since),)
        return self.ask(messages.Sync, store=self.server.memory.incarnation, cursors=cursors)

    def drop(self) -> None:
        """Loses the connection without a word."""
        self._lose(ConnectionDone())

    def label(self) -> int:
        """A label that was not used yet."""
        return next(self._labels)

    # -- what it got ----------------------------------------------------------------------------------------------------

    def all(self, kind: type[M]) -> list[M]:
        """Every message of a kind, in order."""
        return [message for message in self.received if isinstance(message, kind)]

    def one(self, kind: type[M]) -> M:
        """The only message of its kind."""
        (found,) = self.all(kind)
        return found

    def reply(self, label: int) -> Any:
        """The reply to a label, or None. Two would be a mistake of the server."""
        found = [message for message in self.received if isinstance(message, messages.Reply) and message.label == label]
        assert len(found) <= 1, found
        return found[0] if found else None

    def seqs(self, room: bytes | None = None) -> list[int]:
        """The seqs of a room's events, as they came."""
        return [event.seq for event in self.all(messages.Event) if event.room == (room or self.server.lobby)]

    # -- bytes ----------------------------------------------------------------------------------------------------------

    def exchange(self) -> bool:
        """Carries what each side has for the other. Says whether anything moved."""
        moved = self._to_server()
        if self.lost:
            return moved
        if self.reading and self.transport.value():
            moved = True
            data = self.transport.value()
            self.transport.clear()
            self._take(data)
            if self.transport.producer is not None and self.transport.full_above is not None:
                self.transport.producer.resumeProducing()
        if self._losing and not self.transport.value() and self.answers_close:
            self._lose(ConnectionDone())
            moved = True
        return moved

    def _to_server(self) -> bool:
        if not self._outgoing or self.lost or self.transport.producerState != "producing":
            return False
        data = bytes(self._outgoing[:65_536])
        del self._outgoing[:65_536]
        self.protocol.dataReceived(data)
        return True

    def _take(self, data: bytes) -> None:
        self._splitter.feed(data)
        while (line := self._splitter.next_line()) is not None:
            if self.session.state is State.IDLE:
                self.early.append(line)
            else:
                self._handle(self.session.receive_line(line))

    def _handle(self, events: Sequence[Any]) -> None:
        for event in events:
            match event:
                case LineReady(line):
                    self.sent.append(line)
                    self._outgoing += line
                case UnwrapWanted(ciphertext, label):
                    self._handle(self.session.unwrapped(unwrap(ciphertext, label)))
                case Authenticated():
                    self.authenticated = True
                case PlaintextReceived(plaintext):
                    batch = server_decoder.decode(plaintext)
                    assert not any(isinstance(message, Refused) for message in batch), batch
                    self.received += batch
                case CloseReceived(reason):
                    self.close_reason = CloseReason(reason)
                case Failed(error):
                    self.error = error

    # -- the end --------------------------------------------------------------------------------------------------------

    def _server_closes(self, aborted: bool) -> None:
        if aborted:
            self.aborted = True
            self.server.clock.callLater(0, self._lose, ConnectionAborted())
        else:
            self._losing = True

    def _lose(self, reason: Exception) -> None:
        if not self.lost:
            self.lost = True
            self.transport.disconnected = self.transport.disconnecting = True
            self.protocol.connectionLost(Failure(reason))
