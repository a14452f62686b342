"""Looking for messages on this device."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Final

from chatserv.client import ChatError, MessageReceived, date, explained, message_line, translate
from clients.window.dialogs.dialog import Dialog

MOST: Final = 200


class Searching(Dialog):
    """A field, and the messages that hold its words.

    Args:
        parent: The main window.
        find: Finds messages, the newest first.
        go: Shows one where it was said.
    """

    def __init__(
        self,
        parent: tk.Misc,
        find: Callable[[str], Sequence[MessageReceived]],
        go: Callable[[MessageReceived], None],
    ) -> None:
        super().__init__(parent, translate("Search"))
        self._find, self._go = find, go
        self.found: list[MessageReceived] = []
        row = ttk.Frame(self.body)
        row.pack(fill="x")
        ttk.Label(row, text=translate("Words")).pack(side="left", padx=(0, 8))
        self.words = ttk.Entry(row, width=44)
        self.words.pack(side="left", fill="x", expand=True)
        self.said = ttk.Label(self.body, style="Faint.TLabel")
        self.said.pack(anchor="w", pady=(6, 2))
        self.buttons((translate("Search"), self.search), (translate("Close"), self.close))
        self.tree = ttk.Treeview(self.body, columns=(), show="tree", height=12, selectmode="browse")
        bar = ttk.Scrollbar(self.body, command=self.tree.yview)
        self.tree.configure(yscrollcommand=bar.set)
        self.tree.column("#0", width=640)
        bar.pack(side="right", fill="y")
        self.tree.pack(side="left", fill="both", expand=True)
        self.tree.bind("<Double-1>", lambda _: self._chosen())
        self.tree.bind("<Return>", self._by_key)
        self.words.bind("<Down>", lambda _: self._into_list())

    def ask(self) -> "Searching":
        """Shows it."""
        self.open(self.words)
        return self

    def search(self) -> None:
        """Looks for what is in the field."""
        self.tree.delete(*self.tree.get_children())
        try:
            self.found = list(self._find(self.words.get()))
        except ChatError as error:
            self.found = []
            self.said.configure(text=explained(error))
            return
        for at, message in enumerate(self.found):
            self.tree.insert("", "end", iid=str(at), text=f"{date(message.at_ms)} {message_line(message, room=True)}")
        nothing = translate("No message on this device contains these words.")
        some = translate("Found: {count}. Return goes there.").format(count=len(self.found))
        self.said.configure(text=some if self.found else nothing)
        if self.found:
            self._into_list()

    def _into_list(self) -> None:
        if self.found:
            self.tree.focus_set()
            self.tree.selection_set("0")
            self.tree.focus("0")

    def _by_key(self, event: "tk.Event[tk.Misc]") -> str:
        del event
        self._chosen()
        return "break"

    def _chosen(self) -> None:
        chosen = next(iter(self.tree.selection()), "")
        if chosen:
            message = self.found[int(chosen)]
            self.close()
            self._go(message)
