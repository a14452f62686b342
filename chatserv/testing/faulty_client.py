"""A client that drops one line of its output and doubles another: what ``make demo BREAK=1`` must catch."""

from typing import Final

from clients import stdio
from clients.program import Program

DROPPED: Final = 5
DOUBLED: Final = 9


class FaultyProgram(Program):
    """The real program with a fault in its output."""

    printed = 0

    def _print(self, line: str) -> None:
        self.printed += 1
        for _ in range({DROPPED: 0, DOUBLED: 2}.get(self.printed, 1)):
            super()._print(line)


if __name__ == "__main__":
    stdio.Program = FaultyProgram  # type: ignore[attr-defined]
    stdio.main()
