"""What is pasted: one line goes into the prompt, several are asked about, too many are refused."""

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

    @property
    def question(self) -> str:
        """What the person is asked; empty where nothing is to be asked."""
        if len(self.lines) < 2:
            return ""
        return translate("{count} lines were pasted: send them? y/n").format(count=len(self.lines))


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
        said = translate("What was pasted is too long for a message: at most {size} characters.")
        return Pasted(refusal=said.format(size=MAX_LINE_CHARACTERS))
    if len(lines) > MAX_PASTED_LINES:
        said = translate("{count} lines were pasted, and are not sent: at most {most} at once.")
        return Pasted(refusal=said.format(count=len(lines), most=MAX_PASTED_LINES))
    if len(lines) > 1:
        lines = [f"/{line}" if line.startswith("/") else line for line in lines]
    return Pasted(tuple(lines) if len(lines) > 1 else (text,))
