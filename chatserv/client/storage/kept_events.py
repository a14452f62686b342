"""Events as they came, for some time: what can be offered to a server that was restored from a backup.

A message stands here as the server had it, sealed, so nobody can read it who has not its key; those are not kept.
"""

from typing import Final

from chatserv.client.storage.database import Database
from chatserv.discreet import Discreet

MAX_KEPT_BYTES: Final = 16 * 2**20
"""Of all rooms; beyond, the oldest go."""
KEPT_MS: Final = 14 * 86_400_000

_PUT: Final = (
    "INSERT INTO kept_events (room_id, seq, id, kind, at_ms, kept_ms, body, again) VALUES (?, ?, ?, ?, ?, ?, ?, 0)"
    " ON CONFLICT (room_id, seq) DO UPDATE SET id = excluded.id, kind = excluded.kind, at_ms = excluded.at_ms,"
    " kept_ms = excluded.kept_ms, body = excluded.body, again = 0"
)
_OLDEST: Final = "SELECT position, length(body) FROM kept_events ORDER BY position LIMIT 64"


class KeptEvent(Discreet, frozen=True):
    """An event of a room.

    Attributes:
        seq: Its place.
        id: Of a message the sender's, 16 bytes; of a commit its hash, 32.
        kind: As on the wire.
        at_ms: When the server took it, by its clock.
        body: An envelope, or a commit.
    """

    shown = ("seq", "id", "kind", "at_ms")

    seq: int
    id: bytes
    kind: int
    at_ms: int
    body: bytes


class KeptEventTable:
    """Events by room and place.

    Args:
        database: Where they are kept.
        most: How many bytes.
    """

    def __init__(self, database: Database, most: int = MAX_KEPT_BYTES) -> None:
        self._database, self._most = database, most

    def put(self, room_id: bytes, event: KeptEvent, now_ms: int) -> None:
        """Keeps one in place of what was there, and lets the oldest go; in the transaction that takes it in."""
        values = (room_id, event.seq, event.id, event.kind, event.at_ms, now_ms, event.body)
        self._database.gather(_PUT, values, (room_id, event.seq))
        self._database.finish(_PUT, self._bound)

    def _bound(self) -> None:
        excess = self.size() - self._most
        while excess > 0:
            for position, size in self._database.all(_OLDEST):
                self._database.write("DELETE FROM kept_events WHERE position = ?", (position,))
                excess -= size
                if excess <= 0:
                    break

    def size(self) -> int:
        """How many bytes there are."""
        (size,) = self._database.one("SELECT bytes FROM kept_bytes")
        return int(size)

    def rooms(self) -> list[bytes]:
        """Of which rooms there are some."""
        return [
            room_id for (room_id,) in self._database.all("SELECT DISTINCT room_id FROM kept_events ORDER BY room_id")
        ]

    def after(self, room_id: bytes, seq: int, limit: int) -> list[KeptEvent]:
        """The first ones behind a place of a room, in order."""
        sql = "SELECT seq, id, kind, at_ms, body FROM kept_events WHERE room_id = ? AND seq > ? ORDER BY seq LIMIT ?"
        return [KeptEvent(*row) for row in self._database.all(sql, (room_id, seq, limit))]

    def rewind(self, room_id: bytes, head: int) -> None:
        """The server has nothing behind a place: others will be there."""
        self._database.write("DELETE FROM kept_events WHERE room_id = ? AND seq > ?", (room_id, head))

    def beside(self, room_id: bytes, seq: int) -> None:
        """The archive has this message from another place, or may get it from one: from now on it is found by its id."""
        self._database.write("UPDATE kept_events SET again = 1 WHERE room_id = ? AND seq = ?", (room_id, seq))

    def drop(self, room_id: bytes, seq: int, message_id: bytes) -> None:
        """Forgets a message that was taken back, at its place in the archive and wherever else it came."""
        at_place = "DELETE FROM kept_events WHERE room_id = ? AND seq = ? AND id = ?"
        self._database.write(at_place, (room_id, seq, message_id))
        self._database.write("DELETE FROM kept_events WHERE again AND id = ? AND room_id = ?", (message_id, room_id))

    def drop_old(self, now_ms: int) -> None:
        """Forgets what was kept long enough."""
        self._database.write("DELETE FROM kept_events WHERE kept_ms < ?", (now_ms - KEPT_MS,))

    def clear(self, room_id: bytes) -> None:
        """Forgets all of a room."""
        self._database.write("DELETE FROM kept_events WHERE room_id = ?", (room_id,))
