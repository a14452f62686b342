"""The server under test, pinned and ended by its pid; ours is a real ``twistd -n chatserv`` in a temporary directory."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

import psutil

import chatserv
from chatserv.testing.processes import free_port, listens
from chatserv.testing.unlimited import unlimited
from chatserv.wire.link import ServerLink, parse_link

START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 60.0
REST_SECONDS: Final = 30.0
QUIET_SECONDS: Final = 1.5  # longer than anything is put off, such as what is told of the log
QUIET_SHARE: Final = 0.02  # of a core
HOST: Final = "127.0.0.1"
_LINK = re.compile(r"(chatserv://[^'\s]+).*\n")
_COMMIT_COUNTER: Final = slice(8, 12)  # iChange of the WAL index header (sqlite.org/walformat.html, section 2.1)
_CPU_CLOCK: Final = 2  # CPUCLOCK_SCHED of the kernel: user and system time of a whole process


class BenchError(Exception):
    """A run that measured nothing; ``str()`` says why."""


def settings(port: int, limits: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """The server's settings: the defaults, but for where it listens, who may register, what is logged, and ``limits``."""
    return {
        "server": {"host": HOST, "port": port},
        "security": {"registration": "open"},
        "logging": {"level": "WARN"},
        "monitoring": {"enabled": True},
        "limits": dict(limits),
    }


def cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | _CPU_CLOCK)


class Program:
    """A server process in a temporary directory, from ``with`` to the end of the block.

    Args:
        parent: Where the directory is made; the disk below it is what commits are synced to.
        core: The core that it is pinned to, or None.
    """

    def __init__(self, parent: Path | None, core: int | None) -> None:
        self._core = core
        self._directory = tempfile.TemporaryDirectory(prefix="chatserv-bench-", dir=parent)
        self._path = Path(self._directory.name).absolute()  # the server has another working directory

    def _run(self, command: Sequence[str], environment: Mapping[str, str] = MappingProxyType({})) -> None:
        """Starts it."""
        with (self._path / "stdout").open("wb") as output, (self._path / "stderr").open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                cwd=self._path,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
        if self._core is not None:
            os.sched_setaffinity(self.pid, {self._core})

    def _wait_for_listener(self, port: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if listens(port):
                return
            time.sleep(0.05)
        raise BenchError(f"the server does not listen: {self._errors()}")

    def _said(self, where: str) -> str:
        return (self._path / where).read_text(encoding="utf-8", errors="replace")

    def _errors(self) -> str:
        return self._said("stderr")[-2000:].strip() or "no message"

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """User and system time of the process with all its threads, to the nanosecond."""
        return cpu_seconds(self.pid)

    def child_cpu_seconds(self) -> float:
        """The same of its children, in ticks of 10 ms."""
        children = psutil.Process(self.pid).children()
        return float(sum(child.cpu_times().user + child.cpu_times().system for child in children))

    def memory_kib(self) -> float:
        """What the process takes of the machine's memory (Pss); without its children."""
        return float(psutil.Process(self.pid).memory_full_info().pss) / 1024

    def rest(self) -> None:
        """Returns once the server does nothing more that was begun."""
        deadline, before = time.monotonic() + REST_SECONDS, self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(QUIET_SECONDS)
            now = self.cpu_seconds()
            if now - before < QUIET_SHARE * QUIET_SECONDS:
                return
            before = now

    def commits(self) -> int:
        """How many transactions there were, modulo 2^32; 0 where it has none."""
        return 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process, and removes its directory."""
        self._end()
        self._directory.cleanup()

    def _end(self) -> None:
        """By force if it takes too long."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class BenchServer(Program):
    """Ours.

    Args:
        parent: As of `Program`.
        core: As of `Program`.
        limits: Settings of the table ``limits`` that are not the defaults.
        rates: Whether there are rates, those of the defaults.
    """

    def __init__(
        self, parent: Path | None, core: int | None, limits: Mapping[str, object] | None = None, *, rates: bool = False
    ) -> None:
        super().__init__(parent, core)
        bounds = dict(limits or {}) if rates else unlimited(**(limits or {}))
        (self._path / "settings.json").write_text(json.dumps(settings(free_port(), bounds)), encoding="utf-8")
        self._start()
        try:
            self.link = self._wait_for_link()
            self._wait_for_listener(self.link.port)
        except BaseException:
            self.close()
            raise

    @property
    def store(self) -> Path:
        """Its database."""
        return self._path / "state" / "chatserv.db"

    def stop(self) -> None:
        """Ends the process; its store is nobody's until `restart`."""
        self._end()

    def restart(self) -> None:
        """Ends the process, and starts another with what it has stored. Raises `BenchError`."""
        self._end()
        self._start()
        self._wait_for_listener(self.link.port)

    def _start(self) -> None:
        root = str(Path(chatserv.__file__).parents[1])
        paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        command = [
            sys.executable,
            "-c",
            "from twisted.scripts.twistd import run; run()",
            "-n",
            "--pidfile=",
            "chatserv",
        ]
        command += [f"--config={self._path / 'settings.json'}", f"--state-dir={self._path / 'state'}"]
        self._run(command, {"PYTHONPATH": os.pathsep.join(paths)})

    def _wait_for_link(self) -> ServerLink:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := _LINK.search(self._said("stdout")):
                return parse_link(found[1])
            time.sleep(0.02)
        raise BenchError(f"the server did not start: {self._errors()}")

    def commits(self) -> int:
        """How many transactions SQLite has committed: a counter that it keeps in the WAL index, modulo 2^32."""
        index = self.store.with_name("chatserv.db-shm")
        return int.from_bytes(index.read_bytes()[_COMMIT_COUNTER], sys.byteorder)
