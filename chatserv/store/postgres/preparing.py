"""A PostgreSQL database is made ready, or refused in words: before the reactor runs.

A new one gets the newest tables at once; the steps of before are SQLite's. Later steps go by Alembic, as there.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import Connection

from chatserv.store import statements
from chatserv.store.database import DatabaseRefused
from chatserv.store.postgres.engines import SECONDS, connect, writing_engine
from chatserv.store.postgres.errors import RAISED, cause_of, is_lost, state_of
from chatserv.store.postgres.functions import APPEND, BEGIN, LOCK_SPACE, STARTING, postgres_metadata
from chatserv.store.schema import REVISION, metadata
from chatserv.units import without_password

OLDEST: Final = 14
"""The oldest PostgreSQL that its makers still mend."""
PREPARING_SECONDS: Final = 600.0  # the tables are made, or changed, and the whole log is read
_NOT_ALLOWED: Final = "42501"
_BASE: Final = "0007"  # of the tables that a new database had first here; those before it are SQLite's alone
_LOCK: Final = f"SELECT pg_advisory_xact_lock({LOCK_SPACE}, {STARTING})"
_FORGET: Final = "DELETE FROM store_batch WHERE at < now() - interval '30 days'"
_OFF: Final = "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY 1"
_MADE: Final = (
    "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'alembic_version')"
)
_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
_VERSION: Final = (
    "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)"
)


def exists(url: str) -> bool:
    """Whether a server has made its tables there.

    Raises:
        DatabaseRefused: It cannot be reached.
    """
    with refusals(without_password(url)), closing(connect(url)) as conn:
        return conn.execute(_MADE).fetchone() == (True,)


def prepare(url: str) -> None:
    """Makes the tables, or brings them up to date. Blocks; run it before the fork. A new one gets its incarnation.

    Raises:
        DatabaseRefused: It cannot be reached or used, is another program's, or of a newer version.
    """
    with _transaction(url, PREPARING_SECONDS) as (work, name):
        work.exec_driver_sql(_LOCK)
        if not _check(work, name):
            _upgrade(work)
        work.exec_driver_sql(_FORGET)


@contextmanager
def made(url: str) -> Iterator[Connection]:
    """A new store, in the transaction that makes its tables.

    Raises:
        DatabaseRefused: As of `prepare`, or there is a store.
    """
    with _transaction(url, PREPARING_SECONDS) as (work, name):
        work.exec_driver_sql(_LOCK)
        if work.exec_driver_sql(_TABLES).first() is not None:
            raise DatabaseRefused(name, "not empty", "make a new one: createdb")
        make(work)
        yield work


def check(url: str) -> bool:
    """Looks at a database without changing it. False: it is new, or of an older version.

    Raises:
        DatabaseRefused: As of `prepare`.
    """
    with _transaction(url, SECONDS) as (work, name):
        return _check(work, name)


def weaknesses(url: str) -> list[str]:
    """Which settings that keep what was committed are off, ``fsync`` for example.

    Raises:
        DatabaseRefused: It cannot be reached.
    """
    with refusals(without_password(url)), closing(connect(url)) as conn:
        return [str(name) for (name,) in conn.execute(_OFF)]


@contextmanager
def refusals(name: str) -> Iterator[None]:
    """Puts what the database raises inside into words for the operator. Raises `DatabaseRefused`."""
    try:
        yield
    except RAISED as error:
        said = str(cause_of(error)).strip().partition("\n")[0]
        if state_of(error) == _NOT_ALLOWED:
            hint = "give its owner's name in store.url, or GRANT ALL ON SCHEMA public"
            raise DatabaseRefused(name, f"not allowed ({said})", hint) from error
        if is_lost(error):
            hint = "see that it runs and lets this server in: psql with the same URL tells"
            raise DatabaseRefused(name, f"cannot be reached ({said})", hint) from error
        raise DatabaseRefused(name, f"not a usable database ({said})", "its own log tells more") from error


@contextmanager
def _transaction(url: str, seconds: float) -> Iterator[tuple[Connection, str]]:
    """A transaction, where the server will do, and what the database is called. Raises `DatabaseRefused`."""
    name = without_password(url)
    with refusals(name):
        with closing(connect(url)) as conn:
            _look_at_server(conn, name)
        engine = writing_engine(url, seconds)
        try:
            with engine.begin() as work:
                yield work, name
        finally:
            engine.dispose()


def _look_at_server(conn: psycopg.Connection[Any], name: str) -> None:
    version = conn.info.server_version // 10_000
    if version < OLDEST:
        raise DatabaseRefused(name, f"PostgreSQL {version} is too old", f"take {OLDEST} or later")
    encoding = conn.execute("SHOW server_encoding").fetchone()
    if encoding != ("UTF8",):
        hint = "make it with ENCODING 'UTF8' TEMPLATE template0"
        raise DatabaseRefused(name, f"its encoding is {encoding and encoding[0]}, not UTF8", hint)


def _check(conn: Connection, name: str) -> bool:
    """Looks at the schema. False: empty, or of an older version."""
    tables = set(conn.exec_driver_sql(_TABLES).scalars())
    if tables and "alembic_version" not in tables:
        raise DatabaseRefused(name, "a database of another program", "make one of its own: createdb")
    revision = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if tables else None
    if revision in {None, REVISION}:
        return revision is not None
    from chatserv.store import migrating  # noqa: PLC0415 - Alembic takes a tenth of a second

    steps = migrating.steps()
    if revision not in steps or steps.index(revision) < steps.index(_BASE):
        message = f"made by a newer version (schema {revision!r})"
        raise DatabaseRefused(name, message, "install that version")
    return False


def _upgrade(conn: Connection) -> None:
    if not conn.exec_driver_sql(_MADE).scalar():
        make(conn)
        return
    from chatserv.store import migrating  # noqa: PLC0415

    migrating.upgrade_to(conn)


def make(conn: Connection) -> None:
    """Makes everything that a new database has, in the transaction that the connection is in."""
    for each in (metadata, postgres_metadata):
        each.create_all(conn, checkfirst=False)
    for function in (APPEND, BEGIN):
        conn.exec_driver_sql(function)
    conn.exec_driver_sql(_VERSION)
    conn.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{REVISION}')")  # nosec B608  # noqa: S608 - our own
    statements.renew_incarnation(conn)
