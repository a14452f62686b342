"""What stands in the field and is not sent yet: it belongs to the room where it was written."""

from dataclasses import dataclass, field
from typing import Final

from chatserv.client import MessageReceived, RoomHandle

MAX_HISTORY: Final = 200


class History:
    """What was sent before, bounded."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._at = 0
        self._begun = ""

    def add(self, line: str) -> None:
        """It was sent."""
        if line.strip() and (not self._lines or self._lines[-1] != line):
            self._lines.append(line)
            del self._lines[:-MAX_HISTORY]
        self._at, self._begun = len(self._lines), ""

    def step(self, by: int, now: str) -> str:
        """The line before or behind, where ``now`` is what stands in the field."""
        if self._at == len(self._lines):
            self._begun = now
        self._at = min(max(self._at + by, 0), len(self._lines))
        return self._begun if self._at == len(self._lines) else self._lines[self._at]


@dataclass(frozen=True)
class Begun:
    """What the next line is: an answer to a message, or its new text (``edit``); in this room and in no other."""

    edit: bool
    message: MessageReceived
    room: RoomHandle


@dataclass
class Draft:
    """What a room's field holds while another room is on the screen.

    Attributes:
        text: What was being written.
        begun: What it was, if it was no ordinary message.
        room: Where; None where the room was not known yet.
        history: What was sent from there before.
    """

    text: str = ""
    begun: Begun | None = None
    room: RoomHandle | None = None
    history: History = field(default_factory=History)
