"""Two logs by a real server to real programs: an alarm, a file, and somebody else who checks it."""

import re
import subprocess
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.demo.talking import Reader
from chatserv.testing.processes import CLIENT, ServerProgram, child_environment, run_client
from tests.liar.lying_server import COMMAND, LIE

PATIENCE_SECONDS = 120


class ProcessTests(SynchronousTestCase):
    """Alice and Bob talk in a private room; Bob is shown another log."""

    def test_two_logs(self) -> None:
        """Whoever is shown what the other one was shown ends with 9, and names a file; a third person checks it."""
        with tempfile.TemporaryDirectory() as name, ServerProgram(Path(name), program=(*COMMAND, "bob")) as server:
            directory = Path(name)
            self.register(directory, server.link())
            readers = [Reader(directory, who, "--send", "--room", "plans", errors=True) for who in ("alice", "bob")]
            try:
                said = self.lied_to(directory, *readers)
            finally:
                for reader in readers:
                    reader.end()
            self.assertIn("ALARM: the server breaks the rules: it shows different logs to different people", said)
            found = re.search(r"--check-evidence: (\S+)", said)
            assert found is not None, said
            checked = subprocess.run(
                [*CLIENT, "--check-evidence", found[1]], cwd=directory, capture_output=True, text=True,
                timeout=PATIENCE_SECONDS, check=False,
                env={**child_environment(directory), "CHATSERV_CLIENT_DIR": str(directory / "nobody")},
            )  # fmt: skip
            self.assertEqual((0, ""), (checked.returncode, checked.stderr))
            self.assertIn("PROOF: ", checked.stdout)
            self.assertFalse((directory / "nobody").exists())

    def register(self, directory: Path, link: str) -> None:
        """Ruth, who is in a room with Dave, and Alice, who is in one with Bob."""
        run_client(directory, "ruth", link, "--send")
        for who in ("alice", "bob", "dave"):
            run_client(directory, who, run_client(directory, "ruth", "--invite").strip(), "--send")
        for owner, room, guest in (("alice", "plans", "bob"), ("ruth", "other", "dave")):
            run_client(directory, owner, "--command", f"/create {room}", "--command", f"/invite {guest}")
        run_client(directory, "bob", "--command", "/accept plans")

    def lied_to(self, directory: Path, alice: Reader, bob: Reader) -> str:
        """Dave is put out of the other room, which the log has in two ways; Bob speaks. Gives what the two are warned of."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        alice.try_to_type("hello")
        while not bob.shown() and time.monotonic() < deadline:
            time.sleep(0.2)
        (directory / LIE).touch()
        run_client(directory, "ruth", "--room", "other", "--command", "/kick dave")
        bob.try_to_type("hello")
        while {alice.code, bob.code} == {None} and time.monotonic() < deadline:
            time.sleep(0.2)
        told = [*alice.complaints(), *bob.complaints()]
        self.assertIn(9, {alice.code, bob.code}, told)
        return "\n".join(told)
