"""What both programs do before anything else: standard streams that can be used, and no core dump."""

import atexit
import contextlib
import ctypes
import io
import os
import resource
import sys
from typing import Any, Final

STREAMS: Final = ("stdin", "stdout", "stderr")  # by descriptor
_PR_SET_DUMPABLE: Final = 4  # prctl(2)


def begin_program() -> frozenset[str]:
    """Makes the process fit to hold secrets and to talk. Gives the names of the standard streams that were closed."""
    write_no_core()
    return mend_streams()


def write_no_core() -> None:
    """Keys and messages stand in no core dump, and other programs of the same user cannot attach to look at them."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):  # a system without prctl
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def mend_streams() -> frozenset[str]:
    """Puts ``/dev/null`` where a standard stream is closed, and lets no character of a text end the program.

    Otherwise the next file that is opened, such as the database, would take the place of the stream, and get what is said.
    """
    closed = frozenset(name for name in STREAMS if getattr(sys, name) is None)
    for descriptor, name in enumerate(STREAMS):
        if name in closed:
            with contextlib.suppress(OSError):
                os.fstat(descriptor)
                continue
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            setattr(sys, name, open(descriptor, "w" if descriptor else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "replace"), (sys.stderr, "replace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)
    atexit.register(flush)
    return closed


def flush() -> None:
    """What is left for somebody who does not read any more must not fail once more when the interpreter ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            drop(stream)


def drop(stream: Any) -> None:
    """Sends what is still written to a stream nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def tell(text: str, end: str = "\n") -> None:
    """Prints on standard error, as well as it can be: whether somebody reads it or not changes nothing."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        drop(sys.stderr)
