"""A settings file as plain tables: read, parsed, and freed of what no setting can be. Knows no key."""

import json
import math
import os
import re
import tomllib
from pathlib import Path
from typing import Any, NoReturn

from chatserv.local_errors import SettingsError
from chatserv.settings_words import written

_FILE_BYTES = 2**20  # a settings file is a page or two; more is some other file
_WHOLE_FILE = "(file)"


class SettingsFile:
    """One file, JSON or TOML by its suffix; ``name`` is how its errors call it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = _printable(os.fspath(path), 4096)

    def fail(self, key: str, message: str, hint: str) -> NoReturn:
        """Raises `SettingsError` for ``key``, a dotted key or a place in the file."""
        raise SettingsError(self.name, key, message, hint) from None

    def read(self) -> dict[str, Any]:
        """The file's tables, of str, int, float, bool, None, dates, lists and dicts.

        Raises:
            SettingsError: It cannot be read or parsed, or holds a key twice, NaN, huge numbers or control characters.
        """
        try:
            tree = self._parse(self._text())
            self._check(tree, "")
        except RecursionError:
            self.fail(_WHOLE_FILE, "nested too deeply", "settings have two levels: a table and its keys")
        if not isinstance(tree, dict):
            self.fail(_WHOLE_FILE, "not a table of settings", 'write an object such as {"server": {"port": 5000}}')
        return tree

    def _text(self) -> str:
        try:
            with self.path.open("rb") as file:
                data = file.read(_FILE_BYTES + 1)
        except OSError as error:
            hint = "check the path and who may read it"
            self.fail(_WHOLE_FILE, f"cannot be read ({error.strerror or type(error).__name__})", hint)
        except ValueError:  # a NUL in the path
            self.fail(_WHOLE_FILE, "not a usable path", "check the path")
        if len(data) > _FILE_BYTES:
            self.fail(_WHOLE_FILE, "larger than 1 MiB", "this is not a settings file")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            self.fail(f"line {line}", "not UTF-8 text", "save the file as UTF-8")

    def _parse(self, text: str) -> object:
        suffix = self.path.suffix.lower()
        if suffix not in (".json", ".toml"):
            self.fail(_WHOLE_FILE, "neither JSON nor TOML by its name", "name it settings.json or settings.toml")
        try:
            return tomllib.loads(text) if suffix == ".toml" else json.loads(text, object_pairs_hook=_table)
        except json.JSONDecodeError as error:
            self.fail(f"line {error.lineno}, column {error.colno}", f"not JSON ({error.msg})", "correct this place")
        except tomllib.TOMLDecodeError as error:
            message, _, place = str(error).rpartition(" (at ")
            found = re.search(r"line \d+, column \d+", place)
            at = found[0] if found else f"line {text.count(chr(10)) + 1}"
            self.fail(at, f"not TOML ({_printable(message)})", "correct this place")
        except ValueError:  # the interpreter's bound on the digits of an integer, or an impossible date
            self.fail(_WHOLE_FILE, "holds a number or date that cannot be", "write ordinary numbers")

    def _check(self, value: object, key: str) -> None:
        if isinstance(value, _Repeated):
            self.fail(join_key(key, value.key), "given twice", "keep one of the two")
        if isinstance(value, dict):
            for name, item in value.items():
                self._check(item, join_key(key, name))
        elif isinstance(value, list):
            for item in value:
                self._check(item, key)
        elif _is_unusable_number(value):
            self.fail(key or _WHOLE_FILE, f"{shown(value)} is not a usable number", "write an ordinary number")
        elif isinstance(value, str) and any(_is_control(char) for char in value):
            self.fail(key or _WHOLE_FILE, "holds a control character", "write plain text")


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
    name = _printable(name) or "(empty)"
    return f"{prefix}.{name}" if prefix else name


def shown(value: object) -> str:
    """A value for an error: short, and without characters that could disturb a terminal."""
    if isinstance(value, int) and abs(value) >= 2**63:
        return "a number of more than 18 digits"
    return _printable(written(value))


def _printable(text: str, length: int = 80) -> str:
    short = text if len(text) <= length else text[: length - 3] + "..."
    return short if short.isprintable() else ascii(short)[1:-1]
