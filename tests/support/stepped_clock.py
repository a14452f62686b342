"""Runs a program whose clocks somebody else sets: ``python stepped_clock.py FILE PROGRAM ARGUMENT...``.

``FILE`` holds two numbers of seconds: what is added to the date, and what is added to the clock that counts a machine's
sleep. ``PROGRAM`` is ``twistd`` or the name of a module. Run as a file, since nothing may import a reactor before it.
"""

import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

_time, _time_ns, _clock_gettime = time.time, time.time_ns, time.clock_gettime  # noqa: TID251 - what is to be set


class Steps:
    """The two numbers, read anew when the file has changed.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self._path, self._read = path, (0, 0)
        self._steps = (0.0, 0.0)

    def now(self) -> tuple[float, float]:
        """What they are."""
        facts = os.stat(self._path)
        if (facts.st_ino, facts.st_mtime_ns) != self._read:
            self._read = (facts.st_ino, facts.st_mtime_ns)
            date, steady = Path(self._path).read_text().split()
            self._steps = (float(date), float(steady))
        return self._steps


def set_clocks(path: Path, date: float = 0.0, steady: float = 0.0) -> None:
    """Sets the clocks of a program that runs; whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(f"{date} {steady}")
    fresh.replace(path)


def program(path: Path, name: str) -> tuple[str, ...]:
    """The command that runs a program with the clocks of this file."""
    set_clocks(path)
    return (sys.executable, __file__, str(path), name)


def _install(steps: Steps) -> None:
    def gettime(clock: int) -> float:
        return _clock_gettime(clock) + (steps.now()[1] if clock == time.CLOCK_BOOTTIME else 0.0)

    patched: Any = time
    patched.time = lambda: _time() + steps.now()[0]
    patched.time_ns = lambda: _time_ns() + int(steps.now()[0] * 1e9)
    patched.clock_gettime = gettime


if __name__ == "__main__":
    _install(Steps(sys.argv[1]))
    sys.path.pop(0)  # this directory
    name, sys.argv = sys.argv[2], sys.argv[2:]
    if name == "twistd":
        from twisted.scripts.twistd import run

        run()
    else:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
