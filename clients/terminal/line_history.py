"""Lines that were typed, for the arrow keys and Ctrl-R: in memory, and so many."""

from collections import deque
from collections.abc import AsyncGenerator, Iterable
from typing import Final

from prompt_toolkit.history import History

MAX_REMEMBERED: Final = 500


class LineHistory(History):
    """The last lines of this run. They hold what was said, so nothing is written to a file."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=MAX_REMEMBERED)

    async def load(self) -> AsyncGenerator[str, None]:
        """All of them, the newest first."""
        for line in reversed(self._lines):
            yield line

    def get_strings(self) -> list[str]:
        """All of them, the oldest first."""
        return list(self._lines)

    def append_string(self, string: str) -> None:
        """One more; the oldest goes where there are too many."""
        self._lines.append(string)

    def load_history_strings(self) -> Iterable[str]:
        """None: there is no file."""
        return ()

    def store_string(self, string: str) -> None:
        """Stores nothing."""
