"""Slash commands about what is said, and about the program."""

from typing import Final

from chatserv.client.events import MessageReceived
from chatserv.client.file_events import FileState
from chatserv.client.outbound.pending import FAILED
from chatserv.client.room_handle import RoomHandle
from chatserv.client.slash.command import SlashCommand, SlashContext, SlashError, refused, shown_lines
from chatserv.client.slash.formatting import date, log_lines, member_line, message_line, word
from chatserv.errors import Forbidden, NotFound
from chatserv.i18n import N_, _

LOG_MESSAGES: Final = 20
MAX_LOG_MESSAGES: Final = 1000
SEARCHED_MESSAGES: Final = 20
MAX_EMOJI_BYTES: Final = 32
_NUMBER_DIGITS: Final = 15  # more is no place in any room
_LAST: Final = "-1"
_INDENT: Final = " " * 8  # behind "[HH:MM] ": no line of a text may look like a message


async def _help(slash: SlashContext, words: list[str]) -> list[str]:
    (name,) = words
    if name:
        command = slash.find(name.removeprefix("/").lower())
        return [f"{command.line}", f"  {_(command.help)}", *(f"  {each}" for each in _hints(command))]
    found = [_("Return sends a line to the room; //text sends /text.")]
    for heading, commands in slash.groups:
        ours = [each for each in commands if each.role != "admin" or slash.client.is_admin]
        found += [f"{_(heading)}:"] if ours else []
        found += [f"  {_summary(each)}" for each in ours]
    return found


def _summary(command: SlashCommand) -> str:
    hints = "".join(f" [{hint}]" for hint in _hints(command))
    return f"{command.line} - {_(command.help)}{hints}"


def _hints(command: SlashCommand) -> list[str]:
    who = {
        "": [],
        "moderator": [_("for moderators and owners of the room")],
        "owner": [_("for owners of the room")],
        "admin": [_("for administrators of the server")],
    }[command.role]
    if not command.warns_clear:
        return who
    if command.name in {"topic", "name"}:
        return [*who, _("not end-to-end encrypted in public rooms: the server can see it")]
    return [*who, _("not end-to-end encrypted: the server can see it")]


async def _quit(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    slash.quit()
    return []


async def _me(slash: SlashContext, words: list[str]) -> list[str]:
    slash.sent(slash.here().send(words[0], action=True))
    return []


def meant(here: RoomHandle, reference: str, *, own: bool) -> MessageReceived:
    """The message that a number or ``-1`` names, the last one of ours if ``own``. Raises `SlashError` where none is."""
    number = reference.isascii() and reference.isdecimal() and len(reference) <= _NUMBER_DIGITS
    if reference != _LAST and not number:
        raise SlashError(_("Which message? Type its number from /log, or -1 for the last one."))
    if own and reference == _LAST and here.waiting():
        raise SlashError(
            _("Your last line is not in this room yet. Wait for it, or give a message's number from /log.")
        )
    try:
        found = here.message(reference, own=own)
    except NotFound:
        if reference == _LAST:
            raise SlashError(_("There is no such message here yet.")) from None
        raise SlashError(_("There is no message {number} here.").format(number=reference)) from None
    return found


def _meant_text(here: RoomHandle, reference: str, *, own: bool) -> MessageReceived:
    found = meant(here, reference, own=own)
    if found.text is None:
        raise SlashError(_("Message {number} has no text here, or was deleted.").format(number=found.seq))
    return found


async def _reply(slash: SlashContext, words: list[str]) -> list[str]:
    here = slash.here()
    reference, text = words
    slash.sent(here.send(text, reply_to=_meant_text(here, reference, own=False).message_id))
    return []


def _not_yours() -> str:
    return _("That message is from somebody else.")


async def _edit(slash: SlashContext, words: list[str]) -> list[str]:
    here = slash.here()
    reference, text = words
    message = _meant_text(here, reference, own=True)
    with refused(Forbidden, _not_yours()):
        slash.sent(here.edit(message.message_id, text))
    return []


async def _delete(slash: SlashContext, words: list[str]) -> list[str]:
    here = slash.here()
    message = meant(here, words[0], own=True)
    said = _("Message {number} was already deleted.").format(number=message.seq)
    with refused(Forbidden, _not_yours()), refused(NotFound, said):
        slash.sent(here.delete(message.message_id))
    return []


def _emoji(text: str) -> str:
    if len(text.encode()) > MAX_EMOJI_BYTES:
        raise SlashError(_("A reaction is one emoji, at most {size} bytes.").format(size=MAX_EMOJI_BYTES))
    return text


async def _react(slash: SlashContext, words: list[str]) -> list[str]:
    here = slash.here()
    reference, emoji = words
    slash.sent(here.react(_meant_text(here, reference, own=False).message_id, _emoji(emoji)))
    return []


async def _unreact(slash: SlashContext, words: list[str]) -> list[str]:
    here = slash.here()
    reference, emoji = words
    slash.sent(here.react(_meant_text(here, reference, own=False).message_id, _emoji(emoji), on=False))
    return []


async def _log(slash: SlashContext, words: list[str]) -> list[str]:
    here, (given,) = slash.here(), words
    count = LOG_MESSAGES
    if given:
        count = int(given) if given.isascii() and given.isdecimal() and len(given) <= _NUMBER_DIGITS else 0
        if not 1 <= count <= MAX_LOG_MESSAGES:
            raise SlashError(_("/log shows 1 to {most} messages.").format(most=MAX_LOG_MESSAGES))
    return log_lines(here, here.history(count)) or [_("Nothing has been said here yet.")]


async def _show(slash: SlashContext, words: list[str]) -> list[str]:
    message = _meant_text(slash.here(), words[0], own=False)
    lines = [] if message.text is None else shown_lines(message.text)
    return [message_line(message, text="").rstrip(), *(f"{_INDENT}{line}".rstrip() for line in lines)]


async def _search(slash: SlashContext, words: list[str]) -> list[str]:
    found = slash.client.search(words[0], limit=SEARCHED_MESSAGES)
    lines = [f"{date(each.at_ms)} {message_line(each, room=True)}" for each in reversed(found)]
    return lines or [_("No message on this device contains these words.")]


def _failed(slash: SlashContext) -> list[bytes]:
    """The texts that are not sent, of the current room. Raises `SlashError` where there is none."""
    found = [each.message_id for each in slash.here().waiting() if each.state == FAILED]
    if not found:
        raise SlashError(_("No message has failed here."))
    return found


async def _resend(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    for message_id in _failed(slash):
        slash.sent(slash.here().resend(message_id))
    return []


async def _discard(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    here = slash.here()
    found = [
        each for each in here.waiting() if each.state == FAILED or (each.file and each.file.state == FileState.PAUSED)
    ]
    if not found:
        raise SlashError(_("No message has failed here, and no file that was sent here is paused."))
    for each in found:
        here.discard(each.message_id)
    return [_("Discarded: {count}.").format(count=len(found))]


async def _who(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    here = slash.here()
    return [member_line(member) for member in (*here.members(), *here.members(banned=True))]


async def _read(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    await slash.here().mark_read()
    return []


async def _typing(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    await slash.here().typing()
    return []


async def _away(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    await slash.client.set_away(away=True)
    return [_("You are now {presence}.").format(presence=word("away"))]


async def _back(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    await slash.client.set_away(away=False)
    return [_("You are now {presence}.").format(presence=word("online"))]


PROGRAM: Final = (
    SlashCommand("help", "[COMMAND]", N_("shows all commands, or explains one"), _help),
    SlashCommand("quit", "", N_("quits the program"), _quit),
)
SAYING: Final = (
    SlashCommand("me", "TEXT", N_("says what you are doing"), _me, room=True),
    SlashCommand(
        "reply", "NUMBER TEXT", N_("replies to a message: its number from /log, or -1 for the last"), _reply, room=True
    ),
    SlashCommand("edit", "NUMBER TEXT", N_("edits a message of yours"), _edit, room=True),
    SlashCommand("delete", "NUMBER", N_("deletes a message of yours; moderators: of anybody"), _delete, room=True),
    SlashCommand("react", "NUMBER EMOJI", N_("reacts to a message"), _react, room=True),
    SlashCommand("unreact", "NUMBER EMOJI", N_("removes your reaction"), _unreact, room=True),
    SlashCommand("log", "[N]", N_("shows the last messages with their numbers"), _log, room=True, quotes=True),
    SlashCommand(
        "show", "NUMBER", N_("shows the whole of a long message, line by line"), _show, room=True, quotes=True
    ),
    SlashCommand("search", "TEXT", N_("searches the messages on this device"), _search, quotes=True),
    SlashCommand("resend", "", N_("sends again what could not be sent here"), _resend, room=True),
    SlashCommand(
        "discard", "", N_("discards what could not be sent here, and files that you have paused"), _discard, room=True
    ),
    SlashCommand("read", "", N_("marks the room as read; its members see it"), _read, room=True, warns_clear=True),
    SlashCommand("typing", "", N_("tells the room that you are typing"), _typing, room=True, warns_clear=True),
)
PRESENT: Final = (SlashCommand("who", "", N_("shows who is in the room, and who is banned"), _who, room=True),)
OURSELVES: Final = (
    SlashCommand("away", "", N_("shows you as away"), _away, warns_clear=True),
    SlashCommand("back", "", N_("shows you as online again"), _back, warns_clear=True),
)
