"""Tests of `chatserv.store.postgres.preparing`: what is made of a new database, and which are refused, in which words."""

from contextlib import closing

import psycopg
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData
from twisted.trial.unittest import SynchronousTestCase

from chatserv.config import Store
from chatserv.store import migrating, statements
from chatserv.store.database import DatabaseRefused
from chatserv.store.databases import SqliteDatabase, database_of
from chatserv.store.postgres import preparing
from chatserv.store.postgres.database import PostgresDatabase
from chatserv.store.postgres.engines import connect, writing_engine
from chatserv.store.postgres.functions import postgres_metadata
from chatserv.store.schema import metadata
from tests.store.contract_blobs import SIZE
from tests.store.test_migrations import totals_of_steps
from tests.support.postgres import cluster


def every_table() -> MetaData:
    """The tables that every store has, and PostgreSQL's own."""
    both = MetaData()
    for each in (*metadata.sorted_tables, *postgres_metadata.sorted_tables):
        each.to_metadata(both)
    return both


class PreparingTests(SynchronousTestCase):
    """Real databases."""

    def setUp(self) -> None:
        """An empty one."""
        self.url = cluster().create()

    def execute(self, text: str) -> None:
        """One statement."""
        with closing(psycopg.connect(self.url, autocommit=True)) as conn:
            conn.execute(text.encode())

    def refused(self, url: str) -> DatabaseRefused:
        """How it is refused, by `prepare` and by `check`."""
        first = self.assertRaises(DatabaseRefused, preparing.check, url)
        second: DatabaseRefused = self.assertRaises(DatabaseRefused, preparing.prepare, url)
        self.assertEqual(str(first), str(second))
        return second

    def test_new(self) -> None:
        """It gets the tables that a store on SQLite has, its own, and an incarnation; once."""
        self.assertFalse(preparing.exists(self.url))
        self.assertFalse(preparing.check(self.url))
        self.assertFalse(preparing.exists(self.url))
        preparing.prepare(self.url)
        self.assertTrue(preparing.exists(self.url))
        self.assertTrue(preparing.check(self.url))
        both = every_table()
        incarnations = []
        for _ in range(2):
            engine = writing_engine(self.url)
            with engine.begin() as conn:
                self.assertEqual([], compare_metadata(MigrationContext.configure(conn), both))
                incarnations.append(statements.incarnation(conn))
            engine.dispose()
            preparing.prepare(self.url)
        self.assertEqual(16, len(incarnations[0] or b""))
        self.assertEqual(*incarnations)

    def test_steps(self) -> None:
        """One of the oldest version that had PostgreSQL becomes the same, by the steps since then."""
        preparing.prepare(self.url)
        engine = writing_engine(self.url)
        self.addCleanup(engine.dispose)
        with engine.begin() as conn:
            migrating.downgrade(conn, preparing._BASE)
        self.assertFalse(preparing.check(self.url))
        preparing.prepare(self.url)
        with engine.begin() as conn:
            self.assertEqual([], compare_metadata(MigrationContext.configure(conn), every_table()))
            logged = conn.exec_driver_sql("SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'")
            self.assertEqual({"lease", "lease_refusal"}, set(logged.scalars()))

    def test_files(self) -> None:
        """What the files of before count for is what their rows make."""
        preparing.prepare(self.url)
        engine = writing_engine(self.url)
        self.addCleanup(engine.dispose)
        with engine.begin() as conn:
            self.assertEqual([0, 0, 3 * SIZE], totals_of_steps(conn))

    def test_another_program(self) -> None:
        """One with other tables is left alone."""
        self.execute("CREATE TABLE precious (number int)")
        self.assertIn("a database of another program", str(self.refused(self.url)))

    def test_newer(self) -> None:
        """One of a newer version is left alone, and one of SQLite's steps that was never here."""
        preparing.prepare(self.url)
        for revision in ("9999", "0002"):
            self.execute(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608
            self.assertIn(f"made by a newer version (schema '{revision}')", str(self.refused(self.url)))

    def test_encoding(self) -> None:
        """One that does not hold every name is refused."""
        url = cluster().create("TEMPLATE template0 ENCODING 'SQL_ASCII'")
        self.assertIn("its encoding is SQL_ASCII, not UTF8", str(self.refused(url)))

    def test_too_old(self) -> None:
        """So is a PostgreSQL that is too old."""
        self.patch(preparing, "OLDEST", 99)
        self.assertIn("is too old: take 99 or later", str(self.refused(self.url)))

    def test_no_rights(self) -> None:
        """Whoever may not make tables is told what is missing."""
        self.execute("CREATE ROLE poor LOGIN")
        self.addCleanup(self.execute, "DROP ROLE poor")
        self.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        error = self.assertRaises(DatabaseRefused, preparing.prepare, self.url.replace("chat@", "poor@"))
        self.assertIn("not allowed (permission denied for schema public)", str(error))
        self.assertFalse(preparing.exists(self.url))

    def test_unreachable(self) -> None:
        """Where nobody listens, and where there is no such database, the words are PostgreSQL's; no password is in them."""
        for host, database in (("/nowhere", "chat"), (self.url.partition("host=")[2], "missing")):
            said = str(self.refused(f"postgresql://chat:geheim@/{database}?host={host}"))
            self.assertIn(f"postgresql://chat:***@/{database}?host={host}: cannot be reached (", said)
            self.assertNotIn("geheim", said)

    def test_search_path(self) -> None:
        """The tables of another schema are not this server's, wherever PostgreSQL would find them: it makes its own."""
        preparing.prepare(self.url)
        self.execute("CREATE SCHEMA own")
        self.execute(
            "ALTER ROLE chat IN DATABASE "
            + self.url.partition("?")[0].rpartition("/")[2]
            + " SET search_path = own, public"
        )
        self.assertFalse(preparing.exists(self.url))
        self.assertFalse(preparing.check(self.url))
        preparing.prepare(self.url)
        self.assertTrue(preparing.exists(self.url) and preparing.check(self.url))
        with closing(psycopg.connect(self.url)) as conn:
            found = conn.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'alembic_version' ORDER BY 1")
            self.assertEqual([("own",), ("public",)], found.fetchall())

    def test_defaults(self) -> None:
        """What was set for the database or its user does not change how ours behaves."""
        name = self.url.partition("?")[0].rpartition("/")[2]
        for setting in ("default_transaction_isolation = 'repeatable read'", "idle_session_timeout = 100"):
            self.execute(f"ALTER DATABASE {name} SET {setting}")
        with closing(connect(self.url)) as conn:
            session = dict(conn.execute("SELECT name, setting FROM pg_settings WHERE source = 'session'").fetchall())
        self.assertEqual(
            ("read committed", "0"), (session["default_transaction_isolation"], session["idle_session_timeout"])
        )
        self.assertIn("tcp_user_timeout", session)  # 0 at a UNIX socket

    def test_one_place(self) -> None:
        """A URL is a PostgreSQL database, none is the file."""
        self.assertEqual(self.url, database_of(Store(self.url), cluster().directory).name)
        self.assertRaises(DatabaseRefused, PostgresDatabase, "postgresql://chat:a?b@/chat", 1)
        self.assertIsInstance(database_of(Store(), cluster().directory), SqliteDatabase)
