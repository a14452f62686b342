"""Stores in databases of a real PostgreSQL, for tests."""

from functools import cache

from twisted.trial.unittest import TestCase

from chatserv.store.limits import StoreLimits
from chatserv.store.postgres.batches import Batches
from chatserv.store.postgres.engines import writing_engine
from chatserv.store.postgres.store import PostgresStore
from chatserv.store.schema import metadata
from tests.store.drafts import founding
from tests.store.model_base import Stores
from tests.store.sql_case import real_reactor
from tests.support.postgres import cluster


class PostgresCase(TestCase):
    """Makes stores in databases."""

    async def open_store(self, limits: StoreLimits | None = None) -> PostgresStore:
        """A new open store in the database ``self.url``."""
        self.url = cluster().prepared()
        return await self.reopen_store(limits)

    async def open_with_room(self, limits: StoreLimits | None = None) -> PostgresStore:
        """The same with the room of `founding(1)`, whose head is 1."""
        store = await self.open_store(limits)
        await store.commit(founding(1))
        return store

    async def reopen_store(
        self, limits: StoreLimits | None = None, seconds: float = 60.0, *, keeps_orders: bool = False
    ) -> PostgresStore:
        """Another open store in the same database."""
        bounds = limits or StoreLimits()
        store = PostgresStore(self.url, 2, bounds, real_reactor(), seconds, keeps_orders=keeps_orders)
        await store.open()
        self.addCleanup(store.close)
        return store


@cache
def model_database() -> str:
    """The URL of the database of all models, which are there one after the other."""
    return cluster().prepared()


class PostgresModel(Stores):
    """A model with a PostgreSQL database, to be mixed in."""

    def connect(self) -> None:
        """Empties the database."""
        self.conn = writing_engine(model_database()).connect()
        with self.conn.begin():
            names = ", ".join(f'"{table.name}"' for table in metadata.sorted_tables)
            self.conn.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY")
        self.execute = Batches().execute
