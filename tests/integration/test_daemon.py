"""The server as operators run it: ``twistd chatserv`` as a real process, in front, as a daemon and from ``chat.tac``."""

import os
import re
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.processes import free_port
from tests.support.processes import command_of, is_alive

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60.0
STOP_SECONDS = 60.0
LISTENING = "listening on"


def until(condition: Callable[[], object], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Waits until the condition holds, but not for ever."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds:g} s")
        time.sleep(0.02)


def read(path: Path) -> str:
    """A file's text; empty where there is none yet."""
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def monitors(pid: int) -> list[psutil.Process]:
    """The monitor children of a server."""
    return [one for one in psutil.Process(pid).children() if "chatserv.monitor.child" in command_of(one)]


class Installation:
    """One server's directory, settings and port, and the commands that start it.

    Args:
        directory: An empty directory of its own.
        twistd: The program to start.
        path: What goes into ``PYTHONPATH``; empty for an installed package.
    """

    def __init__(self, directory: Path, twistd: Path | None = None, path: str = str(ROOT)) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory
        self.state = directory / "state"
        self.settings = directory / "settings.toml"
        self.pidfile = directory / "chatserv.pid"
        self.port = free_port()
        self.twistd = twistd or Path(sysconfig.get_path("scripts")) / "twistd"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("CHATSERV_")}
        self.environment.pop("PYTHONPATH", None)
        if path:
            self.environment["PYTHONPATH"] = path
        self.settings.write_text(f'[server]\nhost = "127.0.0.1"\nport = {self.port}\n')

    def command(self, *more: str, pidfile: Path | None = None) -> list[str]:
        """``twistd … chatserv …`` with this installation's paths."""
        program = [*self.python, str(self.twistd), *more, "--pidfile", str(pidfile or self.pidfile), "chatserv"]
        return [*program, "--state-dir", str(self.state), "--config", str(self.settings)]

    @property
    def python(self) -> list[str]:
        """The interpreter that runs twistd, named since a script's first line may be too long for the kernel."""
        beside = self.twistd.with_name("python")
        return [str(beside if beside.exists() else Path(sys.executable))]

    def run(self, command: list[str], encoding: str = "utf-8") -> "subprocess.CompletedProcess[str]":
        """Runs a command to its end."""
        return subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            encoding=encoding,
            timeout=60,
            check=False,
        )

    def forget(self) -> None:
        """Removes the logs, so that the next server's can be told from the last one's."""
        for log in (self.state / "logs").iterdir():
            log.unlink()

    def log(self, name: str = "server.log") -> str:
        """A log's text."""
        return read(self.state / "logs" / name)

    def everything_logged(self) -> str:
        """All that stands in log files, twistd's own too."""
        files = [*(self.state / "logs").iterdir(), *self.directory.glob("*.log*")]
        return "".join(read(file) for file in files)


class Front:
    """A server in front, its output in two files."""

    def __init__(
        self, installation: Installation, command: list[str], *, close_fds: bool = True, **environment: str
    ) -> None:
        self.out, self.err = installation.directory / "out", installation.directory / "err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                command,
                cwd=installation.directory,
                env={**installation.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                close_fds=close_fds,
            )

    def listens(self) -> None:
        """Waits until it does."""
        until(lambda: LISTENING in read(self.out) or self.process.poll() is not None, "listening")
        if self.process.poll() is not None:
            raise AssertionError(f"exit code {self.process.returncode}: {read(self.out)}{read(self.err)}")

    def ends(self) -> int:
        """Its exit code, once it has one."""
        return self.process.wait(STOP_SECONDS)

    def stops(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        return self.ends()


class DaemonCase(SynchronousTestCase):
    """Real servers on free ports of 127.0.0.1; none outlives its test."""

    def setUp(self) -> None:
        """Makes an installation that was never started."""
        self.installation = Installation(Path(self.mktemp()).absolute())

    def end(self, process: psutil.Process) -> None:
        """Kills what a failed test left, with its children."""
        try:
            family = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for one in family:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=60)

    def front(self, command: list[str], *, close_fds: bool = True, **environment: str) -> Front:
        """Starts a server in front."""
        server = Front(self.installation, command, close_fds=close_fds, **environment)
        self.addCleanup(self.end, psutil.Process(server.process.pid))
        return server

    def refused(self, command: list[str], code: int) -> str:
        """The one line on standard error of a start that ends with this code."""
        result = self.installation.run(command)
        self.assertEqual(code, result.returncode, result.stdout + result.stderr)
        self.assertEqual(1, result.stderr.count("\n"), result.stderr)
        self.assertEqual("", result.stdout)
        return result.stderr

    def start_daemon(self) -> tuple[psutil.Process, str]:
        """A daemon, and what its start printed."""
        result = self.installation.run(self.installation.command())
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        self.assertEqual("", result.stderr)
        process = psutil.Process(int(read(self.installation.pidfile)))
        self.addCleanup(self.end, process)
        return process, result.stdout


class DaemonTests(DaemonCase):
    """The life of a server."""

    def test_life(self) -> None:
        """A daemon prints the way in, logs no invite, revives its monitor, reopens its logs and stops within 10 s."""
        process, output = self.start_daemon()
        pid = process.pid
        self.check_announcement(output)
        until(lambda: LISTENING in self.installation.log(), "listening")
        with socket.create_connection(("127.0.0.1", self.installation.port), timeout=60):
            pass
        self.check_second_instance(pid)
        self.check_monitor(pid)
        self.check_reopen(pid)
        family = process.children(recursive=True)
        os.kill(pid, signal.SIGTERM)
        process.wait(STOP_SECONDS)
        self.assertFalse(self.installation.pidfile.exists())
        self.assertEqual([], [one for one in family if is_alive(one)])
        self.assertIn("[INFO] stopped\n", self.installation.log())
        self.check_secrecy(output)

    def check_announcement(self, output: str) -> None:
        """Fingerprint and link are printed; the link names the port."""
        self.assertRegex(output, r"server fingerprint +\S+")
        self.assertRegex(output, r"starts \S*chatserv-client and pastes this link:\n")
        self.assertRegex(output, rf"\nchatserv://127\.0\.0\.1:{self.installation.port}/\?invite=\S+\n")

    def check_secrecy(self, output: str) -> None:
        """The invite stands in no log."""
        match = re.search(r"invite=([^#&']+)", output)
        assert match is not None
        logged = self.installation.everything_logged()
        self.assertIn("started", logged)
        self.assertNotIn(match[1], logged)
        self.assertNotIn("invite=", logged)

    def check_second_instance(self, pid: int) -> None:
        """A second server on the same state directory is told at once who holds it, on this port and on another."""
        second = self.installation.directory / "second.pid"
        for _ in range(2):
            self.assertIn(f"pid {pid}", self.refused(self.installation.command(pidfile=second), 1))
            self.installation.settings.write_text(f'[server]\nhost = "127.0.0.1"\nport = {free_port()}\n')

    def check_monitor(self, pid: int) -> None:
        """A killed monitor child is replaced by another."""
        until(lambda: monitors(pid), "a monitor child")
        (old,) = monitors(pid)
        until(lambda: f"monitor child {old.pid} runs" in self.installation.log("monitor.log"), "a hello")
        old.kill()
        until(lambda: any(each.pid != old.pid for each in monitors(pid)), "another monitor child")

    def check_reopen(self, pid: int) -> None:
        """SIGHUP opens the logs by their names again."""
        log = self.installation.state / "logs" / "server.log"
        log.rename(log.with_name("server.log.old"))
        os.kill(pid, signal.SIGHUP)
        until(lambda: "logs reopened" in read(log), "a new log")
        self.assertIn(LISTENING, self.installation.log("server.log.old"))

    def test_front(self) -> None:
        """In front, SIGTERM and SIGINT end the server with 0; the next start has the same identity and invite."""
        announcements = []
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.front(self.installation.command("-n"))
            server.listens()
            self.assertEqual(0, server.stops(number), read(server.err))
            self.assertEqual("", read(server.err))
            announcements.append(re.findall(r"server fingerprint.*|chatserv://.*", read(server.out)))
        self.assertEqual(2, len(announcements[0]))
        self.assertEqual(announcements[0], announcements[1])

    def test_port_in_use(self) -> None:
        """A port in use ends the start with 1 and one line that names it, daemon or not."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.installation.settings.write_text(f'[server]\nhost = "127.0.0.1"\nport = {port}\n')
            for more in ([], ["-n"]):
                self.assertIn(f"127.0.0.1:{port}", self.refused(self.installation.command(*more), 1))
        self.assertFalse(self.installation.pidfile.exists())

    def test_settings_error(self) -> None:
        """A settings error ends the start with 2 and one line that names the key, and leaves nothing behind."""
        command = self.installation.command("-n")
        for endpoint in ("bogus", "tcp:many", "tcp:5000:colour=red", "systemd:domain=INET"):
            self.assertIn(
                f'server.listen: "{endpoint}" cannot be used: write', self.refused([*command, "--listen", endpoint], 2)
            )
        self.installation.settings.write_text("[server]\nprot = 5000\n")
        self.assertIn("settings.toml:2: server.prot: unknown key", self.refused(command, 2))
        self.assertFalse(self.installation.state.exists())

    def test_tac(self) -> None:
        """``twistd -ny chat.tac`` runs the same server; its paths come from the environment."""
        twistd = [*self.installation.python, str(self.installation.twistd)]
        server = self.front(
            [*twistd, "-ny", str(ROOT / "chat.tac")],
            CHATSERV_STATE_DIR=str(self.installation.state),
            CHATSERV_CONFIG=str(self.installation.settings),
        )
        server.listens()
        with socket.create_connection(("127.0.0.1", self.installation.port), timeout=60):
            pass
        self.assertEqual(0, server.stops(), read(server.err))
        self.assertTrue((self.installation.state / "identity.pem").exists())
