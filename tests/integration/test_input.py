"""What people type, and what programs are given, that is no text or not whole: refused, and nothing is made."""

import os
import subprocess

from chatserv.testing.processes import CLIENT, PASSWORD, child_environment, client_command
from tests.integration.test_clients import SECONDS, ClientsTestCase, Terminal

NO_TEXT = b"\xff\xfe"
LINUX_KEEPS = 4095


class NoTextTests(ClientsTestCase):
    """Bytes that are no UTF-8."""

    def run_bytes(
        self, *arguments: bytes, profile: str = "bob", typed: bytes = b"", environment: dict[str, bytes] | None = None
    ) -> tuple[int, str]:
        """Exit code and what was said."""
        given = {name.encode(): value.encode() for name, value in child_environment(self.directory).items()}
        done = subprocess.run(
            [*(each.encode() for each in client_command(self.directory, profile)), *arguments],
            cwd=self.directory,
            env=given | {name.encode(): value for name, value in (environment or {}).items()},
            input=typed,
            capture_output=True,
            timeout=2 * SECONDS,
            check=False,
        )
        self.assertNotIn(b"Traceback", done.stdout + done.stderr)
        return done.returncode, (done.stdout + done.stderr).decode()

    def test_arguments(self) -> None:
        """In arguments: wrong usage, whatever the option."""
        for option in (b"--room", b"--command", b"--invite-name", b"--user", b"--notify"):
            code, said = self.run_bytes(option, b"/create plans " + NO_TEXT)
            self.assertEqual(code, 2, (option, said))
            self.assertIn("is no UTF-8 text" if option != b"--notify" else "--notify", said)
        for arguments in ((b"chatserv://" + NO_TEXT,), (b"--profile", NO_TEXT), (NO_TEXT, b"--follow")):
            self.assertIn(self.run_bytes(*arguments)[0], {2, 8}, arguments)
        code, said = self.run_bytes(b"--command", b"/list")
        self.assertEqual((code, said.count("#")), (0, 1), said)  # the lobby

    def test_files(self) -> None:
        """Names of files may have any bytes."""
        password = os.fsencode(self.directory) + b"/pass" + NO_TEXT
        code, said = self.run_bytes(b"--password-file", password, b"--command", b"/who")
        self.assertEqual(code, 0, said)
        link = self.invite()
        with open(password, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(PASSWORD)
        profiles = os.fsencode(self.directory) + b"/profiles" + NO_TEXT
        place = {"CHATSERV_CLIENT_DIR": profiles}
        arguments = (b"--password-file", password, link.encode(), b"--user", b"zoe", b"--send")
        code, said = self.run_bytes(*arguments, profile="zoe", typed=b"hello\n", environment=place)
        self.assertEqual(code, 0, said)
        code, said = self.run_bytes(b"--command", b"/log", profile="zoe", environment=place)
        self.assertEqual(code, 0, said)
        self.assertIn("<zoe> hello", said)

    def test_environment(self) -> None:
        """Variables that are no text, or make no sense, are as if they were not there."""
        for name in ("LANGUAGE", "LANG", "LC_ALL", "TERM", "HOME", "XDG_STATE_HOME", "COLUMNS", "NO_COLOR", "DISPLAY"):
            code, said = self.run_bytes(b"--command", b"/who", environment={name: NO_TEXT})
            self.assertEqual(code, 0, (name, said))

    def test_typed(self) -> None:
        """On a terminal they are refused, and the talk goes on, with a line editor and without."""
        for arguments in (["--plain"], []):
            environment = {"TERM": "xterm-256color", "DBUS_SESSION_BUS_ADDRESS": ""}
            bob = Terminal(self, client_command(self.directory, "bob", *arguments), 80, environment)
            bob.until("Connected")
            for line in (b"cut off \xff there\r", b"/create attic \xfe\r", b"/topic \xff\xfe\r", b"/me \xff\r"):
                os.write(bob._ours, line)
            os.write(bob._ours, f"it goes on, {arguments or 'drawn'}\r".encode())
            bob.until("UTF-8")
            os.write(bob._ours, b"/list\r/quit\r")
            self.assertEqual(bob.finish(), 0, bob.text)
            self.assertNotIn("attic", bob.text.replace("/create attic", ""))
            log = self.client("bob", "--command", "/log").stdout
            self.assertEqual((log.count(f"it goes on, {arguments or 'drawn'}"), "cut off" in log), (1, False), log)
            self.assert_exit(self.client("bob", "--command", "/topic"), 0)
        self.assertEqual(self.client("bob", "--command", "/list").stdout.count("#"), 1)

    def test_answers(self) -> None:
        """Questions are asked again."""
        dora = Terminal(self, [*CLIENT, "--no-seal", "--profile", "dora", self.server.link()], 80)
        dora.until("Are you new here")
        dora.type("n\r")
        dora.until("User name:")
        os.write(dora._ours, b"do\xffra\r")
        dora.until("This text cannot be used")
        dora.type("dora\r")
        dora.until("Password:")
        os.write(dora._ours, b"correct horse \xff\xfe\r")
        dora.until("This password cannot be used")
        dora.type("\x03")
        self.assertEqual(dora.finish(), 130)
        self.assertNotIn("Traceback", dora.text)


class CutLineTests(ClientsTestCase):
    """Lines that a terminal has cut."""

    def test_plain(self) -> None:
        """A line that may have lost its end is not sent, and the person is told; the longest whole one goes out."""
        bob = Terminal(self, client_command(self.directory, "bob", "--plain"), 80)
        bob.until("Connected")
        for character, size in (("a", LINUX_KEEPS + 908), ("b", LINUX_KEEPS), ("c", LINUX_KEEPS - 1)):
            bob.type(character * size + "\r")
            bob.until("it was not sent" if size >= LINUX_KEEPS else "ccc")
        bob.type("/quit\r")
        self.assertEqual(bob.finish(), 0)
        log = self.client("bob", "--command", "/log").stdout
        self.assertIn("<bob> " + "c" * (LINUX_KEEPS - 1) + "\n", log)
        self.assertNotIn("aaaa", log)
        self.assertNotIn("bbbb", log)

    def test_send(self) -> None:
        """A script that reads a terminal ends with 1."""
        bob = Terminal(self, client_command(self.directory, "bob", "--send"), 80)
        bob.type("d" * (LINUX_KEEPS + 1) + "\r")
        self.assertEqual(bob.finish(), 1)
        self.assertNotIn("dddd", self.client("bob", "--command", "/log").stdout)
