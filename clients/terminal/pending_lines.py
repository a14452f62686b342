"""Messages of ours that are not in the room yet, and files on their way, as they stand above the prompt."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from chatserv.client import (
    ChatError,
    RoomHandle,
    WaitingMessage,
    explained,
    file_text,
    progress_text,
    shown,
    translate,
)
from clients.shared.transfers import Transfers
from clients.terminal.styled_lines import Line

MAX_LINES: Final = 5
NOTHING: Final[Mapping[bytes, str]] = MappingProxyType({})
MAX_CHARACTERS: Final = 500  # of one message: a line is cut at the edge of the terminal anyway


def pending_lines(handle: RoomHandle, us: str, transfers: Transfers) -> list[Line]:
    """What of a room is on its way, in either direction."""
    coming: list[Line] = []
    for message_id in transfers.coming(handle.name)[:MAX_LINES]:
        try:
            file = handle.find(message_id).file
        except ChatError:  # gone meanwhile
            continue
        if file is not None:
            coming.append([("class:waiting", f"↓ {file_text(file)} {transfers.text(handle.name, message_id)}")])
    texts = {each.message_id: transfers.text(handle.name, each.message_id) for each in handle.waiting() if each.file}
    return [*coming, *waiting_lines(handle.waiting(), us, texts)]


def waiting_lines(messages: Sequence[WaitingMessage], us: str, moved: Mapping[bytes, str] = NOTHING) -> list[Line]:
    """The last ones, as many as have place, under a line that counts the others.

    Args:
        messages: Which, in order.
        us: Our name.
        moved: How far their files are, by message.
    """
    lines: list[Line] = []
    hidden = len(messages)
    for message in reversed(messages):
        more = _lines(message, us, moved.get(message.message_id, ""))
        if len(lines) + len(more) > MAX_LINES:
            break
        lines = more + lines
        hidden -= 1
    if hidden:
        lines.insert(0, [("class:waiting", translate("and {count} more").format(count=hidden))])
    return lines


def _lines(message: WaitingMessage, us: str, moved: str) -> list[Line]:
    who = f"* {shown(us)}" if message.action else f"<{shown(us)}>"
    said = f"{who} {shown(message.text[:MAX_CHARACTERS])}"
    if message.file is not None:
        bar = moved or progress_text(message.done, message.file.size)
        said = f"{who} {file_text(message.file)} {bar} {shown(message.text[:MAX_CHARACTERS])}".rstrip()
    if message.state != "failed":
        return [[("class:waiting", f"{'✓' if message.state == 'stored' else '…'} {said}")]]
    why = "" if message.error is None else explained(message.error)
    # In this order: the edge cuts what is too long.
    todo = translate("/resend or /discard: {reason}").format(reason=why)
    return [[("class:failed", "✗"), ("class:waiting", f" {said}")], [("class:failed", f"  {todo}")]]
