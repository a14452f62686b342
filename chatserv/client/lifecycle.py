"""The life of a client: started, connected again and again, and stopped; everything that it is told on the way."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint

from chatserv.client.account.keyring import Keyring
from chatserv.client.account.profile import Profile
from chatserv.client.connection.current import Connection
from chatserv.client.connection.endpoints import ClientFactory, plain_endpoint, tls_endpoint
from chatserv.client.connection.protocol import ClientProtocol, Login
from chatserv.client.connection.reaching import Reaching
from chatserv.client.connection.waking import Waking
from chatserv.client.disk_trouble import TRY_SECONDS, Recovering
from chatserv.client.engine import Engine
from chatserv.client.event_stream import EventStream
from chatserv.client.events import ClientEvent, Status, StatusChanged
from chatserv.client.mending.acceptance import StoredAnew
from chatserv.client.notifier import Notifier
from chatserv.client.opening import open_context
from chatserv.client.state.context import log
from chatserv.client.state.listeners import Elsewhere, Listener
from chatserv.client.storage.failures import StorageError
from chatserv.client.timers import Timers
from chatserv.client.troubles import Troubles
from chatserv.clocks import AwakeClock
from chatserv.local_errors import LocalFileError, LocalProtocolError


class Lifecycle:
    """Makes the parts of a client, and keeps them going; its arguments are those of `chatserv.client.client.Client`.

    Attributes:
        running: The engine, while the client is started, or open to be read.
        stream: The events, where there is no callback.
        notifier: Tells whoever listens.
        first: The listener of the program that made the client.
        connection: All connections, one after the other.
        hold: Gets the profile for us alone; gives what lets it go.
        elsewhere: The program that holds the profile, where we have joined it.
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
        name: str,
        plain: bool,
        receipts: bool,
        in_thread: Callable[..., Any],
        clock: Callable[[], int],
        seconds: Callable[[], float],
    ) -> None:
        self.profile, self.keyring = profile, profile.require_keyring()
        self._reactor, self._receipts = reactor, receipts
        self.stream = None if on_event is not None else EventStream(self._set_following, self._mark_shown)
        tell = on_event or (lambda event: None if self.stream is None else self.stream.put_event(event))
        self.first = Listener(tell, name, wanted=follow, marks=self.stream is None, own=True)
        self.notifier = Notifier(self.first)
        self._awake, self._timers = AwakeClock(seconds), Timers(reactor, self.stumbled)
        make = partial(plain_endpoint if plain else tls_endpoint, reactor)
        clocks = (reactor, self._timers.later, self._awake.seconds)
        self._reaching = Reaching(make, lambda: self.keyring, self._away, *clocks)
        self._endpoint, self._plain = Recovering(endpoint or self._reaching.book, self._recover, self.lost), plain
        self._in_thread, self._clock, self._seconds = in_thread, clock, seconds
        self.running: Engine | None = None
        self._latest: Engine | None = None
        self._anew, self._token = False, token  # anew: what is in memory is of before
        self.connection = Connection(self, self._make_protocol)
        self._service: ClientService | None = None
        self.hold = profile.hold
        self._release: Callable[[], None] | None = None
        self.elsewhere: Elsewhere | None = None
        self._waking = Waking(self._timers.later, self._awake, lambda jumped: self.connection.look(jumped=jumped))
        self._stopping: list[Deferred[None]] | None = None  # whom to tell when it has stopped

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self, token: bytes | None = None) -> None:
        """See `chatserv.client.client_life.ClientLife.start`."""
        if self._service is not None:
            raise LocalProtocolError("client started twice")
        self._open(lambda engine: engine.tell_kept())
        self._token = None if self.keyring.registered else (token or self._token or b"")
        factory = ClientFactory(self.connection.build)
        self._service = ClientService(self._endpoint, factory, retryPolicy=self._next_delay, clock=self._reactor)
        self.engine.backlog.start()
        self.engine.tidying.now()  # and whatever is written first does not wait for the head of a new log
        self._emit(StatusChanged(Status.CONNECTING))
        self._waking.start()
        self._service.startService()
        self._service.whenConnected(failAfterFailures=1).addErrback(self._away)

    @property
    def started(self) -> bool:
        """Whether it connects, or is connected."""
        return self._service is not None

    def listen(self, listener: Listener) -> Callable[[], None]:
        """See `chatserv.client.client_life.ClientLife.listen`."""
        return self.notifier.listen(listener, None if self._service is None else self.running)

    def follow(self, listener: Listener) -> None:
        """A listener wants to be told messages, or does not any more."""
        if self.running is not None:
            self.running.backlog.look(listener)
        elif self.elsewhere is not None:
            self.elsewhere.look(listener)

    def _emit(self, event: ClientEvent) -> None:
        if isinstance(event, StatusChanged) and event.status is Status.ONLINE:
            self._reaching.succeeded()
        self.notifier.emit(event)

    def _next_delay(self, _: int) -> float:
        reaching, trouble = self._reaching, self._endpoint.trouble
        return reaching.next_delay() if trouble is None else min(reaching.pause(), TRY_SECONDS)

    def open(self) -> None:
        """See `chatserv.client.client_life.ClientLife.open`."""
        self._open(lambda _: None)

    def _open(self, then: Callable[[Engine], object]) -> None:
        try:
            if self.running is None:
                self._release = self.hold()
                self.keyring = self.profile.require_keyring()  # another program may have changed it meanwhile
                self.running = self._make_engine()
            then(self.running)
        except BaseException:
            self._let_go()
            raise

    def _make_engine(self) -> Engine:
        context = open_context(
            self.profile, self.keyring, self._in_thread, now_ms=self._clock, seconds=self._seconds,
            awake=self._awake.seconds, later=self._timers.later, emit=self._emit, stumbled=self.stumbled,
            save_keyring=self._save_keyring,
        )  # fmt: skip
        engine = Engine(
            context, self.connection.write, self.connection.refuse, self.notifier.listeners, receipts=self._receipts
        )
        context.vault.database.failed = self.stumbled
        self._latest, self._anew = engine, False
        return engine

    def _begin_anew(self) -> None:
        """Throws away all that is in memory but who listens, and goes on from what is stored. Raises `LocalFileError`."""
        old = self.engine
        old.context.vault.database.probe()
        old.context.end()
        self._timers.cancel()
        old.outbox.finish()  # before it is read anew
        self.running = self._make_engine()
        old.close()
        self.running.away, self.notifier.troubles = old.away, Troubles()
        self.running.tell_kept()
        self.running.outbox.giving_up.go_on_from(old.outbox.giving_up)
        self.running.backlog.start()
        self._waking.start()

    def _save_keyring(self, keyring: Keyring) -> None:
        self.profile.save_keyring(keyring)
        self.keyring = keyring

    def stop(self) -> "Deferred[None]":
        """See `chatserv.client.client_life.ClientLife.stop`."""
        service, self._service = self._service, None
        if service is not None:
            self.engine.backlog.stop()
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
        engine, release, self._release = self.running, self._release, None
        try:
            if engine is not None:
                engine.context.end()
                engine.close()  # tells what was answered last, and who hears it may look at the client
        except LocalFileError as error:  # nothing is lost: the server is asked again the next time
            log.debug("{code}: {detail}", code=error.code, detail=error.detail)
        finally:
            self.running = None
            self._timers.cancel()
            if release is not None:
                release()

    def _make_protocol(self, listener: Connection) -> ClientProtocol:
        ring = self.keyring
        new = None if self._token is None else ring.new_account(self._token)
        login = Login(self.engine.context.log.keys, ring.credentials(), new)
        around: Any = {"plain": self._plain, "seconds": self._seconds, **self._reaching.begin()}
        return ClientProtocol(self._reactor, login, listener, ring.unwrapper(), **around)

    def _away(self, failure: Any) -> None:
        if self._service is not None and self.notifier.status is Status.CONNECTING:
            self._emit(StatusChanged(Status.OFFLINE, failure.value))

    def _set_following(self, wanted: bool) -> None:
        self.first.paused = not wanted
        self.follow(self.first)

    def _mark_shown(self, room_id: bytes, seq: int) -> None:
        if self.elsewhere is not None:
            self.elsewhere.mark_shown(self.first, room_id, seq)
            return
        room = None if self.running is None else self.running.rooms.get(room_id)
        if room is not None:
            self.engine.backlog.mark_shown(self.first, room, seq)

    @property
    def engine(self) -> Engine:
        """Does the work; not for programs. Raises `LocalProtocolError` where the client is not started."""
        if self.running is None:
            raise LocalProtocolError("the client is not started")
        return self.running

    def latest(self) -> Engine:
        """The same; where the client has stopped, the one that it had, for who still holds a part of it."""
        return self.engine if self._latest is None else self._latest

    # -- what its connections report (chatserv.client.connection.current.Owner) ----------------------------------------

    def logged_in(self) -> None:
        """The session is open."""
        self._reaching.book.arrived(self.engine.context.keep)  # first: who is registered has been at their address
        if not self.keyring.registered:
            self.engine.context.keep(self.keyring.as_registered())  # what keeps another one later begins from that
        self._token = None

    def lost(self, error: Exception | None, *, proven: bool = False) -> None:
        """The connection is gone: waits for the next, or gives up where the server will not have us."""
        if self._service is None:
            return
        trouble, status = self._endpoint.trouble, self.notifier.status
        for event in self._reaching.lost(trouble or error, proven=proven, status=status):
            self._emit(event)
        if self.notifier.status is Status.FAILED:
            self.stop()

    # -- troubles of our own -------------------------------------------------------------------------------------------

    def stumbled(self, error: LocalFileError) -> None:
        """A file of ours cannot be used: when this turn is over, the connection ends. The next is made once it can."""
        self._anew = self._anew or isinstance(error, StoredAnew)  # whatever else is open
        if self._service is not None and self._endpoint.trouble is None:
            self._endpoint.trouble = error
            self._timers.later(0, self._stand_still)

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
        if self._anew:
            self._begin_anew()
            return
        if not isinstance(self._endpoint.trouble, StorageError):
            self.profile.save_keyring(self.keyring)
        self.engine.recover()
