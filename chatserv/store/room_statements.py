"""What is read of rooms: states, places, wraps, events. Nobody here begins or ends a transaction."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, union

from chatserv.crypto.merkle import HASH_BYTES
from chatserv.models import Event, EventKind, Room, StoredWrap
from chatserv.store.schema import (
    account,
    commit_at,
    consent,
    device,
    event,
    place,
    read_mark,
    room,
    waiting_leave,
    wrap,
)

rooms_and_leaves = (
    select(
        room.c.room_id,
        room.c.name,
        room.c.epoch,
        room.c.head,
        room.c.commit_hash,
        room.c.kt_size,
        room.c.state,
        room.c.gone_through,
        waiting_leave.c.user,
        waiting_leave.c.leave,
    )
    .join_from(room, waiting_leave, isouter=True)
    .where(room.c.closed.is_(False))
    .order_by(room.c.pk, waiting_leave.c.user)
)
_rooms_of = (
    select(room.c.room_id)
    .where(
        room.c.closed.is_(False),
        room.c.pk.in_(
            union(
                select(place.c.room)
                .join_from(place, device, place.c.device_id == device.c.device_id)
                .join(account)
                .where(account.c.name == bindparam("name")),
                select(consent.c.room).where(consent.c.user == bindparam("name")),
            )
        ),
    )
    .order_by(room.c.room_id)
)
_rooms_of_device = (
    select(room.c.room_id)
    .join_from(place, room)
    .join(device, place.c.device_id == device.c.device_id)
    .where(device.c.cert_hash == bindparam("cert_hash"))
)
_commits = (
    select(event.c.body)
    .join_from(commit_at, room)
    .join(event, (event.c.room == commit_at.c.room) & (event.c.seq == commit_at.c.seq))
    .where(room.c.room_id == bindparam("room_id"), commit_at.c.epoch >= bindparam("first"))
    .order_by(commit_at.c.epoch)
    .limit(bindparam("count"))
)
_wrap = (
    select(wrap.c.wrap, wrap.c.path)
    .join_from(wrap, room)
    .where(
        room.c.room_id == bindparam("room_id"),
        wrap.c.device_id == bindparam("device_id"),
        wrap.c.epoch == bindparam("epoch"),
    )
)
_read_marks = (
    select(room.c.room_id, read_mark.c.seq)
    .join_from(read_mark, room)
    .join(account)
    .where(account.c.account_id == bindparam("account_id"))
)
_events = (
    select(event.c.seq, event.c.at_ms, event.c.sender, event.c.kind, event.c.body)
    .join_from(event, room)
    .where(room.c.room_id == bindparam("room_id"), event.c.seq > bindparam("after"))
    .limit(bindparam("count"))
)
_events_after = _events.order_by(event.c.seq)
_events_before = _events.where(event.c.seq < bindparam("before")).order_by(event.c.seq.desc())


def rooms(conn: Connection) -> list[Room]:
    """All rooms that are not closed, oldest first, with the Leaves that wait."""
    return rooms_from(conn.execute(rooms_and_leaves).all())


def rooms_from(rows: Sequence[Any]) -> list[Room]:
    """The rooms in rows of `rooms_and_leaves`."""
    found: list[Room] = []
    for room_id, same in groupby(rows, itemgetter(0)):
        leaves = list(same)
        name, epoch, head, commit_hash, kt_size, state, gone = leaves[0][1:8]
        waiting = tuple((row.user, row.leave) for row in leaves if row.user is not None)
        found.append(Room(room_id, name or "", epoch, head, commit_hash, kt_size, state, waiting, gone))
    return found


def rooms_of(conn: Connection, name: str) -> list[bytes]:
    """Open rooms that the account of this name has, or had, to do with, by id."""
    return list(conn.execute(_rooms_of, {"name": name}).scalars())


def rooms_of_device(conn: Connection, cert_hash: bytes) -> list[bytes]:
    """The rooms in which the device with this certificate has or had a place."""
    return list(conn.execute(_rooms_of_device, {"cert_hash": cert_hash}).scalars())


def commits(conn: Connection, room_id: bytes, epoch: int, limit: int) -> list[bytes]:
    """Up to ``limit`` commits from ``epoch`` on, in order."""
    return list(conn.execute(_commits, {"room_id": room_id, "first": epoch, "count": max(limit, 0)}).scalars())


def wrap_of(conn: Connection, room_id: bytes, epoch: int, device_id: bytes) -> StoredWrap | None:
    """The wrap of the device in that epoch, or None."""
    row = conn.execute(_wrap, {"room_id": room_id, "epoch": epoch, "device_id": device_id}).first()
    if row is None:
        return None
    sealed, path = row
    return StoredWrap(sealed, tuple(path[at : at + HASH_BYTES] for at in range(0, len(path), HASH_BYTES)))


def read_marks(conn: Connection, account_id: bytes) -> dict[bytes, int]:
    """An account's read markers by room."""
    found = conn.execute(_read_marks, {"account_id": account_id}).all()
    return {row.room_id: row.seq for row in found}


def events(conn: Connection, room_id: bytes, after: int, limit: int) -> list[Event]:
    """Up to ``limit`` events with ``seq > after``, in order of seq."""
    return _page(conn, _events_after, room_id, {"after": after, "count": max(limit, 0)})


def events_before(conn: Connection, room_id: bytes, before: int, since: int, limit: int) -> list[Event]:
    """The last ``limit`` events with ``since < seq < before``, in order of seq."""
    return _page(conn, _events_before, room_id, {"after": since, "before": before, "count": max(limit, 0)})[::-1]


def _page(conn: Connection, query: Select[Any], room_id: bytes, bounds: dict[str, int]) -> list[Event]:
    rows: Sequence[Any] = conn.execute(query, {"room_id": room_id, **bounds}).all()
    return [Event(room_id, seq, at_ms, sender, EventKind(kind), body) for seq, at_ms, sender, kind, body in rows]
