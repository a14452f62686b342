"""What the scenes of the demonstration share: people whose programs come and go, and what has to hold afterwards."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chatserv.testing.blindness.canaries import Flock
from chatserv.testing.blindness.searching import Searcher
from chatserv.testing.demo.talking import PACE_SECONDS, Reader
from chatserv.testing.processes import ServerProgram, run_client

WAIT_SECONDS: Final = 120.0
_CODE: Final = re.compile("[█▀▄ ]+")  # a line of a QR code, which the transcript does without


@dataclass(frozen=True)
class Check:
    """Something that has to hold."""

    text: str
    good: bool

    def __str__(self) -> str:
        return f"   {'holds' if self.good else 'FAILS'}: {self.text}"


@dataclass
class Stage:
    """Where the scenes are played.

    Attributes:
        server: The server.
        checks: What was found so far.
    """

    server: ServerProgram
    checks: list[Check] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        """Where everything lies."""
        return self.server.directory

    def do(self, name: str, *lines: str) -> str:
        """Lets a person type slash commands and lines into a program, which then ends; gives what it printed."""
        print(*(f"   {name} types  {line}" for line in lines), sep="\n", flush=True)
        printed = run_client(self.directory, name, *(part for line in lines for part in ("--command", line)))
        seen = [line for line in printed.splitlines() if not _CODE.fullmatch(line)]
        print(*(f"   {name} sees   {line}" for line in seen), sep="\n", flush=True)
        return printed

    def send(self, name: str, line: str) -> None:
        """Lets a person send one line to ``#lobby``; returns when it is stored."""
        print(f"   {name} types  {line}", flush=True)
        run_client(self.directory, name, "--send", typed=line + "\n")

    def show(self, reader: Reader) -> None:
        """Prints what a reader's program has shown."""
        for sender, text in reader.shown():
            print(f"   {reader.name} reads  <{sender}> {text}", flush=True)

    def check(self, text: str, good: bool) -> None:
        """Notes whether something holds."""
        check = Check(text, good)
        self.checks.append(check)
        print(check, flush=True)

    def canaries(self, name: str, flock: Flock) -> set[str]:
        """Which canaries are in any file that a person's programs have printed or kept."""
        kept = (self.directory / "profiles" / name).rglob("*")
        files = [file for file in (*kept, *self.directory.glob(f"{name}*.out")) if file.is_file()]
        return {find.canary for find in Searcher(flock).files(files)}


def wait_until(done: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
    """Whether that came to be in time."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(PACE_SECONDS)
    return True
