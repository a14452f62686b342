"""What was sent before, for the arrows in the field."""

from typing import Final

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
