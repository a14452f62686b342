"""A whole store from one database into another, of whichever kinds: every row, by its number."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select

from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.store.log_statements import log
from chatserv.store.meta_statements import SERVER, meta_value
from chatserv.store.retention_statements import DONE, cut_marks
from chatserv.store.schema import event, meta, metadata, retention_mark

ROWS: Final = 500  # under way at a time


class CopyDiffers(Exception):
    """What was copied is not what was there. ``str()`` says where."""


class Copied(Struct, frozen=True):
    """How many rows of each table, and the root over the leaves of the log, 32 bytes."""

    rows: dict[str, int]
    root: bytes


def copy_store(source: Connection, target: Connection, tell: Callable[[str], None]) -> Copied:
    """Copies everything, in the transactions that the connections are in, and compares counts and the log's root.

    Args:
        source: Of a store at today's schema, which nobody writes to.
        target: Of a new one, whose incarnation goes.
        tell: Is told each table that is done, a line each.

    Raises:
        CopyDiffers: Not everything has arrived; the transaction should be given up.
    """
    target.execute(delete(meta))
    rows: dict[str, int] = {}
    for table in metadata.sorted_tables:
        query = select(table).order_by(*table.primary_key.columns)
        rows[table.name] = 0
        found = source.execution_options(yield_per=ROWS).execute(query).mappings()
        for page in found.partitions(ROWS):
            target.execute(insert(table), [dict(row) for row in page])
            rows[table.name] += len(page)
        there = target.execute(select(func.count()).select_from(table)).scalar_one()
        if there != rows[table.name]:
            raise CopyDiffers(f"{table.name}: {rows[table.name]} rows were read, and {there} are there")
        if there:
            tell(f"{table.name}: {there}")
    root, other = (tree_root(map(leaf_hash, log(each))) for each in (source, target))
    if root != other:
        raise CopyDiffers("the log's root is another one")
    _number_on(target)
    return Copied(rows, root)


_SESSIONS: Final = "SELECT setval('session_number', (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"


def _number_on(target: Connection) -> None:
    """What is made from now on gets numbers above those that there are, and above those that retention knows of."""
    if target.dialect.name == "sqlite":
        cut_marks(target)
        target.execute(delete(meta).where(meta.c.key == SERVER))  # a file says by its place whose it is
        return
    target.exec_driver_sql(_SESSIONS)  # above those that nodes have told each other before, which may be said again
    for table in metadata.sorted_tables:
        if "pk" in table.c:
            highest = target.execute(select(func.max(table.c.pk))).scalar() or 0
            if table is event:
                marked = target.execute(select(func.max(retention_mark.c.event))).scalar() or 0
                highest = max(highest, marked, int.from_bytes(meta_value(target, DONE) or b""))
            sequence = func.pg_get_serial_sequence(f'"{table.name}"', "pk")
            target.execute(select(func.setval(sequence, highest + 1, False)))
