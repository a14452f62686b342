"""The archive: messages that were opened and verified, in the order of the room."""

from typing import Any, Final

from chatserv.client.storage.database import Database
from chatserv.client.storage.rooms import Standing
from chatserv.client.storage.stored_message import StoredMessage, text_of
from chatserv.client.storage.words import WordIndex
from chatserv.crypto.content import ContentType

MAX_MESSAGES: Final = 100_000
MAX_REACTIONS: Final = 20
"""How many different signs one user can put on one message."""

_COLUMNS: Final = (
    "room_id, seq, message_id, sender, device_id, leaf, epoch, generation, at_ms, sent_ms, ctype, body, signature,"
    " commit_hash, edited_body, deleted, identity"
)
_SELECT: Final = f"SELECT {_COLUMNS} FROM messages"  # noqa: S608 - names of our own
_ADD: Final = f"INSERT INTO messages ({_COLUMNS}) VALUES ({', '.join('?' * 17)})"  # noqa: S608 - names of our own
_COUNT: Final = (
    "INSERT INTO message_counts VALUES (?, 1) ON CONFLICT (room_id) DO UPDATE SET count = message_counts.count + 1"
)
_HEARD: Final = "sender NOT IN (SELECT user FROM ignored)"
_HALF: Final = 2**63


def _message(row: Any) -> StoredMessage:
    values = list(row)
    values[9] %= 2 * _HALF  # sent_ms
    values[15] = bool(values[15])  # deleted
    return StoredMessage(*values)


def _values(message: StoredMessage) -> tuple[Any, ...]:
    sent_ms = (message.sent_ms + _HALF) % (2 * _HALF) - _HALF  # SQLite has signed numbers only
    return (
        *(message.room_id, message.seq, message.message_id, message.sender, message.device_id, message.leaf),
        *(message.epoch, message.generation, message.at_ms, sent_ms, message.ctype, message.body, message.signature),
        *(message.commit_hash, message.edited_body, message.deleted, message.identity),
    )


class Archive:
    """Messages by room and place. Pages, counts and searches leave out who is ignored.

    Args:
        database: Where they are kept.
        max_messages: How many of a room are kept; the oldest go.
    """

    def __init__(self, database: Database, max_messages: int = MAX_MESSAGES) -> None:
        self._database = database
        self._max_messages = max_messages
        self.words = WordIndex(database)

    def add(self, message: StoredMessage) -> bool:
        """Keeps a message; False where one with its id is there already from the same sender.

        A server that was restored from a backup gives places out again; both messages stay.
        """
        room_id = message.room_id
        with self._database.transaction():
            if self.by_id(room_id, message.message_id, message.sender) is not None:
                return False
            position = self._database.execute(_ADD, _values(message)).lastrowid
            self._index(position or 0, message)
            self._database.write(_COUNT, (room_id,))
            self._bound(room_id)
        return True

    def _index(self, position: int, message: StoredMessage) -> None:
        text = text_of(message)
        if text is not None:
            self.words.put(position, text.text)

    def index_all(self, at_once: int = 1000) -> None:
        """Indexes the words of everything that is kept; once, for files that another version has indexed, or none."""
        sql = f"SELECT {_COLUMNS}, position FROM messages WHERE position > ? ORDER BY position LIMIT ?"  # noqa: S608
        last = -1
        while rows := self._database.all(sql, (last, at_once)):
            with self._database.transaction():
                for *columns, position in rows:
                    self._index(position, _message(columns))
                    last = position

    def _bound(self, room_id: bytes) -> None:
        (count,) = self._database.one("SELECT count FROM message_counts WHERE room_id = ?", (room_id,))
        excess = count - self._max_messages
        if excess <= 0:
            return
        oldest = "SELECT position FROM messages WHERE room_id = ? ORDER BY seq LIMIT ?"
        self.words.drop(oldest, (room_id, excess))
        self._database.write(f"DELETE FROM messages WHERE position IN ({oldest})", (room_id, excess))  # noqa: S608
        self._database.write("UPDATE message_counts SET count = count - ? WHERE room_id = ?", (excess, room_id))

    def clear(self, room_id: bytes) -> None:
        """Forgets all messages of a room."""
        with self._database.transaction():
            self.words.drop("SELECT position FROM messages WHERE room_id = ?", (room_id,))
            self._database.write("DELETE FROM messages WHERE room_id = ?", (room_id,))
            self._database.write("DELETE FROM message_counts WHERE room_id = ?", (room_id,))

    def accept(self, sender: str, identity: bytes) -> None:
        """A person has taken an identity of somebody for theirs, and with it what it has signed."""
        self._database.write("UPDATE messages SET identity = x'' WHERE sender = ? AND identity = ?", (sender, identity))

    # -- reading -------------------------------------------------------------------------------------------------------

    def get(self, room_id: bytes, seq: int) -> StoredMessage | None:
        """The message at a place, or None."""
        row = self._database.one(f"{_SELECT} WHERE room_id = ? AND seq = ? ORDER BY position DESC", (room_id, seq))
        return None if row is None else _message(row)

    def by_id(self, room_id: bytes, message_id: bytes, sender: str | None = None) -> StoredMessage | None:
        """The message with this id, of one sender or of any.

        Senders choose ids, so one can take that of somebody else's message; without ``sender`` the first one counts.
        """
        # The sign in front of seq keeps SQLite from walking through the room in this order, all of it.
        sql = f"{_SELECT} WHERE room_id = ?1 AND message_id = ?2 AND (?3 IS NULL OR sender = ?3) ORDER BY +seq"
        row = self._database.one(sql, (room_id, message_id, sender))
        return None if row is None else _message(row)

    def after(self, room_id: bytes, seq: int, limit: int) -> list[StoredMessage]:
        """The first messages beyond a place, at most ``limit`` and those of the last one's place, oldest first."""
        sql = f"{_SELECT} WHERE room_id = ? AND seq > ? AND {_HEARD} ORDER BY seq, position LIMIT ?"
        found = self._database.all(sql, (room_id, seq, limit))
        return [_message(row) for row in self._completed(room_id, found, limit)]

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
        return [_message(row) for row in reversed(found)]

    def count_after(self, room_id: bytes, seq: int, not_sender: str | None = None) -> int:
        """How many kept messages come after ``seq``, those that were taken back and those of one sender left out."""
        which = f"room_id = ? AND seq > ? AND NOT deleted AND sender IS NOT ? AND {_HEARD}"
        sql = f"SELECT count(*) FROM messages WHERE {which}"  # noqa: S608 - names of our own
        return int(self._database.one(sql, (room_id, seq, not_sender))[0])

    def search(self, query: str, room_id: bytes | None, limit: int) -> list[StoredMessage]:
        """The newest messages that hold all words of a search, in rooms that we are in: all of them, or one."""
        expression = self.words.expression(query)
        if not expression:
            return []
        which = (
            "position IN (SELECT rowid FROM words WHERE words MATCH ?1) AND (?4 IS NULL OR room_id = ?4)"
            " AND room_id IN (SELECT room_id FROM rooms WHERE standing IN (?2, ?3))"
        )
        sql = f"{_SELECT} WHERE {which} AND {_HEARD} ORDER BY position DESC LIMIT ?5"
        values = (expression, int(Standing.IN), int(Standing.FORKED), room_id, limit)
        return [_message(row) for row in self._database.all(sql, values)]

    def last_of(
        self, room_id: bytes, sender: str | None = None, *, not_sender: str | None = None
    ) -> StoredMessage | None:
        """The newest text that is not deleted: of anybody, of one sender, or of anybody but one."""
        which = "room_id = ?1 AND ctype = ?2 AND NOT deleted AND (?3 IS NULL OR sender = ?3) AND sender IS NOT ?4"
        which += f" AND {_HEARD}"
        sql = f"{_SELECT} WHERE {which} ORDER BY seq DESC"
        row = self._database.one(sql, (room_id, int(ContentType.TEXT), sender, not_sender))
        return None if row is None else _message(row)

    # -- what later messages do to earlier ones: whether it may be so is for the caller to say -------------------------

    def _position(self, room_id: bytes, message_id: bytes) -> int | None:
        """The row of a message that is not deleted; the first one with this id, as `by_id` finds it."""
        sql = "SELECT position, deleted FROM messages WHERE room_id = ? AND message_id = ? ORDER BY +seq"
        row = self._database.one(sql, (room_id, message_id))
        return None if row is None or row[1] else int(row[0])

    def mark_edited(self, room_id: bytes, message_id: bytes, body: bytes, seq: int) -> bool:
        """Keeps the edit that came at ``seq``; False where the message is not there, deleted, or has a newer edit."""
        sql = "UPDATE messages SET edited_body = ?, edited_seq = ? WHERE position = ? AND edited_seq < ?"
        position = self._position(room_id, message_id)
        with self._database.transaction():
            if not self._database.write(sql, (body, seq, position, seq)):
                return False
            self.words.drop("?", (position,))
            message = self.by_id(room_id, message_id)
            if message is not None and position is not None:
                self._index(position, message)
        return True

    def mark_deleted(self, room_id: bytes, message_id: bytes) -> bool:
        """Empties a message and takes all signs off it; False where it is not there, or deleted already."""
        position = self._position(room_id, message_id)
        sql = "UPDATE messages SET body = x'', edited_body = NULL, signature = NULL, deleted = 1 WHERE position = ?"
        with self._database.transaction():
            self._database.write("DELETE FROM reactions WHERE message = ?", (position,))
            self.words.drop("?", (position,))
            return bool(self._database.write(sql, (position,)))

    def react(self, room_id: bytes, message_id: bytes, user: str, emoji: str, on: bool) -> bool:
        """Puts a sign on a message, or takes it off; whether that changed anything.

        Nothing changes where the message is not there or deleted, or has `MAX_REACTIONS` of the user.
        """
        with self._database.transaction():
            position = self._position(room_id, message_id)
            if position is None:
                return False
            if not on:
                sql = "DELETE FROM reactions WHERE message = ? AND user = ? AND emoji = ?"
                return bool(self._database.write(sql, (position, user, emoji)))
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
