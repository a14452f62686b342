"""Somebody at the window who sends a file: presses +, types where it is, and says something beside it.

``python -m chatserv.testing.blindness.sending PROFILE ROOM PATH WORDS TYPE``. It ends when the server has the message. The
type is what this machine has for files of that ending.
"""

import sys
from mimetypes import add_type
from pathlib import Path
from typing import Final

from chatserv.testing.window_hands import Hands, play, use_hands
from clients.window.application import Application

MODULE: Final = "chatserv.testing.blindness.sending"
CHOOSE, SEND = "Choose", "Send"  # texts of the window's


def send_in_window(directory: Path, profile: str, room: str, path: Path, words: str, kind: str) -> None:
    """Opens somebody's window until the file is stored. Raises `ProgramError`."""
    play(directory, MODULE, profile, room, str(path), words, kind)


class SendingHands(Hands):
    """Sends a file to the room on the screen.

    Args:
        application: The window.
        path: Where the file is.
        words: What is said beside it.
    """

    def __init__(self, application: Application, path: str, words: str) -> None:
        super().__init__(application)
        self._path, self._words = path, words
        self._asked = self._sent = False

    def look(self) -> None:
        """See `Hands`."""
        choose, send = self.button(CHOOSE), self.button(SEND)
        if choose is not None:
            self.answer(choose, self._path)
        elif send is not None:
            self.answer(send, self._words)
            self._sent = True
        elif self._sent:
            if self.mark_file(Path(self._path).name):
                self.done()
        elif not self._asked and self.context.client is not None and self.context.here() is not None:
            self.context.layout.entry.attach.invoke()
            self._asked = True


def main() -> None:
    """The command line."""
    profile, room, path, words, kind = sys.argv[1:]
    add_type(kind, Path(path).suffix)
    use_hands(profile, lambda application: SendingHands(application, path, words), room)


if __name__ == "__main__":
    main()
