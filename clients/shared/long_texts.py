"""Long texts: how much of one stands in a conversation."""

from typing import Final

from clients.shared.wrapping import rows

FOLDED_ABOVE: Final = 16  # lines: shorter texts are shown whole
SHOWN_LINES: Final = 12  # of longer ones
_COLUMNS: Final = 80  # of a line that counts as one: a long one counts as several, as it takes several rows


def beginning(text: str) -> tuple[str, int]:
    """What is shown of a text, and how many lines are left out.

    Args:
        text: Clean, with line breaks.
    """
    found = rows(text, _COLUMNS, 0)
    if len(found) <= FOLDED_ABOVE:
        return text, 0
    return text[: found[SHOWN_LINES - 1][1]], len(found) - SHOWN_LINES
