"""Keys of rooms that went with what a restored server has lost: nobody has kept their wraps, so the room needs new ones.

Whoever has the server's key can say at any time that it was restored. So that excuses a missing wrap only for the epochs in
which rooms were when this device first had everything after it, and never a wrap that is another one than the commit
names; and the person is told of each such statement.
"""

from collections.abc import Iterable
from typing import Final

from chatserv.client.state.room import Room
from chatserv.client.storage.facts import Facts
from chatserv.crypto.encoding import u32
from chatserv.crypto.restored import Restored

RESTORED: Final = "restored"  # the newest statement of a restore, without its signature
EPOCHS: Final = "restored, epochs"  # a statement, and for each room its id and u32 epoch
STATEMENT_BYTES: Final = 88
CLOCKS_MS: Final = 3_600_000  # by so much this device's clock and the server's may differ
_ENTRY_BYTES: Final = 20


class LostKeys:
    """Knows in which rooms wraps may have gone with a restore.

    Args:
        facts: Where that is remembered.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        kept = facts.get(EPOCHS) or b""
        entries = kept[STATEMENT_BYTES:]
        self._told = kept[:STATEMENT_BYTES]
        self._epochs = {
            entries[at : at + 16]: int.from_bytes(entries[at + 16 : at + _ENTRY_BYTES], "big")
            for at in range(0, len(entries), _ENTRY_BYTES)
        }

    def caught_up(self, rooms: Iterable[Room]) -> None:
        """All that was missing has come: what begins from now on, no restore of before explains."""
        said = self._facts.get(RESTORED)
        if said is None or said == self._told:
            return
        self._told, self._epochs = said, {room.room_id: room.row.epoch for room in rooms if room.row is not None}
        self._facts.put(EPOCHS, said + b"".join(room_id + u32(epoch) for room_id, epoch in self._epochs.items()))

    def explain(self, room: Room) -> bool:
        """Whether a restore explains that the server has no wrap of the room's epoch."""
        said = self._facts.get(RESTORED)
        if said is None or room.row is None:
            return False
        return said != self._told or room.row.epoch <= self._epochs.get(room.room_id, -1)

    def are_in(self, room: Room) -> bool:
        """Whether others in the room may lack its keys, so that it needs new ones before anything is said."""
        said = self._facts.get(RESTORED)
        if said is None or room.row is None or not self.explain(room):
            return False
        return room.row.epoch_since_ms >= Restored.decode(said).backup_ms - CLOCKS_MS
