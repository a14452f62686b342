"""How what happens looks on a line: for people, sanitised, or as JSON for programs."""

import json
from collections.abc import Callable

from chatserv.client import (
    Alarm,
    ClientEvent,
    DeviceAsks,
    DeviceSeen,
    HistoryReceived,
    IdentityChanged,
    KeysBroken,
    explained,
    message_line,
    moment,
    names,
    place,
    quotation,
    room_rule_text,
    rule_text,
    shown,
    translate,
)
from chatserv.client.events import (
    Announced,
    ArchiveFull,
    GapSeen,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessagesExpired,
    MessagesMissing,
    OtherServer,
    PresenceSeen,
    Reacted,
    RetentionChanged,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RoomTitled,
    RotationDone,
    RotationOpen,
    SendDelayed,
    SendFailed,
    SendHeld,
    ServerKeyChanged,
    ServerRestored,
    TypingSeen,
)
from clients.shared.own_text import about_devices
from clients.shared.trouble_text import trouble_text
from clients.shared.trust_text import about_trust

Finder = Callable[[str, bytes], MessageReceived | None]
"""The message of a room with this id, if this device keeps it and it is not too old."""


def readable(message: MessageReceived, *, room: bool = False, quoted: MessageReceived | None = None) -> str:
    """``[HH:MM] <name> text`` in local time; nothing in it can move the cursor or forge a second line."""
    return message_line(message, room=room, quoted=quoted)


def as_json(message: MessageReceived) -> str:
    """One JSON object (ASCII, so that no terminal takes orders from it); ``file`` only where it brings one."""
    file = message.file
    return json.dumps(
        {
            "room": message.room,
            "seq": message.seq,
            "at": message.at_ms,
            "sent": message.sent_ms,
            "sender": message.sender,
            "id": message.message_id.hex(),
            "own": message.own,
            "text": message.text,
            "action": message.action,
            "reply_to": None if message.reply_to is None else message.reply_to.hex(),
            "mentioned": message.mentioned,
            "identity_changed": message.identity_changed,
        }
        | ({} if file is None else {"file": {"name": file.name, "type": file.mime, "size": file.size}})
    )


def news(event: ClientEvent, find: Finder, us: str = "") -> list[str]:
    """Lines about everything that is no message; none for what a line interface does not show.

    Args:
        event: What happened.
        find: Finds messages that it is about.
        us: Our own name.
    """
    match event:
        case MessageEdited() | MessageDeleted() | Reacted():
            return [f"{place(event.room)}: {_about_message(event, find)}"]
        case RoomChanged():
            return [f"{place(event.room)}: {line}" for line in _changes(event)]
        case RoomOffered() | RoomJoined() | RoomLeft() | RoomTitled():
            return [_about_room(event, us)]
        case RoomRewound() | GapSeen() | MessagesExpired() | MessagesMissing() | KeysBroken() | SendHeld():
            return [f"{place(event.room)}: {trouble_text(event, us)}"]
        case ArchiveFull() | RetentionChanged():
            return [_about_keeping(event)]
        case SendFailed() | SendDelayed():
            return [_not_sent(event)]
        case DeviceAsks() | HistoryReceived():
            return about_devices(event)
        case (
            IdentityChanged()
            | DeviceSeen()
            | RotationOpen()
            | RotationDone()
            | ServerKeyChanged()
            | OtherServer()
            | ServerRestored()
            | Alarm()
        ):
            return [about_trust(event, us)]
        case PresenceSeen(user, presence):
            return [_presence(shown(user), presence)]
        case TypingSeen(room=room, user=user):
            return [translate("{user} is typing in {room}").format(user=shown(user), room=place(room))]
        case Announced(text=text):
            said = translate("Announcement from the server's administrators, not end-to-end encrypted: {text}")
            return [said.format(text=shown(text))]
        case _:
            return []


# -- messages ---------------------------------------------------------------------------------------------------------


def _about_keeping(event: ArchiveFull | RetentionChanged) -> str:
    """What this device keeps no longer, or the server."""
    if isinstance(event, RetentionChanged):
        return rule_text(event)
    said = translate(
        "{room}: this device has reached the {limit} messages of a room that it keeps; with each new one the oldest "
        "goes. /keep changes that."
    )
    return said.format(room=place(event.room), limit=event.limit)


def _about_message(event: MessageEdited | MessageDeleted | Reacted, find: Finder) -> str:
    """The message is told by its time, which stands beside it on every screen, or by its beginning."""
    found = find(event.room, event.message_id)
    what = translate("an older message")
    if found is not None:
        what = translate("a message from {user} ({time})").format(user=shown(found.sender), time=moment(found.at_ms))
    match event:
        case MessageEdited(sender=sender, text=text):
            said = translate("{user} edited {message}: {text}")
            if found is not None:
                what = translate("a message ({time})").format(time=moment(found.at_ms))
            return said.format(user=shown(sender), message=what, text=shown(text))
        case MessageDeleted(by=by):
            if found is not None and found.sender == by:
                what = translate("a message ({time})").format(time=moment(found.at_ms))
            return translate("{user} deleted {message}.").format(user=shown(by), message=what)
        case Reacted(sender=sender, emoji=emoji, on=on):
            said = translate("{user} reacted with {emoji} to {message}")
            if not on:
                said = translate("{user} removed {emoji} from {message}")
            if found is not None:
                what = quotation(found)
            return said.format(user=shown(sender), emoji=shown(emoji), message=what)


# -- rooms ------------------------------------------------------------------------------------------------------------


def rules_line(event: RoomChanged) -> str:
    """Who changed the room's rules, and what they say now, as far as that is known."""
    rules = [room_rule_text(name, value) for name, value in event.rules]
    said = translate("{by} changed the room's rules, name or topic.")
    if rules and all(rules):
        said = translate("{by} changed the room's rules.")
    return " ".join([said.format(by=shown(event.by)), *filter(None, rules)])


def _changes(event: RoomChanged) -> list[str]:
    """What a commit did, a line for each kind of change; a new epoch that changes nothing for people is none."""
    texts = {
        "joined": translate("{by} added {users}."),
        "left": translate("{users} left."),
        "kicked": translate("{by} removed {users}."),
        "struck": translate(
            "{users} removed: the server says that the account is gone or has a new identity. {by} only applied that."
        ),
        "banned": translate("{by} banned {users}."),
        "unbanned": translate("{by} unbanned {users}."),
        "muted": translate("{by} muted {users}."),
        "unmuted": translate("{by} unmuted {users}."),
        "owner": translate("{by} changed the role of {users} to owner."),
        "moderator": translate("{by} changed the role of {users} to moderator."),
        "member": translate("{by} changed the role of {users} to member."),
        "devices": translate("{by} updated the list of devices."),
    }
    found = []
    for word, users in event.lines:
        if word == "policy":
            found.append(rules_line(event))
            continue
        text = translate("{users} joined.") if word == "joined" and users == (event.by,) else texts.get(word)
        if text is not None:
            found.append(text.format(by=shown(event.by), users=names(users)))
    return found


def _about_room(event: RoomOffered | RoomJoined | RoomLeft | RoomTitled, us: str) -> str:
    room = place(event.room)
    match event:
        case RoomOffered(room=name, by=by) if name.startswith("@"):
            said = translate("{user} wants to chat with you: /accept {room} or /refuse {room}")
            return said.format(user=shown(by), room=room)
        case RoomOffered(by=by):
            said = translate("{user} invites you to {room}: /accept {room} or /refuse {room}")
            return said.format(user=shown(by), room=room)
        case RoomJoined():
            return translate("You joined {room}.").format(room=room)
        case RoomLeft(closed=True, warned=warned):
            said = translate(
                "{room} is closed, for everybody: whoever runs the server has closed it, or everybody left."
            )
            if warned:
                said = translate(
                    "{room} is closed, for everybody: whoever runs the server has closed it, or everybody left. So the "
                    "server did not hold it back, and the warning about that is void."
                )
            return said.format(room=room)
        case RoomLeft(by=by):
            said = translate("You are no longer in {room}.")
            if by not in {"", us}:
                said = translate("{user} removed you from {room}.")
            return said.format(room=room, user=shown(by))
        case RoomTitled(before=before, topic=topic, by=by):
            said = translate("{user} renamed {before} to {room}; topic: {topic}")
            if before == event.room:
                said = translate("{room}: {user} changed the topic to: {topic}")
            return said.format(user=shown(by), before=place(before), room=room, topic=shown(topic))


# -- people -----------------------------------------------------------------------------------------------------------


def _presence(user: str, presence: str) -> str:
    known = {
        "online": translate("{user} is online"),
        "away": translate("{user} is away"),
        "offline": translate("{user} is offline"),
    }
    return known[presence].format(user=user) if presence in known else f"{user}: {shown(presence)}"


def _not_sent(event: SendFailed | SendDelayed) -> str:
    if isinstance(event, SendFailed):
        return f"{translate('Not sent:')} {explained(event.error)}"
    return f"{place(event.room)}: {explained(event.error)} {translate('Trying again...')}"
