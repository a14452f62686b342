"""The leaves of the log in the tables. Nobody here begins or ends a transaction."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, insert, select

from chatserv.models import LeafDraft
from chatserv.store.schema import log_leaf

_next = select(func.coalesce(func.max(log_leaf.c.number) + 1, 0))
_from = select(log_leaf.c.leaf).where(log_leaf.c.number >= bindparam("first")).order_by(log_leaf.c.number)
_statement = select(log_leaf.c.statement).where(log_leaf.c.number == bindparam("index"))


def log_size(conn: Connection) -> int:
    """How many leaves the log has."""
    return int(conn.execute(_next).scalar_one())


def log(conn: Connection, first: int = 0) -> list[bytes]:
    """The leaves from ``first`` on (105 bytes each), in order."""
    return list(conn.execute(_from, {"first": first}).scalars())


def statement(conn: Connection, index: int) -> bytes | None:
    """The signed bytes behind the leaf with that index, or None."""
    found: bytes | None = conn.execute(_statement, {"index": index}).scalar()
    return found or None


def append_leaves(conn: Connection, drafts: Sequence[LeafDraft]) -> None:
    """Puts leaves at the end of the log."""
    if drafts:
        size = log_size(conn)
        rows = [
            {"number": number, "leaf": draft.leaf, "statement": draft.statement}
            for number, draft in enumerate(drafts, size)
        ]
        conn.execute(insert(log_leaf), rows)
