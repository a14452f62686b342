"""The server under test: a real ``twistd -n chatserv`` in a temporary directory, pinned, and ended by its pid."""

import json
import os
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import psutil

import chatserv
from chatserv.wire.link import ServerLink, parse_link

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
HOST: Final = "127.0.0.1"
_LINK = re.compile(r"chatserv://[^'\s]+")
_COMMIT_COUNTER: Final = slice(8, 12)  # iChange of the WAL index header (sqlite.org/walformat.html, section 2.1)
_CPU_CLOCK: Final = 2  # CPUCLOCK_SCHED of the kernel: user and system time of a whole process


class BenchError(Exception):
    """A run that measured nothing; ``str()`` says why."""


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server((HOST, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def settings(port: int) -> dict[str, dict[str, object]]:
    """The server's settings: the defaults, but for where it listens, who may register and how much is logged."""
    return {
        "server": {"host": HOST, "port": port},
        "security": {"registration": "open"},
        "logging": {"level": "WARN"},
        "monitoring": {"enabled": True},
    }


class BenchServer:
    """A server process, from ``with`` to the end of the block.

    Args:
        parent: Where the temporary directory is made; the disk below it is what commits are synced to.
        core: The core that it is pinned to, or None.
    """

    def __init__(self, parent: Path | None, core: int | None) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="chatserv-bench-", dir=parent)
        self._path = Path(self._directory.name).absolute()  # the server has another working directory
        self._process = self._start()
        try:
            if core is not None:
                os.sched_setaffinity(self.pid, {core})
            self.link = self._wait_for_link()
            self._wait_for_listener()
        except BaseException:
            self.close()
            raise

    def _start(self) -> "subprocess.Popen[bytes]":
        file = self._path / "settings.json"
        file.write_text(json.dumps(settings(free_port())), encoding="utf-8")
        root = str(Path(chatserv.__file__).parents[1])
        paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
        command += ["-n", "--pidfile=", "chatserv", f"--config={file}", f"--state-dir={self._path / 'state'}"]
        with (self._path / "stderr").open("wb") as errors:
            return subprocess.Popen(
                command,
                cwd=self._path,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    def _wait_for_link(self) -> ServerLink:
        output, text, deadline = self._output(), b"", time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not select.select([output], [], [], 0.5)[0]:
                continue
            chunk = os.read(output.fileno(), 65_536)
            text += chunk
            found = _LINK.search(text.decode("utf-8", "replace"))
            if found and b"\n" in text[found.end() :]:
                return parse_link(found[0])
            if not chunk:
                break
        raise BenchError(f"the server did not start: {self._errors()}")

    def _wait_for_listener(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                socket.create_connection((HOST, self.link.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise BenchError(f"the server does not listen: {self._errors()}")

    def _output(self) -> IO[bytes]:
        if self._process.stdout is None:
            raise BenchError("the server has no output")
        return self._process.stdout

    def _errors(self) -> str:
        return (self._path / "stderr").read_text(encoding="utf-8", errors="replace")[-2000:].strip() or "no message"

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """User and system time of the process with all its threads, to the nanosecond; without the monitor child."""
        return time.clock_gettime((~self.pid << 3) | _CPU_CLOCK)

    def child_cpu_seconds(self) -> float:
        """The same of the monitor child, in ticks of 10 ms."""
        children = psutil.Process(self.pid).children()
        return float(sum(child.cpu_times().user + child.cpu_times().system for child in children))

    def commits(self) -> int:
        """How many transactions SQLite has committed: a counter that it keeps in the WAL index, modulo 2^32."""
        index = self._path / "state" / "chatserv.db-shm"
        return int.from_bytes(index.read_bytes()[_COMMIT_COUNTER], sys.byteorder)

    def __enter__(self) -> "BenchServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process, by force if it takes too long, and removes its directory."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output().close()
        self._directory.cleanup()
