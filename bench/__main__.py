"""``python -m bench``: runs the scenarios and prints one JSON line each."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.accounts import Accounts
from bench.e2e import all_figures
from bench.figures import Scenario, figures, read, surroundings
from bench.founding import found_room
from bench.load import Load
from bench.member import Member, tls_context
from bench.profiler import Profiler
from bench.server import BenchError, BenchServer
from bench.window import window_figures
from chatserv.testing.display import DisplayError
from chatserv.testing.processes import ProgramError

SERVER_CORE, GENERATOR_CORE = 0, 1
WARM_UP_SECONDS = 1.0
SAMPLED_MEMBERS = 5
S2_RATE = 50.0
MOST_MEMBERS = 500


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Load on the real server, and what encryption costs; see bench/README.rst."
    )
    parts = ["delivery", "e2e", "window", "all"]
    parser.add_argument(
        "part",
        choices=parts,
        nargs="?",
        help="load, encryption, or the window (all; with --scenario the load)",
    )
    parser.add_argument("--scenario", choices=["s1", "s2", "all"], help="of the load (all)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the measured part, at most 60")
    parser.add_argument("--members", type=int, help="members of the room (S1: 50, S2: 100)")
    parser.add_argument("--senders", type=int, help="S1: connections that send (10; without it also a run with 1)")
    parser.add_argument("--outstanding", type=int, default=16, help="S1: messages under way a sender")
    parser.add_argument("--rate", type=float, default=S2_RATE, help="S2: messages a second in all")
    parser.add_argument("--runs", type=int, default=1, help="runs of each scenario, each with a fresh server")
    parser.add_argument("--directory", type=Path, help="where the temporary state goes; its disk takes the commits")
    parser.add_argument("--profile", type=Path, help="py-spy writes collapsed stacks of the server there")
    parser.add_argument("--json-lines", action="store_true", help="only JSON on stdout, no progress on stderr")
    options = parser.parse_args(words)
    if (options.members or 1) + (options.senders or 1) > MOST_MEMBERS:
        parser.error(f"members and senders: at most {MOST_MEMBERS}, whom one commit can bring in")
    if not 0.1 <= options.seconds <= 60:
        parser.error("--seconds: 0.1 to 60")
    if min(options.members or 1, options.senders or 1, options.outstanding, options.runs) < 1:
        parser.error("counts begin at 1")
    if options.part is None:
        options.part = "delivery" if options.scenario else "all"
    return options


def scenarios(options: argparse.Namespace) -> list[Scenario]:
    """What the command line asks for."""
    wanted: list[Scenario] = []
    if options.part in {"e2e", "window"}:
        return wanted
    if options.scenario in {None, "s1", "all"}:
        for senders in [options.senders] if options.senders else [10, 1]:
            wanted.append(Scenario("S1", options.members or 50, senders, options.outstanding))
    if options.scenario in {None, "s2", "all"}:
        members = options.members or 100
        wanted.append(Scenario("S2", members, members, rate=options.rate))
    return wanted


def run(scenario: Scenario, options: argparse.Namespace, core: int | None) -> dict[str, object]:
    """One run with a fresh server. Raises `BenchError` where it measured nothing."""
    with BenchServer(options.directory, core) as server:
        accounts, context = Accounts(server.link.fingerprint), tls_context()
        # In S1 those who send do not listen, as in the bench of the peers; in S2 everybody does both.
        count = scenario.members + (0 if scenario.rate else scenario.senders)
        members = [Member(server.link, context, accounts, number) for number in range(count)]
        found_room(members, server.link.fingerprint)
        receivers, senders = members[: scenario.members], members[-scenario.senders :]
        load = Load(receivers, senders, scenario.members if scenario.rate else min(SAMPLED_MEMBERS, scenario.members))
        try:
            return _measure(scenario, options, server, load)
        finally:
            load.close()


def _measure(scenario: Scenario, options: argparse.Namespace, server: BenchServer, load: Load) -> dict[str, object]:
    def go(seconds: float) -> None:
        if scenario.rate:
            load.pace(seconds, scenario.rate)
        else:
            load.saturate(seconds, scenario.outstanding)

    go(WARM_UP_SECONDS)
    del load.latencies[:]
    with Profiler(options.profile, server.pid, options.seconds):
        before = read(server, load)
        go(options.seconds)
        after = read(server, load)
    latencies = load.latencies[:]
    load.settle()
    return figures(scenario, before, after, latencies)


def main(words: list[str]) -> int:
    """Runs everything; 1 where a run failed."""
    options = arguments(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is ended as well
    cores = os.sched_getaffinity(0)
    pinned = {SERVER_CORE, GENERATOR_CORE} <= cores
    if pinned:
        os.sched_setaffinity(0, {GENERATOR_CORE})
    else:
        print("bench: fewer than two cores: server and generator share one, wall figures say little", file=sys.stderr)
    failed = _run_all(options, pinned=pinned)
    if options.part in {"e2e", "all"}:
        if not options.json_lines:
            print("bench: end-to-end encryption, about 30 s", file=sys.stderr)
        for line in all_figures(options.directory):
            _print({**line, **surroundings()}, pinned=pinned)
    if options.part in {"window", "all"}:
        os.sched_setaffinity(0, cores)
        failed |= _run_window(options)
    return int(failed)


def _run_window(options: argparse.Namespace) -> bool:
    """Measures the window; True where that failed."""
    if not options.json_lines:
        print("bench: the window while keys are made and 10,000 messages come, about 80 s", file=sys.stderr)
    try:
        line = window_figures(options.directory)
    except (BenchError, DisplayError, ProgramError) as error:
        print(f"bench: window: {error}", file=sys.stderr)
        return True
    _print({**line, **surroundings()}, pinned=False)
    return False


def _print(line: Mapping[str, object], *, pinned: bool) -> None:
    print(json.dumps({**line, "pinned": pinned}), flush=True)


def _run_all(options: argparse.Namespace, *, pinned: bool) -> bool:
    """Puts load on servers; True where a run failed."""
    failed = False
    for scenario in scenarios(options):
        for number in range(options.runs):
            if not options.json_lines:
                print(f"bench: {scenario} run {number + 1} of {options.runs}", file=sys.stderr)
            try:
                result = run(scenario, options, SERVER_CORE if pinned else None)
            except BenchError as error:
                print(f"bench: {scenario}: {error}", file=sys.stderr)
                failed = True
            else:
                _print(result, pinned=pinned)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
