"""Rooms, conversation and members side by side; where there is no room for all, panels fold, the conversation never."""

import tkinter as tk
from typing import Final

from clients.window.settings import WindowSettings
from clients.window.widgets.row_list import RowList
from clients.window.widgets.theme import Theme

ROOMS: Final = "rooms"
MEMBERS: Final = "members"
WIDTHS: Final = {ROOMS: 190, MEMBERS: 210}  # pixels at the theme's factor 1; a person can draw them wider or narrower
LEAST: Final = {ROOMS: 120, MEMBERS: 120}
CONVERSATION: Final = 340  # what the conversation has at least, before anything stands beside it
SASH: Final = 2


def arranged(width: float, wanted: set[str], opened: str) -> tuple[set[str], bool]:
    """Which panels are to be seen, and whether the conversation is.

    Args:
        width: Of the window, in pixels at the factor 1.
        wanted: The panels that a person wants where there is room for them.
        opened: A panel that a person has asked for although there is none; empty for none.
    """
    beside = width - CONVERSATION
    if opened and opened not in fitting(width, wanted | {opened}):
        return {opened}, beside >= WIDTHS[opened]
    return fitting(width, wanted), True


def fitting(width: float, wanted: set[str]) -> set[str]:
    """The panels for which there is room beside the conversation: the rooms before the members."""
    beside, found = width - CONVERSATION, set[str]()
    for panel in (ROOMS, MEMBERS):
        if panel in wanted and beside >= WIDTHS[panel]:
            found.add(panel)
            beside -= WIDTHS[panel]
        elif panel in wanted:
            break
    return found


class Panes(tk.PanedWindow):
    """Three columns, of which some are folded away.

    Args:
        parent: What it stands in.
        settings: Which panels are wanted; changed here.
    """

    def __init__(self, parent: tk.Misc, settings: WindowSettings) -> None:
        super().__init__(parent, orient="horizontal", sashwidth=SASH, sashpad=0, borderwidth=0, sashrelief="flat")
        self._settings = settings
        self._panels: dict[str, RowList] = {}
        self._middle: tk.Widget | None = None
        self._factor = 0.0
        self._opened = ""
        self._now: tuple[set[str], bool] | None = None

    def fill(self, rooms: RowList, middle: tk.Widget, members: RowList) -> None:
        """Puts the columns in."""
        self._panels, self._middle = {ROOMS: rooms, MEMBERS: members}, middle
        self.add(rooms, stretch="never")
        self.add(middle, stretch="always")
        self.add(members, stretch="never")
        self.bind("<Configure>", lambda _: self._arrange())

    def dress(self, theme: Theme) -> None:
        """Takes the theme's colours and size."""
        self.configure(background=theme.palette.border)
        if theme.factor != self._factor and self._middle is not None:
            self._factor = theme.factor
            self.paneconfigure(self._middle, minsize=theme.pixels(CONVERSATION // 2))
            for name, panel in self._panels.items():
                self.paneconfigure(panel, width=theme.pixels(WIDTHS[name]), minsize=theme.pixels(LEAST[name]))
        self._arrange()

    # -- which are to be seen ------------------------------------------------------------------------------------------

    @property
    def _wanted(self) -> set[str]:
        return {name for name in (ROOMS, MEMBERS) if getattr(self._settings, name)}

    def _arrange(self) -> None:
        if self.winfo_width() <= 1 or self._middle is None:
            return
        now = arranged(self.winfo_width() / self._factor, self._wanted, self._opened)
        if now == self._now:
            return
        self._now = panels, conversation = now
        self.paneconfigure(self._middle, hide=not conversation)
        for name, panel in self._panels.items():
            self.paneconfigure(panel, hide=name not in panels, stretch="never" if conversation else "always")

    def sees(self, panel: str) -> bool:
        """Whether a panel is to be seen."""
        return self._now is None or panel in self._now[0]

    @property
    def sees_conversation(self) -> bool:
        """Whether the conversation is."""
        return self._now is None or self._now[1]

    def toggle(self, panel: str) -> bool:
        """A person wants to see a panel, or not any more. Returns whether it is to be seen now."""
        wanted = not self.sees(panel)
        if not wanted and panel == self._opened:
            self._opened = ""
        else:
            setattr(self._settings, panel, wanted)
            fits = panel in fitting(self.winfo_width() / self._factor, self._wanted)
            self._opened = panel if wanted and not fits else ""
        self._arrange()
        return self.sees(panel)

    def show(self, panel: str) -> None:
        """Makes sure that a panel can be seen, as the keyboard goes there."""
        if not self.sees(panel):
            self.toggle(panel)

    def fold(self) -> None:
        """What was opened although there is no room for it goes, and the conversation is there again."""
        self._opened = ""
        self._arrange()
