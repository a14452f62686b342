"""Rooms as channels: shown to a client, put away, and who is in them."""

from collections.abc import Iterable

from chatserv.client import MemberView, RoomHandle, translate
from clients.irc.names import SERVER, channel_of, escaped, source_of, target_of
from clients.irc.session import Session, me
from clients.irc.texts import first_words, outgoing
from clients.irc.words import time_tag

RANKS = {"owner": "~", "moderator": "@"}
MODES = {"owner": "q", "moderator": "o"}
MAX_NAMES_BYTES = 400  # of names in one line
TOPIC_CHARACTERS = 1024


def enter(session: Session, handle: RoomHandle) -> None:
    """Shows a room: JOIN, topic, names."""
    channel = channel_of(handle.name)
    session.joined[handle.room_id] = channel
    join(session, channel, session.client.user)
    session.ranks[handle.room_id] = {each.user: MODES.get(each.role, "") for each in handle.members()}
    topic = session.topics[handle.room_id] = topic_line(handle)
    if topic:
        session.numeric("332", channel, topic)
    if "draft/read-marker" in session.caps:
        tell_marker(session, handle)
    if not session.caps & {"no-implicit-names", "draft/no-implicit-names"}:
        tell_names(session, channel, handle.members())


def join(session: Session, channel: str, user: str) -> None:
    """Somebody is in a channel."""
    more = (escaped(user), escaped(user)) if "extended-join" in session.caps else ()
    if user == session.client.user:
        session.answer("JOIN", channel, *more, source=me(session))
    else:
        session.tell("JOIN", channel, *more, source=source_of(user))


def put_away(session: Session, handle: RoomHandle) -> None:
    """Hides a room from this client, and remembers that."""
    channel = session.joined.pop(handle.room_id, channel_of(handle.name))
    session.ranks.pop(handle.room_id, None)
    session.settings.hide(session.client_name, handle.room_id)
    session.answer("PART", channel, source=me(session))


def topic_line(handle: RoomHandle) -> str:
    """The topic on one line."""
    return first_words(" ".join(outgoing(handle.topic, 8000)).strip(), TOPIC_CHARACTERS) if handle.topic else ""


def tell_topic(session: Session, handle: RoomHandle) -> None:
    """The topic, or that there is none."""
    topic = topic_line(handle)
    if topic:
        session.numeric("332", channel_of(handle.name), topic)
    else:
        session.numeric("331", channel_of(handle.name), translate("No topic"))


def ranked(session: Session, member: MemberView) -> str:
    """A nick with its rank in front."""
    nick = escaped(member.user)
    if "userhost-in-names" in session.caps:
        nick = source_of(member.user)
    return RANKS.get(member.role, "") + nick


def tell_names(session: Session, channel: str, members: Iterable[MemberView]) -> None:
    """353 and 366."""
    line: list[str] = []
    size = 0
    for each in (ranked(session, member) for member in members):
        size += len(each.encode()) + 1
        if line and size > MAX_NAMES_BYTES:
            session.numeric("353", "=", channel, " ".join(line))
            line, size = [], len(each.encode()) + 1
        line.append(each)
    if line:
        session.numeric("353", "=", channel, " ".join(line))
    session.numeric("366", channel, translate("End of names"))


def titled(session: Session, handle: RoomHandle, by: str) -> None:
    """Name or topic may be other ones; tells what is."""
    before = session.joined.get(handle.room_id)
    if before is None or handle.direct:
        return
    if before != channel_of(handle.name):
        renamed(session, handle, before, by)
    topic = topic_line(handle)
    if topic != session.topics.get(handle.room_id, ""):
        session.topics[handle.room_id] = topic
        session.tell("TOPIC", session.joined[handle.room_id], topic, source=source_of(by))


def renamed(session: Session, handle: RoomHandle, before: str, by: str) -> None:
    """A room has another name."""
    after = channel_of(handle.name)
    if "draft/channel-rename" in session.caps:
        session.joined[handle.room_id] = after
        session.tell("RENAME", before, after, "", source=source_of(by))
        return
    session.tell("PART", before, translate("renamed to {room}").format(room=after), source=me(session))
    enter(session, handle)


def tell_marker(session: Session, handle: RoomHandle) -> None:
    """How far the room was read."""
    seen = handle.history(1, before=handle.read + 1)
    session.answer("MARKREAD", place_of(session, handle), f"timestamp={time_tag(seen[0].at_ms)}" if seen else "*")


def place_of(session: Session, handle: RoomHandle) -> str:
    """Where something about a room is said: its channel as the client knows it, or the other's nick."""
    return session.joined.get(handle.room_id) or target_of(handle.name)


def about_room(session: Session, handle: RoomHandle, text: str) -> None:
    """The service says something in a room; of direct messages so that it stands in their window."""
    if not handle.direct:
        if handle.room_id in session.joined:
            session.notice(text, session.joined[handle.room_id])
        return
    session.notice(f"*chatserv: {text}", source=f"{target_of(handle.name)}!{SERVER}@{SERVER}")
