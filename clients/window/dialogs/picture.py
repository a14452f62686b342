"""One picture, larger than in the conversation."""

import tkinter as tk
from tkinter import ttk

from chatserv.client import translate
from clients.window.dialogs.dialog import Dialog


def show_picture(parent: tk.Misc, about: str, image: tk.PhotoImage) -> Dialog:
    """Shows a picture.

    Args:
        parent: The main window.
        about: What it is; clean.
        image: The picture, as large as it is shown.
    """
    dialog = Dialog(parent, translate("Picture"))
    label = ttk.Label(dialog.body, image=image)
    label.image = image  # type: ignore[attr-defined] # Tk lets go of it else
    label.pack(pady=(0, 8))
    dialog.text(about)
    dialog.buttons((translate("Close"), dialog.close))
    dialog.open()
    return dialog
