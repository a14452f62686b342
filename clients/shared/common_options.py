"""Options that every program has, and means alike."""

import argparse
from pathlib import Path
from typing import Any, Final

from chatserv.client import DEFAULT_NAME, LOBBY, translate
from clients.shared.argument_parser import Parser
from clients.shared.notifications import DESKTOP, STYLES

IRC_PORT: Final = 6667
MAX_PORT: Final = 65_535


def add_link(parser: Parser) -> None:
    """The first time."""
    parser.add_argument(
        "link",
        nargs="?",
        metavar=translate("LINK"),
        help=translate(
            "chatserv:// link, for the first time only; - for standard input. Without it, you are asked: better, as other "
            "users of the machine can read arguments"
        ),
    )
    parser.add_argument(
        "--link-file", type=Path, metavar=translate("FILE"), help=translate("file with the chatserv:// link")
    )


def check_link(parser: Parser, found: argparse.Namespace) -> None:
    """One way to give a link at a time."""
    if found.link is not None and found.link_file is not None:
        parser.error(translate("LINK and --link-file: one of the two"))


def add_place(parser: Parser, room: str, *, several: bool = False) -> None:
    """Whose account, or ``several`` of them, and where to begin. ``room``: what the help says of that."""
    add, account = parser.add_argument, translate("which account on this machine")
    if several:
        account = translate("which account on this machine; may be repeated")
        add("--profile", dest="profiles", action="append", default=[], metavar=translate("NAME"), help=account)
    else:
        add("--profile", default=DEFAULT_NAME, metavar=translate("NAME"), help=account)
    add("--room", default=LOBBY, metavar=translate("ROOM"), help=room)


def add_sealing(parser: Parser, *, several: bool = False) -> None:
    """How what this device keeps is sealed; of ``several`` profiles each has a file with its passphrase."""
    add = parser.add_argument
    how: dict[str, Any] = {}
    passphrase = translate("file whose first line is the passphrase of this device's files; nobody else may read it")
    if several:
        passphrase = f"{passphrase}; {translate('of several profiles, one for each, in their order')}"
        how = {"dest": "passphrase_files", "action": "append", "default": []}
    add("--passphrase-file", type=Path, metavar=translate("FILE"), help=passphrase, **how)
    add("--seal", action="store_true", help=translate("seal what this device keeps, where it is not sealed yet"))
    add(
        "--no-seal",
        action="store_true",
        help=translate("leave what this device keeps unsealed, also later; for bots on a machine of their own"),
    )


def check_sealing(parser: Parser, found: argparse.Namespace) -> None:
    """Sealed or not."""
    passphrase = found.passphrase_files if "passphrase_files" in found else found.passphrase_file
    if found.no_seal and (found.seal or passphrase):
        parser.error(translate("--no-seal cannot be combined with --seal or --passphrase-file"))


def add_no_tls(parser: Parser) -> None:
    """Without TLS."""
    said = translate("without TLS, where the server allows it; the session protects")
    parser.add_argument("--no-tls", action="store_true", help=said)


def add_irc(parser: Parser) -> None:
    """IRC clients beside."""
    parser.add_argument(
        "--irc",
        nargs="?",
        type=int,
        const=IRC_PORT,
        metavar=translate("PORT"),
        help=translate(
            "serve IRC clients of this machine too, on 127.0.0.1 and ::1 alone; 0: any port that is free (6667)"
        ),
    )


def check_irc(parser: Parser, found: argparse.Namespace) -> None:
    """A port."""
    if found.irc is not None and not 0 <= found.irc <= MAX_PORT:
        parser.error(translate("--irc PORT: 0 to 65535"))


def add_notify(parser: Parser, said: str) -> None:
    """How a person is called. ``said``: what the help says of that."""
    parser.add_argument("--notify", choices=STYLES, default=DESKTOP, metavar=translate("WAY"), help=said)
