"""Tests of `clients.window.arguments`."""

import io
import sys

from twisted.trial.unittest import SynchronousTestCase

from clients.window.arguments import Arguments, parse_arguments


class ArgumentsTests(SynchronousTestCase):
    """The command line."""

    def test_everything_has_a_default(self) -> None:
        """Theme and scale are what is remembered."""
        self.assertEqual(parse_arguments([]), Arguments())
        words = [
            "chatserv://x",
            "--profile",
            "bob",
            "--room",
            "plans",
            "--no-tls",
            "--theme",
            "dark",
            "--scale",
            "1.26",
            "--notify",
            "none",
        ]
        self.assertEqual(parse_arguments(words), Arguments("chatserv://x", "bob", "plans", True, "dark", 1.3, "none"))

    def test_irc(self) -> None:
        """IRC clients are served where they are asked for, on their usual port where none is named."""
        self.assertEqual([parse_arguments(argv).irc for argv in ([], ["--irc"], ["--irc", "0"])], [None, 6667, 0])

    def test_what_makes_no_sense_ends_the_program_with_2(self) -> None:
        """A scale out of bounds, an unknown theme."""
        self.patch(sys, "stderr", io.StringIO())
        for words in (["--scale", "9"], ["--theme", "pink"], ["--scale", "x"], ["--scale", "nan"], ["--irc", "65536"]):
            with self.assertRaises(SystemExit) as caught:
                parse_arguments(words)
            self.assertEqual(caught.exception.code, 2, words)
