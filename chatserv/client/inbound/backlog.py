"""Tells messages to whoever follows: as they come, and before that what came while they did not, from the archive."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from chatserv.client.events import MessageReceived
from chatserv.client.inbound.content_handler import ContentHandler
from chatserv.client.state.context import ClientContext
from chatserv.client.state.listeners import Listener
from chatserv.client.state.rooms import Room, Rooms, Standing
from chatserv.client.storage.cursors import DEFAULT_CURSOR

KEPT_AT_ONCE: Final = 100


class Backlog:
    """Tells each listener what the archive has and it was not shown, in order and in batches, before it is told live.

    Messages that come meanwhile go into the archive, and are told from there.

    Args:
        context: What the client's parts share.
        rooms: All rooms.
        contents: Makes events of messages.
        listeners: Who listens now.
        arrived: Told of each message that a program was told first.
    """

    def __init__(
        self,
        context: ClientContext,
        rooms: Rooms,
        contents: ContentHandler,
        listeners: list[Listener],
        arrived: Callable[[Room, MessageReceived], None],
    ) -> None:
        self._context, self._rooms, self._contents = context, rooms, contents
        self._listeners, self._arrived_first = listeners, arrived
        self._arrived: dict[bytes, int] = {}
        self._open = False

    @property
    def first(self) -> Listener:
        """The listener of the program that made the client."""
        return self._listeners[0]

    # -- who listens ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Messages are told from now on; what the archive has comes first."""
        self._open = True
        for listener in list(self._listeners):
            self.begin(listener)

    def stop(self) -> None:
        """Nobody is told any more messages: they find the rest unread."""
        self._open = False
        for listener in self._listeners:
            listener.live = False

    def begin(self, listener: Listener) -> None:
        """Looks up where a listener stands, and tells it what it was not shown. Raises `Quota`."""
        if listener.name != DEFAULT_CURSOR:
            in_use = {each.name for each in self._listeners}
            listener.shown = self._context.vault.cursors.begin(listener.name, self._context.now_ms(), in_use)
        self.look(listener)

    def look(self, listener: Listener) -> None:
        """A listener wants messages, or does not any more; it gets the first ones at once."""
        if not (self._open and listener.follows):
            listener.live = False
        elif not (listener.live or listener.busy):
            self._catch_up(listener)

    def again(self) -> None:
        """There may be messages that listeners were not shown, and some that they were shown and that could not be noted."""
        for room in self._rooms.ours():
            self.heard(room)
        for listener in list(self._listeners):
            if self._open and listener.follows and not listener.busy:
                self._catch_up(listener)

    # -- what the archive has ------------------------------------------------------------------------------------------

    def _catch_up(self, listener: Listener) -> None:
        listener.busy, listener.live = True, False
        self._context.spawn(self._run(listener), "catching up")

    async def _run(self, listener: Listener) -> None:
        live = False
        try:
            while self._goes_on(listener) and self._tell_batch(listener):
                await self._context.pause(0)  # others have their turn
            live = self._goes_on(listener)
        finally:
            listener.busy, listener.live = False, live

    def _goes_on(self, listener: Listener) -> bool:
        return self._open and listener.follows and listener in self._listeners

    def _tell_batch(self, listener: Listener) -> bool:
        """Tells some messages; says whether there may be more."""
        left = KEPT_AT_ONCE
        for room in self._rooms.ours():
            row = room.row
            if row is None or row.standing is not Standing.IN:
                continue
            told = 0
            for message in self._context.vault.archive.after(room.room_id, self._told(listener, room), left):
                if room.told is not None and message.seq > room.told:  # it is told when it is on disk
                    break
                if not self._goes_on(listener):  # the program has had enough
                    break
                told = message.seq
                self._tell(listener, room, self._contents.received(room, message))
                left -= 1
            if told and listener.marks:
                self.mark_shown(listener, room, told)
            if not left:
                return True
        return False

    # -- what comes ----------------------------------------------------------------------------------------------------

    def hear(self, room: Room, message: MessageReceived) -> None:
        """A message of a room that we have agreed to came."""
        for listener in list(self._listeners):
            if listener.live:
                self._tell(listener, room, message)

    def heard(self, room: Room) -> None:
        """What came was stored and told: it counts as shown to whoever was told."""
        for listener in self._listeners:
            if listener.marks and (told := listener.told.get(room.room_id, 0)) > self.shown(listener, room):
                self.mark_shown(listener, room, told)

    def _tell(self, listener: Listener, room: Room, message: MessageReceived) -> None:
        listener.told[room.room_id] = max(self._told(listener, room), message.seq)
        if room.room_id not in self._arrived:
            shown = 0 if room.row is None else room.row.shown
            self._arrived[room.room_id] = max(shown, self._context.vault.cursors.newest(room.room_id))
        listener.tell(message)
        if listener.own and message.seq > self._arrived[room.room_id]:
            self._arrived[room.room_id] = message.seq
            self._arrived_first(room, message)

    # -- how far they are ----------------------------------------------------------------------------------------------

    def _told(self, listener: Listener, room: Room) -> int:
        return max(listener.told.get(room.room_id, 0), self.shown(listener, room))

    def shown(self, listener: Listener, room: Room) -> int:
        """The newest event of a room that a listener was shown, as stored."""
        if listener.name == DEFAULT_CURSOR:
            return 0 if room.row is None else room.row.shown
        return listener.shown.get(room.room_id, 0)

    def mark_shown(self, listener: Listener, room: Room, seq: int) -> None:
        """A listener was shown everything up to ``seq``, as far as we have come."""
        if room.row is None:
            return
        seq = max(self.shown(listener, room), min(seq, room.row.cursor))
        if listener.name == DEFAULT_CURSOR:
            self._context.vault.rooms.set_shown(room.room_id, seq)
            room.row = replace(room.row, shown=seq)
        else:
            self._context.vault.cursors.set_shown(listener.name, room.room_id, seq)
            listener.shown[room.room_id] = seq

    def rewound(self, room: Room, head: int) -> None:
        """The server has nothing behind ``head`` any more: other messages will have those places."""
        self._context.vault.cursors.rewind(room.room_id, head)
        places = [each for listener in self._listeners for each in (listener.told, listener.shown)]
        for known in (self._arrived, *places):
            if room.room_id in known:
                known[room.room_id] = min(known[room.room_id], head)
