"""A command line that is read, or explained."""

import io
import sys

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import VERSION
from clients.shared.argument_parser import MAX_SHOWN, Parser


class UsageTests(SynchronousTestCase):
    """`clients.shared.argument_parser.Parser`."""

    def setUp(self) -> None:
        """A program with an argument and two options."""
        self.parser = Parser("program", "Does things.", "More of it.")
        self.parser.add_argument("thing", nargs="?", metavar="THING", help="what")
        self.parser.add_argument("--count", type=int, metavar="N", help="how many")
        self.parser.add_argument("--yes", action="store_true", help="whether")
        self.output, self.errors = io.StringIO(), io.StringIO()
        self.patch(sys, "stdout", self.output)
        self.patch(sys, "stderr", self.errors)

    def ends(self, *argv: str) -> int:
        """The exit code of a command line that ends the program."""
        with self.assertRaises(SystemExit) as caught:
            self.parser.parse(argv)
        code = caught.exception.code
        assert isinstance(code, int)
        return code

    def test_read(self) -> None:
        """What can be understood is given back."""
        found = self.parser.parse(["x", "--count=3", "--yes"])
        self.assertEqual((found.thing, found.count, found.yes), ("x", 3, True))

    def test_help(self) -> None:
        """Help tells usage, arguments and options, and is no failure."""
        for option in ("-h", "--help"):
            self.assertEqual(self.ends(option), 0)
            shown = self.output.getvalue()
            self.assertTrue(shown.startswith("usage: program [-h]"), shown)
            for words in (
                "Does things.",
                "\narguments:\n  THING",
                "\noptions:\n  -h, --help",
                "--count N",
                "More of it.",
            ):
                self.assertIn(words, shown)

    def test_version(self) -> None:
        """The version is one line."""
        self.assertEqual(self.ends("--version"), 0)
        self.assertEqual(self.output.getvalue(), f"program {VERSION}\n")

    def test_wrong(self) -> None:
        """What cannot be understood ends the program with 2 and says what it is, below the usage."""
        for argv, said in (
            (["--count"], "--count: its value is missing or not valid"),
            (["--count", "x"], "--count: its value is missing or not valid"),
            (["--yes=no"], "--yes: its value is missing or not valid"),
            (["--coun", "3"], "unknown, or too many: --coun"),
            (["x", "y", "z"], "unknown, or too many: y z"),
        ):
            self.setUp()
            self.assertEqual(self.ends(*argv), 2)
            self.assertTrue(self.errors.getvalue().startswith("usage: program "))
            self.assertEqual(self.errors.getvalue().splitlines()[-1], f"program: error: {said}")
            self.assertEqual(self.output.getvalue(), "")

    def test_clean(self) -> None:
        """What was typed is shown so that no terminal obeys it, and not more of it than helps."""
        self.ends("x", "a\x1b[2Jb\nc", "d" * 10_000)
        self.assertNotIn("\x1b", self.errors.getvalue())
        last = self.errors.getvalue().splitlines()[-1]
        self.assertLessEqual(len(last), MAX_SHOWN + 60)
        self.assertIn("program: error: ", last)
