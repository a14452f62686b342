"""The command line of ``chatserv-irc``."""

from dataclasses import dataclass

from chatserv.client import translate
from clients.shared.argument_parser import Parser
from clients.shared.arguments import Arguments, add_account, add_timeout, check_timeout
from clients.shared.common_options import IRC_PORT, MAX_PORT, add_no_tls, add_sealing, check_link, check_sealing


@dataclass(frozen=True)
class IrcArguments(Arguments):
    """What was asked for. ``show_password``: nothing but that; ``new_password``: another one from now on."""

    port: int = IRC_PORT
    show_password: bool = False
    new_password: bool = False


def parse_arguments(argv: list[str]) -> IrcArguments:
    """Reads the command line; ends the program with 2 where it makes no sense."""
    parser = Parser("chatserv-irc", translate("Lets IRC clients on this machine talk end-to-end encrypted."))
    add = parser.add_argument
    add_account(parser)
    add_sealing(parser)
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
    return IrcArguments(**vars(found))
