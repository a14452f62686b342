"""The end of a program, which nothing may keep: Python waits for its threads, and one that hangs cannot be ended."""

import os
import threading
from typing import Final, TypeVar

from twisted.python.failure import Failure

from chatserv.streams import flush
from clients.shared.exit_codes import DONE

T = TypeVar("T")
SECONDS: Final = 2.0  # a name that nobody resolves keeps a thread for minutes


def leave_soon(code: int = DONE) -> None:
    """Everything is done and said: the process ends within `SECONDS`, whatever its threads do."""

    def leave() -> None:
        flush()
        os._exit(code)

    timer = threading.Timer(SECONDS, leave)
    timer.daemon = True
    timer.start()


def leave_with(end: T | Failure) -> T | Failure:
    """The same, with the exit code of a `SystemExit` that ends the program. Gives back what it was given."""
    error = end.value if isinstance(end, Failure) else None
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        leave_soon(error.code)
    return end
