"""Whether the database file is whole: a look at its newest rows before the start, and all of it while the server runs.

One ``PRAGMA quick_check`` reads everything in one transaction: with 10,000,000 messages 4 GB, at each start. So the start
looks at the header, the schema and the newest rows of each table, which a crash or a disk that failed last would have hurt;
a `Check` then goes through tables and indices in slices of about a megabyte, each a transaction of its own, so that the
write-ahead log never waits for it. Like ``quick_check`` it sees pages that are no pages, cells that leave theirs, rows out
of order and sectors that cannot be read; what a cell holds has no checksum in SQLite.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

WAY_BACK: Final = "restore a backup: chatserv restore FILE --replace"
NEWEST_ROWS: Final = 200
FIRST_ROWS: Final = 16  # in the first slice of a table; then as many as make about SLICE_BYTES
MOST_ROWS: Final = 20_000
SLICE_BYTES: Final = 2**20
_HEADER_BYTES: Final = 100
_PAGE = re.compile(r"page (\d+)", re.IGNORECASE)


class Damage(Exception):
    """The file is not whole. ``page`` is the number of the damaged page where SQLite can tell, from 1 on."""

    def __init__(self, where: str, page: int | None, message: str) -> None:
        super().__init__(f"{where}, page {page or 'unknown'}: {message}")
        self.where, self.page, self.message = where, page, message


def look_at_newest(conn: Connection) -> None:
    """Reads the newest rows of each table. Raises `Damage`."""
    for table in _tables(conn):
        try:
            newest = f"{_rows_of(conn, table)} ORDER BY rowid DESC LIMIT {NEWEST_ROWS}"
            conn.exec_driver_sql(f"SELECT total(size) FROM ({newest})").all()  # nosec B608  # noqa: S608 - our own tables
        except DatabaseError as error:
            raise locate(conn, table, error) from error


def check_length(path: Path) -> None:
    """Raises `Damage` for a file that was cut off. While there is a write-ahead log, that may have the file's end."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        return
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES:
        return
    page_bytes = int.from_bytes(header[16:18], "big")
    page_bytes = 65_536 if page_bytes == 1 else page_bytes
    pages, found = int.from_bytes(header[28:32], "big"), path.stat().st_size // page_bytes
    if header[24:28] == header[92:96] and found < pages:  # else the count is an old program's, and means nothing
        raise Damage("file", found + 1, f"cut off, {pages} pages wanted")


def _tables(conn: Connection) -> list[str]:
    found = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    return [f'"{name}"' for name in conn.exec_driver_sql(found).scalars()]


def _rows_of(conn: Connection, table: str) -> str:
    """Number and size of each row, by an expression that reads all of it (of a lone column SQLite reads the head)."""
    columns = [row[1] for row in conn.exec_driver_sql(f"PRAGMA table_info({table})")]
    values = " || ".join(f"ifnull(\"{column}\", '')" for column in columns)
    return f"SELECT rowid AS r, length(CAST({values} AS BLOB)) AS size FROM {table} NOT INDEXED"  # nosec B608  # noqa: S608


def locate(conn: Connection, where: str, error: DatabaseError | None = None) -> Damage:
    """The damage of a table or an index, with its page, which SQLite names in a check of the table."""
    name = "rows out of order" if error is None else getattr(error.orig, "sqlite_errorname", type(error.orig).__name__)
    query = (
        "SELECT * FROM pragma_quick_check(?) LIMIT 1"  # the first finding alone: behind it the check itself may fail
    )
    try:
        found = conn.exec_driver_sql(query, (where.partition(" ")[0].strip('"'),)).first()
    except DatabaseError:
        found = None
    page = _PAGE.search(str(found[0])) if found else None
    return Damage(where, int(page[1]) if page else None, name)


class Check:
    """A walk through all tables and indices of a database. Its slices may run in any thread, one after the other."""

    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0
        self._slices: Iterator[None] | None = None

    def step(self, conn: Connection) -> bool:
        """Reads one slice; tells whether there is more. Raises `Damage`, after which there is no more."""
        if self._slices is None:
            conn.exec_driver_sql("PRAGMA cell_size_check = ON")
            self._slices = self._walk(conn)
        return next(self._slices, self) is not self

    def _walk(self, conn: Connection) -> Iterator[None]:
        for table in _tables(conn):
            yield from self._watched(conn, table, self._rows(conn, table))
            for index in [row[1] for row in conn.exec_driver_sql(f"PRAGMA index_list({table})").all()]:
                yield from self._watched(conn, f"{table} index {index}", self._entries(conn, table, index))

    def _watched(self, conn: Connection, where: str, slices: Iterator[None]) -> Iterator[None]:
        try:
            yield from slices
        except DatabaseError as error:
            raise locate(conn, where, error) from error

    def _rows(self, conn: Connection, table: str) -> Iterator[None]:
        part = f"{_rows_of(conn, table)} WHERE rowid > :after ORDER BY rowid LIMIT :most"
        follow = f"SELECT r, size, lag(r, 1, :after) OVER () AS before FROM ({part})"  # nosec B608  # noqa: S608 - our own tables
        query = f"SELECT count(*), max(r), total(size), total(r <= before) FROM ({follow})"  # nosec B608  # noqa: S608
        after, most = -(2**63), FIRST_ROWS
        while True:
            count, last, size, wrong = conn.exec_driver_sql(query, {"after": after, "most": most}).one()
            if wrong:
                raise locate(conn, table)
            self.rows += count
            self.bytes += int(size)
            if count < most:
                return
            after, most = last, max(1, min(MOST_ROWS, int(most * SLICE_BYTES / max(size, 1))))
            yield

    def _entries(self, conn: Connection, table: str, index: str) -> Iterator[None]:
        columns = conn.exec_driver_sql(f'PRAGMA index_info("{index}")').all()
        needed = {row[1] for row in conn.exec_driver_sql(f"PRAGMA table_info({table})") if row[3] or row[5]}
        names = ", ".join(f'"{column[2]}"' for column in columns)
        source = f'FROM {table} INDEXED BY "{index}"'
        if not needed.issuperset(column[2] for column in columns):  # NULL cannot be compared: those are short
            conn.exec_driver_sql(f'SELECT total(length("{columns[0][2]}")) {source}').all()
            yield
            return
        key = conn.exec_driver_sql(f"SELECT {names} {source} ORDER BY {names} LIMIT 1").first()
        marks = ", ".join("?" * len(columns))
        query = f"SELECT {names} {source} WHERE ({names}) >= ({marks}) ORDER BY {names} LIMIT 1 OFFSET {MOST_ROWS}"
        while key is not None:
            key = conn.exec_driver_sql(query, tuple(key)).first()
            yield
