"""``python -m bench``: runs parts, prints a JSON line for each figure that they come to, and a table at the end."""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Final

from bench.figures import surroundings
from bench.options import Options, checked, parser
from bench.server import BenchError
from bench.table import rst, table, text
from chatserv.interpreter import set_resource_limits
from chatserv.testing.display import DisplayError
from chatserv.testing.processes import ProgramError

SERVER_CORE, GENERATOR_CORE = 0, 1
Lines = Iterator[Mapping[str, object]]


@dataclass(frozen=True)
class Part:
    """One thing that is measured.

    Args:
        where: Module and function; imported when it runs.
        said: What runs, for who waits.
        quick: Whether it runs unasked.
        pinned: Whether server and generator have a core each.
        repeats: Whether it makes so many runs by itself.
    """

    where: str
    said: str
    quick: bool = True
    pinned: bool = True
    repeats: bool = False

    def run(self, options: Options, *at: object) -> Lines:
        """Runs it once; a load, if that is given, at another server than ours."""
        module, name = self.where.split(":")
        run: Callable[..., Lines] = getattr(import_module(f"bench.{module}"), name)
        return run(options, *at)


PARTS: Final = {
    "s1": Part("delivery:saturated", "a room as fast as it goes"),
    "s2": Part("delivery:light", "a room in which something is said now and then"),
    "s3": Part("delivery:many_rooms", "many small rooms in which everybody talks"),
    "s4": Part("logins:storm", "everybody logs in at once"),
    "s6": Part("delivery:pairs", "pairs who answer one another"),
    "registration": Part("logins:registrations", "new accounts, while nobody is there and while many are"),
    "s5": Part("idle:idle", "connections that do nothing, and all of them once more"),
    "growth": Part("growth:growth", "a store that is full: what a row, a page and a start cost"),
    "client": Part("client:client", "what messages cost a client, about 30 s"),
    "fairness": Part("fairness:fairness", "people who talk while somebody keeps the server busy"),
    "irc": Part("gateway:run", "two people in IRC clients, about 30 s", quick=False),
    "files": Part("files:run", "100 MB up and down, who talks beside files, slow lines, about 3 min", quick=False),
    "e2e": Part("e2e:run", "end-to-end encryption, about 30 s", quick=False),
    "passwords": Part("passwords:run", "logins by password, about 30 s", quick=False),
    "recovery": Part("recovery:run", "a recovery into 20 rooms of 50 devices, about 60 s", quick=False),
    "start": Part("start:run", "starts with an empty and a full store, about 60 s", quick=False),
    "window": Part("window:run", "the window while 10,000 messages come, about 80 s", quick=False, pinned=False),
    "floods": Part("floods:run", "20 kinds of flood by one account, about 8 min", quick=False),
    "cluster": Part(
        "cluster:run", "one, two and three nodes, about 3 min a run", quick=False, pinned=False, repeats=True
    ),
}
QUICK: Final = tuple(name for name, part in PARTS.items() if part.quick)


def main(words: Sequence[str]) -> int:
    """Runs everything; 1 where a part failed."""
    found = parser("python -m bench", "What this server and its clients cost; see bench/README.rst.")
    found.add_argument("parts", metavar="PART", nargs="*", help=f"{', '.join(PARTS)}, all; without: {', '.join(QUICK)}")
    found.add_argument("--scenario", choices=["s1", "s2"], help="another way to say s1 or s2")
    found.add_argument("--json-lines", action="store_true", help="only JSON on stdout, no progress on stderr")
    found.add_argument("--rst", action="store_true", help="the table as reStructuredText")
    values = found.parse_args(words)
    unknown = set(values.parts) - {*PARTS, "all"}
    if unknown:
        found.error(f"no such part: {', '.join(sorted(unknown))}")
    parts = (
        list(PARTS) if "all" in values.parts else values.parts or ([values.scenario] if values.scenario else [*QUICK])
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server is ended as well
    options, lines, failed = checked(found, values), [], False
    for name in parts:
        try:
            for line in _run(name, options, quiet=values.json_lines):
                print(json.dumps(line), flush=True)
                lines.append(line)
        except (BenchError, DisplayError, ProgramError) as error:
            print(f"bench: {name}: {error}", file=sys.stderr)
            failed = True
    if not values.json_lines:
        rows = table({"here": lines}, "here")
        print(rst(rows) if values.rst else text(rows))
    return int(failed)


def _run(name: str, options: Options, *, quiet: bool) -> Lines:
    """All runs of a part, each line with what it ran on. Raises what the part does."""
    part = PARTS[name]
    runs = 1 if part.repeats else options.runs
    with pinned(options) if part.pinned else nullcontext(options) as told:
        for number in range(runs):
            if not quiet:
                print(f"bench: {name}: {part.said}; run {number + 1} of {runs}", file=sys.stderr)
            for line in part.run(told):
                yield {**line, **surroundings(), "pinned": told.core is not None}


@contextmanager
def pinned(options: Options) -> Iterator[Options]:
    """The generator has a core, and as many connections as the system allows, and the server is to have another core.

    Where there are not two, it is said.
    """
    set_resource_limits()
    cores = os.sched_getaffinity(0)
    if not {SERVER_CORE, GENERATOR_CORE} <= cores:
        print("bench: fewer than two cores: server and generator share one, wall figures say little", file=sys.stderr)
        yield options
        return
    os.sched_setaffinity(0, {GENERATOR_CORE})
    try:
        yield replace(options, core=SERVER_CORE)
    finally:
        os.sched_setaffinity(0, cores)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
