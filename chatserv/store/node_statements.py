"""What a node reads to come as far as others are, each from one moment. Nothing is written here."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import ARRAY, Connection, LargeBinary, bindparam, func, select, true

from chatserv.domain.hub import Place
from chatserv.models import ConsentAt, PlaceAt
from chatserv.node_models import Arriving, Numbers, RoomAt, Standing
from chatserv.store.account_statements import account_status, as_status
from chatserv.store.consent_statements import consents_from, consents_in_rooms
from chatserv.store.room_statements import read_marks, rooms_and_leaves, rooms_from
from chatserv.store.schema import account, backup, control, device, log_head, log_leaf, place, prekey, room

_SNAPSHOT: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_log_size = select(func.coalesce(func.max(log_leaf.c.number) + 1, 0)).scalar_subquery()
_control = select(func.coalesce(func.max(control.c.number), 0)).scalar_subquery()
_last_order = select(_control)
_kept_head = select(log_head.c.head).scalar_subquery().label("kept_head")
_numbers = select(_log_size, _control, _kept_head)
_heads = select(room.c.room_id, room.c.head).where(room.c.closed.is_(False))
_seats = (
    select(room.c.pk, room.c.room_id, room.c.head, place.c.leaf, place.c.since, place.c.until)
    .join_from(place, room)
    .where(place.c.device_id == bindparam("device_id"), room.c.closed.is_(False))
    .subquery()
)
_now = _numbers.subquery()
_standing = select(_now, _seats).select_from(_now.outerjoin(_seats, true())).order_by(_seats.c.pk)
_arriving = account_status.add_columns(
    select(func.count()).where(prekey.c.device == device.c.pk).correlate(device).scalar_subquery(),
    select(backup.c.counter).where(backup.c.account == account.c.pk).correlate(account).scalar_subquery(),
).where(
    account.c.name == bindparam("name"),
    device.c.account == account.c.pk,
    device.c.device_id == bindparam("of_device"),
    device.c.revoked_ms.is_(None),
)
_wanted = room.c.room_id.in_(bindparam("room_ids", expanding=True))
_rooms_in = rooms_and_leaves.where(_wanted)
_places_in = (
    select(room.c.room_id, place.c.device_id, place.c.leaf, place.c.since, place.c.until)
    .join_from(place, room)
    .where(_wanted)
)
_consents_in = consents_in_rooms.where(_wanted)


def begin_one_moment(conn: Connection) -> None:
    """Lets all that this transaction reads be of one moment, where several write: the first that is said in it."""
    conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


@contextmanager
def one_moment(conn: Connection) -> Iterator[None]:
    """All that is read inside is of one moment; on a connection that begins nothing by itself."""
    conn.exec_driver_sql(_SNAPSHOT if conn.dialect.name == "postgresql" else "BEGIN")
    try:
        yield
    finally:
        conn.exec_driver_sql("ROLLBACK")  # there is nothing to commit


def numbers(conn: Connection) -> Numbers:
    """How far the store has come with what is not a room's."""
    return _numbers_of(conn.execute(_numbers).one())


def _numbers_of(row: Any) -> Numbers:
    return Numbers(row[0], row[1], row[2] or b"")


def moved(conn: Connection, heads: Mapping[bytes, int]) -> dict[bytes, int]:
    """The heads of those of these rooms that are open and not there."""
    asked, ids = _heads, list(heads)
    if conn.dialect.name == "postgresql":  # the one that is asked for many, again and again
        asked = asked.where(room.c.room_id == func.any(bindparam("ids", ids, type_=ARRAY(LargeBinary))))
    return {room_id: head for room_id, head in conn.execute(asked) if head != heads.get(room_id, head)}


def standing(conn: Connection, device_id: bytes) -> Standing:
    """Where a device is that logs in: one statement, so of one moment."""
    rows = conn.execute(_standing, {"device_id": device_id}).all()
    found = [row for row in rows if row.room_id is not None]
    places = tuple(PlaceAt(row.room_id, Place(row.leaf, row.since, row.until)) for row in found)
    return Standing(places, {row.room_id: row.head for row in found}, _numbers_of(rows[0]))


def arriving(conn: Connection, name: str, device_id: bytes) -> Arriving | None:
    """What a device of that account goes by that logs in, its places last; None where it is unknown or revoked."""
    row = conn.execute(_arriving, {"name": name, "of_device": device_id}).first()
    if row is None:
        return None
    *account_row, prekeys, counter = row
    status = as_status(account_row)
    reads = read_marks(conn, status.account.account_id)
    return Arriving(status, reads, prekeys, counter or 0, standing(conn, device_id))


def rooms_at(conn: Connection, room_ids: Sequence[bytes]) -> dict[bytes, RoomAt]:
    """Rooms with all that a node has of each; those that are closed or unknown are missing."""
    of = {"room_ids": list(room_ids)}
    places, said = defaultdict[bytes, dict[bytes, Place]](dict), defaultdict[bytes, list[ConsentAt]](list)
    with one_moment(conn):
        found = rooms_from(conn.execute(_rooms_in, of).all())
        for room_id, device, leaf, since, until in conn.execute(_places_in, of):
            places[room_id][device] = Place(leaf, since, until)
        for each in consents_from(conn.execute(_consents_in, of)):
            said[each.room_id].append(each)
        last = int(conn.execute(_last_order).scalar_one())
    return {each.room_id: RoomAt(each, places[each.room_id], tuple(said[each.room_id]), last) for each in found}
