"""Which places in rooms their users have agreed to. Nobody here begins or ends a transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.dialects import sqlite

from chatserv.models import CommitDraft, Consent, ConsentAt
from chatserv.store.schema import consent, room

_consents = (
    select(room.c.room_id, consent.c.user, consent.c.inviter, consent.c.consent)
    .join_from(consent, room)
    .where(room.c.closed.is_(False))
    .order_by(room.c.pk, consent.c.user)
)
_open = select(room.c.pk).where(room.c.room_id == bindparam("room_id"), room.c.closed.is_(False))
_new = sqlite.insert(consent)
_put = _new.on_conflict_do_update(
    index_elements=[consent.c.room, consent.c.user],
    set_={"inviter": _new.excluded.inviter, "consent": _new.excluded.consent},
)
_forget = delete(consent).where(consent.c.room == bindparam("of_room"), consent.c.user == bindparam("of_user"))


def consents(conn: Connection) -> list[ConsentAt]:
    """All of rooms that are not closed, by age of the room."""
    found = conn.execute(_consents)
    return [ConsentAt(room_id, user, inviter, Consent(value)) for room_id, user, inviter, value in found]


def set_consents(conn: Connection, wanted: Sequence[ConsentAt]) -> None:
    """Keeps each in place of what was kept before; of rooms that are closed or unknown, none."""
    for each in wanted:
        pk = conn.execute(_open, {"room_id": each.room_id}).scalar()
        if pk is not None:
            row = {"room": pk, "user": each.user, "inviter": each.inviter, "consent": int(each.consent)}
            conn.execute(_put, row)


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
