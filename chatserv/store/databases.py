"""Where a store is kept: in a file of the state directory, or in a PostgreSQL database."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine
from twisted.internet.base import ReactorBase

from chatserv.cluster_settings import Cluster
from chatserv.config import Store
from chatserv.private_files import sync_directory
from chatserv.store import database
from chatserv.store.limits import StoreLimits
from chatserv.store.node_statements import one_moment
from chatserv.store.sql import SqlStore
from chatserv.store.sql_base import BaseSqlStore


class Database(Protocol):
    """What a start needs to know of the one place of a store."""

    @property
    def name(self) -> str:
        """What an operator calls it; holds no password."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other servers may use it too."""
        ...

    @property
    def cluster(self) -> str:
        """What the nodes call themselves that use it together; empty: who uses it has it for himself."""
        ...

    def exists(self) -> bool:
        """Whether a server has prepared it. Raises `DatabaseRefused`."""
        ...

    def check(self) -> bool:
        """Looks at it without changing it. False: new, or of an older version. Raises `DatabaseRefused`."""
        ...

    def weaknesses(self) -> list[str]:
        """Settings of it by which what was acknowledged could be lost. Raises `DatabaseRefused`."""
        ...

    def prepare(self) -> None:
        """Makes it, or brings it up to date. Blocks. Raises `DatabaseRefused`."""
        ...

    def made(self) -> AbstractContextManager[Connection]:
        """A new store, in a transaction: where that fails, nothing is there. Raises `DatabaseRefused`."""
        ...

    def refusals(self) -> AbstractContextManager[None]:
        """Puts what it raises inside into words for the operator. Raises `DatabaseRefused`."""
        ...

    def engine(self) -> Engine:
        """An engine whose connections may write."""
        ...

    def reader(self) -> Engine:
        """An engine whose connections only read: every statement sees the newest commit."""
        ...

    def moment(self) -> AbstractContextManager[Connection]:
        """A connection that sees the store as it is at one moment, from the first that it is asked on, and writes nothing.

        Raises:
            DatabaseRefused: It cannot be read.
        """
        ...

    def lock(self, connection: Connection) -> None:
        """Nobody else decides anything until the end of this transaction. Raises `DatabaseRefused` where a server runs."""
        ...

    def store(self, limits: StoreLimits, reactor: ReactorBase, start: int) -> BaseSqlStore:
        """The store in it, once it is prepared. ``start``: by which it knows that it is not over.

        That is the number of this start, which the database has counted; with ``cluster`` of the last one that was alone.
        """
        ...


class SqliteDatabase:
    """A file.

    Args:
        path: Where.
    """

    shared, cluster = False, ""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)

    def exists(self) -> bool:
        """Whether there is a file."""
        return self.path.exists()

    def check(self) -> bool:
        """As `chatserv.store.database.check`."""
        return database.check(self.path)

    def weaknesses(self) -> list[str]:
        """None: a server sets everything by itself."""
        return []

    def prepare(self) -> None:
        """As `chatserv.store.database.prepare`."""
        database.prepare(self.path)

    @contextmanager
    def made(self) -> Iterator[Connection]:
        """A file beside its place, which it takes when it is whole and on the disk."""
        new = self.path.with_name(f"{self.path.name}-new")
        for left in self.path.parent.glob(f"{new.name}*"):
            left.unlink()
        database.prepare(new)
        engine = database.writing_engine(new)
        with database.refusals(new), closing(engine.connect()) as connection, connection.begin():
            yield connection
        engine.dispose()  # closed, it has everything: nothing is left in a log beside it
        new.replace(self.path)
        sync_directory(self.path.parent)

    def refusals(self) -> AbstractContextManager[None]:
        """As `chatserv.store.database.refusals`."""
        return database.refusals(self.path)

    def engine(self) -> Engine:
        """As `chatserv.store.database.writing_engine`."""
        return database.writing_engine(self.path)

    def reader(self) -> Engine:
        """As `chatserv.store.database.reading_engine`."""
        return database.reading_engine(self.path)

    @contextmanager
    def moment(self) -> Iterator[Connection]:
        """A transaction that reads."""
        engine = self.reader()
        try:
            with self.refusals(), engine.connect() as connection, one_moment(connection):
                yield connection
        finally:
            engine.dispose()

    def lock(self, connection: Connection) -> None:
        """Its transactions exclude each other."""

    def store(self, limits: StoreLimits, reactor: ReactorBase, start: int) -> BaseSqlStore:  # noqa: ARG002 - the file is ours
        """A `SqlStore`."""
        return SqlStore(self.path, limits, reactor)


def database_of(settings: Store, path: Path, cluster: Cluster = Cluster()) -> Database:  # noqa: B008 - is not changed
    """The PostgreSQL database of the settings, or the file at ``path`` where they name none.

    Args:
        settings: The section ``store``.
        path: The file.
        cluster: With whom it is shared; left out: whoever uses it has it for himself.

    Raises:
        DatabaseRefused: What a PostgreSQL database needs is not installed.
    """
    if not settings.url:
        return SqliteDatabase(path)
    try:
        from chatserv.store.postgres.database import PostgresDatabase  # noqa: PLC0415 - nobody else has psycopg
    except ImportError as error:
        hint = "pip install 'chatserv[cluster]'"
        raise database.DatabaseRefused("store.url", f"{error.name or 'psycopg'} is not installed", hint) from error
    return PostgresDatabase(
        settings.url, settings.readers, cluster.name if cluster.is_set else "", cluster.store_seconds
    )
