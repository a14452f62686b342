"""A question with several answers, each with what it means."""

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from tkinter import ttk

from chatserv.client import translate
from clients.window.dialogs.dialog import Dialog, row_width


@dataclass(frozen=True)
class Answer:
    """A button, what it means, and what it does."""

    label: str
    meaning: str
    go: Callable[[], object]


class Choice(Dialog):
    """Answers below each other; the dialog goes with any of them. Up and Down go from one to the next.

    Args:
        parent: The main window.
        title: Its title.
        text: The question.
        answers: The first one is what Return takes.
    """

    def __init__(self, parent: tk.Misc, title: str, text: str, answers: Sequence[Answer]) -> None:
        super().__init__(parent, title)
        self.text(text)
        self.made_buttons = [self._answer(each) for each in answers]
        (cancel,) = self.buttons((translate("Cancel"), self.close))
        cancel.configure(default="normal", style="TButton")
        self._default = self.made_buttons[0]
        self._default.configure(default="active", style="Accent.TButton")

        for key, by in (("<Down>", 1), ("<Up>", -1)):
            self.top.bind(key, lambda _, by=by: self._move(by))  # type: ignore[misc]

    def _move(self, by: int) -> None:
        here = self.top.focus_lastfor()
        at = next((at for at, each in enumerate(self.made_buttons) if each is here), 0)  # as for Return
        self.made_buttons[(at + by) % len(self.made_buttons)].focus_set()

    def _answer(self, answer: Answer) -> ttk.Button:
        button = ttk.Button(self.body, text=answer.label, command=self._closing(answer.go))
        button.pack(anchor="w", fill="x", pady=(8, 2))
        meaning = ttk.Label(
            self.body, text=answer.meaning, style="Faint.TLabel", wraplength=row_width(self.top), justify="left"
        )
        meaning.pack(anchor="w", fill="x")
        return button

    def _closing(self, go: Callable[[], object]) -> Callable[[], None]:
        def do() -> None:
            self.close()
            go()

        return do
