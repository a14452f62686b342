"""Texts between the two sides: cut into lines on the way out, without formatting codes on the way in."""

import re
import unicodedata
from typing import Final

from chatserv.client import Slash, clean_line
from clients.irc.names import SERVICE

_BREAKS: Final = re.compile("\r\n|[\r\n\v\f\x85\u2028\u2029]")
_FORMATTING: Final = re.compile(
    "\x03(?:\\d{1,2}(?:,\\d{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?|[\x02\x0f\x11\x16\x1d\x1e\x1f]"
)
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_REPLACEMENT: Final = "\ufffd"
_OURS: Final = "|".join(sorted(Slash.commands.keys() - {"me", "msg"}, key=len, reverse=True))  # IRC clients have those
_COMMAND: Final = re.compile(rf"(?<![\w/*])/({_OURS})(?!\.?[\w/-])")


def for_irc(line: str) -> str:
    """A text of ours with the commands in it as they are said here. Names, which stand in it too, have no slash."""
    return _COMMAND.sub(rf"/msg {SERVICE} \1", line)


def outgoing(text: str, line_bytes: int) -> list[str]:
    """A message as lines that can stand in IRC, each of at most ``line_bytes`` of UTF-8; an empty one is a space."""
    return [piece for part in _BREAKS.split(text) for piece in cut(clean_line(part), line_bytes)]


def outgoing_pieces(text: str, line_bytes: int) -> list[tuple[str, bool]]:
    """The same for clients that put lines together again: each with whether it goes on where the one before ends."""
    return [
        (piece, at > 0)
        for part in _BREAKS.split(text)
        for at, piece in enumerate(cut(clean_line(part), line_bytes, keep_space=True) if part else [""])
    ]


def cut(text: str, line_bytes: int, *, keep_space: bool = False) -> list[str]:
    """Pieces of at most so many bytes, cut at a space, else between characters with their marks.

    Args:
        text: One line.
        line_bytes: The bound, in UTF-8.
        keep_space: Whether the space stays at the end of its piece, so that all pieces together are the text.
    """
    pieces: list[str] = []
    while len(text.encode(errors="replace")) > line_bytes:
        end = len(text.encode(errors="replace")[:line_bytes].decode(errors="ignore"))
        space = text.rfind(" ", end // 2, end + (not keep_space))
        at = space if space > 0 else _between(text, end)
        rest = at + (space > 0)
        pieces.append(text[: rest if keep_space else at] or " ")
        text = text[rest:]
    return [*pieces, text or " "] if text or not pieces else pieces


def _between(text: str, end: int) -> int:
    """The last place up to ``end`` where no mark or joiner is torn from what it stands on; ``end`` where there is none."""
    for at in range(end, max(end - 64, 0), -1):
        if not (unicodedata.combining(text[at]) or text[at] in "\u200d\ufe0f\ufe0e" or text[at - 1] == "\u200d"):
            return at
    return end


def incoming(text: str) -> str:
    """What somebody typed, without the codes of bold and colours; other control characters become U+FFFD."""
    return _CONTROL.sub(_REPLACEMENT, _FORMATTING.sub("", text))


def first_words(text: str, characters: int = 40) -> str:
    """The beginning of a text, clean."""
    found = clean_line(text)
    return found if len(found) <= characters else f"{found[:characters].rstrip()}…"
