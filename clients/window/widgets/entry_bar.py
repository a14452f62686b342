"""The field and its button: Return sends, Tab completes, the arrows bring back what was sent."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Final

from chatserv.client import is_blank, translate
from clients.shared.common_start import common_start
from clients.window.widgets.field import Field
from clients.window.widgets.history import History
from clients.window.widgets.theme import Theme

MAX_OFFERED: Final = 12


class EntryBar(ttk.Frame):
    """The field, its button, and above them what is being answered or changed.

    Args:
        parent: What it stands in.
        send: Gets a line; says whether it was taken.
        complete: What a line that begins so may become.
        gave_up: Escape was pressed.
        pasted: Gets what is pasted, and what stands in front of it and behind; gives what of it is taken.
        attach: The button for files was pressed.
        pasted_file: Takes a file that lies on the clipboard in place of text; says whether there was one.

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
        pasted: Callable[[str, str, str], str],
        attach: Callable[[], object],
        pasted_file: Callable[[], bool],
    ) -> None:
        super().__init__(parent, padding=(10, 8))
        self._send, self._complete, self._gave_up, self._paste = send, complete, gave_up, pasted
        self._paste_file = pasted_file
        self.about = ttk.Label(self, style="Faint.TLabel")
        row = self._row = ttk.Frame(self)
        row.pack(fill="x", side="bottom")
        self.field = Field(row)
        self.button = ttk.Button(row, text=translate("Send"), command=self.take, style="Accent.TButton")
        self.button.pack(side="right", padx=(8, 0), anchor="s")
        # The field is most of it.
        self.attach = ttk.Button(row, text="+", width=2, command=attach, style="Slim.TButton")
        self.attach.pack(side="right", padx=(4, 0), anchor="s")
        self.field.pack(side="left", fill="x", expand=True)
        self.history = History()
        self.typed = 0
        bind = self.field.bind
        bind("<Key>", lambda _: self._count())  # but for the keys below
        bind("<Return>", lambda _: self._key(self.take))
        bind("<KP_Enter>", lambda _: self._key(self.take))
        bind("<Tab>", lambda _: self._tab())
        bind("<Up>", lambda _: self._step(-1))
        bind("<Down>", lambda _: self._step(1))
        bind("<<Paste>>", lambda _: self._pasted("CLIPBOARD"))
        bind("<<PasteSelection>>", self._selection_pasted)
        bind("<Escape>", lambda _: self._key(self._gave_up))

    @staticmethod
    def _key(act: Callable[[], object]) -> str:
        act()
        return "break"

    def _count(self) -> None:
        self.typed += 1

    def dress(self, theme: Theme) -> None:
        """Colours and sizes."""
        self.field.dress(theme)

    @property
    def text(self) -> str:
        """What stands in the field."""
        return self.field.content

    def put(self, text: str) -> None:
        """Puts a text in place of what is there."""
        self.field.put(text)

    def give_back(self, text: str) -> None:
        """What was sent is refused and can be changed: it stands in the field again, if nothing else does by now."""
        if not self.text:
            self.put(text)

    def _step(self, by: int) -> str | None:
        """To what was sent before or behind; where there is a line in that direction, Tk goes there."""
        if not (self.field.on_first_line if by < 0 else self.field.on_last_line):
            return None
        self.put(self.history.step(by, self.text))
        return "break"

    def type_on(self, text: str) -> None:
        """Takes what was typed elsewhere and belongs here, and the keyboard with it."""
        self.field.insert_here(text)
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
        line, at, history = self.text, len(self.field.before), self.history
        if not is_blank(line):
            self.put("")  # first: what is sent may lead to a room where something else is being written
            if self._send(line):
                history.add(line)
            elif not self.text:
                self.field.put(line, at)
        self.focus_in()

    def _pasted(self, selection: str) -> str:
        self._count()
        if selection == "CLIPBOARD" and self._paste_file():
            return "break"
        try:
            text = self.selection_get(selection=selection)
        except tk.TclError:
            return "break"  # nothing there, or no text
        before, sel = self.field.before, self.field.tag_ranges("sel")
        behind = self.field.content[len(before) :]
        if sel:
            before, behind = self.field.get("1.0", sel[0]), self.field.get(sel[-1], "end-1c")
        taken = self._paste(text, before, behind)
        if taken:
            self.field.insert_here(taken)
        return "break"

    def _selection_pasted(self, event: "tk.Event[tk.Misc]") -> str:
        """The middle button: where it was pressed."""
        self.field.tag_remove("sel", "1.0", "end")
        self.field.mark_set("insert", f"@{event.x},{event.y}")
        self.focus_in()
        return self._pasted("PRIMARY")

    def _tab(self) -> str:
        begun, text = self.field.before, self.text
        found = self._complete(begun)
        if not begun:
            self.field.tk_focusNext().focus_set()  # type: ignore[union-attr] # at least the field itself
            return "break"
        if found:
            longest = common_start(found)
            self.field.put(longest + text[len(begun) :], len(longest))
        several = "  ".join(found[:MAX_OFFERED]) + (" …" if len(found) > MAX_OFFERED else "")
        self.explain(several if len(found) > 1 else "")
        return "break"
