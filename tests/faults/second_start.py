"""Row 21: a pid file and a lock that a dead server has left, and a second server where one runs."""

import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Final

from chatserv.testing.processes import TWISTD, ServerProgram, child_environment, free_port
from tests.faults.crowd import Crowd
from tests.faults.health import Health
from tests.faults.rows import Ground, check, row

REFUSED_SECONDS: Final = 1.0
WITH_PID_FILE: Final = f'shift 2; exec {shlex.join(TWISTD)} -n --pidfile "$0" "$@"'  # in the place of -n --pidfile=


def _ended(server: ServerProgram, *arguments: str) -> tuple[int, str, float]:
    """A program that ends by itself: its exit code, what it printed, and how long it took, in seconds."""
    began = time.monotonic()
    done = subprocess.run(
        [*TWISTD, *arguments],
        cwd=server.directory,
        env=child_environment(server.directory),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr, time.monotonic() - began


def _leave(path: Path, pid: int) -> None:
    path.write_text(f"{pid}\n", encoding="ascii")
    path.chmod(0o600)


@row(21, "a pid file and a lock that the dead have left, and a second server on the same state")
def second_instance(ground: Ground) -> str:
    """Whoever comes second is told who holds the state, at once; what the dead have left is in nobody's way."""
    times, slowest = ground.pick(1, 20), 0.0
    server = ground.server()
    pid_file = server.directory / "server.pid"
    server.program = ("sh", "-c", WITH_PID_FILE, str(pid_file))
    with server, Crowd(server, 3) as crowd:
        with crowd.talking(100):
            crowd.flowing(50)
            health = Health(ground, server, crowd)
            for number in range(times):
                usual = _ended(server, "chatserv", "--help")[2]
                port = str(free_port() if number % 2 else server.port)
                given = ("--state-dir", str(server.state), "--set", f"server.port={port}")
                code, said, took = _ended(server, "-n", "--pidfile=", "chatserv", *given)
                check((code, f"pid {server.pid}" in said) == (1, True), f"a second server: exit code {code}: {said}")
                slowest = max(slowest, took - usual)
            held = health.check()
            for stale in (server.pid, os.getpid()):  # its own, and that of a process which is no server at all
                server.kill()
                _leave(server.state / "lock", stale)
                _leave(pid_file, stale)
                server.start()
                crowd.all_back()
                crowd.flowing(50)
        figure = crowd.check()
    ground.within(slowest, REFUSED_SECONDS, "the refusal of a second server")
    return f"{times} refused within {max(slowest, 0.0):.2f} s of their start, 2 stale pid files, {figure}, {held}"
