"""Lines of IRC: read strictly, and written by one function, through which no second line can come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MAX_LINE_BYTES: Final = 8191
"""Of a line that comes in, tags included and without its end; as ``LINELEN`` says to clients."""
MAX_TAG_BYTES: Final = 4096
MAX_PARAMS: Final = 15
MAX_TAGS: Final = 64
_ESCAPES: Final = {";": "\\:", " ": "\\s", "\\": "\\\\", "\r": "\\r", "\n": "\\n"}
_UNESCAPES: Final = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_FORBIDDEN: Final = frozenset("\r\n\0")


class LineInvalid(Exception):
    """A line that cannot be read. ``code``: for ``FAIL``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Line:
    """One line.

    Attributes:
        verb: In capitals, or a numeric.
        params: The last one may hold spaces.
        source: Who says it; of what comes in, nothing is believed.
        tags: By key; empty for one without a value.
    """

    verb: str
    params: tuple[str, ...] = field(default=(), repr=False)
    source: str = ""
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)

    def param(self, at: int) -> str:
        """The parameter at this place, or an empty one."""
        return self.params[at] if at < len(self.params) else ""


def parse_line(data: bytes) -> Line | None:
    """The line; None for an empty one.

    Raises:
        LineInvalid: It is too long, holds a NUL or a CR, is no UTF-8, or names nothing to do.
    """
    if len(data) > MAX_LINE_BYTES:
        raise LineInvalid("INPUT_TOO_LONG")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise LineInvalid("INVALID_UTF8") from None
    if not _FORBIDDEN.isdisjoint(text):
        raise LineInvalid("INVALID_LINE")
    tags: dict[str, str] = {}
    if text.startswith("@"):
        written, _, text = text[1:].partition(" ")
        if len(written.encode()) > MAX_TAG_BYTES:
            raise LineInvalid("INPUT_TOO_LONG")
        tags = parse_tags(written)
    text = text.lstrip(" ")
    if text.startswith(":"):
        text = text.partition(" ")[2].lstrip(" ")
    if not text.strip(" "):
        return None
    words = _words(text)
    if not (words[0].isascii() and words[0].isprintable()):
        raise LineInvalid("INVALID_LINE")
    return Line(words[0].upper(), tuple(words[1:]), tags=tags)


def _words(text: str) -> list[str]:
    head, colon, trailing = text.partition(" :")
    words = [word for word in head.split(" ") if word]
    if len(words) > MAX_PARAMS:
        words = words[:MAX_PARAMS]
    return [*words[:MAX_PARAMS], trailing] if colon else words


def parse_tags(written: str) -> dict[str, str]:
    """Tags, or what is written in the same way."""
    found: dict[str, str] = {}
    for each in written.split(";")[:MAX_TAGS]:
        key, _, value = each.partition("=")
        if key:
            found[key] = _unescaped(value)
    return found


def _unescaped(value: str) -> str:
    out: list[str] = []
    characters = iter(value)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            out.append(_UNESCAPES.get(escaped, escaped))
        else:
            out.append(character)
    return "".join(out)


def format_line(line: Line) -> bytes:
    """The bytes of a line, with its end. Every line that goes out is made here.

    Raises:
        ValueError: Something in it would end the line, or become another part of it.
    """
    parts: list[str] = []
    if line.tags:
        parts.append(
            "@" + ";".join(key if not value else f"{key}={_escaped(value)}" for key, value in line.tags.items())
        )
    if line.source:
        parts.append(f":{line.source}")
    parts.append(line.verb)
    *middle, last = line.params or ("",)
    for each in (*([line.source] if line.source else []), line.verb, *line.tags, *middle):
        if not each or " " in each or each.startswith(":"):
            raise ValueError(f"{line.verb}: a word that is none")
    parts += middle
    if line.params:
        parts.append(f":{last}" if not last or " " in last or last.startswith(":") or len(line.params) > 1 else last)
    text = " ".join(parts)
    if not _FORBIDDEN.isdisjoint(text):
        raise ValueError(f"{line.verb}: more than a line")
    return text.encode(errors="replace") + b"\r\n"


def _escaped(value: str) -> str:
    return "".join(_ESCAPES.get(character, character) for character in value)
