"""What happens, as one IRC client is told it."""

from typing import Final

from chatserv.client import (
    Announced,
    ChatError,
    ClientEvent,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PresenceSeen,
    Reacted,
    RoomHandle,
    SendFailed,
    Status,
    StatusChanged,
    TypingSeen,
    explained,
    translate,
)
from clients.irc.changes import CHANGES, changed
from clients.irc.channels import about_room, place_of
from clients.irc.names import escaped, source_of
from clients.irc.refusals import numeric_for
from clients.irc.replay import Replay
from clients.irc.session import Session
from clients.irc.texts import first_words
from clients.irc.warnings import tell_warning
from clients.irc.words import find, message_words, tags_of, way

AWAY: Final = {"away": "away", "offline": "offline"}


class Events:
    """Tells one session.

    Args:
        session: The IRC client.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._replay = Replay(session)

    def happened(self, event: ClientEvent) -> None:
        """Something happened."""
        session = self._session
        if session.over:
            return
        match event:
            case MessageReceived():
                self._message(event)
            case MessageEdited() | MessageDeleted() | Reacted():
                self._later(event)
            case SendFailed():
                self._failed(event)
            case PresenceSeen():
                self._presence(event)
            case TypingSeen():
                self._typing(event)
            case Announced(text=text):
                said = translate("From the server's administrators, not end-to-end encrypted: {text}")
                session.notice(said.format(text=first_words(text, 2000)))
            case StatusChanged():
                self._status(event)
            case _ if isinstance(event, CHANGES):
                changed(session, event)
            case _:
                tell_warning(session, event)

    def _handle(self, room_id: bytes) -> RoomHandle | None:
        """A room that this client is shown."""
        try:
            handle = self._session.client.room_by_id(room_id)
            return handle if not handle.offered and self._session.shows(handle) else None
        except ChatError:
            return None

    # -- what is said --------------------------------------------------------------------------------------------------

    def _message(self, message: MessageReceived) -> None:
        session = self._session
        handle = self._handle(message.room_id)
        label = session.own.pop(message.message_id, None)
        if handle is None or self._replay.take(message):
            return
        if message.own and not self._wants_own(message, spoken_here=label is not None):
            return
        words = message_words(session, message, handle)
        for at, (verb, params, source, tags) in enumerate(words):
            more = {"label": label} if label and not at else {}
            session.tell(verb, *params, source=source, tags={**more, **tags})

    def _wants_own(self, message: MessageReceived, *, spoken_here: bool) -> bool:
        """Our own words: whoever spoke has them; others see them in rooms, and else where they know whose they are."""
        caps = self._session.caps
        if spoken_here:
            return "echo-message" in caps
        return not message.room.startswith("@") or bool(caps & {"echo-message", "znc.in/self-message"})

    def _later(self, event: MessageEdited | MessageDeleted | Reacted) -> None:
        """Something became of a message."""
        session = self._session
        handle = self._handle(event.room_id)
        if handle is None:
            return
        found = find(handle, event.message_id)
        sender = event.by if isinstance(event, MessageDeleted) else event.sender
        plain = not (handle.direct or isinstance(event, Reacted | MessageDeleted))  # an edit in a room is a text
        if sender == session.client.user and not plain and "echo-message" not in session.caps:
            return
        source, target = way(session, event.room, sender)
        tags = tags_of(sender, event.at_ms, reply_to=event.message_id)
        about = first_words("" if found is None or found.text is None else found.text)
        match event:
            case MessageEdited():
                if found is None:
                    return
                for verb, params, source_, tags_ in message_words(session, found, handle, edited=True):
                    session.tell(verb, *params, source=source_, tags=tags_)
            case MessageDeleted(message_id=message_id):
                if "draft/message-redaction" in session.caps:
                    del tags["+reply"], tags["+draft/reply"]
                    session.tell("REDACT", target, message_id.hex(), source=source, tags=tags)
                    return
                said = translate("deletes a message")
                session.tell("NOTICE", target, said, source=source, tags=tags)
            case Reacted(emoji=emoji, on=on):
                sign = first_words(emoji, 16)
                if "message-tags" in session.caps:
                    react = "+draft/react" if on else "+draft/unreact"
                    session.tell("TAGMSG", target, source=source, tags={**tags, react: sign})
                wanted = session.settings.reactions
                if wanted == "all" or (wanted == "own" and found is not None and found.own):
                    said = translate('reacts {emoji} to "{text}"') if on else translate('takes {emoji} off "{text}"')
                    session.tell("NOTICE", target, said.format(emoji=sign, text=about), source=source, tags=tags)

    def _failed(self, event: SendFailed) -> None:
        session = self._session
        label = session.own.pop(event.message_id, None)
        if label is None:
            return
        handle = self._handle(event.room_id)
        if handle is None:
            return
        target = place_of(session, handle)
        waiting = [each for each in handle.waiting() if each.message_id == event.message_id]
        text = first_words(waiting[0].text) if waiting else ""
        code = numeric_for(event.error, target) or "404"
        session.tell(code, session.nick, target, explained(event.error), tags={"label": label} if label else {})
        said = translate('Not sent: "{text}". /msg *chatserv {room} resend, or discard')
        about_room(session, handle, said.format(text=text, room=handle.name if handle.direct else f"#{handle.name}"))

    # -- people --------------------------------------------------------------------------------------------------------

    def _presence(self, event: PresenceSeen) -> None:
        session = self._session
        nick = escaped(event.user)
        if "away-notify" in session.caps and event.user != session.client.user:
            why = AWAY.get(event.presence, "")
            session.tell("AWAY", *([why] if why else []), source=source_of(event.user))
        if event.user in session.watched:
            if event.presence == "offline":
                session.tell("731", session.nick, nick)
            else:
                session.tell("730", session.nick, source_of(event.user))

    def _typing(self, event: TypingSeen) -> None:
        session = self._session
        handle = self._handle(event.room_id)
        if handle is not None and "message-tags" in session.caps and event.user != session.client.user:
            source, target = way(session, event.room, event.user)
            session.tell("TAGMSG", target, source=source, tags={"+typing": "active", "account": escaped(event.user)})

    # -- the connection ------------------------------------------------------------------------------------------------

    def _status(self, event: StatusChanged) -> None:
        session = self._session
        match event.status:
            case Status.OFFLINE if not session.told_offline:
                session.told_offline = True
                session.notice(translate("The server cannot be reached; this program goes on trying."))
            case Status.ONLINE:
                if session.told_offline:
                    session.notice(translate("Connected again."))
                session.told_offline = session.told_waiting = False
            case Status.FAILED:
                error = event.error
                why = explained(error) if isinstance(error, ChatError) else translate("Connection lost.")
                session.notice(why)
