"""Commands about people: WHO, WHOIS, AWAY, MONITOR, ISON, USERHOST, ACCEPT."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from chatserv.client import ChatError, MemberView, RoomHandle, translate
from clients.irc.channels import RANKS, place_of
from clients.irc.lines import Line
from clients.irc.names import HOST, SERVER, escaped, source_of, user_of
from clients.irc.session import Session
from clients.irc.talk import our_room

WHOX_ORDER = "tcuihsnfdlaor"
MAX_NICKS = 20
MAX_FOUND = 500


def common(session: Session) -> Iterator[tuple[RoomHandle, MemberView]]:
    """Everybody in every room of ours that we have agreed to."""
    for handle in session.client.handles():
        if not handle.offered:
            for member in handle.members():
                yield handle, member


def absent(session: Session, nick: str, target: str) -> None:
    """Says that somebody is not in a room, or that nobody of this name is known here."""
    if _user(nick) in presence(session):
        session.numeric("441", nick, target, translate("They are not in that room"))
    else:
        session.numeric("401", nick, translate("Nobody of this name is in a room with you"))


def presence(session: Session) -> dict[str, str]:
    """Of everybody whom we share a room with."""
    return {member.user: member.presence for _, member in common(session)}


async def who(session: Session, line: Line) -> None:
    """WHO and WHOX: the members of a room, or one person."""
    target = line.param(0)
    fields, _, token = line.param(1).removeprefix("%").partition(",")
    wanted = fields if line.param(1).startswith("%") else ""
    try:
        if target.startswith("#"):
            handle = our_room(session, target)
            found = [(handle, member) for member in handle.members()]
        elif "*" in target:
            found = _matching(session, target)
        else:
            user = user_of(target)
            found = [(handle, member) for handle, member in common(session) if member.user == user][:1]
    except ChatError:
        found = []
    for handle, member in found:
        room = place_of(session, handle) if target.startswith("#") else "*"
        _tell_who(session, member, room, wanted, token)
    session.numeric("315", target or "*", translate("End of WHO"))


def _matching(session: Session, mask: str) -> list[tuple[RoomHandle, MemberView]]:
    """Whose nick is like that, each once, of those in channels with us: who is known from direct messages is not found."""
    found: dict[str, tuple[RoomHandle, MemberView]] = {}
    for handle, member in common(session):
        if not handle.direct and len(found) < MAX_FOUND and fnmatchcase(escaped(member.user), mask.lower()):
            found.setdefault(member.user, (handle, member))
    return list(found.values())


def _tell_who(session: Session, member: MemberView, room: str, wanted: str, token: str) -> None:
    nick = escaped(member.user)
    flags = ("H" if member.presence == "online" else "G") + RANKS.get(member.role, "")
    if not wanted:
        session.numeric("352", room, nick, HOST, SERVER, nick, flags, f"0 {nick}")
        return
    values = {"t": token or "0", "c": room, "u": nick, "i": "127.0.0.1", "h": HOST, "s": SERVER, "n": nick, "f": flags,
              "d": "0", "l": "0", "a": nick, "o": "n/a", "r": nick}  # fmt: skip
    session.numeric("354", *(values[each] for each in WHOX_ORDER if each in wanted))


async def whois(session: Session, line: Line) -> None:
    """WHOIS: rooms in common, and whether the identity was verified."""
    nick = line.params[-1].split(",")[0]
    try:
        user = user_of(nick)
    except ChatError:
        user = ""
    found = [(handle, member) for handle, member in common(session) if member.user == user]
    if not found:
        session.numeric("401", nick, translate("Nobody of this name is in a room with you"))
    else:
        _tell_whois(session, user, found)
    session.numeric("318", nick, translate("End of WHOIS"))


def _tell_whois(session: Session, user: str, found: list[tuple[RoomHandle, MemberView]]) -> None:
    nick, member = escaped(user), found[0][1]
    rooms = [RANKS.get(each.role, "") + place_of(session, handle) for handle, each in found if not handle.direct]
    trust = {
        "verified": translate("identity verified"),
        "changed": translate("identity CHANGED"),
    }.get(member.trust, translate("identity not verified"))
    session.numeric("311", nick, nick, HOST, "*", nick)
    if rooms:
        session.numeric("319", nick, " ".join(rooms[:40]))
    session.numeric("330", nick, nick, translate("is logged in as"))
    if member.presence != "online":
        session.numeric("301", nick, translate("away") if member.presence == "away" else translate("offline"))
    said = translate("talks end-to-end encrypted; {trust}; devices: {count}")
    session.numeric("671", nick, said.format(trust=trust, count=max(each.devices for _, each in found)))


async def away(session: Session, line: Line) -> None:
    """AWAY: that, and not why."""
    wanted = bool(line.param(0))
    await session.client.set_away(away=wanted)
    if wanted:
        session.numeric("306", translate("You are away; others see that, and not the text"))
    else:
        session.numeric("305", translate("You are no longer away"))


async def monitor(session: Session, line: Line) -> None:
    """MONITOR: watches the presence of people whom we share a room with."""
    sign, nicks = line.param(0).upper(), [nick for nick in line.param(1).split(",") if nick]
    if sign == "+":
        _watch(session, nicks)
    elif sign == "-":
        for nick in nicks:
            session.watched.discard(_user(nick))
    elif sign == "C":
        session.watched.clear()
    elif sign == "L":
        for nick in sorted(session.watched):
            session.numeric("732", escaped(nick))
        session.numeric("733", translate("End of the list"))
    elif sign == "S":
        _tell_presence(session, sorted(session.watched))


def _user(nick: str) -> str:
    try:
        return user_of(nick)
    except ChatError:
        return ""


def _watch(session: Session, nicks: list[str]) -> None:
    limit, found = session.around.bounds.watched, []
    for nick in nicks:
        user = _user(nick)
        if not user:
            continue
        if user not in session.watched and len(session.watched) >= limit:
            session.numeric("734", str(limit), nick, translate("The list is full"))
            break
        session.watched.add(user)
        found.append(user)
    _tell_presence(session, found)


def _tell_presence(session: Session, users: list[str]) -> None:
    known = presence(session)
    for user in users:
        if known.get(user, "offline") == "offline":
            session.numeric("731", escaped(user))
        else:
            session.numeric("730", source_of(user))


async def ison(session: Session, line: Line) -> None:
    """ISON: which of these are there."""
    known = presence(session)
    nicks = [nick for each in line.params for nick in each.split()][:MAX_NICKS]
    session.numeric("303", " ".join(nick for nick in nicks if known.get(_user(nick), "offline") != "offline"))


async def userhost(session: Session, line: Line) -> None:
    """USERHOST: who and where; everybody's host is the same word."""
    known = presence(session)
    found = []
    for nick in line.params[:5]:
        user = _user(nick)
        if user in known:
            found.append(f"{escaped(user)}={'+' if known[user] == 'online' else '-'}{escaped(user)}@{HOST}")
    session.numeric("302", " ".join(found))


async def accept(session: Session, line: Line) -> None:
    """ACCEPT: agrees to direct messages that somebody has begun."""
    if line.param(0) == "*":
        for handle in session.client.handles():
            if handle.offered and handle.direct:
                session.numeric("281", escaped(handle.name[1:]))
        session.numeric("282", translate("End of offers"))
        return
    for nick in line.param(0).split(",")[:MAX_NICKS]:
        try:
            handle = our_room(session, nick)
            if handle.offered:
                handle.accept()
        except ChatError as error:
            session.refuse("ACCEPT", nick, error)
