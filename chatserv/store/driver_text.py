"""SQL for SQLite's driver itself, where SQLAlchemy's own execution would take longer than what is executed.

It costs about 20 us a statement, and 7 for each of many rows. The text is still SQLAlchemy's.
"""

from typing import Any

from sqlalchemy import Table, bindparam, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.base import Executable


def driver_text(statement: Executable, *names: str) -> str:
    """The SQL of ``statement``, whose parameters are given in the order of ``names``."""
    compiled: Any = statement.compile(dialect=sqlite.dialect())  # type: ignore[attr-defined]
    assert tuple(compiled.positiontup) == names, compiled.positiontup
    return str(compiled)


def insert_text(table: Table, *names: str) -> str:
    """The SQL that puts a row with these columns into ``table``."""
    return driver_text(insert(table).values({name: bindparam(name) for name in names}), *names)
