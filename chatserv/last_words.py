"""Where the threads stand when a process is ended from outside, or by a fault in C: noted without Python's help.

`faulthandler` writes the names of functions, files and line numbers, and no value of anything.
"""

import faulthandler
import os
from pathlib import Path
from typing import IO

NAME = "crash.log"


class LastWords:
    """The file for them, beside the logs. It is empty unless a server has ended that way.

    Args:
        directory: Of the logs.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        self.older = directory / f"{NAME}.1"
        self._file: IO[bytes] | None = None

    def open(self) -> bool:
        """From now on they are noted. Whether there were some of an earlier server; they are in `older` then.

        Raises OSError.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        left = self.path.exists() and self.path.stat().st_size > 0
        if left:
            self.path.replace(self.older)
        self._file = open(self.path, "ab", buffering=0, opener=_private)  # noqa: SIM115 - with an opener
        faulthandler.enable(self._file)
        return left

    def close(self) -> None:
        """Not any more."""
        if self._file is not None:
            faulthandler.disable()
            self._file.close()
            self._file = None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
