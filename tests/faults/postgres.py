"""Row 57: PostgreSQL, where the store is in one of its databases, dies, is restarted, stands still, ends connections."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import psutil
from twisted.trial.unittest import SkipTest

from chatserv.store.postgres.engines import SECONDS
from chatserv.testing.postgres import Cluster
from chatserv.testing.stores import in_database
from tests.faults.crowd import Crowd
from tests.faults.health import Health
from tests.faults.rows import Ground, NotRun, check, row
from tests.faults.storage import refusals
from tests.support.postgres import new_cluster

BRIEF_SECONDS: Final = 2.0  # of standing still: an answer that comes late
TERMINATE: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chatserv'"


@row(57, "PostgreSQL is killed, restarted, frozen, and ends connections")
def postgres_fails(ground: Ground) -> str:
    """Under load, whatever becomes of the database: people wait, or are told that it is busy, and lose nothing."""
    times, away = ground.pick(1, 20), SECONDS + ground.pick(1.0, 10.0)
    try:
        cluster = new_cluster()
    except SkipTest as reason:
        raise NotRun(str(reason)) from None
    faults: list[Callable[[], object]] = [
        partial(cluster.execute, TERMINATE),
        partial(_kill_one, cluster),
        partial(_kill_all, cluster),
        cluster.restart,
        partial(_freeze, cluster, BRIEF_SECONDS),
    ]
    slowest = 0.0
    try:
        with ground.server(in_database(cluster)) as server, Crowd(server, 4) as crowd:
            with crowd.talking(150):
                crowd.flowing()
                health = Health(ground, server)
                for fault in faults * times:
                    began = time.monotonic()
                    fault()
                    crowd.flowing()
                    slowest = max(slowest, time.monotonic() - began)
                _freeze(cluster, away)
                crowd.all_back()
                crowd.flowing()
            figure = crowd.check()
            busy = refusals(crowd, "busy")
            check(busy, f"nobody was told that it is busy while it stood still for {away:g} s")
            said = health.check(metric=r'chatserv_refusals_total\{code="busy"\}')
    finally:
        cluster.end()
    return f"{len(faults) * times} faults, people talk again within {slowest:.1f} s, {busy} told busy, {figure}, {said}"


def _kill_one(cluster: Cluster) -> None:
    """One of those that serve a connection dies: PostgreSQL ends all others, and comes back by its write-ahead log."""
    with suppress(psutil.NoSuchProcess):
        cluster.processes()[-1].kill()


def _kill_all(cluster: Cluster) -> None:
    cluster.stop()
    cluster.start()


def _freeze(cluster: Cluster, seconds: float) -> None:
    there = cluster.processes()
    try:
        _signal(there, signal.SIGSTOP)
        time.sleep(seconds)
    finally:
        _signal(there, signal.SIGCONT)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.send_signal(number)
