"""``python -m bench.compare BASE``: the load on another revision and on this tree, in turns, and the ratios.

The other revision runs from a clean checkout of its own, in this environment: only the code differs. Each round has one
run of both, and which comes first changes from round to round, so that a machine that gets slower or faster favours nobody.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bench.server import BenchError

ROOT: Final = Path(__file__).parents[1]
FIGURES: Final = ("server_cpu_us_per_delivery", "deliveries_per_second", "p50_ms", "p99_ms")
BASE, HERE = "base", "here"

Line = Mapping[str, Any]


def arguments(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The command line: ours, and what goes on to ``python -m bench``."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare",
        description="The load on two revisions, in turns. Further arguments are those of python -m bench.",
    )
    parser.add_argument("base", metavar="BASE", help="the revision to compare this tree with")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (5)")
    options, further = parser.parse_known_args(words)
    if options.rounds < 1:
        parser.error("--rounds begins at 1")
    return options, further


def turns(rounds: int) -> Iterator[str]:
    """Which of the two runs, in order."""
    for number in range(rounds):
        yield from (BASE, HERE) if number % 2 == 0 else (HERE, BASE)


def checkout(revision: str, target: Path) -> str:
    """Makes a clean checkout and gives its commit. Raises `BenchError`."""
    commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    _git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(target))
    _git("-C", str(target), "checkout", "--quiet", "--detach", commit)
    return commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"git {' '.join(words)}: {done.stderr.strip() or 'no such revision'}")
    return done.stdout


def measure(tree: Path, further: Sequence[str]) -> list[Line]:
    """One run of each scenario, by the code in ``tree``. Raises `BenchError` where one has no figures."""
    words = [sys.executable, "-m", "bench", "delivery", "--runs", "1", "--json-lines", *further]
    paths = os.pathsep.join(filter(None, (str(tree), os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{tree}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def report(runs: Mapping[str, Sequence[Sequence[Line]]]) -> Iterator[str]:
    """What the runs say: for each scenario and figure both medians, and the ratios of the rounds.

    Args:
        runs: For `BASE` and `HERE`, the lines of each round.
    """
    for place, first in enumerate(runs[HERE][0]):
        lines = {side: [each[place] for each in runs[side]] for side in (BASE, HERE)}
        yield f"{first['scenario']}, {first['members']} members, {first['senders']} senders{_marks(lines.values())}"
        for name in FIGURES:
            base, here = ([line[name] for line in lines[side]] for side in (BASE, HERE))
            if all(base) and all(here):
                ratios = [new / old for old, new in zip(base, here, strict=True)]
                spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
                yield f"  {name:<27} {statistics.median(base):>12,.2f} {statistics.median(here):>12,.2f}   {spread}"


def _marks(sides: Iterable[Sequence[Line]]) -> str:
    lines = [line for side in sides for line in side]
    counts = {mark: sum(bool(line[mark]) for line in lines) for mark in ("disturbed", "generator_bound")}
    return "".join(f"; {count} runs {mark.replace('_', ' ')}" for mark, count in counts.items() if count)


def main(words: list[str]) -> int:
    """Runs everything and prints the table; 1 where there is none."""
    options, further = arguments(words)
    runs: dict[str, list[list[Line]]] = {BASE: [], HERE: []}
    try:
        with tempfile.TemporaryDirectory(prefix="chatserv-base-") as name:
            commit = checkout(options.base, Path(name))
            trees = {BASE: Path(name), HERE: ROOT}
            for number, side in enumerate(turns(options.rounds), 1):
                print(f"bench: {side}, run {number} of {2 * options.rounds}", file=sys.stderr)
                runs[side].append(measure(trees[side], further))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(
        f"medians of {options.base} ({commit[:12]}) and of this tree; ratio: median (lowest to highest) of the rounds"
    )
    print("\n".join(report(runs)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
