"""How messages, members and rooms look on a line. Nothing in them can move the cursor or forge a second line."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from chatserv.client.events import MessageReceived
from chatserv.client.room_handle import RoomHandle
from chatserv.client.room_view import MemberView
from chatserv.client.slash.command import place, shown
from chatserv.client.slash.file_text import file_text
from chatserv.clocks import now_ms
from chatserv.i18n import N_, _
from chatserv.sanitize import clean_line

FAR_MS: Final = 600_000  # between the server's clock and the sender's
MAX_NAMED: Final = 5  # people in one sentence
QUOTED_CHARACTERS: Final = 40
_WORDS: Final = {
    "owner": N_("owner"),
    "moderator": N_("moderator"),
    "member": N_("member"),
    "banned": N_("banned"),
    "admin": N_("administrator"),
    "user": N_("user"),
    "online": N_("online"),
    "away": N_("away"),
    "offline": N_("offline"),
    "unverified": N_("not verified"),
    "verified": N_("verified"),
    "changed": N_("IDENTITY CHANGED"),
    "unknown": N_("never seen"),
    "address": N_("address"),
    "account": N_("account"),
}


def word(name: str) -> str:
    """A word of the protocol in the language of the person; one that this version does not know as it is."""
    return _(_WORDS[name]) if name in _WORDS else shown(name)


def _local(at_ms: int, style: str, unknown: str) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime(style)
    except (OverflowError, OSError, ValueError):
        return unknown  # the server's word, and no time at all


def clock(at_ms: int) -> str:
    """``HH:MM`` in local time."""
    return _local(at_ms, "%H:%M", "--:--")


def date(at_ms: int) -> str:
    """``YYYY-MM-DD`` in local time."""
    return _local(at_ms, "%Y-%m-%d", "----------")


def moment(at_ms: int, beside_ms: int | None = None) -> str:
    """``HH:MM`` in local time, behind ``YYYY-MM-DD`` where that is another day than ``beside_ms``, by default today."""
    day = date(at_ms)
    return clock(at_ms) if day == date(now_ms() if beside_ms is None else beside_ms) else f"{day} {clock(at_ms)}"


# -- messages ---------------------------------------------------------------------------------------------------------


def message_text(message: MessageReceived) -> str:
    """What it says, behind the file that it brings; or why that is not shown."""
    if message.file is not None and message.text is not None:
        return f"{file_text(message.file)} {shown(message.text)}".rstrip() if message.text else file_text(message.file)
    if message.text is not None:
        return shown(message.text)
    if message.deleted:
        return _("(deleted)")
    if message.unreadable:
        return _("(a message that cannot be read on this device)")
    return _("(a kind of message that this version does not know)")


def doubtful_time(message: MessageReceived) -> str:
    """Says what the sender has signed as the time, where that is far from the server's; empty where the two agree.

    One of the two clocks is wrong, or the server has kept the message back, or tells the time falsely.
    """
    if not message.sent_ms or abs(message.at_ms - message.sent_ms) <= FAR_MS:
        return ""
    return _("(by the sender's clock: {time})").format(time=moment(message.sent_ms, message.at_ms))


def identity_mark(message: MessageReceived) -> str:
    """What stands behind the name of a sender whose identity has changed, or whom nothing proves; for the others nothing."""
    if message.unproved:
        return f" {_('(imported, not proven)')}"
    return f" {_('(identity changed: perhaps not them)')}" if message.identity_changed else ""


def sender_name(message: MessageReceived) -> str:
    """Who has said it, and whether that is in doubt."""
    return shown(message.sender) + identity_mark(message)


def quotation(quoted: MessageReceived | None) -> str:
    """The start of a message that another one is about: ``bob: hello th…``; None where it is not at hand."""
    if quoted is None:
        return _("a reply")
    text = clean_line(quoted.text) if quoted.text else message_text(quoted)
    start = text if len(text) <= QUOTED_CHARACTERS else f"{text[:QUOTED_CHARACTERS].rstrip()}…"
    return f"{sender_name(quoted)}: {shown(start)}"


def message_line(
    message: MessageReceived, *, room: bool = False, quoted: MessageReceived | None = None, text: str | None = None
) -> str:
    """``[HH:MM] <name> text``, or ``[HH:MM] * name text`` for ``/me``, and what became of it since.

    Args:
        message: Which.
        room: Whether to say where it was said.
        quoted: What it answers, where that is at hand.
        text: What stands in the place of what it says, if that is not to be all of it on one line.
    """
    who = f"* {shown(message.sender)}" if message.action else f"<{shown(message.sender)}>"
    who += identity_mark(message)
    where = f"{place(message.room)} " if room else ""
    doubt = doubtful_time(message)
    who += f" {doubt}" if doubt else ""
    answers = "" if message.reply_to is None else f"({quotation(quoted)}) "
    text = message_text(message) if text is None else text
    return f"[{clock(message.at_ms)}] {where}{who} {answers}{text}{marks(message)}"


def log_lines(here: RoomHandle, kept: Iterable[MessageReceived]) -> list[str]:
    """Messages with their numbers, and who has them."""
    kept = list(kept)
    by_id = {message.message_id: message for message in kept}
    found: list[str] = []
    room_id = kept[0].room_id if kept else b""
    for message in kept:
        if message.room_id != room_id:
            found.append(f"── {_('new identity: the conversation begins anew')} ──")
            room_id = message.room_id
        quoted = None if message.reply_to is None else by_id.get(message.reply_to)
        arrived = here.delivered_to(message.message_id) if here.direct and message.own else ()
        mark = "  " + _("(delivered to {users})").format(users=names(sorted(arrived))) if arrived else ""
        found.append(f"{message.seq:>5} {message_line(message, quoted=quoted)}{mark}")
    return found


def marks(message: MessageReceived) -> str:
    """What became of a message: that it was edited, and the signs on it, each behind two spaces."""
    found = [_("(edited)")] if message.edited else []
    found += [f"{shown(emoji)} {names(users)}" for emoji, users in message.reactions]
    return "".join(f"  {mark}" for mark in found)


def names(users: Iterable[str]) -> str:
    """Users in a row."""
    return ", ".join(shown(user) for user in users)


# -- rooms and members -------------------------------------------------------------------------------------------------


def room_line(handle: RoomHandle, *, current: bool) -> str:
    """A room of ours: the current one is marked with a star."""
    star = "*" if current else " "
    if handle.offered:
        where = place(handle.name)
        said = _("invited: /accept {room} or /refuse {room}")
        return f"{star} {where}  {said.format(room=where)}"
    facts = [_("unread: {count}").format(count=handle.unread)] if handle.unread else []
    if not handle.direct:
        facts.append(word(handle.role))
        facts += [_("public")] if handle.public else []
    topic = f"  {shown(handle.topic)}" if handle.topic else ""
    return f"{star} {place(handle.name)}  {', '.join(facts)}".rstrip() + topic


def parting_line(handle: RoomHandle, us: str) -> str:
    """What it costs the owner of a room to leave it, in words; empty for who owns nothing there.

    Args:
        handle: The room.
        us: Our name.
    """
    if handle.role != "owner" or handle.direct or handle.offered:
        return ""
    others = [member for member in handle.members() if member.user != us]
    owners = [member.user for member in others if member.role == "owner"]
    heirs = [member.user for member in others if member.role == "moderator"] or [member.user for member in others]
    if owners:
        said = _("You own {room} together with {users}. When you leave, it is theirs alone.")
    elif len(heirs) == 1:
        said = _(
            "You are the only owner of {room}. When you leave, it goes to {users}, who does not have to give it back."
        )
    elif heirs:
        said = _(
            "You are the only owner of {room}. When you leave, it goes to one of these people, who does "
            "not have to give it back: {users}."
        )
    else:
        said = _("You own {room} and are alone in it.")
    back = _("You can join again later, but only as a member.")
    if not others:
        back = _("When you leave, nobody can ever join it again.")
    elif not handle.public:
        back = _("You can come back only if somebody invites you, and only as a member.")
    shown_users = [*owners, *([] if owners else heirs)][:MAX_NAMED]
    return f"{said.format(room=place(handle.name), users=names(shown_users))} {back}"


def member_line(member: MemberView) -> str:
    """Somebody in a room, or banned from it."""
    if member.role == "banned":
        return f"{shown(member.user)}  {word(member.role)}"
    facts = [word(member.role)]
    facts += [_("muted")] if member.muted else []
    facts += [word(member.presence), word(member.trust)]
    if member.read:
        facts.append(_("has read up to message {number}").format(number=member.read))
    facts.append(_("devices: {count}").format(count=member.devices) if member.devices else _("no device ready yet"))
    return f"{shown(member.user)}  {', '.join(facts)}"
