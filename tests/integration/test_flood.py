"""The real server under a flood from seven addresses of this machine, and a client that wants to say something."""

import contextlib
import re
import socket
import threading
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.demo.stage import wait_until
from chatserv.testing.processes import ServerProgram, run_client

ATTACKERS = [f"127.0.0.{number}" for number in range(2, 9)]
ATTEMPTS_A_SECOND = 1000
LEAST = 500
MOST_ATTEMPTS = 200_000
MOST_KEPT = 210  # more than the server takes
TURNED_AWAY = re.compile("turned away|crowded out")
MOST_OPEN = 300  # less than a process may have


class Flood(threading.Thread):
    """Opens connections at a rate, says nothing on them, and keeps the first of them, and the newest.

    Args:
        port: Of the server, on 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.attempts = 0
        self.over = threading.Event()
        self._port = port
        self._open: list[socket.socket] = []

    def run(self) -> None:
        """Until `over` is set, or there were enough."""
        began = time.monotonic()
        while not self.over.is_set() and self.attempts < MOST_ATTEMPTS:
            self._connect(ATTACKERS[self.attempts % len(ATTACKERS)])
            self.attempts += 1
            ahead = self.attempts / ATTEMPTS_A_SECOND - (time.monotonic() - began)
            if ahead > 0.01:
                time.sleep(ahead)
        for each in self._open:
            each.close()

    def _connect(self, host: str) -> None:
        attacker = socket.socket()
        attacker.setblocking(False)
        with contextlib.suppress(OSError):  # it is under way
            attacker.bind((host, 0))
            attacker.connect(("127.0.0.1", self._port))
        self._open.append(attacker)
        if len(self._open) > MOST_OPEN:
            self._open[MOST_KEPT].close()
            del self._open[MOST_KEPT]


def kept_out(log: str) -> set[str]:
    """Which attackers have a line in this log, as each has in ten seconds in which the server takes no more of theirs."""
    lines = [line for line in log.splitlines() if TURNED_AWAY.search(line)]
    return {host for host in ATTACKERS if any(f" {host}:" in line for line in lines)}


class FloodTests(SynchronousTestCase):
    """Whoever is no part of it gets in."""

    def test_seven_addresses(self) -> None:
        """While seven addresses take every place that they get, a client logs in within three tries."""
        directory = Path(self.mktemp()).resolve()
        directory.mkdir(parents=True)
        with ServerProgram(directory, {"limits": {"tls_handshake_seconds": 30}}) as server:
            run_client(directory, "alice", server.link(), "--send")
            flood = Flood(server.port)
            flood.start()
            self.addCleanup(flood.over.set)
            log = server.state / "logs" / "connections.log"
            self.assertTrue(wait_until(lambda: flood.attempts > LEAST and kept_out(log.read_text()) == set(ATTACKERS)))
            run_client(directory, "alice", "--room", "lobby", "--send", typed="still here\n")
            self.assertFalse(flood.over.is_set() or flood.attempts == MOST_ATTEMPTS, "it was over before")
            flood.over.set()
            flood.join()
            turned_away = [line for line in log.read_text().splitlines() if TURNED_AWAY.search(line)]
        self.assertLess(len([line for line in turned_away if "127.0.0.1:" in line]), 3)
