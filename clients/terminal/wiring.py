"""The line editor on Twisted: prompt-toolkit needs an asyncio loop, so the reactor runs on one."""

import asyncio
import os
import signal
import sys
from typing import Any

from prompt_toolkit.input import create_input
from twisted.internet import asyncioreactor
from twisted.internet.process import reapAllProcesses

from chatserv.client import Profile, steady_seconds
from clients.shared.arguments import Arguments
from clients.terminal.conversation import Conversation
from clients.terminal.key_bindings import bindings
from clients.terminal.resizing import breaks_rows
from clients.terminal.screen import TerminalScreen
from clients.terminal.steady_output import SteadyOutput
from clients.terminal.styles import colour_depth


def install_reactor() -> None:
    """Installs the reactor; nothing may have imported another one before."""
    loop = asyncio.new_event_loop()
    loop.time = steady_seconds  # type: ignore[method-assign] # as the reactor, whose calls are this loop's: sleep counts
    asyncio.set_event_loop(loop)  # without this, the line editor would wait on a loop that never runs
    asyncioreactor.install(loop)


def on_terminal(reactor: Any, arguments: Arguments, profile: Profile) -> Conversation:
    """A conversation on standard input and output."""
    # The line editor takes the loop's signal handling for changes of the terminal's size; with it, asyncio is told of
    # signals and Twisted is not, so ended children (notifications) would never be noticed.
    asyncio.get_event_loop().add_signal_handler(signal.SIGCHLD, reapAllProcesses)

    def make_screen(conversation: Conversation) -> TerminalScreen:
        output = SteadyOutput.from_pty(sys.stdout, term=os.environ.get("TERM"))
        assert isinstance(output, SteadyOutput)
        return TerminalScreen(
            conversation,
            create_input(sys.stdin),
            output,
            lambda function: reactor.callLater(0, function),
            bindings,
            colour_depth(os.environ),
            breaks=breaks_rows(os.environ),
        )

    return Conversation(reactor, arguments, profile, make_screen)
