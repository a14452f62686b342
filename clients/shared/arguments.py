"""The command line of ``chatserv-client``."""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chatserv.client import DEFAULT_CURSOR, DEFAULT_NAME, LOBBY, ChatError, cursor_name, translate
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

DEFAULT_TIMEOUT_SECONDS = 30.0
FOLLOWING: Final = "follow"
SAVING: Final = "save"
NOT_DRAWN_ON: Final = ("", "dumb", "unknown")  # kinds of terminals


@dataclass(frozen=True)
class Arguments:
    """What was asked for. ``interactive``: a person is at both ends of the terminal and asked for nothing special."""

    link: str | None = None
    link_file: Path | None = None
    profile: str = DEFAULT_NAME
    room: str = LOBBY
    user: str | None = None
    password_file: Path | None = None
    send: bool = False
    follow: bool = False
    count: int | None = None
    json: bool = False
    invite: bool = False
    invite_name: str = ""
    invite_admin: bool = False
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    no_tls: bool = False
    commands: tuple[str, ...] = ()
    accept_invites: bool = False
    plain: bool = False
    notify: str = DESKTOP
    check_evidence: Path | None = None
    export_file: Path | None = None
    import_file: Path | None = None
    recovery_file: Path | None = None
    cursor: str | None = None
    passphrase_file: Path | None = None
    seal: bool = False
    no_seal: bool = False
    change_passphrase: bool = False
    files: tuple[Path, ...] = ()
    save: Path | None = None
    irc: int | None = None

    @property
    def interactive(self) -> bool:
        """Whether to talk to a person line by line."""
        return not (self.send or self.follow or self._errand) and sys.stdin.isatty() and sys.stdout.isatty()

    @property
    def reading(self) -> bool:
        """Whether lines of standard input are wanted: by a person who talks, or to be sent."""
        return self.interactive or self.send or not (self.follow or self._errand)

    @property
    def _errand(self) -> bool:
        files = (self.check_evidence, self.export_file, self.import_file, self.save)
        return self.invite or bool(self.commands or self.files) or any(each is not None for each in files)

    @property
    def name(self) -> str:
        """Under which it is remembered what was shown: a script has a place of its own."""
        return self.cursor or (SAVING if self.save is not None else FOLLOWING if self.follow else DEFAULT_CURSOR)

    def missing(self, closed: frozenset[str]) -> str:
        """Why this cannot be done with these standard streams closed; empty where it can."""
        if self.irc is not None and not self.interactive:
            return translate("--irc is for a talk on a terminal; beside a script, run chatserv-irc.")
        if "stdin" in closed and self.reading:
            return translate("Standard input is closed: there is nothing to send.")
        if "stdout" in closed and (self.follow or self._errand):
            return translate("Standard output is closed: nobody would see what is printed.")
        return ""

    @property
    def drawn(self) -> bool:
        """Whether that person has a line editor and a bar of rooms, or plain lines."""
        return self.interactive and not self.plain and os.environ.get("TERM", "") not in NOT_DRAWN_ON


def parse_arguments(argv: list[str]) -> Arguments:
    """Reads the command line; ends the program with 2 where it makes no sense."""
    parser = Parser(
        prog="chatserv-client",
        description=translate("Talks to a chatserv server: on a terminal to you, on a pipe to a script."),
        epilog=translate(
            "Exit codes: 0 done, 1 not sent, 2 wrong usage, 3 server away, 4 wrong server identity, 5 refused, "
            "6 invite does not work, 7 name taken or not allowed, 8 profile cannot be used, "
            "9 nothing more can be trusted, 130 interrupted."
        ),
    )
    add_account(parser)
    _add_files(parser)
    _add_script(parser)
    _add_manner(parser)
    found = parser.parse(argv)
    check_link(parser, found)
    check_sealing(parser, found)
    _check_script(parser, found)
    check_timeout(parser, found)
    check_irc(parser, found)
    save = None if found.save is None else found.save.absolute()
    return Arguments(**vars(found) | {"commands": tuple(found.commands), "files": tuple(found.files), "save": save})


def add_account(parser: Parser, *, several: bool = False) -> None:
    """Whose account, or ``several`` of them, and where it comes from the first time."""
    add = parser.add_argument
    add_link(parser)
    add_place(parser, translate("which room: lobby, or @bob for direct messages (lobby)"), several=several)
    add("--user", metavar=translate("NAME"), help=translate("user name to register, where nobody can be asked"))
    add(
        "--password-file",
        type=Path,
        metavar=translate("FILE"),
        help=translate("file whose first line is the password; nobody else may read it"),
    )
    add(
        "--recovery-file",
        type=Path,
        metavar=translate("FILE"),
        help=translate(
            "recovery code: one that is there lets this machine into the account, else a new account's code is written to it"
        ),
    )


def _add_files(parser: Parser) -> None:
    """How they are sealed on this device."""
    add_sealing(parser)
    said = translate("ask for another passphrase of this device's files, and exit")
    parser.add_argument("--change-passphrase", action="store_true", help=said)


def _add_script(parser: Parser) -> None:
    """What a script wants."""
    add = parser.add_argument
    add("--send", action="store_true", help=translate("send the lines of standard input; 0 only if all are stored"))
    add("--follow", action="store_true", help=translate("print what comes"))
    add("--count", type=int, metavar=translate("N"), help=translate("exit after N messages, or N files with --save"))
    add(
        "--as",
        dest="cursor",
        metavar=translate("NAME"),
        help=translate(
            "with --follow: whose place to go on from, where several follow; each name has its own (follow)"
        ),
    )
    add("--json", action="store_true", help=translate("with --follow: one JSON object a line"))
    add(
        "--accept-invites",
        action="store_true",
        help=translate("with --follow: accept all invitations to rooms and direct messages"),
    )
    add(
        "--command",
        dest="commands",
        action="append",
        default=[],
        metavar=translate("LINE"),
        help=translate("run a slash command, such as '/who', and exit; may be repeated, in order"),
    )
    add(
        "--file",
        dest="files",
        action="append",
        type=Path,
        default=[],
        metavar=translate("FILE"),
        help=translate("send a file, and exit: 0 once it is stored; may be repeated"),
    )
    add(
        "--save",
        type=Path,
        metavar=translate("DIRECTORY"),
        help=translate("save the files that others send to the room to a directory, and print where"),
    )
    add("--invite", action="store_true", help=translate("administrators: print a link that lets one person register"))
    add(
        "--invite-name", default="", metavar=translate("NAME"), help=translate("with --invite: for this user name only")
    )
    add("--invite-admin", action="store_true", help=translate("with --invite: for another administrator"))
    add(
        "--check-evidence",
        type=Path,
        metavar=translate("FILE"),
        help=translate("say whether a file proves that a server has lied, and exit; needs no account"),
    )
    add(
        "--export",
        dest="export_file",
        type=Path,
        metavar=translate("FILE"),
        help=translate(
            "write the messages on this device, unsealed, to a new file for another device of yours, and exit"
        ),
    )
    add(
        "--import",
        dest="import_file",
        type=Path,
        metavar=translate("FILE"),
        help=translate(
            "read the messages that another device of yours has exported, and exit; 5 if lines were refused"
        ),
    )


def _add_manner(parser: Parser) -> None:
    """How it is done."""
    add = parser.add_argument
    add_no_tls(parser)
    add("--plain", action="store_true", help=translate("plain lines on a terminal, for screen readers"))
    add_irc(parser)
    add_notify(
        parser,
        translate(
            "on a terminal, how to notify of mentions and direct messages: none, bell, desktop (and the "
            "bell), or text: on the desktop, with the message (desktop)"
        ),
    )
    add_timeout(parser)


def add_timeout(parser: Parser) -> None:
    """How patient it is."""
    parser.add_argument(
        "--timeout",
        dest="timeout_seconds",
        type=float,
        default=DEFAULT_TIMEOUT_SECONDS,
        metavar=translate("SECONDS"),
        help=translate("how long to wait for the server, and for each answer, before giving up (30)"),
    )


def check_timeout(parser: Parser, found: argparse.Namespace) -> None:
    """A time that can be waited."""
    if not 0 < found.timeout_seconds <= 86_400:
        parser.error(translate("--timeout SECONDS: more than 0, at most a day"))


def _check_script(parser: Parser, found: argparse.Namespace) -> None:
    """Options that go together, and those that do not."""
    follows = found.follow or found.save is not None
    if found.count is not None and (found.count < 1 or not follows):
        parser.error(translate("--count N: N is at least 1, and it goes with --follow or --save"))
    if found.json and not found.follow:
        parser.error(translate("--json needs --follow"))
    if found.cursor is not None and not follows:
        parser.error(translate("--as NAME needs --follow or --save"))
    try:
        cursor_name(found.cursor or DEFAULT_CURSOR)
    except ChatError:
        parser.error(translate("--as NAME: letters, digits, dot, underscore and hyphen, at most 64"))
    if found.accept_invites and not follows:
        parser.error(translate("--accept-invites needs --follow or --save"))
    _check_alone(parser, found)


def _check_alone(parser: Parser, found: argparse.Namespace) -> None:
    """Errands stand alone."""
    talks = found.send or found.follow or found.invite
    if found.check_evidence is not None and (talks or found.commands or found.link):
        parser.error(translate("--check-evidence FILE: stands alone"))
    kept = [each for each in (found.export_file, found.import_file) if each is not None]
    if kept and (len(kept) > 1 or talks or found.commands):
        parser.error(translate("--export FILE, --import FILE: stand alone"))
    if (found.files or found.save is not None) and (
        kept or talks or found.commands or found.check_evidence is not None or (found.files and found.save is not None)
    ):
        parser.error(translate("--file FILE, --save DIRECTORY: stand alone"))
    if found.commands and talks:
        parser.error(translate("--command cannot be combined with --send, --follow or --invite"))
