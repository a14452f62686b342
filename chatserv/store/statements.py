"""What is read from and written to the tables, in one place; and the id of the database's life.

The functions are in the modules by subject. None begins or ends a transaction.
"""

import secrets

from sqlalchemy import Connection, delete, insert, select

from chatserv.store.account_statements import (
    accounts,
    add_invite,
    administrator_exists,
    bans,
    find_account,
    invite_works,
    register,
    set_account,
    set_ban,
)
from chatserv.store.consent_statements import consents, set_consents
from chatserv.store.key_statements import (
    certificates,
    find_device,
    prekeys_left,
    publish_prekeys,
    revoke,
    take_prekey,
)
from chatserv.store.log_statements import log, statement
from chatserv.store.room_changes import close_room, commit, leave, mark_read, passed
from chatserv.store.room_statements import (
    commits,
    events,
    events_before,
    places,
    read_marks,
    rooms,
    wrap_of,
)
from chatserv.store.schema import meta

INCARNATION = "incarnation"


def incarnation(conn: Connection) -> bytes | None:
    """The id of this life of the database (16 bytes), or None before it has one."""
    value: bytes | None = conn.execute(select(meta.c.value).where(meta.c.key == INCARNATION)).scalar()
    return value


def renew_incarnation(conn: Connection) -> bytes:
    """Gives the database a new random incarnation id, as after a restore."""
    value = secrets.token_bytes(16)
    conn.execute(delete(meta).where(meta.c.key == INCARNATION))
    conn.execute(insert(meta).values(key=INCARNATION, value=value))
    return value


__all__ = [
    "accounts",
    "add_invite",
    "administrator_exists",
    "bans",
    "certificates",
    "close_room",
    "commit",
    "commits",
    "consents",
    "events",
    "events_before",
    "find_account",
    "find_device",
    "incarnation",
    "invite_works",
    "leave",
    "log",
    "mark_read",
    "passed",
    "places",
    "prekeys_left",
    "publish_prekeys",
    "read_marks",
    "register",
    "renew_incarnation",
    "revoke",
    "rooms",
    "set_account",
    "set_ban",
    "set_consents",
    "statement",
    "take_prekey",
    "wrap_of",
]
