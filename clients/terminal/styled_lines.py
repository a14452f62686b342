"""What happens as lines of styled text. No line holds anything that a terminal obeys."""

from collections.abc import Iterable
from typing import Final

from chatserv.client import (
    Attachment,
    FileState,
    MessageReceived,
    date,
    file_text,
    message_line,
    message_text,
    place,
    shown,
    shown_lines,
    translate,
)
from clients.shared.dates import day_text
from clients.shared.long_texts import beginning
from clients.shared.sender_colours import sender_colour
from clients.shared.separators import Anew, Day, Separators, Unread, anew_text
from clients.shared.wrapping import indent_for, is_code, is_link, rows

Line = list[tuple[str, str]]
"""Pieces of one line, each with the name of its style; a line break in one begins an indented row (`fitted`)."""

# Colours of senders: each has a contrast of at least 3 to 1 against black and against white (a test computes it).
PALETTE: Final = (
    "#0087d7", "#00875f", "#af5f00", "#af5faf", "#d75f5f", "#5f87af", "#5f8700", "#875fff", "#d700af", "#008787",
    "#d75f00", "#8787af",
)  # fmt: skip
REPLACEMENT: Final = "\ufffd"
_OBEYED: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), REPLACEMENT)
_WHOLE: Final = frozenset(("class:code", "class:link"))


def safe(line: Line) -> Line:
    """The last gate: whatever comes here uncleaned, no control character passes."""
    return [(style, text.translate(_OBEYED)) for style, text in line]


def text_of(line: Line) -> str:
    """The line without its styles."""
    return "".join(text for _style, text in line)


def sender_style(user: str) -> str:
    """The style of a sender: always the same for the same name."""
    return f"class:sender-{sender_colour(user, len(PALETTE))}"


def message_fragments(message: MessageReceived, quoted: MessageReceived | None = None) -> Line:
    """``[HH:MM] <name> text``: the time dim, the name in its colour or bold where it is ours.

    A text of several lines begins below the name; of a long one the beginning is shown, and how to see all of it.
    """
    lines = [message_text(message)] if message.text is None else shown_lines(message.text)
    if message.file is not None and message.text is not None:
        lines = [_file_line(message.file, message.seq), *(lines if message.text else [])]
    said, hidden = beginning("\n".join(lines))
    line = message_line(message, quoted=quoted, text=f"\n{said}" if len(lines) > 1 else said)
    # In front of the name stands the time alone, so the first place where it is found is the right one.
    time, who, text = line.partition(_who(message))
    style = "class:mention" if message.mentioned and not message.own else ""
    pieces = [("class:time", time), ("class:own" if message.own else sender_style(message.sender), who), (style, text)]
    return [*pieces, ("class:time", f"\n{_left_out(message, hidden)}")] if hidden else pieces


def _file_line(file: Attachment, number: int) -> str:
    """A file that came, and how it is saved."""
    how = f"/save {number}" if number >= 1 and file.state != FileState.GONE else ""
    if file.state == FileState.GONE:
        how = translate("no longer there")
    elif how and file.expires_ms:
        how = translate("until {date}: {command}").format(date=date(file.expires_ms), command=how)
    return f"{file_text(file)}  {how}".rstrip()


def _left_out(message: MessageReceived, lines: int) -> str:
    if message.seq < 1:  # a message of before, which has no number here
        return translate("… {count} more lines").format(count=lines)
    return translate("… {count} more lines: /show {number}").format(count=lines, number=message.seq)


def _who(message: MessageReceived) -> str:
    sender = shown(message.sender)
    return f"* {sender}" if message.action else f"<{sender}>"


def news_line(text: str) -> Line:
    """News beside the messages; the text is clean."""
    return told_line(f"-- {text}")


def told_line(line: str) -> Line:
    """News that say so already (`clients.shared.showing`)."""
    return [("class:news", line)]


def output_line(text: str) -> Line:
    """What a command answers; the text is clean. The rows of a QR code are dark on light, whatever the terminal is."""
    return [("class:code" if is_code(text) else "class:link" if is_link(text) else "", text)]


def fitted(line: Line, width: int) -> list[Line]:
    """The rows of a line on a screen, rows that go on indented; codes and links stay whole, to be taken off in one piece."""
    if any(style in _WHOLE for style, _text in line):
        return [line]
    found: list[Line] = []
    for begin, end in rows(text_of(line), width):
        row: Line = [("", " " * indent_for(width))] if found else []
        at = 0
        for style, text in line:
            part = text[max(begin - at, 0) : max(end - at, 0)]
            if part:
                row.append((style, part))
            at += len(text)
        found.append(row)
    return found


def rule(text: str, style: str) -> Line:
    """A line that parts what is above from what is below."""
    return [(style, f"── {text} ──")]


def header(room: str, topic: str) -> Line:
    """Stands where a room is entered."""
    return rule(f"{place(room)}: {shown(topic)}" if topic else place(room), "class:header")


def new_line() -> Line:
    """Stands in front of the first message that was not read."""
    return rule(translate("new"), "class:new")


def separator_line(separator: Day | Anew | Unread) -> Line:
    """What parts messages, as a line."""
    match separator:
        case Unread():
            return new_line()
        case Anew():
            return rule(anew_text(), "class:day")
        case Day(at_ms=at_ms):
            return rule(day_text(at_ms), "class:day")


def conversation(messages: Iterable[MessageReceived], separators: Separators, read: int) -> list[Line]:
    """Kept messages, oldest first, with lines for days, and one in front of the first of others after ``read``."""
    kept = list(messages)
    by_id = {message.message_id: message for message in kept}
    lines: list[Line] = []
    for message in kept:
        lines += [separator_line(each) for each in separators.before(message, read)]
        quoted = None if message.reply_to is None else by_id.get(message.reply_to)
        lines.append(message_fragments(message, quoted))
    return lines
