"""The command line, made from the table of operations. Standard library and texts alone: help has to be quick."""

import argparse
import os
from typing import Any, Final, NoReturn

from chatserv.i18n import N_, _
from chatserv.operations.registry import Argument, Operation, Way
from chatserv.operations.table import OPERATIONS
from chatserv.streams import escape

GROUPS: Final[dict[str, str]] = {
    "config": N_("Settings."),
    "user": N_("Accounts: who there is, who may come in, who administers."),
    "room": N_("Rooms: which there are, and the end of one."),
    "ban": N_("Bans from the server."),
    "store": N_("Where the server keeps everything."),
}


class Parser(argparse.ArgumentParser):
    """One that tells what is wrong without the control characters of the line that it read."""

    def error(self, message: str) -> NoReturn:
        """Ends with 2."""
        super().error(escape(message))


def needs(operation: Operation) -> str:
    """What has to be there: a running server, the store, or neither."""
    ways = operation.ways
    if ways >= {Way.SOCKET, Way.ALONE}:
        said = _("Asks the running server; where none runs, it works on the state directory itself.")
    elif Way.ALONE in ways:
        said = _("Needs no running server.")
    elif Way.STORE not in ways:
        said = _("Needs a running server.")
    elif Way.SOCKET not in ways:
        said = _("Needs the state directory, and that no server runs there.")
    else:
        said = _("Asks the running server; where none runs, it works on the state directory itself.")
    if Way.CHAT in ways:
        inside = _("Administrators can also do it inside the chat: /server {name}")
        said = f"{said} {inside.format(name=operation.name)}"
    return said


def common() -> argparse.ArgumentParser:
    """The options that every command takes, in front of it or behind it."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("--config", "-c", metavar=_("FILE"), help=_("settings file, JSON or TOML"))
    parser.add_argument(
        "--state-dir",
        "-s",
        metavar=_("DIR"),
        help=_("state directory (else $CHATSERV_STATE_DIR, $STATE_DIRECTORY, or the user's)"),
    )
    parser.add_argument("--set", action="append", metavar=_("KEY=VALUE"), help=_("one setting, whatever the files say"))
    parser.add_argument("--json", action="store_true", help=_("print the result as one JSON object"))
    return parser


def make_parser() -> argparse.ArgumentParser:
    """The whole command line. What it gives has ``operation``, and the arguments by their keys."""
    shared = common()
    parser = Parser(
        "chatserv", description=_("Runs and looks after a chatserv server."), parents=[shared], allow_abbrev=False
    )
    commands = parser.add_subparsers(metavar=_("COMMAND"), required=True)
    groups: dict[str, Any] = {}
    for operation in OPERATIONS.values():
        group, _space, word = operation.name.rpartition(" ")
        if group and group not in groups:
            text = _(GROUPS[group])
            inner = commands.add_parser(group, help=text, description=text, allow_abbrev=False)
            groups[group] = inner.add_subparsers(metavar=_("COMMAND"), required=True)
        _add(groups[group] if group else commands, word, operation, shared)
    return parser


def _add(commands: Any, word: str, operation: Operation, shared: argparse.ArgumentParser) -> None:
    parser = commands.add_parser(
        word,
        help=_(operation.summary),
        description=_(operation.summary),
        epilog=" ".join(filter(None, (_(operation.more) if operation.more else "", needs(operation)))),
        parents=[shared],
        allow_abbrev=False,
    )
    for argument in operation.arguments:
        _add_argument(parser, argument)
    parser.set_defaults(operation=operation.name)


def _add_argument(parser: argparse.ArgumentParser, argument: Argument) -> None:
    given: dict[str, Any] = {"help": _(argument.summary)}
    if argument.kind is bool:
        parser.add_argument(argument.name, dest=argument.key, action="store_true", **given)
        return
    given["type"] = _absolute if argument.path else argument.kind
    if argument.choices:
        given["choices"] = argument.choices
    else:
        given["metavar"] = argument.metavar
    if argument.is_option:
        given |= {"dest": argument.key, "action": "append" if argument.many else "store"}
    elif argument.many:
        given["nargs"] = "*"
    elif not argument.is_needed:
        given["nargs"] = "?"
    # argparse looks for a default that is text among the choices; without one, `Argument.read` puts ours.
    default = [] if argument.many else None if argument.choices else argument.default
    parser.add_argument(argument.name, default=default, **given)


def _absolute(path: str) -> str:
    return os.path.abspath(path) if path else path
