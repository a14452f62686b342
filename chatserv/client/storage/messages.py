"""The archive: messages that were opened and verified, in the order of the room."""

from typing import Any, Final

from msgspec.structs import replace

from chatserv.client.storage.database import Database
from chatserv.client.storage.proofs import KeptProof, ProofTable
from chatserv.client.storage.retention import Retention
from chatserv.client.storage.rooms import Standing
from chatserv.client.storage.stored_message import StoredMessage, text_of
from chatserv.client.storage.words import WordIndex
from chatserv.crypto.content import ContentType

MAX_REACTIONS: Final = 20
"""How many different signs one user can put on one message."""

COLUMNS: Final = (
    "room_id, seq, message_id, sender, device_id, leaf, epoch, generation, at_ms, sent_ms, ctype, body,"
    " commit_hash, edited_body, deleted, identity, unproved"
)
_SELECT: Final = f"SELECT {COLUMNS} FROM messages"  # nosec B608  # noqa: S608 - names of our own
_ADD: Final = (
    f"INSERT INTO messages ({COLUMNS}) VALUES ({', '.join('?' * 17)})"  # nosec B608  # noqa: S608 - names of our own
    " ON CONFLICT (room_id, message_id, sender) DO NOTHING"
)
_HEARD: Final = "sender NOT IN (SELECT user FROM ignored)"
_HALF: Final = 2**63


def message_of(row: Any) -> StoredMessage:
    """The message in a row of `COLUMNS`."""
    values = list(row)
    values[9] %= 2 * _HALF  # sent_ms
    values[14], values[16] = bool(values[14]), bool(values[16])  # deleted, unproved
    return StoredMessage(*values)


def _values(message: StoredMessage) -> tuple[Any, ...]:
    sent_ms = (message.sent_ms + _HALF) % (2 * _HALF) - _HALF  # SQLite has signed numbers only
    return (
        *(message.room_id, message.seq, message.message_id, message.sender, message.device_id, message.leaf),
        *(message.epoch, message.generation, message.at_ms, sent_ms, message.ctype, message.body),
        *(message.commit_hash, message.edited_body, message.deleted, message.identity),
        message.unproved,
    )


class Archive:
    """Messages by room and place. Pages, counts and searches leave out who is ignored.

    Args:
        database: Where they are kept.
        max_messages: See `Retention`.
    """

    def __init__(self, database: Database, max_messages: int | None = None) -> None:
        self._database = database
        self.words = WordIndex(database)
        self.retention = Retention(database, self.words, max_messages)
        self.proofs = ProofTable(database)

    def add(self, message: StoredMessage, kept: KeptProof | None = None) -> bool:
        """Keeps a message, and what proves it; False where one with its id is there already from the same sender.

        A server that was restored from a backup gives places out again; both messages stay.
        """
        room_id = message.room_id
        with self._database.joined():
            added = self._database.execute(_ADD, _values(message), beside=True)
            if not added.rowcount:
                return False
            position = added.lastrowid or 0
            self._index(position, message)
            if kept is not None:
                self.proofs.put(room_id, position, kept)
            self.retention.added(room_id)
        return True

    def _index(self, position: int, message: StoredMessage) -> None:
        text = text_of(message)
        if text is not None:
            self.words.put(position, text.text)

    def index_all(self, at_once: int = 1000) -> None:
        """Indexes the words of everything that is kept; once, for files that another version has indexed, or none."""
        sql = f"SELECT {COLUMNS}, position FROM messages WHERE position > ? ORDER BY position LIMIT ?"  # nosec B608  # noqa: S608
        last = -1
        while rows := self._database.all(sql, (last, at_once)):
            with self._database.transaction():
                which = "SELECT position FROM messages WHERE position BETWEEN ? AND ?"
                self.words.drop(which, (rows[0][-1], rows[-1][-1]))
                for *columns, position in rows:
                    self._index(position, message_of(columns))
                    last = position

    def clear(self, room_id: bytes) -> None:
        """Forgets all messages of a room."""
        with self._database.transaction():
            self.words.drop("SELECT position FROM messages WHERE room_id = ?", (room_id,))
            self.proofs.clear(room_id)
            self._database.write("DELETE FROM messages WHERE room_id = ?", (room_id,))
            self.retention.clear(room_id)

    def accept(self, sender: str, identity: bytes) -> None:
        """A person has taken an identity of somebody for theirs, and with it what it has signed."""
        self._database.write("UPDATE messages SET identity = x'' WHERE sender = ? AND identity = ?", (sender, identity))

    # -- reading -------------------------------------------------------------------------------------------------------

    def get(self, room_id: bytes, seq: int) -> StoredMessage | None:
        """The message at a place, or None."""
        row = self._database.one(f"{_SELECT} WHERE room_id = ? AND seq = ? ORDER BY position DESC", (room_id, seq))
        return None if row is None else message_of(row)

    def by_id(self, room_id: bytes, message_id: bytes, sender: str | None = None) -> StoredMessage | None:
        """The message with this id, of one sender or of any.

        Senders choose ids, so one can take that of somebody else's message; without ``sender`` the first one counts.
        """
        # The sign in front of seq keeps SQLite from walking through the room in this order, all of it.
        sql = f"{_SELECT} WHERE room_id = ?1 AND message_id = ?2 AND (?3 IS NULL OR sender = ?3) ORDER BY +seq"
        row = self._database.one(sql, (room_id, message_id, sender))
        return None if row is None else message_of(row)

    def after(self, room_id: bytes, seq: int, limit: int) -> list[StoredMessage]:
        """The first messages beyond a place, at most ``limit`` and those of the last one's place, oldest first."""
        sql = f"{_SELECT} WHERE room_id = ? AND seq > ? AND {_HEARD} ORDER BY seq, position LIMIT ?"
        found = self._database.all(sql, (room_id, seq, limit))
        return [message_of(row) for row in self._completed(room_id, found, limit)]

    def since(self, room_id: bytes, at_ms: int, limit: int) -> list[StoredMessage]:
        """The first messages that the server took at a moment or later, oldest first.

        Servers' clocks may jump: the first place counts from which on nothing is older than the moment.
        """
        sql = "SELECT max(seq) FROM messages WHERE room_id = ? AND at_ms < ?"
        (last,) = self._database.one(sql, (room_id, at_ms))
        return self.after(room_id, 0 if last is None else last, limit)

    def _completed(self, room_id: bytes, found: list[Any], limit: int) -> list[Any]:
        """A page, with all messages of the place where it ends: after a restore there may be several (see `add`)."""
        if len(found) < limit or not found:
            return found
        end = found[-1][1]
        same = self._database.all(
            f"{_SELECT} WHERE room_id = ? AND seq = ? AND {_HEARD} ORDER BY position", (room_id, end)
        )
        if found[0][1] > end:  # newest first
            same.reverse()
        return [row for row in found if row[1] != end] + same

    def last(self, room_id: bytes, limit: int, before: int | None = None) -> list[StoredMessage]:
        """The newest messages, or the newest before a place, at most ``limit`` and the first place's; oldest first."""
        end = _HALF - 1 if before is None else before
        sql = f"{_SELECT} WHERE room_id = ? AND seq < ? AND {_HEARD} ORDER BY seq DESC, position DESC LIMIT ?"
        found = self._completed(room_id, self._database.all(sql, (room_id, end, limit)), limit)
        return [message_of(row) for row in reversed(found)]

    def count_after(self, room_id: bytes, seq: int, not_sender: str | None = None) -> int:
        """How many kept messages come after ``seq``, those that were taken back and those of one sender left out."""
        which = f"room_id = ? AND seq > ? AND NOT deleted AND sender IS NOT ? AND {_HEARD}"
        sql = f"SELECT count(*) FROM messages WHERE {which}"  # nosec B608  # noqa: S608 - names of our own
        return int(self._database.one(sql, (room_id, seq, not_sender))[0])

    def search(
        self, query: str, room_id: bytes | None, limit: int, before: tuple[bytes, bytes, str] | None = None
    ) -> list[StoredMessage]:
        """The newest messages that hold all words of a search, in rooms that we are in: all of them, or one.

        ``before``: room, id and sender of a message; only what was kept before it is looked at.
        """
        expression = self.words.expression(query)
        if not expression:
            return []
        which = (
            "position IN (SELECT rowid FROM words WHERE words MATCH ?1) AND (?4 IS NULL OR room_id = ?4)"
            " AND room_id IN (SELECT room_id FROM rooms WHERE standing IN (?2, ?3))"
        )
        if before is not None:
            which += (
                " AND position < (SELECT position FROM messages WHERE room_id = ?6 AND message_id = ?7 AND sender = ?8)"
            )
        sql = f"{_SELECT} WHERE {which} AND {_HEARD} ORDER BY position DESC LIMIT ?5"
        values = (expression, int(Standing.IN), int(Standing.FORKED), room_id, limit, *(before or ()))
        return [message_of(row) for row in self._database.all(sql, values)]

    def last_of(
        self, room_id: bytes, sender: str | None = None, *, not_sender: str | None = None
    ) -> StoredMessage | None:
        """The newest text or file that is not deleted: of anybody, of one sender, or of anybody but one."""
        which = (
            "room_id = ?1 AND ctype IN (?2, ?5) AND NOT deleted AND (?3 IS NULL OR sender = ?3) AND sender IS NOT ?4"
        )
        which += f" AND {_HEARD}"
        sql = f"{_SELECT} WHERE {which} ORDER BY seq DESC"
        kinds = int(ContentType.TEXT), int(ContentType.FILE)
        row = self._database.one(sql, (room_id, kinds[0], sender, not_sender, kinds[1]))
        return None if row is None else message_of(row)

    # -- what later messages do to earlier ones: whether it may be so is for the caller to say -------------------------

    def _position(self, room_id: bytes, message_id: bytes) -> int | None:
        """The row of a message that is not deleted; the first one with this id, as `by_id` finds it."""
        sql = "SELECT position, deleted FROM messages WHERE room_id = ? AND message_id = ? ORDER BY +seq"
        row = self._database.one(sql, (room_id, message_id))
        return None if row is None or row[1] else int(row[0])

    def mark_edited(
        self, room_id: bytes, message_id: bytes, body: bytes, seq: int, kept: KeptProof | None = None
    ) -> bool:
        """Keeps the edit that came at ``seq``; False where the message is not there, deleted, or has a newer edit."""
        sql = "UPDATE messages SET edited_body = ?, edited_seq = ? WHERE position = ? AND edited_seq < ?"
        position = self._position(room_id, message_id)
        with self._database.transaction():
            if not self._database.write(sql, (body, seq, position, seq)):
                return False
            if kept is not None:
                self.proofs.put(room_id, position, kept)
            self.words.drop("?", (position,))
            message = self.by_id(room_id, message_id)
            if message is not None and position is not None:
                self._index(position, message)
        return True

    def mark_deleted(self, room_id: bytes, message_id: bytes, kept: KeptProof | None = None) -> bool:
        """Empties a message and takes all signs off it; False where it is not there, or deleted already."""
        position = self._position(room_id, message_id)
        if position is None:
            return False
        sql = "UPDATE messages SET body = x'', edited_body = NULL, deleted = 1 WHERE position = ?"
        with self._database.transaction():
            self._database.write("DELETE FROM reactions WHERE message = ?", (position,))
            self.words.drop("?", (position,))
            self.proofs.drop_said(position)
            if kept is not None:
                self.proofs.put(room_id, position, kept)
            return bool(self._database.write(sql, (position,)))

    def react(
        self, room_id: bytes, message_id: bytes, user: str, emoji: str, on: bool, kept: KeptProof | None = None
    ) -> bool:
        """Puts a sign on a message, or takes it off; whether that changed anything.

        Nothing changes where the message is not there or deleted, or has `MAX_REACTIONS` of the user.
        """
        with self._database.transaction():
            position = self._position(room_id, message_id)
            if position is None:
                return False
            if kept is not None and self.proofs.newest(position, user, kept.ctype, emoji) > kept.seq:
                return False  # from a file that is older than what we have seen
            changed = self._put_sign(position, user, emoji) if on else self._take_sign(position, user, emoji)
            if kept is not None and (changed or not on):  # that it is off is known from now on, wherever it was put
                self.proofs.put(room_id, position, replace(kept, detail=emoji, live=on))
        return changed

    def _take_sign(self, position: int, user: str, emoji: str) -> bool:
        sql = "DELETE FROM reactions WHERE message = ? AND user = ? AND emoji = ?"
        return bool(self._database.write(sql, (position, user, emoji)))

    def _put_sign(self, position: int, user: str, emoji: str) -> bool:
        sql = "SELECT count(*) FROM reactions WHERE message = ? AND user = ?"
        (count,) = self._database.one(sql, (position, user))
        if count >= MAX_REACTIONS:
            return False
        sql = "INSERT OR IGNORE INTO reactions (message, user, emoji) VALUES (?, ?, ?)"
        return bool(self._database.write(sql, (position, user, emoji)))

    def reactions(self, room_id: bytes, message_id: bytes) -> dict[str, list[str]]:
        """The signs on a message and whose they are, both in the order in which they came."""
        sql = "SELECT emoji, user FROM reactions WHERE message = ? ORDER BY position"
        found: dict[str, list[str]] = {}
        for emoji, user in self._database.all(sql, (self._position(room_id, message_id),)):
            found.setdefault(emoji, []).append(user)
        return found

    def add_receipt(self, room_id: bytes, message_id: bytes, user: str) -> bool:
        """Somebody has read a message; whether that is news. Of a message that is not there, it is none."""
        position = self._position(room_id, message_id)
        if position is None:
            return False
        return bool(self._database.write("INSERT OR IGNORE INTO receipts VALUES (?, ?)", (position, user)))

    def receipts(self, room_id: bytes, message_id: bytes) -> set[str]:
        """Who has read a message, as far as they say so."""
        sql = "SELECT user FROM receipts WHERE message = ?"
        return {user for (user,) in self._database.all(sql, (self._position(room_id, message_id),))}
