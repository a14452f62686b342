"""Puts a backup in the place of a store, all of it or nothing, whatever is killed when.

All that comes is made ready in a folder of the state directory; renaming that folder decides. From then on the files are
moved into their places one after the other, by whoever comes next: the restore, or the next start. Each step can be done
again.
"""

import os
import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from chatserv.backup.archive import DATABASE, IDENTITY, SMALL
from chatserv.backup.blob_links import beside, bring_back, in_words
from chatserv.backup.highest_head import VERSION, KeptHead, read_head
from chatserv.backup.newest_key import newest_key
from chatserv.backup.refusals import BackupError, Pace, unusable
from chatserv.backup.verifying import open_backup
from chatserv.backup.whole_file import EXCLUSIVE
from chatserv.blob_directory import BlobDirectory
from chatserv.crypto.log_leaves import head_size
from chatserv.crypto.server_keys import ServerKeys
from chatserv.errors import Reject
from chatserv.failpoints import failpoint
from chatserv.i18n import _
from chatserv.local_errors import StateDirectoryError
from chatserv.owners import reason
from chatserv.private_files import DIRECTORY_MODE, FILE_MODE, make_directory, sync_directory
from chatserv.state_directory import READY, StateDirectory
from chatserv.store import meta_statements, statements
from chatserv.store.database import prepare, refusals, writing_engine

T = TypeVar("T")
HEAD: Final = "log-head"
UNREADY: Final = "restore-*.part"
BESIDE: Final = ("chatserv.db-wal", "chatserv.db-shm")  # of the old database; they go before it goes
IN_ORDER: Final = (DATABASE, *SMALL, HEAD)


class Restored(msgspec.Struct, frozen=True):
    """What was put back.

    Attributes:
        state: The state directory.
        made_ms: Of when the backup is, in milliseconds since 1970.
        log_entries, highest: How many entries its log has, and how many clients have been told of, as far as is known.
        old: Where that lies which was there before; empty: nothing was.
        counts: How many rows each table has.
        key: Which identity key the server has: ``backup``, the one in it, or ``here``, the one that lay there.
        files, lost: How many files that people have sent are there, and how many are in the store and nowhere else.
    """

    state: str
    made_ms: int
    log_entries: int
    highest: int
    old: str
    counts: dict[str, int]
    key: str
    files: int = 0
    lost: int = 0


def restore_backup(
    path: Path,
    state: StateDirectory,
    now_ms: int,
    pace: Pace,
    *,
    replace: bool,
    older_key: bool = False,
    blobs: Path | None = None,
) -> Restored:
    """Puts a backup into a state directory, which this process holds. Blocks.

    The store gets a new incarnation and is being mended from its first start on.

    Args:
        path: The backup.
        state: Where it goes.
        now_ms: The time, in milliseconds since 1970.
        pace: At which pace.
        replace: Whether it may take the place of a store that is there; that one is kept beside it.
        older_key: Whether an identity key will do that was given up since, as far as is known there.
        blobs: Where the files belong that people have sent; left out: into the state directory.

    Raises:
        BackupError: It cannot be used, or has no place; then nothing has changed.
        ChatError: The database in it cannot be brought up to date.
    """
    finish_restore(state)
    if not replace and os.path.lexists(state.database):
        hint = _("--replace puts the backup in its place, and keeps it beside")
        raise BackupError(state.path, _("there is a server's store"), hint)

    def stage(staging: Path) -> Restored:
        done = _stage(path, state, staging, now_ms, pace, older_key=older_key)
        files, lost = _bring_back(path, staging / DATABASE, BlobDirectory(blobs or state.path / "blobs"), pace)
        return msgspec.structs.replace(done, files=files, lost=lost)

    done, old = put_in_place(state, now_ms, stage)
    return msgspec.structs.replace(done, old=old)


def _bring_back(path: Path, database: Path, here: BlobDirectory, pace: Pace) -> tuple[int, int]:
    """Has the files there before the store is; one that no store knows of the next sweep removes."""
    engine = writing_engine(database)
    try:
        backup = BlobDirectory(beside(path))
        with refusals(database), in_words(backup, here), engine.begin() as connection:
            return bring_back(connection, backup, here, pace)
    finally:
        engine.dispose()
        with database.open("rb") as file:
            os.fsync(file.fileno())


def put_in_place(state: StateDirectory, now_ms: int, stage: Callable[[Path], T]) -> tuple[T, str]:
    """Has files made in an empty folder, and puts them in the place of those of the same names, all or none.

    Args:
        state: Where they go.
        now_ms: The time, in milliseconds since 1970.
        stage: Makes them, on the disk; may raise.

    Returns:
        What ``stage`` gives, and where that lies which was there before; ``""``: nothing was.

    Raises:
        BackupError: The disk does not take it.
    """
    for left in state.path.glob(UNREADY):
        shutil.rmtree(left)
    stamp = f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    staging = state.path / UNREADY.replace("*", stamp)
    try:
        make_directory(staging)
        done = stage(staging)
        sync_directory(staging)
        failpoint("restore.staged")
        staging.rename(state.path / READY.replace("*", stamp))
        sync_directory(state.path)
    except OSError as error:
        raise unusable(state.path, error) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    failpoint("restore.decided")
    return done, finish_restore(state)


def _stage(path: Path, state: StateDirectory, staging: Path, now_ms: int, pace: Pace, *, older_key: bool) -> Restored:
    """Makes ready in ``staging`` all that will be moved."""
    database = staging / DATABASE
    with os.fdopen(os.open(database, EXCLUSIVE, FILE_MODE), "w+b") as file:
        manifest, small, facts = open_backup(path, database, file, pace)
    keys, newer = newest_key(path, state, manifest, facts, small, older=older_key)
    for name, data in (small if newer is None else {**small, IDENTITY: newer}).items():
        write_new(staging / name, data)
    prepare(database)
    highest = begin_life(state, staging, manifest.made_ms, now_ms, manifest.head, keys)
    key = "backup" if newer is None and IDENTITY in small else "here"
    return Restored(str(state.path), manifest.made_ms, facts.log.size, head_size(highest), "", manifest.counts, key)


def begin_life(state: StateDirectory, staging: Path, made_ms: int, now_ms: int, head: bytes, keys: ServerKeys) -> bytes:
    """Gives the staged database a new incarnation, to be mended; puts the highest head beside it, and returns that.

    Args:
        state: Where it will go.
        staging: Where it is.
        made_ms: Of when it is, in milliseconds since 1970.
        now_ms: The time, likewise.
        head: The signed head over its log.
        keys: Those of the server.
    """
    database = staging / DATABASE
    highest = _highest(state, head, keys)
    engine = writing_engine(database)
    try:
        with refusals(database), engine.begin() as connection:
            incarnation = statements.begin_mending(connection, made_ms, now_ms)
            meta_statements.carry_rotations(connection, keys.rotations)
            starts = statements.starts(connection)
    finally:
        engine.dispose()
    write_new(staging / HEAD, msgspec.json.encode(KeptHead(VERSION, incarnation, starts, highest)) + b"\n")
    with database.open("rb") as file:
        os.fsync(file.fileno())
    return highest


def _highest(state: StateDirectory, head: bytes, keys: ServerKeys) -> bytes:
    """The higher of two signed heads: this one, and one that was kept here of the same server."""
    try:
        kept = read_head(state.log_head)
        if kept is not None and keys.verify_head(kept.head).size > head_size(head):
            return kept.head
    except (Reject, StateDirectoryError):  # of another server, or no head: it says nothing of this one
        pass
    return head


def write_new(path: Path, data: bytes) -> None:
    """A new file of mode 0600, on the disk."""
    with os.fdopen(os.open(path, EXCLUSIVE, FILE_MODE), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def finish_restore(state: StateDirectory) -> str:
    """Moves what a restore has made ready into its place; gives the directory where what was there lies now, or ``""``.

    Raises:
        BackupError: The disk does not take it; it goes on with the next start.
    """
    old = ""
    try:
        for ready in sorted(state.path.glob(READY)):
            beside = state.path / f"before-{ready.name.removesuffix('.ready')}"
            _move(state.path, ready, beside)
            old = str(beside) if beside.exists() else ""
    except OSError as error:
        hint = _("a restore is not finished: the next start goes on with it")
        raise BackupError(state.path, reason(state.path, error), hint) from None
    return old


def _move(here: Path, ready: Path, beside: Path) -> None:
    leaving = (*BESIDE, *IN_ORDER) if (ready / DATABASE).exists() else IN_ORDER
    for name in leaving:
        place, new = here / name, ready / name
        if (name in BESIDE or new.exists()) and os.path.lexists(place):
            beside.mkdir(DIRECTORY_MODE, exist_ok=True)
            failpoint("restore.moving_away")
            place.rename(beside / name)
        if new.exists():
            failpoint("restore.moving_in")
            new.rename(place)
    if beside.exists():
        sync_directory(beside)
    sync_directory(here)
    failpoint("restore.moved")
    ready.rmdir()
    sync_directory(here)
