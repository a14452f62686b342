"""Real programs on a machine whose date is set back, and on one that sleeps."""

import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.processes import (
    TWISTD,
    ServerProgram,
    child_environment,
    client_command,
    register_two,
    run_client,
)
from tests.support.stepped_clock import program, set_clocks

BACK = -7200.0
SLEEP = 7200.0
SECONDS = 120.0
LIMITS = {"limits": {"tls_handshake_seconds": 2, "idle_seconds": 5, "idle_reply_seconds": 15}}


def ended(sockets: list[socket.socket], seconds: float) -> int:
    """How many of these the other side has ended after a while at most."""
    left, deadline = list(sockets), time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        readable, _, _ = select.select(left, [], [], max(0.0, deadline - time.monotonic()))
        left = [each for each in left if each not in readable or not is_over(each)]
    return len(sockets) - len(left)


def is_over(each: socket.socket) -> bool:
    """Whether a socket that can be read has come to its end."""
    try:
        return not each.recv(1)
    except ConnectionResetError:
        return True


def sockets(pid: int) -> set[str]:
    """The sockets of TCP that a process has, by their numbers in the kernel."""
    links = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()]
    return links & {f"socket:[{row[9]}]" for row in rows}


class Follower:
    """A ``--follow --json`` with clocks of its own.

    Args:
        server: Whose.
        profile: Who follows.
    """

    def __init__(self, server: ServerProgram, profile: str) -> None:
        self.clocks = server.directory / f"{profile}.clocks"
        command = client_command(
            server.directory, profile, "--follow", "--json", "--timeout", "120",
            program=program(self.clocks, "clients.stdio"),
        )  # fmt: skip
        self.process = subprocess.Popen(
            command,
            cwd=server.directory,
            env=child_environment(server.directory),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._rest = b""

    def reads(self, text: str) -> bool:
        """Whether a message with this text comes in time."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            *lines, self._rest = self._rest.split(b"\n")
            for number, line in enumerate(lines):
                if json.loads(line)["text"] == text:
                    self._rest = b"\n".join([*lines[number + 1 :], self._rest])
                    return True
            if select.select([self.process.stdout], [], [], 0.5)[0]:
                read = os.read(self.process.stdout.fileno(), 65_536)
                if not read:
                    raise AssertionError(f"it ended: {self.process.wait(SECONDS)}")
                self._rest += read
        return False

    def end(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait(SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()


class ClockTests(SynchronousTestCase):
    """A server and people, each with clocks that the test sets."""

    def setUp(self) -> None:
        """The server runs; alice and bob are registered."""
        self.directory = Path(tempfile.mkdtemp())
        self.clocks = self.directory / "server.clocks"
        settings: dict[str, dict[str, Any]] = LIMITS
        self.server = ServerProgram(self.directory, settings, program(self.clocks, "twistd"))
        self.addCleanup(self.server.stop)
        self.server.start()
        register_two(self.server, "alice", "bob")

    def follow(self, profile: str) -> Follower:
        """Somebody who follows, and is known to be connected."""
        follower = Follower(self.server, profile)
        self.addCleanup(follower.end)
        self.say("are you there")
        self.assertTrue(follower.reads("are you there"))
        return follower

    def say(self, text: str) -> None:
        """Alice says something."""
        run_client(self.directory, "alice", "--send", typed=f"{text}\n")

    def silent(self) -> socket.socket:
        """A connection that says nothing."""
        made = socket.create_connection(("127.0.0.1", self.server.port), SECONDS)
        self.addCleanup(made.close)
        return made

    def test_server_set_back(self) -> None:
        """Deadlines come all the same: those that ran already, and new ones; nobody who is there is cut."""
        bob = self.follow("bob")
        connections = self.server.output.count("bob connected")
        silent = [self.silent()]
        set_clocks(self.clocks, date=BACK)
        silent.append(self.silent())
        self.assertEqual(ended(silent, SECONDS), 2)
        time.sleep(8)  # silence is broken after 5
        self.say("after the step")
        self.assertTrue(bob.reads("after the step"))
        self.assertEqual(self.server.output.count("bob connected"), connections)

    def test_client_set_back(self) -> None:
        """A client that is offline comes back when the server does."""
        bob = self.follow("bob")
        self.server.stop()
        set_clocks(bob.clocks, date=BACK)
        time.sleep(2)
        self.server.start()
        self.say("here again")
        self.assertTrue(bob.reads("here again"))

    def test_server_slept(self) -> None:
        """Who could not speak while the server slept is not cut; who does not speak after it is."""
        bob = self.follow("bob")
        connections = self.server.output.count("bob connected")
        silent = self.silent()
        set_clocks(self.clocks, steady=SLEEP)
        time.sleep(3)
        self.say("good morning")
        self.assertTrue(bob.reads("good morning"))
        self.assertEqual(self.server.output.count("bob connected"), connections)
        self.assertEqual(ended([silent], SECONDS), 1)

    def test_client_slept(self) -> None:
        """A client that slept asks whether its connection stands, and keeps it where it does."""
        bob = self.follow("bob")
        connections = self.server.output.count("bob connected")
        set_clocks(bob.clocks, steady=SLEEP)
        time.sleep(8)
        self.say("good morning")
        self.assertTrue(bob.reads("good morning"))
        self.assertEqual(self.server.output.count("bob connected"), connections)


class FrozenServerTests(SynchronousTestCase):
    """A connection that died while the client slept."""

    def test_notices(self) -> None:
        """The server takes nothing in and ends nothing: the client notices within seconds of waking, not after 100."""
        directory = Path(tempfile.mkdtemp())
        server = ServerProgram(directory, LIMITS, TWISTD)
        self.addCleanup(server.stop)
        server.start()
        register_two(server, "alice", "bob")
        bob = Follower(server, "bob")
        self.addCleanup(bob.end)
        run_client(directory, "alice", "--send", typed="hello\n")
        self.assertTrue(bob.reads("hello"))
        before = sockets(bob.process.pid)
        os.kill(server.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, server.pid, signal.SIGCONT)
        set_clocks(bob.clocks, steady=SLEEP)
        deadline = time.monotonic() + SECONDS
        while before & sockets(bob.process.pid) and time.monotonic() < deadline:
            time.sleep(0.5)
        self.assertEqual((len(before), before & sockets(bob.process.pid)), (1, set()))
