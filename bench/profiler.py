"""A profile of the server while it is measured: py-spy from outside, where that program is installed."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from bench.server import BenchError

RATE = 250  # samples a second


class Profiler:
    """Samples a process while the block runs.

    Args:
        file: Where the collapsed stacks go; None: no profile.
        pid: The process.
        seconds: How long the block takes, about.
    """

    def __init__(self, file: Path | None, pid: int, seconds: float) -> None:
        self._file, self._pid, self._seconds = file, pid, seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> None:
        if self._file is None:
            return
        program = shutil.which("py-spy", path=f"{Path(sys.executable).parent}") or shutil.which("py-spy")
        if program is None:
            raise BenchError("--profile needs py-spy (pip install py-spy)")
        command = [program, "record", "--nonblocking", "--format=raw", f"--rate={RATE}", f"--pid={self._pid}"]
        command += [f"--duration={max(1, round(self._seconds))}", f"--output={self._file}"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            try:
                self._process.wait(self._seconds + 10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
