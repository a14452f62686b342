"""What has to hold after every fault and attack: the pass rule that all rows share.

The server lives, its log has no traceback, its memory and descriptors are what they were, an honest client was answered
while it lasted, and whoever runs the server was told in one line.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from typing import Final

import psutil

from chatserv.testing.processes import ServerProgram
from tests.faults.crowd import Crowd
from tests.faults.metrics import scrape
from tests.faults.rows import Ground, check, metrics_of, wait_for

MEMORY_SHARE: Final = 1.10
SLOWER: Final = 3.0
CALM_SECONDS: Final = 60.0
ACCOUNT_BYTES: Final = 5_000  # of memory, of one that has logged in: its leaves of the log, facts, name and buckets
NOISE_SECONDS: Final = 0.01  # of a long run, which has the machine for itself
STANDSTILL_SECONDS: Final = 5.0  # of a short one, which shares it: no time of the machine decides there


def p99(values: Sequence[float]) -> float:
    """The time under which 99 of 100 are, in seconds; nothing is faster than nothing."""
    ordered = sorted(values)
    return ordered[math.ceil(len(ordered) * 0.99) - 1] if ordered else 0.0


class Health:
    """How the server is before something happens to it.

    Args:
        ground: Whose times are held to.
        server: Runs.
        honest: People who talk at their own pace all the while, or None where the row has none.
        slower: How many times as long as before 99 of 100 answers to them may take.
    """

    def __init__(
        self, ground: Ground, server: ServerProgram, honest: Crowd | None = None, slower: float = SLOWER
    ) -> None:
        self._ground, self._server, self._honest, self._slower = ground, server, honest, slower
        self._process = psutil.Process(server.pid)
        self._quiet = 0.0
        if honest is not None:
            since = time.monotonic()
            time.sleep(ground.pick(1.5, 10.0))
            self._quiet = p99(honest.latencies(since))
        self._log_from = len(log_of(server))
        self._memory, self._descriptors = self._process.memory_info().rss, self._process.num_fds()
        self._counts = scrape(metrics_of(server.directory))
        self._began = time.monotonic()

    def check(
        self, line: str = "", *, metric: str = "", tracebacks: bool = False, times: int | None = None, accounts: int = 0
    ) -> str:
        """Fails the row where the rule does not hold. Gives the figure.

        Args:
            line: A pattern that a line of the log has had since; without, none is asked for.
            metric: A pattern for the whole name of a count that has grown since, likewise.
            tracebacks: Whether the fault itself is one that a traceback is right for.
            times: How many such lines there may be at most.
            accounts: How many there are more than before, which take memory as long as they are there.
        """
        ended = self._answered()
        check(self._process.is_running() and self._server.code is None, f"the server ended: {self._server.code}")
        new = log_of(self._server)[self._log_from :]
        check(tracebacks or "Traceback" not in new, f"a traceback in the log: {new[-2000:]}")
        if line:
            found = re.findall(line, wait_for(lambda: self._lines(line), f"a line with {line}"))
            check(times is None or len(found) <= times, f"{len(found)} lines with {line}")
        if metric:
            grown = scrape(metrics_of(self._server.directory)) - self._counts
            check(any(re.fullmatch(metric, name) for name in grown), f"{metric} has not grown: {sorted(grown)}")
        figures = [self._calm(accounts * ACCOUNT_BYTES), self._speed(ended)]
        return ", ".join(filter(None, figures))

    def _answered(self) -> float:
        """When the fault was over and enough messages of honest people were answered for a figure (monotonic)."""
        if self._honest is not None:
            honest, enough = self._honest, self._ground.pick(5, 50)
            wait_for(lambda: len(honest.latencies(self._began)) >= enough, f"{enough} messages of honest people")
        return time.monotonic()

    def _lines(self, line: str) -> str:
        new = log_of(self._server)[self._log_from :]
        return new if re.search(line, new) else ""

    def _speed(self, ended: float) -> str:
        if self._honest is None:
            return ""
        during = p99(self._honest.latencies(self._began, ended))
        most = self._slower * self._quiet + self._ground.pick(STANDSTILL_SECONDS, NOISE_SECONDS)
        check(during <= most, f"p99 {during * 1000:.0f} ms, {self._quiet * 1000:.0f} ms when quiet")
        return f"p99 {during * 1000:.1f} ms ({self._quiet * 1000:.1f} quiet)"

    def _calm(self, kept: int) -> str:
        """Memory, but for what is kept, and descriptors, once they are back."""
        seconds = CALM_SECONDS
        wait_for(
            lambda: self._process.num_fds() <= self._descriptors,
            f"descriptors back from {self._process.num_fds()} to {self._descriptors}",
            seconds,
        )
        most = self._memory * MEMORY_SHARE + kept
        now = wait_for(
            lambda: rss if (rss := self._process.memory_info().rss) <= most else 0,
            f"memory back from {self._process.memory_info().rss >> 10} KiB to {self._memory >> 10}",
            seconds,
        )
        return f"memory {100 * now / self._memory - 100:+.1f} %"


def log_of(server: ServerProgram) -> str:
    """What the server has logged: its terminal shows all that its files hold, and they may be what fails."""
    return server.output
