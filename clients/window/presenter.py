"""The conversation on the screen: which room, which part of it, and how its lines look."""

from collections.abc import Callable
from typing import Final

from chatserv.client import MessageReceived, WaitingMessage, translate
from clients.window.context import WindowContext
from clients.window.lists import Lists
from clients.window.session import State
from clients.window.timeline.drawing import MAX_WAITING_LINES
from clients.window.timeline.entries import NOTICE, Before, Entry, copied, entry_line, waiting_line
from clients.window.timeline.spans import Line, Span
from clients.window.timeline.transcript import Transcript
from clients.window.widgets.throttle import Throttle

DRAW_SECONDS: Final = 0.03
SYNCING_SECONDS: Final = 0.2  # between two looks at what comes by the thousand
SEEN_SECONDS: Final = 1.0


class Presenter:
    """Draws; nothing more often than a person can see.

    Args:
        context: What all parts share.

    Attributes:
        lists: What stands beside the conversation, and is drawn anew together with it.
    """

    def __init__(self, context: WindowContext) -> None:
        self._context, self._session, self._conversations = context, context.session, context.conversations
        self.lists = Lists(context)
        self.chat = Throttle(context.reactor, DRAW_SECONDS, self._draw)
        self.seen = Throttle(context.reactor, SEEN_SECONDS, self._mark_seen)
        self.waiting_changed = False
        self.followed: Callable[[], None] = lambda: None  # called whenever the room was looked at
        self.leaving: Callable[[], None] = lambda: None  # before another room is shown
        self.drawn: Callable[[], None] = lambda: None  # after what stands in the conversation is drawn
        self.entered: Callable[[], None] = lambda: None  # and when it is

    def stop(self) -> None:
        """Nothing is drawn any more."""
        for each in (self.chat, self.lists, self.seen):
            each.stop()

    # -- the room -----------------------------------------------------------------------------------------------------

    def follow(self) -> None:
        """Shows the room that the talk is in."""
        talk = self._context.talk
        if talk is not None and self._session.running:
            room = talk.slash.room
            if room != self._conversations.current or not self._conversations.here.loaded:
                self.show(room)
            self.followed()

    def show(self, room: str) -> None:
        """Shows a room: where it was not read yet, else at its end."""
        transcript, handle = self._go(room), self._context.handle(room)
        if handle is not None and not handle.offered:
            transcript.load_unread(handle.history, handle.read, handle.unread)
        self._show()

    def _go(self, room: str) -> Transcript:
        """Puts another room on the screen; what stands in the field stays with its own."""
        moves = room != self._conversations.current
        if moves:
            self.leaving()
        transcript = self._conversations.go(room)
        if moves:
            self.entered()
        return transcript

    def show_message(self, message: MessageReceived) -> None:
        """Shows a room at one of its messages."""
        transcript, handle = self._go(message.room), self._context.handle(message.room)
        if handle is None:
            return
        transcript.load_around(handle.history, message.seq)
        self._show(transcript.number(message.message_id, message.sender))

    def _show(self, number: int | None = None) -> None:
        layout = self._context.layout
        layout.chat.show(self._conversations.here, number)
        self.waiting_changed = True
        self._draw()
        self.lists.head()
        for each in (self.lists.rooms, self.lists.members, self.seen):
            each.ask()

    def newest(self) -> None:
        """Back from what is old."""
        handle, here = self._context.handle(), self._conversations.here
        if handle is not None and here.detached:
            here.load_newest(handle.history, handle.position)
            self._show()

    def older(self) -> None:
        """The beginning of what is drawn was reached."""
        handle, layout = self._context.handle(), self._context.layout
        transcript = self._conversations.here
        if layout.chat.all_drawn_above and handle is not None:
            transcript.load_older(handle.history)
        layout.chat.draw_older()

    def newer(self) -> None:
        """The end of what is held was reached, while the newest is elsewhere."""
        handle = self._context.handle()
        if handle is not None:
            self._conversations.here.load_newer(handle.following)
        self._context.layout.chat.looked(hold=True)
        self.chat.ask()

    def reload(self) -> None:
        """What is shown of the room on the screen may be less or more than before."""
        if self._session.running:
            self.show(self._conversations.current)

    def caught_up(self) -> None:
        """Everything that was said meanwhile is here: who was at the end is shown where it begins."""
        handle, here = self._context.handle(), self._conversations.here
        if handle is not None and not here.detached and handle.unread and self._context.layout.chat.sees_end:
            self.show(self._conversations.current)

    def say(self, *lines: str, style: str = NOTICE) -> None:
        """The program says something in the room on the screen; clean already."""
        for line in lines:
            self._conversations.say(line, style)
        self.chat.ask()

    def picture_come(self, data: bytes) -> None:
        """A small picture is there: the messages that bring it are drawn anew."""
        here = self._conversations.here
        for entry in here.entries:
            if isinstance(entry, MessageReceived) and entry.file is not None and entry.file.preview == data:
                here.change(entry.message_id, entry.sender)
        self.waiting_changed = True
        self.chat.ask()

    # -- drawing ------------------------------------------------------------------------------------------------------

    def line(self, entry: Entry, previous: Entry | None = None, *, whole: bool = False) -> Line:
        """How an entry looks behind another one. ``whole``: also where it is long, and no person has opened it."""
        if not isinstance(entry, MessageReceived):
            return entry_line(entry)
        handle, transcript = self._context.handle(entry.room), self._conversations.of(entry.room)
        quoted = None if entry.reply_to is None else transcript.find(entry.reply_to)
        whole |= entry.message_id in transcript.whole
        first = transcript.number(entry.message_id)
        if handle is None or first != transcript.number(entry.message_id, entry.sender):
            return entry_line(entry, previous, quoted=quoted, whole=whole)  # signs are on the first message with an id
        place = (entry.room, entry.message_id)
        moved, paused = self._context.transfers.text(*place), self._context.transfers.paused(*place)
        arrived = handle.delivered_to(entry.message_id) if entry.own and handle.direct else ()
        signs = handle.reactions(entry.message_id)
        return entry_line(
            entry, previous, quoted=quoted, signs=signs, arrived=arrived, whole=whole, moved=moved, paused=paused
        )

    def copied(self, entry: Entry | WaitingMessage) -> str:
        """An entry as text."""
        if isinstance(entry, WaitingMessage):
            return copied(entry, self._waiting_line(entry), self._session.us)
        return copied(entry, self.line(entry, whole=True), entry.sender if isinstance(entry, MessageReceived) else "")

    def _draw(self) -> None:
        chat = self._context.layout.chat
        self.chat.seconds = SYNCING_SECONDS if self._session.state is State.SYNCING else DRAW_SECONDS
        if not self._conversations.current and chat.transcript is not self._conversations.here:
            chat.show(self._conversations.here)
        chat.refresh()
        if self.waiting_changed:
            self.waiting_changed = False
            chat.show_waiting(self._waiting_lines())
        self.drawn()

    def _waiting_lines(self) -> list[tuple[WaitingMessage, Line]]:
        handle = self._context.handle()
        if handle is None or handle.offered:
            return []
        entries, lines = self._conversations.here.entries, list[tuple[WaitingMessage, Line]]()
        previous: Before = entries[-1] if entries else None
        waiting = handle.waiting()
        for each in waiting[-MAX_WAITING_LINES:]:
            lines.append((each, self._waiting_line(each, previous)))
            previous = each
        if len(waiting) > len(lines):  # they leave at the server's pace
            last, line = lines[-1]
            more = translate("and {count} more").format(count=len(waiting) - len(lines))
            lines[-1] = (last, (*line, Span(f" {more}", "sending")))
        return lines

    def _waiting_line(self, message: WaitingMessage, previous: Before = None) -> Line:
        quoted = None if message.reply_to is None else self._conversations.here.find(message.reply_to)
        place = (self._conversations.current, message.message_id)
        moved, paused = self._context.transfers.text(*place), self._context.transfers.paused(*place)
        return waiting_line(message, self._session.us, quoted, previous, moved=moved, paused=paused)

    def _mark_seen(self) -> None:
        if not self._conversations.current:
            return
        handle = self._context.handle()
        if handle is not None and not handle.offered and self._context.looks:
            handle.mark_seen()
            self._conversations.mentioned.discard(self._conversations.current)
            self.lists.rooms.ask()
