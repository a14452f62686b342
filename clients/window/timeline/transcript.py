"""The conversation of one room as a bounded list of entries; knows nothing of any window.

Entries have numbers that never change: new ones are added behind the last, older ones before the first.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from chatserv.client import MessageReceived
from clients.shared.separators import Day, Separators
from clients.window.timeline.drafts import Draft
from clients.window.timeline.entries import LOUD, Entry, Newer, Note
from clients.window.timeline.notes import Notes, composed, is_new

MAX_ENTRIES: Final = 2000
DROPPED: Final = 200  # entries at once, when there are too many
LOADED: Final = 200  # messages at once
AROUND: Final = 30  # messages behind one that is looked for
MAX_WHOLE: Final = 100  # long messages that are open

History = Callable[[int, int | None], list[MessageReceived]]
"""The last so many messages before a place, oldest first."""

Following = Callable[[int, int], list[MessageReceived]]
"""The first messages behind a place, so many."""


class Transcript:
    """What one room's conversation consists of.

    Attributes:
        entries: In order.
        first: The number of the first entry.
        changed: Numbers of entries that look other than before.
        loaded: Whether messages are held, or notes alone.
        detached: Whether the newest messages are not held, since older ones are looked at.
        complete: Whether nothing older is kept on this device.
        urgent: Whether something loud was said that is not drawn yet.
        draft: What was being written there.
        whole: Ids of long messages that a person has opened.
        unread: The number of the first entry that was new when the room was opened: a line that says so, or a message.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.first = 0
        self.changed: dict[int, None] = {}
        self.loaded = self.detached = self.complete = self.urgent = False
        self.unread: int | None = None
        self.draft = Draft()
        self.whole: dict[bytes, None] = {}
        self._notes = Notes()
        self._numbers: dict[bytes, dict[str, int]] = {}  # by id, and by sender: who sends chooses the id
        self._newest = 0

    @property
    def end(self) -> int:
        """The number behind the last entry."""
        return self.first + len(self.entries)

    @property
    def empty(self) -> bool:
        """Whether no message is held."""
        return not self._numbers

    def entry(self, number: int) -> Entry | None:
        """The entry of this number, if it is still there."""
        return self.entries[number - self.first] if self.first <= number < self.end else None

    def find(self, message_id: bytes, sender: str | None = None) -> MessageReceived | None:
        """The message with this id, if it is held: that of one sender, or the first one."""
        number = self.number(message_id, sender)
        found = None if number is None else self.entry(number)
        return found if isinstance(found, MessageReceived) else None

    def number(self, message_id: bytes, sender: str | None = None) -> int | None:
        """The number of the entry with this message."""
        held = self._numbers.get(message_id, {})
        return min(held.values(), default=None) if sender is None else held.get(sender)

    # -- what happens -------------------------------------------------------------------------------------------------

    def receive(self, message: MessageReceived) -> None:
        """A message came."""
        if not self._newest:
            self._notes.settle(message.seq - 1)
        self._newest = max(self._newest, message.seq)
        if self.loaded and not self.detached and self.number(message.message_id, message.sender) is None:
            self._append(message)

    def note(self, note: Note) -> None:
        """The program says something; it stands at the end, also of what is old."""
        note = self._notes.add(note, self._newest)
        self.urgent |= note.style == LOUD
        self._append(note)

    def take_notes(self) -> list[Note]:
        """What the program has said, which is here no more."""
        notes, self._notes = self._notes, Notes()
        self._restart([])
        self.urgent = False
        return notes.kept

    def rename(self, room: str) -> None:
        """The room has another name."""
        self.entries = [
            replace(entry, room=room) if isinstance(entry, MessageReceived) else entry for entry in self.entries
        ]

    def change(self, message_id: bytes, sender: str | None = None, **fields: Any) -> None:
        """A message is another one now, or looks otherwise: that of one sender, or the first one with this id."""
        number = self.number(message_id, sender)
        if number is None:
            return
        message = self.entries[number - self.first]
        if isinstance(message, MessageReceived) and fields:
            self.entries[number - self.first] = replace(message, **fields)
        self.changed[number] = None

    def show_whole(self, message_id: bytes, sender: str) -> None:
        """A long message is shown whole from now on, or folds again."""
        if message_id in self.whole:
            del self.whole[message_id]
        else:
            self.whole[message_id] = None
            if len(self.whole) > MAX_WHOLE:
                del self.whole[next(iter(self.whole))]
        self.change(message_id, sender)

    def _append(self, entry: Entry) -> None:
        if isinstance(entry, MessageReceived):
            last = next((each for each in reversed(self.entries) if isinstance(each, MessageReceived | Day)), None)
            self.entries += Separators(last).before(entry)
            self._hold(entry, self.end)
        self.entries.append(entry)
        if len(self.entries) > MAX_ENTRIES:
            self._drop(DROPPED)

    def _drop(self, count: int) -> None:
        self._let_go(self.entries[:count])
        del self.entries[:count]
        self.first += count
        self.complete = False

    def _hold(self, entry: Entry, number: int) -> None:
        if isinstance(entry, MessageReceived):
            self._numbers.setdefault(entry.message_id, {})[entry.sender] = number

    def _let_go(self, entries: list[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, MessageReceived):
                held = self._numbers.get(entry.message_id, {})
                held.pop(entry.sender, None)
                if not held:
                    self._numbers.pop(entry.message_id, None)

    # -- what this device keeps ---------------------------------------------------------------------------------------

    def unload(self) -> None:
        """The room is not on the screen any more: notes alone are kept."""
        self._restart([])
        for note in self._notes.kept:
            self._append(note)
        self.loaded = self.detached = False

    def load_newest(self, history: History, read: int = 0) -> None:
        """Begins anew at the newest messages.

        Args:
            history: Has them.
            read: The read marker; what others said behind it is new.
        """
        kept = history(LOADED, None)
        self._know(kept)
        self.complete = len(kept) < LOADED
        self._restart(composed(kept, self._notes.kept, read), read)
        self.loaded, self.detached = True, False

    def load_unread(self, history: History, read: int, unread: int) -> None:
        """Begins anew where the read marker is: at the newest messages, if what is new begins among them.

        Args:
            history: Has them.
            read: The read marker.
            unread: How many messages of others there are behind it.
        """
        if unread < LOADED:
            self.load_newest(history, read)
            oldest = next((entry.seq for entry in self.entries if isinstance(entry, MessageReceived)), 0)
            before = [] if self.complete or oldest <= read else history(1, oldest)
            if not before or before[-1].seq <= read:
                return
        self.load_around(history, read, read)

    def load_around(self, history: History, seq: int, read: int | None = None) -> None:
        """Shows the messages around a place. ``read``: see `load_newest`; None where what is new is not looked for."""
        newest, kept = history(1, None), history(LOADED, seq + AROUND)
        self._know(newest)
        self.complete = len(kept) < LOADED
        self.detached = bool(kept and newest) and kept[-1].seq < newest[-1].seq
        if self.detached:
            self._restart([*composed(kept, [], read), Newer()], read)
        else:
            self._restart(composed(kept, self._notes.kept, read), read)
        self.loaded = True

    def _know(self, kept: list[MessageReceived]) -> None:
        self._newest = max([self._newest, *(message.seq for message in kept)])
        self._notes.settle(self._newest)

    def load_older(self, history: History) -> int:
        """Puts older messages before the first one. Returns how many entries came."""
        oldest = next((entry for entry in self.entries if isinstance(entry, MessageReceived)), None)
        if oldest is None or self.complete or not self.loaded:
            return 0
        kept = history(LOADED, oldest.seq)
        self.complete = len(kept) < LOADED
        older = composed(kept, [], None)
        self.first -= len(older)
        self.entries[:0] = older
        for at, entry in enumerate(older):
            self._hold(entry, self.first + at)
        self._cut_end()
        return len(older)

    def load_newer(self, following: Following) -> int:
        """Puts the messages behind the last one that is held. Returns how many came; 0 where the newest are held."""
        if not self.detached:
            return 0
        last = max((entry.seq for entry in self.entries if isinstance(entry, MessageReceived)), default=0)
        kept = following(last, LOADED)
        end = next((at for at, entry in enumerate(self.entries) if isinstance(entry, Newer)), len(self.entries))
        self.changed.update(dict.fromkeys(range(self.first + end, self.end)))
        del self.entries[end:]
        self.detached = bool(kept) and kept[-1].seq < self._newest
        for message in kept:
            self._append(message)
        self.entries.extend([Newer()] if self.detached else self._notes.kept)
        return len(kept)

    def _cut_end(self) -> None:
        """Whoever reads what is old does not look at the newest."""
        if len(self.entries) <= MAX_ENTRIES:
            return
        self._let_go(self.entries[MAX_ENTRIES - 1 :])
        self.entries[MAX_ENTRIES - 1 :] = [Newer()]
        self.changed[self.end - 1] = None
        self.detached = True

    def _restart(self, entries: list[Entry], read: int | None = None) -> None:
        self.first = self.end + 1  # so that nothing of before is taken for one of these
        self.entries = entries[-MAX_ENTRIES:]
        self.changed.clear()
        self._numbers = {}
        for at, entry in enumerate(self.entries):
            self._hold(entry, self.first + at)
        first = (
            None if read is None else next((at for at, entry in enumerate(self.entries) if is_new(entry, read)), None)
        )
        self.unread = None if first is None else self.first + first
