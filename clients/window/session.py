"""The connection that a window has: made, lost and ended, with one client at a time; and what is to be read without it."""

from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred

from chatserv.client import ChatError, Client, ClientEvent, Profile, Status, StatusChanged, open_client

STOP_SECONDS: Final = 6.0  # a server that does not answer keeps nobody


class State(Enum):
    """How it stands. ``WAITING``: it was there or will be, and is tried again. ``OFF``: what is kept can be read."""

    OFF = "off"
    CONNECTING = "connecting"
    SYNCING = "syncing"
    ONLINE = "online"
    WAITING = "waiting"
    STOPPING = "stopping"


class Session:
    """At most one client.

    Args:
        reactor: The reactor.
        profile: Whose account it is.
        on_event: Told what the client tells, but for a first attempt that fails.
        failed: Told why there is no connection and will be none: the first attempt failed, or the server will not have us.
        moved: Told that the state is another one.
        no_tls: Without TLS.
        make_client: Makes the client.
    """

    def __init__(
        self,
        reactor: Any,
        profile: Profile,
        on_event: Callable[[ClientEvent], None],
        failed: Callable[[Exception | None], None],
        moved: Callable[[], None],
        *,
        no_tls: bool = False,
        make_client: Callable[..., Client] = open_client,
    ) -> None:
        self._reactor, self.profile, self._no_tls, self._make_client = reactor, profile, no_tls, make_client
        self._on_event, self._failed, self._moved = on_event, failed, moved
        self.client: Client | None = None
        self.state = State.OFF
        self.reached = False  # whether the server has answered since `connect`
        self._address: tuple[str, int] | None = None
        self._waiting: list[Deferred[None]] = []
        self._patient = self._closed = False

    @property
    def us(self) -> str:
        """Our name; empty while there is no client."""
        return "" if self.client is None else self.client.user

    @property
    def running(self) -> bool:
        """Whether there is a client whose rooms and history can be read."""
        return self.client is not None and self.state is not State.STOPPING

    @property
    def connected(self) -> bool:
        """Whether there is one that has a connection, or is after it."""
        return self.running and self.state is not State.OFF

    def rest(self) -> None:
        """Opens what this device keeps of a registered account, without a connection. Raises `ChatError`."""
        keyring = self.profile.keyring()
        if self.client is None and not self._closed and keyring is not None and keyring.registered:
            client = self._make_client(self.profile, self._reactor, self._told, plain=self._no_tls)
            client.open()
            self.client = client
            self._moved()

    def close(self) -> "Deferred[None]":
        """Ends everything: nothing can be read any more. Fires when it is over."""
        self._closed = True
        if self.client is None or self.state is not State.OFF:
            return self.disconnect()
        client, self.client = self.client, None
        return client.stop()

    def pause(self) -> "Deferred[None]":
        """Ends everything for a while: the profile's files are free. Fires when it is over; `connect` or `rest` go on."""
        done = self.disconnect()

        def release(_: None) -> "Deferred[None] | None":
            client, self.client = self.client, None
            self._moved()
            return None if client is None else client.stop()

        return done.addCallback(release)

    def connect(
        self, host: str, port: int, token: bytes | None = None, others: tuple[tuple[str, int], ...] = ()
    ) -> None:
        """Makes a client for the profile's account and starts it.

        Args:
            host: Where the server is; remembered once it has answered.
            port: Likewise. Where the account is known to be, it is tried until it is reached; elsewhere once.
            token: The invite's, for an account that is not registered yet.
            others: Where it is besides, which is tried as well.

        Raises:
            ChatError: The profile cannot be used.
        """
        if self.client is not None:
            if self.state is not State.OFF:
                return
            client, self.client = self.client, None
            closed = client.stop()  # at once, but where another program has connected what we had only opened
            if not closed.called:
                self._enter(State.CONNECTING)
                closed.addCallback(lambda _: self._connect_now((host, port), *others, token=token))
                return
        self._connect((host, port), *others, token=token)

    def _connect_now(self, *addresses: tuple[str, int], token: bytes | None) -> None:
        try:
            self._connect(*addresses, token=token)
        except ChatError as error:
            self._failed(error)

    def _connect(self, *addresses: tuple[str, int], token: bytes | None) -> None:
        keyring = self.profile.keyring()
        self._address = None if keyring is None else (keyring.host, keyring.port)
        self._patient = keyring is not None and keyring.registered and self._address == addresses[0]
        self.profile.move(*addresses[0], addresses[1:])
        try:
            self.client = self._make_client(self.profile, self._reactor, self._told, plain=self._no_tls)
            self.client.open()
            self.reached = False
            self._enter(State.CONNECTING)
            self.client.start(token)
        except ChatError:
            self.client = None
            self._move_back()
            self._enter(State.OFF)
            raise

    def _move_back(self) -> None:
        """An address where no server answered is not kept."""
        if self._address is not None and not self.reached:
            self.profile.move(*self._address)

    def _enter(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._moved()

    # -- what the client tells ----------------------------------------------------------------------------------------

    def _told(self, event: ClientEvent) -> None:
        if self.state is State.STOPPING:
            return
        if not isinstance(event, StatusChanged):
            self._on_event(event)
            return
        match event.status:
            case Status.FAILED:
                self._end(event.error)
            case Status.OFFLINE if not self.reached and not self._patient:
                self._end(event.error)
            case Status.OFFLINE:
                self._enter(State.WAITING)
                self._on_event(event)
            case Status.SYNCING | Status.ONLINE:
                self.reached = True
                self._enter(State.ONLINE if event.status is Status.ONLINE else State.SYNCING)
                self._on_event(event)

    def _end(self, error: Exception | None) -> None:
        """Tried once and not for ever: a person shall say whether once more."""
        self._enter(State.STOPPING)
        self._reactor.callLater(0, self._end_now, error)

    def _end_now(self, error: Exception | None) -> None:
        self.disconnect().addCallback(lambda _: self._failed(error))

    # -- the end ------------------------------------------------------------------------------------------------------

    def disconnect(self) -> "Deferred[None]":
        """Ends the connection; fires when it is over."""
        done: Deferred[None] = Deferred()
        if self.client is None or self.state is State.OFF:
            done.callback(None)
            return done
        self._waiting.append(done)
        if len(self._waiting) == 1:
            self._enter(State.STOPPING)
            stopping = maybeDeferred(self.client.stop)
            stopping.addTimeout(STOP_SECONDS, self._reactor)
            stopping.addBoth(lambda _: self._stopped())  # whatever went wrong, it is over
        return done

    def _stopped(self) -> None:
        self.client = None
        with suppress(ChatError):  # the disk may be what the client stumbled over
            self._move_back()
        with suppress(ChatError):  # likewise, or another program was faster
            self.rest()
        self._enter(State.OFF)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)
