"""Commands about rooms: JOIN, PART, TOPIC, KICK, INVITE, NAMES, LIST, RENAME."""

from chatserv.client import ChatError, NotMember, RoomHandle, explained, is_blank, names, translate
from chatserv.client.errors import NotFound
from clients.irc.channels import enter, place_of, put_away, tell_names, tell_topic
from clients.irc.lines import Line
from clients.irc.names import channel_of, escaped, room_of, user_of
from clients.irc.people import absent
from clients.irc.session import Session
from clients.irc.talk import our_room
from clients.irc.texts import first_words, incoming

MAX_TARGETS = 20


async def join_rooms(session: Session, line: Line) -> None:
    """JOIN: shows a room, agrees to one that is offered, or joins a public one. Keys are ignored."""
    if line.param(0) == "0":
        session.notice(translate("No room is left by accident: /msg *chatserv part #room leaves one for good."))
        return
    for target in line.param(0).split(",")[:MAX_TARGETS]:
        try:
            await _join(session, target)
        except NotFound:
            said = translate("There is no public room of this name; somebody who is in a private one can invite you")
            session.numeric("403", target, said)
        except ChatError as error:
            session.refuse("JOIN", target, error)


async def _join(session: Session, target: str) -> None:
    if not target.startswith("#"):
        raise NotFound(target)
    name = room_of(target)
    try:
        handle = session.client.room(name)
    except NotMember:
        handle = await _new(session, name)
    if handle.offered:
        handle.accept()
    session.settings.show(session.client_name, handle.room_id)
    if handle.room_id not in session.joined:
        enter(session, handle)


async def _new(session: Session, name: str) -> RoomHandle:
    try:
        return await session.client.join(name)
    except NotFound:
        wanted = session.settings.create_on_join
        if wanted == "no":
            raise
        return await session.client.create_room(name, public=wanted == "public")


async def part(session: Session, line: Line) -> None:
    """PART: puts a room away from this client; the account stays in it."""
    for target in line.param(0).split(",")[:MAX_TARGETS]:
        try:
            handle = our_room(session, target)
            if handle.room_id not in session.joined:
                raise NotMember(target)
            put_away(session, handle)
            said = translate(
                "{room} is hidden from this client, and you are still in it: /join shows it, and /msg *chatserv {room} part "
                "leaves for good."
            )
            session.notice(said.format(room=channel_of(handle.name)))
        except ChatError as error:
            session.refuse("PART", target, error)


async def topic(session: Session, line: Line) -> None:
    """TOPIC: tells it, or says what a room is about."""
    handle = our_room(session, line.param(0))
    if len(line.params) < 2:
        tell_topic(session, handle)
    else:
        await handle.set_topic("" if is_blank(line.param(1)) else incoming(line.param(1)))


async def kick(session: Session, line: Line) -> None:
    """KICK: puts people out. The reason is not carried."""
    handle = our_room(session, line.param(0))
    for nick in line.param(1).split(",")[:4]:
        if not any(member.user == user_of(nick) for member in handle.members()):
            absent(session, nick, line.param(0))
        else:
            await handle.kick(user_of(nick))


async def invite(session: Session, line: Line) -> None:
    """INVITE: takes somebody in; others see them in the room at once, and they are asked before they see anything."""
    user, target = user_of(line.param(0)), line.param(1)
    handle = our_room(session, target)
    if any(member.user == user for member in handle.members()):
        session.numeric("443", line.param(0), target, translate("is in that room already"))
        return
    try:
        await handle.invite(user)
    except NotFound as error:
        if not any(member.user == user for member in handle.members()):
            session.numeric("401", line.param(0), explained(error))
            return
        session.notice(translate("{user}: no device is ready yet; it comes in by itself").format(user=names([user])))
    session.numeric("341", escaped(user), place_of(session, handle))


async def names_of(session: Session, line: Line) -> None:
    """NAMES: who is in a room; of no room, nothing."""
    if not line.params:
        session.numeric("366", "*", translate("End of names"))
        return
    for target in line.param(0).split(",")[:MAX_TARGETS]:
        try:
            handle = our_room(session, target)
            tell_names(session, place_of(session, handle), handle.members())
        except ChatError:
            session.numeric("366", target, translate("End of names"))


async def list_rooms(session: Session, line: Line) -> None:  # noqa: ARG001 - what it asks for is answered with all
    """LIST: the server's public rooms."""
    rooms = await session.client.public_rooms()
    session.numeric("321", "Channel", "Users  Name")
    for room in rooms:
        session.numeric("322", channel_of(room.name), str(room.members), first_words(room.topic, 300))
    session.numeric("323", translate("End of list"))


async def rename(session: Session, line: Line) -> None:
    """RENAME, of clients that know it."""
    if "draft/channel-rename" not in session.caps:
        session.numeric("421", "RENAME", translate("Unknown command"))
        return
    await our_room(session, line.param(0)).rename(room_of(line.param(1)))
