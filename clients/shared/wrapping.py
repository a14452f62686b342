"""Where a line is broken for a screen.

Whoever writes a message must not choose what stands at the left edge: rows that go on are indented, so that padding to the
width of a terminal forges no line of somebody else, or of the program.
"""

from typing import Final

from wcwidth import wcwidth

from clients.shared.links import links

INDENT: Final = 8  # behind "[HH:MM] "
NARROW: Final = 40  # columns below which two have to do
LEAST_COLUMNS: Final = 10  # what a terminal that says less, or nothing, is taken for
_NARROW_INDENT: Final = 2
_SIGNS_BEHIND: Final = 3  # such as a bracket, quotes and a full stop


_HALF_BLOCKS: Final = frozenset("█▀▄ \u00a0")


def is_code(text: str) -> bool:
    """Whether it is a row of a QR code."""
    return "\x1b" in text or (len(text) > 4 and not set(text) - _HALF_BLOCKS)


def is_link(text: str) -> bool:
    """Whether it is a link, or the text of a QR code, and nothing else: to be taken off the screen in one piece."""
    return text.startswith(("chatserv://", "CHATSERV-VERIFY:")) and " " not in text


def indent_for(width: int) -> int:
    """How far rows that go on are indented."""
    return INDENT if width >= NARROW else _NARROW_INDENT


def _whole(text: str) -> dict[int, int]:
    """Where links begin that are broken nowhere, and where they end, with a sign or two of the sentence behind them.

    One that is wider than the screen goes on at its left edge, where the terminal itself breaks it and still knows that it
    is one: nothing that could begin a line of somebody else may be in it.
    """
    found = {}
    for begin, end in links(text):
        if "[" not in text[begin:end]:
            behind = len(text[end : end + _SIGNS_BEHIND].replace("\n", " ").split(" ", 1)[0])
            found[begin] = end + behind
    return found


def _columns(text: str) -> int:
    return sum(max(wcwidth(each), 0) for each in text)


def rows(text: str, width: int, indent: int | None = None) -> list[tuple[int, int]]:
    """The parts of a line, one for each row, as (begin, end); at spaces where there are some, which are left out.

    A line break begins another row, which is indented like all that go on: a text of several lines forges no other's.

    Links stay whole, so that they can be clicked and copied: such a row may be wider than the screen.

    Args:
        text: The line, clean but for line breaks.
        width: Of the screen in columns, 4 or more.
        indent: How far rows that go on are indented, if not as `indent_for` says.
    """
    found, begin, taken, space, at = [], 0, 0, -1, 0
    indent = indent_for(width) if indent is None else indent
    whole = _whole(text)
    while at < len(text):
        if text[at] == "\n":
            found.append((begin, at))
            begin = at = at + 1
            taken, space = indent, -1
            continue
        behind = whole.get(at, at + 1)
        columns = _columns(text[at:behind])
        if taken + columns > width and at > begin:
            if text[at] == " ":
                space = at
            end, go_on = (space, space + 1) if space > begin else (at, at)
            found.append((begin, end))
            begin, space = go_on, -1
            taken = indent + _columns(text[begin:at])
            if begin > at or at not in whole:
                at = max(at, begin)
                continue  # what has gone to the next row may fill it already
        if text[at] == " ":
            space = at
        taken += columns
        at = behind
    return [*found, (begin, len(text))]


def wrapped(text: str, width: int) -> list[str]:
    """The rows of a line; all but the first are indented."""
    first, *others = (text[begin:end] for begin, end in rows(text, width))
    return [first, *(" " * indent_for(width) + each for each in others)]


def folded(text: str, width: int) -> str:
    """The program's own words, which nobody else chose, in rows that begin at the left edge."""
    return "\n".join(text[begin:end] for begin, end in rows(text, width, 0))
