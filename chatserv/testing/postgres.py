"""A PostgreSQL of a demonstration's or a test's own: a cluster of databases, as many as it takes.

Its files are made by Debian's programs, as a user without rights where we are root; its socket is in a short directory, and
it listens nowhere else. It is ended by its process id, and at the latest with this process.
"""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import closing, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from chatserv.store.postgres.preparing import prepare
from chatserv.testing.processes import ProgramError

UNPRIVILEGED: Final = pwd.getpwnam("nobody")  # initdb wants a user that has a name
SECONDS: Final = 60.0
_names = count(1)


class Missing(ProgramError):
    """PostgreSQL is not installed."""

    TEXT: Final = "PostgreSQL is not installed: apt-get install postgresql"


def programs() -> Path | None:
    """The directory of the newest PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    beside = shutil.which("initdb")
    return Path(beside).parent if beside else None


class Cluster:
    """A running PostgreSQL.

    Args:
        options: Further ones of the server, as ``name=value``.

    Raises:
        Missing: PostgreSQL is not installed.
        ProgramError: It does not start.
    """

    def __init__(self, *options: str) -> None:
        found = programs()
        if found is None:
            raise Missing(Missing.TEXT)
        self.programs = found
        self.directory = Path(tempfile.mkdtemp(prefix="cspg-", dir="/tmp"))
        self.options = options
        self._server: subprocess.Popen[bytes] | None = None
        atexit.register(self.end)
        self.data, self.log = self.directory / "data", self.directory / "log"
        if os.geteuid() == 0:
            os.chown(self.directory, UNPRIVILEGED.pw_uid, UNPRIVILEGED.pw_gid)
        self._make()
        self.start()

    def _make(self) -> None:
        words = "--no-sync", "--auth=trust", "--username=chat", "--encoding=UTF8", "--locale=C"
        self._run("initdb", *words, "-D", self.data)

    def start(self) -> None:
        """Starts the server, and waits until it lets us in."""
        settings = (
            "listen_addresses=",
            f"unix_socket_directories={self.directory}",
            "fsync=off",
            "max_connections=100",
        )
        words = [word for each in (*settings, "shared_buffers=32MB", *self.options) for word in ("-c", each)]
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(self._command("postgres", "-D", self.data, *words), stdout=log, stderr=log)
        until = time.monotonic() + SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                if time.monotonic() > until or self._server.poll() is not None:
                    raise ProgramError(self.log.read_text(errors="replace")) from None
                time.sleep(0.02)
            else:
                return

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.directory / ".s.PGSQL.5432"

    @property
    def pid(self) -> int:
        """Of the server."""
        assert self._server is not None
        return self._server.pid

    def processes(self) -> list[psutil.Process]:
        """All of the server's, the one that started the others first."""
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    def stop(self) -> None:
        """Kills all of the server's processes, as a machine that dies."""
        if self._server is not None:
            there = self.processes()
            for each in there:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            self._server.wait()
            psutil.wait_procs(there, SECONDS)
            self._server = None

    def shut(self) -> None:
        """Stops it as ``pg_ctl --mode=fast`` does: what was in its memory is in its files."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            self._server.wait(SECONDS)
            self._server = None

    def restart(self) -> None:
        """Stops it likewise, and starts it again."""
        self.shut()
        self.start()

    def end(self) -> None:
        """Stops the server and removes its files."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)  # at once
            self._server.wait(SECONDS)
            self._server = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, name: str) -> str:
        """The URL of a database."""
        return f"postgresql://chat@/{name}?host={self.directory}"

    def execute(self, text: str, name: str = "postgres") -> None:
        """One statement outside of a transaction."""
        with closing(psycopg.connect(self.url(name), autocommit=True)) as conn:
            conn.execute(text.encode())

    def ask(self, text: str) -> object:
        """The first value that a statement gives, or None."""
        with closing(psycopg.connect(self.url("postgres"), autocommit=True)) as conn:
            row = conn.execute(text.encode()).fetchone()
        return None if row is None else row[0]

    def create(self, *options: str) -> str:
        """A new empty database; its URL."""
        name = f"chat_{next(_names)}"
        self.execute(" ".join((f"CREATE DATABASE {name}", *options)))
        return self.url(name)

    def settings(self) -> dict[str, dict[str, Any]]:
        """Those by which a server has its store in a new database."""
        return {"store": {"url": self.create()}}

    @cache  # noqa: B019 - there are as many clusters as processes
    def template(self) -> str:
        """The name of a database as the server makes it, which others are copied from."""
        self.execute("CREATE DATABASE prepared")
        prepare(self.url("prepared"))
        return "prepared"

    def prepared(self) -> str:
        """The URL of a new database as the server makes it; its incarnation is that of all of them."""
        return self.create("TEMPLATE", self.template())

    def _command(self, program: str, *words: object) -> list[str]:
        command = [str(self.programs / program), *map(str, words)]
        if os.geteuid() != 0:
            return command
        who = f"--reuid={UNPRIVILEGED.pw_uid}", f"--regid={UNPRIVILEGED.pw_gid}", "--clear-groups"
        return ["setpriv", *who, "--pdeathsig", "QUIT", *command]

    def _run(self, program: str, *words: object) -> None:
        command = self._command(program, *words)
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd="/")
        if done.returncode:
            raise ProgramError(done.stdout + done.stderr)


class Standby(Cluster):
    """A copy that has what is committed at the first one, before that is acknowledged there.

    Args:
        primary: The first one; it runs.
        synchronous: Whether it waits for this one.
    """

    def __init__(self, primary: Cluster, *, synchronous: bool = True) -> None:
        self._primary = primary
        super().__init__("cluster_name=standby")
        if synchronous:
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.execute("SELECT pg_reload_conf()")
            self._wait("sync")

    def _make(self) -> None:
        where = "-h", self._primary.directory, "-U", "chat", "-D", self.data
        self._run("pg_basebackup", "--no-sync", "--checkpoint=fast", "--write-recovery-conf", *where)

    def _wait(self, state: str) -> None:
        until = time.monotonic() + SECONDS
        while self._primary.ask("SELECT sync_state FROM pg_stat_replication") != state:
            if time.monotonic() > until:
                raise ProgramError(f"the standby does not follow:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.02)

    def receiver(self) -> psutil.Process:
        """The process that gets what the first one writes. Raises `ProgramError` where there is none."""
        for each in self.processes():
            if "walreceiver" in " ".join(each.cmdline()):
                return each
        raise ProgramError("nothing is received from the primary")

    def promote(self) -> None:
        """It takes writes from now on."""
        self.execute("SELECT pg_promote()")
