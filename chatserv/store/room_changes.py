"""What changes rooms, but for messages: commits, Leaves, wraps that are done with, read markers, the end.

Nobody here begins or ends a transaction. Every rule is checked before the first write of a function, so that a refusal
leaves nothing behind.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects import sqlite

from chatserv.errors import NameTaken, NotFound, Quota, StaleCommit
from chatserv.failpoints import failpoint
from chatserv.models import Appended, CommitDraft, Event, EventKind, LeafDraft, PairTaken, Stale
from chatserv.ports import CommitResult
from chatserv.store.consent_statements import forget_consents, move_consents
from chatserv.store.driver_text import insert_text
from chatserv.store.limits import StoreLimits
from chatserv.store.log_statements import append_leaves
from chatserv.store.retention_statements import cut_marks
from chatserv.store.schema import account, commit_at, consent, event, place, read_mark, room, waiting_leave, wrap

_room = select(room.c.pk, room.c.closed, room.c.epoch, room.c.head, room.c.commit_hash).where(
    room.c.room_id == bindparam("room_id")
)
_pair = select(room.c.room_id).where(room.c.pair == bindparam("pair"))
_name = select(room.c.pk).where(
    (room.c.name == bindparam("name")) | (room.c.skeleton == bindparam("skeleton")),
    room.c.room_id != bindparam("room_id"),
)
_open_rooms = select(func.count()).select_from(room).where(room.c.closed.is_(False))
_end_place = (
    update(place)
    .where(place.c.room == bindparam("of_room"), place.c.device_id == bindparam("of_device"), place.c.until.is_(None))
    .values(until=bindparam("seq"))
)
_new_place = sqlite.insert(place)
_put_place = _new_place.on_conflict_do_update(
    index_elements=[place.c.device_id, place.c.room],
    set_={
        "leaf": _new_place.excluded.leaf,
        "since": case((place.c.until.is_(None), place.c.since), else_=_new_place.excluded.since),
        "until": None,
        "generation": _new_place.excluded.generation,
    },
)
_take_leave = delete(waiting_leave).where(
    waiting_leave.c.room == bindparam("of_room"), waiting_leave.c.user == bindparam("of_user")
)
_new_leave = sqlite.insert(waiting_leave)
_put_leave = _new_leave.on_conflict_do_update(
    index_elements=[waiting_leave.c.room, waiting_leave.c.user], set_={"leave": _new_leave.excluded.leave}
)
_WRAP_COLUMNS = ("room", "device_id", "epoch", "seq", "wrap", "path")
_insert_wrap = insert_text(wrap, *_WRAP_COLUMNS)
_newest_passed = (
    select(func.max(commit_at.c.seq))
    .where(commit_at.c.room == wrap.c.room, commit_at.c.seq <= bindparam("cursor"))
    .scalar_subquery()
)
_forget = delete(wrap).where(
    wrap.c.room == select(room.c.pk).where(room.c.room_id == bindparam("room_id")).scalar_subquery(),
    wrap.c.device_id == bindparam("of_device"),
    wrap.c.seq < _newest_passed,
)
_new_mark = sqlite.insert(read_mark)
_put_mark = _new_mark.on_conflict_do_update(
    index_elements=[read_mark.c.account, read_mark.c.room],
    set_={"seq": _new_mark.excluded.seq},
    where=read_mark.c.seq < _new_mark.excluded.seq,
)


def commit(conn: Connection, draft: CommitDraft, limits: StoreLimits) -> CommitResult:
    """Makes a commit the room's newest, with all that it brings, as `chatserv.ports.Store.commit` says.

    Raises:
        NotFound: The room was closed, or there is none and the epoch is not 0.
        NameTaken: Another open room has the name or its skeleton.
        Quota: There are ``limits.rooms`` open rooms.
    """
    row = conn.execute(_room, {"room_id": draft.room_id}).first()
    if row.closed if row is not None else draft.epoch > 0:
        raise NotFound("room")
    if row is not None and (draft.epoch, draft.prev) != (row.epoch + 1, row.commit_hash):
        return Stale(row.epoch)
    if draft.at_seq and not _is_free(conn, row, draft.at_seq):
        return Stale(-1 if row is None else row.epoch)
    makes_pair = bool(draft.pair) and row is None
    same_pair = conn.execute(_pair, {"pair": draft.pair}).scalar() if makes_pair else None
    if same_pair is not None and same_pair != draft.replaces:
        return PairTaken(same_pair)
    names = {"name": draft.name, "skeleton": draft.skeleton, "room_id": draft.room_id}
    if draft.name and conn.execute(_name, names).first() is not None:
        raise NameTaken("name or skeleton of a room")
    if row is None and conn.execute(_open_rooms).scalar_one() >= limits.rooms:
        raise Quota("rooms")
    if same_pair is not None:
        conn.execute(update(room).where(room.c.room_id == same_pair).values(pair=None))
    seq = draft.at_seq or (1 if row is None else row.head + 1)
    pk = _put_room(conn, row, draft, seq)
    _put_commit(conn, pk, draft, seq)
    failpoint("commit.inserted")
    _move_places(conn, pk, draft, seq)
    _put_wraps(conn, pk, draft, seq)
    if draft.left:
        conn.execute(_take_leave, [{"of_room": pk, "of_user": user} for user in draft.left])
    move_consents(conn, pk, draft)
    append_leaves(conn, draft.leaves)
    return Appended(Event(draft.room_id, seq, draft.at_ms, draft.sender, EventKind.COMMIT, draft.body, change=draft))


def _is_free(conn: Connection, row: Any, seq: int) -> bool:
    """Whether nothing is at a place that lies behind the room's newest commit; a room begins with its first one."""
    if row is None:
        return seq == 1
    taken = (event.c.room == row.pk) & (event.c.seq == seq)
    before = (commit_at.c.room == row.pk) & (commit_at.c.seq >= seq)
    return conn.execute(select(event.c.pk).where(taken)).first() is None and (
        conn.execute(select(commit_at.c.seq).where(before)).first() is None
    )


def _put_room(conn: Connection, row: Any, draft: CommitDraft, seq: int) -> int:
    """Changes the room's ``row``, or makes it where that is None; returns its key."""
    values = {
        "name": draft.name or None,
        "skeleton": draft.skeleton if draft.name else None,
        "epoch": draft.epoch,
        "head": seq if row is None else max(row.head, seq),
        "commit_hash": draft.commit_hash,
        "kt_size": draft.kt_size,
        "state": draft.state,
    }
    if row is not None:
        conn.execute(update(room).where(room.c.pk == row.pk).values(values))
        return int(row.pk)
    new = (
        insert(room).values(room_id=draft.room_id, closed=False, pair=draft.pair or None, **values).returning(room.c.pk)
    )
    return int(conn.execute(new).scalar_one())


def _put_commit(conn: Connection, pk: int, draft: CommitDraft, seq: int) -> None:
    """The event's id is the whole hash, which no message's can be equal to."""
    conn.execute(
        insert(event).values(
            room=pk,
            seq=seq,
            msg_id=draft.commit_hash,
            device_id=draft.device_id,
            at_ms=draft.at_ms,
            sender=draft.sender,
            kind=int(EventKind.COMMIT),
            body=draft.body,
        )
    )
    conn.execute(insert(commit_at).values(room=pk, epoch=draft.epoch, seq=seq))


def _move_places(conn: Connection, pk: int, draft: CommitDraft, seq: int) -> None:
    conn.execute(update(place).where(place.c.room == pk, place.c.generation >= 0).values(generation=-1))
    if draft.removed:
        conn.execute(_end_place, [{"of_room": pk, "of_device": each, "seq": seq} for each in draft.removed])
    if draft.added:
        conn.execute(
            _put_place,
            [
                {"device_id": device_id, "room": pk, "leaf": leaf, "since": seq - 1, "generation": -1}
                for device_id, leaf in draft.added
            ],
        )


def _put_wraps(conn: Connection, pk: int, draft: CommitDraft, seq: int) -> None:
    rows = [(pk, each.device_id, draft.epoch, seq, each.wrap, b"".join(each.path)) for each in draft.wraps]
    if rows and conn.dialect.name == "sqlite":
        conn.connection.cursor().executemany(_insert_wrap, rows)  # of 300 it took half of the commit's time
    elif rows:
        conn.execute(insert(wrap), [dict(zip(_WRAP_COLUMNS, row, strict=True)) for row in rows])


def passed(conn: Connection, device_id: bytes, cursors: Mapping[bytes, int]) -> None:
    """Forgets the device's wraps of epochs that ended before its cursors; unknown rooms do not matter."""
    if cursors:
        rows = [{"room_id": room_id, "of_device": device_id, "cursor": cursor} for room_id, cursor in cursors.items()]
        conn.execute(_forget, rows)


def leave(conn: Connection, room_id: bytes, user: str, signed: bytes) -> None:
    """Keeps a Leave; a second one of the user replaces the first. Raises `NotFound`."""
    pk = _open(conn, room_id)
    conn.execute(_put_leave, {"room": pk, "user": user, "leave": signed})
    forget_consents(conn, pk, [user])


def point_of(conn: Connection, room_id: bytes) -> tuple[int, int]:
    """The epoch and the head of a room, which there has to be."""
    row = conn.execute(_room, {"room_id": room_id}).one()
    return row.epoch, row.head


def close_room(conn: Connection, room_id: bytes, *leaves: LeafDraft | None, epoch: int | None = None) -> None:
    """Ends a room and appends the leaves that there are: only its id stays.

    Raises:
        NotFound: There is none.
        StaleCommit: It is in another epoch than this one.
    """
    pk = _open(conn, room_id)
    if epoch not in {None, point_of(conn, room_id)[0]}:
        raise StaleCommit("room: somebody has committed")
    for table in (event, commit_at, place, wrap, waiting_leave, consent, read_mark):
        conn.execute(delete(table).where(table.c.room == pk))
    nothing = {
        "name": None,
        "skeleton": None,
        "pair": None,
        "commit_hash": b"",
        "kt_size": 0,
        "state": b"",
        "gone_through": 0,
    }
    conn.execute(update(room).where(room.c.pk == pk).values(closed=True, epoch=0, head=0, **nothing))
    cut_marks(conn)
    append_leaves(conn, [leaf for leaf in leaves if leaf is not None])


def mark_read(conn: Connection, account_id: bytes, room_id: bytes, seq: int) -> None:
    """Moves the account's read marker forward, never back. Raises `NotFound`."""
    here = (account.c.account_id == account_id) & account.c.gone_ms.is_(None)
    reader = conn.execute(select(account.c.pk).where(here)).scalar()
    if reader is None:
        raise NotFound("account")
    conn.execute(_put_mark, {"account": reader, "room": _open(conn, room_id), "seq": seq})


def _open(conn: Connection, room_id: bytes) -> int:
    row = conn.execute(_room, {"room_id": room_id}).first()
    if row is None or row.closed:
        raise NotFound("room")
    return int(row.pk)
