"""What the server says in passing, and keeps nowhere: who is there, who types, how far others have read."""

from typing import Final

from chatserv.client.connection.addresses import keep_addresses
from chatserv.client.events import Announced, PresenceSeen, ReadMoved, TypingSeen
from chatserv.client.state.context import ClientContext
from chatserv.client.state.rooms import Rooms
from chatserv.wire import messages

Notice = messages.Presence | messages.Typing | messages.Read | messages.Announcement | messages.Addresses
PRESENCES: Final = ("offline", "online", "away")


class Notices:
    """Tells the program, and remembers what of it can be looked at, as long as the session lasts.

    Args:
        context: What the client's parts share.
        rooms: All rooms.

    Attributes:
        presence: By user: ``online``, ``away`` or ``offline``.
        read: By room and user: how far they have read.
    """

    def __init__(self, context: ClientContext, rooms: Rooms) -> None:
        self._context, self._rooms = context, rooms
        self.presence: dict[str, str] = {}
        self.read: dict[tuple[bytes, str], int] = {}

    def clear(self) -> None:
        """The session is over."""
        self.presence.clear()
        self.read.clear()

    def take(self, notice: Notice) -> None:
        """A notice came."""
        if not isinstance(notice, messages.Announcement | messages.Addresses) and notice.user == self._context.user:
            return  # our own devices tell each other what they have to, by what the server cannot make up
        match notice:
            case messages.Presence(user, status):
                before, self.presence[user] = self.presence.get(user), PRESENCES[status]
                if before != PRESENCES[status]:  # it comes once for each room that we share
                    self._context.emit(PresenceSeen(user, PRESENCES[status]))
            case messages.Addresses(addresses):
                keep_addresses(self._context, addresses)
            case messages.Announcement(text, at):
                self._context.emit(Announced(text, at))
            case messages.Typing(user=user) if user in self._context.vault.ignored:
                pass
            case messages.Typing(room_id, user) if (room := self._rooms.get(room_id)) is not None and room.in_it:
                self._context.emit(TypingSeen(self._rooms.name(room), user, room_id))
            case messages.Read(room_id, user, seq) if (room := self._rooms.get(room_id)) is not None and room.in_it:
                if seq > room.newest:  # else the server could have us, or somebody, read what will be said one day
                    return
                self.read[room.room_id, user] = seq
                self._context.emit(ReadMoved(self._rooms.name(room), user, seq, room_id))
