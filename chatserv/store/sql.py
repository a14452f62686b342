"""The store on SQLite: one thread writes, another reads."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from twisted.internet.base import ReactorBase

from chatserv.domain.retention import Kept, RetentionDue
from chatserv.errors import WireError
from chatserv.store import statements
from chatserv.store.background_check import BackgroundCheck
from chatserv.store.checking import Damage
from chatserv.store.database import checkpoint, reading_engine, translate, writing_engine
from chatserv.store.lane import Lane
from chatserv.store.limits import StoreLimits
from chatserv.store.sql_base import BaseSqlStore
from chatserv.store.transaction import execute


class SqlStore(BaseSqlStore):
    """`chatserv.ports.Store` in a file that `chatserv.store.database.prepare` made.

    Args:
        path: The database file.
        limits: The bounds.
        reactor: The reactor that answers; its threads are not used.
    """

    def __init__(self, path: Path, limits: StoreLimits, reactor: ReactorBase) -> None:
        self._path = path
        self._check: BackgroundCheck | None = None
        self._found: Callable[[Damage], object] = bool
        writing = Lane("store-writer", partial(writing_engine, path), reactor, at_once=True)
        reading = Lane("store-reader", partial(reading_engine, path), reactor)
        super().__init__(limits, reactor, writing, [reading], execute, translate)

    def begin_check(self, found: Callable[[Damage], object]) -> None:
        """Reads the whole file, beside the work. With the first damage, which ``found`` hears of, nothing is written."""
        self._found = found
        self._check = BackgroundCheck(self._path, self._reactor, self._damaged)
        self._check.start()

    async def retain(self, due: RetentionDue) -> Kept:
        """Deletes some of what is not to be kept, and makes the file smaller."""
        kept = await super().retain(due)
        with suppress(sqlite3.Error):  # it only makes the file smaller
            await self._writing.run(statements.give_back)
        return kept

    def _tidy(self) -> None:
        """Copies what was committed into the database now, not with somebody's commit: with each 1000 pages SQLite would."""
        self._writing.run(checkpoint).addErrback(lambda _: None)  # then SQLite does, or whoever writes next hears of it

    async def _stop_checking(self) -> None:
        if self._check is not None:
            await self._check.stop()

    def _read_failed(self, refusal: WireError) -> None:
        if refusal.detail.startswith("SQLITE_CORRUPT"):
            self._damaged(Damage("what was asked for", None, refusal.detail))

    def _damaged(self, damage: Damage) -> None:
        if not self._writer.broken:
            self._writer.break_off("the database is damaged")
            self._found(damage)
