"""It comes back by itself: the real server under a stand-in for systemd, which reads ``deploy/chatserv.service``."""

import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

from twisted.python.filepath import FilePath
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatserv.wire.link import parse_link
from tests.support.procmon_drill import Supervised
from tests.support.systemd import SECONDS, UNIT, Systemd

MANY = "[limits]\nunauthenticated_per_network = 200\n"
# A server that stands still at a SIGUSR1, in Python, and at a SIGUSR2 in C with the interpreter held.
STANDS_STILL = """
import ctypes, signal, time
def stand_still_here(*_):
    while True:
        time.sleep(0.05)
def hold_the_interpreter(*_):
    ctypes.PyDLL(None).sleep(600)
signal.signal(signal.SIGUSR1, stand_still_here)
signal.signal(signal.SIGUSR2, hold_the_interpreter)
from twisted.scripts.twistd import run
run()
"""
# A server that is told to stop as soon as it can be told anything.
STOPS_AT_ONCE = """
import os, signal
from chatserv.service import ChatService
handle = ChatService._handle_signals
def handle_and_stop(self):
    handle(self)
    os.kill(os.getpid(), signal.SIGTERM)
ChatService._handle_signals = handle_and_stop
from twisted.scripts.twistd import run
run()
"""
STOOD_STILL = re.compile(r"\[ERROR\] the reactor has stood still for \d+\.\d s, here\n\t.*\n")
RUNS = re.compile(r"monitor child \d+ runs")
STUCK_PROGRAM = (sys.executable, "-c", STANDS_STILL)


def shakes_hands(port: int, seconds: float = SECONDS) -> None:
    """A TLS handshake with the server, from the connection on; raises OSError where it is refused or cut."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["chatserv/1"])
    with socket.create_connection(("127.0.0.1", port), seconds) as raw, context.wrap_socket(raw):
        pass


class Knocking:
    """Somebody who connects all the time, and counts who was refused."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.connected = 0
        self.refused: list[str] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Knocking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            try:
                socket.create_connection(("127.0.0.1", self._port), SECONDS).close()
                self.connected += 1
            except OSError as error:
                self.refused.append(str(error))


class SystemdTests(SynchronousTestCase):
    """The service under systemd."""

    def directory(self) -> Path:
        """A directory of the test's own."""
        return Path(FilePath(self.mktemp()).asTextMode().path).absolute()

    def invite(self, manager: Systemd) -> str:
        """The link for the first administrator, by the command that the journal names."""
        command = [sys.executable, "-m", "chatserv", "invite", "--admin", "--state-dir", str(manager.state), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return str(json.loads(done.stdout)["link"])

    def test_comes_back(self) -> None:
        """Killed, it serves again; whoever connects while it is away, or starts anew, is never refused."""
        with Systemd(self.directory(), MANY, sockets=2) as manager, Knocking(manager.port) as knocking:
            for port in manager.ports:
                shakes_hands(port)
            manager.reload()
            self.assertEqual(parse_link(self.invite(manager)).port, manager.port)
            killed = time.monotonic()
            manager.kill()
            manager.exited(killed)
            shakes_hands(manager.ports[1])
            manager.wait(lambda: manager.said("READY", since=killed), "READY=1")
            began = time.monotonic()
            manager.restart()
            shakes_hands(manager.port)
            self.assertTrue(manager.said("STOPPING", since=began))
        self.assertNotIn("chatserv://", manager.journalled)
        self.assertTrue(all(line.startswith("<") for line in manager.journalled.splitlines() if "listening on" in line))
        self.assertGreater(knocking.connected, 50)
        self.assertEqual((knocking.refused, manager.exits), ([], [-9, 0, 0]))
        self.assertTrue(manager.said("EXTEND_TIMEOUT_USEC"))
        self.assertGreater(len(manager.said("STATUS")), 3)

    def test_stands_still(self) -> None:
        """A reactor that stands still is ended by the watchdog, with its stack in the log, and the service comes back."""
        with Systemd(self.directory(), program=STUCK_PROGRAM, watchdog_seconds=3) as manager:
            manager.watches = False  # a busy machine makes it late as well
            server_log = manager.state / "logs" / "server.log"
            stuck = time.monotonic()
            manager.kill(signal.SIGUSR1)
            manager.wait(lambda: STOOD_STILL.search(server_log.read_text()), "where it stands")
            manager.watches = True
            manager.exited(stuck)
            manager.watches = False
            shakes_hands(manager.port)
            self.assertEqual(manager.exits, [-6])
            self.assertIn("in stand_still_here", server_log.read_text())

    def test_stopped_at_once(self) -> None:
        """A server that is stopped before it is ready ends as well, though its threads are only just coming to be."""
        manager = Systemd(self.directory(), program=(sys.executable, "-c", STOPS_AT_ONCE))
        manager.begin()
        manager.wait(lambda: manager.exits, "the end")
        self.assertEqual((manager.stop(), manager.exits, manager.said("READY")), (0, [0], []))

    def test_stands_still_without_systemd(self) -> None:
        """Where nobody else watches, the monitor child ends a server that stands still, though it holds the interpreter."""
        patient, strict = (f"[monitoring]\nstuck_seconds = {seconds}\n" for seconds in (600, 3))
        with Systemd(self.directory(), patient, program=STUCK_PROGRAM, watchdog_seconds=3600) as manager:
            monitor_log = manager.state / "logs" / "monitor.log"
            manager.wait(lambda: monitor_log.exists() and "reactor late by" in monitor_log.read_text(), "a sample")
            manager.settings.write_text(strict)  # for this moment alone: a busy machine makes it late as well
            manager.reload()
            manager.wait(lambda: len(RUNS.findall(monitor_log.read_text())) == 2, "a child by the new settings")
            stuck = time.monotonic()
            manager.kill(signal.SIGUSR2)
            manager.settings.write_text(patient)
            manager.exited(stuck)
            manager.wait(lambda: manager.said("READY", since=stuck), "READY=1")
            self.assertEqual(manager.exits, [-6])
            self.assertRegex(monitor_log.read_text(), r"late by \d+ ms; monitor \d+ \w+\n")
            self.assertIn("in hold_the_interpreter", (manager.state / "logs" / "crash.log.1").read_text())
            self.assertIn("crash.log.1 says where", (manager.state / "logs" / "server.log").read_text())


class ProcmonTests(SynchronousTestCase):
    """The service where there is no systemd."""

    def test_killed(self) -> None:
        """Killed, it serves again, in another process; SIGTERM ends both."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir(mode=0o700)
        supervised = Supervised(directory)
        self.addCleanup(supervised.give_up)
        supervised.serves()
        first = supervised.server()
        time.sleep(1.2)
        supervised.kill()
        self.assertNotEqual(first, supervised.server())
        self.assertEqual(supervised.stop(), -signal.SIGTERM)  # as Twisted ends by itself


class UnitTests(SynchronousTestCase):
    """The unit files."""

    def test_security(self) -> None:
        """By systemd's own count, what the unit leaves open is 1.5 of 10 at most."""
        self._systemd_analyze("security", "--offline=true", "--threshold=15", str(UNIT))

    def test_verified(self) -> None:
        """There is nothing wrong in the units, says systemd, but that the program is not installed here."""
        said = self._systemd_analyze("verify", str(UNIT), str(UNIT.with_suffix(".socket")), code=1)
        self.assertEqual([line for line in said.splitlines() if "is not executable" not in line], [])

    def _systemd_analyze(self, *arguments: str, code: int = 0) -> str:
        program = shutil.which("systemd-analyze")
        if program is None:
            raise SkipTest("no systemd-analyze here")
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr
