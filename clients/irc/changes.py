"""What changes about rooms, as one IRC client is told it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from chatserv.client import (
    ChatError,
    ClientEvent,
    RoomChanged,
    RoomHandle,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomTitled,
    place,
    translate,
)
from clients.irc.channels import MODES, about_room, enter, join, titled
from clients.irc.names import channel_of, escaped, source_of
from clients.irc.session import Session, me
from clients.irc.texts import for_irc, outgoing
from clients.shared.event_text import rules_line

CHANGES: Final = (RoomOffered, RoomJoined, RoomLeft, RoomChanged, RoomTitled)


def changed(session: Session, event: ClientEvent) -> None:
    """A room came, went, or is not what it was."""
    match event:
        case RoomOffered():
            _offered(session, event)
        case RoomJoined(room_id=room_id):
            handle = _ours(session, room_id)
            if handle is not None:
                _show(session, handle)
        case RoomLeft():
            _left(session, event)
        case RoomTitled():
            _titled(session, event)
        case RoomChanged():
            _members(session, event)


def _ours(session: Session, room_id: bytes) -> RoomHandle | None:
    try:
        handle = session.client.room_by_id(room_id)
    except ChatError:
        return None
    return None if handle.offered else handle


def _show(session: Session, handle: RoomHandle) -> None:
    hidden = session.settings.hidden(session.client_name, handle.room_id)
    if not (handle.direct or hidden or handle.room_id in session.joined):
        enter(session, handle)


def _offered(session: Session, event: RoomOffered) -> None:
    if event.room.startswith("@"):
        nick = escaped(event.by)
        session.tell("718", session.nick, nick, f"{nick}@chat", translate("is messaging you: /quote ACCEPT, or answer"))
        return
    channel = channel_of(event.room)
    session.tell("INVITE", session.nick, channel, source=source_of(event.by))


def _left(session: Session, event: RoomLeft) -> None:
    channel = session.joined.pop(event.room_id, None)
    session.ranks.pop(event.room_id, None)
    if channel is None:
        return
    if event.closed:
        session.notice(translate("{room} is closed, for everybody.").format(room=place(event.room)))
    if event.by not in {"", session.client.user}:
        session.tell("KICK", channel, session.nick, escaped(event.by), source=source_of(event.by))
    else:
        session.tell("PART", channel, source=me(session))


def _titled(session: Session, event: RoomTitled) -> None:
    handle = _ours(session, event.room_id)
    if handle is not None:
        titled(session, handle, event.by)


def _members(session: Session, event: RoomChanged) -> None:
    """A commit: each thing that it did as the line that IRC has for it."""
    handle = _ours(session, event.room_id)
    if handle is None or handle.room_id not in session.joined:
        return
    source = source_of(event.by) if event.by else me(session)
    for word, users in event.lines:
        if word == "policy":
            _rules(session, handle, event)
        told = _WAYS.get(word)
        for user in users if told is not None else ():
            if user == session.client.user and word in _OURS:
                continue  # that we came or went is told by an event of its own
            assert told is not None
            told(session, handle, source, user)
    titled(session, handle, event.by)


def _rules(session: Session, handle: RoomHandle, event: RoomChanged) -> None:
    """What the rules say now; IRC has words of its own for another name or topic."""
    rules = tuple((name, value) for name, value in event.rules if name not in {"name", "topic"})
    if rules or not event.rules:
        for piece in outgoing(for_irc(rules_line(replace(event, rules=rules))), session.settings.line_bytes):
            about_room(session, handle, piece)


_Way = Callable[[Session, RoomHandle, str, str], None]


def _joined(session: Session, handle: RoomHandle, source: str, user: str) -> None:  # noqa: ARG001 - as the others
    session.ranks.setdefault(handle.room_id, {})[user] = ""
    join(session, session.joined[handle.room_id], user)
    away = any(member.user == user and member.presence == "away" for member in handle.members())
    if away and "away-notify" in session.caps:
        session.tell("AWAY", "away", source=source_of(user))


def _went(session: Session, handle: RoomHandle, source: str, user: str) -> None:  # noqa: ARG001 - likewise
    session.ranks.get(handle.room_id, {}).pop(user, None)
    session.tell("PART", session.joined[handle.room_id], source=source_of(user))


def _kicked(session: Session, handle: RoomHandle, source: str, user: str) -> None:
    """The reason is not carried; without one IRC has the name of whoever did it."""
    session.ranks.get(handle.room_id, {}).pop(user, None)
    channel = session.joined[handle.room_id]
    session.tell("KICK", channel, escaped(user), source.partition("!")[0], source=source)


def _masked(change: str, mask: str) -> _Way:
    def tell(session: Session, handle: RoomHandle, source: str, user: str) -> None:
        channel = session.joined[handle.room_id]
        session.tell("MODE", channel, change, mask.format(nick=escaped(user)), source=source)

    return tell


def _banned(session: Session, handle: RoomHandle, source: str, user: str) -> None:
    """Whoever was in the room is out of it."""
    _masked("+b", "{nick}!*@*")(session, handle, source, user)
    if user in session.ranks.get(handle.room_id, {}):
        _kicked(session, handle, source, user)


def _ranked(role: str) -> _Way:
    """What somebody is no longer, and what they are now, as far as that was not told yet."""

    def tell(session: Session, handle: RoomHandle, source: str, user: str) -> None:
        ranks = session.ranks.setdefault(handle.room_id, {})
        before, now = ranks.get(user, ""), MODES.get(role, "")
        ranks[user] = now
        change = (f"-{before}" if before else "") + (f"+{now}" if now else "")
        if before != now:
            nicks = [escaped(user)] * (len(change) // 2)
            session.tell("MODE", session.joined[handle.room_id], change, *nicks, source=source)

    return tell


_OURS: Final = frozenset({"joined", "left", "kicked", "struck", "banned"})
_WAYS: Final[Mapping[str, _Way]] = {
    "joined": _joined,
    "left": _went,
    "kicked": _kicked,
    "struck": _kicked,
    "banned": _banned,
    "unbanned": _masked("-b", "{nick}!*@*"),
    "muted": _masked("+b", "m:{nick}"),
    "unmuted": _masked("-b", "m:{nick}"),
    "owner": _ranked("owner"),
    "moderator": _ranked("moderator"),
    "member": _ranked("member"),
}
