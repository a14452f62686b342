"""A client that drops one line of its output and doubles another: what ``make demo BREAK=1`` must catch."""

from typing import Final

from clients import stdio
from clients.plain import mode
from clients.shared.printing import Printing

DROPPED: Final = 5
DOUBLED: Final = 9


class FaultyPrinting(Printing):
    """The real program's output with a fault."""

    printed = 0

    def line(self, text: str) -> None:
        """Prints a line once, but for two."""
        self.printed += 1
        for _ in range({DROPPED: 0, DOUBLED: 2}.get(self.printed, 1)):
            super().line(text)


if __name__ == "__main__":
    mode.Printing = FaultyPrinting  # type: ignore[attr-defined]
    stdio.main()
