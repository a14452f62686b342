"""What stands beside and above the conversation: all rooms, the members of the one on the screen, its name and topic."""

from typing import Final

from chatserv.client import place, shown
from clients.window.context import WindowContext
from clients.window.session import State
from clients.window.widgets.rows import member_rows, room_row
from clients.window.widgets.throttle import Throttle

ROOMS_SECONDS: Final = 0.25
MEMBERS_SECONDS: Final = 0.3


class Lists:
    """Draws them, not more often than a person can see.

    Args:
        context: What all parts share.
    """

    def __init__(self, context: WindowContext) -> None:
        self._context, self._session, self._conversations = context, context.session, context.conversations
        self.rooms = Throttle(context.reactor, ROOMS_SECONDS, self._draw_rooms)
        self.members = Throttle(context.reactor, MEMBERS_SECONDS, self._draw_members)

    def stop(self) -> None:
        """Nothing is drawn any more."""
        self.rooms.stop()
        self.members.stop()

    def head(self) -> None:
        """Says above the conversation where one is."""
        handle, layout = self._context.handle(), self._context.layout
        room = self._conversations.current
        layout.heading.show(
            place(room) if room else "", "" if handle is None or handle.offered else shown(handle.topic)
        )

    def _draw_rooms(self) -> None:
        layout, client = self._context.layout, self._session.client
        if client is None or not self._session.running:
            layout.rooms.show([])
            layout.root.title("chatserv")
            return
        if self._session.state is State.SYNCING:
            self.rooms.ask()  # until it is over, now and then
        current, rows, unread = self._conversations.current, [], 0
        looks = self._context.looks
        for name, handle in zip(client.rooms, client.handles(), strict=False):  # both in order of name
            mentioned = name in self._conversations.mentioned
            row = room_row(handle, name, current=looks and name == current, mentioned=mentioned)
            unread += bool(row.facts)
            rows.append(row)
        layout.rooms.show(rows, current)
        layout.heading.unread(unread)
        self.head()
        count = f"({unread}) " if unread else ""
        layout.root.title(f"{count}{place(current)} - {shown(self._session.us)} - chatserv")

    def _draw_members(self) -> None:
        handle, layout = self._context.handle(), self._context.layout
        if handle is None or handle.offered:
            layout.members.show([])
            layout.heading.count(0)
            return
        members = handle.members()
        ignored = () if self._session.client is None else self._session.client.people.ignored()
        layout.members.show(member_rows([*members, *handle.members(banned=True)], self._session.us, ignored))
        layout.heading.count(len(members))

    # -- going from room to room --------------------------------------------------------------------------------------

    def room_at(self, number: int) -> str:
        """The room of this number in the list, from 1; empty where there is none."""
        rows = self._context.layout.rooms.rows
        return rows[number - 1].key if 1 <= number <= len(rows) else ""

    def next_unread(self) -> str:
        """The next room with something new, those first where somebody calls us; empty for none."""
        rows = self._context.layout.rooms.rows
        keys = [row.key for row in rows]
        at = keys.index(self._conversations.current) if self._conversations.current in keys else 0
        after = [row for row in rows[at + 1 :] + rows[:at] if row.facts]
        return next((row.key for row in sorted(after, key=lambda row: "mentioned" not in row.tags)), "")
