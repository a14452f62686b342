"""Slash commands about files: sending one, saving one, and which of ours the server has."""

from contextlib import suppress
from pathlib import Path
from typing import Final

import platformdirs

from chatserv.client.events import MessageReceived
from chatserv.client.file_events import Attachment, FileState
from chatserv.client.room_handle import RoomHandle
from chatserv.client.slash.command import SlashCommand, SlashContext, SlashError, place, shown
from chatserv.client.slash.file_text import file_text, limits_text, size_text
from chatserv.client.slash.formatting import date
from chatserv.client.slash.talk import meant
from chatserv.i18n import N_, _

RECENT_MESSAGES: Final = 200  # among which /pause looks for files that come
MAX_CANDIDATES: Final = 200  # of paths


def expanded(path: str) -> Path:
    """A path as a person types it, wherever the program that reads it stands. Raises `SlashError`."""
    try:
        return Path(path).expanduser().absolute()
    except (RuntimeError, ValueError):  # no such user; a NUL
        raise SlashError(_("No file can be called like that.")) from None


def downloads() -> Path:
    """Where files are saved if nobody says otherwise: the person's folder for downloads, else their home."""
    found = Path(platformdirs.user_downloads_path())
    return found if found.is_dir() else Path.home()


def checked(slash: SlashContext, path: Path) -> int:
    """How large a file is that may be sent. Raises `SlashError` where it is too large for the server, or there is none."""
    limits = slash.client.file_limits
    if not limits.size:
        raise SlashError(_("This server takes no files."))
    try:
        size = path.stat().st_size
    except OSError:
        raise SlashError(_("There is no file {file}.").format(file=shown(str(path)))) from None
    if size > limits.size:
        said = _("{file} has {size}: too much for this server.")
        raise SlashError(f"{said.format(file=shown(path.name), size=size_text(size))} {limits_text(limits)}")
    return size


async def _file(slash: SlashContext, words: list[str]) -> list[str]:
    here, path = slash.here(), expanded(words[0])
    size = checked(slash, path)
    slash.sent(here.send_file(str(path), words[1]))
    said = _("Sending {file} ({size}).").format(file=shown(path.name), size=size_text(size))
    return [f"{said} {limits_text(slash.client.file_limits)}"]


async def _files(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    ours = await slash.client.files()
    lines = []
    for each in ours.files:
        facts = [size_text(each.size)]
        if each.received < each.size:
            facts.append(_("not complete: {done}").format(done=size_text(each.received)))
        facts.append(_("until {date}").format(date=date(each.expires_ms)))
        where = f"  {place(each.room)}" if each.room else ""
        lines.append(f"{shown(each.name) if each.name else _('(sent from another device)')}  {', '.join(facts)}{where}")
    used = _("The server has {used} of yours, of at most {quota}.")
    lines.append(used.format(used=size_text(ours.used), quota=size_text(ours.quota)))
    limits = slash.client.file_limits
    return [*lines, limits_text(limits)] if limits.size else lines


def _attached(here: RoomHandle, reference: str) -> tuple[MessageReceived, Attachment]:
    found = meant(here, reference, own=False)
    if found.file is None:
        raise SlashError(_("Message {number} brings no file.").format(number=found.seq))
    return found, found.file


async def _save(slash: SlashContext, words: list[str]) -> list[str]:
    here, (reference, given) = slash.here(), words
    message, _file = _attached(here, reference)
    directory = expanded(given) if given else downloads()
    if not directory.is_dir():
        raise SlashError(f"{shown(str(directory))}: {_('no such directory')}")
    path = await here.save_file(message.message_id, str(directory))
    return [_("Saved: {file}").format(file=shown(path))]


async def _pause(slash: SlashContext, words: list[str]) -> list[str]:
    here, (reference,) = slash.here(), words
    if reference:
        message, file = _attached(here, reference)
        moving = [(message.message_id, file)]
    else:
        moving = [(each.message_id, each.file) for each in here.waiting() if each.file is not None]
        moving += [(each.message_id, each.file) for each in here.history(RECENT_MESSAGES) if each.file is not None]
    going = [each for each in moving if each[1].state == FileState.MOVING]
    for message_id, _each in going:
        here.pause_file(message_id)
    if going:
        return [_("Paused: {file}. /pause goes on.").format(file=file_text(file)) for _id, file in going]
    paused = [each for each in moving if each[1].state == FileState.PAUSED]
    for message_id, _each in paused:
        here.resume_file(message_id)
    if not paused:
        raise SlashError(_("No file is on its way here."))
    return [_("Going on: {file}").format(file=file_text(file)) for _id, file in paused]


def paths(begun: str, *, directories: bool) -> list[str]:
    """What a path that begins so may become, in order: directories end with ``/``, hidden files are left out unless begun.

    Args:
        begun: As it is typed; a leading ``~`` is kept.
        directories: Whether only those are wanted.
    """
    head, slash, name = begun.rpartition("/")
    found: list[str] = []
    with suppress(SlashError, OSError):
        for each in expanded(f"{head}{slash}" or ".").iterdir():
            if each.name.startswith(name) and (name.startswith(".") or not each.name.startswith(".")):
                folder = each.is_dir()
                if folder or not directories:
                    found.append(f"{head}{slash}{each.name}{'/' if folder else ''}")
                if len(found) >= MAX_CANDIDATES:
                    break
    return sorted(found)


FILES: Final = (
    SlashCommand("file", "PATH [TEXT]", N_("sends a file; a path with spaces in quotes"), _file, room=True),
    SlashCommand("files", "", N_("shows the files of yours that the server has"), _files),
    SlashCommand("save", "NUMBER [DIRECTORY]", N_("saves the file that a message brings"), _save, room=True),
    SlashCommand("pause", "[NUMBER]", N_("stops a file on its way, and lets it go on"), _pause, room=True),
)
