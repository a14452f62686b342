"""The line above the conversation: where one is, and what unfolds the panels beside it."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from chatserv.client import translate
from clients.shared.links import links


class Heading(ttk.Frame):
    """The room's name and topic between two buttons.

    Args:
        parent: What it stands in.
        rooms: The list of rooms is wanted, or not any more.
        members: The list of members is.
        open_link: The topic was clicked on, and holds a link with this text.
    """

    def __init__(
        self,
        parent: tk.Misc,
        *,
        rooms: Callable[[], object],
        members: Callable[[], object],
        open_link: Callable[[str], object],
    ) -> None:
        super().__init__(parent, padding=(8, 6))
        self.rooms_button = ttk.Button(self, text="☰", style="Flat.TButton", command=rooms, takefocus=False)
        self.members_button = ttk.Button(self, style="Flat.TButton", command=members, takefocus=False)
        self._title = ttk.Label(self, style="Big.TLabel")
        self._topic = ttk.Label(self, style="Faint.TLabel")
        self.rooms_button.pack(side="left")
        self.members_button.pack(side="right")
        self._title.pack(side="left", padx=(6, 10))
        self._topic.pack(side="left", fill="x", expand=True)
        self._open_link = open_link
        self._topic.bind("<Button-1>", lambda _: self._open())
        self.count(0)

    def _open(self) -> None:
        """The first link of the topic, if it has one."""
        topic = str(self._topic.cget("text"))
        for begin, end in links(topic)[:1]:
            self._open_link(topic[begin:end])

    @property
    def text(self) -> str:
        """What it says."""
        return f"{self._title.cget('text')}  {self._topic.cget('text')}".rstrip()

    def show(self, title: str, topic: str) -> None:
        """Says where one is; clean already."""
        for label, text in ((self._title, title), (self._topic, topic)):
            if text != label.cget("text"):
                label.configure(text=text)
        self._topic.configure(cursor="hand2" if links(topic) else "")

    def unread(self, rooms: int) -> None:
        """Says in how many rooms something is new, also while their list is folded away."""
        self.rooms_button.configure(text=f"☰ {rooms}" if rooms else "☰")

    def count(self, members: int) -> None:
        """Says how many are there."""
        self.members_button.configure(text=translate("Members: {count}").format(count=members))
