"""All conversations: takes what happens to where it is shown."""

from collections.abc import Callable
from typing import Final

from chatserv.client import Alarm, ClientEvent, IdentityChanged, place
from chatserv.client.events import (
    Announced,
    Delivered,
    GapSeen,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessagesMissing,
    PresenceSeen,
    Reacted,
    RoomLeft,
    RoomRewound,
    RoomTitled,
    SendDelayed,
    SendFailed,
    SendHeld,
    ServerRestored,
    TypingSeen,
)
from clients.shared.event_text import news
from clients.window.timeline.entries import LOUD, NOTICE, Note
from clients.window.timeline.transcript import Transcript

MAX_ROOMS: Final = 2000  # whose notes are kept
_LOUD: Final = (Alarm, IdentityChanged, SendHeld, SendDelayed, RoomRewound, GapSeen, MessagesMissing, ServerRestored)
_ELSEWHERE: Final = (TypingSeen, PresenceSeen)  # shown in the status line, and in the list of members


class Conversations:
    """A transcript a room.

    Args:
        now_ms: The clock.
        us: Our own name.

    Attributes:
        current: The room on the screen.
        mentioned: Rooms where somebody has called us, and we have not looked.
    """

    def __init__(self, now_ms: Callable[[], int], us: Callable[[], str]) -> None:
        self._now_ms, self._us = now_ms, us
        self.current = ""
        self.mentioned: set[str] = set()
        self._transcripts: dict[str, Transcript] = {}
        self._nowhere = Transcript()

    def of(self, room: str) -> Transcript:
        """The transcript of a room; without a name, that of what is said before there is a room."""
        if not room:
            return self._nowhere
        found = self._transcripts.get(room)
        if found is None:
            if len(self._transcripts) >= MAX_ROOMS:
                oldest = next(name for name in self._transcripts if name != self.current)
                del self._transcripts[oldest]
            found = self._transcripts[room] = Transcript()
        return found

    @property
    def here(self) -> Transcript:
        """The one on the screen."""
        return self.of(self.current)

    def go(self, room: str) -> Transcript:
        """Puts another room on the screen."""
        if room != self.current:
            if self.current in self._transcripts:
                self.here.unload()
            self.current = room
        self.mentioned.discard(room)
        if room:
            for note in self._nowhere.take_notes():
                self.here.note(note)
        return self.here

    def say(self, text: str, style: str = NOTICE, room: str | None = None) -> None:
        """The program says something; clean already."""
        self.of(self.current if room is None else room).note(Note(text, self._now_ms(), style))

    # -- what happens -------------------------------------------------------------------------------------------------

    def take(self, event: ClientEvent, *, waits: Callable[[bytes], bool] = lambda _: False) -> None:
        """Something happened.

        Args:
            event: What.
            waits: Whether a message is one that is shown as waiting; others that fail are told.
        """
        match event:
            case MessageReceived():
                self.of(event.room).receive(event)
                if event.mentioned and not event.own and event.room != self.current:
                    self.mentioned.add(event.room)
            case MessageEdited(room, message_id, sender, text):
                self.of(room).change(message_id, sender, text=text, edited=True)
            case MessageDeleted(room, message_id):
                self.of(room).change(message_id, text=None, deleted=True)
            case Reacted(room, message_id):
                self.of(room).change(message_id)
            case Delivered(room, _, message_ids):
                for message_id in message_ids:
                    self.of(room).change(message_id)
            case SendFailed(message_id) if waits(message_id):
                pass  # it is seen there
            case _:
                self._move_rooms(event)
                self._tell(event)

    def _move_rooms(self, event: ClientEvent) -> None:
        match event:
            case RoomTitled(room, before):
                self._rename(before, room)
            case RoomLeft(room):
                self.mentioned.discard(room)
                if room != self.current:
                    self._transcripts.pop(room, None)

    def _rename(self, before: str, room: str) -> None:
        if before == room:
            return
        if before in self._transcripts:
            self._transcripts[room] = self._transcripts.pop(before)
            self._transcripts[room].rename(room)
        if before in self.mentioned:
            self.mentioned = self.mentioned - {before} | {room}
        if self.current == before:
            self.current = room

    def _tell(self, event: ClientEvent) -> None:
        if isinstance(event, _ELSEWHERE):
            return
        room = getattr(event, "room", "")
        known = room and room in self._transcripts and not isinstance(event, RoomLeft)
        where = room if known else self.current
        style = LOUD if isinstance(event, (*_LOUD, Announced)) else NOTICE
        for line in news(event, self._find, self._us()):
            text = line.removeprefix(f"{place(room)}: ") if where == room else line
            self.say(text, style, where)

    def _find(self, room: str, message_id: bytes) -> MessageReceived | None:
        return self.of(room).find(message_id)
