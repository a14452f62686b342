"""What of the current room stands in the scrollback, and how far it was read."""

from collections.abc import Callable
from typing import Final

from chatserv.client import MessageReceived, RoomHandle, translate
from clients.shared.separators import Separators
from clients.terminal.styled_lines import Line, conversation, header, message_fragments, news_line, separator_line

LEAST_KEPT: Final = 15  # messages that are shown where a room is entered; more where more are unread
MOST_KEPT: Final = 200
CONTEXT: Final = 3  # messages in front of the first unread one


class Scrollback:
    """Prints the messages of one room at a time, each once, and marks them as seen.

    Args:
        write: Prints a line.
        find: Finds the message that another one answers.
        later: Calls a function in the next turn of the reactor.
    """

    def __init__(
        self,
        write: Callable[[Line], None],
        find: Callable[[str, bytes], MessageReceived | None],
        later: Callable[[Callable[[], None]], object],
    ) -> None:
        self._write, self._find, self._later = write, find, later
        self._separators = Separators()
        self._room: RoomHandle | None = None
        self._printed = 0  # the place of the newest message on the screen
        self._room_id = b""
        self._marking = False

    def enter(self, handle: RoomHandle) -> None:
        """Heads the room, and shows what was said there last, with a line before what is new."""
        unread, read = handle.unread, handle.read
        kept = [] if handle.offered else handle.history(min(max(unread + CONTEXT, LEAST_KEPT), MOST_KEPT))
        self._room = handle
        self._separators = Separators()
        self._write(header(handle.name, "" if handle.offered else handle.topic))
        if unread > len(kept):
            said = translate("More unread messages: {count}; /log shows them.")
            self._write(news_line(said.format(count=unread - len(kept))))
        for line in conversation(kept, self._separators, read):
            self._write(line)
        self._printed = max(0, min(kept[-1].seq, handle.position)) if kept else 0
        self._room_id = handle.room_id
        self._separators.marked = unread > 0
        self._mark_seen()

    def message(self, message: MessageReceived, *, missed: bool) -> None:
        """Prints a message of the room.

        Args:
            message: Which.
            missed: Whether it was said while we were not there, so that a line belongs before the first such one.
        """
        if message.room_id != self._room_id:  # direct messages have begun anew, with places of their own
            self._room_id, self._printed = message.room_id, 0
        if message.seq <= self._printed:
            return  # it was among those that stand there since the room was entered
        for each in self._separators.before(message, 0 if missed else None):
            self._write(separator_line(each))
        quoted = None if message.reply_to is None else self._find(message.room, message.reply_to)
        self._write(message_fragments(message, quoted))
        self._printed = message.seq
        if not self._marking:
            self._marking = True
            self._later(self._mark_seen)

    def parted(self) -> None:
        """The connection is gone: what comes when it is back was missed."""
        self._separators.marked = False

    def rewound(self, head: int) -> None:
        """The server has lost what came behind ``head``: other messages will have those places."""
        self._printed = min(self._printed, head)

    def stop(self) -> None:
        """The client ends."""
        self._room = None

    def _mark_seen(self) -> None:
        self._marking = False
        if self._room is not None and self._printed:
            self._room.mark_seen(self._printed)
