"""The monitor child as a real process, under its supervision and alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import psutil
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatserv.config import Monitoring
from chatserv.monitor.child import Sampler
from chatserv.monitor.process import MonitorReactor, MonitorService, State
from chatserv.monitor.reading import child_environment
from tests.support.processes import command_of

CHILD = [sys.executable, "-P", "-m", "chatserv.monitor.child", "--interval", "0.2"]
WAIT_SECONDS = 120  # a figure of how quick it is belongs to row 14 of the faults


def children() -> list[psutil.Process]:
    """The monitor children of this process."""
    return [one for one in psutil.Process().children() if "chatserv.monitor.child" in command_of(one)]


class SupervisedTests(TestCase):
    """A service on the real reactor."""

    timeout = 120

    def setUp(self) -> None:
        """Starts a service with a quick child, which is never taken for one that hangs, however busy the machine is."""
        from twisted.internet import reactor  # noqa: TID251 - the real one is the point

        self.reactor = cast(Any, reactor)
        self.settings = Monitoring(
            interval=0.2,
            show_python_processes=True,
            silence_seconds=600,
            restart_backoff_min_seconds=0.1,
            restart_backoff_max_seconds=0.2,
        )
        self.service = self.start(self.settings)

    def start(self, settings: Monitoring) -> MonitorService:
        """A service that runs."""
        service = MonitorService(cast(MonitorReactor, self.reactor), settings)
        service.startService()
        self.addCleanup(service.stopService)
        return service

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for a condition; the test's timeout ends it."""
        while not condition():
            await deferLater(self.reactor, 0.02)

    def pid(self) -> int:
        """The pid of the one child."""
        (child,) = children()
        return child.pid

    def run_async(self, steps: Any) -> Deferred[None]:
        """A test's coroutine as a Deferred."""
        return Deferred.fromCoroutine(steps)

    def test_sample(self) -> Deferred[None]:
        """A sample of this very process arrives, and lists it among the Python processes."""

        async def steps() -> None:
            await self.until(lambda: self.service.last_sample is not None)
            sample = self.service.last_sample
            assert sample is not None
            self.assertEqual(os.getpid(), sample.server.pid)
            self.assertGreater(sample.server.rss_bytes or 0, 1_000_000)
            self.assertGreater(sample.server.fds or 0, 3)
            self.assertIsNotNone(sample.python)
            self.assertIs(State.RUNNING, self.service.state)

        return self.run_async(steps())

    def test_busy_server(self) -> Deferred[None]:
        """The server's CPU is what it used since the last sample: as much as it gets, which is little on a busy machine."""

        async def steps() -> None:
            await self.until(lambda: self.service.last_sample is not None)
            burner = LoopingCall(lambda: sum(range(300_000)))
            burner.start(0)
            began, used_before = time.monotonic(), time.process_time()
            try:
                await self.until(lambda: time.monotonic() - began > 1)
                share = 100 * (time.process_time() - used_before) / (time.monotonic() - began)
                await self.until(lambda: cast(Any, self.service.last_sample).server.cpu_percent > share / 2)
            finally:
                burner.stop()

        return self.run_async(steps())

    def test_killed(self) -> Deferred[None]:
        """A killed child is replaced, again and again, without zombies or lost descriptors."""

        async def steps() -> None:
            await self.until(lambda: self.service.state is State.RUNNING)
            before = psutil.Process().num_fds()
            for _ in range(5):
                old = self.pid()
                os.kill(old, signal.SIGKILL)
                await self.until(lambda: self.service.state is not State.RUNNING)
                await self.until(lambda: self.service.state is State.RUNNING)
                self.assertNotEqual(old, self.pid())
                self.assertFalse(psutil.pid_exists(old))
            self.assertLessEqual(psutil.Process().num_fds(), before)

        return self.run_async(steps())

    def test_stopped_by_signal(self) -> Deferred[None]:
        """A child that hangs is killed and replaced."""

        async def steps() -> None:
            await self.until(lambda: self.service.state is State.RUNNING)
            self.service.follow(replace(self.settings, silence_seconds=1.5))
            await self.until(lambda: self.service.state is State.RUNNING)
            old = self.pid()
            os.kill(old, signal.SIGSTOP)
            await self.until(lambda: not psutil.pid_exists(old))
            await self.until(lambda: self.service.state is State.RUNNING)
            self.assertNotEqual(old, self.pid())

        return self.run_async(steps())

    def test_stop(self) -> Deferred[None]:
        """Stopping the service leaves no child, not even one that hangs."""

        async def steps() -> None:
            await self.until(lambda: self.service.state is State.RUNNING)
            os.kill(self.pid(), signal.SIGSTOP)
            await self.service.stopService()
            self.assertEqual([], children())

        return self.run_async(steps())


class AloneTests(SynchronousTestCase):
    """The child without supervision."""

    def spawn(self, server_pid: int, more: Sequence[str] = (), **options: Any) -> "subprocess.Popen[bytes]":
        """A child that talks to this test."""
        command = [*CHILD, "--server-pid", str(server_pid), *more]
        environment = child_environment(os.environ)
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, **options)
        self.addCleanup(self.finish, child)
        return child

    def finish(self, child: "subprocess.Popen[bytes]") -> None:
        """Leaves nothing of a child behind."""
        child.kill()
        child.wait(WAIT_SECONDS)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                stream.close()

    def read(self, child: "subprocess.Popen[bytes]") -> dict[str, Any]:
        """The child's next line."""
        assert child.stdout is not None
        message: dict[str, Any] = json.loads(child.stdout.readline())
        return message

    def test_lines(self) -> None:
        """The child says hello, beats and samples, and lists no processes unless asked."""
        child = self.spawn(os.getpid())
        self.assertEqual({"type": "hello", "pid": child.pid}, self.read(child))
        messages = [self.read(child) for _ in range(4)]
        self.assertIn({"type": "beat"}, messages)
        sample = next(message for message in messages if message["type"] == "sample")
        self.assertEqual({"type", "system", "server", "children", "lag_seconds"}, set(sample))
        self.assertEqual(
            [("monitor", child.pid)],
            [(one["name"], one["pid"]) for one in sample["children"] if one["pid"] == child.pid],
        )

    def guarded(
        self, *, ignores_abort: bool = False, stopped: bool = False
    ) -> "tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]":
        """A process that is looked after as a server, and the child that does, which has heard of it once."""
        handling = f"import signal, time; ignored = {ignores_abort}; ignored and signal.signal(6, signal.SIG_IGN); "
        server = subprocess.Popen(
            [sys.executable, "-c", f"{handling}print(flush=True); time.sleep(600)"], stdout=subprocess.PIPE
        )
        self.addCleanup(self.finish, server)
        assert server.stdout is not None
        server.stdout.readline()
        if stopped:  # before it can have been silent for too long
            server.send_signal(signal.SIGSTOP)
        child = self.spawn(server.pid, more=["--stuck-seconds", "1"])
        self.read(child)
        assert child.stdin is not None
        child.stdin.write(b"7\n")
        child.stdin.flush()
        return server, child

    def test_silent_server(self) -> None:
        """A server that says nothing for so long is ended by SIGABRT; by SIGKILL, where that does not help."""
        self.assertEqual(-signal.SIGABRT, self.guarded()[0].wait(WAIT_SECONDS))
        self.assertEqual(-signal.SIGKILL, self.guarded(ignores_abort=True)[0].wait(WAIT_SECONDS))

    def test_nobody_reads_any_more(self) -> None:
        """The child sees that too where its own pipe is full, as it is when nobody reads it."""
        server, child = self.guarded()
        assert child.stdout is not None
        filling = os.open(f"/proc/self/fd/{child.stdout.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(filling, b"x" * 65_536)
        except BlockingIOError:
            os.close(filling)
        self.assertEqual(-signal.SIGABRT, server.wait(WAIT_SECONDS))

    def test_stopped_server(self) -> None:
        """One that was stopped by a signal is let alone, until it goes on and says nothing."""
        server, child = self.guarded(stopped=True)
        self.assertRaises(subprocess.TimeoutExpired, server.wait, 3)
        server.send_signal(signal.SIGCONT)
        self.assertEqual(-signal.SIGABRT, server.wait(WAIT_SECONDS))
        self.assertEqual(0, child.wait(WAIT_SECONDS))

    def test_python_under_other_names(self) -> None:
        """A Python process counts by its program, whatever name it has: ``twistd`` and the clients are among them."""
        renamed = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'twistd'); print(flush=True); sys.stdin.read()"
        other = subprocess.Popen([sys.executable, "-c", renamed], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.finish, other)
        assert other.stdout is not None
        other.stdout.readline()
        self.assertEqual("twistd", psutil.Process(other.pid).name())
        sampler = Sampler(os.getpid(), python_processes=True)
        found = {one["pid"] for one in sampler.sample()["python"]}
        self.assertLessEqual({os.getpid(), other.pid}, found)

    def test_quiet_end(self) -> None:
        """The end of stdin and SIGTERM end the child with code 0 and without a word; SIGINT does nothing."""
        for closes in (True, False):
            child = self.spawn(os.getpid(), stderr=subprocess.PIPE)
            self.read(child)
            self.read(child)
            child.send_signal(signal.SIGINT)
            self.read(child)
            assert child.stdin is not None
            if closes:
                child.stdin.close()
            else:
                child.terminate()
            self.assertEqual(0, child.wait(WAIT_SECONDS))
            assert child.stderr is not None
            self.assertEqual(b"", child.stderr.read())

    def test_closed_streams(self) -> None:
        """A child whose streams are closed ends at once, without a word."""
        for closed in ("<&-", ">&-"):
            command = ["sh", "-c", f'exec "$@" {closed}', "sh", *CHILD, "--server-pid", str(os.getpid())]
            done = subprocess.run(
                command,
                stdin=subprocess.PIPE,
                capture_output=True,
                env=child_environment(os.environ),
                timeout=WAIT_SECONDS,
                check=False,
            )
            self.assertEqual((0, b""), (done.returncode, done.stderr), closed)

    def test_nobody_reads(self) -> None:
        """A child that nobody reads ends without a word."""
        child = self.spawn(os.getpid(), stderr=subprocess.PIPE)
        self.read(child)
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        self.assertEqual(0, child.wait(WAIT_SECONDS))
        self.assertEqual(b"", child.stderr.read())

    def test_server_gone(self) -> None:
        """A child whose server is another process that vanishes ends too, as does one whose server never was."""
        server = subprocess.Popen(["sleep", "600"])
        child = self.spawn(server.pid)
        self.read(child)
        self.read(child)
        server.kill()
        self.assertEqual(0, child.wait(WAIT_SECONDS))  # the server is a zombie still
        server.wait(WAIT_SECONDS)
        self.assertEqual(0, self.spawn(server.pid).wait(WAIT_SECONDS))

    def orphan(self, stdin: str) -> None:
        """Kills a process that has a child with this stdin; the child must be gone soon."""
        source = (
            "import os, subprocess, sys, time\n"
            f"command = {CHILD!r} + ['--server-pid', str(os.getpid())]\n"
            f"child = subprocess.Popen(command, stdin={stdin}, stdout=subprocess.PIPE)\n"
            "print(child.pid, child.stdout.readline(), flush=True)\n"
            "time.sleep(600)\n"
        )
        environment = child_environment(os.environ)
        parent = subprocess.Popen(
            [sys.executable, "-c", source], stdout=subprocess.PIPE, env=environment, stdin=subprocess.PIPE
        )
        self.addCleanup(self.finish, parent)
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline().split()[0]))
        parent.kill()
        child.wait(WAIT_SECONDS)

    def test_parent_killed(self) -> None:
        """A child ends when its parent is killed."""
        self.orphan("subprocess.PIPE")

    def test_parent_killed_pipe_held(self) -> None:
        """So it does where the pipe stays open, since the kernel tells it."""
        if not sys.platform.startswith("linux"):
            self.skipTest("only Linux tells")
        self.orphan("None")
