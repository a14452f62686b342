"""Messages of ours that are not in the room yet, as they stand above the prompt."""

from collections.abc import Sequence
from typing import Final

from chatserv.client import WaitingMessage, explained, shown, translate
from clients.terminal.styled_lines import Line

MAX_LINES: Final = 5
MAX_CHARACTERS: Final = 500  # of one message: a line is cut at the edge of the terminal anyway


def waiting_lines(messages: Sequence[WaitingMessage], us: str) -> list[Line]:
    """The last ones, as many as have place, under a line that counts the others."""
    lines: list[Line] = []
    hidden = len(messages)
    for message in reversed(messages):
        more = _lines(message, us)
        if len(lines) + len(more) > MAX_LINES:
            break
        lines = more + lines
        hidden -= 1
    if hidden:
        lines.insert(0, [("class:waiting", translate("and {count} more").format(count=hidden))])
    return lines


def _lines(message: WaitingMessage, us: str) -> list[Line]:
    who = f"* {shown(us)}" if message.action else f"<{shown(us)}>"
    said = f"{who} {shown(message.text[:MAX_CHARACTERS])}"
    if message.state != "failed":
        return [[("class:waiting", f"{'✓' if message.state == 'stored' else '…'} {said}")]]
    why = "" if message.error is None else explained(message.error)
    todo = translate("/resend or /discard: {reason}").format(
        reason=why
    )  # in this order: the edge cuts what is too long
    return [[("class:failed", "✗"), ("class:waiting", f" {said}")], [("class:failed", f"  {todo}")]]
