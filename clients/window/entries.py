"""What stands in a conversation: messages, notes of the program, days. And how each looks, as spans of one line."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chatserv.client import (
    MessageReceived,
    WaitingMessage,
    clock,
    date,
    explained,
    message_text,
    names,
    quotation,
    shown,
    translate,
)

SENDER_COLOURS: Final = 8
MAX_SIGN_CHARACTERS: Final = 8
NOTICE: Final = "notice"
LOUD: Final = "loud"
RESULT: Final = "result"


@dataclass(frozen=True)
class Note:
    """Something that the program says. ``style``: `NOTICE`, `LOUD` for what has to be seen, `RESULT` of a command.

    ``after``: the place of the message behind which it was said. The text is clean already.
    """

    text: str
    at_ms: int
    style: str = NOTICE
    after: int = 0


@dataclass(frozen=True)
class Day:
    """Here a day begins."""

    at_ms: int


@dataclass(frozen=True)
class Unread:
    """Here begins what was not read."""


@dataclass(frozen=True)
class Newer:
    """Here what is old ends; the newest messages are elsewhere."""


Entry = MessageReceived | Note | Day | Unread | Newer


@dataclass(frozen=True)
class Span:
    """A piece of a line. ``tag``: what kind of text it is, for colour and font."""

    text: str
    tag: str


Line = tuple[Span, ...]


def sender_tag(user: str) -> str:
    """Everybody has one of a few colours, always the same."""
    return f"sender{zlib.crc32(user.encode(errors='replace')) % SENDER_COLOURS}"


def entry_line(
    entry: Entry,
    *,
    quoted: MessageReceived | None = None,
    signs: Mapping[str, Sequence[str]] | None = None,
    arrived: Iterable[str] = (),
) -> Line:
    """An entry as one line.

    Args:
        entry: Which.
        quoted: The message that it answers, where that is at hand.
        signs: Who put which emoji to it.
        arrived: Who is known to have it.
    """
    match entry:
        case Note(text=text, at_ms=at_ms, style=style):
            return Span(f"[{clock(at_ms)}] ", "stamp"), Span(text, style)
        case Day(at_ms=at_ms):
            return (Span(f"— {date(at_ms)} —", "day"),)
        case Unread():
            return (Span(translate("— new messages —"), "unread"),)
        case Newer():
            return (Span(translate("Newer messages: End"), "unread"),)
        case MessageReceived():
            return _message(entry, quoted, signs or {}, sorted(arrived))


def _message(
    message: MessageReceived, quoted: MessageReceived | None, signs: Mapping[str, Sequence[str]], arrived: list[str]
) -> Line:
    who = "own" if message.own else "other"
    sender = "own" if message.own else sender_tag(message.sender)
    name = f"* {shown(message.sender)} " if message.action else f"<{shown(message.sender)}> "
    spans = [Span(f"[{clock(message.at_ms)}] ", "stamp"), Span(name, sender)]
    if message.identity_changed:
        spans.append(Span(f"{translate('(identity changed: perhaps not them)')} ", LOUD))
    if message.reply_to is not None:
        answer = f"({quotation(quoted)}) " if quoted is not None else translate("(an answer) ")
        spans.append(Span(answer, "quote"))
    tag = who if message.text is not None else "gone"
    spans.append(Span(message_text(message), "mentioned" if message.mentioned else tag))
    if message.edited and message.text is not None:
        spans.append(Span(f" {translate('(edited)')}", "mark"))
    for emoji, users in signs.items():
        spans.append(Span(f" [{_sign(emoji)} {names(users)}]", "mark"))
    if message.own:
        mark = translate("✓ arrived at {users}").format(users=names(arrived)) if arrived else "✓"
        spans.append(Span(f" {mark}", "stored"))
    return tuple(spans)


def _sign(emoji: str) -> str:
    """A sign is any short text that somebody chose: it may neither look like a state nor leave its brackets."""
    text = shown(emoji).translate({ord("["): None, ord("]"): None})
    return text if len(text) <= MAX_SIGN_CHARACTERS else f"{text[: MAX_SIGN_CHARACTERS - 1]}…"


def waiting_line(message: WaitingMessage, us: str, quoted: MessageReceived | None = None) -> Line:
    """A text of ours that is not in the room yet: ``…`` on its way, ``✓`` stored, ``✗`` not sent, and why."""
    name = f"* {shown(us)} " if message.action else f"<{shown(us)}> "
    spans = [Span(f"[{clock(message.at_ms)}] ", "stamp"), Span(name, "own")]
    if message.reply_to is not None:
        answer = f"({quotation(quoted)}) " if quoted is not None else translate("(an answer) ")
        spans.append(Span(answer, "quote"))
    text = shown(message.text)
    if message.state == "failed":
        why = "" if message.error is None else f": {explained(message.error)}"
        return (*spans, Span(text, "own"), Span(f" ✗ {translate('not sent')}{why}", "failed"))
    if message.state == "stored":
        return (*spans, Span(text, "own"), Span(" ✓", "stored"))
    return (*spans, Span(text, "sending"), Span(" …", "sending"))


def plain(line: Line) -> str:
    """Its text alone."""
    return "".join(span.text for span in line)
