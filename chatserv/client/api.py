"""The client: one account on one server, connected again and again until it is told to stop."""

import os
import time
from collections.abc import Callable
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.threads import deferToThread

from chatserv.client.admin import Administration
from chatserv.client.committer import ExistingRoom
from chatserv.client.engine import Engine
from chatserv.client.events import (
    ClientEvent,
    MessageReceived,
    Replaced,
    SendAcknowledged,
    SendFailed,
    Status,
    StatusChanged,
)
from chatserv.client.handle import RoomHandle
from chatserv.client.log_copy import LogCopy
from chatserv.client.making import direct_policy, public_policy
from chatserv.client.parts import Interrupted, Parts
from chatserv.client.people import People
from chatserv.client.pins import Pins
from chatserv.client.profile import Profile, ProfileError
from chatserv.client.retrying import Backoff, is_final, now_ms
from chatserv.client.rooms import Room, Standing
from chatserv.client.storage.vault import Vault
from chatserv.client.transport import ClientFactory, ClientProtocol, plain_endpoint, tls_endpoint
from chatserv.crypto.e2e.rng import HedgedRandom
from chatserv.crypto.room_state import Kind, Policy
from chatserv.domain.names import room_name, user_name
from chatserv.errors import ChatError, Draining, Forbidden, LocalProtocolError, NotMember, WireError
from chatserv.wire import messages


class Client:
    """One account, through all its connections.

    Args:
        profile: Where keys and everything else of the account are kept.
        reactor: The reactor.
        on_event: Told everything that happens, in order: see `chatserv.client.events`. A message counts as shown when the
            callback has returned.
        follow: Whether to be shown messages; without, they are kept for a client that follows.
        endpoint: Where to connect; by default TLS to the address that the keyring remembers.
        plain: Without TLS, which the server has to allow as well. The session inside and the pin protect what is said.
        receipts: Whether senders of direct messages are told that they arrived.
        in_thread: Runs slow functions; by default in the reactor's threads.
        clock: The time, milliseconds since 1970.
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
        receipts: bool = True,
        in_thread: Callable[..., Any] = deferToThread,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        keyring = profile.keyring()
        if keyring is None:
            raise ProfileError(f"{profile.directory}: no account yet; register with a chatserv:// link first")
        self.profile, self.keyring = profile, keyring
        self._reactor, self._on_event, self._follow, self._receipts = reactor, on_event, follow, receipts
        connect = plain_endpoint if plain else tls_endpoint
        self._endpoint, self._plain = endpoint or connect(reactor, keyring.host, keyring.port), plain
        self._in_thread, self._clock = in_thread, clock
        self._unwrap = keyring.unwrapper()
        self._engine: Engine | None = None
        self._token: bytes | None = None
        self._protocol: ClientProtocol | None = None
        self._service: ClientService | None = None
        self._failed = False
        self._last_word: ChatError | None = None
        self._backoff = Backoff()
        self._release: Callable[[], None] | None = None
        self._acknowledgements: dict[bytes, Deferred[int]] = {}
        self._outgoing: list[bytes] = []
        self._timers: set[Any] = set()
        self._receiving = False

    # -- life -----------------------------------------------------------------------------------------------------------

    def start(self, token: bytes | None = None) -> None:
        """Connects, and reconnects with a jittered back-off (1 to 60 s) until `stop` or a final refusal.

        What was received earlier and never shown is shown first.

        Args:
            token: The invite's token, where the account is not registered yet; empty on a server with open registration.

        Raises:
            ProfileError: Another program uses the profile.
            StorageError: What the profile keeps cannot be used.
        """
        if self._service is not None:
            raise LocalProtocolError("client started twice")
        self._release = self.profile.hold()
        try:
            self._engine = self._make_engine()
        except BaseException:
            self._let_go()
            raise
        self._token = None if self.keyring.registered else (token or b"")
        self._service = ClientService(
            self._endpoint,
            ClientFactory(self._build),
            retryPolicy=self._backoff.next_delay,
            clock=self._reactor,
        )
        self._show_kept()
        self._emit(StatusChanged(Status.CONNECTING))
        self._service.startService()
        self._service.whenConnected(failAfterFailures=1).addErrback(self._first_attempt_failed)

    def _make_engine(self) -> Engine:
        keyring, vault = self.keyring, Vault.open(self.profile.database)
        log = LogCopy(keyring.server_id, vault.log, vault.facts)
        parts = Parts(
            keyring=keyring,
            signing=ed25519.Ed25519PrivateKey.from_private_bytes(keyring.signing_key),
            opening=keyring.load_device_key(),
            vault=vault,
            log=log,
            pins=Pins(vault.pins, log),
            random=HedgedRandom(keyring.rng_seed, os.urandom, time.time_ns),
            now_ms=self._clock,
            later=self._later,
            in_thread=self._off_reactor,
            emit=self._emit,
        )
        engine = Engine(parts, self._write, self._refuse, receipts=self._receipts)
        engine.intake.follow = self._follow
        return engine

    def _later(self, seconds: float, what: Callable[[], object]) -> Any:
        """The reactor's `callLater`, which ends with us."""

        def run() -> None:
            self._timers.discard(timer)
            what()

        timer = self._reactor.callLater(seconds, run)
        self._timers.add(timer)
        return timer

    async def _off_reactor(self, work: Callable[..., Any], *args: Any) -> Any:
        result = await self._in_thread(work, *args)
        if self._engine is None:
            raise Interrupted("stopped meanwhile")
        return result

    def stop(self) -> "Deferred[None]":
        """Ends the session and connects no more."""
        service, self._service = self._service, None
        if service is None:
            return succeed(None)
        self._running.intake.follow = False  # the program shall find the rest unread
        stopped: Deferred[None] = Deferred.fromCoroutine(self._stop(service))
        return stopped

    async def _stop(self, service: ClientService) -> None:
        if self._protocol is not None:
            self._protocol.say_goodbye()
        await service.stopService()
        self._let_go()
        if not self._failed:
            self._emit(StatusChanged(Status.STOPPED))

    def _let_go(self) -> None:
        timers, self._timers = self._timers, set()
        for timer in timers:
            if timer.active():
                timer.cancel()
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        if self._release is not None:
            self._release()
            self._release = None

    def _build(self) -> ClientProtocol:
        self._protocol = ClientProtocol(self._reactor, self.keyring, self._token, self, self._unwrap, plain=self._plain)
        return self._protocol

    def _first_attempt_failed(self, failure: Any) -> None:
        if self._service is not None and not self._failed:
            self._emit(StatusChanged(Status.OFFLINE, failure.value))

    def _show_kept(self) -> None:
        """What an earlier run has received and nobody was shown."""
        engine = self._running
        if not self._follow:
            return
        for room in engine.rooms.ours():
            row = room.row
            while row is not None and row.standing is Standing.IN:
                kept = engine.parts.vault.archive.after(room.room_id, row.shown, 100)
                last = 0
                for message in kept:
                    if not engine.intake.follow:  # the program wants no more
                        break
                    self._emit(engine.contents.received(room, message))
                    last = message.seq
                row = engine.intake.mark_shown(room, last) if last else None

    # -- what a program asks for ----------------------------------------------------------------------------------------

    @property
    def _running(self) -> Engine:
        if self._engine is None:
            raise LocalProtocolError("the client is not started")
        return self._engine

    @property
    def people(self) -> People:
        """Identities, safety numbers, devices."""
        return self._running.people

    @property
    def admin(self) -> Administration:
        """What administrators of the server can do."""
        return self._running.admin

    @property
    def is_admin(self) -> bool:
        """Whether our account is an administrator of the server."""
        return self._running.role == "admin"

    @property
    def unacknowledged(self) -> int:
        """How many sent messages are not known to be stored."""
        return 0 if self._engine is None else self._engine.outgoing.unacknowledged

    @property
    def rooms(self) -> list[str]:
        """Names of our rooms, in order; rooms that wait for our consent included."""
        if self._engine is None:
            return []
        return sorted(self._engine.rooms.name(room) for room in self._engine.rooms.ours())

    def room(self, name: str) -> RoomHandle:
        """One of our rooms: ``lobby``, ``#lobby`` or ``@bob``. Raises `NotMember`."""
        return self._handle(self._running.rooms.find(name))

    def _handle(self, room: Room) -> RoomHandle:
        return RoomHandle(self._running, room, self._await_acknowledgement)

    def send(self, room: str, text: str) -> "Deferred[int]":
        """Sends a text to a room; fires with its ``seq`` when it is stored, fails with the `ChatError` when it will not be.

        A client that is stopped first leaves it unknown: the result does not fire, and the message goes out when the profile
        is used again (see `forget_unsent`).

        Raises:
            NotMember: We are not in that room.
            Quota: Too many messages wait for the server already.
            TooLarge: The text does not fit into a message.
        """
        return self.room(room).send(text)

    def unfollow(self) -> None:
        """Shows no more messages; they are kept for a client that follows."""
        self._running.intake.follow = False

    def forget_unsent(self) -> int:
        """Gives up on messages that are not acknowledged: they will not go out later. Returns how many."""
        return self._running.outgoing.forget()

    async def create_room(self, name: str, *, public: bool = False, topic: str = "") -> RoomHandle:
        """Makes a room. The server learns name and topic of a public one; those of others are sealed.

        Raises:
            NameInvalid, NameTaken: The name cannot be used.
            Quota: There are too many rooms.
        """
        title = room_name(name)
        policy = public_policy(title, topic) if public else Policy(Kind.ROOM)
        return self._handle(await self._running.making.create(policy, title, topic))

    async def join(self, name: str) -> RoomHandle:
        """Joins a public room. Raises `NotFound`, `RoomFull`, `Banned` or `RateLimited`."""
        return self._handle(await self._running.making.join(room_name(name)))

    async def direct(self, user: str) -> RoomHandle:
        """Our direct messages with a user, begun where there are none. Raises `NotFound`, `Forbidden` for ourselves."""
        engine, name = self._running, user_name(user)
        engine.planning.require_account(name)
        room = engine.rooms.direct(name)
        if room is None:
            try:
                room = await engine.making.create(direct_policy(), "", "", (name,))
            except ExistingRoom as existing:
                room = engine.rooms.get(existing.room_id)
        if room is None or not room.in_it:
            raise NotMember(f"@{name}")
        return self._handle(room)

    async def public_rooms(self) -> list[messages.PublicRoom]:
        """All public rooms of the server, in order of name."""
        return await self._running.requests.rows(
            messages.RoomList, messages.ListRooms, lambda page: page.rooms, lambda room: room.name
        )

    async def set_away(self, *, away: bool) -> None:
        """Says whether the person is there; others in common rooms, and the server, see it."""
        await self._running.requests.ask(messages.SetPresence, away=away)

    # -- what a connection reports (chatserv.client.transport.Listener) ---------------------------------------------------

    def connection_up(self) -> None:
        """The session is open."""
        if not self.keyring.registered:
            self.keyring = msgspec.structs.replace(self.keyring, registered=True)
            self.profile.save_keyring(self.keyring)
        self._token = None
        self._running.connected()

    def message_received(self, batch: list[messages.ServerMessage]) -> None:
        """Messages came."""
        engine = self._running
        self._receiving = True
        try:
            for message in batch:
                match message:
                    case messages.Farewell(code=code):
                        self._last_word = Replaced() if code == "replaced" else Forbidden(code, by="server")
                    case messages.DrainingNotice():
                        self._last_word = Draining()
                engine.receive(message)
        except WireError as error:
            self._refuse(error)
        finally:
            self._receiving = False
        self._flush()

    def connection_down(self, error: ChatError | None) -> None:
        """The connection is gone: waits for the next, or gives up where the server will not have us."""
        self._protocol = None
        error, self._last_word = error or self._last_word, None
        self._outgoing.clear()
        self._running.disconnected()
        if self._service is None:
            return
        if is_final(error):
            self._failed = True
            self._emit(StatusChanged(Status.FAILED, error))
            self.stop()
        else:
            self._emit(StatusChanged(Status.OFFLINE, error))

    # -- inside ---------------------------------------------------------------------------------------------------------

    def _write(self, encoded: bytes) -> None:
        self._outgoing.append(encoded)
        if not self._receiving:
            self._flush()

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._protocol is not None:
            self._protocol.send(outgoing)

    def _refuse(self, error: ChatError) -> None:
        if self._protocol is not None and isinstance(error, WireError):
            self._protocol.refuse(error)

    def _await_acknowledgement(self, message_id: bytes) -> "Deferred[int]":
        acknowledged: Deferred[int] = Deferred()
        self._acknowledgements[message_id] = acknowledged
        return acknowledged

    def _emit(self, event: ClientEvent) -> None:
        self._on_event(event)
        match event:
            case StatusChanged(Status.ONLINE):
                self._backoff.succeeded()
            case MessageReceived():
                self._running.arrived(event)
            case SendAcknowledged(message_id, seq):
                if (acknowledged := self._acknowledgements.pop(message_id, None)) is not None:
                    acknowledged.callback(seq)
            case SendFailed(message_id, error):
                if (acknowledged := self._acknowledgements.pop(message_id, None)) is not None:
                    acknowledged.errback(error)
