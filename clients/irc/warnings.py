"""What is wrong: said by the service in each room that it is about, with the command that ends it."""

from collections.abc import Iterator
from typing import Final

from chatserv.client import (
    ChatError,
    ClientEvent,
    Delivered,
    IdentityChanged,
    MessageReceived,
    ReadMoved,
    RoomHandle,
    SendAcknowledged,
    SendQueued,
)
from chatserv.client.events import Alarm
from clients.irc.channels import about_room
from clients.irc.session import Session
from clients.irc.texts import for_irc, outgoing
from clients.irc.words import find
from clients.shared.event_text import news

_SILENT: Final = (Delivered, ReadMoved, SendAcknowledged, SendQueued)


def tell_warning(session: Session, event: ClientEvent) -> None:
    """Tells something that is neither said nor done by anybody in a room."""
    if isinstance(event, _SILENT):
        return

    def look(room: str, message_id: bytes) -> MessageReceived | None:
        try:
            return find(session.client.room(room), message_id)
        except ChatError:
            return None

    rooms = list(concerned(session, event))
    for line in news(event, look, session.client.user):
        for piece in outgoing(for_irc(line), session.settings.line_bytes):
            for handle in rooms:
                about_room(session, handle, piece)
            if not rooms:
                session.notice(piece)


def concerned(session: Session, event: ClientEvent) -> Iterator[RoomHandle]:
    """The rooms that this client is shown and something is about; of a person, those that they are in."""
    room_id: bytes = getattr(event, "room_id", b"")
    user = event.user if isinstance(event, IdentityChanged | Alarm) else ""
    if not (room_id or user):
        return
    for handle in session.client.handles():
        try:
            shown = not handle.offered and session.shows(handle)
            if shown and (handle.room_id == room_id or (user and not room_id and _holds(handle, user))):
                yield handle
        except ChatError:
            continue


def _holds(handle: RoomHandle, user: str) -> bool:
    return any(member.user == user for member in handle.members())
