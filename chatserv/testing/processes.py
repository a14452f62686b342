"""Real programs for demonstrations and tests: the server under twistd, and the stdio client, each its own process.

Everything is on 127.0.0.1, bounded in time, and ended by the id of the process that was started here.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

TWISTD: Final = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
CLIENT: Final = (sys.executable, "-m", "clients.stdio")
PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of accounts that live for a minute
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
_LINK = re.compile(r"chatserv://[^'\s]+")


class ProgramError(Exception):
    """A program did not do what it should; the text holds what it printed."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProgram:
    """``twistd -n chatserv`` with a state directory and settings of its own.

    Args:
        directory: Gets settings, state and output.
        settings: Overrides for the settings file, by table.
        program: The command in place of ``twistd``; gets its arguments.
    """

    def __init__(
        self,
        directory: Path,
        settings: dict[str, dict[str, Any]] | None = None,
        program: tuple[str, ...] = TWISTD,
    ) -> None:
        self.directory, self.port, self._program = directory, free_port(), program
        tables: dict[str, dict[str, Any]] = {"monitoring": {"interval": 60}, **(settings or {})}
        tables["server"] = {"host": "127.0.0.1", "port": self.port, **tables.get("server", {})}
        self._settings = directory / "settings.json"
        self._settings.write_text(json.dumps(tables))
        self._output = directory / "server.out"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process id. Raises `ProgramError` where it does not run."""
        if self._process is None:
            raise ProgramError("the server was not started")
        return self._process.pid

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.directory / "state"

    @property
    def output_file(self) -> Path:
        """What it prints goes there."""
        return self._output

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def start(self) -> None:
        """Starts it and waits until it takes connections."""
        arguments = ("-n", "--pidfile=", "chatserv", "--config", str(self._settings))
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._program, *arguments, "--state-dir", str(self.state)],
                cwd=self.directory,
                env=child_environment(self.directory),
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ProgramError(f"the server ended with {self._process.returncode}:\n{self.output}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise ProgramError(f"the server does not listen:\n{self.output}")

    def link(self) -> str:
        """The first administrator's link, as printed."""
        found = _LINK.search(self.output)
        if found is None:
            raise ProgramError(f"no link was printed:\n{self.output}")
        return found[0]

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """SIGTERM: drains. Returns the exit code."""
        if self._process is None or self._process.poll() is not None:
            return 0 if self._process is None else int(self._process.returncode)
        os.kill(self.pid, signal.SIGTERM)
        return self._wait()

    def _wait(self) -> int:
        if self._process is None:
            raise ProgramError("the server was not started")
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise ProgramError(f"the server does not end:\n{self.output}") from None


def child_environment(directory: Path) -> dict[str, str]:
    """Our environment, with the clients' profiles in ``directory`` and this code importable from anywhere."""
    code = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (code, os.environ.get("PYTHONPATH", ""))))
    return {
        **os.environ,
        "CHATSERV_CLIENT_DIR": str(directory / "profiles"),
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
    }


def client_command(directory: Path, profile: str, *arguments: str, program: tuple[str, ...] = CLIENT) -> list[str]:
    """The command line of a client with a profile of its own."""
    password = directory / "password"
    if not password.exists():
        password.touch(0o600)
        password.write_text(PASSWORD + "\n")
    return [*program, "--profile", profile, "--user", profile, "--password-file", str(password), *arguments]


def run_client(directory: Path, profile: str, *arguments: str, typed: str = "", seconds: float = 60) -> str:
    """Runs a client to its end and returns what it printed. Raises `ProgramError` for any exit code but 0."""
    done = subprocess.run(
        client_command(directory, profile, *arguments),
        cwd=directory,
        env=child_environment(directory),
        input=typed,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode != 0:
        raise ProgramError(f"client {profile} {arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def register_two(server: ServerProgram, first: str, second: str) -> None:
    """Registers the administrator ``first`` with the server's own link, and ``second`` with an invite by ``first``."""
    run_client(server.directory, first, server.link(), "--send")
    invite = run_client(server.directory, first, "--invite").strip()
    run_client(server.directory, second, invite, "--send")
