"""What a person is told of a room that something is wrong with."""

from chatserv.client import KeysBroken, moment, names, shown, translate
from chatserv.client.events import (
    GapSeen,
    MessagesExpired,
    MessagesMissing,
    RoomRewound,
    SendHeld,
    ServerRestored,
)


def trouble_text(
    event: RoomRewound | GapSeen | MessagesExpired | MessagesMissing | KeysBroken | SendHeld, us: str
) -> str:
    """One line about what is missing, broken or held in a room. ``us``: our own name."""
    said = _trouble_text(event, us)
    more = after_restore(event.backup_ms) if isinstance(event, GapSeen | RoomRewound) else ""
    return " ".join(filter(None, (said, more)))


def restored_text(event: ServerRestored) -> str:
    """What a person is told when the server says that it was restored."""
    said = translate("The server says that it was restored on {at} from a backup of {backup}.")
    said = said.format(backup=moment(event.backup_ms), at=moment(event.at_ms))
    if event.mending:
        more = translate(
            "It is getting back what it lacks from people's devices, from this one too; until then it stores nothing. What "
            "you write waits."
        )
    else:
        more = translate(
            "What came between may be missing. Whoever runs the server could say so to hide something: warnings stay "
            "warnings. /accept-restored says more."
        )
    return f"{said} {more}"


def after_restore(backup_ms: int) -> str:
    """What is added to a warning that a restore may be the reason for; empty where the server was never restored."""
    if not backup_ms:
        return ""
    said = translate(
        "The server says that it was restored from a backup of {backup}: that may be the reason, or what somebody says who "
        "hides something. /accept-restored says more."
    )
    return said.format(backup=moment(backup_ms))


def _trouble_text(
    event: RoomRewound | GapSeen | MessagesExpired | MessagesMissing | KeysBroken | SendHeld, us: str
) -> str:
    match event:
        case RoomRewound(stopped=True):
            return translate(
                "The server lost changes of this room that you have seen: nothing can be sent or shown here any more. "
                "Make a new room and invite the others, or ask whoever runs the server."
            )
        case RoomRewound():
            return translate("The server lost messages of this room; what is left may be shown again.")
        case MessagesExpired(first=first, last=last):
            text = translate("Older messages are gone by the server's rule: {count}.")
            return text.format(count=last - first + 1)
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
