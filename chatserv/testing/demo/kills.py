"""``make kills``: people talk without a pause while the server is killed again and again, and nothing acknowledged is lost.
``make restart-drill``: the same while it is restarted as for a new version, by a signal, so that it tells its clients.

The programs are real: the server under twistd, and stdio clients that reconnect, resume and resend by themselves. Lines are
under way at each kill; the delivery oracle validates what every program was shown against what was typed.
"""

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from chatserv.testing.demo.oracle import Verdict, compare
from chatserv.testing.demo.talking import Talker, say, wait_for
from chatserv.testing.processes import CLIENT, ProgramError, ServerProgram, register_two
from chatserv.testing.stores import add_option, cluster_for, in_database
from chatserv.testing.unlimited import unlimited

PEOPLE: Final = ("alice", "bob")
LINES_A_ROUND: Final = 30  # of each person
PACE_SECONDS: Final = 0.004  # so that over 100 lines a second flow before a kill
END_SECONDS: Final = 120.0


@dataclass
class Absences:
    """How long the server was away each time, and until everybody had been shown everything again, in seconds."""

    away: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        longest = f"longest absence {max(self.away, default=0):.2f} s"
        if not self.back:
            return longest
        return f"{longest}, everybody back after {median(self.back):.2f} s (at most {max(self.back):.2f} s)"


def campaign(
    directory: Path, store: str, times: int, end: Callable[[ServerProgram], object] = ServerProgram.kill
) -> tuple[Verdict, Absences]:
    """Ends the server so often, and starts it again; returns the verdict, and how long that took."""
    absences = Absences()
    with (
        cluster_for(store) as cluster,
        ServerProgram(directory, {"limits": unlimited(), **in_database(cluster)}) as server,
    ):
        register_two(server, *PEOPLE)
        total = (times + 1) * LINES_A_ROUND
        talkers = [Talker(directory, name, CLIENT, lines=total, people=len(PEOPLE)) for name in PEOPLE]
        try:
            for number in range(times + 1):
                down_since = write_round(talkers, number, partial(end, server) if number < times else None)
                if down_since is not None:
                    server.start()
                    absences.away.append(time.monotonic() - down_since)
                wait_for(talkers, (number + 1) * LINES_A_ROUND * len(PEOPLE))
                if down_since is not None:
                    absences.back.append(time.monotonic() - down_since)
            deadline = time.monotonic() + END_SECONDS
            for talker in talkers:
                talker.finish(deadline)
        finally:
            for talker in talkers:
                talker.end()
    written = {talker.name: talker.written for talker in talkers}
    return compare(written, {talker.name: talker.shown() for talker in talkers}), absences


def write_round(talkers: list[Talker], number: int, end: Callable[[], object] | None) -> float | None:
    """Types one round's lines of everybody; the server is ended at a random one of them. Returns when that was."""
    ended_at = None
    victim = secrets.randbelow(LINES_A_ROUND - 2) + 1
    for line in range(LINES_A_ROUND):
        for talker in talkers:
            talker.type(talker.written[number * LINES_A_ROUND + line])
        if line == victim and end is not None:
            ended_at = time.monotonic()
            end()
        time.sleep(PACE_SECONDS)
    return ended_at


def main() -> int:
    """Prints the verdict. Returns 0 only if nothing was lost, doubled or reordered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="how often (200)")
    parser.add_argument("--restart", action="store_true", help="restart it by SIGTERM, do not kill it")
    add_option(parser)
    options = parser.parse_args()
    times, what = options.kills, "restarts" if options.restart else "kills"
    with tempfile.TemporaryDirectory(prefix="chatserv-kills-") as name:
        try:
            end = ServerProgram.stop if options.restart else ServerProgram.kill
            verdict, absences = campaign(Path(name), options.store, times, end)
        except ProgramError as error:
            print(error, file=sys.stderr)
            return 1
    say(f"{times} {what}, {(times + 1) * LINES_A_ROUND * len(PEOPLE)} lines, {absences}")
    print(verdict)
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
