"""What an operation is. Nothing here, nor in a module of rows, imports more than texts: help has to be quick.

A row says what an operation is called, what it takes, by which ways it can be reached, and how its result is told. What
it does is a function of another module, ``async def run(world, arguments) -> Result``, imported when it is called.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from importlib import import_module
from typing import Any, Final, NamedTuple

from chatserv.errors import BadMessage
from chatserv.local_errors import NotDone

MAX_TEXT: Final = 4096  # characters of an argument
YES_OR_NO: Final = {"yes": True, "true": True, "no": False, "false": False, "": False}


class Way(Enum):
    """How an operation is reached."""

    SOCKET = "socket"  # a running server does it, asked over the socket in its state directory
    CHAT = "chat"  # a running server does it, asked by an administrator inside the chat
    STORE = "store"  # no server runs: the command takes the state directory itself
    ALONE = "alone"  # it needs neither


class Argument(NamedTuple):
    """Something that an operation takes: a word in its place, or an option where the name begins with ``--``.

    Args:
        name: ``user``, or ``--without-identity``.
        summary: What it is.
        kind: Of which type: ``str``, ``int`` or ``bool`` (an option without a value).
        choices: The words that it may be; empty: any.
        default: What it is where it is left out; a word in its place without one has to be given.
        many: Whether it may be given several times; it is a list then.
        path: Whether it names a file: the command makes it absolute, since a server stands in another directory.
    """

    name: str
    summary: str
    kind: type = str
    choices: tuple[str, ...] = ()
    default: Any = None
    many: bool = False
    path: bool = False

    @property
    def is_option(self) -> bool:
        """Whether it is one."""
        return self.name.startswith("--")

    @property
    def key(self) -> str:
        """What it is called in what the operation is given."""
        return self.name.lstrip("-").replace("-", "_")

    @property
    def metavar(self) -> str:
        """How help calls its value."""
        return self.key.rpartition("_")[2].upper()

    @property
    def is_needed(self) -> bool:
        """Whether it has to be given."""
        return not self.is_option and self.default is None and not self.many

    def read(self, value: Any) -> Any:
        """The value, of the right type. Raises `BadMessage`."""
        if self.many:
            if not isinstance(value, list | tuple):
                raise BadMessage(f"{self.key}: not a list")
            return [self._one(each) for each in value]
        return self.default if value is None and not self.is_needed else self._one(value)

    def _one(self, value: Any) -> Any:
        if self.kind is bool and isinstance(value, str) and value in YES_OR_NO:
            return YES_OR_NO[value]
        if self.kind is int and isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 19:
            return int(value)
        if type(value) is not self.kind or (isinstance(value, str) and len(value) > MAX_TEXT):
            raise BadMessage(f"{self.key}: not what it can be")
        if isinstance(value, str) and not self._can_be_written(value):
            raise BadMessage(f"{self.key}: not a text")
        if self.choices and value not in self.choices:
            raise BadMessage(f"{self.key}: one of {', '.join(self.choices)}")
        return value

    def _can_be_written(self, text: str) -> bool:
        """Whether neither a file's name nor the database would fail over it; a name may have bytes that are no UTF-8."""
        try:
            data = os.fsencode(text) if self.path else text.encode()
        except UnicodeEncodeError:
            return False
        return b"\0" not in data


class Result(NamedTuple):
    """What came of it: data that JSON can hold, and an exit code: 0 good, 1 not done, 2 settings that cannot be used."""

    data: Any
    code: int = 0


Show = Callable[[Any], list[str]]


class Operation(NamedTuple):
    """A row.

    Args:
        name: One word, or a group's and one.
        summary: What it does, one line.
        ways: How it can be reached.
        run: What does it: ``module:function``.
        show: Gives the lines for people that say a result; every text in it is safe for a terminal by then.
        arguments: What it takes.
        changes: Whether it changes something; then it is noted in the audit log. No argument of it is a secret.
        more: What its help says below the summary.
        here: The argument that makes it be done where the command runs, whether a server does or not.
    """

    name: str
    summary: str
    ways: frozenset[Way]
    run: str
    show: Show
    arguments: tuple[Argument, ...] = ()
    changes: bool = False
    more: str = ""
    here: str = ""

    def read(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments, checked, with defaults for those that are missing. Raises `BadMessage`."""
        known = {argument.key: argument for argument in self.arguments}
        for key in given:
            if key not in known:
                raise BadMessage(f"{self.name}: takes no {key}")
        read = {}
        for key, argument in known.items():
            default: Any = [] if argument.many else False if argument.kind is bool else None
            if key not in given and argument.is_needed:
                raise BadMessage(f"{self.name}: {key} is missing")
            read[key] = argument.read(given.get(key, default))
        return read

    def function(self) -> Callable[[Any, Mapping[str, Any]], Awaitable[Result]]:
        """What does it."""
        module, _, name = self.run.partition(":")
        found: Callable[[Any, Mapping[str, Any]], Awaitable[Result]] = getattr(import_module(module), name)
        return found


def not_known(name: str) -> NotDone:
    """That there is no such operation."""
    return NotDone(f"there is no operation {name[:64]!r}")
