"""How a hint stands in the middle of the conversation."""

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import ttk
from typing import Final

WIDEST: Final = 420  # pixels at the factor 1
MARGIN: Final = 40


@dataclass(frozen=True)
class Hint:
    """A title, a text, and buttons with what they do."""

    title: str
    text: str
    buttons: Sequence[tuple[str, Callable[[], object]]] = ()


class HintView(ttk.Frame):
    """Shows a hint in the middle of the conversation.

    Args:
        parent: The area of the conversation.
    """

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent, style="Hint.TFrame")
        self._title = ttk.Label(self, style="HintTitle.TLabel", justify="center", anchor="center")
        self._text = ttk.Label(self, style="Hint.TLabel", justify="center", anchor="center")
        self._buttons = ttk.Frame(self, style="Hint.TFrame")
        self._title.pack(pady=(0, 6))
        self._text.pack(pady=(0, 12))
        self._buttons.pack()
        self._shown: tuple[str, str] | None = None
        self._parent, self._factor = parent, 1.0
        parent.bind("<Configure>", lambda _: self._wrap(), add=True)

    def _wrap(self) -> None:
        """No row is wider than there is room for."""
        width = min(round(WIDEST * self._factor), max(self._parent.winfo_width() - MARGIN, MARGIN))
        for label in (self._title, self._text):
            label.configure(wraplength=width)

    @property
    def text(self) -> str:
        """What it says; empty while it says nothing."""
        return "" if self._shown is None else "\n".join(self._shown)

    @property
    def buttons(self) -> list[ttk.Button]:
        """What can be pressed."""
        return [each for each in self._buttons.winfo_children() if isinstance(each, ttk.Button)]

    def show(self, hint: Hint | None, factor: float) -> None:
        """Shows another one, or none."""
        said = None if hint is None else (hint.title, hint.text)
        self._factor = factor
        self._wrap()
        if said == self._shown:
            return
        self._shown = said
        for each in self._buttons.winfo_children():
            each.destroy()
        if hint is None:
            self.place_forget()
            return
        self._title.configure(text=hint.title)
        self._text.configure(text=hint.text)
        for at, (said_there, command) in enumerate(hint.buttons):
            style = "Accent.TButton" if at == 0 else "TButton"
            ttk.Button(self._buttons, text=said_there, command=command, style=style).pack(side="left", padx=4)
        self.place(relx=0.5, rely=0.55, anchor="center")
