"""The last place that a message was given, in a file beside the database: by it a write-ahead log that was cut off is known.

After a crash SQLite takes what is whole of its write-ahead log and leaves out the rest without a word; a commit that was
not over may stand there. What was acknowledged stands there too until it is copied into the database, and a log that was
cut off, emptied, damaged or removed lacks it just as quietly. So each commit's last place is written here before anybody
is told of it. One place is enough: commits have an order, and none is there without those before it.

The file is not synced. What it names is on the disk in the database by then, so power that fails can only make it older, and
an older place proves less and nothing wrong. It has one line in one sector: ``incarnation room place``.
"""

import os
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, select
from twisted.logger import Logger

from chatserv.models import Event
from chatserv.private_files import FILE_MODE
from chatserv.store import statements
from chatserv.store.checking import WAY_BACK
from chatserv.store.database import DatabaseRefused
from chatserv.store.schema import room

_log = Logger()
_LINE: Final = re.compile(rb"([0-9a-f]{32}) ([0-9a-f]{32}) ([0-9]{20})\n")
_LINE_BYTES: Final = 87
_HEAD: Final = select(room.c.head, room.c.closed).where(room.c.room_id == bindparam("room_id"))


class LastPlace:
    """The file of one store, while a server has it.

    Args:
        path: The file.
        incarnation: The store's.
    """

    def __init__(self, path: Path, incarnation: bytes) -> None:
        self._path, self._incarnation = path, incarnation.hex()

    def keep(self, events: Sequence[Event]) -> None:
        """Writes the last place of a commit. A disk that does not take it leaves the one before, which is true as well."""
        last = events[-1]
        line = b"%s %s %020d\n" % (self._incarnation.encode(), last.room_id.hex().encode(), last.seq)
        with suppress(OSError):
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
            try:
                os.pwrite(file, line, 0)
            finally:
                os.close(file)


class _Place(NamedTuple):
    """What the file says."""

    incarnation: bytes
    room_id: bytes
    seq: int

    def missing(self, found: Sequence[Any] | None) -> str:
        """What is missing, in words, where the room has this head or, being closed, no places any more; empty: nothing."""
        head, closed = found or (0, False)
        return "" if head >= self.seq or closed else f"a room had {self.seq} events, and has {head}"


def check_place(connection: Connection, name: str, path: Path) -> None:
    """Refuses a store in a database of its own that lacks the last place.

    Args:
        connection: To the store.
        name: The database's, for the error.
        path: The file with the place.

    Raises:
        DatabaseRefused: It lacks it.
    """
    place = _read(path)
    if place is None or statements.incarnation(connection) != place.incarnation:
        return
    missing = place.missing(connection.execute(_HEAD, {"room_id": place.room_id}).first())
    if missing:
        hint = (
            f"name the server that has them in store.url ({path.name} in the state directory says what was the newest)"
        )
        raise DatabaseRefused(name, f"the newest messages are missing: {missing}", hint)


def check_last_place(database: Path, path: Path) -> None:
    """Refuses a database that lacks the last place, before anything has opened it for writing and changed its files.

    Args:
        database: The file, also one that a server writes meanwhile; one that cannot be read is somebody else's to refuse.
        path: The file with the place; where it is missing or of another life of the store, it proves nothing.

    Raises:
        DatabaseRefused: It lacks it; the hint names the command.
    """
    place = _read(path)
    if place is None:
        return
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as base:
            if base.execute("SELECT value FROM meta WHERE key = 'incarnation'").fetchone() != (place.incarnation,):
                return
            found = base.execute("SELECT head, closed FROM room WHERE room_id = ?", [place.room_id]).fetchone()
    except sqlite3.Error as error:
        _log.warn("{file}: not compared with {place}: {error}", file=str(database), place=path.name, error=str(error))
        return
    missing = place.missing(found)
    if not missing:
        return
    if _read(path) != place:  # it was being written, by a server that runs there
        check_last_place(database, path)
        return
    log = f"{database.name}-wal"
    raise DatabaseRefused(
        str(database),
        f"the newest messages are missing: {missing}; {log} was cut off, damaged or removed",
        f"put {log} back as it was; or, where that is lost, {WAY_BACK} ({path.name} beside it says what was the newest)",
    )


def _read(path: Path) -> _Place | None:
    try:
        found = _LINE.fullmatch(_line(path))
    except OSError:
        return None
    return found and _Place(bytes.fromhex(found[1].decode()), bytes.fromhex(found[2].decode()), int(found[3]))


def _line(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LINE_BYTES + 1)
