"""Whether the files of a store are what its rows say: all there, each of its length and with its hash, and none besides.

A server may take and remove files meanwhile. A row is there before its file and is ended before that goes; so what looks
wrong is asked of the store once more, and counts where the store still says the same.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection

from chatserv.backup.blob_links import PAGE, has_files, in_words, miscounted, pages
from chatserv.backup.refusals import Pace
from chatserv.blob_directory import BlobDirectory
from chatserv.blob_models import StoredBlob
from chatserv.blob_ports import SHELVES
from chatserv.errors import NotFound, WireError
from chatserv.i18n import _
from chatserv.sanitize import clean_line
from chatserv.store.blob_statements import known_blobs, whole_blobs

MOST_FINDINGS: Final = 100  # that are told one by one


class FilesFound(msgspec.Struct):
    """What became of the files of a store.

    Attributes:
        whole: How many are what their rows say; ``size``: their bytes.
        missing: Rows whose file is not there, or is no plain file.
        wrong: Rows whose file has another length or hash, or cannot be read.
        extra: Files that no row knows: nothing is lost by them, and a server's next sweep removes those that have an id's
            name at its place.
        miscounted: What all of them count for as it is noted, and by their rows, where the two differ: a server's next sweep
            puts that right.
        findings: A line with the id, or the name, for each of those, of the first `MOST_FINDINGS`.
    """

    whole: int = 0
    size: int = 0
    missing: int = 0
    wrong: int = 0
    extra: int = 0
    miscounted: tuple[int, int] | None = None
    findings: list[str] = msgspec.field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether each row has its file."""
        return not (self.missing or self.wrong)

    def tell(self, file: str, said: str) -> None:
        """Keeps a line, while there are few."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(_("file {id}: {said}").format(id=clean_line(file), said=said))


def check_files(connection: Connection, files: BlobDirectory, pace: Pace) -> FilesFound:
    """Reads all files that a store says are whole, and looks for others. Blocks; memory is bounded.

    Args:
        connection: To the store, outside of a transaction where a server runs: each statement has to see what is new.
        files: Where they should be.
        pace: At which pace; a step for each MiB.

    Raises:
        BackupError: A folder cannot be read.
    """
    found = FilesFound()
    if has_files(connection):
        found.miscounted = miscounted(connection)
        for page in pages(connection):
            for each in page:
                if each.whole:
                    _check(connection, files, each, found, pace)
        with in_words(files):
            for number in range(SHELVES):
                _look_for_others(connection, files, number, found, pace)
            for name in files.misplaced():
                found.extra += 1
                found.tell(name, _("no file has that name there, and no server removes it"))
    return found


def _check(connection: Connection, files: BlobDirectory, row: StoredBlob, found: FilesFound, pace: Pace) -> None:
    pace.step()
    missing, said = False, ""
    try:
        (size,) = files.sizes([row.blob_id])
        if size < 0:
            raise NotFound("blob")
        if size != row.size:
            said = _("{size} bytes long, where {wanted} should be").format(size=size, wanted=row.size)
        elif files.digest(row.blob_id, pace.step) != row.hash:
            said = _("its bytes are others than those that were sent")
    except NotFound:
        missing, said = True, _("missing, or not a plain file")
    except WireError as error:
        said = _("cannot be read ({problem})").format(problem=error.detail)
    if not said:
        found.whole, found.size = found.whole + 1, found.size + row.size
    elif whole_blobs(connection, [row.blob_id]):
        found.missing, found.wrong = found.missing + missing, found.wrong + (not missing)
        found.tell(row.blob_id.hex(), said)


def _look_for_others(connection: Connection, files: BlobDirectory, number: int, found: FilesFound, pace: Pace) -> None:
    listed = files.shelf(number)
    strays: list[bytes] = []
    for start in range(0, len(listed), PAGE):
        pace.step()
        strays += _unknown(connection, listed[start : start + PAGE])
    if strays:
        still_there = set(files.shelf(number))
        for blob_id in sorted(still_there.intersection(strays)):
            found.extra += 1
            found.tell(blob_id.hex(), _("belongs to nothing in the store"))


def _unknown(connection: Connection, blob_ids: Sequence[bytes]) -> list[bytes]:
    known = known_blobs(connection, blob_ids)
    return [each for each in blob_ids if each not in known]
