"""Deletes messages that have been kept long enough, a few in one transaction; commits stay. See docs/operations.rst.

How old a message is is read from marks: every hour or so the newest event is noted with the confirmed clock
(`chatserv.domain.retention`). What has a mark that is old enough is old enough itself, whatever its own date says.
Of a message that is gone, its place in the room and a digest of its key stay: for a sender that asks again whether it came.

Nobody here begins or ends a transaction.
"""

import sqlite3
from typing import Final, cast

from sqlalchemy import Connection, bindparam, delete, func, select, update
from sqlalchemy.dialects import sqlite

from chatserv.crypto.suite import sha256
from chatserv.domain.retention import LEAST_KEPT_MS, Kept, RetentionDue
from chatserv.models import EventKind
from chatserv.store.meta_statements import meta_value, put_meta
from chatserv.store.schema import event, gone_message, retention_mark, room

CLOCK: Final = "retention_clock"
DONE: Final = "retention_done"
MARK_MS: Final = 3_600_000
"""Between two marks: a message is kept that much longer at most."""
LEAST_REMEMBERED_MS: Final = 30 * 86_400_000
"""The digest of a message that is gone is kept as long again as the message was, and at least this long."""
FREED_PAGES: Final = 256  # given back to the system in one transaction
DIGEST_BYTES: Final = 16

_newest = select(func.max(event.c.pk))
_last_mark = select(func.max(retention_mark.c.at_ms))
_mark = sqlite.insert(retention_mark).on_conflict_do_nothing()
"""What has been the newest for long is as old as its first mark."""
_mark_before = select(func.max(retention_mark.c.event)).where(retention_mark.c.at_ms <= bindparam("until_ms"))
_old_marks = delete(retention_mark).where(retention_mark.c.event < bindparam("done"))
_due = (
    select(event.c.pk, event.c.room, room.c.room_id, event.c.seq, event.c.device_id, event.c.msg_id, event.c.at_ms)
    .join_from(event, room)
    .where(event.c.pk > bindparam("done"), event.c.pk <= bindparam("until"), event.c.kind == int(EventKind.MESSAGE))
    .order_by(event.c.pk)
    .limit(bindparam("most"))
)
_forget = delete(event).where(event.c.pk == bindparam("of"))
_raise_floor = (
    update(room)
    .where(room.c.pk == bindparam("of"), room.c.gone_through < bindparam("seq"))
    .values(gone_through=bindparam("seq"))
)
_forgotten = (
    select(gone_message.c.pk)
    .where(gone_message.c.gone_ms <= bindparam("until_ms"))
    .order_by(gone_message.c.pk)
    .limit(bindparam("most"))
)


def digest(room_id: bytes, device_id: bytes, key: bytes) -> bytes:
    """What is kept of the key of a message that is gone, 16 bytes."""
    return sha256(room_id + device_id + key)[:DIGEST_BYTES]


def retention_clock(conn: Connection) -> int:
    """The confirmed clock as it was kept, in milliseconds; 0: never."""
    return int.from_bytes(meta_value(conn, CLOCK) or b"")


def retain(conn: Connection, due: RetentionDue) -> Kept:
    """One step, as `chatserv.ports.Store.retain` says."""
    put_meta(conn, CLOCK, due.now_ms.to_bytes(8))
    newest = conn.execute(_newest).scalar() or 0
    if due.now_ms - (conn.execute(_last_mark).scalar() or 0) >= MARK_MS:
        conn.execute(_mark, {"event": newest, "at_ms": due.now_ms})
    done = int.from_bytes(meta_value(conn, DONE) or b"")
    until = _last_due(conn, due)
    rows = conn.execute(_due, {"done": done, "until": until, "most": due.most}).all()
    if rows:
        ids = [(digest(row.room_id, row.device_id, row.msg_id), row) for row in rows]
        remembered = [{"digest": each, "seq": row.seq, "at_ms": row.at_ms, "gone_ms": due.now_ms} for each, row in ids]
        conn.execute(sqlite.insert(gone_message).on_conflict_do_nothing(), remembered)
        conn.execute(_forget, [{"of": row.pk} for row in rows])
        conn.execute(_raise_floor, [{"of": row.room, "seq": row.seq} for row in rows])
    done = rows[-1].pk if len(rows) == due.most else max(done, until)
    put_meta(conn, DONE, done.to_bytes(8))
    conn.execute(_old_marks, {"done": done})
    if rows:
        cut_marks(conn)
    remembered_until = due.now_ms - max(due.age_ms, LEAST_REMEMBERED_MS)
    old = conn.execute(_forgotten, {"until_ms": remembered_until, "most": due.most}).scalars().all()
    if old:
        conn.execute(delete(gone_message).where(gone_message.c.pk.in_(old)))
    floors: dict[bytes, int] = {}
    for row in rows:
        floors[row.room_id] = max(floors.get(row.room_id, 0), row.seq)
    return Kept(floors, len(rows), more=len(rows) == due.most or len(old) == due.most)


def due_rooms(conn: Connection, due: RetentionDue) -> set[bytes]:
    """The rooms that such a step deletes messages of."""
    done = int.from_bytes(meta_value(conn, DONE) or b"")
    rows = conn.execute(_due, {"done": done, "until": _last_due(conn, due), "most": due.most})
    return {row.room_id for row in rows}


def _last_due(conn: Connection, due: RetentionDue) -> int:
    """Up to which event, by its key, messages are not to be kept."""
    until = 0
    if due.age_ms:
        until = conn.execute(_mark_before, {"until_ms": due.now_ms - due.age_ms}).scalar() or 0
    if due.bytes and used_bytes(conn) > due.bytes:
        until = max(until, conn.execute(_mark_before, {"until_ms": due.now_ms - LEAST_KEPT_MS}).scalar() or 0)
    return until


def used_bytes(conn: Connection) -> int:
    """What the database takes, without pages that are free."""
    pages, free, size = (
        int(conn.exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def cut_marks(conn: Connection) -> None:
    """After events went that were the newest: SQLite gives their numbers again, and they have to count as new."""
    if conn.dialect.name != "sqlite":
        return
    newest = conn.execute(_newest).scalar() or 0
    done = min(int.from_bytes(meta_value(conn, DONE) or b""), newest)
    put_meta(conn, DONE, done.to_bytes(8))
    above = retention_mark.c.event > newest
    at_ms = conn.execute(select(func.min(retention_mark.c.at_ms)).where(above)).scalar()
    if at_ms is not None:
        conn.execute(delete(retention_mark).where(above))
        conn.execute(_mark, {"event": newest, "at_ms": at_ms})


def give_back(conn: Connection) -> None:
    """Gives some free pages back to the system; a transaction of its own."""
    driver = cast(sqlite3.Connection, conn.connection.dbapi_connection)
    driver.executescript(f"PRAGMA incremental_vacuum({FREED_PAGES})")  # by ``execute`` it would be one page
