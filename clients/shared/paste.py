"""What is pasted: what goes into the field of it, and what is too much."""

from dataclasses import dataclass
from typing import Final

from chatserv.client import is_blank, translate

MAX_PASTED_LINES: Final = 2000  # they leave at the pace that the server allows
MAX_LINE_CHARACTERS: Final = 8192  # no message is longer


@dataclass(frozen=True)
class Pasted:
    """Lines that may be sent, none of them a command, or in ``refusal`` why they are not."""

    lines: tuple[str, ...] = ()
    refusal: str = ""


@dataclass(frozen=True)
class PastedText:
    """A text of one or more lines for the field, or in ``refusal`` why nothing of it goes there."""

    text: str = ""
    refusal: str = ""


def pasted_text(data: str, before: str = "", after: str = "") -> PastedText:
    """Looks at what was pasted: it is one text, and where it has several lines no command, even if it begins with ``/``.

    Args:
        data: The text, with line breaks of any kind.
        before: What stands in the field in front of it.
        after: And behind it.
    """
    text = data.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    if not before and text.startswith("/") and "\n" in text:
        text = f"/{text}"
    if len(before) + len(text) + len(after) > MAX_LINE_CHARACTERS:
        return PastedText(refusal=_too_long())
    return PastedText(text)


def _too_long() -> str:
    said = translate("What was pasted is too long for a message: at most {size} characters.")
    return said.format(size=MAX_LINE_CHARACTERS)


def pasted(data: str, before: str = "", after: str = "") -> Pasted:
    """Looks at what was pasted.

    Args:
        data: The text, with line breaks of any kind.
        before: What stands in the prompt in front of it.
        after: And behind it.
    """
    text = data.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    lines = [line for line in f"{before}{text}{after}".split("\n") if not is_blank(line)]
    if any(len(line) > MAX_LINE_CHARACTERS for line in lines):
        return Pasted(refusal=_too_long())
    if len(lines) > MAX_PASTED_LINES:
        said = translate("{count} lines were pasted, and are not sent: at most {most} at once.")
        return Pasted(refusal=said.format(count=len(lines), most=MAX_PASTED_LINES))
    if len(lines) > 1:
        lines = [f"/{line}" if line.startswith("/") else line for line in lines]
    return Pasted(tuple(lines) if len(lines) > 1 else (text,))
