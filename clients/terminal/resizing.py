"""A terminal whose width changes: most break the rows that stand there anew, so more of them are to be erased."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from prompt_toolkit.application import Application
from prompt_toolkit.layout import Layout
from prompt_toolkit.layout.screen import Screen
from prompt_toolkit.renderer import Renderer

SETTLE_SECONDS: Final = 0.1
_KEEP_ROWS: Final = ("rxvt", "linux", "vt", "cons25")  # kinds of terminals that cut rows at the edge
_KEEPERS: Final = ("XTERM_VERSION", "STY")  # what xterm and screen leave in the environment


def breaks_rows(environment: Mapping[str, str]) -> bool:
    """Whether the terminal breaks rows anew when it gets narrower, as all do that are not known to cut them."""
    if environment.get("TMUX"):
        return True
    return not (environment.get("TERM", "").startswith(_KEEP_ROWS) or any(environment.get(name) for name in _KEEPERS))


class _FollowingRenderer(Renderer):
    """Knows where a terminal that breaks rows anew has put what was drawn, whenever it draws or erases next."""

    def render(self, app: Application[Any], layout: Layout, is_done: bool = False) -> None:
        """Draws; anew from the first row where the width is another one, whether its signal has come or not."""
        if self._has_other_width:
            self.erase(leave_alternate_screen=False)
        super().render(app, layout, is_done)

    def erase(self, leave_alternate_screen: bool = True) -> None:
        """Erases what was drawn, all of its rows."""
        if self._last_screen is not None and self._has_other_width:
            at, columns = self._cursor_pos, max(self.output.get_size().columns, 1)
            self.output.cursor_up(rows_more(self._last_screen, at.y, at.x, columns))
        super().erase(leave_alternate_screen)

    @property
    def _has_other_width(self) -> bool:
        return self._last_size is not None and self._last_size.columns != self.output.get_size().columns


class ResizableApplication(Application[None]):
    """An application below the scrollback, which leaves no part of itself behind when the terminal is resized.

    Args:
        breaks: Whether the terminal breaks rows anew.
        given: What `Application` takes.
    """

    def __init__(self, *, breaks: bool, **given: Any) -> None:
        super().__init__(**given, terminal_size_polling_interval=None)  # the signal says it
        self._settling: asyncio.TimerHandle | None = None
        if breaks:
            self.renderer = _FollowingRenderer(
                self._merged_style, self.output, cpr_not_supported_callback=self.cpr_not_supported_callback
            )

    def _on_resize(self) -> None:
        """Waits until the edge is let go, so that it does not flicker."""
        if self._settling is not None:
            self._settling.cancel()
        self._settling = asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._resized)

    def _resized(self) -> None:
        self._settling = None
        if self.is_running and not self.is_done:
            super()._on_resize()


def rows_more(screen: Screen, row: int, column: int, width: int) -> int:
    """By how many rows the cursor stands lower than it was drawn, in a terminal that has become so wide.

    Args:
        screen: As it was drawn.
        row: Where the cursor is in it, from 0.
        column: Likewise.
        width: Of the terminal now, 1 or more.
    """
    above = sum(_breaks(screen, each, None, width) for each in range(row))
    return above + _breaks(screen, row, column, width)


def _breaks(screen: Screen, row: int, until: int | None, width: int) -> int:
    """How many times a row, or its part in front of a column, is broken; a wide character is not broken."""
    cells = screen.data_buffer[row]
    end = max((at for at, cell in cells.items() if cell.char != " "), default=-1) + 1 if until is None else until
    breaks = taken = at = 0
    while at < end:
        columns = max(cells[at].width, 1)
        if taken + columns > width and taken:
            breaks, taken = breaks + 1, 0
        taken += columns
        at += columns
    if until is not None and taken >= width:  # the cursor stands behind the edge: in front of the next row
        breaks += 1
    return breaks
