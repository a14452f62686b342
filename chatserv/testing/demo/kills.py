"""``make kills``: people talk without a pause while the server is killed again and again, and nothing acknowledged is lost.

The programs are real: the server under twistd, and stdio clients that reconnect, resume and resend by themselves. Lines are
under way at each kill; the delivery oracle validates what every program was shown against what was typed.
"""

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from chatserv.testing.demo.oracle import Verdict, compare
from chatserv.testing.demo.talking import Talker, say, wait_for
from chatserv.testing.processes import CLIENT, ProgramError, ServerProgram, register_two

PEOPLE: Final = ("alice", "bob")
LINES_A_ROUND: Final = 30  # of each person
PACE_SECONDS: Final = 0.004  # so that over 100 lines a second flow before a kill
END_SECONDS: Final = 120.0


def campaign(directory: Path, kills: int) -> tuple[Verdict, list[float]]:
    """Kills the server so often; returns the verdict, and how long the server was away each time, in seconds."""
    starts: list[float] = []
    with ServerProgram(directory) as server:
        register_two(server, *PEOPLE)
        total = (kills + 1) * LINES_A_ROUND
        talkers = [Talker(directory, name, CLIENT, lines=total, people=len(PEOPLE)) for name in PEOPLE]
        try:
            for number in range(kills + 1):
                down_since = write_round(talkers, number, server if number < kills else None)
                if down_since is not None:
                    server.start()
                    starts.append(time.monotonic() - down_since)
                wait_for(talkers, (number + 1) * LINES_A_ROUND * len(PEOPLE))
            deadline = time.monotonic() + END_SECONDS
            for talker in talkers:
                talker.finish(deadline)
        finally:
            for talker in talkers:
                talker.end()
    written = {talker.name: talker.written for talker in talkers}
    return compare(written, {talker.name: talker.shown() for talker in talkers}), starts


def write_round(talkers: list[Talker], number: int, server: ServerProgram | None) -> float | None:
    """Types one round's lines of everybody; ``server`` is killed at a random one of them. Returns when that was."""
    killed_at = None
    victim = secrets.randbelow(LINES_A_ROUND - 2) + 1
    for line in range(LINES_A_ROUND):
        for talker in talkers:
            talker.type(talker.written[number * LINES_A_ROUND + line])
        if line == victim and server is not None:
            server.kill()
            killed_at = time.monotonic()
        time.sleep(PACE_SECONDS)
    return killed_at


def main() -> int:
    """Prints the verdict. Returns 0 only if nothing was lost, doubled or reordered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, metavar="N", help="how often (200)")
    kills = parser.parse_args().kills
    with tempfile.TemporaryDirectory(prefix="chatserv-kills-") as name:
        try:
            verdict, starts = campaign(Path(name), kills)
        except ProgramError as error:
            print(error, file=sys.stderr)
            return 1
    say(
        f"{kills} kills, {(kills + 1) * LINES_A_ROUND * len(PEOPLE)} lines, longest absence {max(starts, default=0):.2f} s"
    )
    print(verdict)
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
