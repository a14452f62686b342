"""Lines on standard output: for a terminal broken where its width wants it, for nobody without a fuss."""

import shutil
import sys
from collections.abc import Callable

from chatserv.client import system_text, translate
from chatserv.streams import drop
from clients.shared.exit_codes import DONE, NOT_SENT, Exit
from clients.shared.wrapping import LEAST_COLUMNS, is_code, is_link, wrapped


class Printing:
    """Prints.

    Args:
        finish: Ends the run, where nothing can be printed any more.
    """

    def __init__(self, finish: Callable[[Exit], None]) -> None:
        self.terminal = sys.stdout.isatty()
        self._finish = finish

    def line(self, text: str) -> None:
        """One line; it is clean."""
        try:
            if self.terminal and not (is_code(text) or is_link(text)):
                text = "\n".join(wrapped(text, max(shutil.get_terminal_size().columns, LEAST_COLUMNS)))
            print(text, flush=True)
        except BrokenPipeError:
            drop(sys.stdout)
            self._finish(Exit(DONE))
        except OSError as error:
            drop(sys.stdout)
            said = translate("Standard output cannot be written: {error}")
            self._finish(Exit(NOT_SENT, said.format(error=system_text(error))))
