"""How Python and the system run the server; imported before the rest, whose imports make nothing that could be freed."""

import gc
import resource
import sys
from typing import Final

SWITCH_INTERVAL_SECONDS: Final = 0.001  # a pool thread that comes back from C waits at most this for the interpreter
GC_THRESHOLD: Final = 20_000  # new objects between two young collections
IMPORTING_THRESHOLD: Final = 1_000_000  # the same while modules are imported: a tenth of a start went there

gc.set_threshold(IMPORTING_THRESHOLD)


def tune_interpreter() -> None:
    """Short waits for pool threads, and a collector that leaves alone what the start made (48 ms a full collection)."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def set_resource_limits() -> None:
    """No core dumps, which would hold the identity key; as many file descriptors as the system allows."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    # 1 byte is less than any core dump, and what stops Linux from piping one to a program: 0 does not (fs/coredump.c).
    resource.setrlimit(resource.RLIMIT_CORE, (0 if hard == 0 else 1, hard))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
