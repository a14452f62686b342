"""``make demo-cluster``: two people on two nodes of one server talk, one node is killed, both go on, and a third joins.

Every program is real: PostgreSQL, nats-server, three servers under twistd, and stdio clients, each of which knows all three
addresses. What each wrote is compared with what the others printed.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from chatserv.testing.cluster import Node, Nodes
from chatserv.testing.demo.oracle import Verdict, compare
from chatserv.testing.demo.run import FAULTY_CLIENT, show
from chatserv.testing.demo.stage import Check, wait_until
from chatserv.testing.demo.talking import PACE_SECONDS, Talker, say, wait_for
from chatserv.testing.processes import CLIENT, ProgramError, run_client
from chatserv.testing.unlimited import unlimited

LINES: Final = 20
QUIET: Final = 5  # lines of each before anything happens
KILL_AFTER: Final = 12  # lines of each when the node dies; the last ones are then under way
LATER: Final = 5  # lines of each once there are three
BURST_SECONDS: Final = 0.001
END_SECONDS: Final = 120.0


class Play:
    """Alice by way of the first node, Bob of the second, Carol of the third.

    Args:
        nodes: They run.
        broken: Whether Bob has the faulty client.
    """

    def __init__(self, nodes: Nodes, *, broken: bool) -> None:
        self._nodes, self._directory = nodes, nodes.directory
        self._programs = {"alice": CLIENT, "bob": FAULTY_CLIENT if broken else CLIENT, "carol": CLIENT}
        self.checks: list[Check] = []

    def perform(self) -> Verdict:
        """Everything; what both parts of the talk came to. Raises `ProgramError`."""
        first, second, third = self._nodes.nodes
        self._register("alice", first, first.link())
        self._register("bob", second, self._invite())
        say("alice registered at node a, bob at node b")
        two = [Talker(self._directory, name, self._programs[name], lines=LINES) for name in ("alice", "bob")]
        try:
            self._kill_between(two, first, second)
            verdict = self._verdict(two)
        finally:
            for talker in two:
                talker.end()
        show(two)
        self._register("carol", third, self._invite())
        say("carol registered at node c, while node a is dead")
        people = ("alice", "bob", "carol")
        three = [Talker(self._directory, name, self._programs[name], lines=LATER, people=3) for name in people]
        try:
            self._check("carol's program is on node c", wait_until(lambda: third.sessions >= 1))
            for number in range(LATER):
                self._type(three, number)
                time.sleep(PACE_SECONDS)
            later = self._verdict(three)
        finally:
            for talker in three:
                talker.end()
        show(three)
        return Verdict(
            verdict.lost + later.lost, verdict.doubled + later.doubled, verdict.order_equal and later.order_equal
        )

    def _invite(self) -> str:
        return run_client(self._directory, "alice", "--invite").strip()

    def _register(self, name: str, node: Node, link: str) -> None:
        run_client(self._directory, name, self._nodes.by_way_of(node, link), "--send", seconds=END_SECONDS)

    def _kill_between(self, two: list[Talker], first: Node, second: Node) -> None:
        for number in range(QUIET):
            self._type(two, number)
            time.sleep(PACE_SECONDS)
        wait_for(two, QUIET * len(two))
        alone = wait_until(lambda: first.sessions == second.sessions == 1)  # those before may not have left yet
        self._check("alice is on node a, bob on node b", alone)
        for number in range(QUIET, KILL_AFTER):
            self._type(two, number)
            time.sleep(BURST_SECONDS)
        killed = first.pid
        first.kill()
        say(f"node a killed with SIGKILL (process {killed}): {KILL_AFTER * len(two)} lines written")
        for number in range(KILL_AFTER, LINES):
            self._type(two, number)
            time.sleep(PACE_SECONDS)
        deadline = time.monotonic() + END_SECONDS
        for talker in two:
            talker.finish(deadline)

    @staticmethod
    def _type(talkers: list[Talker], number: int) -> None:
        for talker in talkers:
            talker.type(talker.written[number])

    @staticmethod
    def _verdict(talkers: list[Talker]) -> Verdict:
        deadline = time.monotonic() + END_SECONDS
        for talker in talkers:
            talker.finish(deadline)
        written = {talker.name: talker.written for talker in talkers}
        return compare(written, {talker.name: talker.shown() for talker in talkers})

    def _check(self, text: str, good: bool) -> None:
        check = Check(text, good)
        self.checks.append(check)
        print(check, flush=True)


def main() -> int:
    """Prints transcript and verdict. Returns 0 only if nothing was lost, doubled or reordered, and all checks hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--break", dest="broken", action="store_true", help="let the second client drop and double a line"
    )
    broken = parser.parse_args().broken
    with tempfile.TemporaryDirectory(prefix="chatserv-demo-") as name:
        try:
            with Nodes(Path(name), settings={"limits": unlimited()}) as nodes:
                for node in nodes.nodes:
                    say(f"node {node.name} on {node.address}, process {node.pid}")
                play = Play(nodes, broken=broken)
                verdict = play.perform()
        except ProgramError as error:
            print(error, file=sys.stderr)
            return 1
    failing = [check for check in play.checks if not check.good]
    for check in failing:
        print(check)
    print(verdict)
    return 0 if verdict.good and not failing else 1


if __name__ == "__main__":
    sys.exit(main())
