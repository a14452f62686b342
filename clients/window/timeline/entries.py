"""What stands in a conversation: messages, notes of the program, days. And how each looks, as spans of one line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chatserv.client import (
    FileState,
    WaitingMessage,
    clock,
    doubtful_time,
    explained,
    message_text,
    names,
    progress_text,
    quotation,
    shown,
    shown_lines,
    translate,
)
from chatserv.client.events import MessageReceived
from clients.shared.dates import day_text
from clients.shared.links import links
from clients.shared.long_texts import beginning
from clients.shared.sender_colours import sender_colour
from clients.shared.separators import Anew, Day, Unread, anew_text
from clients.window.timeline.file_spans import file_spans
from clients.window.timeline.spans import ROW, Line, Span, plain

SENDER_COLOURS: Final = 8
GOES_ON_MS: Final = 5 * 60_000  # within it, what somebody says goes on without their name
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
class Newer:
    """Here what is old ends; the newest messages are elsewhere."""


Entry = MessageReceived | Note | Day | Anew | Unread | Newer


_NO_BREAK: Final = "\u00a0"
_UNSAID: Final = frozenset({"stamp", "picture", "gap"})  # tags of what is not copied; nor is what can be clicked on


def sender_tag(user: str) -> str:
    """Everybody has one of a few colours, always the same."""
    return f"sender{sender_colour(user, SENDER_COLOURS)}"


Before = Entry | WaitingMessage | None


def goes_on(previous: Before, sender: str, at_ms: int, *, action: bool = False) -> bool:
    """Whether somebody goes on behind this entry: nobody else has said anything, nor the program, and it was just now.

    A text on its way, which is ours, is followed by ours alone.
    """
    if not isinstance(previous, MessageReceived | WaitingMessage) or previous.action or action:
        return False
    if isinstance(previous, MessageReceived) and previous.sender != sender:
        return False
    return 0 <= at_ms - previous.at_ms < GOES_ON_MS


def entry_line(
    entry: Entry,
    previous: Entry | None = None,
    *,
    quoted: MessageReceived | None = None,
    signs: Mapping[str, Sequence[str]] | None = None,
    arrived: Iterable[str] = (),
    whole: bool = False,
    moved: str = "",
    paused: bool = False,
) -> Line:
    """An entry as one line.

    Args:
        entry: Which.
        previous: The one before it: who goes on is not named again.
        quoted: The message that it answers, where that is at hand.
        signs: Who put which emoji to it.
        arrived: Who is known to have it.
        whole: Whether all of a long text is shown.
        moved: How far its file is on its way (`file_spans`).
        paused: See there.
    """
    match entry:
        case Note(text=text, at_ms=at_ms, style=style):
            return *_linked(text, style), Span(f"  {clock(at_ms)}", "stamp")
        case Day(at_ms=at_ms):
            return (Span(day_text(at_ms), "day"),)
        case Anew():
            return (Span(anew_text(), "day"),)
        case Unread():
            return (Span(translate("— new messages —"), "unread"),)
        case Newer():
            return (Span(translate("Newer messages: End"), "unread"),)
        case MessageReceived(sender=sender, at_ms=at_ms, action=action):
            named = not goes_on(previous, sender, at_ms, action=action)
            brought = [] if entry.file is None else file_spans(entry.file, moved, paused=paused)
            return _message(entry, quoted, signs or {}, sorted(arrived), brought, named=named, whole=whole)


def _linked(text: str, tag: str) -> list[Span]:
    """A text with its links."""
    spans, done = [], 0
    for begin, end in links(text):
        spans += [Span(text[done:begin], tag), Span(text[begin:end], tag, link=True)]
        done = end
    return [span for span in (*spans, Span(text[done:], tag)) if span.text]


def _said(text: str, tag: str, *, whole: bool) -> list[Span]:
    """What somebody says, each line in a row of its own; of a long text the beginning, and a place that opens the rest."""
    text, hidden = "\n".join(shown_lines(text)), 0
    if not whole:
        text, hidden = beginning(text)
    spans = _linked(ROW.join(map(_spaced, text.split("\n"))), tag)
    if hidden:
        spans += [Span(ROW, tag), Span(translate("… {count} more lines").format(count=hidden), "fold", act="unfold")]
    return spans


def _spaced(line: str) -> str:
    """Spaces where a row begins are kept by Tk only if they break no line; and so is a row without anything."""
    text = line.lstrip(" ")
    return _NO_BREAK * (len(line) - len(text) or not text) + text


def _head(sender: str, tag: str, at_ms: int, *, action: bool, named: bool) -> list[Span]:
    """Who says it, and when."""
    if action:
        return [Span(f"* {shown(sender)} ", tag)]
    if not named:
        return []
    return [
        Span(shown(sender), tag, head=True), Span(f"  {clock(at_ms)}", "stamp", head=True), Span(ROW, "stamp", head=True)
    ]  # fmt: skip


def _answers(quoted: MessageReceived | None) -> Span:
    return Span(f"│ {quotation(quoted)}{ROW}", "quote")


def _message(
    message: MessageReceived,
    quoted: MessageReceived | None,
    signs: Mapping[str, Sequence[str]],
    arrived: list[str],
    brought: list[Span],
    *,
    named: bool,
    whole: bool,
) -> Line:
    sender = "own" if message.own else sender_tag(message.sender)
    spans = _head(message.sender, sender, message.at_ms, action=message.action, named=named)
    if message.identity_changed:
        spans.append(Span(f"{translate('(identity changed: perhaps not them)')} ", LOUD))
    doubt = doubtful_time(message)
    if doubt:
        spans.append(Span(f"{doubt} ", "mark"))
    if message.reply_to is not None:
        spans.append(_answers(quoted))
    if message.text is None:
        spans.append(Span(message_text(message), "gone"))
    else:
        said = _said(message.text, "mentioned" if message.mentioned else "other", whole=whole)
        spans += [*brought, *([Span(ROW, "other"), *said] if message.text else [])] if brought else said
    if message.edited and message.text is not None:
        spans.append(Span(f" {translate('(edited)')}", "mark"))
    if message.own:
        mark = translate("✓ delivered to {users}").format(users=names(arrived)) if arrived else "✓"
        spans.append(Span(f" {mark}", "stored"))
    if message.action:
        spans.append(Span(f"  {clock(message.at_ms)}", "stamp"))
    for at, (emoji, users) in enumerate(signs.items()):
        spans += [Span(ROW if at == 0 else "  ", "mark"), Span(f" {_sign(emoji)} {names(users)} ", "sign")]
    return tuple(spans)


def _sign(emoji: str) -> str:
    """A sign is any short text that somebody chose: it may neither look like a state nor leave its brackets."""
    text = shown(emoji).translate({ord("["): None, ord("]"): None})
    return text if len(text) <= MAX_SIGN_CHARACTERS else f"{text[: MAX_SIGN_CHARACTERS - 1]}…"


def waiting_line(
    message: WaitingMessage,
    us: str,
    quoted: MessageReceived | None = None,
    previous: Before = None,
    *,
    moved: str = "",
    paused: bool = False,
) -> Line:
    """A text of ours that is not in the room yet: ``…`` on its way, ``✓`` stored, ``✗`` not sent, and why."""
    named = not goes_on(previous, us, message.at_ms, action=message.action)
    spans = _head(us, "own", message.at_ms, action=message.action, named=named)
    if message.reply_to is not None:
        spans.append(_answers(quoted))
    said = _said(message.text, "other" if message.state in {"failed", "stored"} else "sending", whole=True)
    if message.file is not None:
        bar = moved or progress_text(message.done, message.file.size)
        brought = file_spans(message.file, bar, paused=paused or message.file.state == FileState.PAUSED)
        said = [*brought, *([Span(ROW, "other"), *said] if message.text else [])]
    if message.state == "failed":
        why = "" if message.error is None else f": {explained(message.error)}"
        return (*spans, *said, Span(f" ✗ {translate('not sent')}{why}", "failed"))
    if message.state == "stored":
        return (*spans, *said, Span(" ✓", "stored"))
    return (*spans, *said, Span(" …", "sending"))


def copied(entry: Entry | WaitingMessage, line: Line, sender: str) -> str:
    """An entry for the clipboard, in one row that says who and when whatever stands around it.

    Args:
        entry: Which.
        line: How it looks.
        sender: Who has said it, if somebody has.
    """
    said = plain(tuple(_in_brackets(span) for span in line if not span.head and not _unsaid(span))).replace(ROW, " ")
    match entry:
        case MessageReceived(at_ms=at_ms, action=action) | WaitingMessage(at_ms=at_ms, action=action):
            return f"[{clock(at_ms)}] {said}" if action else f"[{clock(at_ms)}] <{shown(sender)}> {said}"
        case Note(at_ms=at_ms):
            return f"[{clock(at_ms)}] {said}"
        case _:
            return said


def _unsaid(span: Span) -> bool:
    return span.tag in _UNSAID or bool(span.act)


def _in_brackets(span: Span) -> Span:
    """Without colours, what others put to a message is told by brackets; signs hold none."""
    if span.tag == "sign":
        return Span(f"[{span.text.strip()}]", span.tag)
    return Span(f"({span.text.rstrip(ROW).removeprefix('│ ')}) ", span.tag) if span.tag == "quote" else span
