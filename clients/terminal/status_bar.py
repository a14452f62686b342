"""The line below the prompt: who we are, how the connection is, and the rooms with what is unread."""

from typing import Final

from wcwidth import wcswidth

from chatserv.client import Status, clean_line, place, shown, translate
from clients.terminal.room_list import Place, RoomList
from clients.terminal.styled_lines import Line, text_of

NAME_CHARACTERS: Final = 16
MAX_UNREAD: Final = 999
_HOME_CELLS: Final = 4


def width_of(text: str) -> int:
    """How many cells the text takes."""
    return max(wcswidth(text), 0)


def status_word(status: Status | None) -> str:
    """How the connection is."""
    known = {
        Status.CONNECTING: translate("connecting"),
        Status.SYNCING: translate("catching up"),
        Status.ONLINE: translate("connected"),
        Status.OFFLINE: translate("no connection"),
    }
    return known.get(status, translate("ended")) if status is not None else translate("connecting")


def bar(rooms: RoomList, us: str, status: Status | None, width: int) -> Line:
    """One line of at most ``width`` cells; what does not fit is counted, the current and active rooms come first."""
    begin: Line = [("class:bar", f" {shown(us)} "), (_status_style(status), f"({status_word(status)})")]
    left = width - width_of(text_of(begin)) - _HOME_CELLS
    cells = {place_.name: _cell(number, place_, rooms.current) for number, place_ in enumerate(rooms.places, 1)}
    kept: set[str] = set()
    for each in sorted(rooms.places, key=lambda place_: _rank(place_, rooms.current)):
        needed = width_of(text_of(cells[each.name]))
        if needed > left:
            break
        left -= needed
        kept.add(each.name)
    line = begin + [piece for name, cell in cells.items() if name in kept for piece in cell]
    hidden = len(cells) - len(kept)
    return [*line, ("class:bar", f" +{hidden}")] if hidden else line


def _rank(each: Place, current: str) -> int:
    if each.name == current:
        return 0
    return 1 if each.urgent else 2 if each.unread else 3


def _status_style(status: Status | None) -> str:
    return "class:bar" if status is Status.ONLINE else "class:bar,bar-trouble"


def _cell(number: int, each: Place, current: str) -> Line:
    name = clean_line(each.name)
    cut = each.name if len(name) <= NAME_CHARACTERS else f"{name[:NAME_CHARACTERS]}…"
    label = f"{number}:{place(cut)}"
    if each.name == current:
        return [("class:bar", " "), ("class:bar,bar-here", f"[{label}]")]
    if not each.unread:
        return [("class:bar", f" {label}")]
    count = f"{MAX_UNREAD}+" if each.unread > MAX_UNREAD else str(each.unread)
    style = "class:bar,bar-urgent" if each.urgent else "class:bar,bar-active"
    return [("class:bar", " "), (style, f"{label} ({count}{'!' if each.urgent else ''})")]
