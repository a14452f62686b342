"""The window program with hands: somebody marks the line of a file in the conversation, presses S, and names a folder.

``python -m chatserv.testing.demo.saving_window PROFILE FILE DIRECTORY``. It ends when the window says where the file is.
"""

import subprocess
import sys
import tkinter as tk
from collections.abc import Iterator
from pathlib import Path
from tkinter import ttk
from typing import Final

from twisted.internet.task import LoopingCall

from chatserv.client import MessageReceived, Profile, translate
from chatserv.testing.display import Display
from chatserv.testing.processes import ProgramError, child_environment
from clients.window.application import Application
from clients.window.arguments import Arguments
from clients.window.main import open_window, run

COMMAND: Final = (sys.executable, "-m", "chatserv.testing.demo.saving_window")
SECONDS: Final = 150.0
LOOK_SECONDS: Final = 0.2
BUTTON: Final = "Save here"  # a text of the window's
MOST_LINES: Final = 20  # above the last one, where the file may stand


def save_in_window(directory: Path, profile: str, name: str, target: Path) -> None:
    """Opens somebody's window on a screen of its own, until the file of that name is there. Raises `ProgramError`."""
    with Display() as display:
        try:
            done = subprocess.run(
                [*COMMAND, profile, name, str(target)],
                cwd=directory,
                env={**child_environment(directory), **display.environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ProgramError(f"the window of {profile} saves nothing") from None
    if done.returncode:
        raise ProgramError(f"the window of {profile}: exit {done.returncode}\n{done.stdout}{done.stderr}")


class Hands:
    """A person at the window, who looks at it again and again.

    Args:
        application: The window.
        name: Of the file, which comes at some time.
        target: Where the file is to be.
    """

    def __init__(self, application: Application, name: str, target: Path) -> None:
        self._context, self._name, self._target = application.context, name, target
        self._asked = False

    def look(self) -> None:
        """Does what comes next."""
        chat = self._context.layout.chat
        buttons = [each for each in _below(self._context.root) if isinstance(each, ttk.Button)]
        button = next((each for each in buttons if each.cget("text") == translate(BUTTON)), None)
        if button is not None:
            self._asked = True
            path = next(each for each in _below(button.winfo_toplevel()) if isinstance(each, ttk.Entry))
            path.delete(0, "end")
            path.insert(0, str(self._target))
            button.invoke()
        elif self._asked:
            if str(self._target) in chat.text.get("1.0", "end"):
                self._context.reactor.stop()
        elif self._mark_file():
            chat.text.event_generate("<Key>", keysym="s")

    def _mark_file(self) -> bool:
        """Marks the line of the file; whether there is one."""
        chat = self._context.layout.chat
        chat.text.focus_force()
        chat.focus_in()
        chat._end_of(1)
        for _ in range(MOST_LINES):
            file = chat.chosen.file if isinstance(chat.chosen, MessageReceived) else None
            if file is not None and file.name == self._name:
                return True
            chat._step(-1)
        return False


def _below(widget: tk.Misc) -> Iterator[tk.Misc]:
    for each in widget.winfo_children():
        yield each
        yield from _below(each)


def main() -> None:
    """The command line."""
    from twisted.internet import reactor  # noqa: PLC0415, TID251 - as the program itself

    profile, name, target = sys.argv[1:]

    def ready(application: Application) -> None:
        LoopingCall(Hands(application, name, Path(target)).look).start(LOOK_SECONDS)

    run(reactor, open_window(), Profile.named(profile), Arguments(profile=profile), ready)


if __name__ == "__main__":
    main()
