"""A restored store in the tables: what it lacks is offered, kept, decided and put back.

Nobody here begins or ends a transaction.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import sqlite

from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.crypto.restored import Restored
from chatserv.crypto.suite import sha256
from chatserv.errors import NotFound, Quota, StaleCommit
from chatserv.mending_models import (
    OFFER_BYTES,
    Candidate,
    MendedMessage,
    MendingState,
    OfferedEvent,
    OfferLimits,
    Voucher,
)
from chatserv.models import EventKind, LeafDraft
from chatserv.store.log_statements import append_leaves, log, log_size
from chatserv.store.message_key import message_key
from chatserv.store.meta_statements import INCARNATION, MENDING, meta_value, put_meta, renew_incarnation
from chatserv.store.schema import event, log_leaf, mending_body, mending_floor, mending_offer, meta, place, prekey, room

AT_ONCE: Final = 100  # offers that give way, before it is looked anew who has most
RESTORED: Final = "restored"
REPORT: Final = "mending_report"

_room = select(room.c.pk, room.c.closed, room.c.epoch, room.c.head).where(room.c.room_id == bindparam("room_id"))
_floor = select(mending_floor.c.head).join_from(mending_floor, room).where(room.c.room_id == bindparam("room_id"))
_taken = select(event.c.seq).where(
    event.c.room == bindparam("room"), event.c.seq.in_(bindparam("seqs", expanding=True))
)
_vouched = select(mending_offer.c.seq).where(
    mending_offer.c.room_id == bindparam("room_id"),
    mending_offer.c.device_id == bindparam("device_id"),
    mending_offer.c.seq.in_(bindparam("seqs", expanding=True)),
)
_same_body = select(mending_body.c.pk).where(
    mending_body.c.room_id == bindparam("room_id"),
    mending_body.c.seq == bindparam("seq"),
    mending_body.c.digest == bindparam("digest"),
)
_places = (
    select(mending_body.c.seq)
    .where(mending_body.c.room_id == bindparam("room_id"), mending_body.c.seq > bindparam("after"))
    .distinct()
    .order_by(mending_body.c.seq)
    .limit(bindparam("most"))
)
_candidates = (
    select(mending_body, mending_offer.c.user, mending_offer.c.device_id)
    .join_from(mending_body, mending_offer, mending_offer.c.body == mending_body.c.pk)
    .where(
        mending_body.c.room_id == bindparam("room_id"),
        mending_body.c.seq > bindparam("after"),
        mending_body.c.seq <= bindparam("last"),
    )
    .order_by(mending_body.c.seq, mending_body.c.pk, mending_offer.c.user, mending_offer.c.device_id)
)
_held = select(mending_body.c.user, func.sum(mending_body.c.size).label("bytes")).group_by(mending_body.c.user)
_others = (
    select(func.count(mending_offer.c.user.distinct()) > 1).where(mending_offer.c.body == mending_body.c.pk)
).scalar_subquery()
_last_of = (
    select(mending_body.c.pk, mending_body.c.size)
    .where(mending_body.c.user == bindparam("of_user"))
    .order_by(_others, mending_body.c.pk.desc())
    .limit(AT_ONCE)
)
"""What gives way of an account's offers: first what nobody else offers, the last ones first."""
_heirs = (
    select(mending_offer.c.user)
    .distinct()
    .where(mending_offer.c.body == bindparam("of_body"), mending_offer.c.user != bindparam("of_user"))
    .order_by(mending_offer.c.user)
)
_insert = sqlite.insert(event).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
_seat = (
    (place.c.room == bindparam("of_room"))
    & (place.c.device_id == bindparam("of_device"))
    & (place.c.leaf == bindparam("of_leaf"))
    & place.c.until.is_(None)
)
_last = select(place.c.generation).where(_seat)
_advance = update(place).where(_seat).values(generation=bindparam("to"))


def begin_mending(conn: Connection, backup_ms: int, now_ms: int) -> bytes:
    """Makes a database that was just restored one that mends; to be called once, before any server runs on it.

    Args:
        conn: Of the restored database, at today's schema.
        backup_ms: When the backup was made, milliseconds since 1970.
        now_ms: The clock.

    Returns:
        The store's new incarnation, 16 bytes: what was remembered of the one before is not trusted.
    """
    before, leaves = meta_value(conn, INCARNATION) or bytes(16), log(conn)
    now = renew_incarnation(conn)
    root = tree_root(map(leaf_hash, leaves))
    put_meta(conn, RESTORED, Restored(backup_ms, now_ms, len(leaves), root, before, now).encode())
    put_meta(conn, MENDING, b"1")
    _forget_offers(conn)
    conn.execute(delete(prekey))  # those that were given out since would be so twice; their devices leave new ones
    conn.execute(insert(mending_floor).from_select(["room", "head"], select(room.c.pk, room.c.head)))
    return now


def mending_state(conn: Connection) -> MendingState:
    """The last restore, and whether it is being mended."""
    restored, report = meta_value(conn, RESTORED) or b"", meta_value(conn, REPORT) or b""
    return MendingState(restored, meta_value(conn, MENDING) is not None, report)


def end_mending(conn: Connection, report: bytes) -> None:
    """Nothing is offered any more. ``report``: JSON, kept until the next restore."""
    _forget_offers(conn)
    conn.execute(delete(meta).where(meta.c.key == MENDING))
    put_meta(conn, REPORT, report)


def _forget_offers(conn: Connection) -> None:
    for table in (mending_offer, mending_body, mending_floor):
        conn.execute(delete(table))


# -- what is offered ---------------------------------------------------------------------------------------------------


def offer(conn: Connection, room_id: bytes, by: Voucher, offers: Sequence[OfferedEvent], limits: OfferLimits) -> int:
    """Keeps what is new of the offers, as `chatserv.mending_ports.MendingStore.offer` says. Raises `Quota`."""
    row = conn.execute(_room, {"room_id": room_id}).first()
    if row is not None and row.closed:
        return 0
    floor = find_floor(conn, room_id)
    wanted = {each.seq: each for each in offers if floor < each.seq <= floor + limits.span}
    had = {"room_id": room_id, "device_id": by.device_id, "seqs": list(wanted)}
    gone = set(conn.execute(_vouched, had).scalars())
    if row is not None:
        gone |= set(conn.execute(_taken, {"room": row.pk, "seqs": list(wanted)}).scalars())
    new = [each for seq, each in wanted.items() if seq not in gone]
    added = 0
    for each in new:
        key = {"room_id": room_id, "seq": each.seq, "digest": _digest(each)}
        body: int | None = conn.execute(_same_body, key).scalar()
        if body is None:
            values = {"kind": int(each.kind), "msg_id": each.id, "at_ms": each.at_ms, "body": each.body}
            charged = {"user": by.user, "size": OFFER_BYTES + len(each.body)}
            made = insert(mending_body).values(**key, **values, **charged).returning(mending_body.c.pk)
            body, added = int(conn.execute(made).scalar_one()), added + 1
        vouched = {"room_id": room_id, "seq": each.seq, "device_id": by.device_id, "user": by.user, "body": body}
        conn.execute(insert(mending_offer).values(vouched))
    if added:
        _check_bytes(conn, by.user, limits)
    return len(new)


def find_floor(conn: Connection, room_id: bytes) -> int:
    """The last place of a room at the restore; 0 for one that is not known from then."""
    return conn.execute(_floor, {"room_id": room_id}).scalar() or 0


def _digest(offered: OfferedEvent) -> bytes:
    """The same for the same bytes of the same kind under the same id, whatever time is said with them."""
    return sha256(bytes([offered.kind, len(offered.id)]), offered.id, offered.body)


def _check_bytes(conn: Connection, user: str, limits: OfferLimits) -> None:
    """Holds an account to its bound; where all is full, whoever has offered most gives way."""
    held: dict[str, int] = {row.user: row.bytes for row in conn.execute(_held)}
    if held[user] > limits.account:
        raise Quota("offers: of one account")
    while (over := sum(held.values()) - limits.total) > 0:
        most = max(held, key=lambda each: (held[each], each == user))
        if most == user:
            raise Quota("offers: of all")
        for row in conn.execute(_last_of, {"of_user": most}).all():
            heirs = conn.execute(_heirs, {"of_body": row.pk, "of_user": most}).scalars().all()
            theirs = (mending_offer.c.body == row.pk) & (mending_offer.c.user == most)
            conn.execute(delete(mending_offer).where(theirs))
            held[most] -= row.size
            if heirs:  # who owes nothing has offered it too: it stays, and one of them is charged
                heir = min(heirs, key=lambda each: held.get(each, 0))
                held[heir] = held.get(heir, 0) + row.size
                conn.execute(update(mending_body).where(mending_body.c.pk == row.pk).values(user=heir))
            else:
                conn.execute(delete(mending_body).where(mending_body.c.pk == row.pk))
                over -= row.size
            if over <= 0 or held[most] <= held[user] or held[most] < max(held.values()):
                break


def offered_rooms(conn: Connection) -> list[bytes]:
    """The rooms that there are offers for."""
    return list(conn.execute(select(mending_body.c.room_id).distinct().order_by(mending_body.c.room_id)).scalars())


def offered(conn: Connection, room_id: bytes, after: int, limit: int) -> list[Candidate]:
    """All candidates of the first ``limit`` places above ``after``, by place."""
    places = list(conn.execute(_places, {"room_id": room_id, "after": after, "most": limit}).scalars())
    if not places:
        return []
    found: dict[int, tuple[OfferedEvent, list[Voucher]]] = {}
    for row in conn.execute(_candidates, {"room_id": room_id, "after": after, "last": places[-1]}):
        said = OfferedEvent(row.seq, row.msg_id, EventKind(row.kind), row.at_ms, row.body)
        found.setdefault(row.pk, (said, []))[1].append(Voucher(row[-2], row.device_id))
    return [Candidate(said, tuple(by)) for said, by in found.values()]


# -- what is put back --------------------------------------------------------------------------------------------------


def mend_messages(conn: Connection, room_id: bytes, mended: Sequence[MendedMessage]) -> list[int]:
    """Puts messages where nothing is, as `chatserv.mending_ports.MendingStore.mend_messages` says. Raises `NotFound`."""
    row = conn.execute(_room, {"room_id": room_id}).first()
    if row is None or row.closed:
        raise NotFound("room")
    filled: list[int] = []
    for each in mended:
        values: dict[str, Any] = {
            "room": row.pk, "seq": each.seq, "msg_id": message_key(each.body, each.id), "device_id": each.device_id,
            "at_ms": each.at_ms, "sender": each.sender, "kind": int(EventKind.MESSAGE), "body": each.body,
        }  # fmt: skip
        seat = {"of_room": row.pk, "of_device": each.device_id, "of_leaf": each.leaf}
        last = conn.execute(_last, seat).scalar() if each.epoch == row.epoch else None
        if last is not None and each.generation <= last:
            continue
        if not conn.execute(_insert, values).rowcount:
            continue
        filled.append(each.seq)
        if last is not None:
            conn.execute(_advance, {**seat, "to": each.generation})
    if filled:
        conn.execute(update(room).where(room.c.pk == row.pk).values(head=max(row.head, *filled)))
    return filled


def mend_leaves(conn: Connection, first: int, leaves: Sequence[LeafDraft]) -> None:
    """Puts leaves at the end of the log. Raises `StaleCommit` where its size is not ``first``."""
    if log_size(conn) != first:
        raise StaleCommit("log: has grown meanwhile")
    append_leaves(conn, leaves)


def fill_statement(conn: Connection, index: int, statement: bytes) -> bool:
    """Keeps what was signed behind a leaf that has nothing behind it."""
    empty = update(log_leaf).where(log_leaf.c.number == index, log_leaf.c.statement == b"")
    return bool(conn.execute(empty.values(statement=statement)).rowcount)
