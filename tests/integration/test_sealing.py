"""Sealed profiles with real programs: the first start on a terminal, and what a thief finds after a power cut."""

import subprocess
import time

from chatserv.testing.processes import CLIENT, PASSWORD, child_environment, client_command, run_client
from tests.integration.test_clients import ClientsTestCase, Terminal

PASSPHRASE = "maple river candle"
SECONDS = 120


class SealedTests(ClientsTestCase):
    """People at terminals, and their files."""

    def files(self, name: str) -> dict[str, bytes]:
        """All that is in somebody's profile."""
        there = (self.directory / "profiles" / name).iterdir()
        return {file.name: file.read_bytes() for file in there if file.is_file()}

    def assert_sealed(self, name: str, *secrets: str) -> None:
        """Nothing in the files of a profile is in the clear."""
        files = self.files(name)
        self.assertIn("client.db.sealed", files)
        self.assertTrue({"keyring.json", "client.db", "client.db-wal"}.isdisjoint(files), files.keys())
        for secret in secrets:
            self.assertEqual([file for file, data in files.items() if secret.encode() in data], [])

    def choose(self, terminal: Terminal) -> None:
        """Chooses the passphrase."""
        terminal.until("New passphrase:")
        terminal.type(PASSPHRASE + "\n")
        terminal.until("Once more:")
        terminal.type(PASSPHRASE + "\n")
        terminal.until("sealed now")

    def test_newcomer(self) -> None:
        """A newcomer's profile is sealed from its first byte on, also when it is killed; each start asks again."""
        dave = Terminal(self, [*CLIENT, "--plain", "--profile", "dave", self.invite()])
        self.choose(dave)
        for question, answer in (
            ("Are you new here", "n"),
            ("User name:", "dave"),
            ("Password:", PASSWORD),
            ("Once more:", PASSWORD),
            ("To save it as a file", ""),
            ("Type the code once more", ""),
        ):
            dave.until(question, last=True)
            dave.type(f"{answer}\n")
        dave.until("Connected to #lobby")
        dave.type("the canary sings\n")
        deadline = time.monotonic() + SECONDS
        while "canary sings" not in run_client(self.directory, "alice", "--command", "/log"):
            self.assertLess(time.monotonic(), deadline)
        dave.process.kill()
        dave.finish()
        self.assert_sealed("dave", "the canary sings", PASSPHRASE)
        again = Terminal(self, [*CLIENT, "--plain", "--profile", "dave"])
        again.until("Passphrase of this device's files:", last=True)
        again.type("maple river\n")
        again.until("That is not the passphrase.")
        again.until("Passphrase of this device's files:", last=True)
        again.type(PASSPHRASE + "\n")
        again.until("Connected to #lobby")
        for secret in (PASSPHRASE, PASSWORD):
            self.assertNotIn(secret, again.text)
        again.type("/quit\n")
        self.assertEqual(again.finish(), 0)

    def test_profile_from_before(self) -> None:
        """It goes on unsealed on pipes, with one line, until the first start on a terminal; then all of it is sealed."""
        run_client(self.directory, "heidi", self.invite(), "--send", typed="a message from before\n")
        (self.directory / "profiles" / "heidi" / "seal.json").unlink()  # as an earlier version left it
        command = [word for word in client_command(self.directory, "heidi", "--send") if word != "--no-seal"]
        done = self.run_plainly(command, "said on a pipe\n")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (0, 1), done.stderr)
        self.assertIn("--seal", done.stderr)
        self.assertIn("client.db", self.files("heidi"))
        heidi = Terminal(self, [*CLIENT, "--plain", "--profile", "heidi"])
        self.choose(heidi)
        heidi.until("Connected to #lobby")
        heidi.process.kill()
        heidi.finish()
        self.assert_sealed("heidi", "from before", "on a pipe", PASSPHRASE)
        locked = self.run_plainly(command, "lost\n")
        self.assertEqual(locked.returncode, 8)
        self.assertIn("--passphrase-file", locked.stderr)
        passphrase = self.directory / "passphrase"
        passphrase.touch(0o600)
        passphrase.write_text(PASSPHRASE + "\n")
        shown = run_client(self.directory, "heidi", "--command", "/log", "--passphrase-file", str(passphrase))
        for text in ("a message from before", "said on a pipe"):
            self.assertIn(text, shown)

    def run_plainly(self, command: list[str], typed: str) -> "subprocess.CompletedProcess[str]":
        """Runs a client without a word about sealing."""
        return subprocess.run(
            command,
            cwd=self.directory,
            env=child_environment(self.directory),
            input=typed,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
