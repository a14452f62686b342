"""The chains of each room's current epoch, and keys of messages that have not come yet (docs/rooms.rst 7.1 and 7.3)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from chatserv.client.storage.database import Database
from chatserv.crypto.e2e.ratchet import MAX_SKIPPED, MessageKey, Reached, ReceiverChain, SenderChain

_ADD: Final = "INSERT INTO chains (room_id, leaf, own, generation, secret) VALUES (?, ?, ?, ?, ?)"
_ADVANCE: Final = "UPDATE chains SET generation = ?, secret = ? WHERE room_id = ? AND leaf = ? AND NOT own"
_ADVANCE_OWN: Final = "UPDATE chains SET generation = ?, secret = ? WHERE room_id = ? AND leaf = ? AND own"
_ACKNOWLEDGE: Final = (
    "UPDATE chains SET acked = ?1, acked_at_ms = ?2, acked_ms = ?3"
    " WHERE room_id = ?4 AND own AND generation > ?1 AND coalesce(acked, -1) < ?1"
)
_SKIP: Final = "INSERT INTO skipped_keys (room_id, leaf, generation, key, nonce, at_ms) VALUES (?, ?, ?, ?, ?, ?)"


class _Step(tuple[Any, ...]):
    """The values of a step of somebody else's chain that is not written yet, and the chain itself."""

    chain: ReceiverChain


@dataclass(frozen=True, order=True)
class Acknowledged:
    """The last message of our chain that the server says it has stored.

    Attributes:
        generation: Its place in the chain.
        at_ms: When, by the server's clock.
        noted_ms: When we were told, by our own.
    """

    generation: int
    at_ms: int
    noted_ms: int


class ChainTable:
    """Chains by room and leaf: ours, and the others'.

    Args:
        database: Where they are kept.
        max_skipped: How many keys a room may keep for messages that have not come; the oldest are given up.
    """

    def __init__(self, database: Database, max_skipped: int = MAX_SKIPPED) -> None:
        self._database = database
        self._max_skipped = max_skipped

    def replace(self, room_id: bytes, own: SenderChain, others: Iterable[ReceiverChain]) -> None:
        """A new epoch: all chains and keys of the room are forgotten, and these take their place."""
        with self._database.transaction():
            self.clear(room_id)
            self._database.write(_ADD, (room_id, own.leaf, True, own.generation, own.secret))
            rows = ((room_id, each.leaf, False, each.generation, each.secret) for each in others)
            self._database.write_many(_ADD, rows)

    def clear(self, room_id: bytes) -> None:
        """Forgets all chains and keys of a room."""
        self._database.write("DELETE FROM chains WHERE room_id = ?", (room_id,))

    def own(self, room_id: bytes) -> SenderChain | None:
        """Our chain, or None where we hold no keys of the room."""
        stepped = self._database.gathered(_ADVANCE_OWN, room_id)
        if stepped is not None:
            generation, secret, _, leaf = stepped
            return SenderChain(leaf, generation, secret)
        sql = "SELECT leaf, generation, secret FROM chains WHERE room_id = ? AND own"
        row = self._database.one(sql, (room_id,))
        return None if row is None else SenderChain(*row)

    def save_own(self, room_id: bytes, chain: SenderChain) -> None:
        """Keeps our chain after a step; to be done before the message of that step leaves."""
        self._database.gather(_ADVANCE_OWN, (chain.generation, chain.secret, room_id, chain.leaf), room_id, exact=True)

    def lose(self, room_id: bytes, generation: int) -> None:
        """A message of our chain at this place will never come: the first such place is kept as long as the chain."""
        sql = "UPDATE chains SET lost = min(coalesce(lost, ?1), ?1) WHERE room_id = ?2 AND own"
        self._database.write(sql, (generation, room_id))

    def lost(self, room_id: bytes) -> int | None:
        """The first place of our chain whose message will never come; None where all have come, or are on their way.

        Others would call it missing as soon as a later one of this epoch comes.
        """
        row = self._database.one("SELECT lost FROM chains WHERE room_id = ? AND own", (room_id,))
        return None if row is None else row[0]

    def acknowledge(self, room_id: bytes, last: Acknowledged) -> None:
        """The server has stored a message of our chain; those before it were told earlier, or will never be."""
        self._database.write(_ACKNOWLEDGE, (last.generation, last.at_ms, last.noted_ms, room_id))

    def acknowledged(self, room_id: bytes) -> Acknowledged | None:
        """The last message of our chain that is stored; None: none of this epoch."""
        sql = "SELECT acked, acked_at_ms, acked_ms FROM chains WHERE room_id = ? AND own AND acked IS NOT NULL"
        row = self._database.one(sql, (room_id,))
        return None if row is None else Acknowledged(*row)

    def receiver(self, room_id: bytes, leaf: int) -> ReceiverChain | None:
        """The chain of somebody else, with the keys that it keeps, or None."""
        stepped = self._database.gathered(_ADVANCE, (room_id, leaf))
        if stepped is not None:
            return cast(_Step, stepped).chain
        sql = "SELECT generation, secret FROM chains WHERE room_id = ? AND leaf = ? AND NOT own"
        row = self._database.one(sql, (room_id, leaf))
        if row is None:
            return None
        sql = "SELECT generation, key, nonce FROM skipped_keys WHERE room_id = ? AND leaf = ? ORDER BY generation"
        skipped = {kept[0]: MessageKey(*kept) for kept in self._database.all(sql, (room_id, leaf))}
        generation, secret = row
        return ReceiverChain(leaf, generation, secret, skipped)

    def save_reached(self, room_id: bytes, reached: Reached, now_ms: int) -> None:
        """Keeps a step of somebody else's chain; to be done in one transaction with the message that it opened."""
        chain, leaf = reached.chain, reached.chain.leaf
        step = _Step((chain.generation, chain.secret, room_id, leaf))
        step.chain = chain
        if not (reached.dropped or reached.kept):
            self._database.gather(_ADVANCE, step, (room_id, leaf), exact=True)
            return
        with self._database.transaction():
            self._database.gather(_ADVANCE, step, (room_id, leaf), exact=True)
            used = ((room_id, leaf, generation) for generation in reached.dropped)
            self._database.write_many(
                "DELETE FROM skipped_keys WHERE room_id = ? AND leaf = ? AND generation = ?", used
            )
            kept = ((room_id, leaf, each.generation, each.key, each.nonce, now_ms) for each in reached.kept)
            self._database.write_many(_SKIP, kept)
            excess = self.count_skipped(room_id) - self._max_skipped
            if excess > 0:
                oldest = "SELECT position FROM skipped_keys WHERE room_id = ? ORDER BY position LIMIT ?"
                sql = f"DELETE FROM skipped_keys WHERE position IN ({oldest})"  # nosec B608  # noqa: S608 - constants
                self._database.write(sql, (room_id, excess))

    def generations(self, room_id: bytes) -> dict[int, int]:
        """The next generation of each chain, ours too, by leaf; without those that have not begun."""
        sql = "SELECT leaf, generation FROM chains WHERE room_id = ? AND generation > 0 ORDER BY leaf"
        return dict(self._database.all(sql, (room_id,)))

    def drop_skipped(self, before_ms: int) -> int:
        """Gives up the keys, of all rooms, that were kept before a time; how many."""
        return self._database.write("DELETE FROM skipped_keys WHERE at_ms < ?", (before_ms,))

    def count_skipped(self, room_id: bytes) -> int:
        """How many keys the room keeps for messages that have not come."""
        (count,) = self._database.one("SELECT count(*) FROM skipped_keys WHERE room_id = ?", (room_id,))
        return int(count)
