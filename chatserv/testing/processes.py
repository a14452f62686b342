"""Real programs for demonstrations and tests: the server under twistd, and the stdio client, each its own process.

Everything is on 127.0.0.1, bounded in time, and ended by the id of the process that was started here.
"""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, ClassVar, Final, Self

TWISTD: Final = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
CLIENT: Final = (sys.executable, "-m", "clients.stdio")
IRC: Final = (sys.executable, "-m", "clients.irc.main")
PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - of accounts that live for a minute
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 60.0
PATIENCE: Final = ("--timeout", "120")  # of clients, on a busy machine
LOOK_SECONDS: Final = 0.01  # between two looks whether a server listens: a benchmark measures by it
_PORTS: Final = range(20_000, 32_000)  # below those that Linux gives by itself (ip_local_port_range)
_LINK = re.compile(r"chatserv://[^'\s]+")


class ProgramError(Exception):
    """A program did not do what it should; the text holds what it printed."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is the caller's for the next minutes: nobody is given it again before all others.

    The system gives the ports above these to whoever asks for any, our own connections among them; and tests run side
    by side. So these are given in turns, by a counter in a file that all programs of this user share.
    """
    with Path(tempfile.gettempdir(), f"chatserv-ports-{os.getuid()}").open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        given = int(file.read() or b"0")
        port = next(
            _PORTS[n % len(_PORTS)] for n in range(given, given + len(_PORTS)) if _is_free(_PORTS[n % len(_PORTS)])
        )
        file.truncate(0)
        file.write(b"%d" % (_PORTS.index(port) + 1))
        return port


def listens(port: int) -> bool:
    """Whether who connects to this TCP port of 127.0.0.1 is taken."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class ServerProgram:
    """``twistd -n chatserv`` with a state directory and settings of its own.

    Args:
        directory: Gets settings, state and output.
        settings: Overrides for the settings file, by table.
        program: The command in place of ``twistd``; gets its arguments.
        port: Where it listens; 0: a free one.

    Attributes:
        started: Told of each server that has started, of any.
        tables: Its settings.
        environment: What the next start has in its environment beside ours; None: what it has not.
        program: The command of the next start.
    """

    started: ClassVar[list[Callable[["ServerProgram"], None]]] = []

    def __init__(
        self,
        directory: Path,
        settings: dict[str, dict[str, Any]] | None = None,
        program: tuple[str, ...] = TWISTD,
        port: int = 0,
    ) -> None:
        self.directory, self.port, self.program = directory, port or free_port(), program
        tables: dict[str, dict[str, Any]] = {"monitoring": {"interval": 60}, **(settings or {})}
        tables["limits"] = {"blob_disk_share": 1, **tables.get("limits", {})}  # however full this machine's disk is
        tables["server"] = {"host": "127.0.0.1", "port": self.port, **tables.get("server", {})}
        self.tables = tables
        self._settings = directory / "settings.json"
        self._settings.write_text(json.dumps(tables))
        self._output = directory / "server.out"
        self._process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str | None] = {}

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
    def code(self) -> int | None:
        """The exit code of the last start, negative for a signal; None while it runs."""
        return None if self._process is None else self._process.poll()

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
                [*self.program, *arguments, "--state-dir", str(self.state)],
                cwd=self.directory,
                env={
                    name: value
                    for name, value in {**child_environment(self.directory), **self.environment}.items()
                    if value is not None
                },
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ProgramError(f"the server ended with {self._process.returncode}:\n{self.output}")
            if listens(self.port):
                for told in self.started:
                    told(self)
                return
            time.sleep(LOOK_SECONDS)
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
    """The command line of a client with a profile of its own, which is sealed only by a passphrase among the arguments."""
    password = directory / "password"
    if not password.exists():
        password.touch(0o600)
        password.write_text(PASSWORD + "\n")
    unsealed = () if "--passphrase-file" in arguments else ("--no-seal",)
    return [*program, "--profile", profile, "--user", profile, "--password-file", str(password), *unsealed, *arguments]


def run_program(
    name: str,
    command: Sequence[str],
    directory: Path,
    environment: Mapping[str, str] = MappingProxyType({}),
    *,
    typed: str = "",
    seconds: float = 150,
) -> str:
    """Runs a program to its end and returns what it printed. Raises `ProgramError` for any exit code but 0, or no end.

    Args:
        name: What it is called in the error.
        command: Its command line.
        directory: Where it works, and has clients' profiles.
        environment: What it has in its environment beside ours.
        typed: Its standard input.
        seconds: By when it has to have ended.
    """
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            env={**child_environment(directory), **environment},
            input=typed,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = ((late.stdout or b"") + (late.stderr or b"")).decode(errors="replace")
        raise ProgramError(f"{name}: no end after {seconds:g} s\n{said}") from None
    if done.returncode != 0:
        raise ProgramError(f"{name}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def run_client(
    directory: Path,
    profile: str,
    *arguments: str,
    typed: str = "",
    seconds: float = 150,
    program: tuple[str, ...] = CLIENT,
) -> str:
    """Runs a client to its end and returns what it printed. Raises `ProgramError` for any exit code but 0."""
    command = client_command(directory, profile, *PATIENCE, *arguments, program=program)
    return run_program(f"client {profile} {arguments}", command, directory, typed=typed, seconds=seconds)


def register_two(server: ServerProgram, first: str, second: str) -> None:
    """Registers the administrator ``first`` with the server's own link, and ``second`` with an invite by ``first``."""
    run_client(server.directory, first, server.link(), "--send")
    invite = run_client(server.directory, first, "--invite").strip()
    run_client(server.directory, second, invite, "--send")
