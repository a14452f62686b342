"""The life of a client: started, connected again and again, and stopped; everything that it is told on the way."""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint

from chatserv.client.account.profile import Profile, ProfileError
from chatserv.client.connection.backoff import Backoff, is_final
from chatserv.client.connection.current import Connection
from chatserv.client.connection.protocol import ClientFactory, ClientProtocol, plain_endpoint, tls_endpoint
from chatserv.client.connection.waking import Waking
from chatserv.client.disk_trouble import TRY_SECONDS, Recovering
from chatserv.client.engine import Engine
from chatserv.client.event_stream import EventStream
from chatserv.client.events import (
    ClientEvent,
    MessageReceived,
    Status,
    StatusChanged,
)
from chatserv.client.notifier import Notifier
from chatserv.client.state.context import ClientContext, Interrupted, log
from chatserv.client.state.pins import Pins
from chatserv.client.state.transparency_log import TransparencyLog
from chatserv.client.storage.failures import StorageError
from chatserv.client.storage.vault import Vault
from chatserv.clocks import AwakeClock, now_ns
from chatserv.crypto.e2e.rng import HedgedRandom
from chatserv.i18n import _
from chatserv.local_errors import LocalFileError, LocalProtocolError


class Lifecycle:
    """Makes the parts of a client, and keeps them going; its arguments are those of `chatserv.client.client.Client`.

    Attributes:
        running: The engine, while the client is started, or open to be read.
        stream: The events, where there is no callback.
        notifier: Tells the program.
        connection: All connections, one after the other.
    """

    def __init__(
        self,
        profile: Profile,
        reactor: Any,
        on_event: Callable[[ClientEvent], None] | None,
        token: bytes | None,
        endpoint: IStreamClientEndpoint | None,
        *,
        follow: bool,
        plain: bool,
        receipts: bool,
        in_thread: Callable[..., Any],
        clock: Callable[[], int],
        seconds: Callable[[], float],
    ) -> None:
        keyring = profile.keyring()
        if keyring is None:
            raise ProfileError(f"{profile.directory}: {_('no account yet; register with a chatserv:// link first')}")
        self.profile, self.keyring = profile, keyring
        self._reactor, self._follow, self._receipts = reactor, follow, receipts
        self.stream = None if on_event is not None else EventStream(self._set_following, self._mark_shown)
        self.notifier = Notifier(on_event if self.stream is None else self.stream.put_event)
        self._backoff = Backoff()
        connect = plain_endpoint if plain else tls_endpoint
        server = endpoint or connect(reactor, keyring.host, keyring.port)
        self._endpoint, self._plain = Recovering(server, self._recover, self.lost), plain
        self._in_thread, self._clock, self._seconds = in_thread, clock, seconds
        self._unwrap = keyring.unwrapper()
        self.running: Engine | None = None
        self._token = token
        self.connection = Connection(self, self._make_protocol)
        self._service: ClientService | None = None
        self._release: Callable[[], None] | None = None
        self._timers: set[Any] = set()
        self._awake = AwakeClock(seconds)
        self._waking = Waking(self._later, self._awake, lambda jumped: self.connection.look(jumped=jumped))
        self._stopping: list[Deferred[None]] | None = None  # whom to tell when it has stopped

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self, token: bytes | None = None) -> None:
        """See `chatserv.client.client.Client.start`."""
        if self._service is not None:
            raise LocalProtocolError("client started twice")
        self._open(self._tell_kept)
        self._token = None if self.keyring.registered else (token or self._token or b"")
        factory = ClientFactory(self.connection.build)
        self._service = ClientService(self._endpoint, factory, retryPolicy=self._next_delay, clock=self._reactor)
        self.engine.backlog.follow(self._follow)
        self._emit(StatusChanged(Status.CONNECTING))
        self._waking.start()
        self._service.startService()
        self._service.whenConnected(failAfterFailures=1).addErrback(self._first_attempt_failed)

    def _tell_kept(self) -> None:
        self.engine.outbox.tell_kept()
        self.engine.room_queue.invitations.tell_kept()

    def _emit(self, event: ClientEvent) -> None:
        match event:
            case StatusChanged(Status.ONLINE):
                self._backoff.succeeded()
            case MessageReceived(own=True, message_id=message_id):
                self.engine.outbox.waiting.drop(message_id)
        self.notifier.emit(event)
        if isinstance(event, MessageReceived):
            self.engine.arrived(event)

    def _next_delay(self, attempts: int) -> float:
        delay = self._backoff.next_delay(attempts)
        return delay if self._endpoint.trouble is None else min(delay, TRY_SECONDS)

    def open(self) -> None:
        """See `chatserv.client.client.Client.open`."""
        self._open(lambda: None)

    def _open(self, then: Callable[[], object]) -> None:
        try:
            if self.running is None:
                self._release = self.profile.hold()
                self.running = self._make_engine()
            then()
        except BaseException:
            self._let_go()
            raise

    def _make_engine(self) -> Engine:
        keyring, vault = self.keyring, Vault.open(self.profile.database)
        log = TransparencyLog(keyring.server_id, vault.log, vault.facts)
        context = ClientContext(
            keyring=keyring,
            signing=ed25519.Ed25519PrivateKey.from_private_bytes(keyring.signing_key),
            opening=keyring.load_device_key(),
            vault=vault,
            log=log,
            pins=Pins(vault.pins, log),
            random=HedgedRandom(keyring.rng_seed, os.urandom, now_ns),
            now_ms=self._clock,
            seconds=self._seconds,
            awake=self._awake.seconds,
            later=self._later,
            in_thread=self._off_reactor,
            emit=self._emit,
            stumbled=self.stumbled,
        )
        engine = Engine(context, self.connection.write, self.connection.refuse, receipts=self._receipts)
        engine.room_queue.marks_shown = self.stream is None
        vault.database.failed = self.stumbled
        return engine

    def _later(self, seconds: float, what: Callable[[], object]) -> Any:
        """The reactor's `callLater`, which ends with us."""

        def run() -> None:
            self._timers.discard(timer)
            try:
                what()
            except LocalFileError as error:
                self.stumbled(error)

        timer = self._reactor.callLater(seconds, run)
        self._timers.add(timer)
        return timer

    async def _off_reactor(self, work: Callable[..., Any], *args: Any) -> Any:
        result = await self._in_thread(work, *args)
        if self.running is None:
            raise Interrupted("stopped meanwhile")
        return result

    def stop(self) -> "Deferred[None]":
        """See `chatserv.client.client.Client.stop`."""
        service, self._service = self._service, None
        if service is not None:
            self.engine.backlog.follow(False)  # the program shall find the rest unread
            self._stopping = []
            stopped: Deferred[None] = Deferred.fromCoroutine(self._stop(service))
            return stopped.addBoth(self._stopped)
        if self._stopping is None:
            self._let_go()  # of what was only opened
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._stopping.append(waiting)
        return waiting

    def _stopped(self, result: Any) -> Any:
        waiting, self._stopping = self._stopping or [], None
        for each in waiting:
            each.callback(None)
        return result

    async def _stop(self, service: ClientService) -> None:
        self.connection.say_goodbye()
        await service.stopService()
        with suppress(LocalFileError):  # what was shown is shown again the next time
            if self.stream is not None:
                self.stream.settle()
        self._let_go()
        if self.notifier.status is not Status.FAILED:
            self._emit(StatusChanged(Status.STOPPED))

    def _let_go(self) -> None:
        timers, self._timers = self._timers, set()
        for timer in timers:
            if timer.active():
                timer.cancel()
        engine, self.running = self.running, None
        release, self._release = self._release, None
        try:
            if engine is not None:
                engine.close()
        except LocalFileError as error:  # nothing is lost: the server is asked again the next time
            log.debug("{code}: {detail}", code=error.code, detail=error.detail)
        finally:
            if release is not None:
                release()

    def _make_protocol(self, listener: Connection) -> ClientProtocol:
        return ClientProtocol(
            self._reactor, self.keyring, self._token, listener, self._unwrap, plain=self._plain, seconds=self._seconds
        )

    def _first_attempt_failed(self, failure: Any) -> None:
        if self._service is not None and self.notifier.status is not Status.FAILED:
            self._emit(StatusChanged(Status.OFFLINE, failure.value))

    def _set_following(self, wanted: bool) -> None:
        if self.running is not None and self._service is not None:
            self.running.backlog.follow(wanted and self._follow)

    def _mark_shown(self, room_id: bytes, seq: int) -> None:
        room = None if self.running is None else self.running.rooms.get(room_id)
        if room is not None:
            self.engine.room_queue.mark_shown(room, seq)

    @property
    def engine(self) -> Engine:
        """Does the work; not for programs. Raises `LocalProtocolError` where the client is not started."""
        if self.running is None:
            raise LocalProtocolError("the client is not started")
        return self.running

    # -- what its connections report (chatserv.client.connection.current.Owner) ----------------------------------------

    def logged_in(self) -> None:
        """The session is open."""
        if not self.keyring.registered:
            registered = self.keyring.as_registered()
            self.profile.save_keyring(registered)
            self.keyring = registered
        self._token = None

    def lost(self, error: Exception | None) -> None:
        """The connection is gone: waits for the next, or gives up where the server will not have us."""
        if self._service is None:
            return
        error = self._endpoint.trouble or error
        if is_final(error):
            self._emit(StatusChanged(Status.FAILED, error))
            self.stop()
        else:
            self._emit(StatusChanged(Status.OFFLINE, error))

    # -- troubles of our own -------------------------------------------------------------------------------------------

    def stumbled(self, error: LocalFileError) -> None:
        """A file of ours cannot be used: when this turn is over, the connection ends. The next is made once it can."""
        if self._service is not None and self._endpoint.trouble is None:
            self._endpoint.trouble = error
            self._later(0, self._stand_still)

    def _stand_still(self) -> None:
        error = self._endpoint.trouble
        if error is None:
            return
        if self.connection.there:
            self.connection.refuse(error)
        else:
            self.lost(error)

    def _recover(self) -> None:
        """Back to what is stored, if it can be stored to. Raises `LocalFileError`."""
        if not isinstance(self._endpoint.trouble, StorageError):
            self.profile.save_keyring(self.keyring)
        self.engine.recover()
