"""What is pasted: what goes into the field of it, and what is too much."""

from dataclasses import dataclass
from typing import Final

from chatserv.client import translate

MAX_LINE_CHARACTERS: Final = 8192  # no message is longer


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
        said = translate("What was pasted is too long for a message: at most {size} characters.")
        return PastedText(refusal=said.format(size=MAX_LINE_CHARACTERS))
    return PastedText(text)
