"""What a run for a script says on standard error beside its work, and when nothing that comes can be trusted any more."""

from collections.abc import Callable
from typing import Final

from chatserv.client import (
    Alarm,
    Client,
    ClientEvent,
    IdentityChanged,
    KeysBroken,
    OtherServer,
    RotationDone,
    RotationOpen,
    ServerKeyChanged,
    place,
    translate,
)
from chatserv.client.errors import NotMember
from chatserv.client.events import GapSeen, MessagesMissing, RoomLeft, RoomRewound, ServerRestored
from clients.shared.event_text import news
from clients.shared.exit_codes import REFUSED, UNTRUSTED, Exit
from clients.shared.startup import tell

_OF_ALL: Final = (Alarm, IdentityChanged, RotationDone, RotationOpen, ServerKeyChanged, OtherServer, ServerRestored)
_OF_ROOM: Final = (GapSeen, MessagesMissing, KeysBroken, RoomRewound, RoomLeft)


class Warnings:
    """Tells of alarms, changed identities, and gaps in the one room that the script is about.

    Args:
        client: Knows the rooms.
        room: Gives the name of that room, or what it was while it was there; empty where it never was.
    """

    def __init__(self, client: Client, room: Callable[[], str]) -> None:
        self._client, self._room = client, room

    def look(self, event: ClientEvent) -> Exit | None:
        """Tells of an event that is a warning; says how to end where nothing more comes, or nothing that can be trusted."""
        room = self._room()
        if isinstance(event, _OF_ALL) or (isinstance(event, _OF_ROOM) and event.room == room):
            for line in news(event, lambda _room, _message_id: None, self._client.user):
                tell(line)
        if self._client.distrusted:
            said = translate(
                "The server is proven to break the rules: nothing more is accepted from it. Keep the "
                "lines above, and ask whoever runs it."
            )
            return Exit(UNTRUSTED, said)
        if isinstance(event, Alarm | RoomRewound) and self._stands_still(room):
            said = translate(
                "{room} is on hold: nothing that arrives can be trusted. Keep the lines above, and ask "
                "whoever runs the server."
            )
            return Exit(UNTRUSTED, said.format(room=place(room)), clean=True)
        return Exit(REFUSED) if isinstance(event, RoomLeft) and event.closed and event.room == room else None

    def _stands_still(self, room: str) -> bool:
        try:
            return bool(room) and self._client.room(room).stands_still
        except NotMember:
            return False
