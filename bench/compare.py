"""``python -m bench.compare BASE PART...``: parts on another revision and on this tree, in turns, and the ratios.

The other revision runs from a clean checkout of its own, in this environment, with this tree's benchmark laid over it: only
what is measured differs. Each round has one run of both, and which comes first changes from round to round, so that a
machine that gets slower or faster favours nobody.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.server import BenchError
from bench.table import Line, rst, table, text

ROOT: Final = Path(__file__).parents[1]
BASE, HERE = "base", "here"


def arguments(words: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The command line: ours, and what goes on to ``python -m bench``."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare",
        description="Parts on two revisions, in turns. Further arguments are those of python -m bench.",
    )
    parser.add_argument("base", metavar="BASE", help="the revision to compare this tree with")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each (5)")
    parser.add_argument("--own", action="store_true", help="BASE is measured by its own benchmark, not by this one")
    parser.add_argument("--rst", action="store_true", help="the table as reStructuredText")
    options, further = parser.parse_known_args(words)
    if options.rounds < 1:
        parser.error("--rounds begins at 1")
    return options, further


def turns(rounds: int) -> Iterator[str]:
    """Which of the two runs, in order."""
    for number in range(rounds):
        yield from (BASE, HERE) if number % 2 == 0 else (HERE, BASE)


def checkout(revision: str, target: Path, *, own: bool = False) -> str:
    """Makes a clean checkout, with our benchmark or its own, and gives its commit. Raises `BenchError`."""
    commit = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
    _git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(target))
    _git("-C", str(target), "checkout", "--quiet", "--detach", commit)
    if not own:
        shutil.rmtree(target / "bench")
        shutil.copytree(ROOT / "bench", target / "bench", ignore=shutil.ignore_patterns("__pycache__"))
    return commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"git {' '.join(words)}: {done.stderr.strip() or 'no such revision'}")
    return done.stdout


def measure(tree: Path, further: Sequence[str]) -> list[Line]:
    """One run of each part, by the code in ``tree``. Raises `BenchError` where one has no figures."""
    words = [sys.executable, "-m", "bench", *further, "--runs", "1", "--json-lines"]
    paths = os.pathsep.join(filter(None, (str(tree), os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{tree}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def main(words: list[str]) -> int:
    """Runs everything and prints the table; 1 where there is none."""
    options, further = arguments(words)
    sides: dict[str, list[Line]] = {BASE: [], HERE: []}
    try:
        with tempfile.TemporaryDirectory(prefix="chatserv-base-") as name:
            commit = checkout(options.base, Path(name), own=options.own)
            trees = {BASE: Path(name), HERE: ROOT}
            for number, side in enumerate(turns(options.rounds), 1):
                print(f"bench: {side}, run {number} of {2 * options.rounds}", file=sys.stderr)
                sides[side] += measure(trees[side], further)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(
        f"base: {options.base} ({commit[:12]}); medians of {options.rounds} rounds (lowest to highest); ratios by round"
    )
    rows = table(sides, HERE)
    print(rst(rows) if options.rst else text(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
