"""Rows 11 to 18: what the system does to the process, its children, its descriptors, its threads and its memory."""

import os
import re
import resource
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, Self

import psutil

from chatserv.testing.processes import TWISTD, ServerProgram
from tests.faults.commanding import command
from tests.faults.crowd import Crowd
from tests.faults.health import Health
from tests.faults.rows import Ground, check, row, wait_for
from tests.support.processes import command_of, is_alive

WATCHED: Final[dict[str, dict[str, Any]]] = {
    "monitoring": {
        "enabled": True, "interval": 0.3, "silence_seconds": 1.5,
        "restart_backoff_min_seconds": 0.1, "restart_backoff_max_seconds": 0.5,
    }
}  # fmt: skip
DESCRIPTORS: Final = 64
CONNECTS: Final = 500
MEMORY_BYTES: Final = 128 << 20
UNPRIVILEGED: Final = 61_000  # and above: users that nobody else is, so that what they may have is theirs alone


@row(11, "SIGTERM under load")
def terminated(ground: Ground) -> str:
    """The server is asked to end while people talk: it says so, flushes, ends with 0, and nothing is lost."""
    times, took = ground.pick(2, 50), []
    server, manager = ground.server(), Manager(ground.directory / "notify")
    server.environment["NOTIFY_SOCKET"] = str(manager.path)
    with manager, server, Crowd(server, 5) as crowd:
        with crowd.talking(150):
            for number in range(times):
                crowd.flowing()
                check(manager.told() == ["READY=1"], "the manager was not told that the server is ready")
                since = time.monotonic()
                code = server.stop()
                took.append(time.monotonic() - since)
                check(code == 0, f"exit code {code}")
                check(manager.told() == ["STOPPING=1"], "the manager was not told that the server stops")
                wait_for(
                    lambda number=number: all(each.drainings > number for each in crowd.people),  # type: ignore[misc]
                    "everybody is told to come back later",
                )
                server.start()
                crowd.all_back()
        figure = crowd.check()
    ground.within(max(took), 10.0, "ended")
    return f"{times} times, READY then STOPPING, everybody told, {figure}, ended in {max(took):.2f} s at most"


class Manager:
    """What systemd is told through ``$NOTIFY_SOCKET``.

    Args:
        path: Of the socket.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def told(self) -> list[str]:
        """The states of the service that it was told of since, in order."""
        found = []
        with suppress(BlockingIOError):
            while True:
                found += re.findall(r"^(?:READY|STOPPING|RELOADING)=1$", self._socket.recv(4096).decode(), re.MULTILINE)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def monitor(server: ServerProgram) -> psutil.Process | None:
    """The server's monitor child, if it has one that lives."""
    with suppress(psutil.Error):
        for child in psutil.Process(server.pid).children():
            if "chatserv.monitor.child" in command_of(child) and is_alive(child):
                return child
    return None


def another_monitor(server: ServerProgram, before: psutil.Process | None = None) -> psutil.Process:
    """Waits for a monitor that is not the one before."""

    def other() -> psutil.Process | None:
        found = monitor(server)
        return None if before is not None and found is not None and found.pid == before.pid else found

    found = wait_for(other, "a monitor")
    assert found is not None
    return found


def _flood(child: psutil.Process) -> None:
    """Writes rubbish into the child's pipe for as long as somebody reads it."""
    with suppress(OSError), Path(f"/proc/{child.pid}/fd/1").open("wb", buffering=0) as pipe:
        for _ in range(64):
            pipe.write(b"x" * 65_536)


@row(14, "the monitor child is killed, hangs, floods its pipe")
def monitor_fails(ground: Ground) -> str:
    """Whatever the child does, another takes its place soon, and the chat does not notice."""
    faults: tuple[Callable[[psutil.Process], object], ...] = (
        lambda child: child.kill(),
        _flood,
        lambda child: child.suspend(),
    )
    times, took = ground.pick(3, 100), []
    with ground.server(WATCHED) as server, Crowd(server, 3) as crowd:
        with crowd.talking(100):
            child = another_monitor(server)
            crowd.flowing(50)
            health = Health(ground, server, crowd)
            for number in range(times):
                fault = number % len(faults)
                faults[fault](child)
                since = time.monotonic()
                child = another_monitor(server, child)
                if fault != 2:  # one that hangs is waited for first
                    took.append(time.monotonic() - since)
            said = health.check(r"monitor.*(ended|restart|again|gone)")
        wait_for(lambda: all(map(is_alive, psutil.Process(server.pid).children())), "no zombie")
        check(all(person.logins == 0 for person in crowd.people), "somebody lost their connection")
        figure = crowd.check()
    ground.within(max(took), 2.0, "another child")
    return f"{times} children, another within {max(took):.2f} s, {figure}, {said}"


@row(15, "the server is killed, and its monitor is left")
def monitor_left(ground: Ground) -> str:
    """It ends by itself."""
    times, took = ground.pick(2, 50), []
    server = ground.server(WATCHED)
    for _ in range(times):
        server.start()
        child = another_monitor(server)
        server.kill()
        since = time.monotonic()
        wait_for(lambda child=child: not is_alive(child), "the monitor's end")  # type: ignore[misc]
        took.append(time.monotonic() - since)
    ground.within(max(took), 2.0, "the monitor's end")
    return f"{times} times, gone within {max(took):.2f} s"


@row(16, "no descriptor is left (EMFILE)")
def descriptors_gone(ground: Ground) -> str:
    """The process may have 64; 500 connect. Whoever is in is served, and new people are once the others have gone."""
    limited = ("sh", "-c", f'ulimit -n {DESCRIPTORS} && exec "$@"', "sh", *TWISTD)
    with ground.server(program=limited) as server, Crowd(server, 3) as crowd, ExitStack() as open_sockets:
        with crowd.talking(60):
            crowd.flowing(30)
            health = Health(ground, server, crowd)
            for number in range(CONNECTS):
                one = open_sockets.enter_context(socket.socket())
                one.setblocking(False)
                one.bind((f"127.0.0.{2 + number % 200}", 0))
                one.connect_ex(("127.0.0.1", server.port))
            wait_for(lambda: "EMFILE" in server.output, "descriptors that run out")
            most = psutil.Process(server.pid).num_fds()
            before = crowd.count()
            crowd.flowing(30)
            served = crowd.count() - before
            open_sockets.close()
            said = health.check(r"EMFILE", metric=r'chatserv_turned_away_total\{reason="descriptors"\}')
            crowd.cut_and_back(crowd.people[0])
        figure = crowd.check()
    return f"{CONNECTS} connections, {most} descriptors at most, {served} messages meanwhile, {figure}, {said}"


def as_user() -> tuple[str, ...]:
    """What goes before a command so that a user runs it that nobody else is; nothing where we are no superuser."""
    user = UNPRIVILEGED + os.getpid() % 4000
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups") if os.geteuid() == 0 else ()


def unprivileged(ground: Ground, **more: Any) -> ServerProgram:
    """A server of such a user: limits and modes mean something then."""
    if not as_user():
        return ground.server(**more)
    user = UNPRIVILEGED + os.getpid() % 4000
    server = ground.server(program=(*as_user(), *TWISTD), **more)
    ground.directory.chmod(0o755)
    os.chown(server.directory, user, user)
    return server


def _backup(server: ServerProgram, name: str, *, good: bool) -> None:
    """The operator wants a backup, for which the server has a thread or has none."""
    _, errors, code = command(server, "backup", str(server.state / name))
    check((code == "0") == good and ("no thread" in errors) != good, f"backup: {errors}")


def _allow_processes(server: ServerProgram, most: str) -> None:
    """Lets the server's user have so many processes; done by that user, since even a superuser may not always."""
    subprocess.run([*as_user(), "prlimit", f"--pid={server.pid}", f"--nproc={most}:"], check=True)


@row(17, "no process and no thread can be started (RLIMIT_NPROC)")
def forks_fail(ground: Ground) -> str:
    """The monitor cannot be started again, and no thread for a backup: the chat goes on, and both come when they can."""
    times = ground.pick(1, 20)
    with unprivileged(ground, settings=WATCHED) as server, Crowd(server, 3) as crowd:
        with crowd.talking(60):
            child = another_monitor(server)
            crowd.flowing(30)
            command(server, "ban", "add", "address", "192.0.2.1")  # it opens the audit log
            health = Health(ground, server, crowd)
            before = resource.getrlimit(resource.RLIMIT_NPROC)[0]  # what the server began with
            for number in range(times):
                _allow_processes(server, "1")
                failures = server.output.count("Resource temporarily unavailable")
                child.kill()
                wait_for(
                    lambda failures=failures: server.output.count("Resource temporarily unavailable") > failures,  # type: ignore[misc]
                    "a process that cannot be started",
                )
                check(monitor(server) is None, "a monitor was started all the same")
                if number == 0 and not ground.cluster:  # later there is a thread, which stays
                    _backup(server, "refused", good=False)
                crowd.cut_and_back(crowd.people[0])
                crowd.flowing(30)
                _allow_processes(server, "unlimited" if before == resource.RLIM_INFINITY else str(before))
                child = another_monitor(server)
                if not ground.cluster:
                    _backup(server, str(number), good=True)
            said = health.check(r"monitor.*Resource temporarily unavailable")
        figure = crowd.check()
    return f"{times} times, {figure}, {said}"


@row(18, "little memory while a room is large and some do not read")
def memory_bound(ground: Ground) -> str:
    """The process may have 128 MB; people talk to a room in which some hear nothing. It is not killed."""
    people = ground.pick(20, 60)
    with ground.server() as server, Crowd(server, people) as crowd, Limited(server.pid) as limit:
        with crowd.talking(ground.pick(150, 300)):
            crowd.flowing()
            deaf = crowd.people[: people // 4]
            for person in deaf:
                person.deaf_until = time.monotonic() + ground.pick(4.0, 60.0)
            most = 0
            while any(person.deaf_until for person in deaf):
                most = max(most, psutil.Process(server.pid).memory_info().rss)
                time.sleep(0.05)
            crowd.flowing(50)
        for person in deaf:
            if person.old is not None:
                person.old.close()
        figure = crowd.check()
        check(server.code is None, f"the server ended: {server.code}")
        check(most < MEMORY_BYTES, f"{most >> 20} MiB were used")
        check(limit.holds(), "the limit was not in force")
    return f"{len(deaf)} of {people} heard nothing for a while, {most >> 20} MiB at most ({limit}), {figure}"


class Limited:
    """A process that may use `MEMORY_BYTES`: by a control group where one can be made, else by RLIMIT_DATA.

    Args:
        pid: Which.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self._group = pid, Path(f"/sys/fs/cgroup/memory/chatserv-faults-{pid}")

    def __enter__(self) -> "Limited":
        try:
            self._group.mkdir()
            (self._group / "memory.limit_in_bytes").write_text(str(MEMORY_BYTES))
            (self._group / "cgroup.procs").write_text(str(self._pid))
        except OSError:
            stacks = psutil.Process(self._pid).num_threads() * (8 << 20)
            most = resource.prlimit(self._pid, resource.RLIMIT_DATA)[1]
            resource.prlimit(self._pid, resource.RLIMIT_DATA, (MEMORY_BYTES + stacks, most))
            self._group = Path()
        return self

    def __exit__(self, *_: object) -> None:
        if self._group != Path():
            with suppress(OSError):
                (self._group.parent / "cgroup.procs").write_text(str(self._pid))
            with suppress(OSError):
                self._group.rmdir()

    def holds(self) -> bool:
        """Whether the process is still under it."""
        if self._group == Path():
            return resource.prlimit(self._pid, resource.RLIMIT_DATA)[0] != resource.RLIM_INFINITY
        return str(self._pid) in (self._group / "cgroup.procs").read_text().split()

    def __str__(self) -> str:
        return "RLIMIT_DATA" if self._group == Path() else "control group"
