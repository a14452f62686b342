"""What of an account is on the screen: one room's conversation, all rooms, that room's members."""

from collections.abc import Callable
from typing import Any, Final

from chatserv.client import (
    MessageReceived,
    NotMember,
    RoomHandle,
    WaitingMessage,
    place,
    shown,
    translate,
)
from clients.shared.talk import Talk
from clients.window.layout import Layout
from clients.window.session import Session, State
from clients.window.timeline.conversations import Conversations
from clients.window.timeline.entries import Before, Entry, Line, copied, entry_line, waiting_line
from clients.window.timeline.transcript import Transcript
from clients.window.widgets.rows import member_rows, room_row
from clients.window.widgets.throttle import Throttle

DRAW_SECONDS: Final = 0.03
SYNCING_SECONDS: Final = 0.2  # between two looks at what comes by the thousand
ROOMS_SECONDS: Final = 0.25
MEMBERS_SECONDS: Final = 0.3
SEEN_SECONDS: Final = 1.0


class Screen:
    """Draws; nothing more often than a person can see.

    Args:
        reactor: Tells the time.
        session: Has the client.
        conversations: What was said.
        layout: Gives the parts of the window, once they are there.
        talk: Gives the talk that the connection has, if there is one.
    """

    def __init__(
        self,
        reactor: Any,
        session: Session,
        conversations: Conversations,
        layout: Callable[[], Layout],
        talk: Callable[[], Talk | None],
    ) -> None:
        self._session, self._conversations, self._layout, self._talk = session, conversations, layout, talk
        self.chat = Throttle(reactor, DRAW_SECONDS, self._draw)
        self.rooms = Throttle(reactor, ROOMS_SECONDS, self._draw_rooms)
        self.members = Throttle(reactor, MEMBERS_SECONDS, self._draw_members)
        self.seen = Throttle(reactor, SEEN_SECONDS, self._mark_seen)
        self.waiting_changed = False
        self.followed: Callable[[], None] = lambda: None  # called whenever the room was looked at
        self.leaving: Callable[[], None] = lambda: None  # before another room is shown
        self.drawn: Callable[[], None] = lambda: None  # after what stands in the conversation is drawn
        self.entered: Callable[[], None] = lambda: None  # and when it is

    def stop(self) -> None:
        """Nothing is drawn any more."""
        for each in (self.chat, self.rooms, self.members, self.seen):
            each.stop()

    # -- the room -----------------------------------------------------------------------------------------------------

    def handle(self, room: str = "") -> RoomHandle | None:
        """A room that we are in, by default the one on the screen."""
        name = room or self._conversations.current
        if not self._session.running or self._session.client is None or not name:
            return None
        try:
            return self._session.client.room(name)
        except NotMember:
            return None

    @property
    def us(self) -> str:
        """Our name."""
        return "" if self._session.client is None else self._session.client.user

    def follow(self) -> None:
        """Shows the room that the talk is in."""
        talk = self._talk()
        if talk is not None and self._session.running:
            room = talk.slash.room
            if room != self._conversations.current or not self._conversations.here.loaded:
                self.show(room)
            self.followed()

    def show(self, room: str) -> None:
        """Shows a room: where it was not read yet, else at its end."""
        transcript, handle = self._go(room), self.handle(room)
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
        transcript, handle = self._go(message.room), self.handle(message.room)
        if handle is None:
            return
        transcript.load_around(handle.history, message.seq)
        self._show(transcript.number(message.message_id, message.sender))

    def _show(self, number: int | None = None) -> None:
        layout = self._layout()
        layout.chat.show(self._conversations.here, number)
        self.waiting_changed = True
        self._draw()
        self._head()
        for each in (self.rooms, self.members, self.seen):
            each.ask()

    def newest(self) -> None:
        """Back from what is old."""
        handle, here = self.handle(), self._conversations.here
        if handle is not None and here.detached:
            here.load_newest(handle.history, handle.position)
            self._show()

    def older(self) -> None:
        """The beginning of what is drawn was reached."""
        handle, layout = self.handle(), self._layout()
        transcript = self._conversations.here
        if layout.chat.all_drawn_above and handle is not None:
            transcript.load_older(handle.history)
        layout.chat.draw_older()

    def newer(self) -> None:
        """The end of what is held was reached, while the newest is elsewhere."""
        handle = self.handle()
        if handle is not None:
            self._conversations.here.load_newer(handle.following)
        self._layout().chat.looked(hold=True)
        self.chat.ask()

    def reload(self) -> None:
        """What is shown of the room on the screen may be less or more than before."""
        if self._session.running:
            self.show(self._conversations.current)

    def caught_up(self) -> None:
        """Everything that was said meanwhile is here: who was at the end is shown where it begins."""
        handle, here = self.handle(), self._conversations.here
        if handle is not None and not here.detached and handle.unread and self._layout().chat.sees_end:
            self.show(self._conversations.current)

    # -- drawing ------------------------------------------------------------------------------------------------------

    def line(self, entry: Entry, previous: Entry | None = None) -> Line:
        """How an entry looks behind another one."""
        if not isinstance(entry, MessageReceived):
            return entry_line(entry)
        handle, transcript = self.handle(entry.room), self._conversations.of(entry.room)
        quoted = None if entry.reply_to is None else transcript.find(entry.reply_to)
        first = transcript.number(entry.message_id)
        if handle is None or first != transcript.number(entry.message_id, entry.sender):
            return entry_line(entry, previous, quoted=quoted)  # signs are on the first message with an id
        arrived = handle.delivered_to(entry.message_id) if entry.own and handle.direct else ()
        return entry_line(entry, previous, quoted=quoted, signs=handle.reactions(entry.message_id), arrived=arrived)

    def copied(self, entry: Entry | WaitingMessage) -> str:
        """An entry as text."""
        if isinstance(entry, WaitingMessage):
            return copied(entry, self._waiting_line(entry), self.us)
        return copied(entry, self.line(entry), entry.sender if isinstance(entry, MessageReceived) else "")

    def _draw(self) -> None:
        chat = self._layout().chat
        self.chat.seconds = SYNCING_SECONDS if self._session.state is State.SYNCING else DRAW_SECONDS
        if not self._conversations.current and chat.transcript is not self._conversations.here:
            chat.show(self._conversations.here)
        chat.refresh()
        if self.waiting_changed:
            self.waiting_changed = False
            chat.show_waiting(self._waiting_lines())
        self.drawn()

    @property
    def empty(self) -> bool:
        """Whether nobody has said anything in the room on the screen, as far as it is kept here."""
        handle, here = self.handle(), self._conversations.here
        return here.empty and not (handle is not None and handle.waiting())

    @property
    def has_rooms(self) -> bool:
        """Whether we are in any room, or invited."""
        return self._session.client is not None and bool(self._session.client.rooms)

    def _waiting_lines(self) -> list[tuple[WaitingMessage, Line]]:
        handle = self.handle()
        if handle is None or handle.offered:
            return []
        entries, lines = self._conversations.here.entries, list[tuple[WaitingMessage, Line]]()
        previous: Before = entries[-1] if entries else None
        for each in handle.waiting():
            lines.append((each, self._waiting_line(each, previous)))
            previous = each
        return lines

    def _waiting_line(self, message: WaitingMessage, previous: Before = None) -> Line:
        find = self._conversations.here.find
        return waiting_line(message, self.us, None if message.reply_to is None else find(message.reply_to), previous)

    def _head(self) -> None:
        handle, layout = self.handle(), self._layout()
        room = self._conversations.current
        layout.heading.show(place(room) if room else "", "" if handle is None else shown(handle.topic))

    def _draw_rooms(self) -> None:
        layout, client = self._layout(), self._session.client
        if client is None or not self._session.running:
            layout.rooms.show([])
            layout.root.title("chatserv")
            return
        if self._session.state is State.SYNCING:
            self.rooms.ask()  # until it is over, now and then
        current, rows, unread = self._conversations.current, [], 0
        looks = self._looks
        for name, handle in zip(client.rooms, client.handles(), strict=False):  # both in order of name
            mentioned = name in self._conversations.mentioned
            row = room_row(handle, name, current=looks and name == current, mentioned=mentioned)
            unread += bool(row.facts)
            rows.append(row)
        layout.rooms.show(rows, current)
        layout.heading.unread(unread)
        self._head()
        count = f"({unread}) " if unread else ""
        layout.root.title(f"{count}{place(current)} - {shown(self.us)} - chatserv")

    def _draw_members(self) -> None:
        handle, layout = self.handle(), self._layout()
        if handle is None or handle.offered:
            layout.members.show([])
            layout.heading.count(0)
            return
        members = handle.members()
        ignored = () if self._session.client is None else self._session.client.people.ignored()
        layout.members.show(member_rows([*members, *handle.members(banned=True)], self.us, ignored))
        layout.heading.count(len(members))

    @property
    def _looks(self) -> bool:
        """Whether a person has the newest line before their eyes."""
        layout, here = self._layout(), self._conversations.here
        syncing = self._session.state in {State.CONNECTING, State.SYNCING}
        return layout.focused and not here.detached and layout.chat.at_end and not syncing

    def _mark_seen(self) -> None:
        if not self._conversations.current:
            return
        handle = self.handle()
        if handle is not None and not handle.offered and self._looks:
            handle.mark_seen()
            self._conversations.mentioned.discard(self._conversations.current)
            self.rooms.ask()

    # -- going from room to room --------------------------------------------------------------------------------------

    def room_at(self, number: int) -> str:
        """The room of this number in the list, from 1; empty where there is none."""
        rows = self._layout().rooms.rows
        return rows[number - 1].key if 1 <= number <= len(rows) else ""

    def next_unread(self) -> str:
        """The next room with something new, those first where somebody calls us; empty for none."""
        rows = self._layout().rooms.rows
        keys = [row.key for row in rows]
        at = keys.index(self._conversations.current) if self._conversations.current in keys else 0
        after = [row for row in rows[at + 1 :] + rows[:at] if row.facts]
        return next((row.key for row in sorted(after, key=lambda row: "mentioned" not in row.tags)), "")

    def explain_offer(self, room: str) -> str:
        """What a room that waits for our consent is."""
        if room.startswith("@"):
            said = translate(
                "{user} wants to talk with you directly. Nothing of it is shown until you accept. Who is refused is not "
                "told, and does not ask again."
            )
            return said.format(user=shown(room[1:]))
        said = translate("You are invited to {room}. Nothing of it is shown until you accept.")
        return said.format(room=place(room))
