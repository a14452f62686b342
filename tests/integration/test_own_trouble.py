"""Real clients on a machine that does not let them: a file that is held, and a name that nobody resolves."""

import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Profile
from chatserv.client.storage.driver import driver
from chatserv.testing.processes import (
    CLIENT,
    ServerProgram,
    child_environment,
    client_command,
    register_two,
    run_client,
)

SECONDS = 120.0
# A client for whom no name is ever resolved: the thread that asks hangs for good.
HANGING = (
    sys.executable,
    "-c",
    "import runpy, socket, sys, time; socket.getaddrinfo = lambda *_, **__: time.sleep(600); "
    "runpy.run_module('clients.stdio', run_name='__main__', alter_sys=True)",
)


class OwnTroubleTests(SynchronousTestCase):
    """A server, alice and bob."""

    def setUp(self) -> None:
        """Registers them."""
        self.directory = Path(tempfile.mkdtemp())
        self.server = ServerProgram(self.directory)
        self.addCleanup(self.server.stop)
        self.server.start()
        register_two(self.server, "alice", "bob")
        self.profile = Profile(self.directory / "profiles" / "alice")

    def start(self, *arguments: str, program: tuple[str, ...] = CLIENT) -> subprocess.Popen[str]:
        """Alice's client."""
        process = subprocess.Popen(
            client_command(self.directory, "alice", *arguments, program=program),
            cwd=self.directory,
            env=child_environment(self.directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process: subprocess.Popen[str]) -> None:
        """Ends what a failed test left."""
        process.kill()
        process.communicate()

    def test_file_that_is_held(self) -> None:
        """Lines wait while another program holds the file, in the script and in its input; then all of them go, once."""
        process = self.start("--send", "--timeout", "50")
        assert process.stdin is not None
        process.stdin.write("one\n")
        process.stdin.flush()
        self.server_has("alice connected")
        with closing(driver.connect(self.profile.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            process.stdin.write("two\nthree\n")
            process.stdin.flush()
            time.sleep(4)
            other.execute("ROLLBACK")
        _, errors = process.communicate("four", timeout=SECONDS)
        self.assertEqual((process.returncode, errors), (0, ""))
        told = run_client(self.directory, "bob", "--follow", "--count", "4")
        self.assertEqual([line.rpartition(" ")[2] for line in told.splitlines()], ["one", "two", "three", "four"])

    def test_file_that_is_held_for_long(self) -> None:
        """A script ends by its time with 8, says which file it is, and accuses nobody."""
        with closing(driver.connect(self.profile.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for arguments in (("--send",), ("--follow",), ("--command", "/away")):
                process = self.start(*arguments, "--timeout", "3")
                _, errors = process.communicate("x\n", timeout=SECONDS)
                self.assertEqual(process.returncode, 8, errors)
                self.assertIn(f"({self.profile.database}: database is locked)", errors)
                self.assertNotIn("server", errors)

    def test_name_that_nobody_resolves(self) -> None:
        """It ends by its time, though the thread that asks for the name does not."""
        self.profile.move("chat.invalid", self.server.port)
        for arguments in (("--send",), ("--follow",), ("--command", "/who")):
            process = self.start(*arguments, "--timeout", "2", program=HANGING)
            _, errors = process.communicate("x\n", timeout=SECONDS)
            self.assertEqual(process.returncode, 3, errors)
            self.assertIn("cannot be reached", errors)

    def server_has(self, words: str) -> None:
        """Waits until the server has said so."""
        count, deadline = self.server.output.count(words), time.monotonic() + SECONDS
        while self.server.output.count(words) == count and time.monotonic() < deadline:
            time.sleep(0.1)
