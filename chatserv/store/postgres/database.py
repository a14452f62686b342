"""A PostgreSQL database as the place of a store."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import Connection, Engine
from twisted.internet.base import ReactorBase

from chatserv.store.database import DatabaseRefused
from chatserv.store.limits import StoreLimits
from chatserv.store.locks import ALL
from chatserv.store.node_statements import one_moment
from chatserv.store.postgres import preparing
from chatserv.store.postgres.engines import SECONDS, reading_engine, writing_engine
from chatserv.store.postgres.functions import LOCK_SPACE, STARTING
from chatserv.store.postgres.store import PostgresStore
from chatserv.store.postgres.using import Use, require_company, require_unused
from chatserv.store.sql_base import BaseSqlStore
from chatserv.units import is_postgres_url, without_password


class PostgresDatabase:
    """As `chatserv.store.databases.Database`.

    Args:
        url: As libpq has it.
        readers: How many connections of the store read.
        cluster: What the nodes call themselves that share it; empty: who uses it has it for himself.
        seconds: How long a call of the store may take.

    Raises:
        DatabaseRefused: The URL is not beyond doubt.
    """

    shared = True

    def __init__(self, url: str, readers: int, cluster: str = "", seconds: float = SECONDS) -> None:
        self._url, self._readers, self.name = url, readers, without_password(url)
        self.cluster, self._seconds = cluster, seconds
        if not is_postgres_url(url):  # libpq would say parts of it aloud
            raise DatabaseRefused(self.name, "not the URL of a PostgreSQL database", "write signs in a password as %XX")

    def exists(self) -> bool:
        """Whether the tables are there."""
        return preparing.exists(self._url)

    def check(self) -> bool:
        """As `chatserv.store.postgres.preparing.check`."""
        return preparing.check(self._url)

    def weaknesses(self) -> list[str]:
        """As `chatserv.store.postgres.preparing.weaknesses`."""
        return preparing.weaknesses(self._url)

    def prepare(self) -> None:
        """As `chatserv.store.postgres.preparing.prepare`."""
        preparing.prepare(self._url)

    def made(self) -> AbstractContextManager[Connection]:
        """As `chatserv.store.postgres.preparing.made`."""
        return preparing.made(self._url)

    def refusals(self) -> AbstractContextManager[None]:
        """As `chatserv.store.postgres.preparing.refusals`."""
        return preparing.refusals(self.name)

    def engine(self) -> Engine:
        """An engine for the long transaction of a start."""
        return writing_engine(self._url, preparing.PREPARING_SECONDS)

    def reader(self) -> Engine:
        """As `chatserv.store.postgres.engines.reading_engine`."""
        return reading_engine(self._url, self._seconds)

    @contextmanager
    def moment(self) -> Iterator[Connection]:
        """A transaction that reads, and may take as long as one that prepares the tables."""
        engine = self.reader()
        try:
            with self.refusals(), engine.connect() as connection, one_moment(connection):
                for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
                    connection.exec_driver_sql(f"SET LOCAL {setting} = {round(preparing.PREPARING_SECONDS * 1000)}")
                yield connection
        finally:
            engine.dispose()

    def lock(self, connection: Connection) -> None:
        """Takes all locks, once nobody else uses it, but for nodes of the same cluster; rooms are not changed by a start.

        Raises:
            DatabaseRefused: Somebody does.
        """
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_SPACE}, {STARTING})")
        if self.cluster:
            require_company(connection, self.name, self.cluster)
        else:
            require_unused(connection, self.name)
        for number in ALL:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK_SPACE}, {int(number)})")

    def store(self, limits: StoreLimits, reactor: ReactorBase, start: int) -> BaseSqlStore:
        """A `PostgresStore`, which is over once there is another start than this one (see `Use`)."""
        shared = bool(self.cluster)
        use = Use(start, shared=shared)
        return PostgresStore(self._url, self._readers, limits, reactor, self._seconds, use, keeps_orders=shared)
