"""A connection of an IRC client: bytes to lines, with every bound that a stranger could try."""

from collections import deque
from typing import Any, Final

from twisted.internet import protocol
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from chatserv.client import translate
from clients.irc.lines import Line, LineInvalid, format_line, parse_line
from clients.irc.multiline import BatchReader
from clients.irc.session import Session
from clients.irc.surroundings import Surroundings
from clients.irc.words import MULTILINE

_BROWSER: Final = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"PATCH ", b"TRACE ")


@implementer(IPushProducer)
class Unread:
    """Counts what is written while the transport has more than its buffer holds.

    Attributes:
        bytes: So much, since the transport was full; 0 while it is not.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._full = False

    def count(self, size: int) -> None:
        """So many bytes are written."""
        self.bytes += size if self._full else 0

    def pauseProducing(self) -> None:
        """The transport is full."""
        self._full = True

    def resumeProducing(self) -> None:
        """The other end has read."""
        self._full, self.bytes = False, 0

    def stopProducing(self) -> None:
        """It is over."""


class IrcConnection(protocol.Protocol):
    """One of them.

    Args:
        around: What all have in common.
    """

    transport: Any

    def __init__(self, around: Surroundings) -> None:
        self._around, self._bounds = around, around.bounds
        self._buffer = bytearray()
        self._bad: deque[float] = deque()
        self._said = 0
        self._begun = False
        self._paused = False
        self._deadline: Any = None
        self._unread = Unread()
        self._batches = BatchReader(self._bounds, around.clock, self._received)
        self.session: Session | None = None

    def connectionMade(self) -> None:
        """Somebody is there, if there is room for them."""
        sessions = self._around.sessions
        if len(sessions) >= self._bounds.sessions or (
            sum(not each.registered for each in sessions) >= self._bounds.unregistered
        ):
            self.transport.write(format_line(Line("ERROR", (translate("Too many IRC clients"),))))
            self.transport.loseConnection()
            return
        self.session = Session(self._around, self._write, self._close, self._ready)
        sessions.add(self.session)
        self.transport.registerProducer(self._unread, True)
        self._deadline = self._around.clock.callLater(self._bounds.register_seconds, self._too_late)

    def _too_late(self) -> None:
        if self.session is not None and not self.session.registered:
            self.session.end(translate("No password in time"))

    # -- what comes ----------------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        session = self.session
        if session is None or session.over:
            return
        if not self._begun:
            self._buffer += data
            if len(self._buffer) < 8 and b"\n" not in self._buffer:  # too short to tell
                return
            self._begun, data = True, bytes(self._buffer)
            self._buffer.clear()
            if data.upper().startswith(_BROWSER):
                self._close(at_once=True)
                return
        if not session.registered:
            self._said += len(data)
            if self._said > self._bounds.register_bytes:
                session.end(translate("Too much before the password"))
                return
        self._buffer += data
        self._take_lines(session)

    def _take_lines(self, session: Session) -> None:
        """The lines that are there, while the client may go on."""
        start = 0
        while not (session.over or self._paused):
            end = self._buffer.find(b"\n", start)
            if end < 0:
                break
            self._line(session, bytes(self._buffer[start:end]).removesuffix(b"\r"))
            start = end + 1
        del self._buffer[:start]
        if not session.over and b"\n" not in self._buffer and len(self._buffer) > self._bounds.without_end_bytes:
            session.end(translate("A line without an end"))

    def _line(self, session: Session, data: bytes) -> None:
        try:
            line = parse_line(data)
        except LineInvalid as error:
            self._bad_line(session, error)
            return
        if line is not None and MULTILINE in session.caps:
            line = self._batches.take(line)
        if line is not None:
            session.received(line)

    def _received(self, line: Line) -> None:
        if self.session is not None:
            self.session.received(line)

    def _bad_line(self, session: Session, error: LineInvalid) -> None:
        now = self._around.clock.seconds()
        while self._bad and now - self._bad[0] > 60:
            self._bad.popleft()
        self._bad.append(now)
        if len(self._bad) > self._bounds.bad_lines:
            session.end(translate("Too many lines that cannot be read"))
        elif error.code == "INVALID_UTF8":
            session.fail("*", error.code, translate("Not UTF-8: nothing was done"))
        else:
            session.numeric("417", translate("Too long, or no line of IRC: nothing was done"))

    def _ready(self, wanted: bool) -> None:
        """Reads on, or waits until commands were carried out."""
        if self._paused == (not wanted):
            return
        self._paused = not wanted
        if wanted:
            self._around.clock.callLater(0, self._go_on)
        else:
            self.transport.pauseProducing()

    def _go_on(self) -> None:
        session = self.session
        if session is None or session.over or self._paused:
            return
        self._take_lines(session)
        if not (session.over or self._paused):
            self.transport.resumeProducing()

    # -- what goes -----------------------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        self._unread.count(len(data))
        if self._unread.bytes <= self._bounds.unsent_bytes:
            self.transport.write(data)
            return
        session = self.session
        self._close(at_once=True)  # it comes back, and is told the rest
        if session is not None:
            session.gone()

    def _close(self, *, at_once: bool = False) -> None:
        self.transport.unregisterProducer()
        if at_once:
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:  # noqa: ARG002 - it is gone
        """It is over."""
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._batches.close()
        session, self.session = self.session, None
        if session is not None:
            session.gone()
            self._around.sessions.discard(session)


class IrcFactory(protocol.Factory):
    """Makes connections.

    Args:
        around: What all have in common.
    """

    noisy = False

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def buildProtocol(self, addr: IAddress | None) -> IrcConnection:  # noqa: ARG002 - it is on this machine
        """One more."""
        return IrcConnection(self._around)
