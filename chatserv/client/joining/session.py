"""One program that has joined, as the program sees it that holds the profile."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from chatserv.client.account.failures import ProfileError
from chatserv.client.events import ClientEvent, MessageReceived, Status, StatusChanged
from chatserv.client.joining.frames import (
    MAX_FRAME,
    MAX_UNDER_WAY,
    Ask,
    Down,
    Follow,
    Frames,
    Hello,
    Kept,
    Leave,
    Listen,
    Place,
    Reply,
    Shown,
    Start,
    Told,
    Up,
    Welcome,
    encode,
)
from chatserv.client.joining.host import Host
from chatserv.client.joining.performer import Performer
from chatserv.client.joining.values import Values
from chatserv.client.joining.verbs import VERBS, Way, face
from chatserv.client.room_handle import RoomHandle
from chatserv.client.state.context import log
from chatserv.client.state.listeners import MAX_LISTENERS, Listener
from chatserv.decoding import UNREADABLE
from chatserv.errors import BadFrame, ChatError, Quota, UnknownType
from chatserv.i18n import _
from chatserv.local_errors import LocalProtocolError


class Writer(Protocol):
    """The way to the program that has joined."""

    def write(self, data: bytes) -> None:
        """Sends bytes."""
        ...

    def close(self) -> None:
        """Ends the connection when what was written has left."""
        ...


class Session:
    """Does what a program asks, and tells it what happens.

    Args:
        host: Holds the profile.
        writer: The way to the program.
    """

    def __init__(self, host: Host, writer: Writer) -> None:
        self._host, self._writer = host, writer
        self._frames = Frames(MAX_FRAME)
        self._up = msgspec.msgpack.Decoder(Up)
        self._values = Values(self._give, lambda kind, _: kind)
        self._performer: Performer | None = None
        self._listeners: dict[int, tuple[Listener, Callable[[], None]]] = {}
        self._asked = b""  # the request whose result is encoded
        self._under_way = 0
        self._open, self._paused = True, False

    # -- in ------------------------------------------------------------------------------------------------------------

    def take(self, data: bytes) -> None:
        """Bytes came. Raises `BadFrame` where they are of no honest program."""
        for frame in self._frames.take(data):
            try:
                message = self._up.decode(frame)
            except UNREADABLE as error:
                raise BadFrame(f"frame: {error}") from None
            self._take(message)

    def _take(self, message: Up) -> None:
        if isinstance(message, Hello):
            self._hello(message)
            return
        if self._performer is None:
            raise BadFrame("frame: before the first one")
        match message:
            case Ask():
                self._ask(self._performer, message)
            case Start():
                self._start()
            case Listen(id_, number, place):
                self._reply(id_, None, self._listen, number, place)
            case Leave(number) if number in self._listeners:
                self._listeners.pop(number)[1]()
            case Follow(number, wanted) if number in self._listeners:
                listener = self._listeners[number][0]
                listener.wanted = wanted
                self._host.look(listener)
            case Shown(number, room_id, seq) if number in self._listeners:
                self._host.mark_shown(self._listeners[number][0], room_id, seq)

    def _hello(self, hello: Hello) -> None:
        if hello.face != face():
            said = _("the program that uses this profile is of another version: end it first")
            self.refuse(ProfileError(f"{self._host.client.profile.directory}: {said}"))
            return
        self.write(Welcome(self._host.key))
        if hello.place is None:
            self._writer.close()
            return
        own = self._listener(0, hello.place)
        self._performer = Performer(self._host, own, self._values)
        self._performer.said |= set(hello.said)
        self._listeners[0] = (own, lambda: None)
        if hello.started:
            self._start()

    def refuse(self, error: ChatError) -> None:
        """Tells why not, and ends it."""
        self.write(Welcome(refused=self._values.failed(error)))
        self._writer.close()

    # -- listeners -----------------------------------------------------------------------------------------------------

    def _listener(self, number: int, place: Place) -> Listener:
        def tell(event: ClientEvent) -> None:
            self._tell(number, event)

        listener = Listener(tell, place.name, wanted=place.follow, marks=False, own=not number)
        listener.told, listener.paused = dict(place.told), self._paused
        return listener

    def _start(self) -> None:
        own = self._listeners[0][0]
        try:
            self._host.begin()
            self._listeners[0] = (own, self._host.listen(own))
        except ChatError as error:
            self._tell(0, StatusChanged(Status.FAILED, error))

    def _listen(self, number: int, place: Place) -> None:
        if number in self._listeners or len(self._listeners) >= MAX_LISTENERS:
            raise Quota(f"{MAX_LISTENERS} listeners")
        listener = self._listener(number, place)
        self._listeners[number] = (listener, self._host.listen(listener))

    def _tell(self, number: int, event: ClientEvent) -> None:
        """Passes an event on: once for all listeners of the program, but a message to each that is told it."""
        if number and not isinstance(event, MessageReceived):
            return
        if isinstance(event, StatusChanged) and event.status is Status.STOPPED:
            return  # we go, and somebody else takes over
        self.write(Told(number, *self._values.encode_event(event)))

    def pause(self, paused: bool) -> None:
        """The program has enough for now, or reads again."""
        self._paused = paused
        for listener, _leave in self._listeners.values():
            listener.paused = paused
            self._host.look(listener)

    # -- requests ------------------------------------------------------------------------------------------------------

    def _ask(self, performer: Performer, ask: Ask) -> None:
        verb = VERBS.get(ask.verb)
        if verb is None or verb.way is not Way.AWAIT:
            self._reply(ask.id, None if verb is None else verb.result, performer.perform, ask)
            return
        self._under_way += 1
        if self._under_way > MAX_UNDER_WAY:
            raise BadFrame("frame: too many requests")
        maybeDeferred(performer.perform, ask).addBoth(self._done, ask.id, verb.result)

    def _done(self, result: Any, id_: bytes, kind: Any) -> None:
        self._under_way -= 1

        def given() -> Any:
            if isinstance(result, Failure):
                result.raiseException()
            return result

        self._reply(id_, kind, given)

    def _reply(self, id_: bytes, kind: Any, function: Callable[..., Any], *args: Any) -> None:
        self._asked = id_
        try:
            result = self._values.succeeded(function(*args), kind)
        except ChatError as error:
            result = self._values.failed(error)
        except Exception as error:  # noqa: BLE001 - a bug of ours, or of that program: it is told, and others go on
            log.failure("request failed")
            result = self._values.failed(LocalProtocolError(f"{type(error).__name__}: {error}"))
        self.write(Reply(id_, result))

    def _give(self, value: Any) -> Any:
        """A handle with all that there is to see of it; of a promise, the id of its message: it is kept later."""
        performer, id_ = self._performer, self._asked
        if isinstance(value, RoomHandle) and performer is not None:
            return [value.room_id, self._values.encode(performer.look("room", value))]
        if isinstance(value, Deferred) and performer is not None:
            performer.said.add(id_)
            value.addBoth(self._keep, id_)
            return getattr(value, "message_id", b"")
        raise UnknownType(f"{type(value).__name__}: does not travel")

    def _keep(self, result: Any, id_: bytes) -> None:
        failed = isinstance(result, Failure)
        self.write(Kept(id_, self._values.failed(result.value) if failed else self._values.succeeded(result)))

    def write(self, message: Down) -> None:
        """Sends something; nothing once the program is gone."""
        if self._open:
            self._writer.write(encode(message))

    def lost(self) -> None:
        """The program is gone; what it has sent goes on its way."""
        self._open = False
        listeners, self._listeners = self._listeners, {}
        for _listener, leave in listeners.values():
            leave()
