"""What parts the messages of a room: days, and the place from which on they are new."""

from dataclasses import dataclass

from chatserv.client import MessageReceived, date, translate
from clients.shared.dates import day_text


@dataclass(frozen=True)
class Day:
    """Here a day begins."""

    at_ms: int


@dataclass(frozen=True)
class Anew:
    """Here direct messages begin anew, as the identity of one of the two was reset."""


@dataclass(frozen=True)
class Unread:
    """Here begins what was not read."""


def anew_text() -> str:
    """What stands on the line where direct messages begin anew."""
    return translate("new identity: the conversation begins anew")


def is_unread(message: MessageReceived, read: int) -> bool:
    """Whether somebody else has said it, behind the read marker."""
    return message.seq > read and not message.own


class Separators:
    """Says what stands in front of each message of a room, one after the other.

    Args:
        after: What the first one stands behind.

    Attributes:
        marked: Whether it was said already where what is new begins.
    """

    def __init__(self, after: MessageReceived | Day | None = None) -> None:
        self._day = "" if after is None else date(after.at_ms)
        self._room_id = after.room_id if isinstance(after, MessageReceived) else b""
        self.marked = False

    def before(self, message: MessageReceived, read: int | None = None) -> list[Day | Anew | Unread]:
        """What stands in front of this message. ``read``: the read marker; None where what is new is not looked for."""
        found: list[Day | Anew | Unread] = []
        if self._room_id not in (b"", message.room_id):
            found.append(Anew())
        self._room_id = message.room_id
        day = date(message.at_ms)
        if day != self._day and day_text(message.at_ms):  # else it is no time at all
            self._day = day
            found.append(Day(message.at_ms))
        if read is not None and not self.marked and is_unread(message, read):
            self.marked = True
            found.append(Unread())
        return found
