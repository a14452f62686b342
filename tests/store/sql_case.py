"""Stores in real files, with their real threads, for tests."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection
from twisted.internet.base import ReactorBase
from twisted.trial.unittest import TestCase

from chatserv.store.database import prepare
from chatserv.store.limits import StoreLimits
from chatserv.store.sql import SqlStore
from tests.store.drafts import founding

ROOM = founding(1).room_id


def real_reactor() -> ReactorBase:
    """The reactor that runs the tests."""
    from twisted.internet import reactor  # noqa: TID251 - trial runs the real one

    return cast(ReactorBase, reactor)


def pragma(text: str) -> Callable[[Connection], Any]:
    """Work for a lane: the value of a PRAGMA."""

    def read(conn: Connection) -> Any:
        cursor = cast(sqlite3.Connection, conn.connection.dbapi_connection).execute(f"PRAGMA {text}")
        return cursor.fetchone()[0]

    return read


class SqlStoreCase(TestCase):
    """Makes stores in files."""

    async def open_store(self, limits: StoreLimits | None = None) -> SqlStore:
        """A new open store in the file ``self.path``."""
        self.path = Path(self.mktemp())
        prepare(self.path)
        return await self.reopen_store(limits)

    async def open_with_room(self, limits: StoreLimits | None = None) -> SqlStore:
        """The same with the room `ROOM`, whose head is 1."""
        store = await self.open_store(limits)
        await store.commit(founding(1))
        return store

    async def reopen_store(self, limits: StoreLimits | None = None) -> SqlStore:
        """An open store in the file that is there."""
        store = SqlStore(self.path, limits or StoreLimits(), real_reactor())
        await store.open()
        self.addCleanup(store.close)
        return store
