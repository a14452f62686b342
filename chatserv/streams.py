"""The standard streams of a process, whatever state it got them in: closed, broken, or of an encoding that lacks letters."""

import atexit
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

_NAMES = ("stdin", "stdout", "stderr")  # by descriptor, 0 to 2


def mend_streams() -> bool:
    """Puts ``/dev/null`` where a standard stream is closed, and lets no character of a text end the program.

    Else the next file that is opened, such as a lock, would take the stream's place, and lose it again when a daemon lets
    go of its streams. What else was inherited stays ours: children do not get it.

    Returns:
        Whether nothing else has taken a stream's place already.
    """
    in_place = True
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, the stream's own
            in_place = in_place and nowhere == number
            stream = open(nowhere, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(errors="backslashreplace")
    _keep_to_ourselves()
    atexit.register(_let_go)
    return in_place


def _keep_to_ourselves() -> None:
    with suppress(OSError):  # a system without /proc
        for name in os.listdir("/proc/self/fd"):
            if int(name) >= len(_NAMES):
                with suppress(OSError):
                    os.set_inheritable(int(name), False)


def _let_go() -> None:
    for output in (sys.stdout, sys.stderr):
        say(output, "")  # what is left for somebody who reads no more must not fail once more when the interpreter ends


def say(stream: TextIO | None, text: str) -> bool:
    """Writes a text, and tells whether that worked. A stream that takes nothing gets nothing any more."""
    if stream is None:
        return False
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        _drop(stream)
        return False
    return True


def _drop(stream: TextIO) -> None:
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
