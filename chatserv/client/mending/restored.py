"""What the server says of its last restore: it changes the words in which a person is told.

Whoever has the server's key can sign such a thing at any time, so no alarm is left out for it but one, of wraps that went
with what was lost (`LostKeys`), and nothing is believed that would not be without it (docs/crypto.rst 5).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from chatserv.client.events import Alarm, ClientEvent, GapSeen, RoomRewound, ServerRestored
from chatserv.client.state.context import ClientContext
from chatserv.client.state.lost_keys import RESTORED
from chatserv.crypto.restored import Restored, verify_restored
from chatserv.errors import Reject
from chatserv.wire import messages

TOLD: Final = "restored, told"
EXPLAINED: Final = frozenset(
    {
        "log_forked",
        "log_withheld",
        "old_log",
        "room_forked",
        "room_withheld",
        "room_stuck",
        "false_keys",
        "commit_stalled",
        "revocation_withheld",
        "backup_rolled_back",
    }
)
"""Alarms that an honest server may be the reason for, when it was restored."""


class RestoredServer:
    """Remembers the newest restore that the server has signed.

    Args:
        context: What the client's parts share.
    """

    def __init__(self, context: ClientContext) -> None:
        self._context = context
        kept = context.vault.facts.get(RESTORED)
        self.newest = None if kept is None else Restored.decode(kept)

    def colour(self, emit: Callable[[ClientEvent], None]) -> Callable[[ClientEvent], None]:
        """Tells events with the time of the backup, where that may be the reason for them."""

        def told(event: ClientEvent) -> None:
            backup_ms = 0 if self.newest is None else self.newest.backup_ms
            if isinstance(event, GapSeen | RoomRewound) or (isinstance(event, Alarm) and event.what in EXPLAINED):
                event = replace(event, backup_ms=backup_ms)
            emit(event)

        return told

    def hear(self, welcome: messages.Welcome) -> None:
        """A session begins, with a server whose key is known. What does not verify is no statement."""
        if not welcome.restored:
            return
        try:
            said = verify_restored(welcome.restored, welcome.server_key, self._context.server_id)
        except Reject:
            return
        facts = self._context.vault.facts
        if self.newest is None or said.at_ms >= self.newest.at_ms:
            self.newest = said
            facts.put(RESTORED, said.encode())
        word = said.encode() + bytes([welcome.mending])
        if facts.get(TOLD) not in {word, said.encode() + bytes([False])}:
            facts.put(TOLD, word)
            self._context.emit(ServerRestored(said.backup_ms, said.at_ms, welcome.mending))
