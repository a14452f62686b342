"""Files in the tables: a row for each, never its bytes. Nobody here begins or ends a transaction.

What all of them count for stands in a row of its own. It changes where rows come (`open_blob`) and go (`forget_blobs`), in
the same transaction. A node of the version before, which knows nothing of it, may go on for a while on the database that a
newer one has brought up to date: so it is counted anew now and then (`recount_blobs`).
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, delete, func, insert, or_, select, union, update
from sqlalchemy.dialects import sqlite

from chatserv.blob_models import LEAST_COUNTED_BYTES, NewBlob, StoredBlob, counted
from chatserv.errors import BadMessage, NotFound, Quota, StorageFull
from chatserv.store.identity_statements import account_key
from chatserv.store.limits import StoreLimits
from chatserv.store.schema import account, blob, blob_total, room

OPEN: Final = 0
WHOLE: Final = 1
ENDED: Final = 2
_sum = select(func.sum(case((blob.c.size < LEAST_COUNTED_BYTES, LEAST_COUNTED_BYTES), else_=blob.c.size)))
_total = select(blob_total.c.bytes)
_noted_and_counted = select(func.coalesce(_total.scalar_subquery(), 0), func.coalesce(_sum.scalar_subquery(), 0))
_first = sqlite.insert(blob_total).values(number=0, bytes=bindparam("more"))
_more = _first.on_conflict_do_update(
    index_elements=[blob_total.c.number], set_={"bytes": blob_total.c.bytes + _first.excluded.bytes}
)
_rows = select(blob, account.c.name, room.c.room_id).join_from(blob, account).join(room)
_living = _rows.where(blob.c.state != ENDED).order_by(blob.c.blob_id).limit(bindparam("most"))
_by_id = _rows.where(blob.c.blob_id == bindparam("of"))
_there = _by_id.where(blob.c.state != ENDED, account.c.gone_ms.is_(None), room.c.closed.is_(False))
_of_account = _living.where(account.c.name == bindparam("owner"), blob.c.blob_id > bindparam("after"))
_begun = _living.where(blob.c.received > 0, blob.c.blob_id > bindparam("after"))
_room = select(room.c.pk).where(room.c.room_id == bindparam("of"), room.c.closed.is_(False))
_due = union(
    select(blob.c.blob_id).where(or_(blob.c.state == ENDED, blob.c.expires_ms <= bindparam("now_ms"))),
    select(blob.c.blob_id).join_from(blob, account).where(account.c.gone_ms.is_not(None)),
    select(blob.c.blob_id).join_from(blob, room).where(room.c.closed.is_(True)),
).limit(bindparam("most"))
_note = (
    update(blob)
    .where(blob.c.blob_id == bindparam("of"), blob.c.state == OPEN, blob.c.received == bindparam("before"))
    .values(received=bindparam("now"), state=bindparam("becomes"), expires_ms=bindparam("until"))
    .execution_options(preserve_rowcount=True)
)


def open_blob(conn: Connection, new: NewBlob, limits: StoreLimits) -> StoredBlob:
    """Makes a row, or gives the one that is there; errors as of `chatserv.blob_ports.BlobStore.open_blob`."""
    there = conn.execute(_by_id, {"of": new.blob_id}).first()
    if there is not None:
        if there.state == ENDED or not _blob(there).is_begun_by(new):
            raise BadMessage("blob: another one has that id")
        return _blob(there)
    owner, room_pk = account_key(conn, new.owner), conn.execute(_room, {"of": new.room}).scalar()
    if room_pk is None:
        raise NotFound("room")
    own = blob.c.account == owner
    unfinished = select(func.count()).select_from(blob).where(own, blob.c.state == OPEN)
    if conn.execute(unfinished).scalar_one() >= limits.open_blobs:
        raise Quota("blobs that are not whole")
    if int(conn.execute(_sum.where(own)).scalar() or 0) + counted(new.size) > limits.blob_account_bytes:
        raise Quota("bytes of blobs")
    if blob_bytes(conn, "") + counted(new.size) > limits.blob_server_bytes:
        raise StorageFull("bytes of all blobs")
    facts = {"blob_id": new.blob_id, "account": owner, "room": room_pk, "size": new.size, "hash": new.hash}
    times = {"created_ms": new.now_ms, "expires_ms": new.expires_ms}
    conn.execute(insert(blob).values(**facts, **times, received=0, state=OPEN))
    conn.execute(_more, {"more": counted(new.size)})
    return _blob(conn.execute(_by_id, {"of": new.blob_id}).one())


def find_blob(conn: Connection, blob_id: bytes) -> StoredBlob | None:
    """The blob with that id, where neither it nor its account or room is ended."""
    row = conn.execute(_there, {"of": blob_id}).first()
    return None if row is None else _blob(row)


def note_received(conn: Connection, blob_id: bytes, before: int, received: int, expires_ms: int, whole: bool) -> bool:
    """Notes how much of a blob is on the disk; False where it is not the one that had ``before``."""
    values = {"now": received, "becomes": WHOLE if whole else OPEN, "until": expires_ms}
    return conn.execute(_note, {"of": blob_id, "before": before, **values}).rowcount == 1


def blobs_of(conn: Connection, owner: str, after: bytes, limit: int) -> list[StoredBlob]:
    """Blobs of an account, in order of id."""
    return [_blob(row) for row in conn.execute(_of_account, {"owner": owner, "after": after, "most": limit})]


def begun_blobs(conn: Connection, after: bytes, limit: int) -> list[StoredBlob]:
    """Blobs of which bytes are on the disk, in order of id."""
    return [_blob(row) for row in conn.execute(_begun, {"after": after, "most": limit})]


def blob_bytes(conn: Connection, owner: str) -> int:
    """What the blobs of an account, or of all, count for."""
    if not owner:
        return conn.execute(_total).scalar() or 0
    return int(conn.execute(_sum.select_from(blob).join(account).where(account.c.name == owner)).scalar() or 0)


def noted_and_counted(conn: Connection) -> tuple[int, int]:
    """What `blob_bytes` of all is, and what it has to be by the rows, of one moment."""
    found = conn.execute(_noted_and_counted).one()
    return int(found[0]), int(found[1])


def recount_blobs(conn: Connection) -> None:
    """Makes `blob_bytes` of all what it has to be."""
    noted, counts_for = noted_and_counted(conn)
    if noted != counts_for:
        conn.execute(_more, {"more": counts_for - noted})


def due_blobs(conn: Connection, now_ms: int, limit: int) -> Sequence[bytes]:
    """Blobs that are to go."""
    return conn.execute(_due, {"now_ms": now_ms, "most": limit}).scalars().all()


def end_blobs(conn: Connection, blob_ids: Collection[bytes]) -> None:
    """Ends blobs."""
    conn.execute(update(blob).where(blob.c.blob_id.in_(blob_ids)).values(state=ENDED))


def forget_blobs(conn: Connection, blob_ids: Collection[bytes]) -> None:
    """Deletes the rows of ended ones."""
    gone = delete(blob).where(blob.c.blob_id.in_(blob_ids), blob.c.state == ENDED).returning(blob.c.size)
    if sizes := conn.execute(gone).scalars().all():
        conn.execute(_more, {"more": -sum(map(counted, sizes))})


def known_blobs(conn: Connection, blob_ids: Collection[bytes]) -> set[bytes]:
    """Those of these that have a row."""
    return set(conn.execute(select(blob.c.blob_id).where(blob.c.blob_id.in_(blob_ids))).scalars())


def whole_blobs(conn: Connection, blob_ids: Collection[bytes]) -> set[bytes]:
    """Those of these that are whole, and were not ended."""
    return set(
        conn.execute(select(blob.c.blob_id).where(blob.c.blob_id.in_(blob_ids), blob.c.state == WHOLE)).scalars()
    )


def _blob(row: Any) -> StoredBlob:
    return StoredBlob(
        row.blob_id,
        row.name,
        row.room_id,
        row.size,
        row.hash,
        row.received,
        row.state == WHOLE,
        row.created_ms,
        row.expires_ms,
    )
