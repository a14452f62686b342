"""Whether a store is whole: SQLite's own checks, the log, every room's events without a hole, every chain of commits.

In a PostgreSQL database all but SQLite's own: its pages and indices are for PostgreSQL to check.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, create_engine, func, inspect, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from chatserv.backup.blob_links import has_files
from chatserv.backup.refusals import BackupError, Pace
from chatserv.blob_directory import ID_BYTES
from chatserv.crypto.commits import Commit
from chatserv.crypto.log_leaves import Leaf
from chatserv.crypto.merkle import Frontier, leaf_hash
from chatserv.crypto.server_keys import ServerKeys, first_key_id
from chatserv.crypto.suite import sha256
from chatserv.errors import Reject
from chatserv.i18n import _
from chatserv.store import statements
from chatserv.store.schema import blob, commit_at, event, log_leaf, metadata, room

ROWS = 500  # between two steps of the pace
_ADDED = "SELECT type || ' ' || name FROM sqlite_master WHERE type NOT IN ('table', 'index')"
"""Triggers, which would write what no server has written, and views."""

_ID_OF_ANOTHER_TYPE = "SELECT 1 FROM blob WHERE typeof(blob_id) <> 'blob' LIMIT 1"
_strange_id = select(blob.c.pk).where(func.length(blob.c.blob_id) != ID_BYTES).limit(1)
_ranges = (
    select(
        room.c.room_id,
        room.c.head,
        func.count(event.c.pk).label("events"),
        func.coalesce(func.max(event.c.seq), 0).label("last"),
    )
    .join_from(room, event, (event.c.room == room.c.pk) & (event.c.seq >= 1), isouter=True)
    .where(room.c.closed.is_(False))
    .group_by(room.c.pk)
    .order_by(room.c.pk)
)
_commits = (
    select(room.c.pk, room.c.room_id, room.c.epoch, room.c.commit_hash, commit_at.c.epoch.label("at"), event.c.body)
    .join_from(room, commit_at, commit_at.c.room == room.c.pk)
    .join(event, (event.c.room == room.c.pk) & (event.c.seq == commit_at.c.seq), isouter=True)
    .where(room.c.closed.is_(False))
    .order_by(room.c.pk, commit_at.c.epoch)
    .execution_options(yield_per=ROWS)
)
_leaves = (
    select(log_leaf.c.number, log_leaf.c.leaf, log_leaf.c.statement)
    .order_by(log_leaf.c.number)
    .execution_options(yield_per=ROWS)
)


class StoreFacts(Struct, frozen=True):
    """What a store holds: rows by table, the log's frontier, the incarnation, the schema's revision.

    ``missing``: events that a restore has lost for good, or that clients have not given back yet. ``rotations``: of the
    server's key, as signed.
    """

    counts: dict[str, int]
    log: Frontier
    incarnation: bytes
    schema: str
    missing: int
    rotations: tuple[bytes, ...]

    def server(self, spki: bytes, file: Path, changes: tuple[bytes, ...] = ()) -> ServerKeys:
        """The server's keys, of which this one (SPKI, DER) has to be the newest; ``changes`` of its key may lead on to it.

        Raises:
            BackupError: It is another one.
        """
        known = self.rotations or changes
        try:
            keys = ServerKeys(first_key_id(known) if known else sha256(spki))
            keys.follow(self.rotations)
            keys.follow(changes)
            keys.add(spki)
        except Reject as error:
            said = _("the identity key is not the server's newest, which the log names")
            raise BackupError(file, said, error.detail) from None
        return keys


@contextmanager
def still(path: Path) -> Iterator[Connection]:
    """A connection to a database that nobody writes, without a file beside it. Raises `BackupError` for what it raises."""
    source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    engine = create_engine("sqlite://", creator=lambda: source, poolclass=StaticPool, hide_parameters=True)
    try:
        source.execute("PRAGMA trusted_schema=OFF")
        with engine.connect() as connection:
            yield connection
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise BackupError(path, _("the database is damaged"), str(getattr(error, "orig", error))) from None
    finally:
        engine.dispose()
        source.close()


def check_store(connection: Connection, file: Path | str, pace: Pace) -> StoreFacts:
    """Checks all of a store, in one transaction of the caller's.

    Args:
        connection: To it.
        file: What errors name: where it is.
        pace: At which pace.

    Raises:
        BackupError: Something is not as the server has written it.
    """
    if connection.dialect.name == "sqlite":
        _check_file(connection, file, pace)
    if has_files(connection) and connection.execute(_strange_id).first() is not None:
        raise BackupError(file, _("the database is damaged"), _("the id of a file is none"))
    log = _check_log(connection, file, pace)
    missing = _check_events(connection, file)
    _check_chains(connection, file, pace)
    return StoreFacts(
        {name: _count(connection, name, pace) for name in _tables(connection)},
        log,
        statements.incarnation(connection) or b"",
        str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()),
        missing,
        statements.rotations(connection),
    )


def _check_file(connection: Connection, file: Path | str, pace: Pace) -> None:
    """What SQLite says of its file, and that nothing is in it which only SQLite would carry out or take for something."""
    for check in ("integrity_check(1)", "foreign_key_check"):
        found = [str(row[0]) for row in connection.exec_driver_sql(f"PRAGMA {check}").fetchmany(1)]
        if found not in ([], ["ok"]):
            raise BackupError(file, _("the database is damaged"), found[0])
        pace.step()
    added = connection.exec_driver_sql(_ADDED).scalar()
    if added is not None:
        raise BackupError(file, _("{name}: no server has put that there").format(name=added))
    if has_files(connection) and connection.exec_driver_sql(_ID_OF_ANOTHER_TYPE).first() is not None:
        raise BackupError(file, _("the database is damaged"), _("the id of a file is none"))


def _tables(connection: Connection) -> list[str]:
    """Those of today that the database has: it may be of an older version."""
    there = set(inspect(connection).get_table_names())
    return [table.name for table in metadata.sorted_tables if table.name in there]


def _count(connection: Connection, table: str, pace: Pace) -> int:
    pace.step()
    return int(connection.execute(select(func.count()).select_from(metadata.tables[table])).scalar_one())


def _check_log(connection: Connection, file: Path | str, pace: Pace) -> Frontier:
    frontier = Frontier()
    for row in connection.execute(_leaves):
        try:
            leaf = Leaf.decode(row.leaf)
        except Reject:
            leaf = None
        wrong = row.number != frontier.size or leaf is None
        if wrong or (leaf is not None and row.statement and sha256(row.statement) != leaf.statement):
            raise BackupError(file, _("entry {number} of the log is damaged").format(number=frontier.size))
        frontier = frontier.append(leaf_hash(row.leaf))
        if frontier.size % ROWS == 0:
            pace.step()
    return frontier


def _check_events(connection: Connection, file: Path | str) -> int:
    """Gives how many are missing of what was given out; after a restore alone can it be any."""
    restored, missing = statements.mending_state(connection).restored, 0
    for row in connection.execute(_ranges):
        missing += row.head - row.events
        if row.last != row.head or not (row.events == row.head or (restored and row.events < row.head)):
            said = _("room {room}: {events} events up to {last}, where {head} were given out")
            words = said.format(room=row.room_id.hex(), events=row.events, last=row.last, head=row.head)
            raise BackupError(file, words)
    return missing


def _check_chains(connection: Connection, file: Path | str, pace: Pace) -> None:
    before: Any = None
    hashed = b""
    for number, row in enumerate(connection.execute(_commits), 1):
        if before is None or before.pk != row.pk:
            _check_end(before, hashed, file)
            before, hashed = None, b""
        hashed = _check_commit(row, 0 if before is None else before.at + 1, hashed, file)
        before = row
        if number % ROWS == 0:
            pace.step()
    _check_end(before, hashed, file)


def _check_commit(row: Any, epoch: int, prev: bytes, file: Path | str) -> bytes:
    """Checks that this commit follows the one with the hash ``prev``; gives its own."""
    try:
        commit = Commit.decode(row.body or b"")
    except Reject:
        commit = None
    right = commit is not None and row.at == commit.tbs.epoch == epoch and commit.tbs.prev == (prev or commit.tbs.prev)
    if commit is None or not right or commit.tbs.room_id != row.room_id:
        said = _("room {room}: the commit of epoch {epoch} is damaged or does not follow the one before")
        raise BackupError(file, said.format(room=row.room_id.hex(), epoch=epoch))
    return commit.commit_hash


def _check_end(last: Any, hashed: bytes, file: Path | str) -> None:
    if last is not None and (last.at, hashed) != (last.epoch, last.commit_hash):
        said = _("room {room}: its newest commit is missing").format(room=last.room_id.hex())
        raise BackupError(file, said)
