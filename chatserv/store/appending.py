"""The hot path: a batch of drafts into the log in one query per question, one insert and one update.

The statements are SQLAlchemy's, compiled once for SQLite; their text goes to the driver's cursor of the connection, inside
its transaction, with tuples: SQLAlchemy's own execution costs about 20 us a statement, more than the rest of a small batch.
Errors are therefore the driver's; they hold no values.
"""

import functools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.base import Executable

from chatserv.errors import NotFound
from chatserv.ports import Appended, AppendResult, Duplicate, Event, EventDraft, Stale
from chatserv.store.schema import event, room

Outcome = AppendResult | NotFound
"""What becomes of a draft; `NotFound` (an unknown room) is returned, since it concerns one draft of many."""

_COLUMNS = ("room", "seq", "msg_id", "device_id", "at_ms", "sender", "kind", "body")


def _text(statement: Executable, *names: str) -> str:
    """The SQL of ``statement``, whose parameters are given in the order of ``names``."""
    compiled: Any = statement.compile(dialect=sqlite.dialect())  # type: ignore[attr-defined]
    assert tuple(compiled.positiontup) == names, compiled.positiontup
    return str(compiled)


_insert = _text(insert(event).values({name: bindparam(name) for name in _COLUMNS}), *_COLUMNS)
_update = _text(update(room).where(room.c.pk == bindparam("room")).values(head=bindparam("seq")), "seq", "room")


@functools.cache
def _among(query: Select[Any], column: ColumnElement[bytes], count: int) -> str:
    names = [f"value_{number}" for number in range(count)]
    return _text(query.where(column.in_([bindparam(name, type_=column.type) for name in names])), *names)


_rooms = select(room.c.room_id, room.c.pk, room.c.epoch, room.c.head)
_stored = select(event.c.room, event.c.device_id, event.c.msg_id, event.c.seq, event.c.at_ms)


def _find(cursor: DBAPICursor, query: Select[Any], column: ColumnElement[bytes], values: list[bytes]) -> Sequence[Any]:
    """The rows whose ``column`` is one of ``values``, which are padded to a power of two: ten statements, not 512."""
    size = 1 << (len(values) - 1).bit_length()
    padded = (*values, *[values[-1]] * (size - len(values)))
    cursor.execute(_among(query, column, size), padded)
    return cursor.fetchall()


def append_batch(conn: Connection, drafts: Sequence[EventDraft]) -> list[Outcome]:
    """Decides and stores drafts in their order, as `chatserv.ports.Store.append` says.

    Args:
        conn: A SQLite connection inside a transaction.
        drafts: What wants its place: one at least, `StoreLimits.batch` at most.

    Returns:
        An outcome for each draft, in the same order.
    """
    cursor = conn.connection.cursor()
    places = {row[0]: row for row in _find(cursor, _rooms, room.c.room_id, list({draft.room_id for draft in drafts}))}
    found = _find(cursor, _stored, event.c.msg_id, [draft.id for draft in drafts])
    stored = {(pk, device_id, msg_id): (seq, at_ms) for pk, device_id, msg_id, seq, at_ms in found}
    heads: dict[int, int] = {}
    rows: list[tuple[Any, ...]] = []
    outcomes: list[Outcome] = []
    for draft in drafts:
        place = places.get(draft.room_id)
        if place is None:
            outcomes.append(NotFound("room"))
            continue
        room_id, pk, epoch, head = place
        key = (pk, draft.device_id, draft.id)
        first = stored.get(key)
        if first is not None:
            outcomes.append(Duplicate(*first))
        elif draft.epoch != epoch:
            outcomes.append(Stale(epoch))
        else:
            heads[pk] = seq = heads.get(pk, head) + 1
            stored[key] = (seq, draft.at_ms)
            rows.append((pk, seq, draft.id, draft.device_id, draft.at_ms, draft.sender, int(draft.kind), draft.body))
            outcomes.append(Appended(Event(room_id, seq, draft.at_ms, draft.sender, draft.kind, draft.body)))
    if rows:
        cursor.executemany(_insert, rows)
        cursor.executemany(_update, [(seq, pk) for pk, seq in heads.items()])
    return outcomes
