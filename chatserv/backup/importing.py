"""Reads an export into a store: all of it or nothing, and what is there already once only."""

import os
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import IntegrityError
from typing import Any, BinaryIO, Final

import msgspec
from sqlalchemy import Connection, Table, bindparam, literal_column, select
from sqlalchemy.dialects import sqlite

from chatserv.backup.archive import DATABASE, opened
from chatserv.backup.highest_head import check_newest, known_newest
from chatserv.backup.lines import DECODER, MAX_LINE_BYTES, OF_ONE_STORE, ROWS, TABLES, VERSION, End, Header
from chatserv.backup.making import copy_database
from chatserv.backup.newest_key import require_known
from chatserv.backup.refusals import BackupError, Pace
from chatserv.backup.restoring import begin_life, finish_restore, put_in_place
from chatserv.backup.store_checks import StoreFacts, check_store
from chatserv.backup.whole_file import EXCLUSIVE
from chatserv.crypto.log_leaves import TreeHead, make_tree_head
from chatserv.crypto.suite import rsa_spki
from chatserv.decoding import UNREADABLE
from chatserv.i18n import _
from chatserv.net.keys import changes_in, parse_identity
from chatserv.private_files import FILE_MODE, read_private
from chatserv.state_directory import StateDirectory
from chatserv.store import statements
from chatserv.store.database import prepare, refusals, writing_engine

STEP_ROWS: Final = 500


class Imported(msgspec.Struct, frozen=True):
    """What was read: the state directory, how many rows, how many of them were new, and where the old store lies."""

    state: str
    rows: int
    new: int
    old: str
    log_entries: int
    counts: dict[str, int]


class _Nothing(Exception):
    """There was nothing new."""

    def __init__(self, found: Imported) -> None:
        super().__init__()
        self.found = found


def import_store(path: Path, state: StateDirectory, now_ms: int, pace: Pace) -> Imported:
    """Reads an export into the store of a state directory, which this process holds. Blocks; memory is bounded.

    Where something is new, the store gets a new incarnation and is being mended, as after a restore; else nothing changes.

    Args:
        path: The export.
        state: Where it goes; ``identity.pem`` of the server has to be there. A store that is there is added to.
        now_ms: The time, in milliseconds since 1970.
        pace: At which pace.

    Raises:
        BackupError: A line cannot be used (``file:line``), or what comes of all is not whole. Nothing has changed then.
        DatabaseRefused: The store that is there is an old copy, or lacks its newest messages.
    """
    finish_restore(state)
    if not state.identity_key.exists():
        hint = _("put the server's identity.pem there first, with mode 0600: an export does not hold it")
        raise BackupError(state.identity_key, _("missing"), hint)
    made_ms = min(now_ms, int(_modified(path) * 1000))

    def stage(staging: Path) -> Imported:
        return _stage(path, state, staging, made_ms, now_ms, pace)

    try:
        done, old = put_in_place(state, now_ms, stage)
    except _Nothing as nothing:
        return nothing.found
    return msgspec.structs.replace(done, old=old)


def _modified(path: Path) -> float:
    with opened(path) as file:
        return os.fstat(file.fileno()).st_mtime


def _stage(path: Path, state: StateDirectory, staging: Path, made_ms: int, now_ms: int, pace: Pace) -> Imported:
    database = staging / DATABASE
    known = None
    if state.database.exists():
        known = known_newest(state)
        with os.fdopen(os.open(database, EXCLUSIVE, FILE_MODE), "w+b") as copy:
            copy_database(state.database, database, copy, pace)
    prepare(database)
    data = read_private(state.identity_key) or b""
    key = parse_identity(state.identity_key, data)
    spki, changes = rsa_spki(key.public_key()), changes_in(state.identity_key, data)
    engine = writing_engine(database)
    try:
        with refusals(database), engine.begin() as connection, opened(path) as file:
            if known is not None:
                check_newest(connection, known, tuple(statements.log(connection)))
            reader = LineReader(path, file, connection, pace)
            header = reader.read()
            facts = check_store(connection, path, pace)
            keys = facts.server(spki, state.identity_key, changes)
            if header.server_id != keys.server_id:
                raise BackupError(
                    f"{path}:1", _("an export of another server than the one whose identity.pem lies there")
                )
            _check_log(path, header, facts)
            require_known(path, state, keys)
    finally:
        engine.dispose()
    found = Imported(str(state.path), reader.rows, reader.new, "", facts.log.size, facts.counts)
    if not reader.new:
        raise _Nothing(found)
    head = make_tree_head(TreeHead(facts.log.size, facts.log.root, now_ms), key)
    begin_life(state, staging, made_ms, now_ms, head, keys)
    return found


def _check_log(path: Path, header: Header, facts: StoreFacts) -> None:
    if (header.log_size, header.log_root) != (facts.log.size, facts.log.root):
        raise BackupError(path, _("its log is not the one that it was made from"))


class LineReader:
    """Reads lines into tables.

    Args:
        path: For errors.
        file: The export.
        connection: To the store, inside a transaction.
        pace: At which pace.
    """

    def __init__(self, path: Path, file: BinaryIO, connection: Connection, pace: Pace) -> None:
        self._path, self._file, self._pace = path, file, pace
        self._number = 0
        self._cursor = connection.connection.cursor()
        self._schema = str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
        self._sql = {table.name: _statements(table) for table in TABLES}
        self._kinds: dict[type, str] = {kind: name for name, kind in ROWS.items()}
        self.rows = self.new = 0

    def read(self) -> Header:
        """Reads all lines; gives the first. Raises `BackupError`."""
        lines = self._lines()
        header = next(lines, None)
        if not isinstance(header, Header):
            raise self._error(_("not the beginning of an export"))
        if header.version != VERSION or header.schema != self._schema:
            said = _("an export of version {version}, schema {schema}")
            hint = _("import it with the version of chatserv that made it, and update then")
            raise self._error(said.format(version=header.version, schema=header.schema), hint)
        for line in lines:
            if isinstance(line, End):
                if line.rows != self.rows:
                    raise self._error(
                        _("{found} rows, where {rows} were written").format(found=self.rows, rows=line.rows)
                    )
                if self._file.read(1):
                    self._number += 1
                    raise self._error(_("more than an export"))
                return header
            self._take(line)
        raise self._error(_("cut off: the last line is missing"))

    def _lines(self) -> Iterator[Any]:
        while text := self._file.readline(MAX_LINE_BYTES + 1):
            self._number += 1
            if len(text) > MAX_LINE_BYTES:
                raise self._error(_("the line is too long"))
            if not text.endswith(b"\n"):
                raise self._error(_("cut off: the last line is missing"))
            try:
                yield DECODER.decode(text)
            except UNREADABLE as error:
                raise self._error(_("not a line of an export"), str(error)) from None

    def _take(self, line: Any) -> None:
        table = self._kinds.get(type(line))
        if table is None or (table == "meta" and line.key in OF_ONE_STORE):
            raise self._error(_("not a row of an export"))
        put, find = self._sql[table]
        values = msgspec.structs.astuple(line)
        try:
            self._cursor.execute(put, values)
            if self._cursor.rowcount == 1:
                self.new += 1
            elif not self._cursor.execute(find, values).fetchall():
                raise self._error(
                    _("the store has something else in its place"), _("import into an empty state directory")
                )
        except (IntegrityError, OverflowError, UnicodeEncodeError) as error:
            raise self._error(_("does not fit the rows before it"), str(error)) from None
        self.rows += 1
        if self.rows % STEP_ROWS == 0:
            self._pace.step()

    def _error(self, message: str, hint: str = "") -> BackupError:
        return BackupError(f"{self._path}:{self._number}", message, hint)


def _statements(table: Table) -> tuple[str, str]:
    """How a row is put in unless something is there, and how exactly this one is found; both take all of its values."""
    given: dict[str, Any] = {column.name: bindparam(column.name) for column in table.columns}
    same = (column.is_not_distinct_from(given[column.name]) for column in table.columns)
    put = sqlite.insert(table).values(given).on_conflict_do_nothing()
    find: Any = select(literal_column("1")).select_from(table).where(*same)
    return str(put.compile(dialect=sqlite.dialect())), str(find.compile(dialect=sqlite.dialect()))
