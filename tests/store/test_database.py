"""Tests of `chatserv.store.database`."""

import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import OperationalError
from twisted.trial.unittest import SynchronousTestCase

from chatserv.domain.roles import Role
from chatserv.errors import Busy, Internal, ReadOnly, StorageFull
from chatserv.store import statements
from chatserv.store.database import DatabaseRefused, prepare, reading_engine, refusals, translate, writing_engine
from chatserv.store.limits import StoreLimits
from chatserv.store.migrating import steps
from chatserv.store.schema import REVISION, metadata
from tests.store.drafts import NOW_MS, invite, registration


class RevisionTests(SynchronousTestCase):
    """The newest revision, which a start compares without asking Alembic."""

    def test_newest(self) -> None:
        """It is that of the newest migration."""
        self.assertEqual(REVISION, steps()[-1])

    def test_without_alembic(self) -> None:
        """A start that finds the schema as it is does not import Alembic, nor what nodes of a cluster need."""
        path = Path(self.mktemp())
        prepare(path)
        script = (
            "import sys, pathlib, chatserv.service, chatserv.tap, chatserv.store.database as it;"
            "it.prepare(pathlib.Path(sys.argv[1]));"
            "rare = {'alembic', 'mako', 'psycopg', 'psutil', 'segno', 'tarfile'};"
            "print(*sorted({name.partition('.')[0] for name in sys.modules} & rare),"
            "*[name for name in sys.modules if name.startswith(('sqlalchemy.dialects.postgresql', 'chatserv.membership',"
            "'chatserv.store.postgres', 'chatserv.backplane.'))])"
        )
        found = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
        self.assertEqual("chatserv.backplane.local", found.stdout.strip())


class PrepareTests(SynchronousTestCase):
    """What `prepare` makes and refuses."""

    def setUp(self) -> None:
        """Names a file that does not exist."""
        self.path = Path(self.mktemp())

    def content(self) -> tuple[bytes | None, list[object]]:
        """Incarnation and rooms."""
        with reading_engine(self.path).connect() as conn:
            return statements.incarnation(conn), list(statements.rooms(conn))

    def test_new(self) -> None:
        """A new file is for its owner alone, and has an incarnation and no rooms."""
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        prepare(self.path)
        self.assertEqual(0o600, self.path.stat().st_mode & 0o777)
        incarnation, rooms = self.content()
        self.assertEqual(16, len(incarnation or b""))
        self.assertEqual([], rooms)

    def test_twice(self) -> None:
        """Preparing again changes nothing but an open mode."""
        prepare(self.path)
        before = self.content()
        self.path.chmod(0o644)
        prepare(self.path)
        self.assertEqual(before, self.content())
        self.assertEqual(0o600, self.path.stat().st_mode & 0o777)

    def test_schema(self) -> None:
        """The migrations lead to the tables that the code uses."""
        prepare(self.path)
        with writing_engine(self.path).connect() as conn:
            self.assertEqual([], compare_metadata(MigrationContext.configure(conn), metadata))

    def test_odd_path(self) -> None:
        """A path may hold what URIs and format strings dislike."""
        directory = Path(self.mktemp() + " 100%s?#ü")
        directory.mkdir(parents=True)
        prepare(directory / "chat.db")
        self.assertEqual(["chat.db"], [each.name for each in directory.iterdir()])

    def refused(self, *words: str) -> None:
        """Asserts that `prepare` refuses, naming the file."""
        before = self.path.read_bytes()
        error = self.assertRaises(DatabaseRefused, prepare, self.path)
        for word in (str(self.path), *words):
            self.assertIn(word, str(error))
        self.assertEqual(before, self.path.read_bytes())

    def test_garbage(self) -> None:
        """A file that is no database stays as it is."""
        self.path.write_bytes(b"not a database at all. " * 400)
        self.refused("not a usable database")

    def test_newer(self) -> None:
        """A schema that only a newer version knows is left alone."""
        prepare(self.path)
        with sqlite3.connect(self.path) as conn:
            conn.execute("UPDATE alembic_version SET version_num = '9999'")
        conn.close()
        self.refused("newer version", "9999")

    def test_foreign(self) -> None:
        """Another program's database is left alone."""
        with sqlite3.connect(self.path) as conn:
            conn.execute("PRAGMA journal_mode=WAL")
            conn.execute("CREATE TABLE recipe (name TEXT)")
        conn.close()
        self.refused("another program")

    def test_damaged(self) -> None:
        """A database with broken pages is refused."""
        prepare(self.path)
        with writing_engine(self.path).begin() as conn:
            for number in range(300):
                statements.add_invite(conn, invite(number), NOW_MS, StoreLimits())
        content = bytearray(self.path.read_bytes())
        for page in range(2 * 4096, len(content), 4096):
            content[page : page + 16] = b"\xff" * 16
        self.path.write_bytes(content)
        self.refused()

    def test_in_use(self) -> None:
        """A database that another program holds is not called unusable: nobody is told to move it away."""
        prepare(self.path)
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        connect = sqlite3.connect
        self.patch(sqlite3, "connect", lambda *args, **named: connect(*args, **named | {"timeout": 0}))
        self.assertIn(
            ": in use by another program: end that", str(self.assertRaises(DatabaseRefused, prepare, self.path))
        )

    def test_words(self) -> None:
        """A full disk and one that cannot be written to are told as such, whatever was being done."""
        for code, name, message in (
            (sqlite3.SQLITE_FULL, "SQLITE_FULL", "the disk is full"),
            (sqlite3.SQLITE_READONLY, "SQLITE_READONLY_DIRECTORY", "cannot be written to (SQLITE_READONLY_DIRECTORY)"),
            (sqlite3.SQLITE_IOERR, "SQLITE_IOERR_WRITE", "cannot be written to (SQLITE_IOERR_WRITE)"),
            (sqlite3.SQLITE_CORRUPT, "SQLITE_CORRUPT", "not a usable database (SQLITE_CORRUPT)"),
        ):
            cause = sqlite3.OperationalError("x")
            cause.sqlite_errorcode, cause.sqlite_errorname = code, name
            with self.assertRaises(DatabaseRefused) as caught, refusals(self.path):
                raise OperationalError("statement", None, cause)
            self.assertEqual((str(self.path), message), (caught.exception.file, caught.exception.message))

    def test_no_directory(self) -> None:
        """A path that cannot be opened is refused by name."""
        error = self.assertRaises(DatabaseRefused, prepare, self.path / "below")
        self.assertIn(str(self.path), str(error))

    def test_administrator_exists(self) -> None:
        """An administrator exists once an invite for one is used."""
        prepare(self.path)
        with writing_engine(self.path).begin() as conn:
            limits = StoreLimits()
            statements.register(conn, registration("alice"), NOW_MS, limits)
            self.assertFalse(statements.administrator_exists(conn))
            statements.add_invite(conn, invite(1, role=Role.ADMIN), NOW_MS, limits)
            statements.register(conn, registration("bob", invite(1).token_hash), NOW_MS, limits)
            self.assertTrue(statements.administrator_exists(conn))

    def test_new_incarnation(self) -> None:
        """A restore gives the database another incarnation."""
        prepare(self.path)
        before, _ = self.content()
        with writing_engine(self.path).begin() as conn:
            fresh = statements.renew_incarnation(conn)
        self.assertEqual(fresh, self.content()[0])
        self.assertNotEqual(before, fresh)

    def test_reader_cannot_write(self) -> None:
        """The reading connection refuses to write."""
        prepare(self.path)
        with reading_engine(self.path).connect() as conn:
            error = self.assertRaises(OperationalError, statements.renew_incarnation, conn)
        self.assertIsInstance(translate(error), ReadOnly)


class TranslateTests(SynchronousTestCase):
    """Which error of the protocol a failure becomes."""

    def test_codes(self) -> None:
        """Primary and extended codes of SQLite count, and the system's own errors."""

        def sqlite(code: int) -> sqlite3.OperationalError:
            error = sqlite3.OperationalError("x")
            error.sqlite_errorcode, error.sqlite_errorname = code, "X"
            return error

        expected = {
            sqlite(sqlite3.SQLITE_FULL): StorageFull,
            sqlite(sqlite3.SQLITE_IOERR_WRITE): ReadOnly,
            sqlite(sqlite3.SQLITE_CORRUPT): ReadOnly,
            sqlite(sqlite3.SQLITE_BUSY): Busy,
            sqlite(sqlite3.SQLITE_ERROR): Internal,
            OSError(errno.ENOSPC, "x"): StorageFull,
            OSError(errno.EIO, "x"): ReadOnly,
            ValueError("a body"): Internal,
        }
        self.assertEqual(list(expected.values()), [type(translate(error)) for error in expected])
        self.assertEqual("ValueError", translate(ValueError("a body")).detail)
