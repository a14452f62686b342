"""Messages of ours that are not in their room yet, in the order in which they were written."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from chatserv.client.storage.database import Database
from chatserv.crypto.content import ContentType

_SELECT: Final = (
    "SELECT message_id, room_id, ctype, body, content, envelope, epoch, generation, position, done_seq FROM outbox"
)
NO_LIMIT: Final = -1  # as SQLite says it
_ADD: Final = "INSERT INTO outbox (message_id, room_id, ctype, body, content) VALUES (?, ?, ?, ?, ?)"
_SEAL: Final = "UPDATE outbox SET content = ?, envelope = ?, epoch = ?, generation = ? WHERE message_id = ?"
_DONE: Final = "UPDATE outbox SET done_seq = ? WHERE message_id = ?"
_DELETE: Final = "DELETE FROM outbox WHERE message_id = ?"


@dataclass(frozen=True)
class OutboxRow:
    """One message on its way.

    Attributes:
        message_id: 16 bytes; stays the same however often the message is sealed.
        room_id: Where it is to go, 16 bytes.
        ctype: A `chatserv.crypto.content.ContentType`.
        body: What it says.
        content: The encoded Content that was sealed; empty before.
        envelope: What is sent; None before it is sealed.
        epoch: The epoch that it is sealed for.
        generation: Its number in our chain of that epoch.
        order: Its place among all; rises for ever.
        done_seq: Its place in the room, once the server has said so.
    """

    message_id: bytes
    room_id: bytes
    ctype: int
    body: bytes = field(repr=False)
    content: bytes = field(repr=False)
    envelope: bytes | None = field(repr=False)
    epoch: int | None
    generation: int | None
    order: int
    done_seq: int | None


def _row(row: Any) -> OutboxRow:
    return OutboxRow(*row)


class OutboxTable:
    """Messages on their way, by id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: tuple[int, int] | None = None  # how many wait, as long as nothing was undone since

    def add(self, message_id: bytes, room_id: bytes, ctype: int, body: bytes, content: bytes = b"") -> OutboxRow:
        """Keeps a message behind all others; to be done before anybody is told that it will be sent."""
        values = (message_id, room_id, int(ctype), body, content)
        with self._database.joined():
            order = self._database.execute(_ADD, values, beside=True).lastrowid or 0
        if self._counted is not None:
            waiting, undone = self._counted
            self._counted = (waiting + (ctype != ContentType.OWN), undone)
        return OutboxRow(*values, envelope=None, epoch=None, generation=None, order=order, done_seq=None)

    def all(self) -> list[OutboxRow]:
        """All of them, in order."""
        return [_row(row) for row in self._database.all(f"{_SELECT} ORDER BY position")]

    def for_room(self, room_id: bytes, most: int = NO_LIMIT, ctype: int | None = None) -> list[OutboxRow]:
        """Those of a room that are not known to be stored, in order: all, or the first so many, of every type or of one."""
        sql = f"{_SELECT} WHERE room_id = ? AND done_seq IS NULL AND ctype = ifnull(?, ctype) ORDER BY position LIMIT ?"
        return [_row(row) for row in self._database.all(sql, (room_id, ctype, most))]

    def done_before(self, room_id: bytes, seq: int) -> list[OutboxRow]:
        """Those that the server has stored below a place of the room, by its word, and that have not come from there."""
        sql = f"{_SELECT} WHERE room_id = ? AND done_seq < ? ORDER BY position"
        return [_row(row) for row in self._database.all(sql, (room_id, seq))]

    def get(self, message_id: bytes) -> OutboxRow | None:
        """The one with this id, or None."""
        row = self._database.one(f"{_SELECT} WHERE message_id = ?", (message_id,))
        return None if row is None else _row(row)

    def by_generation(self, room_id: bytes, epoch: int, generation: int) -> OutboxRow | None:
        """The one that was sealed last at this place of our chain, or None."""
        sql = f"{_SELECT} WHERE room_id = ? AND epoch = ? AND generation = ? ORDER BY position DESC"
        row = self._database.one(sql, (room_id, epoch, generation), beside=True)  # seals have transactions of their own
        return None if row is None or self._database.gathered(_DELETE, row[0]) else _row(row)

    def seal(
        self, message_id: bytes, content: bytes, envelope: bytes | None, epoch: int | None, generation: int | None
    ) -> None:
        """Keeps what is sent; to be done in one transaction with the step of our chain. None: it is to be sealed anew."""
        self._database.gather(_SEAL, (content, envelope, epoch, generation, message_id))

    def mark_done(self, message_id: bytes, seq: int) -> None:
        """The server has stored it at this place."""
        self._counted = None
        self._database.gather(_DONE, (seq, message_id))

    def move(self, message_id: bytes, room_id: bytes) -> None:
        """One that is not sealed is to go to another room, behind nothing that waits there."""
        self._database.write("UPDATE outbox SET room_id = ? WHERE message_id = ?", (room_id, message_id))

    def delete(self, message_id: bytes) -> None:
        """Forgets one: it is in the archive now, or given up."""
        self._counted = None
        self._database.gather(_DELETE, (message_id,), message_id)

    def clear(self, room_id: bytes) -> None:
        """Forgets all of a room."""
        self._counted = None
        self._database.write("DELETE FROM outbox WHERE room_id = ?", (room_id,))

    def waiting(self, ids: Collection[bytes]) -> list[bytes]:
        """Which of these messages are here and not known to be stored."""
        rows = self._database.all("SELECT message_id FROM outbox WHERE done_seq IS NULL") if ids else []
        return [message_id for (message_id,) in rows if message_id in ids]

    def count(self) -> int:
        """How many are not known to be stored, but for what our own devices tell each other."""
        undone = self._database.undone
        if self._counted is None or self._counted[1] != undone:
            sql = "SELECT count(*) FROM outbox WHERE done_seq IS NULL AND ctype <> ?"
            (count,) = self._database.one(sql, (int(ContentType.OWN),))
            self._counted = (int(count), undone)
        return self._counted[0]
