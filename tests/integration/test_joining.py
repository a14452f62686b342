"""Several programs of one person at once, each a process of its own."""

import json
import stat
import subprocess
import threading
import time
from typing import Any, ClassVar

from chatserv.client.joining.door import SOCKET_NAME
from tests.integration.test_clients import SECONDS, ClientsTestCase


class JoiningTests(ClientsTestCase):
    """Bob has a program running."""

    settings: ClassVar[dict[str, dict[str, Any]]] = {"server": {"max_connections": 10}}

    def setUp(self) -> None:
        """Bob follows."""
        super().setUp()
        self.profile = self.directory / "profiles" / "bob"
        self.first = self.follow("first")

    def follow(self, name: str) -> "subprocess.Popen[str]":
        """One more program that follows, as that name; it is there when it has printed a word of ours."""
        program = self.start("bob", "--follow", "--json", "--as", name)
        word = f"{name} {time.monotonic()}"
        deadline = time.monotonic() + SECONDS
        while not (self.profile / SOCKET_NAME).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.say("alice", word)
        self.until(program, word)
        return program

    def say(self, who: str, text: str, *arguments: str) -> None:
        """Somebody sends a line."""
        self.assert_exit(self.client(who, "--send", *arguments, typed=f"{text}\n"), 0)

    def until(self, program: "subprocess.Popen[str]", text: str) -> list[str]:
        """What a program prints up to this text."""
        found: list[str] = []
        patience = threading.Timer(SECONDS, program.kill)
        patience.start()
        try:
            while not found or found[-1] != text:
                line = program.stdout.readline()  # type: ignore[union-attr]
                self.assertTrue(line, f"it ended: {found}")
                found.append(json.loads(line)["text"])
        finally:
            patience.cancel()
        return found

    def test_send_beside(self) -> None:
        """A script sends while another program holds the profile; that one is shown it too."""
        self.say("bob", "from the pipe")
        self.assertEqual(self.until(self.first, "from the pipe"), ["from the pipe"])
        done = self.client("bob", "--command", "/who", "--command", "/devices")
        self.assert_exit(done, 0)
        self.assertIn("alice", done.stdout)

    def test_private(self) -> None:
        """The socket is its owner's alone, and gone when nobody holds the profile."""
        path = self.profile / SOCKET_NAME
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.first.terminate()
        self.first.wait(SECONDS)
        self.assertFalse(path.exists())

    def test_holder_dies(self) -> None:
        """The program that holds the profile is killed: another takes over, a third joins that one, none misses a word."""
        second, third = self.follow("second"), self.follow("third")
        self.first.kill()
        self.first.wait(SECONDS)
        self.say("alice", "who is left?")
        for program in (second, third):
            self.assertEqual(self.until(program, "who is left?")[-1], "who is left?")
        self.say("bob", "we are")
        for program in (second, third):
            self.assertEqual(self.until(program, "we are"), ["we are"])
        self.assertEqual([each.poll() for each in (second, third)], [None, None])

    def test_holder_ends(self) -> None:
        """The program that holds the profile ends as it should: the same."""
        second = self.follow("second")
        self.first.terminate()
        self.assertEqual(self.first.wait(SECONDS), 130)
        self.say("alice", "still there?")
        self.assertEqual(self.until(second, "still there?"), ["still there?"])

    def test_stale_socket(self) -> None:
        """The socket that a dead program has left is no hindrance."""
        self.first.kill()
        self.first.wait(SECONDS)
        self.assertTrue((self.profile / SOCKET_NAME).exists())
        self.say("bob", "after the dead")
        self.assertFalse((self.profile / SOCKET_NAME).exists())

    def test_foreign_file(self) -> None:
        """Something else in the socket's place is refused in words, and left alone."""
        self.first.terminate()
        self.first.wait(SECONDS)
        path = self.profile / SOCKET_NAME
        path.write_text("mine")
        self.addCleanup(path.unlink)
        self.assert_exit(self.client("bob", "--send", typed="no\n"), 8, "move it away", str(path))
        self.assertEqual(path.read_text(), "mine")
