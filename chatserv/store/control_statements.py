"""Orders in the table, where several nodes have to carry them out. Nobody here begins or ends a transaction."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from chatserv.control_models import KEPT
from chatserv.store.schema import control

PRUNED_EVERY: Final = 256  # orders
_newest = select(func.coalesce(func.max(control.c.number), 0))
_after = (
    select(control.c.number, control.c.body)
    .where(control.c.number > bindparam("after"))
    .order_by(control.c.number)
    .limit(bindparam("count"))
)
_forget = delete(control).where(control.c.number <= bindparam("through"))


def control_number(conn: Connection) -> int:
    """The number of the last order; 0 before the first one, and where none are kept."""
    return int(conn.execute(_newest).scalar_one())


def keep_orders(conn: Connection, orders: Sequence[bytes]) -> int:
    """Keeps orders, under `chatserv.store.locks.Lock.CONTROL`, and returns the number of the first."""
    first = control_number(conn) + 1
    last = first + len(orders) - 1
    conn.execute(insert(control), [{"number": number, "body": body} for number, body in enumerate(orders, first)])
    if first // PRUNED_EVERY != (last + 1) // PRUNED_EVERY:
        conn.execute(_forget, {"through": last - KEPT})
    return first


def orders(conn: Connection, after: int, limit: int) -> list[tuple[int, bytes]]:
    """Up to ``limit`` orders behind a number, in order, each with its own."""
    return [(number, body) for number, body in conn.execute(_after, {"after": after, "count": max(limit, 0)})]
