"""systemd as far as a service sees it: the notify socket, the watchdog, listening sockets, the journal, and restarts.

It reads what matters of ``deploy/chatserv.service`` itself, so that what is tried is what operators get.
"""

import array
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from chatserv.testing.processes import TWISTD, ProgramError, child_environment, free_port

UNIT: Final = Path(__file__).resolve().parents[2] / "deploy" / "chatserv.service"
_START = """
import os, sys
given = [int(one) for one in sys.argv[1].split(",") if one]
high = [os.dup(one) for one in given for _ in "12"][1::2]
for index, one in enumerate(high):
    os.dup2(one, 3 + index)
    os.set_inheritable(3 + index, True)
os.environ["LISTEN_PID"] = str(os.getpid())
if os.environ.get("WATCHDOG_USEC"):
    os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execvp(sys.argv[2], sys.argv[2:])
"""
SECONDS: Final = 120.0  # what has not come by then does not come
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0}


def unit_value(name: str, default: str = "") -> str:
    """A setting of the unit; of one that is repeated, the last."""
    found = re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)
    return found[-1] if found else default


def unit_seconds(name: str, default: str) -> float:
    """A time of the unit, in seconds."""
    number, unit = re.fullmatch(r"([\d.]+)(\w*)", unit_value(name, default)).groups()  # type: ignore[union-attr]
    return float(number) * _SECONDS[unit]


@dataclass(frozen=True)
class Notice:
    """A message of the service: when it came (steady seconds), from which process, and what it says."""

    at: float
    pid: int
    values: dict[str, str]


class Systemd:
    """Runs one service.

    Args:
        directory: Gets state, settings and the journal.
        settings: The settings file, TOML.
        sockets: How many listening sockets are handed over, on free ports of 127.0.0.1.
        watchdog_seconds: In place of the unit's ``WatchdogSec=``.
        program: What is run in place of ``twistd``; gets its arguments.
        environment: More of it.
    """

    def __init__(
        self,
        directory: Path,
        settings: str = "",
        *,
        sockets: int = 1,
        watchdog_seconds: float | None = None,
        program: Sequence[str] = TWISTD,
        environment: dict[str, str] | None = None,
    ) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory, self.state, self.journal = directory, directory / "state", directory / "journal"
        self.notices: list[Notice] = []
        self.exits: list[int] = []
        self.watchdog_seconds = watchdog_seconds or unit_seconds("WatchdogSec", "30s")
        self.watches = True  # whether a service that says nothing for so long is ended
        self._program = list(program)
        self._more = environment or {}
        self.settings = directory / "settings.toml"
        self.settings.write_text(settings)
        self._listening = [socket.create_server(("127.0.0.1", free_port()), backlog=128) for _ in range(sockets)]
        self.ports: list[int] = [one.getsockname()[1] for one in self._listening]
        self._heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._heard.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._address = f"\0chatserv-test-{os.getpid()}-{id(self)}"
        self._heard.bind(self._address)
        self._heard.settimeout(0.05)
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._changing = threading.Lock()
        self._fed = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The main process."""
        assert self._process is not None
        return self._process.pid

    @property
    def port(self) -> int:
        """The first port."""
        return self.ports[0]

    @property
    def journalled(self) -> str:
        """What the service has written."""
        return self.journal.read_text(errors="replace") if self.journal.exists() else ""

    def start(self, seconds: float = SECONDS) -> None:
        """Starts it, and waits until it is ready."""
        began = time.monotonic()
        self.begin()
        self.wait(lambda: self.said("READY", since=began), "READY=1", seconds)

    def begin(self) -> None:
        """Starts it, and does not wait."""
        self._wanted = True
        self._spawn()
        self._thread.start()

    def stop(self, seconds: float = SECONDS) -> int:
        """``systemctl stop``: SIGTERM; gives the exit code."""
        with self._changing:
            self._wanted = False
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(seconds)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._thread.join()
            for one in (*self._listening, self._heard):
                one.close()
        return code

    def restart(self, seconds: float = SECONDS) -> None:
        """``systemctl restart``."""
        self._restarting = True
        began = time.monotonic()
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self.exited(began, seconds)
        self.wait(lambda: self.said("READY", since=began), "READY=1", seconds)

    def exited(self, since: float, seconds: float = SECONDS) -> None:
        """Waits until the process that ran at that moment has ended."""
        self.wait(lambda: self._ended_at > since, "the end", seconds)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """A signal for the main process alone."""
        os.kill(self.pid, number)

    def reload(self, seconds: float = SECONDS) -> None:
        """``systemctl reload``, by the unit's ``ExecReload=``; returns when the service says that it is done."""
        began = time.monotonic()
        assert unit_value("ExecReload") == "/bin/kill -HUP $MAINPID", "then this has to do something else"
        self.kill(signal.SIGHUP)
        self.wait(lambda: self.said("RELOADING", since=began), "RELOADING=1", seconds)
        reloading = self.said("RELOADING", since=began)[0]
        moment = int(reloading.values["MONOTONIC_USEC"]) / 1e6
        assert began <= moment <= reloading.at, "systemd would not believe this moment"
        self.wait(lambda: self.said("READY", since=moment), "READY=1", seconds)

    def said(self, name: str, since: float = 0.0) -> list[Notice]:
        """What the service said with this name, from that moment on."""
        return [notice for notice in list(self.notices) if name in notice.values and notice.at >= since]

    def wait(self, condition: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
        """Waits until the condition holds, but not for ever."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise ProgramError(f"{what} did not come within {seconds:g} s:\n{self.journalled}")
            time.sleep(0.01)

    # -- the manager's own thread --------------------------------------------------------------------------------------

    _ended_at = 0.0
    _restarting = False

    def _spawn(self) -> None:
        arguments = ["--nodaemon", "--pidfile=", "chatserv", "--config", str(self.settings)]
        environment = {**child_environment(self.directory), **self._more}
        environment["STATE_DIRECTORY"] = str(self.state)
        environment["NOTIFY_SOCKET"] = "@" + self._address[1:]
        environment["WATCHDOG_USEC"] = str(int(self.watchdog_seconds * 1_000_000))
        environment["LISTEN_FDS"] = str(len(self._listening))
        environment["LISTEN_FDNAMES"] = ":".join("chatserv.socket" for _ in self._listening)
        if not self._listening:
            environment = {name: value for name, value in environment.items() if not name.startswith("LISTEN_")}
        fds = [one.fileno() for one in self._listening]
        with self.journal.open("ab") as journal:
            found = os.fstat(journal.fileno())
            environment["JOURNAL_STREAM"] = f"{found.st_dev}:{found.st_ino}"
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-c", _START, ",".join(map(str, fds)), *self._program, *arguments],
                cwd=self.directory,
                env=environment,
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=journal,
                stderr=journal,
            )
        self._fed = 0.0

    def _run(self) -> None:
        assert self._process is not None
        while True:
            self._hear()
            code = self._process.poll()
            if code is None:
                self._watch()
                continue
            self.exits.append(code)
            self._ended_at = time.monotonic()
            if not self._wanted:
                return
            if code == 0 and not self._restarting:  # Restart=on-failure
                return
            self._restarting = False
            if code == int(unit_value("RestartPreventExitStatus", "-1")):
                return
            time.sleep(unit_seconds("RestartSec", "100ms"))
            with self._changing:
                if not self._wanted:
                    return
                self._spawn()

    def _hear(self) -> None:
        assert self._process is not None
        try:
            data, extra, *_ = self._heard.recvmsg(4096, socket.CMSG_SPACE(struct.calcsize("3i")))
        except TimeoutError:
            return
        pid = next(array.array("i", value)[0] for level, kind, value in extra if kind == socket.SCM_CREDENTIALS)
        if pid != self._process.pid:  # NotifyAccess=main
            return
        now = time.monotonic()
        values = dict(line.partition("=")[::2] for line in data.decode().splitlines())
        self.notices.append(Notice(now, pid, values))
        if "WATCHDOG" in values or "READY" in values:
            self._fed = now
        if "STOPPING" in values:
            self._fed = 0.0  # a service that stops is not watched

    def _watch(self) -> None:
        assert self._process is not None
        if self.watches and self._fed and time.monotonic() - self._fed > self.watchdog_seconds:
            self._fed = 0.0
            self._process.send_signal(signal.SIGABRT)
            try:
                self._process.wait(SECONDS / 2)
            except subprocess.TimeoutExpired:
                self._process.kill()
