"""The standard streams of a process, whatever state it got them in: closed, broken, or of an encoding that lacks letters.

Server and programs begin with it, before they open anything of their own.
"""

import atexit
import io
import os
import sys
from contextlib import suppress
from typing import Final, NamedTuple, TextIO

NAMES: Final = ("stdin", "stdout", "stderr")  # by descriptor, 0 to 2
_TEXT_CHARS: Final = 8192  # the longest line


class Mended(NamedTuple):
    """How the streams were found: which were ``closed``, and whether each has its own place (``in_place``) again."""

    closed: frozenset[str]
    in_place: bool


def mend_streams(*, lacking: str = "backslashreplace") -> Mended:
    """Puts ``/dev/null`` where a standard stream is closed, and lets no character of a text end the program.

    Else the next file that is opened, such as a lock or a database, would take the stream's place, get what is said, and
    lose it again when a daemon lets go of its streams. What else was inherited stays ours: children do not get it.

    Args:
        lacking: What becomes of characters that an output's encoding lacks (as in `codecs`).
    """
    closed, in_place = frozenset(name for name in NAMES if getattr(sys, name) is None), True
    for number, name in enumerate(NAMES):
        if name in closed:
            nowhere = os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, the stream's own
            in_place = in_place and nowhere == number
            instead = open(nowhere, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, instead)
            setattr(sys, f"__{name}__", instead)
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, lacking), (sys.stderr, lacking)):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    _keep_to_ourselves()
    atexit.register(flush)
    return Mended(closed, in_place)


def _keep_to_ourselves() -> None:
    with suppress(OSError):  # a system without /proc
        for name in os.listdir("/proc/self/fd"):
            if int(name) >= len(NAMES):
                with suppress(OSError):
                    os.set_inheritable(int(name), False)


def flush() -> None:
    """What is left for somebody who reads no more must not fail once more when the interpreter ends."""
    for output in (sys.stdout, sys.stderr):
        say(output, "")


def say(stream: TextIO | None, text: str) -> bool:
    """Writes a text, and tells whether that worked. A stream that takes nothing gets nothing any more."""
    if stream is None:
        return False
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        drop(stream)
        return False
    return True


def drop(stream: TextIO) -> None:
    """Sends what is still written to a stream nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def takes(stream: TextIO, text: str) -> bool:
    """Whether the stream's encoding has all characters of the text."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def escape(text: str) -> str:
    """Text without control characters, line ends, bidi controls and other invisible ones: they turn to escapes.

    What stays is as `chatserv.sanitize.clean_line` leaves it: no letter carries so many marks that they cover other lines.
    """
    if len(text) > _TEXT_CHARS:
        text = text[:_TEXT_CHARS] + "..."
    shown = text if text.isprintable() else "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    if shown.isascii():
        return shown
    from chatserv.sanitize import clean_line  # noqa: PLC0415 - most texts do without

    return clean_line(shown)
