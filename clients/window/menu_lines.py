"""Lines of menus."""

import tkinter as tk
from collections.abc import Callable

Command = Callable[[], object]


def add(menu: tk.Menu, label: str, command: Command, keys: str = "", *, on: bool = True) -> None:
    """A line of a menu. The letter behind ``&`` is underlined and chooses it."""
    at = label.find("&")
    menu.add_command(
        label=label.replace("&", "", 1), underline=at, command=command, accelerator=keys,
        state="normal" if on else "disabled",
    )  # fmt: skip
