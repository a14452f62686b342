"""Slash commands about rooms: which there are, coming and going, and their names, topics and rules."""

import contextlib
from typing import Final

from chatserv.client.room_handle import RoomHandle
from chatserv.client.slash.command import SlashCommand, SlashContext, SlashError, nobody, person, place, refused, shown
from chatserv.client.slash.formatting import message_line, parting_line, room_line
from chatserv.client.slash.rule_text import room_rule_text
from chatserv.errors import BadKey, Forbidden, NotFound, NotMember
from chatserv.i18n import N_, _

MAX_TOPIC_BYTES: Final = 1024
_YES: Final = "yes"
MAX_SLOW_SECONDS: Final = 65_535


def changing(slash: SlashContext) -> RoomHandle:
    """The current room, which can be changed. Raises `SlashError` for direct messages, which cannot."""
    here = slash.here()
    if here.direct:
        raise SlashError(_("Direct messages have no name, topic, roles or rules."))
    return here


# -- which there are ---------------------------------------------------------------------------------------------------


async def _switch(slash: SlashContext, words: list[str]) -> list[str]:
    return slash.go(slash.room_named(words[0], consented=True))


async def _public(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    found = await slash.client.public_rooms()
    return [
        f"{place(room.name)}  {_('members: {count}').format(count=room.members)}  {shown(room.topic)}".rstrip()
        for room in found
    ] or [_("There are no public rooms.")]


async def _list(slash: SlashContext, words: list[str]) -> list[str]:  # noqa: ARG001 - a handler
    return [room_line(handle, current=handle.name == slash.room) for handle in slash.handles()] or [
        _("You are not in any room.")
    ]


# -- coming and going --------------------------------------------------------------------------------------------------


def _topic_of(text: str) -> str:
    if len(text.encode()) > MAX_TOPIC_BYTES:
        raise SlashError(_("A topic has at most {size} bytes.").format(size=MAX_TOPIC_BYTES))
    return text


def _new_name(slash: SlashContext, name: str) -> str:
    """A name that no room of ours has. Raises `SlashError`."""
    with contextlib.suppress(NotMember):
        had = slash.client.room(name.removeprefix("#")).name
        raise SlashError(_("You already have a room {room}.").format(room=place(had)))
    return name


async def _create(slash: SlashContext, words: list[str]) -> list[str]:
    name, topic = _new_name(slash, words[0]), words[1]
    handle = await slash.client.create_room(name, topic=_topic_of(topic))
    said = _("{room} is private: only its members know its name and topic; not even the server does.")
    return [said.format(room=place(handle.name)), *slash.go(handle)]


async def _create_public(slash: SlashContext, words: list[str]) -> list[str]:
    name, topic = _new_name(slash, words[0]), words[1]
    handle = await slash.client.create_room(name, public=True, topic=_topic_of(topic))
    said = _("{room} is public: anybody can join, and the server knows its name and topic.")
    return [said.format(room=place(handle.name)), *slash.go(handle)]


async def _join(slash: SlashContext, words: list[str]) -> list[str]:
    (name,) = words
    if name.startswith("@"):
        raise SlashError(_("To send direct messages, use /msg {user}.").format(user=shown(name[1:])))
    with refused(NotFound, _("There is no public room {room}; to a private one, a member has to /invite you.").format(
        room=place(name.removeprefix("#"))
    )):  # fmt: skip
        return slash.go(await slash.client.join(name))


async def _part(slash: SlashContext, words: list[str]) -> list[str]:
    name, sure = words
    if name == _YES and not sure and _YES not in slash.client.rooms:
        name, sure = "", _YES
    if sure not in {"", _YES}:
        raise slash.commands["part"].misused()
    handle = slash.room_named(name) if name else slash.here()
    cost = parting_line(handle, slash.client.user)
    if cost and not sure:
        raise SlashError(f"{cost} {_('To do it: /part {room} yes').format(room=place(handle.name))}")
    return await _leave(slash, handle, _("You cannot leave direct messages."))


async def _leave(slash: SlashContext, handle: RoomHandle, direct: str) -> list[str]:
    room, current = handle.name, handle.name == slash.room
    if handle.direct:
        raise SlashError(direct)
    await handle.leave()
    said = [_("You are no longer in {room}.").format(room=place(room))]
    return said + (slash.go_home() if current else [])


async def _msg(slash: SlashContext, words: list[str]) -> list[str]:
    user, text = person(words[0]), words[1]
    if user == slash.client.keyring.user:
        raise SlashError(_("That is you."))
    try:
        handle = await slash.client.direct(user)
    except NotFound:
        raise SlashError(nobody(user)) from None
    except BadKey:
        raise SlashError(_("No device of {user} is ready yet; try again later.").format(user=shown(user))) from None
    slash.consented(handle)
    said = slash.go(handle)
    if text:
        slash.sent(handle.send(text))
    return said


def _offered(slash: SlashContext, name: str) -> RoomHandle:
    """The room that is meant, or the only one that waits."""
    if name:
        handle = slash.room_named(name)
        if not handle.offered:
            raise SlashError(_("You are already in {room}.").format(room=place(handle.name)))
        return handle
    waiting = [handle for handle in slash.handles() if handle.offered]
    if len(waiting) == 1:
        return waiting[0]
    if not waiting:
        raise SlashError(_("You have no invitations."))
    rooms = ", ".join(place(handle.name) for handle in waiting)
    raise SlashError(_("Which one? Your invitations: {rooms}.").format(rooms=rooms))


async def _accept(slash: SlashContext, words: list[str]) -> list[str]:
    handle = _offered(slash, words[0])
    meanwhile = handle.accept()
    return slash.go(handle) + [message_line(message) for message in meanwhile]


async def _refuse(slash: SlashContext, words: list[str]) -> list[str]:
    handle = _offered(slash, words[0])
    if not handle.direct:
        return await _leave(slash, handle, "")
    name = handle.name
    await handle.refuse()
    return [
        _("Refused. You will not be asked again; to write to them after all, use /msg {user}.").format(
            user=shown(name[1:])
        )
    ]


# -- names, topics, rules ---------------------------------------------------------------------------------------------


def _known(here: RoomHandle) -> list[str]:
    return [_("The server knows name and topic of a public room.")] if here.public else []


def _may_not_title(here: RoomHandle) -> str:
    if here.public:
        return _("Only owners can change the name and topic of a public room.")
    return _("Only moderators and owners can change the name and topic of the room.")


async def _topic(slash: SlashContext, words: list[str]) -> list[str]:
    here, (text,) = slash.here(), words
    if not text:
        return (
            [f"{place(here.name)}: {shown(here.topic)}"]
            if here.topic
            else [_("{room} has no topic.").format(room=place(here.name))]
        )
    with refused(Forbidden, _may_not_title(here)):
        await changing(slash).set_topic(_topic_of(text))
    return _known(here)


async def _name(slash: SlashContext, words: list[str]) -> list[str]:
    here = changing(slash)
    with refused(Forbidden, _may_not_title(here)):
        await here.rename(words[0])
    return _known(here)


async def _slow(slash: SlashContext, words: list[str]) -> list[str]:
    here, (given,) = changing(slash), words
    seconds = int(given) if given.isascii() and given.isdecimal() and len(given) <= len(str(MAX_SLOW_SECONDS)) else -1
    if not 0 <= seconds <= MAX_SLOW_SECONDS:
        raise SlashError(_("/slow takes 0 (off) to {most} seconds.").format(most=MAX_SLOW_SECONDS))
    with refused(Forbidden, _("Only owners of the room can change that.")):
        await here.set_slow(seconds)
    return [room_rule_text("slow_seconds", seconds)]


async def _open(slash: SlashContext, words: list[str]) -> list[str]:
    here, (given,) = changing(slash), words
    if given not in {"on", "off"}:
        raise slash.commands["open"].misused()
    with refused(Forbidden, _("Only owners of the room can change that.")):
        await here.set_open(members_add=given == "on")
    return [room_rule_text("members_add", given == "on")]


async def _history(slash: SlashContext, words: list[str]) -> list[str]:
    here, (given,) = changing(slash), words
    if given not in {"", "on", "off"}:
        raise slash.commands["history"].misused()
    if given:
        with refused(Forbidden, _("Only owners of the room can change that.")):
            await here.set_history(shared=given == "on")
    return [room_rule_text("history", given == "on" if given else here.history_shared)]


COMING: Final = (
    SlashCommand("room", "ROOM", N_("switches to a room: #lobby, or @bob for direct messages"), _switch, switches=True),
    SlashCommand("rooms", "", N_("shows the public rooms of the server"), _public, quotes=True),
    SlashCommand("list", "", N_("shows your rooms, unread messages and invitations"), _list),
    SlashCommand("create", "NAME [TOPIC]", N_("creates a private room"), _create, switches=True),
    SlashCommand(
        "create-public", "NAME [TOPIC]", N_("creates a room that anybody can join"), _create_public,
        warns_clear=True, switches=True,
    ),
    SlashCommand("join", "ROOM", N_("joins a public room"), _join, switches=True),
    SlashCommand("part", "[ROOM] [yes]", N_("leaves this room, or another one"), _part, switches=True),
    SlashCommand("msg", "USER [TEXT]", N_("sends somebody direct messages"), _msg, switches=True),
    SlashCommand("accept", "[ROOM]", N_("accepts an invitation"), _accept, switches=True),
    SlashCommand("refuse", "[ROOM]", N_("refuses an invitation"), _refuse, switches=True),
)  # fmt: skip
RULES: Final = (
    SlashCommand(
        "topic", "[TEXT]", N_("shows or changes the topic of the room"), _topic,
        room=True, role="moderator", warns_clear=True, quotes=True,
    ),
    SlashCommand(
        "name", "NAME", N_("renames the room"), _name, room=True, role="moderator", warns_clear=True
    ),
    SlashCommand(
        "slow", "SECONDS", N_("sets how long members wait between messages; 0: off"), _slow, room=True, role="owner"
    ),
    SlashCommand("open", "on|off", N_("sets whether every member can invite others"), _open, room=True, role="owner"),
    SlashCommand(
        "history", "[on|off]", N_("shows or sets whether newcomers may be given what was said before"), _history,
        room=True, role="owner",
    ),
)  # fmt: skip
