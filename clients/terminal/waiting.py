"""Messages of ours that are not in the room yet, as they stand above the prompt."""

from collections.abc import Sequence
from typing import Final

from chatserv.client import WaitingMessage, explained, shown, translate
from clients.terminal.rendering import Line

MAX_LINES: Final = 5
MAX_CHARACTERS: Final = 500  # of one message: a line is cut at the edge of the terminal anyway


def waiting_lines(messages: Sequence[WaitingMessage], us: str) -> list[Line]:
    """The last ones, a line each, under a line that counts the others."""
    hidden = max(len(messages) - MAX_LINES, 0)
    lines: list[Line] = []
    if hidden:
        lines.append([("class:waiting", translate("and {count} more").format(count=hidden))])
    return lines + [_line(message, us) for message in messages[hidden:]]


def _line(message: WaitingMessage, us: str) -> Line:
    who = f"* {shown(us)}" if message.action else f"<{shown(us)}>"
    said = f"{who} {shown(message.text[:MAX_CHARACTERS])}"
    match message.state:
        case "failed":
            why = "" if message.error is None else explained(message.error)
            todo = translate("✗ {reason} /resend or /discard:").format(reason=why)
            return [("class:failed", todo), ("class:waiting", f" {said}")]
        case "stored":
            return [("class:waiting", f"✓ {said}")]
        case _:
            return [("class:waiting", f"… {said}")]
