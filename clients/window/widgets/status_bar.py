"""The last line of the window."""

import tkinter as tk
from tkinter import ttk


class StatusBar(ttk.Frame):
    """A line about the connection, and a bar while something is fetched."""

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent, padding=(8, 3))
        self.label = ttk.Label(self, text="", anchor="w")
        self.bar = ttk.Progressbar(self, mode="indeterminate", length=140)
        self.label.pack(side="left", fill="x", expand=True)

    @property
    def text(self) -> str:
        """What it says."""
        return str(self.label.cget("text"))

    def say(self, text: str) -> None:
        """Says something else."""
        if text != self.text:
            self.label.configure(text=text)

    @property
    def working(self) -> bool:
        """Whether it shows that something goes on."""
        return bool(self.bar.winfo_manager())

    def work(self, *, on: bool) -> None:
        """Shows that something goes on, or no more."""
        if on and not self.working:
            self.bar.pack(side="right")
            self.bar.start(20)
        elif self.working and not on:
            self.bar.stop()
            self.bar.pack_forget()
