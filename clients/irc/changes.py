"""What changes about rooms, as one IRC client is told it."""

from collections.abc import Callable
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
    shown,
    translate,
)
from clients.irc.channels import enter, join, titled
from clients.irc.names import channel_of, escaped, source_of
from clients.irc.session import Session, me

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
    if channel is None:
        return
    if event.closed:
        session.notice(translate("{room} is closed, for everybody.").format(room=place(event.room)))
    if event.by not in {"", session.client.user}:
        session.tell("KICK", channel, session.nick, "", source=source_of(event.by))
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
    channel, by = session.joined[handle.room_id], source_of(event.by) if event.by else ""
    source = by or me(session)
    for word, users in event.lines:
        told = _WAYS.get(word)
        for user in users if told is not None else ():
            if user == session.client.user and word in _OURS:
                continue  # that we came or went is told by an event of its own
            assert told is not None
            told(session, channel, source, user)
    titled(session, handle, event.by)


def _mode(change: str, mask: str = "{nick}") -> Callable[[Session, str, str, str], None]:
    def tell(session: Session, channel: str, source: str, user: str) -> None:
        nicks = [mask.format(nick=escaped(user))] * sum(each.isalpha() for each in change)
        session.tell("MODE", channel, change, *nicks, source=source)

    return tell


def _joined(session: Session, channel: str, source: str, user: str) -> None:  # noqa: ARG001 - as the others
    join(session, channel, user)


def _went(session: Session, channel: str, source: str, user: str) -> None:  # noqa: ARG001 - likewise
    session.tell("PART", channel, source=source_of(user))


def _kicked(session: Session, channel: str, source: str, user: str) -> None:
    session.tell("KICK", channel, escaped(user), shown(user), source=source)


def _banned(session: Session, channel: str, source: str, user: str) -> None:
    _kicked(session, channel, source, user)
    _mode("+b", "{nick}!*@*")(session, channel, source, user)


_OURS: Final = frozenset({"joined", "left", "kicked", "struck", "banned"})
_WAYS: Final = {
    "joined": _joined,
    "left": _went,
    "kicked": _kicked,
    "struck": _kicked,
    "banned": _banned,
    "unbanned": _mode("-b", "{nick}!*@*"),
    "muted": _mode("+b", "m:{nick}"),
    "unmuted": _mode("-b", "m:{nick}"),
    "owner": _mode("-o+q"),
    "moderator": _mode("-q+o"),
    "member": _mode("-qo"),
}
