"""The server under twistd, with every record that it opens or seals written to a file.

``python -m chatserv.testing.blindness.watched DIRECTORY [TWISTD ARGUMENTS]``. The shipped server has no such switch:
the watching is
put around its functions here, in its process, before it starts.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chatserv.crypto.session import RecordKey

OPENED: Final = "opened"
SEALED: Final = "sealed"
COMMAND: Final = (sys.executable, "-m", "chatserv.testing.blindness.watched")


def watch(directory: Path) -> Callable[[], None]:
    """From now on the plaintext of every record of this process goes to two files, handshakes included.

    Returns:
        Ends it.
    """
    opened, sealed = (_appended(directory / name) for name in (OPENED, SEALED))
    true_open, true_seal = RecordKey.open, RecordKey.seal

    def open_(self: RecordKey, record: bytes) -> tuple[int, bytes]:
        kind, plaintext = true_open(self, record)
        os.write(opened, plaintext + b"\n")
        return kind, plaintext

    def seal(self: RecordKey, kind: int, plaintext: bytes) -> bytes:
        os.write(sealed, plaintext + b"\n")
        return true_seal(self, kind, plaintext)

    def end() -> None:
        RecordKey.open, RecordKey.seal = true_open, true_seal  # type: ignore[method-assign]
        for file in (opened, sealed):
            os.close(file)

    RecordKey.open, RecordKey.seal = open_, seal  # type: ignore[method-assign]
    return end


def _appended(file: Path) -> int:
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def run_twistd(arguments: list[str]) -> None:
    """Becomes ``twistd`` with these arguments."""
    from twisted.scripts.twistd import run  # noqa: PLC0415 - reads the command line of the process

    sys.argv = ["twistd", *arguments]
    run()


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
    run_twistd(sys.argv[2:])
