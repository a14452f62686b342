"""The command line of ``chatserv-irc``."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from chatserv.client import DEFAULT_NAME, translate
from clients.irc.settings import Bounds
from clients.shared.argument_parser import Parser
from clients.shared.arguments import Arguments, add_account, add_timeout, check_timeout
from clients.shared.common_options import IRC_PORT, MAX_PORT, add_no_tls, add_sealing, check_link, check_sealing


@dataclass(frozen=True)
class IrcArguments(Arguments):
    """What was asked for. ``show_password``: nothing but that; ``new_password``: another one from now on.

    ``passphrase_files``: none, or one for each of the ``profiles``.
    """

    profiles: tuple[str, ...] = (DEFAULT_NAME,)
    passphrase_files: tuple[Path, ...] = ()
    port: int = IRC_PORT
    show_password: bool = False
    new_password: bool = False

    @property
    def several(self) -> bool:
        """Whether there is more than one profile, so that what is said has to name it."""
        return len(self.profiles) > 1

    def each(self) -> "dict[str, IrcArguments]":
        """What was asked for of each profile, by its name."""
        files = self.passphrase_files or (None,) * len(self.profiles)
        return {
            name: replace(self, profile=name, passphrase_file=file)
            for name, file in zip(self.profiles, files, strict=True)
        }


def parse_arguments(argv: list[str]) -> IrcArguments:
    """Reads the command line; ends the program with 2 where it makes no sense."""
    parser = Parser("chatserv-irc", translate("Lets IRC clients on this machine talk end-to-end encrypted."))
    add = parser.add_argument
    add_account(parser, several=True)
    add_sealing(parser, several=True)
    add_no_tls(parser)
    add("--port", type=int, default=IRC_PORT, metavar=translate("PORT"),
        help=translate("where IRC clients connect, on 127.0.0.1 and ::1 alone; 0: any that is free (6667)"))  # fmt: skip
    add(
        "--password",
        dest="show_password",
        action="store_true",
        help=translate("print the password that IRC clients need, and exit"),
    )
    add("--new-password", action="store_true", help=translate("make another one, print it, and exit"))
    add_timeout(parser)
    found = parser.parse(argv)
    check_link(parser, found)
    check_sealing(parser, found)
    check_timeout(parser, found)
    if not 0 <= found.port <= MAX_PORT:
        parser.error(translate("--port PORT: 0 to 65535"))
    found.profiles = tuple(found.profiles) or (DEFAULT_NAME,)
    found.passphrase_files = tuple(found.passphrase_files)
    _check_profiles(parser, found)
    return IrcArguments(**vars(found))


def _check_profiles(parser: Parser, found: argparse.Namespace) -> None:
    """As many as there may be, each once; what makes one account is not said of several."""
    count, files = len(found.profiles), len(found.passphrase_files)
    if count > Bounds.accounts:
        parser.error(translate("--profile NAME: {count} at most").format(count=Bounds.accounts))
    if len(set(found.profiles)) < count:
        parser.error(translate("--profile NAME: each once"))
    if files not in {0, count}:
        parser.error(translate("--passphrase-file FILE: one for each profile, in their order"))
    first_time = (found.link, found.link_file, found.user, found.password_file, found.recovery_file)
    if count > 1 and any(each is not None for each in first_time):
        parser.error(
            translate("LINK, --link-file, --user, --password-file, --recovery-file: with one --profile at a time")
        )
