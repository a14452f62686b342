"""The command line of ``chatserv-client``."""

import io
import os
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from clients.shared.arguments import Arguments, parse_arguments


class Terminal(io.StringIO):
    """A stream that is a terminal, or is not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        """Whether it is one."""
        return self._terminal


class ArgumentsTests(SynchronousTestCase):
    """What is understood, and what is refused."""

    def assert_refused(self, *argv: str) -> str:
        """The program ends with 2; gives what it says."""
        errors = io.StringIO()
        self.patch(sys, "stderr", errors)
        with self.assertRaises(SystemExit) as caught:
            parse_arguments(list(argv))
        self.assertEqual(caught.exception.code, 2)
        return errors.getvalue()

    def test_defaults(self) -> None:
        """Without arguments: the default profile, the lobby, half a minute of patience."""
        expected = Arguments(
            link=None, link_file=None, profile="default", room="lobby", user=None, password_file=None, send=False,
            follow=False, count=None, json=False, invite=False, invite_name="", invite_admin=False, timeout_seconds=30.0,
            no_tls=False, commands=(), accept_invites=False, plain=False, notify="desktop",
        )  # fmt: skip
        self.assertEqual(parse_arguments([]), expected)

    def test_everything(self) -> None:
        """Every option lands where it belongs."""
        argv = (
            "chatserv://h/ --profile p --room r --user u --password-file f --send --follow --count 3 --json --invite "
            "--invite-name n --invite-admin --timeout 1.5 --no-tls --accept-invites --plain --notify text"
        )
        expected = Arguments(
            link="chatserv://h/", link_file=None, profile="p", room="r", user="u", password_file=Path("f"), send=True,
            follow=True, count=3, json=True, invite=True, invite_name="n", invite_admin=True, timeout_seconds=1.5,
            no_tls=True, accept_invites=True, plain=True, notify="text",
        )  # fmt: skip
        self.assertEqual(parse_arguments(argv.split()), expected)

    def test_count(self) -> None:
        """A count is at least 1, and needs something to count."""
        for argv in (["--follow", "--count", "0"], ["--count", "1"], ["--follow", "--count", "x"]):
            self.assertIn("--count", self.assert_refused(*argv))

    def test_json(self) -> None:
        """JSON is a form of what is followed."""
        self.assertIn("--json", self.assert_refused("--json"))

    def test_place(self) -> None:
        """Scripts go on from their own place, people from theirs; a name is for those who follow."""
        for argv, name in (([], "default"), (["--send"], "default"), (["--follow"], "follow")):
            self.assertEqual(parse_arguments(argv).name, name)
        self.assertEqual(parse_arguments(["--follow", "--as", "archive"]).name, "archive")
        self.assertIn("--as", self.assert_refused("--as", "archive"))
        self.assertIn("--as", self.assert_refused("--follow", "--as", "two words"))

    def test_commands(self) -> None:
        """Commands are carried out in the order in which they are given, and are nothing beside other ways to run."""
        found = parse_arguments(["--command", "/room plans", "--command=/who", "--room", "@bob"])
        self.assertEqual((found.commands, found.room), (("/room plans", "/who"), "@bob"))
        for other in ("--send", "--follow", "--invite"):
            self.assertIn("--command", self.assert_refused("--command", "/who", other))

    def test_check_evidence(self) -> None:
        """Evidence is checked alone; a person at the terminal makes no talk of it, and a closed output is told."""
        found = parse_arguments(["--check-evidence", "f"])
        self.assertEqual(Path("f"), found.check_evidence)
        self.patch(sys, "stdin", Terminal(True))
        self.patch(sys, "stdout", Terminal(True))
        self.assertFalse(found.interactive or found.reading)
        self.assertIn("Standard output", found.missing(frozenset({"stdout"})))
        for other in ("--send", "--follow", "--invite", "--command=/who", "chatserv://h/"):
            self.assertIn("--check-evidence", self.assert_refused("--check-evidence", "f", other))

    def test_accept_invites(self) -> None:
        """Only who follows can take in what is offered."""
        self.assertIn("--accept-invites", self.assert_refused("--accept-invites", "--send"))

    def test_timeout(self) -> None:
        """Patience is a number of seconds above 0, and ends."""
        for value in ("0", "-1", "nan", "inf", "1e9", "soon"):
            self.assertIn("--timeout", self.assert_refused("--timeout", value))

    def test_irc(self) -> None:
        """IRC clients are served beside a talk; a script says where they are served without one."""
        self.assertEqual([parse_arguments(argv).irc for argv in ([], ["--irc"], ["--irc", "0"])], [None, 6667, 0])
        self.assertIn("--irc PORT", self.assert_refused("--irc", "65536"))
        for terminal, refused in ((True, False), (False, True)):
            for stream in ("stdin", "stdout"):
                self.patch(sys, stream, Terminal(terminal))
            self.assertEqual("chatserv-irc" in parse_arguments(["--irc"]).missing(frozenset()), refused)
            self.assertIn("chatserv-irc", parse_arguments(["--irc", "--follow"]).missing(frozenset()))

    def test_unknown(self) -> None:
        """An unknown option, or a second link, is refused."""
        self.assert_refused("--sned")
        self.assert_refused("chatserv://a/", "chatserv://b/")

    def test_link(self) -> None:
        """A link comes as an argument or from a file, not both; ``-`` is standard input."""
        self.assertEqual(parse_arguments(["--link-file", "f"]).link_file, Path("f"))
        self.assertEqual(parse_arguments(["-"]).link, "-")
        self.assertIn("--link-file", self.assert_refused("chatserv://a/", "--link-file", "f"))

    def test_closed_streams(self) -> None:
        """What needs a stream that is closed is refused before anything is done; what does not need it works."""
        everything = frozenset({"stdin", "stdout", "stderr"})
        for argv, needed in (
            (["--send"], "input"),
            ([], "input"),
            (["--follow"], "output"),
            (["--command", "/who"], "output"),
            (["--invite"], "output"),
        ):
            for stream in ("stdin", "stdout"):
                self.patch(sys, stream, Terminal(False))
            arguments = parse_arguments(argv)
            self.assertIn(f"Standard {needed} is closed", arguments.missing(everything))
            self.assertEqual(arguments.missing(everything - {f"std{needed[:-3]}"}), "")

    def test_interactive(self) -> None:
        """A person is asked and shown only at a terminal on both sides, and where nothing special was asked for."""
        cases: list[tuple[list[str], bool, bool, bool]] = [
            ([], True, True, True),
            ([], False, True, False),
            ([], True, False, False),
            (["--send"], True, True, False),
            (["--follow"], True, True, False),
            (["--invite"], True, True, False),
            (["--command", "/who"], True, True, False),
        ]
        for argv, reads, writes, expected in cases:
            self.patch(sys, "stdin", Terminal(reads))
            self.patch(sys, "stdout", Terminal(writes))
            self.assertIs(parse_arguments(argv).interactive, expected, (argv, reads, writes))

    def test_drawn(self) -> None:
        """A line editor is for a person on a terminal that can be drawn on, and who does not want plain lines."""
        cases: list[tuple[list[str], str | None, bool, bool]] = [
            ([], "xterm-256color", True, True),
            ([], "screen", True, True),
            (["--plain"], "xterm", True, False),
            ([], "dumb", True, False),
            ([], "", True, False),
            ([], None, True, False),
            ([], "xterm", False, False),
            (["--send"], "xterm", True, False),
        ]
        for argv, kind, terminal, expected in cases:
            for stream in ("stdin", "stdout"):
                self.patch(sys, stream, Terminal(terminal))
            self.patch(os, "environ", {} if kind is None else {"TERM": kind})
            self.assertIs(parse_arguments(argv).drawn, expected, (argv, kind, terminal))

    def test_notify(self) -> None:
        """Ways to notify are known ones."""
        self.assertEqual(parse_arguments(["--notify", "none"]).notify, "none")
        self.assertIn("--notify", self.assert_refused("--notify", "loud"))

    def test_information(self) -> None:
        """Help and version are printed, and are no failure."""
        for option, word in (("--help", "chatserv://"), ("--version", "chatserv-client ")):
            output: Any = io.StringIO()
            self.patch(sys, "stdout", output)
            with self.assertRaises(SystemExit) as caught:
                parse_arguments([option])
            self.assertEqual(caught.exception.code, 0)
            self.assertIn(word, output.getvalue())
