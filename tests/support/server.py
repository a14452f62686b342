"""A whole server in memory, and clients that speak to it through the real session core: no socket, thread or real time.

It has a public room from the start, the lobby, and ``server.join(user)`` registers a user and puts them in there.
Commits over the wire are made by ``client.commit`` and what it consists of; `tests.support.smith.Smith` makes them.

`WireServer` composes `ChatFactory` with a `MemoryStore` and a `Clock`; `MemoryClient` drives a `ClientSession` at the
other end of a `MemoryTransport`. Nothing moves by itself: ``server.settle()`` carries bytes and ends reactor turns until
all is quiet, ``server.advance(seconds)`` lets time pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec.structs import replace
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatserv.backplane.local import LocalBackplane
from chatserv.commands.agreeing import rooms_in
from chatserv.commands.context import Context
from chatserv.commands.effects import Effects
from chatserv.commands.uploads import Uploads
from chatserv.config import Config, Security, Server
from chatserv.counts import Counts
from chatserv.crypto.commits import Op
from chatserv.crypto.password import own_secret
from chatserv.crypto.room_state import Policy
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.session import channel_binding
from chatserv.crypto.statements import DeviceFacts, certificate_facts, make_certificate
from chatserv.crypto.suite import oaep, pss_sign, sha256
from chatserv.domain.closing import CloseReason
from chatserv.domain.roles import Role
from chatserv.errors import WireError
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from chatserv.models import Consent, Event, EventKind, Invite
from chatserv.net.authenticator import Authenticator
from chatserv.net.effects import reactor_effects
from chatserv.net.factory import ChatFactory
from chatserv.net.front import Front
from chatserv.net.seat import Seat
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from chatserv.testing.memory_blobs import MemoryBlobs
from chatserv.wire import messages
from chatserv.wire.client_session import ClientSession
from chatserv.wire.codec import Refused, encode_message, server_decoder
from chatserv.wire.fields import WRAPS_PAGE
from chatserv.wire.framing import LineSplitter
from chatserv.wire.handshake import ALL_METHODS
from chatserv.wire.parameters import DeviceCredentials, GuestCredentials, NewAccount, ServerIdentity, SessionContext
from chatserv.wire.password_login import GuestOffer
from chatserv.wire.session import (
    Authenticated,
    CloseReceived,
    Failed,
    LineReady,
    PasswordKeyWanted,
    PlaintextReceived,
    State,
    UnwrapWanted,
)
from tests.support.sessions import rsa_key, seeded, spki, verifier_of
from tests.support.smith import PRIVATE, PUBLIC, Made, Smith, envelope

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
    identity: str = IDENTITY

    @property
    def cert_hash(self) -> bytes:
        """The hash of the certificate."""
        return sha256(self.certificate)

    @property
    def identity_spki(self) -> bytes:
        """The identity key that signed it."""
        return spki(self.identity)

    def credentials(self) -> DeviceCredentials:
        """What a session logs in with."""
        return DeviceCredentials(self.user, self.device_id, self.signing_key)

    def new_account(self, token: bytes) -> NewAccount:
        """What a session registers with."""
        return NewAccount(token, self.identity_spki, self.certificate, self.verifier)


def make_account(user: str, server_id: bytes, random: Callable[[int], bytes], identity: str = IDENTITY) -> TestAccount:
    """A new account with one device, not registered anywhere yet; ``identity`` is the name of its RSA key."""
    signing = ed25519.Ed25519PrivateKey.from_private_bytes(random(32))
    facts = DeviceFacts(
        server_id=server_id,
        user=user,
        device_id=random(16),
        rsa_spki=spki(DEVICE),
        ed25519=signing.public_key().public_bytes_raw(),
        created_ms=START_MS,
        identity_fingerprint=sha256(spki(identity)),
    )
    verifier = verifier_of(salted_of(user))
    certificate = make_certificate(facts, rsa_key(identity), signing)
    return TestAccount(user, facts.device_id, signing, certificate, verifier.encode(), identity)


def salted_of(user: str) -> bytes:
    """What Argon2id gives for the right password of this user."""
    return sha256(b"salted password of ", user.encode())


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

        def delayed(*args: Any, **named: Any) -> "Deferred[Any]":
            answer: Deferred[Any] = Deferred()

            def work() -> None:
                Deferred.fromCoroutine(found(*args, **named)).chainDeferred(answer)

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


class WireServer:
    """A server without listeners.

    Args:
        max_connections: Sessions after login.
        registration: Who may make an account.
        slow: Names of the store's methods that wait for ``store.fire()``.
        advertise: Where its links lead.
        beside: Another node of the same cluster (`tests.support.nodes`), with which it shares what is not a node's own.
        **limits: Limits other than the defaults.
    """

    def __init__(
        self,
        *,
        max_connections: int = 100,
        registration: Any = "open",
        slow: Sequence[str] = (),
        advertise: str = "",
        beside: "WireServer | None" = None,
        **limits: Any,
    ) -> None:
        self.host = LOOPBACK  # where clients come from
        self.clock: Clock = Clock() if beside is None else beside.clock
        self.group: list[WireServer] = [] if beside is None else beside.group
        self.group.append(self)
        self.random = seeded("server" if beside is None else f"server {len(self.group)}")
        self.config = Config(
            server=Server(max_connections=max_connections, advertise=advertise),
            security=Security(registration=registration),
            limits=Limits(**limits),
        )
        bounds = self.config.limits
        if beside is None:
            self.clock.advance(1000)
        self.memory = self._open_memory(beside)
        self.files: MemoryBlobs = MemoryBlobs() if beside is None else beside.files
        self.store: Any = DelayedStore(self.memory, set(slow))
        self.identity = ServerIdentity(spki("server"), ALL_METHODS)
        self.surroundings = SessionContext(
            random=self.random,
            now_ms=self.now_ms,
            monotonic=self.clock.seconds,
            line_bytes=bounds.line_bytes,
            login_total_bytes=bounds.login_total_bytes,
        )
        self.pool = InlinePool()
        self.certificates: dict[bytes, DeviceFacts] = {} if beside is None else beside.certificates
        self.audited: list[tuple[str, dict[str, Any]]] = []
        self.generations: dict[tuple[bytes, bytes, int], int] = {} if beside is None else beside.generations
        self.clients: list[MemoryClient] = []
        self._ports = iter(range(10_000, 60_000))
        self.smith = Smith(self)
        self._compose()
        self.founder: TestAccount = self.account("founder") if beside is None else beside.founder
        self.lobby: bytes = b"" if beside is None else beside.lobby
        if beside is None:
            self._found()

    def _found(self) -> None:
        """Makes the lobby."""
        self.smith.register(self.founder)
        self.lobby, ops = self.smith.create(self.founder, policy=PUBLIC)
        self.smith.put(self.founder, self.smith.make(self.founder, self.lobby, *ops))
        self.settle()

    def _open_memory(self, beside: "WireServer | None") -> Any:  # noqa: ARG002 - for nodes
        """What survives, opened."""
        bounds = self.config.limits
        memory = MemoryStore(
            StoreLimits(
                open_invites=bounds.open_invites,
                accounts=bounds.accounts,
                devices=bounds.devices_per_account,
                rooms=bounds.rooms,
                bans=bounds.bans,
                networks=bounds.login_networks,
                open_blobs=bounds.blob_open,
                blob_account_bytes=bounds.blob_account_bytes,
                blob_server_bytes=bounds.blob_server_bytes,
            )
        )
        self.wait(memory.open())
        return memory

    def _make_backplane(self, effects: Effects) -> Any:  # noqa: ARG002 - for nodes
        """What brings here what is committed."""
        return LocalBackplane()

    def _compose(self) -> None:
        """Puts together what does not survive a restart, over the store."""
        self.counts = Counts()
        effects = replace(reactor_effects(self.clock, self.now_ms, self.random, self.counts), audit=self._audit)
        key = rsa_key("server")
        sign = partial(self.pool.run, pss_sign, key)
        self.backplane = self._make_backplane(effects)
        settings = LiveSettings(self.config)
        self.uploads = Uploads(self.files, self.store, settings, effects)
        parts = self.store, self.backplane, settings, effects, self.identity, sign
        self.context = Context.of(*parts, uploads=self.uploads)
        memory = self.memory
        self.context.take_in(*self._rooms_here(), *(self.wait(each) for each in (memory.log(), memory.bans())))
        self._sign_first()
        self.hub = self.context.hub
        authenticator = Authenticator(self.context, self.pool, key, own_secret(key))  # type: ignore[arg-type]
        self.factory = ChatFactory(self.context, self.identity, self.surroundings, authenticator, self.clock)
        self.factory.wheel.start()

    def _rooms_here(self) -> Any:
        """The rooms that a start takes in, and what their users say."""
        return self.wait(self.memory.rooms()), self.wait(self.memory.consents())

    def _sign_first(self) -> None:
        """The log has a head before anybody can log in."""
        self.context.log.sign_first(partial(pss_sign, rsa_key("server")))

    def restart(self) -> None:
        """Every connection is lost, and nothing is known but what the store has."""
        for client in self.clients:
            client.drop()
        self.clients.clear()
        self.memory._listeners.clear()
        self.memory._log_listeners.clear()
        self.memory._control_listeners.clear()
        self._compose()

    def _audit(self, event: str, **fields: Any) -> None:
        self.audited.append((event, fields))

    def rooms_in(self, user: str) -> int:
        """In how many rooms somebody is by their own will, as it counts."""
        return rooms_in(self.context, user, self.wait(self.store.memberships(user)))

    def offers_to(self, user: str, inviter: str | None = None) -> int:
        """How many places they were given, by one or by anybody, and have not agreed to."""
        return sum(inviter in {None, each.inviter} for each in self.wait(self.store.offers([user])))

    def wait(self, awaitable: Any) -> Any:
        """The result of a coroutine that does not wait for anything."""
        results: list[Any] = []
        Deferred.fromCoroutine(awaitable).addBoth(results.append)
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result

    def now_ms(self) -> int:
        """The clock, in milliseconds since 1970."""
        return START_MS + int(self.clock.seconds() * 1000)

    # -- rooms --------------------------------------------------------------------------------------------------------

    def make_room(self, creator: TestAccount, *others: TestAccount, policy: Policy = PRIVATE) -> bytes:
        """A room of these, past all sessions. Returns its id."""
        room, ops = self.smith.create(creator, *others, policy=policy, nonce=self.random(32))
        self.smith.put(creator, self.smith.make(creator, room, *ops))
        self.settle()
        return room

    def put(self, account: TestAccount, room: bytes, *ops: Op) -> int:
        """A commit, past all sessions. Returns its seq."""
        seq = self.smith.put(account, self.smith.make(account, room, *ops))
        self.settle()
        return seq

    def account_id(self, account: TestAccount) -> bytes:
        """The id of a registered account."""
        status = self.wait(self.memory.account(account.user))
        assert status is not None, account.user
        found: bytes = status.account.account_id
        return found

    def events(self, room: bytes | None = None) -> list[Event]:
        """All events of a room."""
        return list(self.wait(self.memory.events(room or self.lobby, 0, 10**9)))

    def message_seqs(self, room: bytes | None = None) -> list[int]:
        """The seqs of a room's messages: the n-th message has the n-th of these."""
        return [event.seq for event in self.events(room) if event.kind is EventKind.MESSAGE]

    # -- clients -------------------------------------------------------------------------------------------------------

    def account(self, user: str, identity: str = IDENTITY) -> TestAccount:
        """A new account that is not registered yet."""
        account = make_account(user, self.identity.server_id, self.random, identity)
        self.certificates[account.cert_hash] = certificate_facts(account.certificate)
        return account

    def connect(
        self, account: TestAccount | None = None, *, token: bytes | None = None, guest: "NewMachine | None" = None
    ) -> "MemoryClient | None":
        """A connection that has said nothing yet, or None where the server turns it away."""
        protocol = self.factory.build(IPv4Address("TCP", self.host, next(self._ports)), tls=False)
        if protocol is None:
            return None
        client = MemoryClient(self, account or self.account("nobody"), protocol, token, guest)
        self.clients.append(client)
        return client

    def join(self, user: str, role: Role = Role.USER, *, lobby: bool = True) -> "MemoryClient":
        """Registers an account, puts it in the lobby, and gives its open session."""
        account, token = self.account(user), b""
        if role is not Role.USER:
            token = self.random(32)
            invite = Invite(sha256(token), role, START_MS * 2)
            self.wait(self.memory.add_invite(invite, self.now_ms()))
        client = self.log_in(account, token=token)
        if lobby and client.authenticated:
            self.put(account, self.lobby, *self.smith.join(account, self.lobby))
        return client

    def log_in(
        self, account: TestAccount, *, token: bytes | None = None, guest: "NewMachine | None" = None
    ) -> "MemoryClient":
        """Opens a connection and takes it as far as the server lets it come."""
        client = self.connect(account, token=token, guest=guest)
        if client is None:
            raise AssertionError("turned away")
        client.start()
        self.settle()
        return client

    def guest(self, user: str, *, right: bool = True, number: int = 1, **changes: Any) -> "MemoryClient":
        """Somebody logs in by password, from the new machine of this number; ``changes`` are fields of what it offers."""
        account = self.account(user)
        return self.log_in(account, guest=new_machine(account, number, right=right, **changes))

    # -- time ----------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Moves bytes and ends turns of the reactor until nothing happens any more; no time passes."""
        moved = True
        while moved:
            self.clock.advance(0)
            moved = sum(client.exchange() for server in self.group for client in list(server.clients)) > 0

    def advance(self, seconds: float) -> None:
        """Lets time pass, in steps of a second or less, with everything that it sets off."""
        while seconds > 0:
            self.clock.advance(min(seconds, 1.0))
            self.settle()
            seconds -= 1.0


@dataclass(frozen=True)
class NewMachine:
    """A machine that is no device yet: as what it would like to be known, and what its person's password gives."""

    credentials: GuestCredentials
    salted: bytes = field(repr=False)


def new_machine(account: TestAccount, number: int, *, right: bool = True, **changes: Any) -> NewMachine:
    """The machine of this number of somebody who knows the password, or not; ``changes`` are fields of its offer."""
    signing = ed25519.Ed25519PrivateKey.from_private_bytes(sha256(b"machine %d" % number))
    public = signing.public_key().public_bytes_raw()
    offer = GuestOffer(sha256(b"id %d" % number)[:16], spki(DEVICE), public, START_MS)
    salted = salted_of(account.user) if right else bytes(32)
    return NewMachine(GuestCredentials(account.user, replace(offer, **changes), signing), salted)


class MemoryClient:
    """A client at the other end of an in-memory connection.

    Args:
        server: The server.
        account: Who it is.
        protocol: The server's end of the connection.
        token: The invite's token (or empty) where this connection registers, else None.
        guest: The machine that logs in by password, else None.
    """

    def __init__(
        self,
        server: WireServer,
        account: TestAccount,
        protocol: Front,
        token: bytes | None,
        guest: NewMachine | None = None,
    ) -> None:
        self.server, self.account, self.protocol = server, account, protocol
        self.transport = MemoryTransport(self._server_closes)
        new = None if token is None else account.new_account(token)
        self.machine = guest
        self.session = ClientSession(
            ServerKeys(server.identity.server_id),
            account.credentials() if guest is None else guest.credentials,
            SessionContext(seeded(server.random(16).hex()), server.now_ms, server.clock.seconds),
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

    @property
    def seat(self) -> Seat:
        """The server's end, behind the protocol."""
        assert isinstance(self.protocol.seat, Seat)
        return self.protocol.seat

    # -- what a client does --------------------------------------------------------------------------------------------

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

    def ask(self, kind: type[M], /, **fields: Any) -> Any:
        """Sends one command, and gives its reply once all is quiet, or None."""
        label = self.label()
        self.tell(kind(label=label, **fields))  # type: ignore[arg-type]
        self.server.settle()
        return self.reply(label)

    # -- messages ------------------------------------------------------------------------------------------------------

    def next_send(self, text: str, room: bytes | None = None, **changes: Any) -> messages.Send:
        """The next message of this device in a room, as a command; ``changes`` are fields of it."""
        server, room = self.server, room or self.server.lobby
        record = server.context.registry.get(room)
        epoch = 0 if record is None else record.head.epoch
        key = (self.account.device_id, room, epoch)
        generation = server.generations[key] = server.generations.get(key, -1) + 1
        sealed = envelope(room, epoch, server.smith.leaf(self.account, room), generation, text)
        label = changes.pop("label", 0) or self.label()
        fields: dict[str, Any] = {"id": server.random(16), "epoch": epoch, "envelope": sealed} | changes
        return messages.Send(label, room, **fields)

    def say(self, text: str, room: bytes | None = None, **changes: Any) -> Any:
        """Sends a message, and gives the reply."""
        command = self.next_send(text, room, **changes)
        self.tell(command)
        self.server.settle()
        return self.reply(command.label)

    def repeat(self, command: messages.Send) -> Any:
        """Sends the same bytes under the same id once more, and gives the reply."""
        again = replace(command, label=self.label())
        self.tell(again)
        self.server.settle()
        return self.reply(again.label)

    def sync(self, since: int = 0, room: bytes | None = None) -> Any:
        """Catches up with one room from its so-manieth message on, and gives the reply."""
        seqs = [0, *self.server.message_seqs(room)]
        cursor = seqs[since] if since < len(seqs) else since
        return self.ask(
            messages.Sync, store=self.server.memory.incarnation, cursors=((room or self.server.lobby, cursor),)
        )

    # -- commits -------------------------------------------------------------------------------------------------------

    def make(self, room: bytes, *ops: Op, **changes: Any) -> Made:
        """A commit of these ops by this device."""
        return self.server.smith.make(self.account, room, *ops, **changes)

    def upload(self, made: Made) -> list[Any]:
        """Uploads a commit's wraps, and gives the replies."""
        wraps = list(made.wraps.items())
        pages = [tuple(wraps[start : start + WRAPS_PAGE]) for start in range(0, len(wraps), WRAPS_PAGE)]
        return [self.ask(messages.PutWraps, room=made.room_id, epoch=made.epoch, wraps=page) for page in pages]

    def submit(self, made: Made) -> Any:
        """Uploads wraps and commit, under a lease that is held already; gives the last reply."""
        self.upload(made)
        return self.ask(messages.PutCommit, room=made.room_id, commit=made.commit.encoded)

    def begin(self, room: bytes, **fields: Any) -> Any:
        """Asks for the lease; gives the reply, None while others have it."""
        return self.ask(messages.BeginCommit, room=room, **fields)

    def commit(self, room: bytes, *ops: Op, **changes: Any) -> Any:
        """Takes the lease, makes a commit of these ops and submits it. Gives the refusal of the lease, or the last reply."""
        lease = self.begin(room, new=self.server.smith.state(room) is None)
        if not isinstance(lease, messages.Lease):
            return lease
        return self.submit(self.make(room, *ops, **changes))

    def make_room(self, *others: TestAccount, policy: Policy = PRIVATE) -> bytes:
        """Makes a room over the wire. Returns its id."""
        room, ops = self.server.smith.create(self.account, *others, policy=policy, nonce=self.server.random(32))
        reply = self.commit(room, *ops)
        assert isinstance(reply, messages.Committed), reply
        return room

    def join_room(self, room: bytes) -> Any:
        """Joins a public room over the wire; gives the reply."""
        return self.commit(room, *self.server.smith.join(self.account, room))

    def leave_room(self, room: bytes) -> Any:
        """Leaves a room; gives the reply."""
        farewell = self.server.smith.leave(self.account, room)
        return self.ask(messages.Leave, room=room, leaf=farewell.leaf, signature=farewell.signature)

    # -- the connection ------------------------------------------------------------------------------------------------

    def drop(self) -> None:
        """Loses the connection without a word."""
        self._lose(ConnectionDone())

    def label(self) -> int:
        """A label that was not used yet."""
        return next(self._labels)

    # -- what it got ---------------------------------------------------------------------------------------------------

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
        """The messages of a room, as they came; each as the so-manieth message of the room."""
        number = {seq: at for at, seq in enumerate(self.server.message_seqs(room), 1)}
        return [number[event.seq] for event in self.events(room) if event.kind == EventKind.MESSAGE]

    def events(self, room: bytes | None = None) -> list[messages.Event]:
        """The events of a room, commits too, as they came."""
        return [event for event in self.all(messages.Event) if event.room == (room or self.server.lobby)]

    # -- bytes ---------------------------------------------------------------------------------------------------------

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
                case PasswordKeyWanted() if self.machine is not None:
                    self._handle(self.session.derived(self.machine.salted))
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

    # -- the end -------------------------------------------------------------------------------------------------------

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


def ask_nobody(memory: MemoryStore) -> None:
    """The store is one of a version that asked nobody whether they want to be in their rooms."""
    for room in memory._rooms.open_rooms():
        for user, said in room.consents.items():
            room.consents[user] = replace(said, inviter="", consent=Consent.EARLIER)
