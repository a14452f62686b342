"""What a run for a script says on standard error beside its work, and when nothing that comes can be trusted any more."""

from collections.abc import Callable
from typing import Final

from chatserv.client import Alarm, Client, ClientEvent, IdentityChanged, KeysBroken, place, translate
from chatserv.client.errors import NotMember
from chatserv.client.events import GapSeen, MessagesMissing, RoomLeft, RoomRewound
from clients.shared.event_text import news
from clients.shared.exit_codes import UNTRUSTED, Exit
from clients.shared.startup import tell

_OF_ROOM: Final = (GapSeen, MessagesMissing, KeysBroken, RoomRewound, RoomLeft)


class Warnings:
    """Tells of alarms, changed identities, and gaps in the one room that the script is about.

    Args:
        client: Knows the rooms.
        room: Gives the name of that room; empty while it is not there.
    """

    def __init__(self, client: Client, room: Callable[[], str]) -> None:
        self._client, self._room = client, room
        self._last = ""  # what the room was called while it was there

    def look(self, event: ClientEvent) -> Exit | None:
        """Tells of an event that is a warning; says how to end where nothing can be trusted after it."""
        self._last = self._room() or self._last
        if isinstance(event, Alarm | IdentityChanged) or (isinstance(event, _OF_ROOM) and event.room == self._last):
            for line in news(event, lambda _room, _message_id: None, self._client.user):
                tell(line)
        if self._client.distrusted:
            said = translate(
                "The server is proven to break the rules: nothing more is accepted from it. Keep the "
                "lines above, and ask whoever runs it."
            )
            return Exit(UNTRUSTED, said)
        if isinstance(event, Alarm | RoomRewound) and self._stands_still():
            said = translate(
                "{room} is on hold: nothing that arrives can be trusted. Keep the lines above, and ask "
                "whoever runs the server."
            )
            return Exit(UNTRUSTED, said.format(room=place(self._last)), clean=True)
        return None

    def _stands_still(self) -> bool:
        try:
            return bool(self._last) and self._client.room(self._last).stands_still
        except NotMember:
            return False
