"""Slash commands about one's own devices, and those of others."""

from typing import Final

from chatserv.client.device_list import OwnDevice
from chatserv.client.people import DeviceView
from chatserv.client.slash.command import SlashCommand, SlashContext, SlashError, nobody, person, refused, shown
from chatserv.client.slash.formatting import date, moment
from chatserv.client.trust_events import SHORT_ID_DIGITS, short_id
from chatserv.errors import Forbidden, NotFound
from chatserv.i18n import N_, _

_YES: Final = "yes"


async def _devices(slash: SlashContext, words: list[str]) -> list[str]:
    what, given = words
    if what == "rename" and given:
        return await _rename(slash, given)
    if what == "revoke" and given:
        prefix, _space, sure = given.partition(" ")
        return await _revoke(slash, [prefix, sure.strip()])
    if given:
        raise slash.commands["devices"].misused()
    if what:
        return await _of_others(slash, person(what))
    devices = await slash.client.devices.list()
    slash.device_ids = [short_id(device.device_id) for device in devices]
    lines = [_own_line(device) for device in devices]
    waiting = slash.client.devices.rotation_open
    if waiting:
        said = _(
            "The identity key that {devices} had when it was revoked is still in use: start chatserv on a device "
            "that has it, and it gets renewed."
        )
        lines.append(said.format(devices=", ".join(map(shown, waiting))))
    return lines or [_("There is no valid device.")]


async def _of_others(slash: SlashContext, user: str) -> list[str]:
    with refused(NotFound, nobody(user)):
        found = await slash.client.people.devices(user)
    return [_device_line(device) for device in found] or [_("There is no valid device.")]


def _device_line(device: DeviceView) -> str:
    since = _("since {date}").format(date=date(device.created_ms))
    this = f"  {_('(this one)')}" if device.current else ""
    return f"{short_id(device.device_id)}  {shown(device.user)}  {since}{this}"


def _own_line(device: OwnDevice) -> str:
    facts = [_("since {date}").format(date=date(device.created_ms))]
    if device.online:
        facts.append(_("online now"))
    elif device.seen_ms:
        facts.append(_("last seen {moment}").format(moment=moment(device.seen_ms)))
    if device.holds_identity:
        facts.append(_("has your identity key"))
    this = f"  {_('(this one)')}" if device.current else ""
    return f"{short_id(device.device_id)}  {shown(device.name) or '-'}  {', '.join(facts)}{this}"


async def _rename(slash: SlashContext, name: str) -> list[str]:
    await slash.client.devices.rename(name)
    return [_("This device is now called {name}; only your own devices know.").format(name=shown(name))]


async def _revoke(slash: SlashContext, words: list[str]) -> list[str]:
    prefix, sure = words[0].lower(), words[1]
    if sure not in {"", _YES}:
        raise slash.commands["revoke"].misused()
    devices = await slash.client.devices.list()
    found = [each for each in devices if each.device_id.hex().startswith(prefix)]
    if len(found) != 1:
        raise SlashError(
            _("Several of your devices start like that; type more of the id.")
            if found
            else _("None of your devices starts like that; /devices shows them.")
        )
    (device,) = found
    if not sure:
        return [_own_line(device), *_meaning(slash, device, prefix, alone=len(devices) == 1)]
    with refused(Forbidden, _("The server would be left without an administrator: make somebody else one first.")):
        await slash.client.devices.revoke(device.device_id)
    return [_("Revoked: {id}").format(id=short_id(device.device_id)), *_password(device)]


def _password(device: OwnDevice) -> list[str]:
    """What else a device can give away that is not this one."""
    said = _("If whoever has it could know your password, change that too: /password")
    return [] if device.current else [said]


def _meaning(slash: SlashContext, device: OwnDevice, prefix: str, *, alone: bool) -> list[str]:
    """What a person has to know before they revoke a device."""
    lines = []
    if device.may_hold_identity and not alone:
        lines.append(
            _(
                "It has your identity key, or may have it: that gets renewed too, and after that you have to make a new "
                "recovery code."
            )
        )
    if alone and slash.client.account.recovery == "none":
        said = _(
            "This is your ONLY device, and you have no recovery code: nobody, not even you, can log in to your "
            "account after that, and nothing brings it back. /recovery makes a code. To do it anyway: /revoke "
            "{id} yes"
        )
    elif alone:
        said = _(
            "This is your ONLY device: after that, you get back into your account only with your recovery code. "
            "To do it anyway: /revoke {id} yes"
        )
    else:
        lines.extend(_password(device))
        said = _("This device can never log in again and gets no more keys. To do it: /revoke {id} yes")
    return [*lines, said.format(id=device.device_id.hex()[: max(len(prefix), SHORT_ID_DIGITS)])]


DEVICES: Final = (
    SlashCommand(
        "devices",
        "[USER|rename|revoke] [NAME|DEVICE]",
        N_("shows your devices, or those of somebody; renames this one; revokes one"),
        _devices,
    ),
    SlashCommand("revoke", "DEVICE [yes]", N_("revokes a device of yours for good"), _revoke),
)
