"""What the word in front of the cursor may become."""

from collections.abc import Callable
from typing import Final

from chatserv.client import Slash, clean_line
from clients.shared.common_start import common_start
from clients.terminal.styled_lines import Line

MAX_CANDIDATES: Final = 100
SHOWN_CANDIDATES: Final = 8


def candidates(line: str, slash: Slash) -> tuple[int, list[str]]:
    """How many characters before the cursor are replaced, and by what: in order, bounded, and drawable.

    A command and its arguments are completed by the table of commands, other words to users (``name: `` where the line
    begins) and rooms (``#plans``).
    """
    found = slash.complete(line)
    replaced = len(line)
    if not found and (" " in line or not line.startswith("/")):
        replaced, found = len(line.rpartition(" ")[2]), slash.complete_word(line)
    drawable = [each for each in found if clean_line(each) == each]
    return replaced, drawable[:MAX_CANDIDATES]


class Completion:
    """What the Tab key does: the one candidate, or what all have in common, then one after the other.

    Args:
        find: Gives how much of a line is replaced, and by what.
    """

    def __init__(self, find: Callable[[str], tuple[int, list[str]]]) -> None:
        self._find = find
        self._base = self._last = ""
        self.candidates: list[str] = []
        self.index: int | None = None

    def forget(self) -> None:
        """The line is another one now."""
        self._last, self.candidates, self.index = "", [], None

    def tab(self, line: str, step: int = 1) -> str:
        """What the line in front of the cursor becomes."""
        if self.candidates and line == self._last:
            self.index = (-1 if self.index is None and step > 0 else self.index or 0) + step
            self.index %= len(self.candidates)
            self._last = self._base + self.candidates[self.index]
            return self._last
        replaced, self.candidates = self._find(line)
        self.index = None
        self._base = line[: len(line) - replaced]
        if len(self.candidates) < 2:
            made = self._base + self.candidates[0] if self.candidates else line
            self.forget()
            return made
        common = common_start(self.candidates)
        self._last = self._base + common if len(common) >= replaced else line
        return self._last

    def shown(self) -> list[Line]:
        """The candidates around the one that stands there, on a line; none where there is nothing to choose."""
        if not self.candidates:
            return []
        first = 0 if self.index is None else self.index // SHOWN_CANDIDATES * SHOWN_CANDIDATES
        line: Line = []
        for number, each in enumerate(self.candidates[first : first + SHOWN_CANDIDATES], first):
            line.append(("class:candidate" if number == self.index else "class:candidates", f" {each.strip()} "))
        hidden = len(self.candidates) - SHOWN_CANDIDATES
        return [[*line, ("class:candidates", f" +{hidden}")] if hidden > 0 else line]
