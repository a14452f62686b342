"""Which events a run of the program shows, and how."""

from collections import deque
from collections.abc import Callable
from typing import Final

from chatserv.client import (
    Client,
    ClientEvent,
    MessageReceived,
    NotMember,
    PresenceSeen,
    RoomHandle,
    TypingSeen,
)
from chatserv.client.errors import NotFound
from clients.shared.event_text import as_json, news, readable

BELL: Final = "\a"
MAX_TYPED: Final = 1000  # messages on their way that stand on the screen


class Showing:
    """Shows events: in a talk all of them, otherwise the messages of one room.

    Args:
        client: Knows the rooms.
        room: Gives the name of the room that is talked in, or followed.
        write: Prints a line.
        talking: Whether a person reads.
        json: Whether messages are JSON objects.
        bell: Whether mentions ring, on a terminal.
    """

    def __init__(
        self,
        client: Client,
        room: Callable[[], str],
        write: Callable[[str], None],
        *,
        talking: bool,
        json: bool = False,
        bell: bool = False,
    ) -> None:
        self._client, self._room, self._write = client, room, write
        self._talking, self._json, self._bell = talking, json, bell
        self._typed: deque[bytes] = deque(maxlen=MAX_TYPED)

    def message(self, message: MessageReceived) -> bool:
        """Shows a message, if it is to be shown; says whether it was."""
        here = message.room == self._room()
        if self._typed_here(message) if self._talking else not here:
            return False  # it stands there as it was typed; whoever follows wants one room
        if self._json:
            self._write(as_json(message))
            return True
        quoted = None if message.reply_to is None else self.find(message.room, message.reply_to)
        ring = BELL if self._bell and message.mentioned else ""
        self._write(ring + readable(message, room=not here, quoted=quoted))
        return True

    def typed(self, message_id: bytes) -> None:
        """A message that stands on the screen already, as its person has typed it."""
        self._typed.append(message_id)

    def _typed_here(self, message: MessageReceived) -> bool:
        """Whether it was typed here, and not on another device of the person's."""
        if message.message_id not in self._typed:
            return False
        self._typed.remove(message.message_id)
        return True

    def news(self, event: ClientEvent) -> None:
        """Tells a person what else happens."""
        if not self._talking or (isinstance(event, PresenceSeen) and not self._is_here(event.user)):
            return
        if isinstance(event, TypingSeen) and event.room != self._room():
            return
        for line in news(event, self.find, self._client.keyring.user):
            self.say(line)

    def say(self, line: str) -> None:
        """News, for people only, beside the messages; the line is clean already."""
        if self._talking:
            self._write(f"-- {line}")

    def find(self, room: str, message_id: bytes) -> MessageReceived | None:
        """A message of a room by its id, if this device keeps it."""
        handle = self._handle(room)
        try:
            return None if handle is None else handle.find(message_id)
        except (NotFound, NotMember):
            return None

    def _handle(self, room: str) -> RoomHandle | None:
        try:
            return self._client.room(room)
        except NotMember:
            return None

    def _is_here(self, user: str) -> bool:
        handle = self._handle(self._room())
        return handle is not None and not handle.offered and any(member.user == user for member in handle.members())
