"""Events as an asynchronous iterator, for programs that read them in a loop.

A message counts as shown when the loop comes back for the next event, so that a program that dies on the way is shown it
again. A program that is slower than its rooms loses nothing: messages beyond the bound stay in the archive until it has
caught up.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred

from chatserv.client.events import (
    ClientEvent,
    MessageReceived,
    PresenceSeen,
    ReadMoved,
    Status,
    StatusChanged,
    TypingSeen,
)
from chatserv.errors import Busy

MAX_WAITING: Final = 1000
"""Events that wait for the program; above, messages stay in the archive, and presence, typing and read markers go."""
MAX_EVENTS: Final = 20 * MAX_WAITING
"""Above, the program is told that it is too slow, by an exception."""
SHOWN_AT_ONCE: Final = 100
_PASSING: Final = (PresenceSeen, TypingSeen, ReadMoved)


class EventStream:
    """What ``async for event in client`` reads.

    Args:
        follow: Says whether messages are wanted now; when they are wanted again, those in between are told first.
        shown: Takes a room's id and how far the program was shown it.
    """

    def __init__(self, follow: Callable[[bool], None], shown: Callable[[bytes, int], None]) -> None:
        self._follow, self._shown = follow, shown
        self._events: deque[ClientEvent] = deque()
        self._taken: dict[bytes, int] = {}
        self._in_hand: MessageReceived | None = None
        self._count = 0
        self._held = self._over = False
        self._error: Exception | None = None
        self._reader: Deferred[None] | None = None

    def put_event(self, event: ClientEvent) -> None:
        """Something happened."""
        full = len(self._events) >= MAX_WAITING
        if self._over or (full and isinstance(event, _PASSING)):
            return
        if len(self._events) >= MAX_EVENTS:
            self._end(Busy(f"{MAX_EVENTS} events wait for the program"))
            return
        self._events.append(event)
        if full and not self._held:
            self._held = True
            self._follow(False)
        match event:
            case StatusChanged(Status.FAILED, error):
                self._end(error)
            case StatusChanged(Status.STOPPED):
                # Messages that nobody has read are told the next time.
                self._events = deque(each for each in self._events if not isinstance(each, MessageReceived))
                self._end(None)
        self._wake()

    def _end(self, error: Exception | None) -> None:
        self._over, self._error = True, error

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)

    def __aiter__(self) -> "EventStream":
        return self

    async def __anext__(self) -> ClientEvent:
        self.handled()
        while not self._events:
            self.settle()
            if self._over:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            if self._held:
                self._held = False
                self._follow(True)
                continue
            self._reader = Deferred()
            await self._reader
        event = self._events.popleft()
        if isinstance(event, MessageReceived):
            self._in_hand = event
        return event

    def handled(self) -> None:
        """The program has dealt with the event that it took last."""
        message, self._in_hand = self._in_hand, None
        if message is not None:
            self._taken[message.room_id] = message.seq
            self._count += 1
            if self._count >= SHOWN_AT_ONCE:
                self.settle()

    def settle(self) -> None:
        """Remembers what was shown."""
        taken, self._taken, self._count = self._taken, {}, 0
        for room_id, seq in taken.items():
            self._shown(room_id, seq)
