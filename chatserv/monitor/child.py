"""The child process that samples the machine: prints one JSON line a message, and ends with its parent.

Run as ``python -m chatserv.monitor.child --interval 10 --server-pid N``. It needs the standard library and psutil alone, so
that it starts fast and holds nothing of the server. Its lines: ``hello`` once, ``beat`` at least every 2 seconds, and
``sample``. It ends, without a word, when stdin closes, on SIGTERM, when nobody reads it and when the server is gone.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import sys
import time
from types import FrameType
from typing import Any, NoReturn

import psutil

BEAT_SECONDS = 2.0
FIRST_SAMPLE_SECONDS = 1.0
MAX_PROCESSES = 300  # keeps a line far below the 64 KiB that the server reads; the busiest come first
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


def write_line(message: dict[str, Any]) -> None:
    """Prints a message, unbuffered, so that nothing is left to write when the reader is gone. Raises BrokenPipeError."""
    data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
    while data:
        data = data[os.write(_STDOUT, data) :]


def parent_is_gone(timeout_seconds: float) -> bool:
    """Waits for the end of stdin, at most so long; whatever stands in stdin is ignored."""
    until = time.monotonic() + timeout_seconds
    while True:
        readable, _, _ = select.select([_STDIN], [], [], max(0.0, until - time.monotonic()))
        if not readable:
            return False
        if not os.read(_STDIN, 4096):
            return True


def run(interval_seconds: float, server_pid: int, python_processes: bool) -> None:
    """Samples until the parent or the server is gone."""
    write_line({"type": "hello", "pid": os.getpid()})
    sampler = Sampler(server_pid, python_processes)
    next_sample = time.monotonic() + min(interval_seconds, FIRST_SAMPLE_SECONDS)
    while sampler.is_server_alive():
        write_line({"type": "beat"})
        wait = next_sample - time.monotonic()
        if parent_is_gone(min(max(wait, 0.0), BEAT_SECONDS)):
            return
        if time.monotonic() < next_sample:
            continue
        next_sample = max(next_sample + interval_seconds, time.monotonic())
        try:
            message = sampler.sample()
        except psutil.NoSuchProcess:
            return
        except (psutil.Error, OSError):  # /proc says no for now; the next sample may work
            continue
        write_line(message)


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
    options = parser.parse_args(arguments)
    end_with_parent()
    try:
        run(options.interval, options.server_pid, options.python_processes)
    except (OSError, psutil.NoSuchProcess):  # nobody reads, or a stream is closed: then nobody ever did
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
