"""Files between real programs: from a script, to a script, and the command that saves one."""

import hashlib
import os

from chatserv.testing.processes import run_client
from tests.integration.test_clients import ClientsTestCase


class ScriptTests(ClientsTestCase):
    """``--file`` and ``--save`` of two people against a server."""

    def test_sent_and_saved(self) -> None:
        """What one sends the other saves, byte for byte; both end with 0 once it is there."""
        source, target = self.directory / "two words.bin", self.directory / "saved"
        data = os.urandom(3_000_000)
        source.write_bytes(data)
        target.mkdir(exist_ok=True)
        run_client(self.directory, "bob", "--command", "/files")
        run_client(self.directory, "alice", "--file", str(source))
        printed = run_client(self.directory, "bob", "--save", str(target), "--count", "1")
        self.assertEqual(printed, f"{target}/two words.bin\n")
        saved = (target / "two words.bin").read_bytes()
        self.assertEqual(hashlib.sha256(saved).hexdigest(), hashlib.sha256(data).hexdigest())
        self.assertIn("two words.bin", run_client(self.directory, "alice", "--command", "/files"))
        printed = run_client(self.directory, "bob", "--command", f"/save -1 {target}")
        self.assertEqual(printed, f"Saved: {target}/two words (2).bin\n")
