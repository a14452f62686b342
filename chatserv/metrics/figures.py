"""What is measured, read from the objects at the moment of a scrape. No name of a person, a room or an address is in it."""

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Final

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from chatserv import VERSION
from chatserv.backup.last_backup import last_backup
from chatserv.clocks import now_ms
from chatserv.commands.context import Context
from chatserv.counts import COUNTED, Counts, Histogram
from chatserv.logs import LogFiles
from chatserv.monitor.process import MonitorService
from chatserv.net.certificates import ServedCertificate
from chatserv.net.factory import ChatFactory
from chatserv.net.pool import CryptoPool
from chatserv.state_directory import StatePaths
from chatserv.store.sql_base import BaseSqlStore
from chatserv.watchdog import LagMeter

PREFIX: Final = "chatserv_"


class Watched(Struct, frozen=True):
    """What the figures are of. ``started``: when, by the clock of the effects."""

    context: Context
    store: BaseSqlStore
    pool: CryptoPool
    factory: ChatFactory
    counts: Counts
    lag: LagMeter
    monitor: MonitorService
    logs: LogFiles
    certificate: ServedCertificate
    paths: StatePaths
    started: float


class Figures(Collector):
    """All metrics of a server; a scrape takes a millisecond or two.

    Args:
        watched: What they are of.
    """

    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are."""
        yield from self._counted()
        yield from self._people()
        yield from self._waiting()
        yield from self._state()
        yield from self._monitored()

    def _counted(self) -> Iterator[Metric]:
        for name, (text, label) in COUNTED.items():
            family = CounterMetricFamily(PREFIX + name, text, labels=[label] if label else [])
            for value, number in self._watched.counts.of(name).items():
                family.add_metric([value] if label else [], number)
            yield family
        lost = self._watched.logs.lost
        yield CounterMetricFamily(PREFIX + "log_lines_lost", "Lines that no log file has", value=lost)

    def _people(self) -> Iterator[Metric]:
        context, factory = self._watched.context, self._watched.factory
        yield _gauge("connections", "Connections that are open", len(factory.connections))
        yield _gauge("unauthenticated_connections", "Those that are not logged in", len(factory.anteroom))
        yield _gauge("sessions", "Sessions of devices", len(context.hub.sessions))
        yield _gauge("guests", "Sessions by password", len(context.guests.sessions))
        yield _gauge("rooms", "Rooms that are open; of a node, those that somebody there needs", len(context.hub.rooms))
        yield _gauge("transparency_log_entries", "Entries of the transparency log", context.log.size)

    def _waiting(self) -> Iterator[Metric]:
        watched = self._watched
        family = GaugeMetricFamily(PREFIX + "store_waiting", "Requests that wait for the database", labels=["kind"])
        family.add_metric(["write"], watched.store.writes_waiting)
        family.add_metric(["read"], watched.store.reads_waiting)
        yield family
        yield _gauge("signatures_waiting", "Signatures that are made or wait", watched.pool.waiting)
        queued = [getattr(session.outbox, "queued_bytes", 0) for session in watched.context.hub.sessions]
        yield _gauge("send_queue_bytes", "Bytes that wait for clients, of all", sum(queued))
        yield _gauge("send_queue_longest_bytes", "Bytes that wait for the client with the most", max(queued, default=0))
        yield _histogram("commit_seconds", "Commits of the database", watched.store.commit_seconds)
        yield _histogram("reactor_lag_seconds", "How late the reactor was, 20 times a second", watched.lag.lags)
        longest = watched.lag.worst("metrics")
        yield _gauge("reactor_lag_longest_seconds", "How late it was at most since the last scrape", longest)

    def _state(self) -> Iterator[Metric]:
        watched, context = self._watched, self._watched.context
        family = GaugeMetricFamily(PREFIX + "build_info", "Which version runs", labels=["version"])
        family.add_metric([VERSION], 1)
        yield family
        yield _gauge("uptime_seconds", "Since the start", context.effects.seconds() - watched.started)
        yield _gauge("store_read_only", "1: the database takes nothing any more", watched.store.broken)
        yield _gauge("mending", "1: a restored server mends", context.mending.active)
        yield _gauge("draining", "1: the server takes nobody in any more", watched.factory.draining)
        ends = watched.certificate.certified.certificate.not_valid_after_utc.timestamp()
        yield _gauge("certificate_expiry_timestamp_seconds", "When the TLS certificate ends, since 1970", ends)
        database = watched.paths.database
        if not context.config.store.url:
            yield _gauge("database_bytes", "Size of the database", _size(database))
            yield _gauge(
                "database_log_bytes", "Size of its write-ahead log", _size(database.with_name(database.name + "-wal"))
            )
        if context.uploads is not None:
            yield _gauge(
                "files_bytes", "What people's files count for, as of the last sweep", context.uploads.used_bytes
            )
        made = last_backup(watched.paths)
        if made is not None:
            yield _gauge("backup_age_seconds", "Age of the last backup", (now_ms() - made.made_ms) / 1000)

    def _monitored(self) -> Iterator[Metric]:
        monitor = self._watched.monitor
        yield _gauge("monitor_running", "1: the monitor child runs", monitor.state.value == "running")
        sample = monitor.last_sample
        if sample is None:
            return
        for name, text, value in (
            ("machine_cpu_percent", "CPU of the machine, of all cores", sample.system.cpu_percent),
            ("machine_memory_percent", "Memory of the machine in use", sample.system.memory_percent),
            ("server_cpu_percent", "CPU of the server, of one core", sample.server.cpu_percent),
            ("server_resident_bytes", "Memory of the server", sample.server.rss_bytes),
            ("server_open_fds", "File descriptors of the server", sample.server.fds),
            ("server_threads", "Threads of the server", sample.server.threads),
        ):
            if value is not None:
                yield _gauge(name, text, value)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, value=float(value))


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    bounds = [*map(repr, histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(histogram.numbers)), strict=True))
    return HistogramMetricFamily(PREFIX + name, text, buckets=buckets, sum_value=histogram.total)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
