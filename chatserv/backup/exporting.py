"""Writes all that makes a server as lines, of one moment, also while it runs. The keys are not in it."""

from pathlib import Path
from typing import BinaryIO

import msgspec
from sqlalchemy import Connection, Table, select

from chatserv.backup.highest_head import check_newest, known_newest
from chatserv.backup.lines import MAX_LINE_BYTES, OF_ONE_STORE, ROWS, TABLES, VERSION, End, Header
from chatserv.backup.refusals import BackupError, Pace
from chatserv.backup.store_checks import check_store
from chatserv.backup.whole_file import require_new, whole_file
from chatserv.crypto.suite import rsa_spki
from chatserv.i18n import _
from chatserv.net.keys import load_identity
from chatserv.state_directory import StatePaths
from chatserv.store import statements
from chatserv.store.database import reading_engine, refusals
from chatserv.store.schema import REVISION, meta

BATCH = 500  # rows in memory at once, and between two steps of the pace


class Exported(msgspec.Struct, frozen=True):
    """What was written: the file, how many bytes and rows, and the rows of each table."""

    file: str
    bytes: int
    rows: int
    log_entries: int
    counts: dict[str, int]


def export_store(state: StatePaths, target: Path, pace: Pace) -> Exported:
    """Writes the store of a state directory into a new file. Blocks; memory is bounded.

    Two exports of stores that hold the same are the same, byte for byte.

    Args:
        state: The state directory, whose store a server may be writing.
        target: The file.
        pace: At which pace.

    Raises:
        BackupError: There is such a file, the disk does not take it, or the store is damaged.
        DatabaseRefused: It is an old copy, or lacks its newest messages.
    """
    require_new(target)
    spki = rsa_spki(load_identity(state).public_key())
    known = known_newest(state)
    engine = reading_engine(state.database)
    counts = {}
    try:
        with refusals(state.database), engine.connect() as connection, whole_file(target) as file:
            connection.exec_driver_sql("BEGIN")  # from here on, what others write is not seen
            facts = check_store(connection, state.database, pace)
            check_newest(connection, known, tuple(statements.log(connection)))
            if facts.schema != REVISION:
                raise BackupError(state.database, _("of another version"), _("start the server once, and export then"))
            server_id = facts.server(spki, state.identity_key).server_id
            _write(file, Header(VERSION, facts.schema, server_id, facts.log.size, facts.log.root))
            for table in TABLES:
                counts[table.name] = _write_table(connection, table, file, pace)
            _write(file, End(sum(counts.values())))
    finally:
        engine.dispose()
    return Exported(str(target), target.stat().st_size, sum(counts.values()), facts.log.size, counts)


def _write_table(connection: Connection, table: Table, file: BinaryIO, pace: Pace) -> int:
    wanted = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=BATCH)
    if table is meta:
        wanted = wanted.where(meta.c.key.not_in(sorted(OF_ONE_STORE)))
    count = 0
    for count, row in enumerate(connection.execute(wanted), 1):
        _write(file, ROWS[table.name](*row))
        if count % BATCH == 0:
            pace.step()
    return count


def _write(file: BinaryIO, line: msgspec.Struct) -> None:
    data = msgspec.json.encode(line) + b"\n"
    if len(data) > MAX_LINE_BYTES:
        raise BackupError(file.name, _("a row is too large for a line"))
    file.write(data)
