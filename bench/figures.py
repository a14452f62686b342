"""What a run is described by: its scenario, what was counted, and what it ran on."""

import os
import platform
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import psutil
from OpenSSL import SSL

from bench.load import Load
from bench.server import BenchServer

BUSY = 0.9  # a share of a core from which a process counts as being at its limit
DISTURBED = 0.05  # a share of a core that others may take


@dataclass(frozen=True)
class Scenario:
    """What is run: ``rate`` is messages a second in all, 0 for a window of ``outstanding`` messages a sender."""

    name: str
    members: int
    senders: int
    outstanding: int = 0
    rate: float = 0.0


@dataclass(frozen=True)
class Reading:
    """All counters at one moment; CPU in seconds."""

    at: float
    server: float
    monitor: float
    generator: float
    machine: float
    commits: int
    sent: int
    deliveries: int
    lines: int


def read(server: BenchServer, load: Load) -> Reading:
    """Reads all counters."""
    busy = psutil.cpu_times()
    return Reading(
        at=time.monotonic(),
        server=server.cpu_seconds(),
        monitor=server.child_cpu_seconds(),
        generator=time.process_time(),
        machine=busy.user + busy.system + busy.nice + busy.irq + busy.softirq + busy.steal,
        commits=server.commits(),
        sent=load.sent,
        deliveries=load.deliveries,
        lines=load.lines,
    )


def percentile(ordered: Sequence[int], share: float) -> float:
    """A nearest-rank percentile of sorted nanoseconds, in milliseconds; 0 where there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / 1e6 if ordered else 0.0


def figures(scenario: Scenario, before: Reading, after: Reading, latencies: Sequence[int]) -> dict[str, object]:
    """The JSON line of a run."""
    seconds = after.at - before.at
    deliveries, sent = after.deliveries - before.deliveries, after.sent - before.sent
    commits, lines = (after.commits - before.commits) % 2**32, after.lines - before.lines
    server, generator = (after.server - before.server) / seconds, (after.generator - before.generator) / seconds
    monitor = (after.monitor - before.monitor) / seconds
    others = max(0.0, (after.machine - before.machine) / seconds - server - generator - monitor)
    ordered = sorted(latencies)
    return {
        "scenario": scenario.name,
        "members": scenario.members,
        "senders": scenario.senders,
        "outstanding": scenario.outstanding,
        "offered_per_second": scenario.rate,
        "seconds": round(seconds, 3),
        "sent": sent,
        "deliveries": deliveries,
        "deliveries_per_second": round(deliveries / seconds),
        "server_cpu_us_per_delivery": round(server * seconds * 1e6 / deliveries, 3) if deliveries else None,
        "p50_ms": round(percentile(ordered, 0.5), 3),
        "p99_ms": round(percentile(ordered, 0.99), 3),
        "latencies": len(ordered),
        "commits": commits,
        "messages_per_commit": round(sent / commits, 2) if commits else None,
        "events_per_line": round(deliveries / lines, 2) if lines else None,
        "server_cpu_share": round(server, 3),
        "generator_cpu": round(generator, 3),
        "generator_bound": generator >= BUSY > server,
        "monitor_cpu_share": round(monitor, 3),
        "other_cpu_share": round(others, 3),
        "disturbed": others > DISTURBED,
        **surroundings(),
    }


def surroundings() -> dict[str, object]:
    """Date, cores and versions. The server runs in the same environment."""
    return {
        "date": datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "twisted": version("twisted"),
        "cryptography": version("cryptography"),
        "openssl": SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode().split()[1],
        "sqlite": sqlite3.sqlite_version,
    }
