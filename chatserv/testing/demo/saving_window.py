"""Somebody at the window who marks the line of a file in the conversation, presses S, and names a folder.

``python -m chatserv.testing.demo.saving_window PROFILE FILE DIRECTORY``. It ends when the window says where the file is.
"""

import sys
from pathlib import Path
from typing import Final

from chatserv.testing.window_hands import Hands, play, use_hands
from clients.window.application import Application

MODULE: Final = "chatserv.testing.demo.saving_window"
BUTTON: Final = "Save here"  # a text of the window's


def save_in_window(directory: Path, profile: str, name: str, target: Path) -> None:
    """Opens somebody's window until the file of that name is there. Raises `ProgramError`."""
    play(directory, MODULE, profile, name, str(target))


class SavingHands(Hands):
    """Saves a file.

    Args:
        application: The window.
        name: Of the file, which comes at some time.
        target: Where the file is to be.
    """

    def __init__(self, application: Application, name: str, target: str) -> None:
        super().__init__(application)
        self._name, self._target = name, target
        self._asked = False

    def look(self) -> None:
        """See `Hands`."""
        button = self.button(BUTTON)
        if button is not None:
            self._asked = True
            self.answer(button, self._target)
        elif self._asked:
            if self._target in self.context.layout.chat.text.get("1.0", "end"):
                self.done()
        elif self.mark_file(self._name):
            self.context.layout.chat.text.event_generate("<Key>", keysym="s")


def main() -> None:
    """The command line."""
    profile, name, target = sys.argv[1:]
    use_hands(profile, lambda application: SavingHands(application, name, target))


if __name__ == "__main__":
    main()
