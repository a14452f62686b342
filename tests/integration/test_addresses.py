"""The real programs and a server at two addresses, one of which dies."""

import json
import subprocess
import tempfile
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Profile, parse_link
from chatserv.testing.demo.stage import wait_until
from chatserv.testing.processes import ServerProgram, child_environment, client_command, free_port, run_client
from chatserv.testing.ways import Way

SECONDS = 120.0


class AddressesTests(SynchronousTestCase):
    """Alice follows the lobby, and sends to it with other programs of the same profile."""

    def setUp(self) -> None:
        """A server behind two ways, which its link names, and alice, who has come by it."""
        self.directory = Path(tempfile.mkdtemp())
        ports = (free_port(), free_port())
        named = f"127.0.0.1:{ports[0]}, 127.0.0.2:{ports[1]}"
        self.server = ServerProgram(self.directory, {"server": {"advertise": named}})
        self.addCleanup(self.server.stop)
        self.server.start()
        self.ways = [
            Way(host, port, self.server.port) for host, port in zip(("127.0.0.1", "127.0.0.2"), ports, strict=True)
        ]
        for way in self.ways:
            self.addCleanup(way.kill)
        run_client(self.directory, "alice", self.server.link(), "--send")

    def follow(self) -> "subprocess.Popen[str]":
        """A program that prints what comes."""
        process = subprocess.Popen(
            client_command(self.directory, "alice", "--follow", "--json"),
            cwd=self.directory, env=child_environment(self.directory), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        patience = threading.Timer(SECONDS, process.kill)
        patience.start()
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(patience.cancel)
        return process

    def say(self, text: str) -> None:
        """Alice sends a line; done when it is stored."""
        run_client(self.directory, "alice", "--timeout", str(SECONDS), "--send", typed=f"{text}\n", seconds=2 * SECONDS)

    def until(self, process: "subprocess.Popen[str]", text: str) -> None:
        """The program prints up to this text."""
        for line in process.stdout or ():
            if json.loads(line)["text"] == text:
                return
        self.fail(f"it ended before {text}")

    def test_one_dies(self) -> None:
        """Who was there goes on at the other one, with all programs of the profile, and that is remembered."""
        addresses = tuple((way.host, way.port) for way in self.ways)
        self.assertEqual(addresses, parse_link(self.server.link()).addresses)
        profile = Profile(self.directory / "profiles" / "alice")
        self.assertEqual(set(addresses), set(profile.require_keyring().everywhere))
        following = self.follow()
        self.say("before")
        self.until(following, "before")
        self.assertTrue(wait_until(lambda: [way.used for way in self.ways].count(True) == 1))
        # On a busy machine the first one may have been late.
        here, there = sorted(self.ways, key=lambda way: not way.used)
        here.kill()
        self.say("after")
        self.until(following, "after")
        self.assertTrue(there.used)
        following.kill()
        following.wait()
        found = profile.require_keyring().everywhere
        self.assertEqual([(there.host, there.port), (here.host, here.port)], list(found))
