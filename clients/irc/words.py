"""Messages as lines of IRC: cut, quoted, marked, with their tags."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from chatserv.client import (
    MessageReceived,
    NotMember,
    RoomHandle,
    doubtful_time,
    file_text,
    message_text,
    quotation,
    sender_name,
    shown,
    translate,
)
from chatserv.client.errors import NotFound
from clients.irc.names import SERVER, escaped, source_of, target_of
from clients.irc.session import Session
from clients.irc.texts import outgoing, outgoing_pieces

Words = tuple[str, Sequence[str], str, Mapping[str, str]]
"""A line: verb, parameters, source, tags."""
MULTILINE: Final = "draft/multiline"
CONCAT: Final = "draft/multiline-concat"
MULTILINE_CAPS: Final = frozenset({MULTILINE, "batch", "message-tags"})
"""What a client has asked for that is told a text of several lines as one batch."""


def time_tag(at_ms: int) -> str:
    """A moment as IRC writes it; of a clock that tells nonsense the beginning of time."""
    try:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        at = datetime.fromtimestamp(0, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def find(handle: RoomHandle, message_id: bytes) -> MessageReceived | None:
    """A message of a room, if this device keeps it."""
    try:
        return handle.find(message_id)
    except (NotFound, NotMember):
        return None


def way(session: Session, room: str, sender: str) -> tuple[str, str]:
    """From whom and where to something said in a room goes: a channel, or the two ends of direct messages."""
    mine = sender == session.client.user
    target = target_of(room) if mine or not room.startswith("@") else session.nick
    return source_of(sender), target


def tags_of(sender: str, at_ms: int, message_id: bytes = b"", reply_to: bytes | None = None) -> dict[str, str]:
    """The tags of something that somebody said."""
    found = {"time": time_tag(at_ms), "account": escaped(sender)}
    if message_id:
        found["msgid"] = message_id.hex()
    if reply_to is not None:
        found["+draft/reply"] = found["+reply"] = reply_to.hex()
    return found


def message_words(
    session: Session, message: MessageReceived, handle: RoomHandle | None, *, edited: bool = False, front: str = ""
) -> list[Words]:
    """A message as the lines that it takes.

    Args:
        session: For whom.
        message: Which.
        handle: Its room, where what it answers is looked up.
        edited: Whether it is told again, as its text is another one now.
        front: What stands before its text.
    """
    source, target = way(session, message.room, message.sender)
    reply_to = message.message_id if edited else message.reply_to
    tags = tags_of(message.sender, message.at_ms, b"" if edited else message.message_id, reply_to)
    front += "✎ " if edited else ""
    if not edited and reply_to is not None and "message-tags" not in session.caps:
        front += f"({quotation(None if handle is None else find(handle, reply_to))}) "
    doubts = (sender_name(message).removeprefix(shown(message.sender)).strip(), doubtful_time(message))
    front += "".join(f"{each} " for each in doubts if each)
    text = message_text(message) if message.text is None else message.text
    if message.file is not None and message.text is not None:
        text = f"{_file_line(message)}\n{text}".rstrip()
    batched = [] if message.action else _batched(session, front + text, target, source, tags)
    if batched:
        return batched
    pieces = outgoing(text, session.settings.line_bytes)
    found: list[Words] = []
    for at, piece in enumerate(pieces):
        said = piece if at else front + piece
        said = f"\x01ACTION {said}\x01" if message.action else said
        later = {key: tags[key] for key in ("time", "account")}
        found.append(("PRIVMSG", (target, said), source, later if at else tags))
    return found


def _file_line(message: MessageReceived) -> str:
    """A file that came, and how it is saved."""
    where = message.room if message.room.startswith("@") else f"#{message.room}"
    said = translate("sends {file}: /msg *chatserv {room} save {number}")
    return said.format(file=file_text(message.file), room=where, number=message.seq) if message.file else ""


def _batched(session: Session, text: str, target: str, source: str, tags: Mapping[str, str]) -> list[Words]:
    """A text of several lines as a batch of them; none for clients without, and beyond what a batch may hold."""
    bounds = session.around.bounds
    pieces = outgoing_pieces(text, session.settings.line_bytes)
    size = sum(len(piece.encode(errors="replace")) + (not goes_on) for piece, goes_on in pieces) - 1
    fits = 1 < len(pieces) <= bounds.multiline_lines and size <= bounds.multiline_bytes
    if not fits or not session.caps >= MULTILINE_CAPS:
        return []
    reference = session.new_batch()
    found: list[Words] = [("BATCH", (f"+{reference}", MULTILINE, target), source, tags)]
    for piece, goes_on in pieces:
        more = {CONCAT: ""} if goes_on else {}
        found.append(("PRIVMSG", (target, piece), source, {"batch": reference, **more}))
    return [*found, ("BATCH", (f"-{reference}",), SERVER, {})]
