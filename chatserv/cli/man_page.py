"""The manual page chatserv(1), made from the table of operations; ``python -m chatserv.cli.man_page`` prints it.

Standard library and texts alone: it is made where the package is built, without anything else of it.
"""

import argparse
from collections.abc import Iterator
from typing import Final

from chatserv import VERSION
from chatserv.cli.parser import common, needs
from chatserv.operations.registry import Argument
from chatserv.operations.table import OPERATIONS

EXIT: Final = (
    ("0", "Done."),
    ("1", "Not done; a line on standard error says why."),
    ("2", "A command line or settings that cannot be used."),
)


def man_page() -> str:
    """The page, for troff with the man macros."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f'.TH CHATSERV 1 "" "chatserv {VERSION}" "chatserv"'
    yield from (".SH NAME", r"chatserv \- run and look after a private team chat server")
    yield from (".SH SYNOPSIS", r".B chatserv", r"[\fIOPTION\fR]... \fICOMMAND\fR [\fIARGUMENT\fR]...")
    yield ".SH DESCRIPTION"
    yield _text(
        "For the operator, on the machine of the server. A running server is asked over a socket in its state directory; "
        "where none runs, many commands work on that directory themselves."
    )
    yield ".SH OPTIONS"
    for action in common()._actions:
        yield from _term(", ".join(_option(action)), action.help or "")
    yield ".SH COMMANDS"
    for operation in OPERATIONS.values():
        yield f".SS {_text(' '.join((operation.name, *map(_usage, operation.arguments))))}"
        yield _text(" ".join(filter(None, (operation.summary, operation.more, needs(operation)))))
        for argument in operation.arguments:
            yield from _term(_usage(argument).strip("[]"), argument.summary)
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT:
        yield from _term(code, meaning)
    yield from (".SH SEE ALSO", ".BR chatserv-client (1),", ".BR twistd (1)")


def _option(action: argparse.Action) -> Iterator[str]:
    for name in action.option_strings:
        yield f"{name} {action.metavar}" if action.metavar else name


def _usage(argument: Argument) -> str:
    word = "|".join(argument.choices) or argument.metavar
    if argument.is_option:
        return f"[{argument.name}]" if argument.kind is bool else f"[{argument.name} {word}]"
    return word if argument.is_needed else f"[{word}]"


def _term(term: str, text: str) -> Iterator[str]:
    yield from (".TP", f".B {_text(term)}", _text(text))


def _text(text: str) -> str:
    r"""A line of text: a backslash is ``\e``, a hyphen one that can be copied, and a dot in front is no macro."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    print(man_page(), end="")
