"""Lines of menus."""

import tkinter as tk
from collections.abc import Callable
from typing import Literal

Command = Callable[[], object]


def underlined(label: str) -> tuple[str, int]:
    """A label without its ``&``, and where the letter is that is underlined."""
    return label.replace("&", "", 1), label.find("&")


def add(menu: tk.Menu, label: str, command: Command, keys: str = "", *, on: bool = True) -> None:
    """A line of a menu. The letter behind ``&`` is underlined and chooses it."""
    text, at = underlined(label)
    state: Literal["normal", "disabled"] = "normal" if on else "disabled"
    menu.add_command(label=text, underline=at, command=command, accelerator=keys, state=state)


def add_below(menu: tk.Menu, label: str, below: tk.Menu, *, on: bool = True) -> None:
    """A line of a menu with another menu behind it."""
    text, at = underlined(label)
    menu.add_cascade(label=text, underline=at, menu=below, state="normal" if on else "disabled")
