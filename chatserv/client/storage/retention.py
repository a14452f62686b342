"""How many messages of each room are kept: the oldest go."""

from typing import Final

from chatserv.client.storage.database import Database
from chatserv.client.storage.facts import Facts
from chatserv.client.storage.words import WordIndex

MAX_MESSAGES: Final = 100_000
"""As long as nobody has said otherwise."""
LEAST_KEPT: Final = 100
MOST_KEPT: Final = 10_000_000
_LIMIT: Final = "archive_limit"
_FULL: Final = "archive_full "  # and the room's id, in hexadecimal: the limit that was reached there
_COUNT: Final = (
    "INSERT INTO message_counts (count, room_id) VALUES (?, ?)"
    " ON CONFLICT (room_id) DO UPDATE SET count = excluded.count"
)


class Retention:
    """The bound of the archive, a room.

    Args:
        database: Where the messages are kept.
        words: The index, which forgets what goes.
        limit: How many; by default what was set last, or `MAX_MESSAGES`.
    """

    def __init__(self, database: Database, words: WordIndex, limit: int | None = None) -> None:
        self._database, self._words, self._facts = database, words, Facts(database)
        self._limit, self._reached, self._told = limit, set[bytes](), set[bytes]()

    @property
    def limit(self) -> int:
        """How many messages of a room are kept."""
        if self._limit is None:
            value = self._facts.get(_LIMIT)
            self._limit = MAX_MESSAGES if value is None else int.from_bytes(value, "big")
        return self._limit

    def set_limit(self, limit: int) -> int:
        """Keeps so many from now on; what is beyond goes at once. Returns how many went."""
        with self._database.transaction():
            self._facts.put(_LIMIT, limit.to_bytes(8, "big"))
            self._limit = limit
            rooms = self._database.all("SELECT room_id FROM message_counts")
            gone = sum(self._bound(room_id) for (room_id,) in rooms)
        self._reached.clear()
        self._told.clear()
        return gone

    def added(self, room_id: bytes) -> None:
        """One more is there: the oldest goes when the transaction ends, if that is one too many."""
        count = self._count(room_id) + 1
        self._database.gather(_COUNT, (count, room_id), room_id)
        if count > self.limit:
            self._database.finish((_COUNT, room_id), lambda: self._bound(room_id))
            if room_id not in self._told:
                self._reached.add(room_id)

    def _count(self, room_id: bytes) -> int:
        gathered = self._database.gathered(_COUNT, room_id)
        if gathered is not None:
            return int(gathered[0])
        row = self._database.one("SELECT count FROM message_counts WHERE room_id = ?", (room_id,), beside=True)
        return 0 if row is None else int(row[0])

    def newly_full(self, room_id: bytes) -> bool:
        """Whether the oldest messages of a room have begun to go since this was asked; once a room and limit."""
        if room_id not in self._reached:
            return False
        self._reached.discard(room_id)
        self._told.add(room_id)
        key, limit = _FULL + room_id.hex(), self.limit.to_bytes(8, "big")
        if self._facts.get(key) == limit:
            return False
        self._facts.put(key, limit)
        return True

    def _bound(self, room_id: bytes) -> int:
        excess = self._count(room_id) - self.limit
        if excess <= 0:
            return 0
        oldest = "SELECT position FROM messages WHERE room_id = ? ORDER BY seq LIMIT ?"
        self._words.drop(oldest, (room_id, excess))
        self._database.write(f"DELETE FROM messages WHERE position IN ({oldest})", (room_id, excess))  # nosec B608  # noqa: S608
        self._database.write("UPDATE message_counts SET count = count - ? WHERE room_id = ?", (excess, room_id))
        return excess

    def clear(self, room_id: bytes) -> None:
        """The room is forgotten."""
        self._database.write("DELETE FROM message_counts WHERE room_id = ?", (room_id,))
        self._facts.delete(_FULL + room_id.hex())
        self._reached.discard(room_id)
        self._told.discard(room_id)
