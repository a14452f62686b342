"""Makes a backup: of a store that a server writes meanwhile, or of one that stands still."""

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from chatserv import VERSION
from chatserv.backup.archive import (
    DATABASE,
    FORMAT,
    IDENTITY,
    STEP_BYTES,
    SYNC_BYTES,
    TLS_CERTIFICATE,
    TLS_KEY,
    ArchiveWriter,
    Manifest,
    read_archive,
)
from chatserv.backup.blob_links import all_or_none, beside, in_words, take_blobs
from chatserv.backup.highest_head import check_newest, known_newest
from chatserv.backup.last_backup import LastBackup, note_backup
from chatserv.backup.refusals import BackupError, Pace, unusable
from chatserv.backup.store_checks import StoreFacts, check_store, still
from chatserv.backup.whole_file import require_new, scratch_file, whole_file
from chatserv.blob_directory import BlobDirectory
from chatserv.crypto.log_leaves import TreeHead, make_tree_head
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.failpoints import failpoint
from chatserv.i18n import _
from chatserv.net.keys import load_identity
from chatserv.private_files import read_private
from chatserv.state_directory import StatePaths
from chatserv.store import statements

PAGE_BYTES: Final = 4096
_ROLLBACK: Final = b"\x01\x01"  # bytes 18 and 19 of a database that is one file, without a log beside it


class Report(msgspec.Struct, frozen=True):
    """A backup that was made: the file, how many bytes, whether it has the identity key, and what it holds.

    ``missing``: events that an earlier restore has lost. ``files``, ``file_bytes``: what people have sent, in the directory
    ``file`` with ``.blobs`` behind its name; ``left_out``: how many of those are not, since their bytes are not there.
    """

    file: str
    bytes: int
    identity: bool
    log_entries: int
    missing: int
    counts: dict[str, int]
    files: int = 0
    file_bytes: int = 0
    left_out: int = 0


def backup_path(target: Path, made_ms: int) -> Path:
    """The file of a backup: ``target``, or in it, where that is a directory, one that bears the date (UTC)."""
    if not target.is_dir():
        return target
    return target / f"chatserv-{datetime.fromtimestamp(made_ms / 1000, UTC):%Y%m%dT%H%M%SZ}.backup"


def make_backup(
    state: StatePaths, target: Path, made_ms: int, pace: Pace, *, identity: bool = True, blobs: Path | None = None
) -> Report:
    """Makes a backup of a state directory and verifies it. Blocks; any thread will do.

    All that is in it is of one moment, so each room's events and the log are what they were then, without a hole.

    Args:
        state: The state directory, whose store a server may be writing.
        target: The file, or the directory that it comes to be in.
        made_ms: The time, in milliseconds since 1970.
        pace: At which pace.
        identity: Whether the identity key is in it; else it has to be kept apart.
        blobs: Where the files are that people have sent; left out: in the state directory.

    Raises:
        BackupError: There is such a file, or such a directory beside it; the disk does not take it; or what it would hold
            is damaged.
        DatabaseRefused: It is an old copy, or lacks its newest messages.
        PrivateFileError, StateDirectoryError: A key cannot be read.
    """
    path = backup_path(target, made_ms)
    require_new(path)
    known = known_newest(state)
    with scratch_file(path.parent) as (scratch, copy), all_or_none(path):
        try:
            copy_database(state.database, scratch, copy, pace)
        except OSError as error:
            raise unusable(path, error) from None
        failpoint("backup.copied")
        with still(scratch) as connection:
            facts = check_store(connection, state.database, pace)
            check_newest(connection, known, tuple(statements.log(connection)))
            source = BlobDirectory(blobs or state.path / "blobs")
            with in_words(source, BlobDirectory(beside(path))):
                files = take_blobs(connection, source, beside(path), pace)
        manifest = _write(state, path, copy, facts, made_ms, pace, identity)
    note_backup(state, LastBackup(str(path.absolute()), made_ms, sha256(manifest.server_key)))
    return Report(str(path), path.stat().st_size, identity, facts.log.size, facts.missing, manifest.counts, *files)


def _write(
    state: StatePaths,
    path: Path,
    copy: BinaryIO,
    facts: StoreFacts,
    made_ms: int,
    pace: Pace,
    identity: bool,
) -> Manifest:
    key = load_identity(state)
    names = {IDENTITY: state.identity_key, TLS_KEY: state.tls_key, TLS_CERTIFICATE: state.tls_certificate}
    spki = rsa_spki(key.public_key())
    with whole_file(path) as file:
        writer = ArchiveWriter(file, made_ms, pace)
        copy.seek(0)
        writer.add(DATABASE, copy, os.fstat(copy.fileno()).st_size)
        for name, source in names.items():
            data = read_private(source)
            if data is not None and (identity or name != IDENTITY):
                writer.add_bytes(name, data)
        manifest = Manifest(
            format=FORMAT,
            program=VERSION,
            made_ms=made_ms,
            server_id=facts.server(spki, state.identity_key).server_id,
            server_key=spki,
            identity="inside" if identity else "apart",
            incarnation=facts.incarnation,
            schema=facts.schema,
            head=make_tree_head(TreeHead(facts.log.size, facts.log.root, made_ms), key),
            counts=facts.counts,
            files=writer.files,
        ).signed_by(key)
        writer.close(manifest)
        failpoint("backup.written")
        file.flush()
        file.seek(0)
        read_archive(path, file, None, pace)
    return manifest


def copy_database(source: Path, scratch: Path, copy: BinaryIO, pace: Pace) -> None:
    """Copies a database as it is at one moment, a piece at a time, whatever is written to it meanwhile.

    The pages of what was deleted hold zeros (``secure_delete``), and the log beside the database is not copied.

    Args:
        source: The database.
        scratch: The empty file that gets it.
        copy: The same, open.
        pace: At which pace.

    Raises:
        BackupError: It cannot be read, or the disk is full.
        OSError: The disk does not take it.
    """
    written = 0

    def step(_status: int, left: int, whole: int) -> None:
        nonlocal written
        pace.step()
        if (whole - left) * PAGE_BYTES - written >= SYNC_BYTES:
            written = (whole - left) * PAGE_BYTES
            os.fdatasync(copy.fileno())

    try:
        reading = sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            reading.execute("PRAGMA query_only=ON")
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM meta").fetchone()  # from here on, what others write is not seen
            writing = sqlite3.connect(f"{scratch.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
            try:
                writing.execute("PRAGMA synchronous=OFF")
                reading.backup(writing, pages=STEP_BYTES // PAGE_BYTES, progress=step)
            finally:
                writing.close()
        finally:
            reading.close()
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        said = (_("the disk is full"),) if full else (_("cannot be copied"), str(error))
        raise BackupError(scratch.parent if full else source, *said) from None
    os.pwrite(copy.fileno(), _ROLLBACK, 18)
    os.fsync(copy.fileno())
