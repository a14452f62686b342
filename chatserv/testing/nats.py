"""A bus server of a demonstration's or a test's own: nats-server as Debian has it, on a port of 127.0.0.1."""

import atexit
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from chatserv.testing.processes import LOOK_SECONDS, START_SECONDS, ProgramError, free_port, listens

STOP_SECONDS: Final = 60.0
MISSING: Final = "nats-server is not installed: apt-get install nats-server"


def program() -> str | None:
    """Where it is."""
    return shutil.which("nats-server", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class NatsServer:
    """One server; it listens some moments after `start`, and ends at the latest with this process.

    Args:
        directory: Gets its output.
        options: Further words of its command.

    Raises:
        ProgramError: It is not installed.
    """

    def __init__(self, directory: Path, *options: str) -> None:
        found = program()
        if found is None:
            raise ProgramError(MISSING)
        self.port = free_port()
        self._command = [found, "-a", "127.0.0.1", "-p", str(self.port), *options]
        self._log = directory / f"nats-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        """Its process id; it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts it, on the same port each time."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

    def wait(self) -> None:
        """Waits until it listens. Raises `ProgramError`."""
        deadline = time.monotonic() + START_SECONDS
        while not listens(self.port):
            if time.monotonic() > deadline or self._process is None or self._process.poll() is not None:
                raise ProgramError(f"nats-server does not listen:\n{self._log.read_text(errors='replace')}")
            time.sleep(LOOK_SECONDS)

    def stop(self) -> None:
        """Kills it; harmless where it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            self._process = None

    def freeze(self) -> None:
        """It does nothing any more; its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
