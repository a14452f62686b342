"""Whether the directory of files will do, and has what the store says: for ``doctor``. Nothing is changed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from chatserv.backup.blob_links import in_words, look, miscounted
from chatserv.blob_directory import BlobDirectory
from chatserv.config import Config
from chatserv.i18n import _
from chatserv.operations import showing
from chatserv.operations.checking import Check
from chatserv.private_files import PrivateFileError
from chatserv.state_directory import StatePaths
from chatserv.store.databases import database_of


def files(config: Config, paths: StatePaths) -> Iterator[Check]:
    """The directory, its disk, and whether the bytes of what people have sent are all there.

    Raises:
        PrivateFileError: It is a link or no directory, others may look into it, or nothing can be written there.
        BackupError: The bytes cannot be read.
        DatabaseRefused: The store cannot be read.
    """
    if not config.has_place_for_files:
        return  # the settings say so already
    place = config.blobs.path(paths.path)
    if os.path.lexists(place):
        BlobDirectory(place).check()
        if not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
            raise PrivateFileError(f"{place}: {_('the server cannot write there')}", file=place)
        yield from _place(config, place)
        if config.cluster.is_set:
            yield _shared(place, paths.path)
    else:
        yield Check("files", "ok", _("{file}: not there yet; the first start makes it").format(file=place))
    yield from _bytes(config, paths, place)


def _place(config: Config, place: Path) -> Iterator[Check]:
    share = config.limits.blob_disk_share
    free = shutil.disk_usage(place).free // 2**20
    if BlobDirectory(place).has_place(0, share):
        yield Check("files", "ok", _("{path}: for files, {free} MB are free").format(path=place, free=free))
    else:
        said = _("{path}: no file is taken, since more than limits.blob_disk_share ({share:.0%}) of the disk is in use")
        yield Check("files", "warning", said.format(path=place, share=share))


def _shared(place: Path, state: Path) -> Check:
    """What can be seen of it from one node: one that others mount may well be this one's own disk."""
    if place.stat().st_dev == state.stat().st_dev:
        said = _("{path}: on the disk of the state directory; the other nodes have to mount it from here")
    else:
        said = _("{path}: on a disk of its own, which all nodes have to mount")
    return Check("files", "ok", said.format(path=place))


def _bytes(config: Config, paths: StatePaths, place: Path) -> Iterator[Check]:
    database = database_of(config.store, paths.database)
    if not database.exists():
        return
    engine = database.reader()
    try:
        there = BlobDirectory(place)
        with database.refusals(), in_words(there), engine.connect() as connection:
            count, received, lacking = look(connection, there)
            off = miscounted(connection)
    finally:
        engine.dispose()
    said = _("{path}: {count} files that people have sent, {size} MB")
    if lacking:
        said = _("{path}: {count} files that people have sent, {size} MB; of {lacking} some bytes are missing")
    found = said.format(path=place, count=count, size=received // 2**20, lacking=lacking)
    if lacking and config.cluster.is_set:
        found = f"{found}: {_('is it the directory that the other nodes have?')}"
    yield Check("files", "warning" if lacking else "ok", found)
    if off:
        yield Check("files", "warning", showing.miscounted(*off))
