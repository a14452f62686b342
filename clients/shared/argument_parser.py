"""Command lines in the language of the person: argparse, with words of ours where it has its own."""

import argparse
import sys
import unicodedata
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from chatserv.client import VERSION, TextInvalid, clean_line, system_text, translate, valid_text
from chatserv.streams import drop
from clients.shared.exit_codes import NOT_SENT, USAGE
from clients.shared.startup import tell

# Signs of our texts that have no part in ASCII.
_SIGNS: Final = {
    "\u00a1": "",
    "\u00bf": "",
    "\u2013": "-",
    "\u2014": "-",
    "\u00ab": '"',
    "\u00bb": '"',
    "\u201c": '"',
    "\u201d": '"',
}
MAX_SHOWN: Final = 200  # characters of what was typed wrongly


class Formatter(argparse.HelpFormatter):
    """Help that begins with the usage, in our words."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """The first paragraph."""
        super().add_usage(usage, actions, groups, translate("usage: ") if prefix is None else prefix)


def fitting(text: str, encoding: str) -> str:
    """A text of ours with letters that the encoding has: without their accents where it has no others."""
    return "".join(character if _has(encoding, character) else _plain(character) for character in text)


def _has(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeError:
        return False
    return True


def _plain(character: str) -> str:
    found = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return found or _SIGNS.get(character, "?")


class Parser(argparse.ArgumentParser):
    """A parser with ``--help`` and ``--version``. Options cannot be shortened: what is added later might begin alike.

    Args:
        prog: The name of the program.
        description: What it does, translated.
        epilog: What stands below the options, translated.
    """

    def __init__(self, prog: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog, description=description, epilog=epilog, formatter_class=Formatter, add_help=False, allow_abbrev=False,
            exit_on_error=False,
        )  # fmt: skip
        self._positionals.title, self._optionals.title = translate("arguments"), translate("options")
        self.add_argument("-h", "--help", action="help", help=translate("show this help and exit"))
        version = f"{prog} {VERSION}"
        self.add_argument("--version", action="version", version=version, help=translate("show the version and exit"))

    def parse(self, argv: Iterable[str]) -> argparse.Namespace:
        """What was asked for; ends the program with 2 where that cannot be understood."""
        try:
            found, unknown = self.parse_known_args(list(argv))
        except argparse.ArgumentError as error:
            said = translate("{option}: its value is missing or not valid")
            self.error(said.format(option=error.argument_name))
        if unknown:
            said = translate("unknown, or too many: {words}")
            self.error(said.format(words=clean_line(" ".join(unknown))[:MAX_SHOWN]))
        for value in vars(found).values():
            for text in value if isinstance(value, list) else [value]:
                self._check_text(text)
        return found

    def _check_text(self, text: object) -> None:
        """Names of files may have any bytes; everything else is text."""
        if isinstance(text, str):
            try:
                valid_text(text)
            except TextInvalid:
                said = translate("{argument}: this is no UTF-8 text")
                self.error(said.format(argument=clean_line(text)[:MAX_SHOWN]))

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help, version and usage: in what the terminal's encoding has, and whether somebody reads on or not."""
        stream = file or sys.stderr
        try:
            stream.write(fitting(message, getattr(stream, "encoding", None) or "utf-8"))
            stream.flush()
        except BrokenPipeError:
            drop(stream)
        except OSError as error:
            drop(stream)
            tell(system_text(error))
            self.exit(NOT_SENT)

    def error(self, message: str) -> NoReturn:
        """Ends the program with usage, message and 2."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {translate('error:')} {message}\n")
