"""The webhook bot as a real program, with a real server."""

import http.client
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

from chatserv.testing.processes import child_environment
from tests.integration.test_clients import SECONDS, ClientsTestCase


class WebhookTests(ClientsTestCase):
    """Bob's account is the webhook's, and alice reads."""

    def serve(self) -> tuple["subprocess.Popen[str]", int, Path]:
        """Starts the program. Gives its port too, and the file with the header."""
        process = subprocess.Popen(
            [sys.executable, "-m", "clients.examples.webhook_bot", "bob", "lobby", "0"],
            cwd=self.directory,
            env=child_environment(self.directory),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.addCleanup(self.end, process)
        patience = threading.Timer(SECONDS, process.kill)  # then the line below is empty
        patience.start()
        self.addCleanup(patience.cancel)
        assert process.stdout is not None
        address, _, file = process.stdout.readline().strip().partition(" ")
        self.assertRegex(address, r"^http://127\.0\.0\.1:\d+/$")
        return process, int(address.rstrip("/").rpartition(":")[2]), Path(file)

    def post(self, port: int, text: str, headers: dict[str, str]) -> int:
        """What is answered."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        self.addCleanup(connection.close)
        connection.request("POST", "/", text.encode(), headers)
        return connection.getresponse().status

    def test_posted(self) -> None:
        """Who knows the token is heard by alice; the token is the next run's too, and nobody else's; others get nowhere."""
        process, port, file = self.serve()
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        kept = file.read_text()
        name, _, value = kept.partition(": ")
        self.assertRegex(kept, r"\AAuthorization: Bearer [\w-]{43}\Z")
        self.assertEqual(self.post(port, "nobody's", {}), 401)
        self.assertEqual(self.post(port, "it is done", {name: value}), 200)
        with socket.socket() as other:
            other.settimeout(SECONDS)
            self.assertNotEqual(other.connect_ex(("127.0.0.2", port)), 0, "it listens to more than 127.0.0.1")
        process.terminate()
        printed, _ = process.communicate(timeout=SECONDS)
        self.assertEqual(printed, "", "nothing is logged")
        _, port, file = self.serve()
        self.assertEqual(file.read_text(), kept)
        self.assertEqual(self.post(port, "done again", {name: value}), 200)
        heard = [record["text"] for record in self.read_until("alice", "done again") if record["sender"] == "bob"]
        self.assertEqual(heard[-2:], ["it is done", "done again"])
        self.assertNotIn("nobody's", heard)
