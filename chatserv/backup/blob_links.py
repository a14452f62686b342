"""The bytes of files beside a backup, and back: by hard links, which cost nothing, and copies where there can be none.

A file that is whole is final, under all of its names: so a link is as good as a copy, and stays when the server removes its
own.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect

from chatserv.backup.refusals import Pace, unusable
from chatserv.backup.whole_file import require_new
from chatserv.blob_directory import BlobDirectory
from chatserv.blob_models import StoredBlob
from chatserv.errors import ReadOnly, StorageFull
from chatserv.store.blob_statements import begun_blobs, end_blobs, noted_and_counted
from chatserv.store.schema import blob, blob_total

PAGE: Final = 200
FOLDER_CHARACTERS: Final = 2
"""Of the name of a folder of files; files have the id's 32."""


def beside(backup: Path) -> Path:
    """The directory that belongs to a backup."""
    return backup.with_name(f"{backup.name}.blobs")


@contextmanager
def in_words(*places: BlobDirectory) -> Iterator[None]:
    """Puts what the disk does not give, or take, inside into words for the operator: of the first of these that refuses.

    Raises:
        BackupError: It names the folder or the file, as far as the system tells.
    """
    try:
        yield
    except (ReadOnly, StorageFull) as error:
        cause = error.__cause__
        if not isinstance(cause, OSError):
            raise
        name = str(cause.filename or "")
        at = [place.path / name[:2] / name if len(name) > FOLDER_CHARACTERS else place.path / name for place in places]
        refusing = (each for each in at if not os.access(each, os.R_OK, effective_ids=True))
        raise unusable(next(refusing, at[-1]), cause) from None


@contextmanager
def all_or_none(backup: Path) -> Iterator[None]:
    """What comes to lie beside a backup meanwhile goes again where that is not made.

    Raises:
        BackupError: Something lies there already.
    """
    require_new(beside(backup))
    try:
        yield
    except BaseException:
        shutil.rmtree(beside(backup), ignore_errors=True)
        raise


def take_blobs(connection: Connection, source: BlobDirectory, target: Path, pace: Pace) -> tuple[int, int, int]:
    """Puts all whole files of a store beside its backup.

    Gives how many, their bytes, and how many are left out: they have gone meanwhile, or their bytes are not all there.

    Raises:
        PrivateFileError, WireError: The disk does not take them.
    """
    files, taken, count, left_out = BlobDirectory(target), 0, 0, 0
    for page in pages(connection):
        for each in page:
            pace.step()
            if not each.whole:
                continue
            there = source.sizes([each.blob_id]) == [each.size]
            if there:
                files.make()
            if there and source.link(each.blob_id, files, pace.step):
                count, taken = count + 1, taken + each.size
            else:
                left_out += 1
    return count, taken, left_out


def bring_back(connection: Connection, backup: BlobDirectory, here: BlobDirectory, pace: Pace) -> tuple[int, int]:
    """Puts the files of a store into their place that are missing or cut there; gives how many there are, and were lost.

    Those whose bytes nobody has are ended in the store, and uploads whose file has become whole since: they cannot go on.
    """
    count, lost = 0, 0
    for page in pages(connection):
        for each in page:
            pace.step()
            if not _is_there(each, here) and _is_there(each, backup):
                here.make()
                # One that was cut off may lie in its place.
                here.remove([each.blob_id])
                backup.link(each.blob_id, here, pace.step)
        gone = [each.blob_id for each in page if not _is_there(each, here)]
        end_blobs(connection, gone)
        count, lost = count + len(page) - len(gone), lost + len(gone)
    return count, lost


def look(connection: Connection, here: BlobDirectory) -> tuple[int, int, int]:
    """How many files a store has, how many bytes it says that they have, and of how many some are missing."""
    count, received, lacking = 0, 0, 0
    for page in pages(connection):
        count, received = count + len(page), received + sum(each.received for each in page)
        lacking += sum(not _is_there(each, here) for each in page)
    return count, received, lacking


def _is_there(found: StoredBlob, files: BlobDirectory) -> bool:
    return files.sizes([found.blob_id])[0] >= found.received and (found.whole or not files.is_final(found.blob_id))


def miscounted(connection: Connection) -> tuple[int, int] | None:
    """What all files count for as it is noted, and by their rows, where the two differ; a server's next sweep mends it."""
    found = noted_and_counted(connection) if inspect(connection).has_table(blob_total.name) else (0, 0)
    return None if found[0] == found[1] else found


def has_files(connection: Connection) -> bool:
    """Whether it is no store of an older version, which took no files."""
    return inspect(connection).has_table(blob.name)


def pages(connection: Connection) -> Iterator[list[StoredBlob]]:
    """All rows of which bytes are to be there, at most `PAGE` at once, in order of id."""
    after = b""
    if not has_files(connection):
        return
    while page := begun_blobs(connection, after, PAGE):
        yield page
        after = page[-1].blob_id
