"""A program on a pseudo-terminal of its own, as a person has it before them."""

import os
import select
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Final

from chatserv.testing.processes import child_environment

ROWS: Final = 24
READ_SECONDS: Final = 0.1
# Makes the terminal the controlling one, so that getpass finds it, then becomes the program.
ON_TERMINAL: Final = (sys.executable, "-c", "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])")


class PseudoTerminal:
    """A terminal of 24 rows with a program on it.

    Args:
        directory: Where it runs, with the profiles in it.
        command: The program.
        columns: How wide the terminal is.
        environment: Further variables.
    """

    def __init__(
        self, directory: Path, command: list[str], columns: int = 150, environment: dict[str, str] | None = None
    ) -> None:
        self._received = bytearray()
        self._ours, theirs = os.openpty()
        termios.tcsetwinsize(theirs, (ROWS, columns))
        self.process = subprocess.Popen(
            [*ON_TERMINAL, *command],
            cwd=directory,
            env=child_environment(directory) | (environment or {}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    @property
    def text(self) -> str:
        """All that the program has written, as it came; a program with a line editor moves about in it."""
        return self._received.decode(errors="replace").replace("\r\n", "\n")

    def type(self, text: str) -> None:
        """Types."""
        os.write(self._ours, text.encode())

    def read(self) -> None:
        """Takes what the program has written, and waits a moment for it."""
        if select.select([self._ours], [], [], READ_SECONDS)[0]:
            try:
                self.take(os.read(self._ours, 65_536))
            except OSError:  # the other end is closed
                time.sleep(READ_SECONDS / 2)

    def take(self, data: bytes) -> None:
        """Something came."""
        self._received += data

    def shows(self, words: str, seconds: float) -> bool:
        """Whether these words are there in time."""
        deadline = time.monotonic() + seconds
        while words not in self.text:
            if time.monotonic() > deadline:
                return False
            self.read()
        return True

    def finish(self, seconds: float) -> int:
        """Waits for the end of the program, and takes its last words. Returns its exit code.

        Raises:
            subprocess.TimeoutExpired: It runs still.
        """
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read()
        code = self.process.wait(seconds)
        before = -1
        while before < len(self._received):  # what it has written last may have come since
            before = len(self._received)
            self.read()
        return code

    def close(self) -> None:
        """Ends the program now, if it still runs, and takes the terminal away."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
