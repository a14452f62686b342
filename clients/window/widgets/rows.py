"""Rooms and members as rows of a list."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from chatserv.client import MemberView, RoomHandle, place, shown, translate

MAX_UNREAD: Final = 9999  # more is a plus sign

RANKS: Final = {"": 0, "banned": 0, "member": 1, "moderator": 2, "owner": 3}
_PRESENCE: Final = {"online": "●", "away": "◐", "offline": "○"}
_PRESENCE_ORDER: Final = {"online": 0, "away": 1, "offline": 2}


@dataclass(frozen=True)
class Row:
    """A row. ``key``: what it is about; ``facts``: what stands behind its text; ``tags``: how it looks."""

    key: str
    text: str
    facts: str = ""
    tags: tuple[str, ...] = ()


def room_row(handle: RoomHandle, name: str, *, current: bool, mentioned: bool) -> Row:
    """A room of ours, with what is unread. ``name``: its name, which costs a look at all rooms where it is asked for."""
    if handle.offered:
        return Row(name, place(name), translate("invited"), ("offered",))
    unread = 0 if current else handle.unread
    count = "" if not unread else f"{MAX_UNREAD}+" if unread > MAX_UNREAD else str(unread)
    sign = "@" if mentioned and unread else ""
    tags = ("mentioned",) if sign else ("unread",) if unread else ()
    return Row(name, place(name), f"{sign}{count}", tags)


def member_rows(members: Iterable[MemberView], us: str = "", ignored: Collection[str] = ()) -> list[Row]:
    """Members: who is there first, then by name; who is banned last.

    Args:
        members: Who.
        us: Our own name, which we need not verify.
        ignored: Whom we do not want to hear.
    """
    ordered = sorted(members, key=lambda one: (one.role == "banned", _PRESENCE_ORDER.get(one.presence, 2), one.user))
    return [_member_row(member, us, ignored=member.user in ignored) for member in ordered]


def _member_row(member: MemberView, us: str, *, ignored: bool) -> Row:
    role = {
        "owner": translate("owner"),
        "moderator": translate("moderator"),
        "member": "",
        "banned": translate("banned"),
    }.get(member.role, shown(member.role))
    trust = {"verified": "✓", "changed": translate("IDENTITY CHANGED")}.get(member.trust, "")
    trust = translate("you") if member.user == us else trust
    facts = [
        trust,
        translate("ignored") if ignored else "",
        role,
        translate("muted") if member.muted else "",
    ]  # what matters most may not be cut off
    presence = "✗" if member.role == "banned" else _PRESENCE.get(member.presence, "○")
    tags = ("changed",) if member.trust == "changed" else () if member.presence == "online" else ("faint",)
    return Row(member.user, f"{presence} {shown(member.user)}", ", ".join(filter(None, facts)), tags)


def may_act(ours: str, theirs: str) -> bool:
    """Whether somebody with our role may put out, ban or mute somebody with theirs (docs/rooms.rst 5.2)."""
    return RANKS.get(ours, 0) >= RANKS["moderator"] and RANKS.get(theirs, 0) < RANKS[ours]
