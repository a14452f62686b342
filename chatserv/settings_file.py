"""Settings as plain tables, from a file or a few words: read, parsed, and freed of what no setting can be. Knows no key."""

import json
import math
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Any, NoReturn

from chatserv.local_errors import SettingsError
from chatserv.owners import reason
from chatserv.settings_words import written

_FILE_BYTES = 2**20  # a settings file is a page or two; more is some other file
WHOLE_FILE = "(file)"
SUFFIXES = (".toml", ".json")


class Source:
    """Something that settings come from; ``name`` is how errors call it."""

    def __init__(self, name: str) -> None:
        self.name = printable(name, 4096)

    def place(self, key: str) -> str:  # noqa: ARG002 - others look for it
        """Where in it a key stands, as far as that is known."""
        return self.name

    def fail(self, key: str, message: str, hint: str) -> NoReturn:
        """Raises `SettingsError` for ``key``, a dotted key or a place in the source."""
        raise SettingsError(self.place(key), key, message, hint) from None

    def check(self, value: object, key: str) -> None:
        """Refuses what no setting can be. Raises `SettingsError`."""
        if isinstance(value, _Repeated):
            self.fail(join_key(key, value.key), "given twice", "keep one of the two")
        if isinstance(value, dict):
            for name, item in value.items():
                self.check(item, join_key(key, name))
        elif isinstance(value, list):
            for item in value:
                self.check(item, key)
        elif _is_unusable_number(value):
            self.fail(key or WHOLE_FILE, f"{shown(value)} is not a usable number", "write an ordinary number")
        elif isinstance(value, str) and any(_is_control(char) for char in value):
            self.fail(key or WHOLE_FILE, "holds a control character", "write plain text")


class SettingsFile(Source):
    """One file, JSON or TOML by its suffix."""

    def __init__(self, path: Path) -> None:
        super().__init__(os.fspath(path))
        self.path = path
        self._content = ""

    def place(self, key: str) -> str:
        """The file and, where the key is found, the line."""
        line = line_of(self._content, key, is_toml=self._suffix == ".toml")
        return f"{self.name}:{line}" if line else self.name

    @property
    def _suffix(self) -> str:
        return self.path.suffix.lower()

    def read(self) -> dict[str, Any]:
        """The file's tables, of str, int, float, bool, None, dates, lists and dicts.

        Raises:
            SettingsError: It cannot be read or parsed, or holds a key twice, NaN, huge numbers or control characters.
        """
        try:
            self._content = self._text()
            tree = self._parse(self._content)
            self.check(tree, "")
        except RecursionError:
            self.fail(WHOLE_FILE, "nested too deeply", "settings have two levels: a table and its keys")
        if not isinstance(tree, dict):
            self.fail(WHOLE_FILE, "not a table of settings", 'write an object such as {"server": {"port": 5000}}')
        return tree

    def _text(self) -> str:
        try:
            data = self._bytes()
        except OSError as error:
            hint = "check the path and who may read it"
            self.fail(WHOLE_FILE, f"cannot be read ({reason(self.path, error)})", hint)
        except ValueError:  # a NUL in the path
            self.fail(WHOLE_FILE, "not a usable path", "check the path")
        if len(data) > _FILE_BYTES:
            self.fail(WHOLE_FILE, "larger than 1 MiB", "this is not a settings file")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            self.fail(f"line {line}", "not UTF-8 text", "save the file as UTF-8")

    def _bytes(self) -> bytes:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us up
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise OSError(0, "a directory" if stat.S_ISDIR(mode) else "not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(_FILE_BYTES + 1)
        finally:
            os.close(descriptor)

    def _parse(self, text: str) -> object:
        if self._suffix not in SUFFIXES:
            self.fail(WHOLE_FILE, "neither JSON nor TOML by its name", "name it settings.json or settings.toml")
        try:
            return tomllib.loads(text) if self._suffix == ".toml" else json.loads(text, object_pairs_hook=_table)
        except json.JSONDecodeError as error:
            self.fail(f"line {error.lineno}, column {error.colno}", f"not JSON ({error.msg})", "correct this place")
        except tomllib.TOMLDecodeError as error:
            message, _, place = str(error).rpartition(" (at ")
            found = re.search(r"line \d+, column \d+", place)
            at = found[0] if found else f"line {text.count(chr(10)) + 1}"
            self.fail(at, f"not TOML ({printable(message)})", "correct this place")
        except ValueError:  # the interpreter's bound on the digits of an integer, or an impossible date
            self.fail(WHOLE_FILE, "holds a number or date that cannot be", "write ordinary numbers")


class _Repeated(dict[str, Any]):
    """A JSON object in which ``key`` stands twice."""

    key: str


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name, value in pairs:
        if name in table:
            table = _Repeated()
            table.key = name
            return table
        table[name] = value
    return table


def _is_unusable_number(value: object) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, int) and abs(value) >= 2**63


def _is_control(char: str) -> bool:
    return char < " " or "\x7f" <= char < "\xa0" or "\ud800" <= char < "\ue000"


def join_key(prefix: str, name: str) -> str:
    """The dotted key of ``name`` in the table ``prefix``, fit for one line of a terminal."""
    name = printable(name) or "(empty)"
    return f"{prefix}.{name}" if prefix else name


def shown(value: object) -> str:
    """A value for an error: short, and without characters that could disturb a terminal."""
    if isinstance(value, int) and abs(value) >= 2**63:
        return "a number of more than 18 digits"
    return printable(written(value))


def line_of(text: str, key: str, *, is_toml: bool) -> int | None:
    """In which line of a settings file a dotted key stands, or a table; from 1; None: it is not found."""
    table, _, name = map(re.escape, key.partition("."))
    if not is_toml:
        found = re.search(rf'"{table}"\s*:', text)
        if found and name:
            found = re.compile(rf'"{name}"\s*:').search(text, found.end())
        return text.count("\n", 0, found.start()) + 1 if found else None
    inside = None  # the table that a line belongs to
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*[\"']?([^]\"']+?)[\"']?\s*\]", line)
        inside = re.escape(header[1]) if header else inside
        if header and inside == table and not name:
            return number
        if inside == table and name and re.match(rf"\s*[\"']?{name}[\"']?\s*=", line):
            return number
        if inside is None and re.match(rf"\s*{table}\s*(\.\s*{name}\s*=|=)", line):
            return number
    return None


def printable(text: str, length: int = 80) -> str:
    """Text that fits one line of a terminal, cut at so many characters."""
    short = text if len(text) <= length else text[: length - 3] + "..."
    return short if short.isprintable() else ascii(short)[1:-1]
