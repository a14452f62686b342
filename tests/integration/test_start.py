"""Starts of real servers under conditions that a shell, a service manager or a power cut can bring about."""

import contextlib
import os
import pwd
import resource
import signal
import subprocess
import sys
from pathlib import Path
from unittest import SkipTest

import psutil

from tests.integration.test_daemon import LISTENING, ROOT, DaemonCase, Installation, monitors, read, until

CLOSED = ("<&-", ">&-", "2>&-", "<&- >&- 2>&-")


class StreamTests(DaemonCase):
    """Standard streams in every state."""

    def shell(self, command: list[str], redirections: str) -> list[str]:
        """The same command, started by a shell with these redirections."""
        return ["sh", "-c", f'exec "$@" {redirections}', "sh", *command]

    def test_closed_in_front(self) -> None:
        """A server in front runs with any of its streams closed, its monitor too, and stops with 0."""
        for closed in CLOSED:
            server = self.front(self.shell(self.installation.command("-n"), closed))
            until(lambda: LISTENING in self.installation.log(), f"listening with {closed}")
            until(lambda: "CPU" in self.installation.log("monitor.log"), f"a sample with {closed}")
            streams = [os.readlink(f"/proc/{server.process.pid}/fd/{number}") for number in range(3)]
            self.assertEqual(closed.count("&-"), streams[1:].count(os.devnull) + ("<&-" in closed), closed)
            self.assertEqual(0, server.stops(), closed)
            self.assertNotIn("Traceback", read(server.err))
            self.installation.forget()

    def test_closed_daemon(self) -> None:
        """A daemon starts with any of its streams closed, and holds its directory: the lock is not lost with a stream."""
        for closed in CLOSED:
            result = self.installation.run(self.shell(self.installation.command(), closed))
            self.assertEqual((0, ""), (result.returncode, result.stderr), closed)
            process = psutil.Process(int(read(self.installation.pidfile)))
            self.addCleanup(self.end, process)
            until(lambda: LISTENING in self.installation.log(), f"listening with {closed}")
            second = self.installation.directory / "second.pid"
            self.assertIn(f"pid {process.pid}", self.refused(self.installation.command(pidfile=second), 1))
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            self.installation.forget()

    def test_taken(self) -> None:
        """A reactor that twistd has made before, in the place of a closed stream, would be lost in the background."""
        command = self.installation.command("--reactor", "select")
        self.assertIn("--reactor has taken their place", self.refused(self.shell(command, "<&-"), 1))
        server = self.front(self.shell(self.installation.command("--reactor", "select", "-n"), "<&-"))
        until(lambda: LISTENING in self.installation.log(), "listening")
        self.assertEqual(0, server.stops())

    def test_full(self) -> None:
        """Where nothing can be printed, that is told, and the server runs; its end is no failure."""
        server = self.front(self.shell(self.installation.command("-n"), "> /dev/full"))
        until(lambda: LISTENING in self.installation.log(), "listening")
        self.assertEqual(0, server.stops())
        self.assertEqual(
            "chatserv: nothing can be printed; start again for the fingerprint, and the first link\n", read(server.err)
        )

    def test_nobody_reads(self) -> None:
        """A pipe whose reader goes away ends nothing, and the end is no failure."""
        reading, writing = os.pipe()
        error = self.installation.directory / "err"
        with error.open("wb") as err:
            process = subprocess.Popen(
                self.installation.command("-n"), stdout=writing, stderr=err, cwd=self.installation.directory,
                env=self.installation.environment,
            )  # fmt: skip
        self.addCleanup(self.end, psutil.Process(process.pid))
        os.close(writing)
        os.read(reading, 1)
        os.close(reading)
        until(lambda: LISTENING in self.installation.log(), "listening")
        process.send_signal(signal.SIGTERM)
        self.assertEqual((0, ""), (process.wait(60), read(error)))

    def test_few_letters(self) -> None:
        """An encoding without blocks, and a directory with a byte that is no letter, end nothing."""
        self.installation.state = self.installation.directory / os.fsdecode(b"gr\xc3\xbcn\xff [1]")
        self.installation.environment["PYTHONIOENCODING"] = "iso-8859-1"
        result = self.installation.run(self.installation.command(), encoding="iso-8859-1")
        self.assertEqual((0, ""), (result.returncode, result.stderr))
        self.addCleanup(self.end, psutil.Process(int(read(self.installation.pidfile))))
        self.assertIn("gr\xfcn\\udcff [1]\n", result.stdout)
        self.assertRegex(result.stdout, r"\nchatserv://127\.0\.0\.1:")
        until(lambda: LISTENING in self.installation.log(), "listening")

    def test_few_descriptors(self) -> None:
        """The monitor child starts where only a hundred files may be open, and one from before has a higher number."""
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        limits = (100, 100)
        high = 200
        os.dup2(2, high, inheritable=True)
        self.addCleanup(os.close, high)
        server = self.front(
            ["sh", "-c", f'ulimit -n {limits[0]}; exec "$@"', "sh", *self.installation.command("-n")], close_fds=False
        )
        server.listens()
        until(lambda: "runs" in self.installation.log("monitor.log"), "a monitor child")
        self.assertEqual(limits, psutil.Process(server.process.pid).rlimit(psutil.RLIMIT_NOFILE))
        (monitor,) = monitors(server.process.pid)
        self.assertNotIn(str(high), os.listdir(f"/proc/{monitor.pid}/fd"))
        self.assertEqual(0, server.stops())
        self.assertEqual(before, resource.getrlimit(resource.RLIMIT_NOFILE))


class LeftoverTests(DaemonCase):
    """What an earlier server left."""

    def test_pid_files(self) -> None:
        """A pid file that names somebody else or nobody lets a daemon start; that of one that runs does not."""
        for said in ("", "garbage", str(os.getpid())):
            self.installation.pidfile.write_text(said)
            process, _ = self.start_daemon()
            other = Installation(self.installation.directory / "other")
            self.assertIn(
                f"another server runs, pid {process.pid}",
                self.refused(other.command(pidfile=self.installation.pidfile), 1),
            )
            self.assertEqual(str(process.pid), read(self.installation.pidfile))
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def test_unix_socket(self) -> None:
        """A server killed by a power cut leaves a socket and a lock that names whoever has its number now."""
        path = self.installation.directory / "s"
        path = Path(os.path.relpath(path, self.installation.directory))
        command = [*self.installation.command("-n"), "--listen", f"unix:{path}"]
        server = self.front(command)
        server.listens()
        self.assertIn("Address already in use", self.refused_elsewhere(command))
        server.process.kill()
        server.process.wait(60)
        lock = self.installation.directory / "s.lock"
        lock.unlink()
        lock.symlink_to(str(os.getpid()))
        server = self.front(command)
        server.listens()
        self.assertNotIn("chatserv://", read(server.out))
        self.assertEqual(0, server.stops())

    def refused_elsewhere(self, command: list[str]) -> str:
        """The refusal of the same command with another state directory and pid file."""
        state, pidfile = str(self.installation.state), str(self.installation.pidfile)
        other = {state: f"{state}2", pidfile: f"{pidfile}2"}
        return self.refused([other.get(word, word) for word in command], 1)


class RefusalTests(DaemonCase):
    """Starts that end at once, in front and in the background alike."""

    def test_twistds_options(self) -> None:
        """What twistd is told and cannot be heeded is refused before any fork."""
        for option, said in (
            (("--logfile", "x.log"), "logging.file"),
            (("--syslog",), "logging.file"),
            (("--chroot", "/"), "--chroot"),
            (("--rundir", "/nowhere"), "not a directory"),
        ):
            for more in ((), ("-n",)):
                self.assertIn(said, self.refused(self.installation.command(*more, *option), 1))
        nowhere = Path("/nowhere/x.pid")
        self.assertIn("/nowhere: cannot be written to", self.refused(self.installation.command(pidfile=nowhere), 1))

    def test_homeless(self) -> None:
        """Without a home and a directory, the start ends with one line."""
        self.installation.environment["HOME"] = ""
        self.installation.environment.pop("XDG_STATE_HOME", None)
        command = self.installation.command("-n")
        at = command.index("--state-dir")
        self.assertIn("no home directory", self.refused(command[:at] + command[at + 2 :], 1))

    def test_plain_port(self) -> None:
        """The plain listener's port is tried too."""
        text = read(self.installation.settings)
        self.installation.settings.write_text(f'{text}listen_plain = "127.0.0.1:{self.installation.port}"\n')
        for more in ((), ("-n",)):
            self.assertIn(
                f"127.0.0.1:{self.installation.port}: Address", self.refused(self.installation.command(*more), 1)
            )

    def test_tac(self) -> None:
        """``chat.tac`` heeds or refuses the same options."""
        self.installation.environment["CHATSERV_STATE_DIR"] = str(self.installation.state)
        tac = Path(__file__).resolve().parents[2] / "chat.tac"
        command = [
            *self.installation.python,
            str(self.installation.twistd),
            "-ny",
            str(tac),
            "--pidfile=",
            "-l",
            "x.log",
        ]
        self.assertIn("logging.file", self.refused(command, 1))


class UserTests(DaemonCase):
    """A server that root starts as somebody else."""

    def test_another_user(self) -> None:
        """All files and processes are that user's, and nothing of root's rights is left."""
        if os.geteuid() != 0:
            raise SkipTest("only root can become somebody else")
        if not all(place.stat().st_mode & 0o001 for place in (*ROOT.parents, *Path(sys.prefix).parents)):
            raise SkipTest("others cannot enter where the program is")
        nobody = pwd.getpwnam("nobody")
        state = Path("/tmp") / f"chatserv-{os.getpid()}-user"
        state.mkdir(mode=0o700)
        self.addCleanup(subprocess.run, ["rm", "-rf", str(state)], check=True)
        os.chown(state, nobody.pw_uid, nobody.pw_gid)
        self.installation.state = state
        result = self.installation.run(self.installation.command("--uid", "nobody"))
        self.assertEqual((0, ""), (result.returncode, result.stderr))
        process = psutil.Process(int(read(self.installation.pidfile)))
        self.addCleanup(self.end, process)
        until(lambda: LISTENING in self.installation.log(), "listening")
        until(lambda: monitors(process.pid), "a monitor child")
        for one in (process, *monitors(process.pid)):
            self.assertEqual({nobody.pw_uid}, set(one.uids()))
            self.assertEqual({nobody.pw_gid}, set(one.gids()))
        self.assertEqual([], [path for path in state.rglob("*") if path.stat().st_uid != nobody.pw_uid])
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
        process.wait(60)
        self.assertIn("[INFO] stopped\n", self.installation.log())
