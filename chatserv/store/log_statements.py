"""The leaves of the log in the tables, and its signed head. Nobody here begins or ends a transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select, tuple_
from sqlalchemy.dialects import sqlite

from chatserv.crypto.log_leaves import LeafType, TreeHead
from chatserv.crypto.suite import RSA_BYTES
from chatserv.errors import NotFound
from chatserv.models import LeafDraft
from chatserv.store.meta_statements import carried_rotations
from chatserv.store.schema import log_head, log_leaf

_next = select(func.coalesce(func.max(log_leaf.c.number) + 1, 0))
_from = select(log_leaf.c.leaf).where(log_leaf.c.number >= bindparam("first")).order_by(log_leaf.c.number)
_key_changes = (
    select(log_leaf.c.statement)
    .where(func.substr(log_leaf.c.leaf, 1, 1) == bytes([LeafType.SERVER_KEY]))
    .order_by(log_leaf.c.number)
)
_statement = select(log_leaf.c.statement).where(log_leaf.c.number == bindparam("index"))
_leaf = select(log_leaf.c.leaf).where(log_leaf.c.number == bindparam("index"))
_new_leaves = insert(log_leaf)
_head = select(log_head.c.head)
_new_head = sqlite.insert(log_head)
_put_head = _new_head.on_conflict_do_update(
    index_elements=[log_head.c.number],
    set_={column: _new_head.excluded[column] for column in ("size", "at_ms", "head")},
    where=tuple_(log_head.c.size, log_head.c.at_ms) < tuple_(_new_head.excluded.size, _new_head.excluded.at_ms),
)


def log_size(conn: Connection) -> int:
    """How many leaves the log has."""
    return int(conn.execute(_next).scalar_one())


def log(conn: Connection, first: int = 0) -> list[bytes]:
    """The leaves from ``first`` on (105 bytes each), in order."""
    return list(conn.execute(_from, {"first": first}).scalars())


def log_page(conn: Connection, first: int, limit: int) -> list[bytes]:
    """Up to ``limit`` leaves from ``first`` on, in order."""
    return list(conn.execute(_from.limit(limit), {"first": first}).scalars())


def statement(conn: Connection, index: int) -> bytes | None:
    """The signed bytes behind the leaf with that index, or None."""
    found: bytes | None = conn.execute(_statement, {"index": index}).scalar()
    return found or None


def keep_head(conn: Connection, signed: bytes, last: bytes) -> bytes:
    """Keeps a signed head, unless there is a higher or a later one; gives the one that is kept then.

    Raises `NotFound` where ``last`` is not the last of the leaves that it covers.
    """
    head = TreeHead.decode(signed[:-RSA_BYTES])
    if (conn.execute(_leaf, {"index": head.size - 1}).scalar() or b"") != last:
        raise NotFound(f"log: another leaf {head.size - 1}")
    conn.execute(_put_head, {"number": 0, "size": head.size, "at_ms": head.at_ms, "head": signed})
    return kept_head(conn)


def kept_head(conn: Connection) -> bytes:
    """The signed head that is kept; empty where none is."""
    return conn.execute(_head).scalar() or b""


def forget_head(conn: Connection) -> None:
    """Keeps none."""
    conn.execute(delete(log_head))


def rotations(conn: Connection) -> tuple[bytes, ...]:
    """The signed changes of the server's key, in order: those that the log names, or all where a restored store has more."""
    logged, carried = tuple(conn.execute(_key_changes).scalars()), carried_rotations(conn)
    return carried if carried[: len(logged)] == logged else logged


def append_leaves(conn: Connection, drafts: Sequence[LeafDraft]) -> None:
    """Puts leaves at the end of the log."""
    if drafts:
        size = log_size(conn)
        rows = [
            {"number": number, "leaf": draft.leaf, "statement": draft.statement}
            for number, draft in enumerate(drafts, size)
        ]
        conn.execute(_new_leaves, rows)
