"""The life of a client in the hands of a program: started and stopped; who is told what happens."""

from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.threads import deferToThread

from chatserv.client.account.keyring import Keyring
from chatserv.client.account.profile import Profile
from chatserv.client.account.profile_key import ProfileKey
from chatserv.client.engine import Engine
from chatserv.client.events import ClientEvent
from chatserv.client.lifecycle import Lifecycle
from chatserv.client.state.listeners import Listener
from chatserv.client.storage.cursors import DEFAULT_CURSOR
from chatserv.clocks import now_ms, steady_seconds
from chatserv.local_errors import LocalProtocolError


class ClientLife:
    """One account, through all its connections; what can be asked of it is in `chatserv.client.client`.

    There are two ways to hear what happens, in order: a callback, for programs with a loop of their own such as windows, or
    ``async for event in client``.

    Args:
        profile: Where keys and everything else of the account are kept.
        reactor: The reactor.
        on_event: Told everything that happens: see `chatserv.client.events`. A message counts as shown when the callback has
            returned; without a callback, when the loop comes back for the next event.
        token: See `start`.
        key: Of a sealed profile, where ``profile`` has not got it itself: see `chatserv.client.unlock`.
        follow: Whether to be shown messages; without, they are kept for whoever follows. See `Client.follow`.
        name: Under which it is remembered how far this program was shown each room; see `listen`.
        endpoint: Where to connect; by default TLS to the addresses that the keyring remembers.
        plain: Without TLS, which the server has to allow as well. The session inside and the pin protect what is said.
        receipts: Whether senders of direct messages are told that they arrived.
        in_thread: Runs slow functions; by default in the reactor's threads.
        clock: The date, milliseconds since 1970.
        seconds: A clock that never goes back, by which we notice silence and sleep. Timers are the reactor's: a program
            makes them as steady by `chatserv.client.use_steady_clock`.
    """

    def __init__(
        self,
        profile: Profile,
        reactor: Any,
        on_event: Callable[[ClientEvent], None] | None = None,
        *,
        token: bytes | None = None,
        key: ProfileKey | None = None,
        follow: bool = True,
        name: str = DEFAULT_CURSOR,
        endpoint: IStreamClientEndpoint | None = None,
        plain: bool = False,
        receipts: bool = True,
        in_thread: Callable[..., Any] = deferToThread,
        clock: Callable[[], int] = now_ms,
        seconds: Callable[[], float] = steady_seconds,
    ) -> None:
        if key is not None:
            profile = profile.unlocked(key)
        self.profile = profile
        self._lifecycle = Lifecycle(
            profile, reactor, on_event, token, endpoint, follow=follow, name=name, plain=plain, receipts=receipts,
            in_thread=in_thread, clock=clock, seconds=seconds,
        )  # fmt: skip

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self, token: bytes | None = None) -> None:
        """Connects, and reconnects with a jittered back-off (1 to 60 s; with several addresses from 0.1 s) until `stop`
        or a final refusal.

        What was received earlier and never shown is shown first.

        Args:
            token: The invite's token, where the account is not registered yet; empty on a server with open registration.

        Raises:
            ProfileError: Another program uses the profile.
            StorageError: What the profile keeps cannot be used.
        """
        self._lifecycle.start(token)

    def open(self) -> None:
        """Opens what this device keeps, to be read without a connection until `stop`. Raises what `start` raises."""
        self._lifecycle.open()

    def stop(self) -> "Deferred[None]":
        """Ends the session and connects no more; fires when the profile is free for others."""
        return self._lifecycle.stop()

    async def online(self) -> None:
        """Returns when everything is here; waits as long as the server is away. Raises a final refusal of the server."""
        await self._lifecycle.notifier.online()

    @property
    def engine(self) -> Engine:
        """Does the work; not for programs. Raises `LocalProtocolError` where the client is not started."""
        return self._lifecycle.engine

    @property
    def keyring(self) -> Keyring:
        """Who we are, and which server is ours."""
        return self._lifecycle.keyring

    # -- as an asynchronous context manager and iterator ---------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Starts, and waits until everything is here. Raises what `start` raises, and a final refusal of the server."""
        self.start()
        await self.online()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops. The event that was in hand is told again the next time where an exception ends the block."""
        if kind is None and self._lifecycle.stream is not None:
            self._lifecycle.stream.handled()
        await self.stop()

    def __aiter__(self) -> AsyncIterator[ClientEvent]:
        """Events, until the client is stopped. A final refusal of the server is raised."""
        if self._lifecycle.stream is None:
            raise LocalProtocolError("events go to the callback")
        return self._lifecycle.stream

    # -- who is told ---------------------------------------------------------------------------------------------------

    def listen(
        self, on_event: Callable[[ClientEvent], None], *, name: str = DEFAULT_CURSOR, follow: bool = True
    ) -> Callable[[], None]:
        """Tells somebody else what happens too, beside the one that the client was made with.

        Each name has a place of its own in each room, which is remembered: nobody misses what another was shown. A new
        name begins where the default one stands; one that is not used for 90 days, or of 33 the one that was used longest
        ago, is forgotten. Who comes when the client has started is told how things stand first.

        Args:
            on_event: Told everything that happens; a message counts as shown when it has returned.
            name: Letters, digits, dot, underscore, hyphen, at most 64.
            follow: Whether to be shown messages.

        Returns:
            What ends it.

        Raises:
            NameInvalid: It is no name.
            Quota: 32 listen already.
        """
        return self._lifecycle.listen(Listener(on_event, name, wanted=follow))

    def follow(self, wanted: bool = True) -> None:
        """Whether the program is shown messages from now on; those that were not shown meanwhile are told first.

        While nobody follows, messages are kept, and told to who comes first under each name.
        """
        first = self._lifecycle.first
        first.wanted = wanted
        self._lifecycle.follow(first)

    def _latest(self) -> Engine:
        return self._lifecycle.latest()

    @property
    def _running(self) -> Engine | None:
        return self._lifecycle.running
