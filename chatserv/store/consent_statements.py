"""Which places in rooms their users have agreed to. Nobody here begins or ends a transaction."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, LargeBinary, bindparam, delete, func, select
from sqlalchemy.dialects import sqlite

from chatserv.control_models import may_follow
from chatserv.crypto.room_state import POLICY_END, is_of_devices
from chatserv.models import CommitDraft, Consent, ConsentAt
from chatserv.node_models import Membership, PublicRoom
from chatserv.store.schema import consent, room

consents_in_rooms = (
    select(room.c.room_id, consent.c.user, consent.c.inviter, consent.c.consent)
    .join_from(consent, room)
    .where(room.c.closed.is_(False))
    .order_by(room.c.pk, consent.c.user)
)
_memberships = (
    select(
        room.c.room_id,
        consent.c.inviter,
        consent.c.consent,
        func.substr(room.c.state, 1, 5, type_=LargeBinary).label("kind"),
    )
    .join_from(consent, room)
    .where(consent.c.user == bindparam("user"), room.c.closed.is_(False))
    .order_by(room.c.pk)
)
_offers = consents_in_rooms.where(
    consent.c.user.in_(bindparam("users", expanding=True)),
    consent.c.consent.in_([int(Consent.ASKED), int(Consent.YIELDED)]),
)
_public = (
    select(
        room.c.room_id,
        room.c.name,
        func.substr(room.c.state, 1, POLICY_END, type_=LargeBinary).label("policy"),
        select(func.count()).where(consent.c.room == room.c.pk).scalar_subquery().label("members"),
    )
    .where(room.c.name > bindparam("after"))
    .order_by(room.c.name)
    .limit(bindparam("count"))
)
_empty = (
    select(room.c.room_id)
    .where(room.c.closed.is_(False), ~select(consent.c.room).where(consent.c.room == room.c.pk).exists())
    .order_by(room.c.pk)
)
_open = select(room.c.pk).where(room.c.room_id == bindparam("room_id"), room.c.closed.is_(False))
_before = select(consent.c.consent).where(
    consent.c.room == bindparam("of_room"), consent.c.user == bindparam("of_user")
)
_new = sqlite.insert(consent)
_put = _new.on_conflict_do_update(
    index_elements=[consent.c.room, consent.c.user],
    set_={"inviter": _new.excluded.inviter, "consent": _new.excluded.consent},
)
_forget = delete(consent).where(consent.c.room == bindparam("of_room"), consent.c.user == bindparam("of_user"))


def consents(conn: Connection) -> list[ConsentAt]:
    """All of rooms that are not closed, by age of the room."""
    return consents_from(conn.execute(consents_in_rooms))


def consents_from(rows: Iterable[Any]) -> list[ConsentAt]:
    """What rows of `consents_in_rooms` say."""
    return [ConsentAt(room_id, user, inviter, Consent(value)) for room_id, user, inviter, value in rows]


def memberships(conn: Connection, user: str) -> list[Membership]:
    """The places of somebody in open rooms, by age of the room."""
    found = conn.execute(_memberships, {"user": user})
    return [Membership(row.room_id, row.inviter, Consent(row.consent), is_of_devices(row.kind)) for row in found]


def offers(conn: Connection, users: Sequence[str]) -> list[ConsentAt]:
    """The places of these that others gave them and they have not agreed to, by age of the room."""
    return consents_from(conn.execute(_offers, {"users": list(users)}))


def public_rooms(conn: Connection, after: str, limit: int) -> list[PublicRoom]:
    """Up to ``limit`` rooms with names behind ``after``, in order of name."""
    found = conn.execute(_public, {"after": after, "count": max(limit, 0)})
    return [PublicRoom(row.room_id, row.name, row.policy, row.members) for row in found]


def empty_rooms(conn: Connection) -> list[bytes]:
    """Open rooms that nobody is in, by age."""
    return list(conn.execute(_empty).scalars())


def set_consents(conn: Connection, wanted: Sequence[ConsentAt]) -> list[ConsentAt]:
    """Keeps each that may follow what was kept before; of rooms that are closed or unknown, none. Gives those."""
    kept = []
    for each in wanted:
        pk = conn.execute(_open, {"room_id": each.room_id}).scalar()
        if pk is None:
            continue
        before = conn.execute(_before, {"of_room": pk, "of_user": each.user}).scalar()
        if may_follow(None if before is None else Consent(before), each.consent):
            row = {"room": pk, "user": each.user, "inviter": each.inviter, "consent": int(each.consent)}
            conn.execute(_put, row)
            kept.append(each)
    return kept


def forget_consents(conn: Connection, pk: int, users: Sequence[str]) -> None:
    """The users are in the room no more."""
    if users:
        conn.execute(_forget, [{"of_room": pk, "of_user": user} for user in users])


def move_consents(conn: Connection, pk: int, draft: CommitDraft) -> None:
    """What a commit does."""
    forget_consents(conn, pk, draft.gone)
    rows = [{"user": user, "inviter": draft.sender, "consent": int(Consent.ASKED)} for user in draft.asked]
    rows += [{"user": user, "inviter": "", "consent": int(Consent.AGREED)} for user in draft.agreed]
    if rows:
        conn.execute(_put, [{"room": pk, **row} for row in rows])
