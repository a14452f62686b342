"""Lines to read, too many for a paragraph."""

import tkinter as tk
from collections.abc import Sequence
from tkinter import ttk
from typing import Final

from chatserv.client import translate
from clients.window.dialogs.dialog import ROW_CHARACTERS, Dialog

HEIGHT: Final = 16  # rows
WIDTH: Final = ROW_CHARACTERS - 6


class Report(Dialog):
    """Shows them, with a bar to scroll; the keyboard moves in them.

    Args:
        parent: The main window.
        title: Its title.
        lines: What it says; clean already.
    """

    def __init__(self, parent: tk.Misc, title: str, lines: Sequence[str]) -> None:
        super().__init__(parent, title)
        self.buttons((translate("Close"), self.close))
        style = ttk.Style(self.body)
        self.lines = tk.Text(
            self.body, width=WIDTH, height=HEIGHT, wrap="word", font="TkTextFont", relief="flat", padx=8, pady=8,
            takefocus=True, highlightthickness=0, background=style.lookup("TEntry", "fieldbackground"),
            foreground=style.lookup("TLabel", "foreground"),
        )  # fmt: skip
        bar = ttk.Scrollbar(self.body, command=self.lines.yview)
        self.lines.configure(yscrollcommand=bar.set)
        self.lines.insert("1.0", "\n".join(lines))
        self.lines.configure(state="disabled")
        bar.pack(side="right", fill="y")
        self.lines.pack(side="left", fill="both", expand=True)
        self.lines.bind("<Return>", lambda _: self.close())
