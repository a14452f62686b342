"""People who type lines into running clients, and what their programs show."""

import json
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from chatserv.testing.processes import CLIENT, ProgramError, child_environment, client_command

PACE_SECONDS: Final = 0.03
PATIENCE_SECONDS: Final = 120.0


def say(text: str) -> None:
    """Tells what happens."""
    print(f"-- {text}", flush=True)


class Reader:
    """One person's running client, which prints the messages of one room.

    Args:
        directory: Of the demonstration.
        name: User and profile.
        arguments: What the client is asked for beside that.
        program: The command of the client.
        file: Where its output goes.
        errors: Whether standard error is kept too, beside it.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        *arguments: str,
        program: tuple[str, ...] = CLIENT,
        file: str = "",
        errors: bool = False,
    ) -> None:
        self.name = name
        self._output = directory / (file or f"{name}.out")
        self._errors = self._output.with_suffix(".err")
        with self._output.open("wb") as output, ExitStack() as files:
            self._process = subprocess.Popen(
                client_command(directory, name, "--follow", "--json", *arguments, program=program),
                cwd=directory,
                env=child_environment(directory),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=files.enter_context(self._errors.open("wb")) if errors else None,
                text=True,
            )

    def finish(self, deadline: float) -> None:
        """Ends standard input and waits for the program, at most until ``deadline`` (monotonic)."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            code = self._process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.end()
            return
        if code != 0:
            raise ProgramError(f"the client of {self.name} ended with {code}")

    def end(self) -> None:
        """Ends the program now, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def leave(self, seconds: float) -> None:
        """Asks the program to end, and ends it where it does not within so many seconds."""
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()

    def signal(self, number: int) -> None:
        """Sends the program a signal, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def try_to_type(self, line: str) -> None:
        """Types a line, which nobody reads where the program has ended."""
        if self._process.stdin is not None:
            with suppress(OSError, ValueError):
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()

    def records(self) -> list[dict[str, Any]]:
        """The messages, in the order in which they were printed."""
        whole, _, _ = self._output.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def complaints(self) -> list[str]:
        """What it has printed on standard error, where that is kept."""
        return self._errors.read_text().splitlines() if self._errors.exists() else []

    def shown(self) -> list[tuple[str, str]]:
        """Who said what, in the order in which it was printed."""
        return [(record["sender"], record["text"]) for record in self.records()]


class Talker(Reader):
    """One person's running client, which also sends what the person types.

    Args:
        directory: Of the demonstration.
        name: User and profile.
        program: The command of the client.
        lines: How many lines this person has to say.
        people: How many people say as many.
    """

    def __init__(self, directory: Path, name: str, program: tuple[str, ...], *, lines: int, people: int = 2) -> None:
        self.written = [f"{name} says line {number}" for number in range(1, lines + 1)]
        patience = () if "--timeout" in program else ("--timeout", f"{PATIENCE_SECONDS:g}")
        super().__init__(directory, name, "--send", "--count", str(people * lines), *patience, program=program)

    def type(self, line: str) -> None:
        """Types one line."""
        if self._process.stdin is None:
            raise ProgramError("no standard input")
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


def wait_for(talkers: list[Talker], lines: int) -> None:
    """Waits until everybody was shown so many lines; goes on after a while in any case, for the verdict to tell."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(len(talker.shown()) < lines - 1 for talker in talkers) and time.monotonic() < deadline:
        time.sleep(PACE_SECONDS)
