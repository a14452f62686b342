"""The window program with hands: somebody at the window, who looks at it again and again, and does what comes next.

A module of such a person is a program of its own, whose command line ends in `use_hands`; `play` runs it on a screen without
a monitor.
"""

import sys
import tkinter as tk
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from tkinter import ttk
from typing import Final

from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from chatserv.client import LOBBY, MessageReceived, Profile, translate
from chatserv.testing.display import Display, DisplayError
from chatserv.testing.processes import ProgramError, run_program
from clients.window.application import Application
from clients.window.arguments import Arguments
from clients.window.main import open_window, run

LOOK_SECONDS: Final = 0.2
MOST_LINES: Final = 20  # above the last one, where a file may stand


def play(directory: Path, module: str, profile: str, *words: str) -> None:
    """Opens somebody's window on a screen of its own, until everything is done. Raises `ProgramError`.

    Args:
        directory: Where profiles are.
        module: Whose hands.
        profile: Whose window; the first of the module's arguments.
        words: The others.
    """
    try:
        with Display() as display:
            command = [sys.executable, "-m", module, profile, *words]
            run_program(f"the window of {profile}", command, directory, display.environment)
    except DisplayError as error:
        raise ProgramError(f"the window of {profile}: {error}") from None


class Hands(ABC):
    """A person at the window.

    Args:
        application: The window.
    """

    def __init__(self, application: Application) -> None:
        self.context = application.context

    @abstractmethod
    def look(self) -> None:
        """Does what comes next; `done` in the end."""

    def done(self) -> None:
        """Nothing is left to do: the window closes."""
        self.context.reactor.stop()

    def button(self, text: str) -> ttk.Button | None:
        """The button of a dialog that is open, by the English text on it."""
        dialogs = [each for each in self.context.root.winfo_children() if isinstance(each, tk.Toplevel)]
        buttons = [each for dialog in dialogs for each in _below(dialog) if isinstance(each, ttk.Button)]
        return next((each for each in buttons if each.cget("text") == translate(text)), None)

    def answer(self, button: ttk.Button, typed: str) -> None:
        """Types something into the field of a dialog, and presses its button."""
        field = next(each for each in _below(button.winfo_toplevel()) if isinstance(each, ttk.Entry))
        field.delete(0, "end")
        field.insert(0, typed)
        button.invoke()

    def mark_file(self, name: str) -> bool:
        """Marks the line of a file that the server has; whether there is one."""
        chat = self.context.layout.chat
        chat.text.focus_force()
        chat.focus_in()
        chat._end_of(1)
        for _ in range(MOST_LINES):
            file = chat.chosen.file if isinstance(chat.chosen, MessageReceived) else None
            if file is not None and file.name == name:
                return True
            chat._step(-1)
        return False


def _below(widget: tk.Misc) -> Iterator[tk.Misc]:
    for each in widget.winfo_children():
        yield each
        yield from _below(each)


def use_hands(profile: str, hands: Callable[[Application], Hands], room: str = LOBBY) -> None:
    """Runs somebody's window until their hands are done; ends the program with 1 where they find what they cannot use."""
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - as the program itself

    failures: list[Failure] = []

    def stop(failure: Failure) -> None:
        failures.append(failure)
        reactor.stop()

    def ready(application: Application) -> None:
        LoopingCall(hands(application).look).start(LOOK_SECONDS).addErrback(stop)

    run(reactor, open_window(), Profile.named(profile), Arguments(profile=profile, room=room), ready)
    for failure in failures:
        sys.exit(failure.getTraceback())
