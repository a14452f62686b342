"""``make demo``: people talk through the real programs while the server is killed and started again, and use what there is.

Every program is a process of its own: the server under twistd, and stdio clients that reconnect, resume and resend by
themselves. What each wrote is compared with what the others printed; then come the scenes of `chatserv.testing.demo.scenes`,
and those of `chatserv.testing.demo.device_scenes`.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from chatserv.testing.demo.device_scenes import DEVICE_SCENES
from chatserv.testing.demo.oracle import Verdict, compare
from chatserv.testing.demo.scenes import SCENES
from chatserv.testing.demo.stage import Check, Stage
from chatserv.testing.demo.talking import PACE_SECONDS, Talker, say, wait_for
from chatserv.testing.processes import CLIENT, ProgramError, ServerProgram, register_two
from chatserv.testing.stores import add_option, cluster_for, in_database
from chatserv.testing.unlimited import unlimited

LINES: Final = 20
QUIET: Final = 5  # lines of each before anything happens
KILL_AFTER: Final = 12  # lines of each when the server dies; the last ones are then under way
RESTART_AFTER: Final = 15
BURST_SECONDS: Final = 0.001
END_SECONDS: Final = 120.0
FAULTY_CLIENT: Final = (sys.executable, "-m", "chatserv.testing.demo.faulty_client")


def demonstrate(directory: Path, store: str, *, broken: bool) -> tuple[Verdict, list[Check]]:
    """Runs the play in ``directory``; ``broken`` gives the second person the faulty client, and ends after the talk."""
    with (
        cluster_for(store) as cluster,
        ServerProgram(directory, {"limits": unlimited(), **in_database(cluster)}) as server,
    ):
        say(f"server on 127.0.0.1:{server.port}, process {server.pid}")
        register_two(server, "alice", "bob")
        say("alice registered with the server's link, bob with an invite by alice")
        second = FAULTY_CLIENT if broken else CLIENT
        talkers = [
            Talker(directory, name, program, lines=LINES) for name, program in (("alice", CLIENT), ("bob", second))
        ]
        try:
            talk(server, talkers)
        finally:
            for talker in talkers:
                talker.end()
        show(talkers)
        written = {talker.name: talker.written for talker in talkers}
        verdict = compare(written, {talker.name: talker.shown() for talker in talkers})
        stage = Stage(server)
        for scene in () if broken else (*SCENES, *DEVICE_SCENES):
            scene(stage)
    return verdict, stage.checks


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


def show(talkers: list[Talker]) -> None:
    """Prints what everybody's program printed."""
    for talker in talkers:
        say(f"what the program of {talker.name} printed:")
        for sender, text in talker.shown():
            print(f"   <{sender}> {text}")


def main() -> int:
    """Prints transcript and verdict. Returns 0 only if nothing was lost, doubled or reordered, and all checks hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--break", dest="broken", action="store_true", help="let the second client drop and double a line"
    )
    add_option(parser)
    options = parser.parse_args()
    broken = options.broken
    with tempfile.TemporaryDirectory(prefix="chatserv-demo-") as name:
        try:
            verdict, checks = demonstrate(Path(name), options.store, broken=broken)
        except ProgramError as error:
            print(error, file=sys.stderr)
            return 1
    failing = [check for check in checks if not check.good]
    if checks:
        say(f"{len(checks) - len(failing)} of {len(checks)} checks hold")
    for check in failing:
        print(check)
    print(verdict)
    return 0 if verdict.good and not failing else 1


if __name__ == "__main__":
    sys.exit(main())
