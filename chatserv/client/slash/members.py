"""Slash commands about the members of a room. What they do is a change of the room that everybody in it is told."""

from collections.abc import Awaitable, Callable
from typing import Final

from chatserv.client.room_handle import ROLES, RoomHandle
from chatserv.client.slash.command import (
    Handler,
    SlashCommand,
    SlashContext,
    SlashError,
    nobody,
    person,
    refused,
    shown,
)
from chatserv.client.slash.rooms import changing
from chatserv.errors import NotFound, Quota
from chatserv.i18n import N_, _


async def _invite(slash: SlashContext, words: list[str]) -> list[str]:
    here, user = changing(slash), person(words[0])
    if any(member.user == user and member.devices for member in here.members()):
        raise SlashError(_("{user} is already in the room.").format(user=shown(user)))
    try:
        await here.invite(user)
    except NotFound:
        if all(member.user != user for member in here.members()):
            raise SlashError(nobody(user)) from None
        said = _("{user} is now a member, and joins as soon as a device of theirs is ready.")
        return [said.format(user=shown(user))]
    except Quota:
        said = _("{user} has many unanswered invitations from you. Wait until they answer.")
        raise SlashError(said.format(user=shown(user))) from None
    return []


_YES: Final = "yes"


def _about_member(act: Callable[[RoomHandle, str], Awaitable[None]], *, other: bool = False) -> Handler:
    """A command about somebody who is in the room; ``other``: somebody else."""

    async def handler(slash: SlashContext, words: list[str]) -> list[str]:
        here, user = changing(slash), person(words[0])
        if other:
            _require_another(slash, user)
        with refused(NotFound, _("{user} is not in this room.").format(user=shown(user))):
            await act(here, user)
        return []

    return handler


def _require_another(slash: SlashContext, user: str) -> None:
    if user == slash.client.keyring.user:
        raise SlashError(_("That is you; /part leaves the room."))


async def _ban(slash: SlashContext, words: list[str]) -> list[str]:
    here, user = changing(slash), person(words[0])
    _require_another(slash, user)
    with refused(NotFound, nobody(user)):
        await here.ban(user)
    return []


async def _unban(slash: SlashContext, words: list[str]) -> list[str]:
    here, user = changing(slash), person(words[0])
    with refused(NotFound, _("{user} is not banned from this room.").format(user=shown(user))):
        await here.unban(user)
    return []


async def _role(slash: SlashContext, words: list[str]) -> list[str]:
    here, user, role, sure = changing(slash), person(words[0]), words[1], words[2]
    if role not in ROLES or sure not in {"", _YES}:
        raise slash.commands["role"].misused()
    if user == slash.client.keyring.user and role != here.role and not sure:
        said = _("That is you, and only another owner could undo it. To do it anyway: /role {user} {role} yes")
        return [said.format(user=shown(user), role=role)]
    with refused(NotFound, _("{user} is not in this room.").format(user=shown(user))):
        await here.set_role(user, role)
    return []


MEMBERS: Final = (
    SlashCommand(
        "invite", "USER", N_("invites somebody; if /open is on, every member can"), _invite,
        room=True, role="moderator",
    ),
    SlashCommand(
        "kick", "USER", N_("removes somebody from the room"), _about_member(lambda here, user: here.kick(user), other=True),
        room=True, role="moderator",
    ),
    SlashCommand("ban", "USER", N_("removes somebody for good"), _ban, room=True, role="moderator"),
    SlashCommand("unban", "USER", N_("lifts a ban"), _unban, room=True, role="moderator"),
    SlashCommand(
        "mute", "USER", N_("mutes somebody: they can read but not write"), _about_member(lambda here, user: here.mute(user)),
        room=True, role="moderator",
    ),
    SlashCommand(
        "unmute", "USER", N_("unmutes somebody"), _about_member(lambda here, user: here.mute(user, on=False)),
        room=True, role="moderator",
    ),
    SlashCommand(
        "role", "USER owner|moderator|member [yes]", N_("changes what somebody is allowed to do"), _role,
        room=True, role="owner",
    ),
)  # fmt: skip
