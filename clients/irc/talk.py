"""Commands by which something is said: PRIVMSG, NOTICE, TAGMSG, REDACT, and what is said to the service."""

from typing import Final

from chatserv.client import ChatError, RoomHandle, Sent, explained, is_blank, translate
from chatserv.client.errors import Muted, NotFound, NotMember
from clients.irc.channels import about_room
from clients.irc.lines import Line
from clients.irc.names import SERVICE, SERVICE_SOURCE, room_of, user_of
from clients.irc.refusals import as_seen
from clients.irc.session import Session
from clients.irc.texts import for_irc, incoming, outgoing

_CTCP: Final = "\x01"
_ACTION: Final = "\x01ACTION "
_ID_BYTES: Final = 16
SETTINGS: Final = "set"


def message_id(text: str) -> bytes | None:
    """The id that a ``msgid`` names."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) == _ID_BYTES else None


def our_room(session: Session, target: str) -> RoomHandle:
    """The room of ours that a target means. Raises `NotMember` or `NameInvalid`; `NotFound` for a nick without one."""
    try:
        return session.client.room(room_of(target))
    except NotMember:
        if target.startswith("#"):
            raise
        raise NotFound(target) from None


async def reachable(session: Session, target: str) -> RoomHandle:
    """The same; direct messages are begun where there are none, and agreed to where they were offered."""
    try:
        handle = our_room(session, target)
    except NotFound:
        return await session.client.direct(user_of(target))
    if handle.offered and handle.direct:
        handle.accept()
    return handle


async def privmsg(session: Session, line: Line) -> None:
    """PRIVMSG and NOTICE: a text to rooms and people, or a command to the service."""
    if len(line.params) < 2:
        session.numeric("411" if not line.params else "412", translate("Nothing to send, or nobody to send it to"))
        return
    for target in dict.fromkeys(line.param(0).split(",")[:4]):
        try:
            await _say(session, line, target)
        except ChatError as error:
            session.refuse(line.verb, target, await as_seen(session.client, target, error))


async def _say(session: Session, line: Line, target: str) -> None:
    said = line.param(1)
    if target.lower() == SERVICE:
        await ask_service(session, said)
        return
    action = said.startswith(_ACTION)
    if action:
        said = said.removeprefix(_ACTION).removesuffix(_CTCP)
    elif said.startswith(_CTCP):
        if line.verb != "NOTICE":
            session.notice(translate("CTCP and DCC are not passed on: the other side sees texts only."))
        return
    text = incoming(said)
    if is_blank(text):
        session.numeric("412", translate("No text to send"))
        return
    handle = await reachable(session, target)
    if not handle.direct and handle.offered:
        raise NotMember(target)
    if any(member.user == session.client.user and member.muted for member in handle.members()):
        raise Muted
    reply = message_id(line.tags.get("+reply", "") or line.tags.get("+draft/reply", ""))
    if reply is not None and not _knows(handle, reply):
        reply = None
    sent = handle.send(text, action=action, reply_to=reply)
    sent.addErrback(lambda _: None)  # SendFailed tells it
    echoes = "echo-message" in session.caps
    session.mine(sent.message_id, line.tags.get("label", "") if echoes and "labeled-response" in session.caps else "")
    _look_after(session, handle, target, sent)


def _knows(handle: RoomHandle, reply: bytes) -> bool:
    try:
        handle.find(reply)
    except NotFound:
        return False
    return True


def _look_after(session: Session, handle: RoomHandle, target: str, sent: Sent) -> None:
    """Says where something waits: for a person, or for the server."""
    if handle.held:
        said = translate(
            "waits: an identity has changed. /msg *chatserv verify {user} compares it, trust {user} accepts it"
        )
        session.numeric("404", target, said.format(user=handle.held[0]))
        return
    if session.told_waiting:
        return

    def look() -> None:
        if not sent.called and not session.over and not session.told_waiting:
            session.told_waiting = True
            about_room(session, handle, translate("What you write waits for the server."))

    delayed = session.around.clock.callLater(session.around.bounds.stored_seconds, look)
    sent.addBoth(lambda _: delayed.cancel() if delayed.active() else None)


async def tagmsg(session: Session, line: Line) -> None:
    """TAGMSG: that somebody types, and signs; other tags go nowhere."""
    target = line.param(0)
    if target.lower() == SERVICE:
        return
    handle = our_room(session, target)
    about = message_id(line.tags.get("+reply", "") or line.tags.get("+draft/reply", ""))
    for key, on in (("+draft/react", True), ("+draft/unreact", False)):
        if line.tags.get(key) and about is not None:
            handle.react(about, incoming(line.tags[key]), on=on).addErrback(lambda _: None)
    if line.tags.get("+typing") == "active":
        await handle.typing()


async def redact(session: Session, line: Line) -> None:
    """REDACT: takes a message back."""
    target = line.param(0)
    about = message_id(line.param(1))
    try:
        handle = our_room(session, target)
        if about is None:
            raise NotFound("message")
        handle.delete(about).addErrback(lambda _: None)
    except NotFound as error:
        session.fail("REDACT", "UNKNOWN_MSGID", explained(error), target, line.param(1))
    except NotMember as error:
        session.fail("REDACT", "INVALID_TARGET", explained(error), target)
    except ChatError as error:
        session.fail("REDACT", "REDACT_FORBIDDEN", explained(error), target, line.param(1))


# -- the service ------------------------------------------------------------------------------------------------------


async def ask_service(session: Session, said: str) -> None:
    """A slash command, with or without its slash, and in front of it perhaps the room that it is about."""
    text = incoming(said).strip().lstrip("/")
    slash = session.slash
    try:
        if text.startswith(("#", "@")):
            room, _, text = text.partition(" ")
            handle = session.client.room(room_of(room) if room.startswith("#") else room)
            slash.go(handle)
            text = text.strip().lstrip("/")
        text = text or "help"
        name = text.split(None, 1)[0].lower()
        if name == SETTINGS:
            lines = [_set(session, text)]
        else:
            quotes = slash.find(name).quotes
            lines = await slash.run(f"/{text}")
            lines = lines if quotes else [for_irc(each) for each in lines]
    except ChatError as error:
        lines = [for_irc(explained(error))]
    for each in lines:
        for piece in outgoing(each, session.settings.line_bytes):
            session.tell("PRIVMSG", session.nick, piece, source=SERVICE_SOURCE)


def _set(session: Session, text: str) -> str:
    """``set NAME VALUE``: what the IRC side does as a person likes it."""
    settings, words = session.settings, text.split()
    if len(words) == 3 and settings.set(words[1], words[2]):
        return f"{words[1]} = {words[2]}"
    said = translate(
        "set reactions own|all|none (now {reactions}); set create_on_join no|private|public (now {create}); "
        "set line_bytes 400 to 8000 (now {bytes})"
    )
    return said.format(reactions=settings.reactions, create=settings.create_on_join, bytes=settings.line_bytes)
