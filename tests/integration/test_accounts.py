"""A person and their devices: the real programs, each on a terminal of its own, against a real server."""

import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

from chatserv.testing.processes import CLIENT, PASSWORD, child_environment
from tests.integration.test_clients import SECONDS, ClientsTestCase, Terminal
from tests.integration.test_terminal import COLUMNS, KINDS

PAGE = Path(__file__).parents[2] / "docs" / "accounts.rst"
CODE = re.compile(r"(?:[0-9A-Z]{5}-){7}[0-9A-Z]{5}")
WORDS = re.compile(r"^ +((?:[a-z]+ ){5}[a-z]+)$", re.MULTILINE)
NEW = "another password"


class AccountTests(ClientsTestCase):
    """Registration, approval, recovery, revocation, and a script beside it."""

    settings = {"server": {"max_connections": 20}}  # noqa: RUF012 - as those of the class above

    def sit_down(self, profile: str, *answers: tuple[str, str]) -> Terminal:
        """Somebody starts the program on a new machine, and answers what it asks."""
        terminal = Terminal(self, [*CLIENT, "--no-seal", "--profile", profile], COLUMNS, KINDS)
        self.answer(
            terminal, ("Paste the chatserv:// link", self.server.link() if answers[0][1] == "a" else self.invite())
        )
        self.answer(terminal, *answers)
        return terminal

    def answer(self, terminal: Terminal, *answers: tuple[str, str]) -> None:
        """Waits for each question, and answers."""
        for question, answer in answers:
            terminal.until(question)
            terminal.type(answer + "\r")

    def register(self, name: str) -> tuple[Terminal, str]:
        """Somebody new; their terminal, and the recovery code."""
        found = self.sit_down(
            name, ("Are you new here", ""), ("User name:", name), ("Password:", PASSWORD), ("Once more:", PASSWORD)
        )
        found.until("To save it as a file")
        (code,) = CODE.findall(found.text)
        found.type("\r")
        self.answer(found, ("Type the code once more", code.lower()))
        found.until("That is right")
        found.until("Connected as")
        return found, code

    def log_in(self, profile: str, name: str, password: str = PASSWORD) -> Terminal:
        """The same person on another machine, up to the question for the code."""
        return self.sit_down(profile, ("Are you new here", "a"), ("User name:", name), ("Password:", password))

    def say(self, terminal: Terminal, command: str, *words: str) -> None:
        """Types a line, and waits for these words."""
        terminal.type(command + "\r")
        for each in words:
            terminal.until(each)

    def test_approval(self) -> None:
        """By approval: the words stay on the old one's screen until they are typed there; then both say the same."""
        old, _code = self.register("erin")
        new = self.log_in("erin-laptop", "erin")
        self.answer(new, ("or Return to approve", ""))
        new.until("approve this one there")
        old.until("New device:")
        (words,) = set(WORDS.findall(new.text))
        self.assertIn(words, " ".join(old.text.split()))
        self.say(old, "/approve ice ice ice ice ice ice", "somebody may be in the middle")
        self.say(old, f"/approve {words}", "Approved.")
        self.answer(new, ("show exactly these words", "y"))
        new.until("Connected as erin")
        self.until_gone(old, "New device:")
        self.say(new, "from the new one", "<erin> from the new one")
        old.until("<erin> from the new one")
        self.say(old, "/devices rename Desk", "now called Desk")
        self.until_named(new, "Desk")

    def until_named(self, terminal: Terminal, name: str) -> None:
        """Asks for the list of devices until one is called so."""
        deadline = time.monotonic() + SECONDS
        while f"  {name}  " not in terminal.text:
            self.assertLess(time.monotonic(), deadline, terminal.text)
            self.say(terminal, "/devices", "(this one)")
            terminal.read()

    def until_gone(self, terminal: Terminal, words: str) -> None:
        """Waits until these words are not there any more."""
        deadline = time.monotonic() + SECONDS
        while words in terminal.text:
            self.assertLess(time.monotonic(), deadline, terminal.text)
            terminal.read()

    def test_recovery(self) -> None:
        """The code brings the account back; what is secret stands on no screen; the lost device is revoked, and told."""
        old, code = self.register("frank")
        self.say(old, "/password", "New password:")
        for question in ("New password:", "Once more:"):
            self.answer(old, (question, NEW))
        old.until("Your password is changed")
        self.assertNotIn(NEW, old.text)
        new = self.log_in("frank-again", "frank", NEW)
        self.answer(new, ("recovery code", code[:-1] + "!"), ("typing error", code.lower()))
        new.until("Connected as frank")
        self.assertNotIn(code.lower(), new.text)
        old.until("another device now")
        self.say(new, "/devices", "(this one)")
        (lost,) = re.findall(r"^([0-9a-f]{8})  (?!.*this one).*since", new.text, re.MULTILINE)
        self.say(new, f"/revoke {lost}", "never log in again", f"{lost} yes")
        self.say(new, f"/revoke {lost} yes", f"Revoked: {lost}")
        old.until("This device was revoked")
        self.assertEqual(old.finish(), 5)
        again = self.client("frank", "--send", typed="hello\n")
        self.assert_exit(again, 5, "may have been revoked")

    def test_script_beside(self) -> None:
        """While a terminal has the profile, scripts on a pipe send and read; the terminal shows it."""
        old, _code = self.register("grace")
        done = self.client("grace", "--send", typed="from the pipe\n")
        self.assert_exit(done, 0)
        old.until("<grace> from the pipe")
        export = Path(self.mktemp()).absolute()
        self.assert_exit(self.client("grace", "--export", str(export)), 0)
        self.assertIn("from the pipe", export.read_text())
        self.assert_exit(self.client("grace", "--command", "/password"), 5, "on a terminal or in a window")
        self.assert_exit(self.client("grace", "--command", "/recovery passphrase"), 5, "on a terminal or in a window")

    def test_page(self) -> None:
        """The lines for scripts in ``docs/accounts.rst``, one after the other, as they stand there."""
        here = Path(self.mktemp()).absolute()
        here.mkdir()
        for name, text in (("link", self.invite()), ("password", PASSWORD)):
            (here / name).touch(0o600)
            (here / name).write_text(text + "\n")
        block = (
            PAGE.read_text(encoding="utf-8").partition("\nIn scripts\n")[2].partition("::\n\n")[2].partition("\n\n")[0]
        )
        lines = textwrap.dedent(block).replace("\\\n", " ").splitlines()
        self.assertGreater(len(lines), 3)
        environment = child_environment(self.directory)
        environment["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"]))
        for line in lines:
            done = subprocess.run(
                ["bash", "-c", line], cwd=here, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=4 * SECONDS, check=False,
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stdout}{done.stderr}")
        self.assertIn("this one", self.client("bot2", "--command", "/devices").stdout)

    def test_narrow(self) -> None:
        """On 40 columns no word is broken, and the code is there without its QR code."""
        small = Terminal(self, [*CLIENT, "--no-seal", "--profile", "heidi"], 40, KINDS)
        self.answer(
            small, ("Paste the chatserv:// link", self.invite()), ("Are you new here", ""), ("User name:", "heidi"),
            ("Password:", PASSWORD), ("Once more:", PASSWORD), ("To save it", ""),
        )  # fmt: skip
        small.until("skips this:")
        self.assertIn("too small", " ".join(small.text.split()))
        self.assertEqual(len(CODE.findall(re.sub(r"-\n", "-", small.text))), 1)
        self.assertNotRegex(small.text, "[█▀▄]{5}")
