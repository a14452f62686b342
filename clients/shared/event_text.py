"""How what happens looks on a line: for people, sanitised, or as JSON for programs."""

import json
from collections.abc import Callable
from typing import Final

from chatserv.client import (
    ALARMS,
    Alarm,
    Blame,
    ClientEvent,
    DeviceSeen,
    IdentityChanged,
    KeysBroken,
    explained,
    message_line,
    moment,
    names,
    place,
    quotation,
    shown,
    translate,
)
from chatserv.client.events import (
    Announced,
    GapSeen,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MessagesMissing,
    PresenceSeen,
    Reacted,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RoomTitled,
    SendDelayed,
    SendFailed,
    SendHeld,
    TypingSeen,
)

Finder = Callable[[str, bytes], MessageReceived | None]
"""The message of a room with this id, if this device keeps it and it is not too old."""

_SHORT_ID_DIGITS: Final = 8


def readable(message: MessageReceived, *, room: bool = False, quoted: MessageReceived | None = None) -> str:
    """``[HH:MM] <name> text`` in local time; nothing in it can move the cursor or forge a second line."""
    return message_line(message, room=room, quoted=quoted)


def as_json(message: MessageReceived) -> str:
    """One JSON object (ASCII, so that no terminal takes orders from it)."""
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
        case RoomRewound() | GapSeen() | MessagesMissing() | KeysBroken() | SendHeld():
            return [f"{place(event.room)}: {_trouble(event, us)}"]
        case SendFailed(error=error):
            return [f"{translate('Not sent:')} {explained(error)}"]
        case SendDelayed(room=room, error=error):
            return [f"{place(room)}: {explained(error)} {translate('Trying again...')}"]
        case IdentityChanged() | DeviceSeen() | Alarm():
            return [about_trust(event)]
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
        "policy": translate("{by} changed the room's rules, name or topic."),
    }
    found = []
    for word, users in event.lines:
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


def _trouble(event: RoomRewound | GapSeen | MessagesMissing | KeysBroken | SendHeld, us: str) -> str:
    match event:
        case RoomRewound():
            return translate("The server lost messages of this room; what is left may be shown again.")
        case GapSeen(first=first, last=last):
            text = translate("Messages missing here: {count}. The server lost or withheld them.")
            return text.format(count=last - first + 1)
        case MessagesMissing(sender=sender, count=count, by="") if sender == us:
            text = translate(
                "Messages of yours that never arrived here, although the server had confirmed them: "
                "{count}. It lost or withheld them; send them again."
            )
            return text.format(count=count)
        case MessagesMissing(sender=sender, count=count, by=by) if by and sender == us:
            text = translate(
                "Messages of yours that {user} did not get, although the server had confirmed them: "
                "{count}. It lost or withheld them, or {user} cannot read them. Ask {user}, and send them "
                "again."
            )
            return text.format(count=count, user=shown(by))
        case MessagesMissing(sender=sender, count=count, by=by) if by:
            text = translate(
                "Messages of {user} are missing ({count}), as {by} says: the server lost or withheld them, or {by} made "
                "them up."
            )
            return text.format(count=count, user=shown(sender), by=shown(by))
        case MessagesMissing(sender=sender, count=count):
            text = translate(
                "Messages of {user} are missing ({count}): the server lost or withheld them, or {user} never sent them."
            )
            return text.format(count=count, user=shown(sender))
        case KeysBroken(by=by):
            text = translate(
                "{user} changed the room with keys that do not work here. The room gets new ones automatically."
            )
            todo = translate("If it happens again, ask {user} why; a moderator can remove them from the room.")
            return f"{text} {todo}".format(user=shown(by))
        case SendHeld(users=users):
            return held_text(users)


def held_text(users: tuple[str, ...]) -> str:
    """Why nothing is sent, and what to do."""
    text = translate(
        "The identity of {users} has changed; nothing is sent until you have checked it. /verify USER "
        "compares it, /trust USER accepts it without comparing."
    )
    return text.format(users=names(users))


# -- people -----------------------------------------------------------------------------------------------------------


def _presence(user: str, presence: str) -> str:
    known = {
        "online": translate("{user} is online"),
        "away": translate("{user} is away"),
        "offline": translate("{user} is offline"),
    }
    return known[presence].format(user=user) if presence in known else f"{user}: {shown(presence)}"


def about_trust(event: IdentityChanged | DeviceSeen | Alarm) -> str:
    """What a person has to know about identities, devices and the server."""
    match event:
        case IdentityChanged(user=user, signed=True):
            said = translate("{user} has a new identity key, signed with the previous one: there is nothing to do.")
            return said.format(user=shown(user))
        case IdentityChanged(user=user, was_verified=verified):
            said = translate("WARNING: {user} has a new identity key: a new account, or somebody in the middle.")
            if verified:
                said = translate(
                    "WARNING: {user}, whom you had verified, has a new identity key. Ask them some other "
                    "way, such as a call."
                )
            return f"{said} {translate('/verify {user} shows it.')}".format(user=shown(user))
        case DeviceSeen(user=user, device_id=device_id):
            text = translate("{user} has a new device: {id}")
            return text.format(user=shown(user), id=device_id.hex()[:_SHORT_ID_DIGITS])
        case Alarm():
            return alarm_text(event)


def alarm_text(event: Alarm) -> str:
    """What happened, who did it, and what to do."""
    kind, user, detail = ALARMS.get(event.what), shown(event.user), f" ({shown(event.detail)})" if event.detail else ""
    if kind is None:
        return f"{translate('ALARM: the server breaks the rules:')} {shown(event.what)}{detail}"
    server = kind.blame is Blame.SERVER
    begin = translate("ALARM: the server breaks the rules:") if server else translate("ALARM:")
    signed = translate("{user} signed it.").format(user=user) if server and user else ""
    return " ".join(filter(None, (begin, f"{kind.explain(user)}{detail}", signed, kind.advise())))
