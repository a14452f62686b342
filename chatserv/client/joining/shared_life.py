"""The life of a client that shares its profile: it holds it and serves others, or it joins the program that does."""

import time
from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.defer import Deferred, succeed

from chatserv.client.account.failures import ProfileInUse
from chatserv.client.account.profile import Profile
from chatserv.client.client import Client
from chatserv.client.events import ClientEvent, Status, StatusChanged
from chatserv.client.joining.asking import Wire
from chatserv.client.joining.faces import RemoteRoom
from chatserv.client.joining.host import Host
from chatserv.client.joining.joined import Joined
from chatserv.client.joining.loop import Loop
from chatserv.client.joining.session import Session, Writer
from chatserv.client.joining.unix_door import Door, UnixDoor
from chatserv.client.room_handle import RoomHandle
from chatserv.client.state.listeners import Listener
from chatserv.client.storage.cursors import DEFAULT_CURSOR
from chatserv.clocks import steady_seconds
from chatserv.errors import ChatError
from chatserv.local_errors import LocalProtocolError

FIRST_SECONDS: Final = 5.0
"""How long who starts waits for the program that holds the profile to take others in, which it may never do."""
AGAIN_SECONDS: Final = 60.0
"""The same for who was joined: the other one ends, and somebody takes over."""
LOOK_SECONDS: Final = 0.05


class SharedLife(Client):
    """A `Client` whose profile other programs use at the same time.

    Whoever starts first holds the profile, and serves the others over its private socket. When it ends, or dies, one of them
    takes over, and the others join that one; their programs are told ``Status.CONNECTING``, and that is all.

    Args:
        profile, reactor, on_event: As for `Client`.
        meeting: Where programs meet; by default the socket in the profile's directory.
        sleep: Lets seconds pass, while the program waits for an answer.
        **options: As for `Client`. The connection is made as the program says that holds the profile.
    """

    def __init__(
        self,
        profile: Profile,
        reactor: Any,
        on_event: Callable[[ClientEvent], None] | None = None,
        *,
        meeting: Door | None = None,
        sleep: Callable[[float], object] = time.sleep,
        **options: Any,
    ) -> None:
        super().__init__(profile, reactor, on_event, **options)
        self._reactor, self._door = reactor, meeting or UnixDoor(profile.directory, reactor)
        self._seconds: Callable[[], float] = options.get("seconds", steady_seconds)
        self._joined = Joined(
            self._told_elsewhere,
            reactor=reactor,
            seconds=self._seconds,
            sleep=sleep,
            seek=self._seek,
            gone=self.gone,
            room=self._remote_room,
        )
        self._joined.add(self._lifecycle.first)
        self._lifecycle.hold = self._hold
        self._host = Host(self, self._lifecycle, self._begin)
        self._away = False  # another program holds the profile
        self._wanted: Callable[[], None] | None = None  # what gets the profile, while we want it
        self._begun = False  # the connection was made for another program
        self._ending = False
        self._token: bytes | None = None
        self._timer: Any = None

    # -- holding the profile -------------------------------------------------------------------------------------------

    def _hold(self) -> Callable[[], None]:
        release = self.profile.hold()
        try:
            served = self._door.serve(self._open_session)
        except BaseException:
            release()
            raise

        def let_go() -> None:
            served.close()
            release()
            served.cut()  # they find the profile free

        return let_go

    def _open_session(self, writer: Writer) -> Session:
        return Session(self._host, writer)

    def _begin(self) -> None:
        if (
            not self._lifecycle.started and not self._ending
        ):  # else whoever asked is let go in a moment, and asks another
            self._begun = self._lifecycle.first.absent = True
            super().start(None)

    def _remote_room(self, room_id: bytes) -> RoomHandle:
        return cast(RoomHandle, RemoteRoom(self, room_id))

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self, token: bytes | None = None) -> None:
        """As of a `Client`, but that it joins another program that holds the profile.

        Raises:
            ProfileError, StorageError: What the profile keeps cannot be used, or that program will not have us.
        """
        if self._begun:
            self._begun = self._lifecycle.first.absent = False
            self._lifecycle.notifier.tell_standing(self._lifecycle.first, self._lifecycle.engine)
            return
        self._token = token
        if self._away:
            self._wanted = self._start_here
            self._emit(StatusChanged(Status.CONNECTING))
            self._joined.start()
            return
        self._joined.started = True
        try:
            self._get(self._start_here)
        except ProfileInUse:
            self._emit(StatusChanged(Status.CONNECTING))
            self._look_until(self._seconds() + FIRST_SECONDS)
        except BaseException:
            self._wanted = None
            raise

    def open(self) -> None:
        """As of a `Client`, but that it joins another program that holds the profile."""
        if not self._away:
            self._get(self._open_here)

    def _start_here(self) -> None:
        super().start(self._token)

    def _open_here(self) -> None:
        super().open()

    def _get(self, here: Callable[[], None]) -> None:
        """Gets at the profile, in one way or the other. Raises `ProfileInUse` where that may work in a moment."""
        self._wanted, self._ending = here, False
        for listener in self._lifecycle.notifier.listeners:
            listener.returning = self._away
        try:
            here()
        except ProfileInUse:
            found = self._door.join(self._joined.hello(), self)
            if found is None:
                raise
            if here == self._start_here and self._lifecycle.notifier.status is not Status.CONNECTING:
                self._emit(StatusChanged(Status.CONNECTING))
            self._away, self._lifecycle.elsewhere = True, self._joined
            self._joined.attach(found[0])
        else:
            self._take_over()
            for listener in self._lifecycle.notifier.listeners:
                listener.returning = False

    def _take_over(self) -> None:
        """We hold the profile: what we have asked of who held it before is done here."""
        if not self._away:
            return
        self._away, self._lifecycle.elsewhere = False, None
        loop = Loop(self._joined, self._open_session)
        self._joined.attach(loop, listeners=False)

    def stop(self) -> "Deferred[None]":
        """As of a `Client`; another program that has joined takes over."""
        self._wanted, self._begun, self._lifecycle.first.absent, self._ending = None, False, False, True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
            self._emit(StatusChanged(Status.STOPPED))
            return succeed(None)
        if not self._away:
            self._joined.close()
            return super().stop()
        if self._lifecycle.stream is not None:
            self._lifecycle.stream.settle()
        self._joined.close()
        self._away, self._lifecycle.elsewhere, self._joined.started = False, None, False
        self._emit(StatusChanged(Status.STOPPED))
        return succeed(None)

    def _emit(self, event: ClientEvent) -> None:
        self._lifecycle.notifier.emit(event)

    def _told_elsewhere(self, event: ClientEvent) -> None:
        if isinstance(event, StatusChanged) and event.status is Status.FAILED:  # nobody can take over from that
            self._fail(event.error)
        else:
            self._emit(event)

    # -- looking for who holds it --------------------------------------------------------------------------------------

    def _seek(self) -> bool:
        """Looks once; whether it worked. Raises what makes it hopeless."""
        if self._wanted is None:
            raise LocalProtocolError("the client is not started")
        listeners = self._lifecycle.notifier.listeners if self._joined.busy else []
        for listener in listeners:  # nothing else of the program runs in the middle of what it asks
            listener.defer = self._joined.soon
        try:
            self._get(self._wanted)
        except ProfileInUse:
            return False
        finally:
            for listener in listeners:
                listener.defer = None
        return True

    def _look_until(self, end: float) -> None:
        self._timer = None
        try:
            if self._wanted is None or self._joined.wire is not None or self._seek():
                return
        except ChatError as error:
            self._fail(error)
            return
        if self._seconds() < end:
            self._timer = self._reactor.callLater(LOOK_SECONDS, self._look_until, end)
            return
        try:
            self.profile.hold()()
        except ChatError as error:
            self._fail(error)

    def _fail(self, error: Exception | None) -> None:
        self._away, self._lifecycle.elsewhere, self._wanted = False, None, None
        self._joined.close()
        self._emit(StatusChanged(Status.FAILED, error))

    def received(self, wire: Wire, data: bytes) -> None:
        """The program that holds the profile says something."""
        self._joined.received(wire, data)

    def gone(self, wire: Wire) -> None:
        """It is gone."""
        if self._joined.lost(wire) and self._away:
            if self._joined.started:
                self._joined.soon(lambda: self._emit(StatusChanged(Status.CONNECTING)))
            self._reactor.callLater(0, self._look_until, self._seconds() + AGAIN_SECONDS)

    # -- who is told ---------------------------------------------------------------------------------------------------

    def listen(
        self, on_event: Callable[[ClientEvent], None], *, name: str = DEFAULT_CURSOR, follow: bool = True
    ) -> Callable[[], None]:
        """As of a `Client`."""
        listener = Listener(on_event, name, wanted=follow)
        leave = self._lifecycle.listen(listener)
        self._joined.add(listener)

        def end() -> None:
            leave()
            self._joined.drop(listener)

        return end
