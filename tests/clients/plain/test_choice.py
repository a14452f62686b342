"""Tests of the choice of a mode."""

import sys

from twisted.trial.unittest import SynchronousTestCase

from clients.plain.choice import mode_for
from clients.plain.commands_mode import CommandsMode
from clients.plain.follow_mode import FollowMode, SendAndFollowMode
from clients.plain.invite_mode import InviteMode
from clients.plain.send_mode import SendMode
from clients.plain.talk_mode import TalkMode
from clients.shared.arguments import parse_arguments
from tests.clients.shared.test_arguments import Terminal


class ChoiceTests(SynchronousTestCase):
    """`clients.plain.choice.mode_for`."""

    def test_modes(self) -> None:
        """What was asked for decides, and without a word whether a person is there."""
        for argv, on_pipe, on_terminal in (
            ([], SendMode, TalkMode),
            (["--plain"], SendMode, TalkMode),
            (["--send"], SendMode, SendMode),
            (["--follow"], FollowMode, FollowMode),
            (["--follow", "--send"], SendAndFollowMode, SendAndFollowMode),
            (["--command", "/who"], CommandsMode, CommandsMode),
            (["--invite"], InviteMode, InviteMode),
        ):
            for terminal, expected in ((False, on_pipe), (True, on_terminal)):
                self.patch(sys, "stdin", Terminal(terminal))
                self.patch(sys, "stdout", Terminal(terminal))
                self.assertIs(mode_for(parse_arguments(argv)), expected, (argv, terminal))

    def test_input_and_output(self) -> None:
        """A mode reads standard input exactly where the command line says that lines are wanted."""
        for argv in ([], ["--send"], ["--follow"], ["--follow", "--send"], ["--command", "/who"], ["--invite"]):
            for terminal in (False, True):
                self.patch(sys, "stdin", Terminal(terminal))
                self.patch(sys, "stdout", Terminal(terminal))
                arguments = parse_arguments(argv)
                self.assertIs(mode_for(arguments).reads, arguments.reading, (argv, terminal))
