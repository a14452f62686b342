"""``make demo``: two people talk through the real programs while the server is killed and started again.

Every program is a process of its own: the server under twistd, and two stdio clients that reconnect, resume and resend by
themselves. What each wrote is compared with what the other printed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from chatserv.testing.oracle import Verdict, compare
from chatserv.testing.processes import (
    CLIENT,
    ProgramError,
    ServerProgram,
    child_environment,
    client_command,
    register_two,
)

LINES: Final = 20
QUIET: Final = 5  # lines of each before anything happens
KILL_AFTER: Final = 12  # lines of each when the server dies; the last ones are then under way
RESTART_AFTER: Final = 15
PACE_SECONDS: Final = 0.03
BURST_SECONDS: Final = 0.001
END_SECONDS: Final = 60.0
FAULTY_CLIENT: Final = (sys.executable, "-m", "chatserv.testing.faulty_client")


class Talker:
    """One person's running client.

    Args:
        directory: Of the demonstration.
        name: User and profile.
        program: The command of the client.
        lines: How many lines this person has to say.
        people: How many people say as many.
    """

    def __init__(
        self, directory: Path, name: str, program: tuple[str, ...], *, lines: int = LINES, people: int = 2
    ) -> None:
        self.name = name
        self.written = [f"{name} says line {number}" for number in range(1, lines + 1)]
        self._output = directory / f"{name}.out"
        arguments = ("--send", "--follow", "--json", "--count", str(people * lines))
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                client_command(directory, name, *arguments, program=program),
                cwd=directory,
                env=child_environment(directory),
                stdin=subprocess.PIPE,
                stdout=output,
                text=True,
            )

    def type(self, line: str) -> None:
        """Types one line."""
        if self._process.stdin is None:
            raise ProgramError("no standard input")
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

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

    def shown(self) -> list[tuple[str, str]]:
        """Who said what, in the order in which it was printed."""
        whole, _, _ = self._output.read_text().rpartition("\n")
        records = [json.loads(line) for line in whole.splitlines()]
        return [(record["sender"], record["text"]) for record in records]


def demonstrate(directory: Path, *, broken: bool) -> tuple[Verdict, list[Talker]]:
    """Runs the whole play in ``directory``; ``broken`` gives the second person the faulty client."""
    with ServerProgram(directory) as server:
        say(f"server on 127.0.0.1:{server.port}, process {server.pid}")
        register_two(server, "alice", "bob")
        say("alice registered with the server's link, bob with an invite by alice")
        talkers = [
            Talker(directory, "alice", CLIENT),
            Talker(directory, "bob", FAULTY_CLIENT if broken else CLIENT),
        ]
        try:
            talk(server, talkers)
        finally:
            for talker in talkers:
                talker.end()
    written = {talker.name: talker.written for talker in talkers}
    return compare(written, {talker.name: talker.shown() for talker in talkers}), talkers


def talk(server: ServerProgram, talkers: list[Talker]) -> None:
    """Types all lines; in the middle the server is killed with lines under way, and started again while people type on."""
    for number in range(QUIET):
        for talker in talkers:
            talker.type(talker.written[number])
        time.sleep(PACE_SECONDS)
    wait_for(talkers, QUIET * len(talkers))
    for number in range(QUIET, KILL_AFTER):
        for talker in talkers:
            talker.type(talker.written[number])
        time.sleep(BURST_SECONDS)
    killed = server.pid
    server.kill()
    shown = " and ".join(f"{talker.name} {len(talker.shown())}" for talker in talkers)
    say(f"server killed with SIGKILL (process {killed}): {KILL_AFTER * len(talkers)} lines written, shown to {shown}")
    for number in range(KILL_AFTER, LINES):
        for talker in talkers:
            talker.type(talker.written[number])
        if number == RESTART_AFTER:
            server.start()
            say(f"server started again (process {server.pid}); people went on typing meanwhile")
        time.sleep(PACE_SECONDS)
    deadline = time.monotonic() + END_SECONDS
    for talker in talkers:
        talker.finish(deadline)


def wait_for(talkers: list[Talker], lines: int) -> None:
    """Waits until everybody was shown so many lines; goes on after a while in any case, for the verdict to tell."""
    deadline = time.monotonic() + END_SECONDS / 2
    while any(len(talker.shown()) < lines - 1 for talker in talkers) and time.monotonic() < deadline:
        time.sleep(PACE_SECONDS)


def say(text: str) -> None:
    """Tells what happens."""
    print(f"-- {text}", flush=True)


def main() -> int:
    """Prints the transcript of both sides and the verdict. Returns 0 only if nothing was lost, doubled or reordered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--break", dest="broken", action="store_true", help="let the second client drop and double a line"
    )
    broken = parser.parse_args().broken
    with tempfile.TemporaryDirectory(prefix="chatserv-demo-") as name:
        try:
            verdict, talkers = demonstrate(Path(name), broken=broken)
        except ProgramError as error:
            print(error, file=sys.stderr)
            return 1
        for talker in talkers:
            say(f"what the program of {talker.name} printed:")
            for sender, text in talker.shown():
                print(f"   <{sender}> {text}")
    print(verdict)
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
