"""What the program says between messages: bounded, and each note at its place."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from chatserv.client import MessageReceived
from clients.shared.separators import Day, Separators, Unread, is_unread
from clients.window.timeline.entries import LOUD, Entry, Note

MAX_NOTES: Final = 200  # that are kept of a room, without the loud ones
MAX_LOUD: Final = 50  # loud notes that are kept; others do not push them out
_UNKNOWN: Final = 1 << 63  # behind messages of which none is known yet


class Notes:
    """The notes of one room, in order; they are kept also while it is not on the screen."""

    def __init__(self) -> None:
        self.kept: list[Note] = []

    def add(self, note: Note, newest: int) -> Note:
        """Another one, behind the message at the place ``newest``; 0 where none is known. Returns it with its place."""
        note = replace(note, after=newest or _UNKNOWN)
        self.kept.append(note)
        loud = note.style == LOUD
        alike = [at for at, each in enumerate(self.kept) if (each.style == LOUD) is loud]
        if len(alike) > (MAX_LOUD if loud else MAX_NOTES):
            del self.kept[alike[0]]
        return note

    def settle(self, seq: int) -> None:
        """Notes from before a message was known stand behind this place."""
        self.kept = [replace(note, after=min(note.after, seq)) for note in self.kept]


def is_new(entry: Entry, read: int) -> bool:
    """Whether an entry says that something is new, or is a message of somebody else behind the read marker."""
    return isinstance(entry, Unread) or (isinstance(entry, MessageReceived) and is_unread(entry, read))


def composed(kept: Iterable[MessageReceived], notes: Sequence[Note], read: int | None) -> list[Entry]:
    """Messages with the days between them, each note behind the message that was the newest then.

    Args:
        kept: The messages, oldest first.
        notes: What was said between them, and behind them.
        read: The read marker; None where what is new is not looked for.
    """
    found: list[Entry] = []
    waiting, separators = list(notes), Separators()
    for message in kept:
        while waiting and waiting[0].after < message.seq:
            found.append(waiting.pop(0))
        for each in separators.before(message, read):
            if isinstance(each, Day) or any(isinstance(entry, MessageReceived) for entry in found):
                found.append(each)
        found.append(message)
    return found + list(waiting)
