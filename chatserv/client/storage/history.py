"""The archive in order and with all that proves it, to be written to a file; and what a file adds to it."""

from dataclasses import dataclass

from chatserv.client.storage.database import Database
from chatserv.client.storage.messages import COLUMNS, message_of
from chatserv.client.storage.proofs import KeptProof, ProofTable
from chatserv.client.storage.stored_message import StoredMessage
from chatserv.crypto.content import ContentType


@dataclass(frozen=True)
class KeptMessage:
    """A message with everything around it.

    Attributes:
        position: Its row.
        message: As it is kept.
        proofs: Of itself and of what has changed it, in order of their places.
        signs: Who has put which sign on it, in order.
        edited_seq: The place of the newest edit; 0 for none.
    """

    position: int
    message: StoredMessage
    proofs: tuple[KeptProof, ...]
    signs: tuple[tuple[str, str], ...]
    edited_seq: int


class HistoryTable:
    """Messages in order of their places."""

    def __init__(self, database: Database) -> None:
        self._database, self._proofs = database, ProofTable(database)

    def page(self, room_id: bytes, seq: int, position: int, limit: int) -> list[KeptMessage]:
        """The first messages of a room behind the one with this place and row, whoever has said them."""
        sql = (
            f"SELECT {COLUMNS}, edited_seq, position FROM messages"  # nosec B608  # noqa: S608 - names of our own
            " WHERE room_id = ? AND seq >= ? AND (seq, position) > (?, ?) ORDER BY seq, position LIMIT ?"
        )
        found = []
        for *columns, edited_seq, row in self._database.all(sql, (room_id, seq, seq, position, limit)):
            signs = "SELECT user, emoji FROM reactions WHERE message = ? ORDER BY position"
            put = tuple((user, emoji) for user, emoji in self._database.all(signs, (row,)))
            found.append(KeptMessage(row, message_of(columns), tuple(self._proofs.of(row)), put, edited_seq))
        return found

    def newest(self, room_id: bytes, count: int) -> int:
        """The place from which on a room's ``count`` newest messages are; 0 where it has no more of them."""
        sql = "SELECT seq FROM messages WHERE room_id = ? ORDER BY seq DESC, position DESC LIMIT 1 OFFSET ?"
        row = self._database.one(sql, (room_id, count - 1))
        return 0 if row is None else int(row[0])

    def rooms(self) -> list[bytes]:
        """The ids of the rooms that anything is kept of."""
        return [bytes(room_id) for (room_id,) in self._database.all("SELECT room_id FROM message_counts")]

    def prove(self, message: StoredMessage, kept: KeptProof) -> bool:
        """Adds the proof of a message that was kept without; whether it had none and says the same.

        Of one that was taken back, ``kept`` is what took it back.
        """
        sql = "SELECT position, body, deleted FROM messages WHERE room_id = ? AND message_id = ? AND sender = ?"
        row = self._database.one(sql, (message.room_id, message.message_id, message.sender))
        if row is None:
            return False
        position, body, deleted = row
        fits = deleted if kept.ctype == ContentType.DELETE else not deleted and body == message.body
        if not fits or any(each.ctype == kept.ctype for each in self._proofs.of(position)):
            return False
        with self._database.transaction():
            self._proofs.put(message.room_id, position, kept)
            self._database.write("UPDATE messages SET unproved = 0 WHERE position = ?", (position,))
        return True
