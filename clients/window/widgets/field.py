"""Where a person writes: as high as what stands there has rows, up to some."""

import tkinter as tk
from typing import Final

from clients.window.widgets.theme import Theme

MOST_ROWS: Final = 6


class Field(tk.Text):
    """A text that grows. Return is its owner's; Shift and Return go on in another line.

    Args:
        parent: What it stands in.
    """

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent, width=1, height=1, wrap="word", undo=False, takefocus=True, font="TkTextFont")
        for key in ("<Shift-Return>", "<Shift-KP_Enter>"):
            self.bind(key, lambda _: self._break_line())
        self.bind("<Control-a>", lambda _: self._select_all())
        self.bind("<<Modified>>", lambda _: self._changed())
        self.bind("<Configure>", lambda _: self._grow())

    def dress(self, theme: Theme) -> None:
        """Colours and sizes, as those of other fields."""
        palette = theme.palette
        self.configure(
            background=palette.field, foreground=palette.text, insertbackground=palette.text, relief="flat",
            selectbackground=palette.accent, selectforeground=palette.on_accent, borderwidth=0, highlightthickness=1,
            highlightbackground=palette.border, highlightcolor=palette.accent,
            padx=theme.pixels(5), pady=theme.pixels(5),
        )  # fmt: skip

    @property
    def content(self) -> str:
        """What stands there."""
        return self.get("1.0", "end-1c")

    @property
    def before(self) -> str:
        """What stands in front of the cursor."""
        return self.get("1.0", "insert")

    @property
    def on_first_line(self) -> bool:
        """Whether no line is above the cursor."""
        return "\n" not in self.before

    @property
    def on_last_line(self) -> bool:
        """Whether no line is below it."""
        return "\n" not in self.get("insert", "end-1c")

    def put(self, text: str, at: int | None = None) -> None:
        """Puts a text in place of what is there, and the cursor behind so many characters of it, or at its end."""
        self.delete("1.0", "end")
        self.insert("1.0", text)
        self.mark_set("insert", "end-1c" if at is None else f"1.0+{at}c")
        self.see("insert")

    def insert_here(self, text: str) -> None:
        """Puts a text where the cursor is, in place of what is selected."""
        if self.tag_ranges("sel"):
            self.mark_set("insert", "sel.first")
            self.delete("sel.first", "sel.last")
        self.insert("insert", text)
        self.see("insert")

    def _break_line(self) -> str:
        self.insert_here("\n")
        return "break"

    def _select_all(self) -> str:
        self.tag_add("sel", "1.0", "end-1c")
        return "break"

    def _changed(self) -> None:
        if self.edit_modified():
            self.edit_modified(False)
            self._grow()

    def _grow(self) -> None:
        """As high as it has rows: those of long lines too, once it is known how wide it is."""
        unit = "-displaylines" if self.winfo_ismapped() else "-lines"
        rows = 1 + int(self.tk.call(str(self), "count", unit, "1.0", "end-1c"))
        self.configure(height=min(rows, MOST_ROWS))
        if rows <= MOST_ROWS:
            self.yview_moveto(0)
