"""The hot path: a batch of drafts into the log in one query per question, one insert, and one update of each kind.

The statements are SQLAlchemy's, compiled once for SQLite; their text goes to the driver's cursor of the connection, inside
its transaction, with tuples: SQLAlchemy's own execution costs about 20 us a statement, more than the rest of a small batch.
Errors are therefore the driver's; they hold no values.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, column, select, update, values
from sqlalchemy.engine.interfaces import DBAPICursor

from chatserv.errors import NotFound
from chatserv.failpoints import failpoint
from chatserv.models import Appended, Duplicate, Event, EventDraft, EventKind, Stale
from chatserv.ports import AppendResult
from chatserv.store.driver_text import driver_text, insert_text
from chatserv.store.message_key import message_key
from chatserv.store.retention_statements import digest
from chatserv.store.schema import event, gone_message, place, room

Outcome = AppendResult | NotFound
"""What becomes of a draft; `NotFound` (an unknown or closed room) is returned, since it concerns one draft of many."""

_MESSAGE = int(EventKind.MESSAGE)
_NOWHERE = (-1, -1, -1)
"""Instead of a place: no draft has this leaf."""

_COLUMNS = ("room", "seq", "msg_id", "device_id", "at_ms", "sender", "kind", "body")


_insert = insert_text(event, *_COLUMNS)
_update = driver_text(update(room).where(room.c.pk == bindparam("room")).values(head=bindparam("seq")), "seq", "room")
_advance = driver_text(
    update(place).where(place.c.pk == bindparam("place")).values(generation=bindparam("last")), "last", "place"
)


@functools.cache
def _among(query: Select[Any], column: ColumnElement[bytes], count: int) -> str:
    names = [f"value_{number}" for number in range(count)]
    return driver_text(query.where(column.in_([bindparam(name, type_=column.type) for name in names])), *names)


@functools.cache
def _places(count: int) -> str:
    """The open places of so many pairs of room and device. SQLite finds pairs by an index in a join only, not with IN."""
    names = [(f"room_{number}", f"device_{number}") for number in range(count)]
    of = place.c
    pairs = [(bindparam(one, type_=of.room.type), bindparam(two, type_=of.device_id.type)) for one, two in names]
    wanted = (
        values(column("room", of.room.type), column("device_id", of.device_id.type), name="wanted").data(pairs).cte()
    )
    query = select(of.room, of.device_id, of.pk, of.leaf, of.generation).select_from(wanted)
    query = query.join(place, (of.room == wanted.c.room) & (of.device_id == wanted.c.device_id))
    return driver_text(query.where(of.until.is_(None)), *[name for pair in names for name in pair])


_rooms = select(room.c.room_id, room.c.pk, room.c.epoch, room.c.head).where(room.c.closed.is_(False))
_gone = select(gone_message.c.digest, gone_message.c.seq, gone_message.c.at_ms)
_stored = select(event.c.room, event.c.device_id, event.c.msg_id, event.c.seq, event.c.at_ms)


def _padded(wanted: Iterable[Any]) -> list[Any]:
    """The values, repeated up to a power of two: so there are ten statements, not 512."""
    found = list(wanted)
    return found + [found[-1]] * ((1 << (len(found) - 1).bit_length()) - len(found))


def _find(
    cursor: DBAPICursor, query: Select[Any], column: ColumnElement[bytes], wanted: Iterable[bytes]
) -> Sequence[Any]:
    """The rows whose ``column`` is one of ``wanted``."""
    padded = _padded(wanted)
    cursor.execute(_among(query, column, len(padded)), tuple(padded))
    return cursor.fetchall()


def _find_places(cursor: DBAPICursor, pairs: set[tuple[int, bytes]]) -> dict[tuple[int, bytes], tuple[int, int, int]]:
    """By room and device: the place's key, leaf and last generation."""
    if not pairs:
        return {}
    padded = _padded(pairs)
    cursor.execute(_places(len(padded)), tuple(part for pair in padded for part in pair))
    return {(pk, device_id): (seat, leaf, last) for pk, device_id, seat, leaf, last in cursor.fetchall()}


def _find_stored(cursor: DBAPICursor, names: Iterable[bytes]) -> dict[tuple[int, bytes, bytes], tuple[int, int]]:
    """Seq and time of what is stored under one of these names, by room, device and name."""
    found = _find(cursor, _stored, event.c.msg_id, names)
    return {(pk, device_id, name): (seq, at_ms) for pk, device_id, name, seq, at_ms in found}


def _find_before(cursor: DBAPICursor, room: int, draft: EventDraft) -> tuple[int, int] | None:
    """Seq and time of a message that came before schema 0012 (by its id alone), or came and was not kept."""
    stored = _find_stored(cursor, [draft.id]).get((room, draft.device_id, draft.id))
    if stored is not None:
        return stored
    names = (message_key(draft.body, draft.id), draft.id)
    digests = [digest(draft.room_id, draft.device_id, name) for name in names]
    return next(((seq, at_ms) for _, seq, at_ms in _find(cursor, _gone, gone_message.c.digest, digests)), None)


def append_batch(conn: Connection, drafts: Sequence[EventDraft]) -> list[Outcome]:
    """Decides and stores drafts in their order, as `chatserv.ports.Store.append` says.

    Args:
        conn: A SQLite connection inside a transaction.
        drafts: What wants its place: one at least, `StoreLimits.batch` at most.

    Returns:
        An outcome for each draft, in the same order.
    """
    cursor = conn.connection.cursor()
    rooms = {row[0]: row for row in _find(cursor, _rooms, room.c.room_id, {draft.room_id for draft in drafts})}
    keys = [message_key(draft.body, draft.id) for draft in drafts]
    stored = _find_stored(cursor, keys)
    known = [(rooms[draft.room_id][1], draft.device_id) for draft in drafts if draft.room_id in rooms]
    places = _find_places(cursor, set(known))
    heads: dict[int, int] = {}
    generations: dict[int, int] = {}
    rows: list[tuple[Any, ...]] = []
    outcomes: list[Outcome] = []
    for draft, name in zip(drafts, keys, strict=True):
        if draft.room_id not in rooms:
            outcomes.append(NotFound("room"))
            continue
        room_id, pk, epoch, head = rooms[draft.room_id]
        key = (pk, draft.device_id, name)
        first = stored.get(key)
        seat, leaf, last = places.get(key[:2], _NOWHERE)
        stale = draft.epoch != epoch or draft.leaf != leaf or draft.generation <= generations.get(seat, last)
        if first is None and stale:  # what is its sender's next one has never been here
            first = _find_before(cursor, pk, draft)
        if first is not None:
            outcomes.append(Duplicate(*first))
        elif stale:
            outcomes.append(Stale(epoch))
        else:
            generations[seat] = draft.generation
            heads[pk] = seq = heads.get(pk, head) + 1
            stored[key] = (seq, draft.at_ms)
            rows.append((pk, seq, name, draft.device_id, draft.at_ms, draft.sender, _MESSAGE, draft.body))
            outcomes.append(Appended(Event(room_id, seq, draft.at_ms, draft.sender, EventKind.MESSAGE, draft.body)))
    if rows:
        cursor.executemany(_insert, rows)
        failpoint("store.inserted")
        cursor.executemany(_update, [(seq, pk) for pk, seq in heads.items()])
        cursor.executemany(_advance, [(last, seat) for seat, last in generations.items()])
    return outcomes
