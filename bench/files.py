"""What a file costs: 100 MB up and down on loopback without rates, the memory of both ends, and who talks meanwhile."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import psutil
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, react

from bench.options import Options
from bench.pair import LINES, Pair, in_clients, make_file
from bench.slow_files import line_figures
from chatserv.client import parse_link, use_steady_clock

FILE_BYTES: Final = 100_000_000
SAMPLE_SECONDS: Final = 0.05
MEGABITS: Final = (8, 1)


def run(options: Options) -> Iterator[dict[str, object]]:
    """As `file_figures`, and as `line_figures` for each line."""
    yield file_figures(options, FILE_BYTES)
    for megabits in MEGABITS:
        yield line_figures(options, megabits, LINES)


def file_figures(options: Options, size: int) -> dict[str, object]:
    """One server, and one process with the clients of two people. Raises `BenchError` where nothing could be measured.

    Args:
        options: Where, and on which core.
        size: Of the file, in bytes.
    """
    found = in_clients("bench.files", options, size)
    return {"scenario": "files", "what": f"files, {size // 10**6} MB", **found}


# -- inside the clients' process ---------------------------------------------------------------------------------------


class Peak:
    """The most memory that processes take, over what they took at the beginning.

    Args:
        pids: Which.
    """

    def __init__(self, *pids: int) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._before = self._now()
        self._most = self._before
        self._looking = LoopingCall(self._look)
        self._looking.start(SAMPLE_SECONDS)

    def _now(self) -> list[int]:
        return [process.memory_info().rss for process in self._processes]

    def _look(self) -> None:
        self._most = [max(pair) for pair in zip(self._most, self._now(), strict=True)]

    def stop(self) -> list[float]:
        """How much that was, in MB each."""
        self._look()
        self._looking.stop()
        return [round((most - before) / 1e6, 1) for most, before in zip(self._most, self._before, strict=True)]


async def measure(reactor: Any, directory: Path, server: int, size: int) -> None:
    """Prints the figures as JSON."""
    pair = Pair(reactor, parse_link(sys.stdin.read().strip()))
    await pair.begin()
    quiet = await pair.talk(LINES)
    path = make_file(directory, size // 10**6)
    peak, began = Peak(os.getpid(), server), time.perf_counter()
    sent = pair.alice.room("lobby").send_file(str(path))
    await sent
    up, (client_up, server_up) = time.perf_counter() - began, peak.stop()
    peak, began = Peak(os.getpid(), server), time.perf_counter()
    await pair.bob.room("lobby").save_file(sent.message_id, str(directory))
    down, (client_down, server_down) = time.perf_counter() - began, peak.stop()
    beside = pair.alice.room("lobby").send_file(str(path))
    beside.addErrback(lambda _: None)
    loaded = await pair.talk(LINES)
    under_way = not beside.called
    with suppress(Exception):
        pair.alice.room("lobby").discard(beside.message_id)
    for client in (pair.alice, pair.bob):
        await client.stop()
    figures = {
        "up_mb_per_second": round(size / 1e6 / up, 1),
        "down_mb_per_second": round(size / 1e6 / down, 1),
        "client_up_mb": client_up,
        "server_up_mb": server_up,
        "client_down_mb": client_down,
        "server_down_mb": server_down,
        "quiet_p95_ms": quiet,
        "beside_p95_ms": loaded,
        "beside_all_the_time": under_way,
    }
    print(json.dumps(figures))


async def main(reactor: Any) -> None:
    """By the command line: a directory, the server's pid, the file's size."""
    await measure(use_steady_clock(reactor), Path(sys.argv[1]), *map(int, sys.argv[2:]))


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
