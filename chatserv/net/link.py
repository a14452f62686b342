"""The link between the two halves of a connection: today each call is a plain one, in the same turn of the reactor.

The *front* (`chatserv.net.front`) has the socket, the session's keys and the send queue; it knows nothing of accounts, rooms
and the store. The *seat* (`chatserv.net.seat`) has the person: who they are, what they ask for, and what they are told; it
knows nothing of sockets and keys. Each holds the other by these names alone.
"""

from typing import Protocol

from chatserv.domain.hub import Outbox
from chatserv.errors import WireError
from chatserv.net.authenticator import Wanted
from chatserv.wire import messages
from chatserv.wire.server_session import ServerSession
from chatserv.wire.session import Event


class SeatSide(Protocol):
    """What a front says to its seat."""

    @property
    def ready(self) -> bool:
        """Whether more may be read."""
        ...

    @property
    def taken(self) -> bool:
        """Whether somebody is logged in, or was."""
        ...

    def ask(self, core: ServerSession, wanted: Wanted) -> None:
        """The login wants what the core cannot know alone; the answer comes by `FrontSide.proceed`."""
        ...

    def take(self, plaintext: bytes) -> None:
        """A record of commands. Raises `BadMessage` where it is none."""
        ...

    def hold(self, *, held: bool) -> None:
        """Begins no command while held: the send queue is above its soft limit."""
        ...

    def catch_up(self) -> None:
        """The send queue had no place for events of a room."""
        ...

    def stop(self) -> None:
        """The connection is ending: nothing more is begun."""
        ...

    def leave(self) -> str:
        """The connection is gone. Says whose it was, for the log; empty: nobody's."""
        ...


class FrontSide(Protocol):
    """What a seat says to its front."""

    peer: str
    host: str

    @property
    def closing(self) -> bool:
        """Whether nobody is there any more."""
        ...

    def proceed(self, events: list[Event]) -> None:
        """Does what the session's core says."""
        ...

    def open(self, seconds: float) -> Outbox:
        """Somebody is logged in, for so many seconds since the connection was accepted: where their messages go."""
        ...

    def tell(self, message: messages.Message) -> None:
        """Queues a message, once it is open."""
        ...

    def update_reading(self) -> None:
        """`SeatSide.ready` may have changed."""
        ...

    def fail(self, error: WireError) -> None:
        """Tells the other side the code of ``error`` and closes."""
        ...

    def broke(self) -> None:
        """What is missing cannot be read: another connection may do better."""
        ...
