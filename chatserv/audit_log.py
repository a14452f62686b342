"""``audit.log``: what administrators and operators did, a line of JSON each, chained by hashes.

Each line holds the SHA-256 of the one before, also across files that were turned over. So a line that is missing, changed
or put elsewhere is found; not so the last lines, where somebody cuts them off, nor a whole log that somebody writes anew.
A line that a crash has cut short is taken out, and the next one says so.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, field

NAME: Final = "audit.log"
FIRST: Final = "0" * 64  # what stands before the first line of all
FIELD_CHARS: Final = 1000
LINE_BYTES: Final = 65_536
MOST_PROBLEMS: Final = 100


class Point(Struct, frozen=True):
    """Where a chain stands: the number of its last line, and that line's hash."""

    number: int = 0
    before: str = FIRST

    def line(self, at: datetime, event: str, values: Mapping[str, object]) -> tuple[bytes, "Point"]:
        """The next line, with its end, and where the chain stands then. ``who``, ``way`` and ``result`` come first."""
        said = {name: _plain(value) for name, value in values.items()}
        head = {name: said.pop(name, "") for name in ("who", "way", "result")}
        time = at.astimezone(UTC).isoformat(timespec="milliseconds")
        whole = {"n": self.number + 1, "time": time, "event": event[:FIELD_CHARS], **head, "fields": said}
        line = json.dumps({**whole, "before": self.before}, separators=(",", ":")).encode()
        return line + b"\n", Point(self.number + 1, _hash(line))


class Audit(Struct, frozen=True):
    """What `verify_audit` found. ``first``: the number of the oldest line that is kept; 0 where there is none."""

    lines: int = 0
    first: int = 0
    last: int = 0
    head: str = FIRST
    problems: list[str] = field(default_factory=list)


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _plain(value: object) -> str | int | float | bool | None:
    if isinstance(value, Enum):
        value = value.name.lower()
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes):
        value = value.hex()
    return str(value)[:FIELD_CHARS]


def end_of(path: Path) -> tuple[Point | None, int]:
    """Where the chain of a file stands, None where it has no line; and how many bytes at its end are no whole line.

    A file that cannot be read has none.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 2 * LINE_BYTES))
            tail = file.read()
    except OSError:  # whoever writes is told that, and not whoever looks
        return None, 0
    whole, _, rest = tail.rpartition(b"\n")
    line = whole.rpartition(b"\n")[2]
    values = _parsed(line) if line else None
    return None if values is None else Point(values["n"], _hash(line)), len(rest)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(values, dict) and type(values.get("n")) is int and isinstance(values.get("before"), str)
    return values if fits else None


class Chain:
    """Continues the chain of a file, whoever else has written to it meanwhile, and whether it was turned over.

    Args:
        now: The date.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)) -> None:
        self._now = now
        self._point = Point()

    def lines(self, path: Path, event: str, values: Mapping[str, object]) -> tuple[int, bytes, Point]:
        """What is to be written: how many bytes at the end of the file are to be cut off first, the lines, and where the
        chain stands once `wrote` is told that.
        """
        found, broken = end_of(path)
        older = end_of(path.with_name(f"{path.name}.1"))[0] or Point()
        point = found or max(older, self._point, key=lambda each: each.number)
        data = b""
        if broken:
            data, point = point.line(self._now(), "Healed", {"way": "crash", "result": "ok", "bytes": broken})
        line, point = point.line(self._now(), event, values)
        return broken, data + line, point

    def wrote(self, point: Point) -> None:
        """The lines are in the file."""
        self._point = point


def audit_files(path: Path) -> list[Path]:
    """The files of an audit log, the oldest first: those that were turned over, then ``path`` itself."""
    numbered = [each for each in path.parent.glob(f"{path.name}.*") if each.name[len(path.name) + 1 :].isdecimal()]
    older = sorted(numbered, key=lambda each: -int(each.name[len(path.name) + 1 :]))
    return [*older, *([path] if path.exists() else [])]


def verify_audit(paths: Sequence[Path]) -> Audit:
    """Follows the chain through files, the oldest first.

    Returns:
        What was found; ``problems`` holds a line a problem, at most 100, with file and line number.

    Raises:
        OSError: A file cannot be read.
    """
    lines, first, problems = 0, 0, []  # type: int, int, list[str]
    point: Point | None = None
    for path in paths:
        with path.open("rb") as file:
            for number, raw in enumerate(iter(lambda file=file: file.readline(LINE_BYTES + 1), b""), 1):  # type: ignore[misc]
                where, line = f"{path.name}:{number}", raw.removesuffix(b"\n")
                values = _parsed(line) if raw.endswith(b"\n") else None
                if values is None:
                    problems.append(f"{where}: no whole line")
                    continue
                expected = point or Point(values["n"] - 1, FIRST if values["n"] == 1 else values["before"])
                if (values["n"], values["before"]) != (expected.number + 1, expected.before):
                    problems.append(
                        f"{where}: does not follow from the line before it; one was changed, taken out or moved"
                    )
                lines, first, point = lines + 1, first or values["n"], Point(values["n"], _hash(line))
    end = point or Point()
    return Audit(lines, first, end.number, end.before, problems[:MOST_PROBLEMS])
