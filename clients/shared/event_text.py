"""How what happens looks on a line: for people, sanitised, or as JSON for programs."""

import json
from collections.abc import Callable
from typing import Final

from chatserv.client import (
    ALARMS,
    Alarm,
    Announced,
    Blame,
    ClientEvent,
    DeviceSeen,
    GapSeen,
    IdentityChanged,
    KeysBroken,
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
    SendFailed,
    SendHeld,
    TypingSeen,
    explained,
    message_line,
    names,
    place,
    quotation,
    shown,
    translate,
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
        case IdentityChanged() | DeviceSeen() | Alarm():
            return [about_trust(event)]
        case PresenceSeen(user, presence):
            return [f"{shown(user)}: {_presence(presence)}"]
        case TypingSeen(room=room, user=user):
            return [translate("{user} is writing in {room}").format(user=shown(user), room=place(room))]
        case Announced(text=text):
            said = translate("Announcement of the server's administrators, not encrypted end to end: {text}")
            return [said.format(text=shown(text))]
        case _:
            return []


# -- messages ---------------------------------------------------------------------------------------------------------


def _about_message(event: MessageEdited | MessageDeleted | Reacted, find: Finder) -> str:
    found = find(event.room, event.message_id)
    number = "?" if found is None else str(found.seq)
    match event:
        case MessageEdited(sender=sender, text=text):
            said = translate("{user} has changed message {number}: {text}")
            return said.format(user=shown(sender), number=number, text=shown(text))
        case MessageDeleted(by=by):
            return translate("{user} has taken message {number} back.").format(user=shown(by), number=number)
        case Reacted(sender=sender, emoji=emoji, on=on):
            said = translate("{user} puts {emoji} to") if on else translate("{user} takes {emoji} away from")
            what = translate("message {number}").format(number=number) if found is None else quotation(found)
            return f"{said.format(user=shown(sender), emoji=shown(emoji))} {what}"


# -- rooms ------------------------------------------------------------------------------------------------------------


def _changes(event: RoomChanged) -> list[str]:
    """What a commit did, a line for each kind of change; a new epoch that changes nothing for people is none."""
    texts = {
        "joined": translate("{by} has taken in {users}."),
        "left": translate("{users} left."),
        "kicked": translate("{by} has put out {users}."),
        "struck": translate(
            "{users} taken out: the server says that the account is gone, or its identity another one. {by} has only "
            "followed that."
        ),
        "banned": translate("{by} has banned {users}."),
        "unbanned": translate("{by} has lifted the ban of {users}."),
        "muted": translate("{by} has muted {users}."),
        "unmuted": translate("{by} lets {users} write again."),
        "owner": translate("owner now, by {by}: {users}"),
        "moderator": translate("moderator now, by {by}: {users}"),
        "member": translate("plain member now, by {by}: {users}"),
        "devices": translate("{by} has brought the list of devices up to date."),
        "policy": translate("{by} has changed the room's rules, name or topic."),
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
            said = translate("{user} wants to talk with you directly: /accept {room} or /refuse {room}")
            return said.format(user=shown(by), room=room)
        case RoomOffered(by=by):
            said = translate("{user} invites you to {room}: /accept {room} or /refuse {room}")
            return said.format(user=shown(by), room=room)
        case RoomJoined():
            return translate("You are in {room} now.").format(room=room)
        case RoomLeft(by=by):
            said = translate("You are not in {room} any more.")
            if by not in {"", us}:
                said = translate("{user} has put you out of {room}.")
            return said.format(room=room, user=shown(by))
        case RoomTitled(before=before, topic=topic, by=by):
            said = translate("{user} calls {before} {room} now; topic: {topic}")
            if before == event.room:
                said = translate("{room}: {user} says that the topic is: {topic}")
            return said.format(user=shown(by), before=place(before), room=room, topic=shown(topic))


def _trouble(event: RoomRewound | GapSeen | MessagesMissing | KeysBroken | SendHeld, us: str) -> str:
    match event:
        case RoomRewound():
            return translate("the server has lost messages that were here; what is left may be shown again")
        case GapSeen(first=first, last=last):
            text = translate("{count} messages are missing here: the server lost or withheld them.")
            return text.format(count=last - first + 1)
        case MessagesMissing(sender=sender, count=count, by="") if sender == us:
            text = translate(
                "{count} of your messages never came into the room, though the server had confirmed them: it lost or "
                "withheld them. Say them again."
            )
            return text.format(count=count)
        case MessagesMissing(sender=sender, count=count, by=by) if by and sender == us:
            text = translate(
                "{user} had not got {count} of your messages that the server had confirmed: it lost or withheld them, or "
                "{user} cannot open them. Ask {user}, and say them again."
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
            text = translate("The keys of a change by {user} do not open. The room gets new ones by itself.")
            todo = translate("If it happens again, ask {user} for the reason; a moderator can put them out.")
            return f"{text} {todo}".format(user=shown(by))
        case SendHeld(users=users):
            return held_text(users)


def held_text(users: tuple[str, ...]) -> str:
    """Why nothing is sent, and what to do."""
    text = translate(
        "The identity of {users} has changed; nothing is sent until you have looked at it. /verify USER compares it, /trust "
        "USER accepts it without."
    )
    return text.format(users=names(users))


# -- people -----------------------------------------------------------------------------------------------------------


def _presence(presence: str) -> str:
    known = {
        "online": translate("is there"),
        "away": translate("is away"),
        "offline": translate("is not there any more"),
    }
    return known.get(presence, shown(presence))


def about_trust(event: IdentityChanged | DeviceSeen | Alarm) -> str:
    """What a person has to know about identities, devices and the server."""
    match event:
        case IdentityChanged(user=user, signed=True):
            said = translate("{user} has a new identity key, which the one before has signed: nothing to be done.")
            return said.format(user=shown(user))
        case IdentityChanged(user=user, was_verified=verified):
            said = translate("WARNING: {user} has another identity key. A new account, or somebody in the middle.")
            if verified:
                said = translate(
                    "WARNING: {user}, whom you had verified, has another identity key. Ask them by another way."
                )
            return f"{said} {translate('/verify {user} shows it.')}".format(user=shown(user))
        case DeviceSeen(user=user, device_id=device_id):
            text = translate("{user} has another device: {id}")
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
    signed = translate("{user} has signed it.").format(user=user) if server and user else ""
    return " ".join(filter(None, (begin, f"{kind.explain(user)}{detail}", signed, kind.advise())))
