"""``python -m tests.faults [--short] [--list] [--jobs N] [--store postgres] [ROW…]``: a line a row.

``row NN pass|fail|not run figure``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from chatserv.testing.stores import SQLITE, add_option, cluster_for
from tests.faults import all_rows
from tests.faults.rows import ROWS, play

if TYPE_CHECKING:
    from chatserv.testing.postgres import Cluster

ROOT = Path(__file__).parents[2]


def main(words: list[str]) -> int:
    """Runs what is asked for; 1 where a row fails, or is not run and would have to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Faults, and what comes of them.")
    parser.add_argument("rows", nargs="*", type=int, metavar="ROW", help="its number; without, all rows")
    parser.add_argument("--short", action="store_true", help="each row in small, a few seconds")
    parser.add_argument("--list", action="store_true", help="show the rows and run none")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many rows at a time")
    add_option(parser)
    options = parser.parse_args(words)
    all_rows.load()
    unknown = [number for number in options.rows if number not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]}")
    if options.jobs < 1:
        parser.error("--jobs: at least 1")
    numbers = options.rows or sorted(ROWS)
    if options.list:
        for number in numbers:
            print(f"row {number:02} {ROWS[number].title}")
        return 0
    good = True
    for line, row_good in side_by_side(numbers, options.jobs, short=options.short, store=options.store):
        print(line, flush=True)
        good &= row_good
    return int(not good)


def here(number: int, *, short: bool, cluster: Cluster | None) -> tuple[str, bool]:
    """The line of a row, and whether it may be so."""
    outcome = play(ROWS[number], short=short, cluster=cluster)
    return f"{outcome}  [{outcome.seconds:.1f} s]", outcome.good


def side_by_side(numbers: Sequence[int], jobs: int, *, short: bool, store: str = SQLITE) -> Iterator[tuple[str, bool]]:
    """The lines of some rows, in the order in which they end; more than one at a time are in processes of their own."""
    size = ("--short",) if short else ()
    if jobs == 1 or len(numbers) == 1:
        with cluster_for(store) as cluster:
            yield from (here(number, short=short, cluster=cluster) for number in numbers)
        return

    def one(number: int) -> tuple[str, bool]:
        command = [sys.executable, "-m", "tests.faults", *size, "--store", store, str(number)]
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        line = next((line for line in done.stdout.splitlines() if line.startswith(f"row {number:02} ")), "")
        told = " ".join((done.stdout + done.stderr)[-500:].split())
        return line or f"row {number:02} fail exit code {done.returncode}: {told}", bool(line) and done.returncode == 0

    with ThreadPoolExecutor(jobs) as pool:
        for ended in as_completed([pool.submit(one, number) for number in numbers]):
            yield ended.result()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
