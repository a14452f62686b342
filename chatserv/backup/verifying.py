"""Verifies a backup by opening it, and the store of a state directory where it lies; each with the files of people."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from chatserv.backup.archive import IDENTITY, Manifest, opened, read_archive
from chatserv.backup.blob_checks import FilesFound, check_files
from chatserv.backup.blob_links import beside
from chatserv.backup.highest_head import check_newest, known_newest
from chatserv.backup.last_place import check_place
from chatserv.backup.refusals import BackupError, Pace, unusable
from chatserv.backup.store_checks import StoreFacts, check_store, still
from chatserv.backup.whole_file import scratch_file
from chatserv.blob_directory import BlobDirectory
from chatserv.crypto.suite import rsa_spki
from chatserv.errors import Reject
from chatserv.i18n import _
from chatserv.net.keys import parse_identity
from chatserv.state_directory import StatePaths
from chatserv.store import statements
from chatserv.store.databases import Database, SqliteDatabase


class Verified(msgspec.Struct, frozen=True):
    """What was found whole: the file, of when (milliseconds since 1970; 0: it is no backup), and what it holds.

    ``missing``: events that an earlier restore has lost. ``files``: what people have sent, which need not be whole.
    ``postgres``: It is a PostgreSQL database, whose own pages and indices nothing here can look at.
    """

    file: str
    made_ms: int
    identity: bool
    log_entries: int
    missing: int
    counts: dict[str, int]
    files: FilesFound
    postgres: bool = False


def verify_backup(path: Path, pace: Pace, scratch: Path | None = None) -> Verified:
    """Verifies a backup. Blocks; takes as much space as the database in ``scratch``, by default beside it if that is ours.

    Raises:
        BackupError: It is none, or not whole.
    """
    place = path.absolute().parent
    ours = place if os.access(place, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    with scratch_file(scratch or ours) as (copy, file):
        manifest, _small, facts = open_backup(path, copy, file, pace)
        with still(copy) as connection:
            files = check_files(connection, BlobDirectory(beside(path)), pace)
    inside = manifest.identity == "inside"
    return Verified(str(path), manifest.made_ms, inside, facts.log.size, facts.missing, manifest.counts, files)


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


def verify_store(
    state: StatePaths, pace: Pace, blobs: Path | None = None, database: Database | None = None
) -> Verified:
    """Verifies the store of a state directory, as it is at one moment, and then its files; servers may write both. Blocks.

    Args:
        state: The state directory.
        pace: At which pace.
        blobs: Where the files are that people have sent; left out: in the state directory.
        database: Where the store is; left out: in the state directory.

    Raises:
        BackupError: It is not whole.
        DatabaseRefused: It cannot be read, or is an old copy.
    """
    place = database or SqliteDatabase(state.database)
    if not place.exists():
        raise BackupError(place.name, _("there is none"))
    known = known_newest(state, place)
    with place.moment() as connection:
        if known.last_place is not None:
            # First of all: the moment begins with it, and what the file names was stored before.
            check_place(connection, known.name, known.last_place)
            known = msgspec.structs.replace(known, last_place=None)
        facts = check_store(connection, place.name, pace)
        check_newest(connection, known, tuple(statements.log(connection)))
    engine = place.reader()
    try:
        with place.refusals(), engine.connect() as connection:
            files = check_files(connection, BlobDirectory(blobs or state.path / "blobs"), pace)
    finally:
        engine.dispose()
    identity = state.identity_key.exists()
    return Verified(place.name, 0, identity, facts.log.size, facts.missing, facts.counts, files, postgres=place.shared)
