"""Who is told what happens: the program around a client, and whatever else listens beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from twisted.logger import Logger

from chatserv.client.events import ClientEvent, RoomOffered, SendQueued
from chatserv.client.storage.cursors import DEFAULT_CURSOR, cursor_name

log = Logger(namespace="chatserv.client")
MAX_LISTENERS: Final = 32
STANDING: Final = (SendQueued, RoomOffered)
"""What is told at the start of what has happened before."""


@dataclass(frozen=True)
class Asker:
    """A program that has joined, with what it asks. ``request``: the id that it has made for it, 16 bytes."""

    listener: "Listener"
    request: bytes


class Listener:
    """One of them.

    Args:
        tell: Told everything.
        name: Under which it is remembered how far this one was shown each room; two of one name share that, and both are
            told what comes while both are there.
        wanted: Whether it follows: wants to be told messages.
        marks: Whether a message counts as shown when ``tell`` has returned; else whoever is told says so.
        own: Whether it is the one of a program, whose being told means that messages have arrived.

    Attributes:
        paused: It has enough for now.
        live: It has caught up, and is told messages as they come.
        absent: Its program reads what is kept, and has not started: it is told nothing.
        returning: What stands for longer is not told, as it was told by another program before.
        defer: Where set, what is told is told by this in a moment.
        told: By room: the newest message that it was told in this run, stored as shown or not.
        shown: Likewise as stored, of another name than `DEFAULT_CURSOR`.
    """

    def __init__(
        self,
        tell: Callable[[ClientEvent], object],
        name: str = DEFAULT_CURSOR,
        *,
        wanted: bool = True,
        marks: bool = True,
        own: bool = False,
    ) -> None:
        self._tell, self.name = tell, cursor_name(name)
        self.wanted, self.marks, self.own = wanted, marks, own
        self.paused = self.live = self.busy = False
        self.absent = self.returning = False
        self.defer: Callable[[Callable[[], object]], None] | None = None
        self.told: dict[bytes, int] = {}
        self.shown: dict[bytes, int] = {}

    @property
    def follows(self) -> bool:
        """Whether it is to be told messages now."""
        return self.wanted and not self.paused and not self.absent

    def tell(self, event: ClientEvent) -> None:
        """Something happened; a failure of the program must not lose what comes behind, nor what others are told."""
        if self.absent or (self.returning and isinstance(event, STANDING)):
            return
        if self.defer is not None:
            self.defer(lambda: self._tell_now(event))
        else:
            self._tell_now(event)

    def _tell_now(self, event: ClientEvent) -> None:
        try:
            self._tell(event)
        except Exception:  # noqa: BLE001 - a bug of the program
            log.failure("the program failed on {event}", event=type(event).__name__)


class Elsewhere(Protocol):
    """The program that holds the profile in our place."""

    def look(self, listener: Listener) -> None:
        """A listener wants messages, or does not any more."""
        ...

    def mark_shown(self, listener: Listener, room_id: bytes, seq: int) -> None:
        """A listener was shown a room so far."""
        ...
