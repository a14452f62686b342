"""A file on its way by a program that is killed and started again (``carrier``), and what the program notes of it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from chatserv.testing.processes import ProgramError, child_environment

PATIENCE_SECONDS: Final = 120.0
_PIECE: Final = re.compile(r"^piece (\d+) (\d+) \.$", re.MULTILINE)


class Carriage:
    """One file on one way, by a program that can be killed and started again.

    Args:
        directory: Of the campaign.
        person: User and profile.
        journal: What the file with the program's notes is called.
        arguments: What the program has to do.
    """

    def __init__(self, directory: Path, person: str, journal: str, *arguments: str) -> None:
        self._directory, self._person, self._arguments = directory, person, arguments
        self._journal, self._errors = directory / journal, directory / f"{person}.err"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the program, at first or again."""
        with self._journal.open("ab+") as output, self._errors.open("ab") as errors:
            _begin_line(output)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chatserv.testing.demo.carrier", self._person, *self._arguments],
                cwd=self._directory,
                env=child_environment(self._directory),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )

    def kill(self) -> None:
        """SIGKILL, where it still runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def finish(self) -> None:
        """Waits for its end. Raises `ProgramError` where it fails or does not come."""
        if self._process is None:
            raise ProgramError("the client was not started")
        try:
            code = self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            code = -1
        if code != 0:
            raise ProgramError(f"the client of {self._person} ended with {code}:\n{self._errors.read_text()}")

    @property
    def over(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is None or self._process.poll() is not None

    @property
    def done(self) -> bool:
        """Whether the file is where it should be."""
        return "done\n" in self._journal.read_text()

    def pieces(self) -> list[tuple[int, int]]:
        """Where each piece began and how large it was, over all runs; a line that a kill cut short has none."""
        return [(int(offset), int(size)) for offset, size in _PIECE.findall(self._journal.read_text())]


def _begin_line(journal: BinaryIO) -> None:
    """SIGKILL may end a program within a line, where that goes on in another page of the file."""
    end = journal.seek(0, os.SEEK_END)
    journal.seek(max(end - 1, 0))
    if journal.read() not in {b"", b"\n"}:
        journal.write(b"\n")
        journal.flush()


def again(pieces: Sequence[tuple[int, int]]) -> list[int]:
    """How many bytes went once more each time that a file was gone on with, in order."""
    found, reached, last = [], 0, 0
    for offset, size in pieces:
        if offset < last:
            found.append(reached - offset)
        last = offset + size
        reached = max(reached, last)
    return found
