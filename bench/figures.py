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

from bench.ground import Ground, Scenario
from bench.load import Load

BUSY = 0.9  # a share of a core from which a process counts as being at its limit
DISTURBED = 0.05  # a share of a core that others may take


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


def read(server: Ground, load: Load) -> Reading:
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
        "what": str(scenario),
        "members": scenario.members,
        "senders": scenario.senders,
        "rooms": scenario.rooms,
        "window": scenario.window,
        "offered_per_second": scenario.rate,
        "seconds": round(seconds, 3),
        "sent": sent,
        "deliveries": deliveries,
        "deliveries_per_second": round(deliveries / seconds),
        **_cost(
            server * seconds * 1e6,
            "message" if scenario.direct else "delivery",
            sent if scenario.direct else deliveries,
        ),
        "p50_ms": round(percentile(ordered, 0.5), 3),
        "p99_ms": round(percentile(ordered, 0.99), 3),
        "p999_ms": round(percentile(ordered, 0.999), 3),
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
    }


def _cost(us: float, what: str, count: int) -> dict[str, object]:
    return {f"server_cpu_us_per_{what}": round(us / count, 3) if count else None}


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
