"""What several nodes cost: CPU of all of them a message and a delivery, with one, two and three, at equal load a node.

As many rooms as nodes, and each node has as many sessions and as many messages of its own however many there are: so what
the others cost it is what is measured. Rooms are spread over all nodes, or each has everybody at one node, and the others
hear nothing of it. Last, somebody talks at one node and everybody listens at another. The store is PostgreSQL each time.
"""

from __future__ import annotations

import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.accounts import Accounts, SharedKeys
from bench.figures import percentile
from bench.founding import found_room
from bench.load import Load, Room
from bench.member import Member, tls_context
from bench.options import Options
from bench.server import cpu_seconds
from bench.voice import Voice
from chatserv.testing.cluster import Nodes
from chatserv.testing.unlimited import unlimited
from chatserv.wire.link import ServerLink, parse_link

MEMBERS: Final = 12  # of a room, and sessions of a node
LIGHT: Final = 25.0  # messages a second for each node: nothing is coalesced, and a node uses a twentieth of its core
BUSY: Final = 100.0  # likewise, a sixth of it
SPREAD: Final = "spread"  # each room over all nodes
OWN: Final = "own"  # each room at a node of its own
APART: Final = "apart"  # one room: who talks at the first node, everybody else at the last
RUNS: Final = (
    *((SPREAD, count, rate) for rate in (LIGHT, BUSY) for count in (1, 2, 3)),
    *((layout, count, LIGHT) for layout, count in ((OWN, 2), (OWN, 3), (APART, 1), (APART, 2))),
)
COLUMNS: Final = {  # of the table
    "layout": "rooms",
    "nodes": "nodes",
    "offered_per_node": "a second",
    "nodes_cpu_us_per_message": "us a message",
    "nodes_cpu_us_per_delivery": "us a delivery",
    "of_linear": "of linear",
    "append_cpu_us": "append us",
    "foreign_cpu_us_per_delivery": "foreign us",
    "store_cpu_us_per_message": "store us",
    "bus_cpu_us_per_message": "bus us",
    "idle_cpu_ms_per_second": "idle ms/s",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
}
WARM_UP_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 3.0
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "security": {"registration": "open"},
    "logging": {"level": "WARN"},
    "monitoring": {"enabled": False},
    "limits": unlimited(),
}


class Follower(Member):
    """Somebody in a room that was made at another node, by which they come in anew: it is then as far as the store."""

    def follow(self) -> int:
        """As it is."""
        self.close()
        self.wait(self.entering())
        return super().follow()


class Reading:
    """CPU of all processes so far, in seconds.

    Args:
        nodes: They run.
    """

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = [cpu_seconds(node.pid) for node in nodes.nodes]
        self.bus = cpu_seconds(nodes.bus.pid)
        self.store = 0.0
        for process in nodes.postgres.processes():
            with suppress(OSError):  # it has ended
                self.store += cpu_seconds(process.pid)


def run(options: Options) -> Iterator[dict[str, object]]:
    """As `cluster_figures`, and their table on stderr."""
    lines = []
    for line in cluster_figures(options.directory, options.seconds, options.members, options.runs):
        lines.append(line)
        yield line
    print(table(lines), file=sys.stderr)


def cluster_figures(
    directory: Path | None, seconds: float, members: int | None, runs: int
) -> Iterator[dict[str, object]]:
    """A line for each of `RUNS`: the medians of so many, and their ratio to a single node."""
    alone: dict[float, float] = {}
    for layout, count, rate in RUNS:
        done = [_run(directory, layout, count, rate, seconds, members or MEMBERS) for _ in range(runs)]
        line = {key: _middle([each[key] for each in done]) for key in done[0]}
        if layout != APART:
            cost = float(str(line["nodes_cpu_us_per_message"]))
            line["of_linear"] = round(alone.setdefault(rate, cost) / cost, 3)
        yield {**line, "runs": runs}


def table(lines: Sequence[Mapping[str, object]]) -> str:
    """The lines for people."""
    rows = [tuple(COLUMNS.values()), *(tuple(str(line.get(key, "")) for key in COLUMNS) for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)


def _middle(values: list[object]) -> object:
    numbers = [value for value in values if isinstance(value, float)]
    return round(median(numbers), 3) if numbers else values[0]


def _run(parent: Path | None, layout: str, count: int, each: float, seconds: float, members: int) -> dict[str, object]:
    """One run with fresh nodes. Raises `BenchError`."""
    with (
        tempfile.TemporaryDirectory(prefix="chatserv-bench-", dir=parent) as name,
        Nodes(Path(name).absolute(), count, SETTINGS) as nodes,
        ExitStack() as stack,
    ):
        links = [parse_link(nodes.link(node)) for node in nodes.nodes]
        accounts = Accounts(links[0].fingerprint, SharedKeys.generate())
        latencies = array("q")
        rooms = [
            _room(links, accounts, layout, room, members, latencies) for room in range(1 if layout == APART else count)
        ]
        load, rate = Load(rooms, latencies), each * len(rooms)
        stack.callback(load.close)
        load.pace(WARM_UP_SECONDS, rate)
        load.settle()
        del latencies[:]
        sent, deliveries = load.sent, load.deliveries
        quiet = Reading(nodes)
        time.sleep(IDLE_SECONDS)
        before = Reading(nodes)
        load.pace(seconds, rate)
        load.settle()  # what is counted was paid for, the others' deliveries too
        after = Reading(nodes)
        sent, deliveries, ordered = load.sent - sent, load.deliveries - deliveries, sorted(latencies)
    cpu = [(end - start) * 1e6 for start, end in zip(before.nodes, after.nodes, strict=True)]
    apart = {"append_cpu_us": round(cpu[0] / sent, 1), "foreign_cpu_us_per_delivery": round(cpu[-1] / deliveries, 2)}
    return {
        "scenario": "cluster",
        "layout": layout,
        "nodes": count,
        "members": members,
        "offered_per_node": each,
        "offered_per_second": rate,
        "seconds": seconds,
        "sent": sent,
        "deliveries": deliveries,
        "nodes_cpu_us_per_message": round(sum(cpu) / sent, 1),
        "nodes_cpu_us_per_delivery": round(sum(cpu) / deliveries, 2),
        **(apart if layout == APART and count > 1 else {}),
        "store_cpu_us_per_message": round((after.store - before.store) * 1e6 / sent, 1),
        "bus_cpu_us_per_message": round((after.bus - before.bus) * 1e6 / sent, 1),
        "idle_cpu_ms_per_second": round((sum(before.nodes) - sum(quiet.nodes)) * 1e3 / IDLE_SECONDS / count, 2),
        "p50_ms": round(percentile(ordered, 0.5), 3),
        "p99_ms": round(percentile(ordered, 0.99), 3),
    }


def _room(
    links: list[ServerLink], accounts: Accounts, layout: str, room: int, members: int, latencies: array[int]
) -> Room:
    """A room and its members, of whom the founder is at another node each time."""
    context = tls_context()
    at = {SPREAD: [*links[room:], *links[:room]], OWN: [links[room]], APART: [links[0], *links[-1:] * (members - 1)]}
    places = at[layout]
    people = [
        Follower(places[number % len(places)], context, accounts, room * members + number) for number in range(members)
    ]
    found_room(people, links[0].fingerprint)
    talks = layout != APART
    founder = Voice(people[0], follows=talks, latencies=latencies if talks else None)
    others = [Voice(person, latencies=latencies) for person in people[1:]]
    return Room([founder, *others], [founder, *others]) if talks else Room(others, [founder])
