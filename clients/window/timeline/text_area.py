"""What the conversation's text widget tells, and how it is written to."""

import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass

from chatserv.client import WaitingMessage
from clients.window.timeline.entries import Entry
from clients.window.timeline.spans import Line


@dataclass(frozen=True)
class ChatActions:
    """What the view tells.

    Attributes:
        draw: How an entry looks behind another one.
        copy: An entry as it is put on the clipboard.
        open: A link was chosen: its text.
        menu: A menu is wanted for an entry, at this place of the screen.
        act: A key was pressed that stands for an action: ``reply``, ``react``, ``edit``, ``delete`` or ``newest``; or
            a place was clicked on: ``unfold`` for a long message, ``save``, ``open``, ``view`` or ``pause`` for a file.
        picture: Gives the name of a small picture of Tk's; empty while it is not there.
        older: The beginning was reached.
        newer: The end of what is held was reached, and there is more behind it.
        arrived: Somebody has scrolled to the end.
        more: Something is left to be drawn.
        type_on: Something was typed here that belongs into the field.
    """

    draw: Callable[[Entry, Entry | None], Line]
    copy: Callable[[Entry | WaitingMessage], str]
    menu: Callable[[int, int], None]
    act: Callable[[str], None]
    older: Callable[[], None]
    more: Callable[[], None]
    open: Callable[[str], None] = lambda _: None
    picture: Callable[[bytes], str] = lambda _: ""
    newer: Callable[[], None] = lambda: None
    arrived: Callable[[], None] = lambda: None
    type_on: Callable[[str], None] = lambda _: None


class Writable:
    """Nobody writes into the area but the program, and only inside this block."""

    def __init__(self, text: tk.Text) -> None:
        self._text = text

    def __enter__(self) -> None:
        self._text.configure(state="normal")

    def __exit__(self, *error: object) -> None:
        self._text.configure(state="disabled")
