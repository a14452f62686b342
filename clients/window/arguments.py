"""The command line of ``chatserv-tk``."""

from dataclasses import dataclass
from pathlib import Path

from chatserv.client import DEFAULT_NAME, LOBBY, translate
from clients.shared.argument_parser import Parser
from clients.shared.common_options import (
    add_irc,
    add_link,
    add_no_tls,
    add_notify,
    add_place,
    add_sealing,
    check_irc,
    check_link,
    check_sealing,
)
from clients.shared.notifications import DESKTOP
from clients.window.settings import LARGEST_SCALE, SMALLEST_SCALE, THEMES, bounded_scale


@dataclass(frozen=True)
class Arguments:
    """What was asked for. ``theme`` and ``scale``: None for what is remembered."""

    link: str | None = None
    profile: str = DEFAULT_NAME
    room: str = LOBBY
    no_tls: bool = False
    theme: str | None = None
    scale: float | None = None
    notify: str = DESKTOP
    offline: bool = False
    link_file: Path | None = None
    passphrase_file: Path | None = None
    seal: bool = False
    no_seal: bool = False
    irc: int | None = None


def parse_arguments(argv: list[str]) -> Arguments:
    """Reads the command line; ends the program with 2 where it makes no sense."""
    parser = Parser("chatserv-tk", translate("A window to talk on a chatserv server."))
    add = parser.add_argument
    add_link(parser)
    add_place(parser, translate("where to begin: lobby, or @bob for direct messages"))
    add_sealing(parser)
    add_no_tls(parser)
    add("--offline", action="store_true", help=translate("does not connect by itself: shows what this device keeps"))
    add("--theme", choices=THEMES, metavar=translate("THEME"), help=translate("light or dark; remembered"))
    add(
        "--scale",
        type=float,
        metavar=translate("FACTOR"),
        help=translate("how large everything is, such as 1.5; remembered"),
    )
    add_irc(parser)
    add_notify(
        parser,
        translate(
            "how to notify of mentions and direct messages while you look elsewhere: none, bell, desktop "
            "(and the bell), or text: on the desktop, with the message (desktop)"
        ),
    )
    found = parser.parse(argv)
    check_link(parser, found)
    check_sealing(parser, found)
    check_irc(parser, found)
    if found.scale is not None and not SMALLEST_SCALE <= found.scale <= LARGEST_SCALE:
        said = translate("--scale FACTOR: {least} to {most}")
        parser.error(said.format(least=SMALLEST_SCALE, most=LARGEST_SCALE))
    scale = None if found.scale is None else bounded_scale(found.scale)
    return Arguments(**vars(found) | {"scale": scale})
