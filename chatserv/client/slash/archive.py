"""Slash commands about what this device keeps."""

from pathlib import Path
from typing import Final

from chatserv.client.slash.command import SlashCommand, SlashContext, SlashError, place, refused, shown
from chatserv.client.slash.rule_text import rule_text
from chatserv.client.storage.retention import LEAST_KEPT, MOST_KEPT
from chatserv.errors import Forbidden, NotFound
from chatserv.i18n import N_, _

_NUMBER_DIGITS: Final = 12
_YES: Final = " yes"


async def _keep(slash: SlashContext, words: list[str]) -> list[str]:
    (given,) = words
    if not given:
        said = _("This device keeps the newest messages of each room: {count}.")
        return [said.format(count=slash.client.archive_limit), rule_text(slash.client.server_keeps)]
    wanted = int(given) if given.isascii() and given.isdecimal() and len(given) <= _NUMBER_DIGITS else 0
    if not LEAST_KEPT <= wanted <= MOST_KEPT:
        raise SlashError(_("/keep takes {least} to {most} messages.").format(least=LEAST_KEPT, most=MOST_KEPT))
    gone = slash.client.set_archive_limit(wanted)
    lines = [_("This device keeps the newest messages of each room: {count}.").format(count=wanted)]
    return [*lines, _("Older messages that were removed from it: {count}.").format(count=gone)] if gone else lines


async def _export(slash: SlashContext, words: list[str]) -> list[str]:
    (given,) = words
    file = _file(given.removesuffix(_YES))
    name = shown(str(file))
    if not given.endswith(_YES):
        said = _(
            "{file} will hold what this device keeps of your rooms, and will not be sealed: whoever reads the file reads "
            "the messages, and can prove to others who wrote them. What was edited stays in it as it was first written."
        )
        return [said.format(file=name), _("To do it: /export {file} yes").format(file=name)]
    found = await slash.client.export_history(str(file))
    lines = [_("Messages written to {file}: {count}.").format(file=name, count=found.messages)]
    if found.unproved:
        lines.append(_("Of these without proof of who wrote them: {count}.").format(count=found.unproved))
    return lines


async def _import(slash: SlashContext, words: list[str]) -> list[str]:
    found = await slash.client.import_history(str(_file(words[0])))
    return found.told()


async def _share_history(slash: SlashContext, words: list[str]) -> list[str]:
    if words[0]:
        room = slash.room_named(words[0], consented=True)
        said = _("Only moderators and owners can do that, and where /history is on.")
        with refused(Forbidden, said):
            found = await room.share_history()
        lines = [_("Messages shared in {room}: {count}.").format(room=place(room.name), count=found.messages)]
    else:
        with refused(NotFound, _("You have no other device, or it has not been online yet.")):
            found = await slash.client.devices.share_history()
        lines = [_("Messages shared with your other devices: {count}.").format(count=found.messages)]
    if found.unproved:
        lines.append(_("Left out, as nothing proves who wrote them: {count}.").format(count=found.unproved))
    return lines


def _file(given: str) -> Path:
    """As a person names it, wherever the program that writes it stands."""
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError:  # no such user
        return Path(given).absolute()
    except ValueError:
        raise SlashError(_("No file can be called like that.")) from None


ARCHIVE: Final = (
    SlashCommand("keep", "[N]", N_("shows or sets how many messages of each room this device keeps"), _keep),
    SlashCommand(
        "export", "FILE", N_("writes the messages on this device to a file, for another device of yours"), _export
    ),
    SlashCommand("import", "FILE", N_("reads the messages that another device of yours has exported"), _import),
    SlashCommand(
        "share-history",
        "[ROOM]",
        N_("gives your other devices, or a room's newcomers, what this device keeps, sealed"),
        _share_history,
    ),
)
