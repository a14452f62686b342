"""A program that has joined: what it is told, and who listens in it."""

import os
from collections.abc import Callable
from typing import Any

import msgspec

from chatserv.client.events import ClientEvent, MessageReceived, RoomRewound, StatusChanged
from chatserv.client.joining.asking import Asking, Wire
from chatserv.client.joining.frames import (
    ID_BYTES,
    MAX_MESSAGE,
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
    Welcome,
    encode,
)
from chatserv.client.joining.verbs import face
from chatserv.client.state.listeners import Listener
from chatserv.decoding import UNREADABLE
from chatserv.errors import BadFrame


class Joined(Asking):
    """Asks and listens.

    Args:
        emit: Tells this program's listeners what is no message.
        **around: As for `Asking`.

    Attributes:
        started: Whether events are wanted.
    """

    def __init__(self, emit: Callable[[ClientEvent], None], **around: Any) -> None:
        super().__init__(**around)
        self._emit = emit
        self.started = self._open = False
        self._frames = Frames(MAX_MESSAGE)
        self._down = msgspec.msgpack.Decoder(Down)
        self._listeners: dict[int, Listener] = {}
        self._shown: dict[tuple[int, bytes], int] = {}

    # -- the connection ------------------------------------------------------------------------------------------------

    def hello(self, *, started: bool | None = None) -> bytes:
        """The first frame, by how things stand now. ``started``: whether events are wanted of that one."""
        wanted = self.started if started is None else started
        return encode(Hello(face(), self._place(self._listeners[0]), wanted, self.promised_ids()))

    def _place(self, listener: Listener) -> Place:
        return Place(listener.name, listener.follows, dict(listener.told))

    def attach(self, wire: Wire, *, listeners: bool = True) -> None:
        """There is a connection, and it was welcomed: what is open is asked again. ``listeners``: they are told, too."""
        self.wire, self._frames, self._open = wire, Frames(MAX_MESSAGE), True
        for number, listener in self._listeners.items():
            if number and listeners:
                self._write(Listen(os.urandom(ID_BYTES), number, self._place(listener)))
        self.ask_again()

    def received(self, wire: Wire, data: bytes) -> None:
        """Bytes came."""
        if wire is not self.wire:
            return
        try:
            for frame in self._frames.take(data):
                self._take(self._down.decode(frame))
        except (BadFrame, *UNREADABLE):
            wire.close()

    def close(self) -> None:
        """The program wants nothing any more; promises are not kept, and what is awaited is interrupted."""
        self._flush_shown()
        self._open = False  # what has come and was not told yet is not
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.close()
        self.interrupt()

    # -- what comes ----------------------------------------------------------------------------------------------------

    def _take(self, message: Down) -> None:
        match message:
            case Reply(id_, result):
                self.answered(id_, result)
            case Kept(id_, result):
                self.kept(id_, result)
            case Told(number, name, fields):
                self._views.clear()
                event = self._values.decode_event(name, fields)
                self.soon(lambda: self._tell(number, event))
            case Welcome():
                raise BadFrame("welcome: comes twice")

    def _tell(self, number: int, event: ClientEvent) -> None:
        listener = self._listeners.get(number)
        if not self._open:
            return
        if not isinstance(event, MessageReceived):
            if isinstance(event, RoomRewound):  # other messages will have the places behind
                for each in self._listeners.values():
                    each.told.clear()
            self._emit(event)
            if isinstance(event, StatusChanged):  # behind what stands
                for each in self._listeners.values():
                    each.returning = False
        elif listener is not None:
            listener.told[event.room_id] = event.seq
            listener.tell(event)
            if listener.marks:
                self.mark_shown(listener, event.room_id, event.seq)

    # -- listeners -----------------------------------------------------------------------------------------------------

    def add(self, listener: Listener) -> None:
        """One more, the first of all for the program itself."""
        number = max(self._listeners, default=-1) + 1
        self._listeners[number] = listener
        if number and self.wire is not None:
            self._write(Listen(os.urandom(ID_BYTES), number, self._place(listener)))

    def drop(self, listener: Listener) -> None:
        """One less."""
        for number in [number for number, each in self._listeners.items() if each is listener]:
            del self._listeners[number]
            self._write(Leave(number))

    def start(self) -> None:
        """Events are wanted from now on."""
        if not self.started:
            self.started = True
            self._write(Start())

    def look(self, listener: Listener) -> None:
        """A listener wants messages, or does not any more."""
        for number, each in self._listeners.items():
            if each is listener:
                self._write(Follow(number, listener.follows))

    def mark_shown(self, listener: Listener, room_id: bytes, seq: int) -> None:
        """A listener was shown a room so far."""
        if not self._shown:
            self._reactor.callLater(0, self._flush_shown)
        for number, each in self._listeners.items():
            if each is listener:
                self._shown[number, room_id] = seq

    def _flush_shown(self) -> None:
        shown, self._shown = self._shown, {}
        for (number, room_id), seq in shown.items():
            self._write(Shown(number, room_id, seq))
