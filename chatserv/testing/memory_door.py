"""Where programs of one profile meet in tests without sockets: all in one process, in the time of a `World`."""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from chatserv.client.joining.frames import MAX_MESSAGE, Down, Frames, Welcome
from chatserv.client.joining.session import Session, Writer
from chatserv.client.joining.unix_door import Receiver
from chatserv.client.joining.values import Values
from chatserv.errors import BadFrame


class MemoryWire:
    """Both ends of one connection; bytes move at the end of the reactor's turn, or when somebody waits for them."""

    def __init__(self, door: "MemoryDoor", receiver: Receiver) -> None:
        self._door, self._receiver = door, receiver
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()
        self.session: Session | None = None
        self.open = True
        self.held = False  # the one that holds the profile does not answer

    def write(self, data: bytes) -> None:
        """The one who has joined sends."""
        if self.open:
            self.up.append(data)
            self._door.reactor.callLater(0, self.move)

    def move(self) -> bool:
        """Bytes come to both ends; whether there were any."""
        moved = False
        while not self.held and (self.up or self.down):
            moved = True
            if self.up and self.session is not None:
                try:
                    self.session.take(self.up.popleft())
                except BadFrame:
                    self.cut()
            if self.down:
                self._receiver.received(self, self.down.popleft())
        return moved

    def wait(self, seconds: float) -> bool:
        """Lets bytes come."""
        assert seconds > 0
        return self.move()

    def close(self) -> None:
        """The one who has joined goes."""
        self.move()
        if self.open:
            self.open = False
            self._gone()

    def cut(self) -> None:
        """The other one is gone; what has not come yet never comes."""
        if self.open:
            self.open = False
            self.up.clear()
            self.down.clear()
            self._gone()
            self._door.reactor.callLater(0, self._receiver.gone, self)

    def _gone(self) -> None:
        session, self.session = self.session, None
        if self in self._door.wires:
            self._door.wires.remove(self)
        if session is not None:
            session.lost()


class _Answers:
    """What a session writes."""

    def __init__(self, wire: MemoryWire) -> None:
        self._wire = wire

    def write(self, data: bytes) -> None:
        """Bytes for who has joined."""
        if self._wire.open:
            self._wire.down.append(data)
            self._wire._door.reactor.callLater(0, self._wire.move)

    def close(self) -> None:
        """It is over."""
        self._wire._door.reactor.callLater(0, self._wire.cut)


class MemoryDoor:
    """One profile's.

    Args:
        reactor: Of the world.
    """

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.wires: list[MemoryWire] = []
        self.last_first = False
        self._open_session: Callable[[Writer], Session] | None = None

    def serve(self, open_session: Callable[[Writer], Session]) -> "MemoryDoor":
        """Takes others in."""
        self._open_session = open_session
        return self

    def close(self) -> None:
        """Takes nobody in any more."""
        self._open_session = None

    def cut(self) -> None:
        """Ends all connections; who hears of it first is the first to look for another."""
        for wire in self.wires[::-1] if self.last_first else self.wires[:]:
            wire.cut()

    def join(self, hello: bytes, receiver: Receiver) -> tuple[MemoryWire, Welcome] | None:
        """A connection, if somebody is there."""
        if self._open_session is None:
            return None
        wire = MemoryWire(self, receiver)
        wire.session = self._open_session(_Answers(wire))
        wire.session.take(hello)
        (frame,) = Frames(MAX_MESSAGE).take(wire.down.popleft())
        welcome: Welcome = msgspec.msgpack.decode(frame, type=Down)  # type: ignore[assignment]
        if welcome.refused is not None:
            Values(lambda value: value, lambda _, plain: plain).result(welcome.refused, None)
        self.wires.append(wire)
        return wire, welcome
