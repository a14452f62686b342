"""A list of rows: rooms, or members."""

import tkinter as tk
from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest
from tkinter import font, ttk
from typing import Final

from clients.window.widgets.rows import Row
from clients.window.widgets.theme import BOLD, ITALIC, Theme

FACTS_MARGIN: Final = 12  # pixels at the scale 1
MOST_FACTS: Final = 0.65  # of the list's width
MEASURED: Final = 20  # of the longest texts, by their characters
LEAST_FACTS: Final = 0.35  # where names are longer than the rest


class RowList(ttk.Frame):
    """Rows below a heading, with a scroll bar where it is needed; only what differs is drawn anew.

    Args:
        parent: What it stands in.
        heading: What the rows are.
        chosen: Told which row a person wants to go to, by a click or Return.
        menu: Told which row a menu is wanted for, and where on the screen.
    """

    def __init__(
        self,
        parent: tk.Misc,
        heading: str,
        *,
        menu: Callable[[str, int, int], None],
        chosen: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(parent)
        self._chosen, self._menu = chosen, menu
        self.tree = ttk.Treeview(self, columns=("facts",), selectmode="browse", show="tree")
        bar = ttk.Scrollbar(self, command=self.tree.yview)
        self.tree.configure(yscrollcommand=bar.set)
        self.tree.column("#0", minwidth=60, width=60)
        self.tree.column("facts", minwidth=20, width=20, anchor="e", stretch=False)
        ttk.Label(self, text=heading, style="List.TLabel", padding=(8, 8, 8, 4)).pack(side="top", fill="x")
        bar.pack(side="right", fill="y")
        self.tree.pack(side="left", fill="both", expand=True)
        self.rows: list[Row] = []
        self._marked = ""
        self._margin = FACTS_MARGIN
        self.bind("<Configure>", lambda _: self._fit())
        bind = self.tree.bind
        bind("<ButtonRelease-1>", self._clicked)
        bind("<Return>", lambda _: self._choose(self.selected))
        bind("<Button-3>", self._right_clicked)
        for key in ("<Shift-F10>", "<Menu>"):
            bind(key, lambda _: self._menu_by_key())

    @property
    def selected(self) -> str:
        """The row that is marked; empty for none."""
        return next(iter(self.tree.selection()), "")

    def dress(self, theme: Theme) -> None:
        """Takes the theme's colours and size."""
        palette = theme.palette
        self._margin = theme.pixels(FACTS_MARGIN)
        self._fit()
        tag = self.tree.tag_configure
        tag("unread", font=BOLD)
        tag("mentioned", font=BOLD, foreground=palette.loud)
        tag("offered", font=ITALIC)
        tag("changed", font=BOLD, foreground=palette.loud)
        tag("faint", foreground=palette.faint)

    def _fit(self) -> None:
        """What stands behind the texts is seen as far as it leaves them whole: who somebody is comes before their role."""
        width = self.winfo_width()
        wanted = self._widest({row.facts for row in self.rows}, "TkDefaultFont")
        left = width - self._widest({row.text for row in self.rows}, BOLD) - self._margin  # around a text
        room = min(width * MOST_FACTS, max(left, width * LEAST_FACTS))
        self.tree.column("facts", width=min(wanted, max(int(room), self._margin)))

    def _widest(self, texts: Iterable[str], name: str) -> int:
        """How wide a column is in which they can be read; to measure thousands would take a while."""
        longest = nlargest(MEASURED, texts, key=len)
        return max(map(font.nametofont(name, self.tree).measure, longest), default=0) + self._margin

    def show(self, rows: Sequence[Row], marked: str | None = None) -> None:
        """Draws what differs from before.

        Args:
            rows: All of them, in order; of those with the same key the first.
            marked: The row to mark; by default the one that is.
        """
        firsts: dict[str, Row] = {}
        for row in rows:
            firsts.setdefault(row.key, row)
        rows = list(firsts.values())
        if rows != self.rows:
            before = {row.key: row for row in self.rows}
            self._draw(rows, before)
            self._fit()
        wanted = self.selected if marked is None else marked
        walking = wanted == self._marked and self._has_keyboard  # a person is on the way to another row
        if wanted and self.tree.exists(wanted) and self.selected != wanted and not (walking and self.selected):
            self.tree.selection_set(wanted)
            self.tree.focus(wanted)
            self.tree.see(wanted)
        self._marked = wanted

    @property
    def _has_keyboard(self) -> bool:
        return str(self.tree.tk.call("focus")) == str(self.tree)

    def _draw(self, rows: Sequence[Row], before: dict[str, Row]) -> None:
        gone = before.keys() - {row.key for row in rows}
        if gone:
            self.tree.delete(*gone)
        for at, row in enumerate(rows):
            old = before.get(row.key)
            if old is None:
                self.tree.insert("", at, iid=row.key, text=row.text, values=(row.facts,), tags=row.tags)
                continue
            if old != row:
                self.tree.item(row.key, text=row.text, values=(row.facts,), tags=row.tags)
            if self.tree.index(row.key) != at:
                self.tree.move(row.key, "", at)
        self.rows = list(rows)

    def focus_in(self) -> None:
        """Takes the keyboard."""
        self.tree.focus_set()
        if not self.selected and self.rows:
            self.tree.selection_set(self.rows[0].key)
        if self.selected:
            self.tree.focus(self.selected)

    # -- what a person does -------------------------------------------------------------------------------------------

    def _choose(self, key: str) -> None:
        if key and self._chosen is not None:
            self._chosen(key)

    def _clicked(self, event: "tk.Event[tk.Misc]") -> None:
        self._choose(self.tree.identify_row(event.y))

    def _right_clicked(self, event: "tk.Event[tk.Misc]") -> None:
        key = self.tree.identify_row(event.y)
        if key:
            self.tree.selection_set(key)
            self._menu(key, event.x_root, event.y_root)

    def _menu_by_key(self) -> str:
        key = self.selected
        box = self.tree.bbox(key) if key else ""
        if key and box:
            x, y, _, height = box
            self._menu(key, self.tree.winfo_rootx() + x + 20, self.tree.winfo_rooty() + y + height)
        return "break"
