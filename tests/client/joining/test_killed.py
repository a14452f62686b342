"""The program that holds a profile is killed in the middle of a request: what was asked for is done once, by the next."""

import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

from chatserv.client import Profile, seal_profile
from chatserv.client.account.system_keyring import SystemKeyring
from chatserv.testing.memory_server import CHEAP
from chatserv.testing.processes import CLIENT, child_environment
from tests.client.joining.victim import STEPS
from tests.client.sealing_victim import PASSPHRASE, FileBackend
from tests.integration.test_clients import SECONDS, ClientsTestCase


class KilledTestCase(ClientsTestCase):
    """Bob's script has joined a program of his, which dies. Each class has a server of its own, as it seals the profile."""

    def assert_once(self, passphrase: str = "", kept: str = "") -> None:
        """Whenever it dies, three lines are stored, each once and in order; the script needs no key of its own."""
        for step in STEPS:
            self.holder(step, passphrase, kept)
            done = subprocess.run(
                [*CLIENT, "--profile", "bob", "--send"],
                cwd=self.directory,
                env=child_environment(self.directory),
                input=f"one {step}\ntwo\nthree {step}\n",
                capture_output=True,
                text=True,
                timeout=2 * SECONDS,
                check=False,
            )
            self.assert_exit(done, 0)
            texts = [record["text"] for record in self.read_until("alice", f"three {step}")]
            self.assertEqual(texts, [f"one {step}", "two", f"three {step}"], step)

    def holder(self, step: str, passphrase: str, kept: str) -> None:
        """The program that will die."""
        victim = subprocess.Popen(
            [sys.executable, "-m", "tests.client.joining.victim", str(self.profile.directory), step, passphrase, kept],
            cwd=Path(__file__).parents[3],
            env=child_environment(self.directory),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(self.end, victim)
        assert victim.stdout is not None
        for line in victim.stdout:
            if line == "online\n":
                return
        self.fail("it ended")

    def setUp(self) -> None:
        """Alice has heard everything so far."""
        super().setUp()
        self.profile = Profile(self.directory / "profiles" / "bob")
        self.assert_exit(self.client("alice", "--send", typed="begin\n"), 0)
        self.read_until("alice", "begin")


class UnsealedTests(KilledTestCase):
    """A profile that is not sealed."""

    settings: ClassVar[dict[str, dict[str, Any]]] = {"server": {"max_connections": 11}}

    def test_killed(self) -> None:
        """Each line is stored once."""
        self.assert_once()


class PassphraseTests(KilledTestCase):
    """One that is sealed by a passphrase."""

    settings: ClassVar[dict[str, dict[str, Any]]] = {"server": {"max_connections": 12}}

    def test_killed(self) -> None:
        """Each line is stored once, and the script is not asked for the passphrase."""
        seal_profile(self.profile, PASSPHRASE, cost=CHEAP)
        self.assert_once(PASSPHRASE)


class KeyringTests(KilledTestCase):
    """One whose key is in the system's keyring."""

    settings: ClassVar[dict[str, dict[str, Any]]] = {"server": {"max_connections": 13}}

    def test_killed(self) -> None:
        """Each line is stored once, by a script that cannot reach the keyring."""
        kept = self.directory / "kept"
        kept.mkdir()
        store = SystemKeyring(FileBackend(kept))
        seal_profile(self.profile, find=lambda: store)
        self.assert_once(kept=str(kept))
