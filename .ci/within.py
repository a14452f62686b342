"""Runs a command, and ends what hangs: ``within.py SECONDS LOG COMMAND...``, what the command says going to LOG.

Where the time is up, trial's workers are told to abort, which writes where they stand (``PYTHONFAULTHANDLER``), and what
they had started is ended, since it holds their output open; so trial learns of their end, and tells in which tests it was.
What is left after the command's end belongs to tests that did not clean up: it is named and ended.
The exit code is the command's; 124 where the time was up.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TELLING_SECONDS = 60  # what trial has, to tell of its workers' end
WORKER = "workertrial"


class Process(NamedTuple):
    """What is known of one."""

    parent: int
    session: int
    command: str


def processes() -> dict[int, Process]:
    """All that run, but for those that ended a moment ago."""
    found = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            state, parent, _, session = (each / "stat").read_text().rpartition(")")[2].split()[:4]
            if state != "Z":
                command = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found[int(each.name)] = Process(int(parent), int(session), command[:200])
        except OSError:
            continue
    return found


def below(ancestors: set[int], running: dict[int, Process]) -> set[int]:
    """What some processes have started, and what that has started, and so on."""
    reached = set(ancestors)
    while more := {pid for pid, each in running.items() if each.parent in reached} - reached:
        reached |= more
    return reached - ancestors


def send(pids: set[int], number: int) -> None:
    """A signal to those of them that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def abort(session: int) -> None:
    """Ends trial's workers so that trial can tell of it."""
    running = processes()
    workers = {pid for pid in below({session}, running) if WORKER in running[pid].command}
    started = below(workers, running)
    for pid in sorted(workers | started):
        print(f"within.py: ended at {pid} {running[pid].command}")
    send(workers, signal.SIGABRT)
    time.sleep(2)
    send(started | workers, signal.SIGKILL)


def main(seconds: float, log: Path, command: list[str]) -> int:
    """Returns the exit code."""
    with log.open("wb") as output:
        running = subprocess.Popen(  # noqa: S603 - .ci/run's own
            command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            code = running.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"within.py: not done after {seconds:.0f} s")
            abort(running.pid)
            try:
                running.wait(TELLING_SECONDS)
            except subprocess.TimeoutExpired:
                print("within.py: it did not end by itself then")
            code = 124
    left = {pid: each for pid, each in processes().items() if each.session == running.pid}
    for pid, each in left.items():
        print(f"within.py: left running: {pid} {each.command}")
    send(set(left), signal.SIGKILL)
    return code


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
