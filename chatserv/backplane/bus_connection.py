"""One connection to a bus server: who we are, whether it lives, and what comes and goes while it does."""

import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from chatserv.backplane.nats import (
    PING_LINE,
    PONG_LINE,
    BadBus,
    Complaint,
    Delivery,
    NatsReader,
    Ping,
    Pong,
    Said,
    ServerInfo,
    connect_line,
)
from chatserv.bus_address import BusAddress
from chatserv.tcp_options import set_options, write_now

PING_SECONDS: Final = 0.8  # between two questions whether the server lives
FROZEN_SECONDS: Final = 1.2  # it was asked, and has said nothing since: so within two seconds it is as good as gone
UNANSWERED_SECONDS: Final = 4.0  # it says other things, and does not answer: who waits for that goes on
GREETING_SECONDS: Final = 2.0  # until it has taken us in
_OPTIONS: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)  # what is said goes out, whatever was not confirmed yet
MAX_WAITING_BYTES: Final = 8 * 2**20  # that the server does not take; what is more is lost, as a bus may


class Owner(Protocol):
    """Who has a connection. Each is called in the reactor's turn."""

    def opened(self) -> bytes:
        """The server has answered. Gives what it is told first: all subscriptions."""
        ...

    def ready(self) -> None:
        """It has dealt with that."""
        ...

    def informed(self, info: ServerInfo) -> None:
        """What it says of itself; comes again when that changes."""
        ...

    def delivered(self, delivery: Delivery) -> None:
        """Something that was subscribed to."""
        ...

    def complained(self, complaint: Complaint) -> None:
        """It does not like something, and goes on."""
        ...

    def closed(self, reason: str) -> None:
        """It is over; called once. The reason holds no secret."""
        ...


@implementer(IPushProducer)
class BusConnection(TwistedProtocol):
    """One connection.

    Args:
        reactor: Time.
        address: Where it leads, and who we are there.
        name: What the server calls us in its own records.
        owner: Who is told.
        start_tls: Puts TLS around a transport, checking the server by its name; where it is there, nothing that matters is
            said in the clear, whatever the server says.

    Attributes:
        max_payload: The largest message that the server takes.
        dropped: Messages that found no place.
    """

    def __init__(
        self, reactor: Any, address: BusAddress, name: str, owner: Owner, start_tls: Callable[[Any, str], None] | None
    ) -> None:
        self._reactor, self._address, self._name, self._owner, self._tls = reactor, address, name, owner, start_tls
        self._reader = NatsReader()
        self._greeted = self._over = self._paused = self._sealing = False
        self._answers: deque[Callable[[], None]] = deque()  # to pings of ours, in order
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._heard_at = self._asked_at = reactor.seconds()  # `_asked_at`: since when an answer is due
        self._look = reactor.callLater(GREETING_SECONDS, self._too_late)
        self.max_payload = ServerInfo().max_payload
        self.dropped = 0

    # -- what the server says

    def connectionMade(self) -> None:
        """The server speaks first."""
        if self._over:
            self.transport.abortConnection()  # type: ignore[union-attr]
            return
        set_options(self.transport, _OPTIONS)
        self.transport.registerProducer(self, True)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        """Takes it apart."""
        self._heard_at = self._reactor.seconds()
        try:
            for said in self._reader.take(data):
                if self._sealing:
                    raise BadBus("something in the clear before TLS")
                if not self._over:
                    self._take(said)
            if self._sealing and self._reader.rest:
                raise BadBus("something in the clear before TLS")
            self._sealing = False
        except BadBus as error:
            self._end(str(error))

    def _take(self, said: Said) -> None:
        match said:
            case Delivery():
                self._owner.delivered(said)
            case Ping():
                self.write(PONG_LINE)
            case Pong():
                if not self._answers:
                    raise BadBus("an answer that nobody asked for")
                self._asked_at = self._heard_at
                self._answers.popleft()()
            case ServerInfo():
                self._inform(said)
            case Complaint():
                if said.final:
                    raise BadBus(f"the bus server refuses: {said.text}")
                self._owner.complained(said)

    def _inform(self, info: ServerInfo) -> None:
        self.max_payload = info.max_payload
        if self._greeted or self._tls is None:  # else it comes in the clear: whoever made it would be told who we are
            self._owner.informed(info)
        if self._greeted:
            return
        self._greeted = True
        address = self._address
        if self._tls is not None and (info.tls_required or info.tls_available):
            self._sealing = True
            self._tls(self.transport, address.host)
        elif self._tls is not None or address.tls or info.tls_required:
            raise BadBus("one side wants TLS, and the other has none")
        self.transport.write(connect_line(address, self._name))  # type: ignore[union-attr]
        self.ask(self._open)

    def _open(self) -> None:
        self._look.cancel()
        self.write(self._owner.opened())
        self.ask(self._owner.ready)
        self._look = self._reactor.callLater(PING_SECONDS, self._look_again)

    def connectionLost(self, reason: Failure = Failure(BadBus(""))) -> None:  # noqa: B008 - as Twisted has it
        """Whoever has ended it."""
        self._finish(f"the connection ended: {reason.type.__name__ if reason.type else ''}")

    # -- whether it lives

    def ask(self, answered: Callable[[], None]) -> None:
        """Calls ``answered`` when the server has dealt with all that it was told before."""
        if not self._answers:
            self._asked_at = self._reactor.seconds()
        self._answers.append(answered)
        self.write(PING_LINE)

    def _look_again(self, *, surely: bool = False) -> None:
        wait = PING_SECONDS
        if not self._answers:
            self.ask(_nothing)
        else:
            now, asked_at = self._reactor.seconds(), self._asked_at
            left = min(max(self._heard_at, asked_at) + FROZEN_SECONDS, asked_at + UNANSWERED_SECONDS) - now
            if left <= 0 and surely:
                self._end("the server does not answer")
                return
            surely = left <= 0  # what came while this process stood still is read before
            wait = 0.0 if surely else min(left + 0.01, PING_SECONDS)
        self._look = self._reactor.callLater(wait, partial(self._look_again, surely=surely))

    def _too_late(self) -> None:
        self._end("the server did not greet us in time")

    # -- what it is told

    def write(self, lines: bytes) -> None:
        """Tells it, as soon as it takes more; in order."""
        if self._over:
            return
        if self._paused and self._waiting_bytes + len(lines) > MAX_WAITING_BYTES:
            self._end("the server takes nothing")
        elif self._paused:
            self._waiting.append(lines)
            self._waiting_bytes += len(lines)
        else:
            write_now(self.transport, lines)

    def has_place(self, size: int) -> bool:
        """Whether so many bytes more may wait; if not, they are counted as dropped."""
        if self._waiting_bytes + size <= MAX_WAITING_BYTES:
            return True
        self.dropped += 1
        return False

    def pauseProducing(self) -> None:
        """The server takes nothing at the moment."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It does again."""
        self._paused = False
        while self._waiting and not self._paused and not self._over:
            lines = self._waiting.popleft()
            self._waiting_bytes -= len(lines)
            write_now(self.transport, lines)

    def stopProducing(self) -> None:
        """Nothing: the connection is over, and says so itself."""

    # -- the end

    def _end(self, reason: str) -> None:
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]
        self._finish(reason)

    def _finish(self, reason: str) -> None:
        if not self._over:
            self._over = True
            if self._look.active():
                self._look.cancel()
            self._waiting.clear()
            self._answers.clear()
            self._owner.closed(reason)

    def give_up(self, reason: str) -> None:
        """Ends it, or what was to become of it."""
        self._end(reason)

    def leave(self) -> None:
        """Ends it once the server has got what it was told, if it takes that."""
        if self.transport is not None:
            self.transport.loseConnection()
        self._finish("stopped")


def _nothing() -> None:
    """The server lives: that is all that was asked."""
