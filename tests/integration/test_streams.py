"""Clients whose standard streams are closed, or read by nobody."""

import itertools
import os
import signal
import subprocess
import sys

from chatserv.testing.processes import child_environment, client_command
from tests.integration.test_clients import SECONDS, ClientsTestCase

CLOSED = {"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-"}
COMBINATIONS = [set(each) for size in (1, 2, 3) for each in itertools.combinations(CLOSED, size)]
WINDOW = (sys.executable, "-m", "clients.window.main")
SIGNALS = (
    f"import signal, os, sys; signal.signal({int(signal.SIGPIPE)}, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)

ENDED_BY_SIGPIPE = (
    f"import os, signal, sys; signal.signal({int(signal.SIGPIPE)}, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class ClosedStreamTests(ClientsTestCase):
    """Nothing hangs, nothing is said that no person can read, and no file takes the place of a stream."""

    def run_closed(self, command: list[str], closed: set[str], typed: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a program from a shell that closes streams."""
        closing = " ".join(CLOSED[each] for each in sorted(closed))
        done = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {closing}', "sh", *command],
            cwd=self.directory,
            env=child_environment(self.directory) | {"DISPLAY": "", "TERM": "xterm"},
            input=typed,
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
            check=False,
        )
        self.assertNotIn("Traceback", done.stdout + done.stderr)
        self.assertNotIn("Exception ignored", done.stdout + done.stderr)
        return done

    def test_send(self) -> None:
        """``--send`` needs its input, and nothing else."""
        for closed in COMBINATIONS:
            done = self.run_closed(client_command(self.directory, "bob", "--send"), closed, "closed streams\n")
            self.assertEqual(done.returncode, 2 if "stdin" in closed else 0, (closed, done))
            said = "" if "stderr" in closed or "stdin" not in closed else "Standard input is closed"
            self.assertIn(said, done.stderr)
        sent = sum("stdin" not in closed for closed in COMBINATIONS)
        log = self.client("bob", "--command", "/log").stdout
        self.assertEqual(log.count("<bob> closed streams"), sent)

    def test_follow(self) -> None:
        """``--follow`` needs its output, and nothing else; what could not be printed comes the next time."""
        follow = client_command(self.directory, "alice", "--follow", "--count", "1")
        self.assert_exit(self.client("bob", "--send", typed="for alice\n"), 0)
        self.read_until("alice", "for alice")
        self.assert_exit(self.client("bob", "--send", typed="the first\nthe second\n"), 0)
        for closed, said in (({"stdin"}, "the first"), ({"stdout"}, ""), ({"stdin", "stderr"}, "the second")):
            done = self.run_closed(follow, closed)
            self.assertEqual(done.returncode, 0 if said else 2, (closed, done))
            self.assertIn(said, done.stdout)

    def test_others(self) -> None:
        """Commands, help and wrong usage end as they would with the streams there."""
        everything = set(CLOSED)
        for closed in (everything, everything - {"stdout"}):
            done = self.run_closed(client_command(self.directory, "bob", "--command", "/who"), closed)
            self.assertEqual(done.returncode, 2 if "stdout" in closed else 0, (closed, done))
        for arguments, code in (("--help", 0), ("--version", 0), ("--nonsense", 2), ("--invite", 2)):
            for program in (client_command(self.directory, "bob"), [*WINDOW]):
                self.assertEqual(self.run_closed([*program, arguments], everything).returncode, code, arguments)
        for closed in ({"stderr"}, everything):  # a window without a screen
            self.assertEqual(self.run_closed([*WINDOW], closed).returncode, 2)

    def test_nobody_reads(self) -> None:
        """A reader that has gone, of output or errors, ends nothing with a traceback, whatever SIGPIPE does at the start."""
        for arguments, code in (
            (["--help"], 0),
            (["--command", "/who"], 0),
            (["--nonsense"], 2),
            (["--send"], 0),
            (["--command", "/nonsense"], 5),
        ):
            for first in ([], [sys.executable, "-c", ENDED_BY_SIGPIPE]):
                reads, writes = os.pipe()
                os.close(reads)
                done = subprocess.run(
                    [*first, *client_command(self.directory, "bob", *arguments)],
                    cwd=self.directory, env=child_environment(self.directory), stdin=subprocess.DEVNULL,
                    stdout=writes, stderr=writes, timeout=2 * SECONDS, check=False,
                )  # fmt: skip
                os.close(writes)
                self.assertEqual(done.returncode, code, (arguments, first))

    def test_full(self) -> None:
        """Output that cannot be written ends the run with a line that says why."""
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(
                client_command(self.directory, "bob", "--command", "/who"),
                cwd=self.directory, env=child_environment(self.directory), stdin=subprocess.DEVNULL,
                stdout=full, stderr=subprocess.PIPE, text=True, timeout=2 * SECONDS, check=False,
            )  # fmt: skip
        self.assertEqual(
            (done.returncode, done.stderr), (1, "Standard output cannot be written: No space left on device\n")
        )
