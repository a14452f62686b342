"""Where a person writes: Return sends, Tab completes, the arrows bring back what was sent."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Final

from chatserv.client import is_blank, translate
from clients.shared.common_start import common_start
from clients.window.widgets.history import History

MAX_OFFERED: Final = 12


class EntryBar(ttk.Frame):
    """The field, its button, and above them what is being answered or changed.

    Args:
        parent: What it stands in.
        send: Gets a line; says whether it was taken.
        complete: What a line that begins so may become.
        gave_up: Escape was pressed.
        several: Takes what was pasted if it is several lines; says whether it has.

    Attributes:
        history: What was sent before, from the room on the screen.
        typed: How often a key was pressed here, or something pasted: whoever sees it grow knows that a person types.
    """

    def __init__(
        self,
        parent: tk.Misc,
        *,
        send: Callable[[str], bool],
        complete: Callable[[str], Sequence[str]],
        gave_up: Callable[[], None],
        several: Callable[[str], bool],
    ) -> None:
        super().__init__(parent, padding=(10, 8))
        self._send, self._complete, self._gave_up, self._several = send, complete, gave_up, several
        self.about = ttk.Label(self, style="Faint.TLabel")
        row = self._row = ttk.Frame(self)
        row.pack(fill="x", side="bottom")
        self.field = ttk.Entry(row, font="TkTextFont")
        self.button = ttk.Button(row, text=translate("Send"), command=self.take, style="Accent.TButton")
        self.button.pack(side="right", padx=(8, 0), fill="y")
        self.field.pack(side="left", fill="x", expand=True)
        self.history = History()
        self.typed = 0
        bind = self.field.bind
        bind("<Key>", lambda _: self._count())  # but for the keys below
        bind("<Return>", lambda _: self._key(self.take))
        bind("<KP_Enter>", lambda _: self._key(self.take))
        bind("<Tab>", lambda _: self._tab())
        bind("<Up>", lambda _: self._key(lambda: self.put(self.history.step(-1, self.field.get()))))
        bind("<Down>", lambda _: self._key(lambda: self.put(self.history.step(1, self.field.get()))))
        bind("<<Paste>>", lambda _: self._pasted())
        bind("<Escape>", lambda _: self._key(self._gave_up))

    @staticmethod
    def _key(act: Callable[[], object]) -> str:
        act()
        return "break"

    def _count(self) -> None:
        self.typed += 1

    def put(self, text: str) -> None:
        """Puts a text in place of what is there."""
        self.field.delete(0, "end")
        self.field.insert(0, text)
        self.field.icursor("end")

    def type_on(self, text: str) -> None:
        """Takes what was typed elsewhere and belongs here, and the keyboard with it."""
        self.field.insert("insert", text)
        self.typed += 1
        self.focus_in()

    def explain(self, text: str) -> None:
        """What the field is for now; empty: for a message."""
        if text:
            self.about.configure(text=text)
            self.about.pack(fill="x", side="top", pady=(2, 2))
        else:
            self.about.pack_forget()

    def focus_in(self) -> None:
        """Takes the keyboard."""
        self.field.focus_set()

    def take(self) -> None:
        """Return, or the button."""
        line, at, history = self.field.get(), self.field.index("insert"), self.history
        if not is_blank(line):
            self.field.delete(0, "end")  # first: what is sent may lead to a room where something else is being written
            if self._send(line):
                history.add(line)
            elif not self.field.get():
                self.field.insert(0, line)
                self.field.icursor(at)
        self.focus_in()

    def _pasted(self) -> str | None:
        self._count()
        try:
            text = self.clipboard_get()
        except tk.TclError:
            return None  # nothing there, or no text
        return "break" if self._several(text) else None  # one line is pasted as ever

    def _tab(self) -> str | None:
        begun = self.field.get()[: self.field.index("insert")]
        found = self._complete(begun)
        if not begun:
            return None  # goes to the next part of the window
        if found:
            rest = self.field.get()[len(begun) :]
            self.field.delete(0, "end")
            longest = common_start(found)
            self.field.insert(0, longest + rest)
            self.field.icursor(len(longest))
        several = "  ".join(found[:MAX_OFFERED]) + (" …" if len(found) > MAX_OFFERED else "")
        self.explain(several if len(found) > 1 else "")
        return "break"
