"""The private socket on Twisted: sessions of those who come, and the wire of who goes."""

import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from twisted.internet.interfaces import IPushProducer, IReadDescriptor
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from zope.interface import implementer

from chatserv.client.account.failures import ProfileError
from chatserv.client.joining import door
from chatserv.client.joining.asking import Wire
from chatserv.client.joining.frames import HARD_UNSENT, MAX_FRAME, MAX_JOINED, MAX_UNSENT, Down, Welcome
from chatserv.client.joining.session import Session, Writer
from chatserv.client.joining.values import Values
from chatserv.decoding import UNREADABLE
from chatserv.errors import BadFrame
from chatserv.i18n import _

WELCOME_SECONDS: Final = 5.0
"""How long whoever holds the profile may take to welcome us."""
_VALUES: Final = Values(lambda value: value, lambda _, plain: plain)


class Receiver(Protocol):
    """Who has joined."""

    def received(self, wire: Wire, data: bytes) -> None:
        """Bytes came."""
        ...

    def gone(self, wire: Wire) -> None:
        """The connection is over."""
        ...


class Served(Protocol):
    """A socket that others can join by."""

    def close(self) -> None:
        """Takes nobody in any more."""
        ...

    def cut(self) -> None:
        """Ends the connections of who has joined."""
        ...


class Door(Protocol):
    """Where programs of one profile meet."""

    def serve(self, open_session: Callable[[Writer], Session]) -> Served:
        """Takes others in, for who holds the profile. Raises `ProfileError`."""
        ...

    def join(self, hello: bytes, receiver: Receiver) -> tuple[Wire, Welcome] | None:
        """A connection to who holds it; None where nobody answers. Raises `ProfileError` where we are refused."""
        ...


@implementer(IPushProducer)
class _Joiner(TwistedProtocol):
    """A program that has come."""

    def __init__(self, factory: "_Factory") -> None:
        self._factory = factory
        self._session: Session | None = None
        self._unsent: int | None = None  # since it has not read

    def connectionMade(self) -> None:
        """Takes it in, where there is place."""
        self.transport.bufferSize = MAX_UNSENT  # type: ignore[union-attr]
        self.transport.registerProducer(self, True)  # type: ignore[union-attr]
        self._session = self._factory.open_session(self)
        if len(self._factory.joiners) >= MAX_JOINED:
            said = _("{count} programs use this profile already: end one of them first").format(count=MAX_JOINED + 1)
            self._session.refuse(ProfileError(said))
        self._factory.joiners.append(self)

    def dataReceived(self, data: bytes) -> None:
        """What breaks the rules is cut off."""
        if self._session is not None:
            try:
                self._session.take(data)
            except BadFrame:
                self.transport.abortConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:  # noqa: ARG002
        """It is gone."""
        if self in self._factory.joiners:
            self._factory.joiners.remove(self)
        session, self._session = self._session, None
        if session is not None:
            session.lost()

    def write(self, data: bytes) -> None:
        """Sends bytes; whoever does not read them is cut off in the end."""
        self.transport.write(data)  # type: ignore[union-attr]
        if self._unsent is not None:
            self._unsent += len(data)
            if self._unsent > HARD_UNSENT:
                self.transport.abortConnection()  # type: ignore[union-attr]

    def close(self) -> None:
        """Ends the connection when what was written has left."""
        self.transport.unregisterProducer()  # type: ignore[union-attr]
        self.transport.loseConnection()  # type: ignore[union-attr]

    def pauseProducing(self) -> None:
        """It does not read."""
        self._unsent = 0
        if self._session is not None:
            self._session.pause(True)

    def resumeProducing(self) -> None:
        """It reads again."""
        self._unsent = None
        if self._session is not None:
            self._session.pause(False)

    def stopProducing(self) -> None:
        """Its connection is over."""


class _Factory(Factory):
    noisy = False

    def __init__(self, open_session: Callable[[Writer], Session]) -> None:
        self.open_session = open_session
        self.joiners: list[_Joiner] = []

    def buildProtocol(self, addr: Any) -> _Joiner:  # noqa: ARG002
        """One for each."""
        return _Joiner(self)


@implementer(IReadDescriptor)
class _Served:
    """The listening socket. Twisted's own port would remove the name that it is bound to, which may be a handle's."""

    def __init__(self, directory: Path, listening: socket.socket, factory: _Factory, reactor: Any) -> None:
        self._directory, self._listening, self._factory, self._reactor = directory, listening, factory, reactor
        reactor.addReader(self)

    def fileno(self) -> int:
        """Of the socket."""
        return self._listening.fileno()

    def logPrefix(self) -> str:  # noqa: N802 - Twisted's name
        """For logs."""
        return "joining"

    def doRead(self) -> None:  # noqa: N802 - Twisted's name
        """Somebody comes."""
        try:
            end, _ = self._listening.accept()
        except OSError:
            return
        with end:
            if door.same_user(end):
                end.setblocking(False)
                self._reactor.adoptStreamConnection(end.fileno(), socket.AF_UNIX, self._factory)

    def connectionLost(self, reason: Any = None) -> None:
        """The reactor ends."""

    def close(self) -> None:
        """Takes nobody in any more."""
        self._reactor.removeReader(self)
        self._listening.close()
        door.remove(self._directory)

    def cut(self) -> None:
        """Ends the connections of who has joined."""
        for each in list(self._factory.joiners):
            each.close()


class _Wire(TwistedProtocol):
    """The way to the program that holds the profile."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self._receiver.received(self, data)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: ARG002
        """It is over."""
        self._receiver.gone(self)

    def write(self, data: bytes) -> None:
        """Sends bytes."""
        self.transport.write(data)  # type: ignore[union-attr]

    def close(self) -> None:
        """Ends the connection when what was written has left."""
        self.transport.loseConnection()  # type: ignore[union-attr]

    def wait(self, seconds: float) -> bool:
        """Does by hand what the reactor would do with this one socket, while the program waits."""
        transport: Any = self.transport
        events = select.POLLIN | (select.POLLOUT if transport.dataBuffer or transport._tempDataBuffer else 0)
        poll = select.poll()
        poll.register(transport.fileno(), events)
        for _descriptor, found in poll.poll(seconds * 1000):
            if found & select.POLLOUT and transport.doWrite() is not None:
                return False
            if found & ~select.POLLOUT and transport.doRead() is not None:
                return False
        return True


class _OneWire(Factory):
    noisy = False

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire

    def buildProtocol(self, addr: Any) -> _Wire:  # noqa: ARG002
        """The one that there is."""
        return self._wire


class UnixDoor:
    """The socket in a profile's directory.

    Args:
        directory: It.
        reactor: The reactor.
    """

    def __init__(self, directory: Path, reactor: Any) -> None:
        self._directory, self._reactor = directory, reactor

    def serve(self, open_session: Callable[[Writer], Session]) -> Served:
        """Takes others in, for who holds the profile. Raises `ProfileError`."""
        factory = _Factory(open_session)
        return _Served(self._directory, door.bind(self._directory), factory, self._reactor)

    def join(self, hello: bytes, receiver: Receiver) -> tuple[Wire, Welcome] | None:
        """A connection to who holds it; None where nobody answers. Raises `ProfileError` where we are refused."""
        end = door.connect(self._directory, WELCOME_SECONDS)
        if end is None:
            return None
        with end:
            welcome = None if door.same_process(end) else greet(end, hello)
            if welcome is None:
                return None
            end.setblocking(False)
            wire = _Wire(receiver)
            self._reactor.adoptStreamConnection(end.fileno(), socket.AF_UNIX, _OneWire(wire))
        return wire, welcome


def greet(end: socket.socket, hello: bytes) -> Welcome | None:
    """Says the first word and reads the answer; None where none comes. Raises what we are refused with."""
    try:
        end.sendall(hello)
        length = int.from_bytes(_exactly(end, 4), "big")
        welcome = msgspec.msgpack.decode(_exactly(end, min(length, MAX_FRAME)), type=Down)
    except (OSError, EOFError, *UNREADABLE):
        return None
    if not isinstance(welcome, Welcome):
        return None
    if welcome.refused is not None:
        _VALUES.result(welcome.refused, None)
    return welcome


def _exactly(end: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = end.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found
