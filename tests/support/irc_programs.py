"""The IRC clients of the tests: Debian's irssi and WeeChat, each with a directory of its own."""

import os
import shutil
from pathlib import Path
from typing import Final

from twisted.trial.unittest import SkipTest

from chatserv.testing.irssi import IRSSI, irssi_command

REQUIRED: Final = "CHATSERV_TEST_IRC"  # set where a client that is missing is a failure
WEECHAT: Final = "weechat-curses"


def program(name: str) -> str:
    """Where it is. Raises `SkipTest` where it is missing, or AssertionError where it has to be there."""
    found = shutil.which(name)
    if found is None:
        said = f"no {name} here: apt install {name}"
        if os.environ.get(REQUIRED):
            raise AssertionError(said)
        raise SkipTest(said)
    return found


def irssi(directory: Path, port: int, password: str) -> list[str]:
    """The command of an irssi that connects by itself."""
    program(IRSSI)
    return irssi_command(directory, port, password)


def weechat(directory: Path, port: int, password: str) -> list[str]:
    """The command of a WeeChat that connects by itself."""
    home = directory / "weechat"
    home.mkdir(mode=0o700)
    commands = (
        f"/server add chat 127.0.0.1/{port} -nossl",
        f"/set irc.server.chat.password {password}",
        "/set irc.server_default.anti_flood_prio_high 0",
        "/set weechat.look.nick_prefix <",
        "/connect chat",
    )
    return [program(WEECHAT), "--dir", str(home), *(word for each in commands for word in ("-r", each))]
