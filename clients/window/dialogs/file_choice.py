"""Chooses a file or a folder; unlike Tk's own dialog it stops nothing while it is open."""

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import Final

from chatserv.client import clean_line, size_text, translate
from clients.window.dialogs.dialog import Dialog

MAX_ROWS: Final = 2000  # of a folder
_UP: Final = ".."


class FileChoice(Dialog):
    """A path that can be typed or pasted, above what is in its folder.

    Args:
        parent: The main window.
        title: Its title.
        label: Of the button.
        begin: The folder that is shown first.
        chosen: Gets the path; gives what is wrong with it, or None: then the dialog closes.
        folders: Whether a folder is wanted, and files are not shown.
    """

    def __init__(
        self,
        parent: tk.Misc,
        title: str,
        label: str,
        begin: Path,
        chosen: Callable[[Path], str | None],
        *,
        folders: bool = False,
    ) -> None:
        super().__init__(parent, title)
        self._chosen, self._folders = chosen, folders
        self._folder = begin
        self._names: dict[str, str] = {}
        self.path = tk.StringVar(self.top)
        self.entry = ttk.Entry(self.body, textvariable=self.path, width=48)
        self.entry.pack(fill="x", pady=(0, 8))
        middle = ttk.Frame(self.body)
        middle.pack(fill="both", expand=True)
        self.tree = ttk.Treeview(middle, columns=("size",), show="tree", height=12, selectmode="browse")
        self.tree.column("#0", width=self.width * 3 // 4)
        self.tree.column("size", width=self.width // 4, anchor="e")
        bar = ttk.Scrollbar(middle, command=self.tree.yview)
        self.tree.configure(yscrollcommand=bar.set)
        bar.pack(side="right", fill="y")
        self.tree.pack(side="left", fill="both", expand=True)
        self.tree.bind("<<TreeviewSelect>>", lambda _: self._selected())
        self.tree.bind("<Double-Button-1>", lambda _: self.go())
        self.error = ttk.Label(self.body, style="Loud.TLabel", wraplength=self.width, justify="left")
        self.error.pack(anchor="w", fill="x", pady=(6, 0))
        self.buttons((label, self.go), (translate("Cancel"), self.close))
        self.enter(begin)

    def ask(self) -> "FileChoice":
        """Shows it, with the path ready."""
        self.open(self.entry)
        self.entry.icursor("end")
        return self

    def enter(self, folder: Path) -> None:
        """Shows what is in a folder: folders first, hidden ones not."""
        try:
            found = [each for each in folder.iterdir() if not each.name.startswith(".")][:MAX_ROWS]
        except OSError:
            self.say(translate("This folder cannot be read."))
            return
        self._folder = folder
        self.path.set(f"{folder}/".replace("//", "/"))
        self.say("")
        self.tree.delete(*self.tree.get_children())
        self._names = {self.tree.insert("", "end", text=f"{_UP}/"): _UP}
        rows = [(not each.is_dir(), each.name.casefold(), each) for each in found]
        for is_file, _name, each in sorted(rows):
            if is_file and self._folders:
                continue
            size = self._size(each) if is_file else ""
            row = self.tree.insert("", "end", text=clean_line(each.name) + ("" if is_file else "/"), values=(size,))
            self._names[row] = each.name
        self.entry.icursor("end")

    @staticmethod
    def _size(path: Path) -> str:
        try:
            return size_text(path.lstat().st_size)
        except OSError:
            return ""

    def _selected(self) -> None:
        for row in self.tree.selection():
            name = self._names[row]
            self.path.set(str(self._folder.parent if name == _UP else self._folder / name))

    def go(self) -> None:
        """The button, Return, or a double click: goes into a folder, or takes what is chosen."""
        try:
            path = Path(self.path.get().strip()).expanduser()
            folder = path.is_dir()
        except (OSError, RuntimeError, ValueError):
            self.say(translate("No file can be called like that."))
            return
        if folder and not (self._folders and path == self._folder):
            self.enter(path)
            return
        wrong = self._chosen(path)
        if wrong is None:
            self.close()
        else:
            self.say(wrong)

    def say(self, wrong: str) -> None:
        """What is wrong."""
        self.error.configure(text=wrong)
