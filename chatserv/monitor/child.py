"""The child process that samples the machine: prints one JSON line a message, and ends with its parent.

Run as ``python -m chatserv.monitor.child --interval 10 --server-pid N``. It needs the standard library and psutil alone, so
that it starts fast and holds nothing of the server. Its lines: ``hello`` once, ``beat`` at least every 2 seconds, and
``sample``. It ends, without a word, when stdin closes, on SIGTERM, when nobody reads it and when the server is gone.

The server writes a line to its stdin each second: how late its reactor was, in milliseconds. Where none comes for
``--stuck-seconds`` though the server is let run, the child ends it: SIGABRT, at which it notes where its threads stand,
then SIGKILL. Somebody else starts it again.
"""

import argparse
import ctypes
import json
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import psutil

BEAT_SECONDS = 2.0
FIRST_SAMPLE_SECONDS = 1.0
MAX_PROCESSES = 300  # keeps a line far below the 64 KiB that the server reads; the busiest come first
ABORT_SECONDS = 3.0  # between SIGABRT and SIGKILL
STEP_SECONDS = 0.5  # between two looks at whether the server lives
HELD_UP_SECONDS = 5.0  # so much late, this process itself was stopped, or the machine slept
MAX_CHILDREN = 20
_INTERPRETERS = ("python", "pypy")
_PR_SET_PDEATHSIG = 1  # prctl(2)
_STDIN, _STDOUT = 0, 1


class Sampler:
    """Measures. Processes are kept from one sample to the next, so that ``cpu_percent`` covers the time between the two."""

    def __init__(self, server_pid: int, python_processes: bool) -> None:
        self._server = psutil.Process(server_pid)
        self._python_processes = python_processes
        self._pythons: dict[int, psutil.Process] = {}
        psutil.cpu_percent()
        self._server.cpu_percent()
        if python_processes:
            self._sample_pythons()

    def is_server_alive(self) -> bool:
        """Whether the server still runs; another process under its pid does not count."""
        try:
            return bool(self._server.is_running() and self._server.status() != psutil.STATUS_ZOMBIE)
        except psutil.AccessDenied:
            return True
        except psutil.NoSuchProcess:
            return False

    def is_let_run(self) -> bool:
        """Whether the server is not stopped, by a signal or a debugger."""
        try:
            return self._server.status() not in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
        except psutil.Error:
            return False

    def end_server(self) -> None:
        """Ends the server, which does not answer: with a last word, or without."""
        try:
            self._server.send_signal(signal.SIGABRT)
            self._server.wait(ABORT_SECONDS)
        except psutil.TimeoutExpired:
            self._server.kill()

    def sample(self) -> dict[str, Any]:
        """One ``sample`` message. Raises psutil.NoSuchProcess when the server is gone."""
        memory = psutil.virtual_memory()
        message: dict[str, Any] = {
            "type": "sample",
            "system": {
                "cpu_percent": psutil.cpu_percent(),
                "memory_used_bytes": memory.used,
                "memory_total_bytes": memory.total,
                "memory_percent": memory.percent,
            },
            "server": self._sample_server(),
            "children": self._sample_children(),
        }
        if self._python_processes:
            message["python"] = self._sample_pythons()
        return message

    def _sample_server(self) -> dict[str, Any]:
        """The server's figures; null where the system does not tell."""
        figures = self._server.as_dict(["cpu_percent", "memory_info", "num_fds", "num_threads"], ad_value=None)
        memory = figures["memory_info"]
        return {
            "pid": self._server.pid,
            "cpu_percent": figures["cpu_percent"],
            "rss_bytes": None if memory is None else memory.rss,
            "fds": figures["num_fds"],
            "threads": figures["num_threads"],
        }

    def _sample_children(self) -> list[dict[str, Any]]:
        """The processes that the server has started, this one among them."""
        found = []
        for child in self._server.children()[:MAX_CHILDREN]:
            try:
                name = "monitor" if child.pid == os.getpid() else child.name()[:64]
                found.append({"pid": child.pid, "name": name, "status": child.status()})
            except psutil.Error:
                continue
        return found

    def _sample_pythons(self) -> list[dict[str, Any]]:
        """All processes that Python runs; the CPU of one that is new has no earlier point to count from: null."""
        known, self._pythons = self._pythons, {}
        found = []
        for process in psutil.process_iter():
            try:
                if not runs_python(process):
                    continue
                kept = known.get(process.pid)
                is_new = kept is None or kept != process
                current = process if kept is None or is_new else kept
                cpu, memory = current.cpu_percent(), current.memory_percent()
            except psutil.Error:  # gone meanwhile, or not ours to look at
                continue
            self._pythons[current.pid] = current
            found.append(
                {"pid": current.pid, "cpu_percent": None if is_new else cpu, "memory_percent": round(memory, 2)}
            )
        found.sort(key=lambda figures: (-(figures["cpu_percent"] or 0.0), figures["pid"]))
        return found[:MAX_PROCESSES]


def runs_python(process: psutil.Process) -> bool:
    """Whether an interpreter of Python runs there. A script such as ``twistd`` gives its process its own name.

    Raises psutil.Error where it is gone, or is hidden from us.
    """
    if process.name().lower().startswith(_INTERPRETERS):
        return True
    programs = [*process.cmdline()[:1], process.exe()]  # of a script, the kernel puts the interpreter first
    return any(os.path.basename(program).lower().startswith(_INTERPRETERS) for program in programs)


class Printer:
    """Prints messages, and never waits: a server that stands still does not read, and somebody has to notice that."""

    def __init__(self) -> None:
        self._rest = b""  # of a line that the pipe has taken in part
        os.set_blocking(_STDOUT, False)

    def print(self, message: dict[str, Any]) -> None:
        """Prints a message, or drops it where the reader is too far behind. Raises BrokenPipeError."""
        self._write()
        if not self._rest:
            self._rest = json.dumps(message, separators=(",", ":")).encode() + b"\n"
            if not self._write():
                self._rest = b""

    def _write(self) -> int:
        """Writes what is left; gives how much was taken."""
        before = len(self._rest)
        with suppress(BlockingIOError):
            while self._rest:
                self._rest = self._rest[os.write(_STDOUT, self._rest) :]
        return before - len(self._rest)


class Pulse:
    """The server's signs of life, as they come by stdin.

    Time is counted in steps of this process, so that neither its own pauses nor the machine's are held against the server.

    Args:
        may_run: Whether the server is let run: stopped by a signal or a debugger, it is silent for a reason.
    """

    def __init__(self, may_run: Callable[[], bool]) -> None:
        self.silent_seconds = 0.0  # since the last one; 0 before the first
        self.lag_ms = -1  # the most since `take_lag`; negative: nothing was said
        self._may_run = may_run
        self._beats = False
        self._rest = b""

    def waits(self, seconds: float) -> bool:
        """Waits for at most so long. False: stdin is closed."""
        before = time.monotonic()
        readable, _, _ = select.select([_STDIN], [], [], seconds)
        if readable:
            data = os.read(_STDIN, 4096)
            self.heard(data)
            return bool(data)
        self.passed(time.monotonic() - before, seconds)
        return True

    def heard(self, data: bytes) -> None:
        """What came."""
        self.silent_seconds, self._beats = 0.0, True
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:100]
        for line in lines:
            if line.isdigit() and len(line) <= 10:
                self.lag_ms = max(self.lag_ms, int(line))

    def passed(self, seconds: float, meant_seconds: float) -> None:
        """Nothing came in a step that was to take ``meant_seconds``."""
        if not self._beats or seconds > meant_seconds + HELD_UP_SECONDS or not self._may_run():
            self.silent_seconds = 0.0
        else:
            self.silent_seconds += seconds

    def take_lag(self) -> float | None:
        """The longest lag since this was asked, in seconds."""
        lag, self.lag_ms = self.lag_ms, -1
        return None if lag < 0 else lag / 1000


def run(interval_seconds: float, server_pid: int, python_processes: bool, stuck_seconds: float) -> None:
    """Samples until the parent or the server is gone."""
    printer = Printer()
    printer.print({"type": "hello", "pid": os.getpid()})
    sampler = Sampler(server_pid, python_processes)
    pulse = Pulse(sampler.is_let_run)
    now = time.monotonic()
    next_sample, next_beat = now + min(interval_seconds, FIRST_SAMPLE_SECONDS), now
    while sampler.is_server_alive():
        if now >= next_beat:
            printer.print({"type": "beat"})
            next_beat = now + min(interval_seconds, BEAT_SECONDS)
        if not pulse.waits(max(0.0, min(next_sample - now, next_beat - now, STEP_SECONDS))):
            return
        if pulse.silent_seconds >= stuck_seconds:
            sampler.end_server()
            return
        now = time.monotonic()
        if now < next_sample:
            continue
        next_sample = max(next_sample + interval_seconds, now)
        try:
            message = {**sampler.sample(), "lag_seconds": pulse.take_lag()}
        except psutil.NoSuchProcess:
            return
        except (psutil.Error, OSError):  # /proc says no for now; the next sample may work
            continue
        printer.print(message)


def end_with_parent() -> None:
    """Asks Linux for SIGTERM at the parent's death. Elsewhere the end of stdin does it alone, a moment later."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    except (OSError, AttributeError):
        return


def _exit(_signal: int, _frame: FrameType | None) -> NoReturn:
    os._exit(0)  # at once, wherever it was: there is nothing to save


def main(arguments: list[str] | None = None) -> int:
    """Runs the child; gives the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group, but the parent ends this process
    signal.signal(signal.SIGTERM, _exit)
    parser = argparse.ArgumentParser(description="Samples the machine for a chat server.")
    parser.add_argument("--interval", type=float, required=True, help="seconds between samples")
    parser.add_argument("--server-pid", type=int, required=True, help="the process to watch")
    parser.add_argument("--python-processes", action="store_true", help="list all Python processes too")
    parser.add_argument("--stuck-seconds", type=float, default=math.inf, help="end a server that is silent for so long")
    options = parser.parse_args(arguments)
    end_with_parent()
    try:
        run(options.interval, options.server_pid, options.python_processes, options.stuck_seconds)
    except (OSError, psutil.NoSuchProcess):  # nobody reads, or a stream is closed: then nobody ever did
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
