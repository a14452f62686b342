"""What the store keeps of its own life: its incarnation, how often a server has started on it, whether it is being mended.

Nobody here begins or ends a transaction.
"""

import secrets
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import sqlite

from chatserv.errors import Reject
from chatserv.store.schema import meta
from chatserv.wire.handshake import decode_rotations, encode_rotations

INCARNATION = "incarnation"
STARTS = "starts"
ALONE = "alone"  # the number of the last start that had the database for itself
CLUSTER = "cluster"  # what the nodes call themselves that share the database
MENDING = "mending"
ADDRESSES = "addresses"
ROTATIONS = "rotations"
SERVER = "server"  # whose a database is that is not in the state directory
LOGIN_SECRET = "login_secret"  # nosec B105  # noqa: S105 - its name

_value = select(meta.c.value).where(meta.c.key == bindparam("of"))
_new = sqlite.insert(meta)
_put = _new.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": _new.excluded.value})


def meta_value(conn: Connection, key: str) -> bytes | None:
    """A value, or None."""
    value: bytes | None = conn.execute(_value, {"of": key}).scalar()
    return value


def put_meta(conn: Connection, key: str, value: bytes) -> None:
    """Keeps a value in place of the one before."""
    conn.execute(_put, {"key": key, "value": value})


def incarnation(conn: Connection) -> bytes | None:
    """The id of this life of the database (16 bytes), or None before it has one."""
    return meta_value(conn, INCARNATION)


def renew_incarnation(conn: Connection) -> bytes:
    """Gives the database a new random incarnation id, as after a restore."""
    value = secrets.token_bytes(16)
    put_meta(conn, INCARNATION, value)
    return value


def login_secret(conn: Connection) -> bytes | None:
    """What secrets of logins by password are made from, where that is not the identity key any more, 32 bytes."""
    return meta_value(conn, LOGIN_SECRET)


def keep_login_secret(conn: Connection, secret: bytes) -> None:
    """Keeps it: the identity key changes."""
    put_meta(conn, LOGIN_SECRET, secret)


def carried_rotations(conn: Connection) -> tuple[bytes, ...]:
    """The signed changes of the identity key that the log need not name: the store was restored from before them."""
    with suppress(Reject):
        return decode_rotations(meta_value(conn, ROTATIONS) or b"")
    return ()


def carry_rotations(conn: Connection, rotations: Sequence[bytes]) -> None:
    """Keeps them, in the place of those that were kept before."""
    put_meta(conn, ROTATIONS, encode_rotations(tuple(rotations)))


def addresses(conn: Connection) -> tuple[str, ...]:
    """Where else the server can be reached, ``HOST:PORT`` each."""
    return tuple((meta_value(conn, ADDRESSES) or b"").decode().split())


def set_addresses(conn: Connection, known: Sequence[str], before: Sequence[str] | None = None) -> bool:
    """Keeps that, in the place of what was kept before, or of ``before`` alone; there is no space in an address."""
    if before is not None and tuple(before) != addresses(conn):
        return False
    put_meta(conn, ADDRESSES, " ".join(known).encode())
    return True


def starts(conn: Connection) -> int:
    """How often a server has started on the database, since that is counted."""
    return int.from_bytes(meta_value(conn, STARTS) or b"")


def count_start(conn: Connection, *, alone: bool = True) -> int:
    """Counts one more start, and gives the number. ``alone``: it is none of a node among others."""
    number = starts(conn) + 1
    put_meta(conn, STARTS, number.to_bytes(8))
    if alone:
        put_meta(conn, ALONE, number.to_bytes(8))
    return number


def last_alone(conn: Connection) -> int:
    """The number of the last start that had the database for itself."""
    return int.from_bytes(meta_value(conn, ALONE) or b"")


def mending(conn: Connection) -> bytes | None:
    """What is known of the mending of a database that was restored; None where it is not being mended."""
    return meta_value(conn, MENDING)
