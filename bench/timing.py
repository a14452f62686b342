"""How long something takes: medians of repetitions, bounded in time."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

LEAST: Final = 3  # repetitions, however long each takes
MOST: Final = 20_000


@dataclass(frozen=True)
class Timed:
    """A median in microseconds, and of how many repetitions."""

    us: float
    repetitions: int

    @classmethod
    def of(cls, times_ns: Sequence[int], parts: int = 1) -> "Timed":
        """From nanoseconds. ``parts``: how many equal things were done in each repetition; the median is of one."""
        return cls(median(times_ns) / parts / 1000, len(times_ns))


def repeat(action: Callable[[], object], seconds: float) -> None:
    """Does something again and again for about so many seconds, `LEAST` times at least."""
    end = time.monotonic() + seconds
    for number in range(MOST):
        if number >= LEAST and time.monotonic() >= end:
            return
        action()


def timed(action: Callable[[], object], seconds: float) -> Timed:
    """Times an action that is repeated; the first time, which warms up, does not count."""
    action()
    laps = Laps()

    def once() -> None:
        with laps.lap(""):
            action()

    repeat(once, seconds)
    return laps.timed()[""]


class Laps:
    """Times the steps of something that is repeated as a whole."""

    def __init__(self) -> None:
        self._times: dict[str, list[int]] = {}

    @contextmanager
    def lap(self, name: str) -> Generator[None]:
        """Times the block as this step."""
        start = time.perf_counter_ns()
        yield
        self._times.setdefault(name, []).append(time.perf_counter_ns() - start)

    def timed(self, parts: int = 1) -> dict[str, Timed]:
        """Each step; ``parts`` as in `Timed.of`."""
        return {name: Timed.of(times, parts) for name, times in self._times.items()}


def figures(times: Mapping[str, Timed]) -> dict[str, object]:
    """The medians, and the least number of repetitions behind any of them."""
    medians: dict[str, object] = {f"{name}_us": round(each.us, 1) for name, each in times.items()}
    return {**medians, "repetitions": min(each.repetitions for each in times.values())}
