"""The keys of the window, in a dialog."""

import tkinter as tk
from tkinter import ttk

from chatserv.client import translate
from clients.window.dialogs.dialog import Dialog, row_width


def keys() -> list[tuple[str, str]]:
    """Each key and what it does."""
    return [
        (translate("Return"), translate("sends the text in the field")),
        (translate("Shift+Return"), translate("goes on in another line of the same message")),
        (translate("Tab"), translate("completes a command, a room or a name")),
        (translate("Up, Down"), translate("in the field: what was sent before; in the conversation: another message")),
        ("F6, Ctrl+Tab", translate("to the next part of the window")),
        ("Alt+1 … Alt+9", translate("to a room")),
        ("Alt+A", translate("to the next room with something new")),
        (translate("Menu, Shift+F10"), translate("the menu of a room, a message or a member")),
        (translate("R, E, Del, +"), translate("on a message: reply, edit, delete, react")),
        ("Ctrl+F", translate("search")),
        ("Ctrl+L, Ctrl+K, Ctrl+Shift+K", translate("use a link, connect, disconnect")),
        ("Ctrl+N, Ctrl+J", translate("new room, join a room")),
        ("Ctrl++, Ctrl+-, Ctrl+0", translate("larger, smaller, normal")),
        ("F10, Alt+S …", translate("the menus")),
        (translate("Escape"), translate("closes a dialog; cancels a reply or an edit; goes to the field")),
        ("Ctrl+Q", translate("quits")),
    ]


def show_keys(root: tk.Tk) -> Dialog:
    """Shows them."""
    dialog = Dialog(root, translate("Keys"))
    grid = ttk.Frame(dialog.body)
    grid.pack(fill="both", expand=True)
    for row, (key, what) in enumerate(keys()):
        ttk.Label(grid, text=key, style="Big.TLabel").grid(row=row, column=0, sticky="w", padx=(0, 16), pady=2)
        ttk.Label(grid, text=what, wraplength=row_width(root)).grid(row=row, column=1, sticky="w", pady=2)
    dialog.buttons((translate("Close"), dialog.close))
    dialog.open()
    return dialog
