"""Programs on terminals of their own."""

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.testing.pseudo_terminal import PseudoTerminal

SECONDS = 30.0
PROGRAM = "import getpass, sys; name = input('name? '); getpass.getpass('secret? '); print('hello', name); sys.exit(3)"


class PseudoTerminalTests(SynchronousTestCase):
    """What is typed and what is shown."""

    def open(self, program: str) -> PseudoTerminal:
        """A terminal with a program in Python on it."""
        directory = Path(self.mktemp())
        directory.mkdir()
        terminal = PseudoTerminal(directory, [sys.executable, "-c", program])
        self.addCleanup(terminal.close)
        return terminal

    def test_talk(self) -> None:
        """It is the program's controlling terminal: what is secret is not shown, and its exit code is known."""
        terminal = self.open(PROGRAM)
        self.assertTrue(terminal.shows("name? ", SECONDS))
        terminal.type("bob\n")
        self.assertTrue(terminal.shows("secret? ", SECONDS))
        terminal.type("tulip\n")
        self.assertTrue(terminal.shows("hello bob\n", SECONDS))
        self.assertEqual(terminal.finish(SECONDS), 3)
        self.assertNotIn("tulip", terminal.text)

    def test_last_words(self) -> None:
        """What a program has written before it ended is there, also what nobody had read by then."""
        terminal = self.open("print('farewell')")
        terminal.process.wait(SECONDS)
        self.assertEqual((terminal.finish(SECONDS), terminal.text), (0, "farewell\n"))

    def test_never(self) -> None:
        """Words that do not come, and an end that does not, are waited for no longer than is said."""
        terminal = self.open("import time; print('up', flush=True); time.sleep(600)")
        self.assertTrue(terminal.shows("up", SECONDS))
        self.assertFalse(terminal.shows("never", 0.2))
        self.assertRaises(subprocess.TimeoutExpired, terminal.finish, 0.2)
