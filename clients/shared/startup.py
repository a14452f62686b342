"""What both programs do before anything else: standard streams that can be used, no core dump, one end however asked for."""

import contextlib
import ctypes
import resource
import shutil
import sys
from typing import Any, Final, TextIO

from twisted.internet.error import ReactorNotRunning

from chatserv.streams import mend_streams, say
from clients.shared.wrapping import LEAST_COLUMNS, folded, is_code, is_link

_PR_SET_DUMPABLE: Final = 4  # prctl(2)


def begin_program() -> frozenset[str]:
    """Makes the process fit to hold secrets and to talk. Gives the names of the standard streams that were closed."""
    write_no_core()
    return mend_streams(lacking="replace").closed


def write_no_core() -> None:
    """Keys and messages stand in no core dump, and other programs of the same user cannot attach to look at them."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):  # a system without prctl
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def end_once(reactor: Any) -> None:
    """Whoever asks the reactor once more to stop, such as ``timeout`` with its two signals, causes no traceback."""
    stop = reactor.stop

    def stop_unless_over() -> None:
        with contextlib.suppress(ReactorNotRunning):
            stop()

    reactor.stop = stop_unless_over


def tell(text: str, end: str = "\n") -> None:
    """Prints on standard error, as well as it can be: whether somebody reads it or not changes nothing.

    On a terminal no word is broken at the edge.
    """
    say(sys.stderr, on_terminal(text, sys.stderr) + end)


def on_terminal(text: str, stream: TextIO | None) -> str:
    """The text, with its lines broken at spaces where the stream is a terminal."""
    if stream is None or not stream.isatty():
        return text
    width = max(shutil.get_terminal_size().columns, LEAST_COLUMNS)
    lines = text.split("\n")
    return "\n".join(line if is_code(line) or is_link(line) else folded(line, width) for line in lines)
