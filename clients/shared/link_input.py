"""Where a link comes from: best from where no other user of the machine can read it, as it may let one in."""

import os
import shlex
import stat
import sys
from pathlib import Path
from typing import Final

from chatserv.client import LinkInvalid, ServerLink, parse_link, system_text, translate
from clients.shared.exit_codes import USAGE, Exit, exit_for
from clients.shared.questions import ask, more_waits, somebody_there, until_it_fits

STANDARD_INPUT: Final = "-"
BEGINNING: Final = "chatserv://"
MAX_LINES: Final = 64  # of a link that a mail or a screen has broken
MAX_FILE_BYTES: Final = 4096
_READABLE_BY_OTHERS: Final = stat.S_IRGRP | stat.S_IROTH


def given_link(link: str | None, file: Path | None) -> str | None:
    """The text of the link that the command line gives, or says where to find; None where it says nothing.

    Args:
        link: The argument: the link itself, or `STANDARD_INPUT`.
        file: What ``--link-file`` names.

    Raises:
        Exit: It cannot be read.
    """
    if file is not None and str(file) != STANDARD_INPUT:
        return private_text(file, translate("The link file {file} cannot be read: {error}"))
    if file is None and link != STANDARD_INPUT:
        return link
    return _from_terminal() if somebody_there() else _from_pipe()


def asked_link() -> ServerLink:
    """The link that a person pastes."""
    return until_it_fits(lambda: parse_link(_from_terminal()))


def link_of(text: str) -> ServerLink:
    """Reads it. Raises `Exit`."""
    try:
        return parse_link(text)
    except LinkInvalid as error:
        raise exit_for(error) from None


def _whole(text: str) -> bool:
    try:
        parse_link(text)
    except LinkInvalid:
        return False
    return True


def _from_terminal() -> str:
    """A pasted link, with the lines into which it was broken: what is left of them would answer the next question."""
    text = ask(translate("Paste the chatserv:// link that you were sent: "))
    for _ in range(MAX_LINES - 1):
        if _whole(text):
            break
        question = ""
        if not more_waits():  # what a screen broke ends without a Return: that the rest is there already shows with it
            if BEGINNING not in text.casefold():
                break
            question = "\n" + translate("The link goes on. Press Return when the rest of it is here too: ")
        line = ask(question)
        if _whole(line):
            return line
        text = f"{text}\n{line}"
        if question and not line.strip():
            break
    return text


def _from_pipe() -> str:
    """The link at the beginning of standard input, and not a byte more: lines to send may follow."""
    text = ""
    for _ in range(MAX_LINES):
        line = _line()
        text += line
        if not line or _whole(text):
            break
    return text


def _line() -> str:
    line = bytearray()
    while len(line) < MAX_FILE_BYTES and not line.endswith(b"\n"):
        try:
            byte = os.read(sys.stdin.fileno(), 1)
        except OSError as error:
            said = translate("Standard input cannot be read: {error}")
            raise Exit(USAGE, said.format(error=system_text(error))) from None
        if not byte:
            break
        line += byte
    return line.decode(errors="replace")


def private_text(file: Path, cannot: str) -> str:
    """What stands at the beginning of a file that nobody else may read.

    Args:
        file: Which.
        cannot: What is said where that does not work, with ``{file}`` and ``{error}``.

    Raises:
        Exit: It cannot be read, is no text, or others can read it too.
    """
    try:
        with file.open("rb") as opened:
            facts = os.fstat(opened.fileno())
            data = opened.read(MAX_FILE_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise Exit(USAGE, cannot.format(file=file, error=system_text(error))) from None
    if stat.S_ISREG(facts.st_mode) and facts.st_mode & _READABLE_BY_OTHERS:
        said = translate("Other users can read {file}: chmod 600 {quoted}")
        raise Exit(USAGE, said.format(file=file, quoted=shlex.quote(str(file))))
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Exit(USAGE, cannot.format(file=file, error=translate("it is no UTF-8 text"))) from None


def first_line(file: Path, cannot: str) -> str:
    """The first line of a file that nobody else may read; see `private_text`."""
    return private_text(file, cannot).partition("\n")[0].rstrip("\r")
