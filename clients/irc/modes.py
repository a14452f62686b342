"""MODE: roles, bans and mutes of a room; its rules are told, and changed by the service."""

from collections.abc import Awaitable, Callable
from typing import Final

from chatserv.client import RoomHandle, translate
from clients.irc.lines import Line
from clients.irc.names import escaped, user_of
from clients.irc.people import absent
from clients.irc.session import Session
from clients.irc.talk import our_room

_BAN: Final = "!*@*"
_MUTE: Final = "m:"


async def mode(session: Session, line: Line) -> None:
    """Tells or changes one mode of a room; of oneself there is none."""
    target = line.param(0)
    if not target.startswith("#"):
        if user_of(target) == session.client.user:
            session.numeric("221", "+")
        else:
            session.numeric("502", translate("Modes of others cannot be seen"))
        return
    handle = our_room(session, target)
    change, argument = line.param(1), line.param(2)
    if not change:
        _tell(session, handle, target)
    elif change.lstrip("+") == "b" and not argument:
        _tell_bans(session, handle, target)
    elif len(change) == 2 and change[0] in "+-" and change[1] in "qob" and argument:
        await _change(session, handle, line)
    elif len(change) == 2 and change[0] in "+-" and change[1] in "qo":
        session.numeric("461", "MODE", translate("Not enough parameters"))
    else:
        said = translate(
            "is no mode that can be set here; /msg *chatserv {room} slow, open and history change a room's rules"
        )
        session.numeric("472", change.lstrip("+-")[:1] or "*", said.format(room=target))


def _tell(session: Session, handle: RoomHandle, target: str) -> None:
    modes = "+nt" if handle.public else "+nist"
    if any(member.muted for member in handle.members()):
        modes += "m"
    session.numeric("324", target, modes)


def _tell_bans(session: Session, handle: RoomHandle, target: str) -> None:
    for member in handle.members(banned=True):
        session.numeric("367", target, f"{escaped(member.user)}{_BAN}")
    for member in handle.members():
        if member.muted:
            session.numeric("367", target, f"{_MUTE}{escaped(member.user)}")
    session.numeric("368", target, translate("End of bans"))


async def _change(session: Session, handle: RoomHandle, line: Line) -> None:
    change, argument = line.param(1), line.param(2)
    on = change[0] == "+"
    if change[1] == "b":
        await _ban(session, handle, argument, on=on)
        return
    user = user_of(argument)
    role = {member.user: member.role for member in handle.members()}.get(user)
    if role is None:
        absent(session, argument, line.param(0))
        return
    wanted = {"q": "owner", "o": "moderator"}[change[1]]
    if on:
        await handle.set_role(user, wanted)
    elif role == wanted:
        await handle.set_role(user, "member")


async def _ban(session: Session, handle: RoomHandle, mask: str, *, on: bool) -> None:
    mutes = mask.startswith(_MUTE)
    nick = mask.removeprefix(_MUTE).removesuffix(_BAN)
    if not nick or any(character in nick for character in "!@*"):
        said = translate("Only NICK!*@* and m:NICK: a ban is of an account.")
        session.numeric("472", "b", said)
        session.fail("MODE", "INVALID_MASK", said)
        return
    user = user_of(nick)
    way: dict[tuple[bool, bool], Callable[[], Awaitable[None]]] = {
        (False, True): lambda: handle.ban(user),
        (False, False): lambda: handle.unban(user),
        (True, True): lambda: handle.mute(user),
        (True, False): lambda: handle.mute(user, on=False),
    }
    await way[mutes, on]()
