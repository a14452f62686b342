"""Verifies a backup by opening it, and the store of a state directory where it lies."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from chatserv.backup.archive import IDENTITY, Manifest, opened, read_archive
from chatserv.backup.highest_head import check_newest, known_newest
from chatserv.backup.refusals import BackupError, Pace, unusable
from chatserv.backup.store_checks import StoreFacts, check_store, still
from chatserv.backup.whole_file import scratch_file
from chatserv.crypto.suite import rsa_spki
from chatserv.errors import Reject
from chatserv.i18n import _
from chatserv.net.keys import parse_identity
from chatserv.state_directory import StatePaths
from chatserv.store import statements
from chatserv.store.database import reading_engine, refusals


class Verified(msgspec.Struct, frozen=True):
    """What was found whole: the file, of when (milliseconds since 1970; 0: it is no backup), and what it holds.

    ``missing``: events that an earlier restore has lost.
    """

    file: str
    made_ms: int
    identity: bool
    log_entries: int
    missing: int
    counts: dict[str, int]


def verify_backup(path: Path, pace: Pace, scratch: Path | None = None) -> Verified:
    """Verifies a backup. Blocks; takes as much space as the database in ``scratch``, by default beside it if that is ours.

    Raises:
        BackupError: It is none, or not whole.
    """
    beside = path.absolute().parent
    ours = beside if os.access(beside, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    with scratch_file(scratch or ours) as (copy, file):
        manifest, _small, facts = open_backup(path, copy, file, pace)
    return Verified(
        str(path), manifest.made_ms, manifest.identity == "inside", facts.log.size, facts.missing, manifest.counts
    )


def open_backup(path: Path, copy: Path, file: BinaryIO, pace: Pace) -> tuple[Manifest, Mapping[str, bytes], StoreFacts]:
    """Takes a backup's database out into the empty file ``copy`` (open as ``file``), and checks all that is in it.

    Returns:
        The manifest, the small files by name, and what the database holds.

    Raises:
        BackupError: It is no backup, or not whole.
    """

    def write(data: bytes) -> None:
        try:
            file.write(data)
            file.flush()
        except OSError as error:
            raise unusable(copy.parent, error) from None

    with opened(path) as archive:
        manifest, small = read_archive(path, archive, write, pace)
    with still(copy) as connection:
        facts = check_store(connection, path, pace)
    _check_manifest(path, manifest, facts)
    if IDENTITY in small and rsa_spki(parse_identity(path, small[IDENTITY]).public_key()) != manifest.server_key:
        raise BackupError(path, _("its identity key is not the one that has signed it"))
    return manifest, small, facts


def _check_manifest(path: Path, manifest: Manifest, facts: StoreFacts) -> None:
    keys = facts.server(manifest.server_key, path)
    try:
        manifest.verify()
    except Reject as error:
        raise BackupError(path, _("its manifest is not signed by its server"), error.detail) from None
    try:
        head = keys.verify_head(manifest.head)
    except Reject as error:
        raise BackupError(path, _("the head of its log is not signed by its server"), error.detail) from None
    if (head.size, head.root) != (facts.log.size, facts.log.root):
        raise BackupError(path, _("its log is not the one that its server has signed"))
    said = (manifest.counts, manifest.incarnation, manifest.schema, manifest.server_id)
    if said != (facts.counts, facts.incarnation, facts.schema, keys.server_id):
        raise BackupError(path, _("what its manifest says is not what it holds"))


def verify_store(state: StatePaths, pace: Pace) -> Verified:
    """Verifies the store in a state directory, as it is at one moment; a server may be writing it. Blocks.

    Raises:
        BackupError: It is not whole.
        DatabaseRefused: It cannot be read, or is an old copy.
    """
    if not state.database.exists():
        raise BackupError(state.database, _("there is none"))
    known = known_newest(state)
    engine = reading_engine(state.database)
    try:
        with refusals(state.database), engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            facts = check_store(connection, state.database, pace)
            check_newest(connection, known, tuple(statements.log(connection)))
    finally:
        engine.dispose()
    return Verified(str(state.database), 0, state.identity_key.exists(), facts.log.size, facts.missing, facts.counts)
