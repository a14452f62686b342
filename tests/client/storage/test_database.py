"""The file: made, opened, refused, and whole after whatever happens in a transaction."""

import os
import shutil
import threading
import time
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage import file as file_module
from chatserv.client.storage.database import FILE_NAME, Database
from chatserv.client.storage.driver import driver
from chatserv.client.storage.facts import Facts
from chatserv.client.storage.failures import StorageError
from chatserv.client.storage.schema import APPLICATION_ID, MIGRATIONS
from chatserv.local_errors import LocalProtocolError

SECRET = b"a secret of thirty-two bytes...."


def empty_log(database: Database) -> None:
    """Moves the write-ahead log into the file, as a client does after something was deleted."""
    database.write_ahead.to_move = True
    database.write_ahead.sync()


class Stop(Exception):
    """What a test throws into a transaction."""


class FileTests(SynchronousTestCase):
    """`Database.open`."""

    def setUp(self) -> None:
        """An empty directory."""
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()
        self.path = self.directory / FILE_NAME

    def opened(self) -> Database:
        """The file, open until the test ends."""
        database = Database.open(self.path)
        self.addCleanup(database.close)
        return database

    def refused(self, *words: str) -> None:
        """Asserts that the file is refused with one line that names it and holds ``words``, and is left as it is."""
        before = self.path.read_bytes() if self.path.exists() else None
        error = self.assertRaises(StorageError, Database.open, self.path)
        for word in (str(self.path), *words):
            self.assertIn(word, error.detail)
        self.assertNotIn("\n", error.detail)
        self.assertEqual(error.code, "client_storage")
        self.assertEqual(self.path.read_bytes() if self.path.exists() else None, before)

    def test_made(self) -> None:
        """A new file and those beside it are ours alone; it holds the newest schema and nothing half made is left over."""
        Facts(self.opened()).put("key", b"value")
        names = sorted(each.name for each in self.directory.iterdir())
        self.assertEqual(names, [FILE_NAME, f"{FILE_NAME}-shm", f"{FILE_NAME}-wal"])
        for each in self.directory.iterdir():
            self.assertEqual(each.stat().st_mode & 0o777, 0o600, each.name)
        with driver.connect(self.path) as other:
            self.assertEqual(other.execute("PRAGMA user_version").fetchone(), (len(MIGRATIONS),))
            self.assertEqual(other.execute("PRAGMA application_id").fetchone(), (APPLICATION_ID,))
        other.close()

    def test_pragmas(self) -> None:
        """Each connection has the settings that durability and deletion rest on."""
        database = self.opened()
        wanted = {
            "journal_mode": "wal",
            "synchronous": 2,
            "secure_delete": 1,
            "foreign_keys": 1,
            "trusted_schema": 0,
            "temp_store": 2,
        }
        self.assertEqual({name: database.one(f"PRAGMA {name}")[0] for name in wanted}, wanted)

    def test_reopened(self) -> None:
        """What was written is there when the file is opened again."""
        database = Database.open(self.path)
        Facts(database).put("key", b"value")
        database.close()
        self.assertEqual([each.name for each in self.directory.iterdir()], [FILE_NAME])
        self.assertEqual(Facts(self.opened()).get("key"), b"value")

    def test_left_over(self) -> None:
        """What a crash while the file was made left behind is in nobody's way."""
        (self.directory / f"{FILE_NAME}.new").write_bytes(b"half a file")
        self.assertIsNone(Facts(self.opened()).get("key"))

    def test_open_to_others(self) -> None:
        """A file that others may read is refused, with the command that closes it."""
        Database.open(self.path).close()
        self.path.chmod(0o640)
        self.refused("chmod 600", "0640")

    def test_no_database(self) -> None:
        """Other bytes, no bytes, and the database of another program are refused, never replaced."""
        for content in (b"", b"x" * 5000, b"SQLite format 3\x00" + b"x" * 5000):
            self.path.write_bytes(content)
            self.path.chmod(0o600)
            self.refused()
        self.path.unlink()
        other = driver.connect(self.path)
        other.execute("CREATE TABLE t (a)")
        other.close()
        self.path.chmod(0o600)
        self.refused("not a file of this program")

    def test_newer(self) -> None:
        """A file of a newer version is refused, and the hint is to update."""
        database = Database.open(self.path)
        database.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
        database.close()
        self.refused("newer version", "update")

    def test_older(self) -> None:
        """A file of an older version is brought up to date, with what is in it; a script that fails changes nothing."""
        database = Database.open(self.path)
        Facts(database).put("key", b"value")
        database.close()
        self.patch(file_module, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (a); CREATE TABLE more (a);"))
        self.assertRaises(StorageError, Database.open, self.path)
        self.patch(file_module, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (a);"))
        for _ in range(2):
            database = Database.open(self.path)
            self.assertEqual(database.one("PRAGMA user_version"), (len(MIGRATIONS) + 1,))
            self.assertEqual((Facts(database).get("key"), database.all("SELECT * FROM more")), (b"value", []))
            database.close()

    def test_rest_without_file(self) -> None:
        """A write-ahead log without its file is no new beginning."""
        (self.directory / f"{FILE_NAME}-wal").write_bytes(b"pages")
        self.refused("missing")

    def test_no_directory(self) -> None:
        """A directory that is not there is said to be the reason."""
        self.path = self.directory / "missing" / FILE_NAME
        self.refused("directory")

    def test_damaged(self) -> None:
        """Damage that shows only later is a `StorageError` too."""
        database = Database.open(self.path)
        Facts(database).put("key", b"value" * 10_000)
        database.close()
        with self.path.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(self.path.stat().st_size - 4096))
        self.assertRaises(StorageError, self.read_all)

    def read_all(self) -> None:
        """Opens the file and reads from it."""
        database = self.opened()
        Facts(database).get("key")

    def test_full(self) -> None:
        """A disk that is full is a `StorageError`; what was there before stays, and writing goes on when there is room."""
        database = self.opened()
        facts = Facts(database)
        facts.put("key", b"value")
        (pages,) = database.one("PRAGMA page_count")
        database.execute(f"PRAGMA max_page_count={pages}").fetchall()
        with self.assertRaises(StorageError), database.transaction():
            facts.put("key", b"other")
            facts.put("large", bytes(1_000_000))
        self.assertEqual((facts.get("key"), facts.get("large")), (b"value", None))
        database.execute(f"PRAGMA max_page_count={pages + 1000}").fetchall()
        facts.put("large", bytes(1_000_000))

    def test_in_use(self) -> None:
        """While another program writes, our own write fails instead of waiting for ever."""
        database, other = self.opened(), driver.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        database.execute("PRAGMA busy_timeout=0").fetchall()
        self.assertRaises(StorageError, Facts(database).put, "key", b"value")

    def test_log_begins(self) -> None:
        """While our own thread begins the log anew, on a slow disk, our write waits for it."""
        database, begun = self.opened(), threading.Event()
        database.execute("PRAGMA busy_timeout=0").fetchall()

        def begin_slowly() -> None:
            with database.write_ahead.beginning, closing(driver.connect(self.path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                begun.set()
                time.sleep(0.2)
                other.execute("COMMIT")

        thread = threading.Thread(target=begin_slowly)
        thread.start()
        self.addCleanup(thread.join)
        self.assertTrue(begun.wait(60))
        Facts(database).put("key", b"value")

    def test_crash(self) -> None:
        """A copy of the files at any moment, as a crash leaves them, holds what was committed and nothing else."""
        database = self.opened()
        facts = Facts(database)
        facts.put("one", b"1")
        with database.transaction():
            facts.put("two", b"2")
            copy = self.directory / "crashed"
            copy.mkdir()
            for each in (FILE_NAME, f"{FILE_NAME}-wal"):
                shutil.copy(self.directory / each, copy / each)
        recovered = Database.open(copy / FILE_NAME)
        self.addCleanup(recovered.close)
        self.assertEqual((Facts(recovered).get("one"), Facts(recovered).get("two")), (b"1", None))
        self.assertEqual(facts.get("two"), b"2")

    def test_deleted_is_gone(self) -> None:
        """Once the write-ahead log was emptied no file holds a secret that was deleted or replaced."""
        database = self.opened()
        facts = Facts(database)
        facts.put("key", SECRET)
        empty_log(database)
        self.assertTrue(self.somewhere(SECRET))
        facts.put("key", b"another value")
        empty_log(database)
        self.assertFalse(self.somewhere(SECRET))
        self.assertTrue(self.somewhere(b"another value"))

    def somewhere(self, data: bytes) -> bool:
        """Whether any file of the directory holds these bytes."""
        return any(data in each.read_bytes() for each in self.directory.iterdir())


class TransactionTests(SynchronousTestCase):
    """`Database.transaction`."""

    def setUp(self) -> None:
        """A database in memory, with a value in it, and a hook before each commit."""
        self.failing = False
        self.commits = 0
        self.database = Database.open(None, self.before_commit)
        self.addCleanup(self.database.close)
        self.facts = Facts(self.database)
        self.facts.put("key", b"old")

    def before_commit(self) -> None:
        """Counts, and fails when told to."""
        self.commits += 1
        if self.failing:
            raise Stop

    def both(self) -> tuple[bytes | None, bytes | None]:
        """What is stored."""
        return self.facts.get("key"), self.facts.get("other")

    def test_note(self) -> None:
        """A note is there at once, inside a transaction and outside, and the next write waits for the disk as ever."""
        self.database.note("INSERT INTO facts VALUES ('a', x'01')")
        with self.database.transaction():
            self.database.note("INSERT INTO facts VALUES ('b', x'02')")
        self.assertEqual((self.facts.get("a"), self.facts.get("b")), (b"\1", b"\2"))
        self.assertRaises(driver.Error, self.database.note, "INSERT INTO facts VALUES ('a', x'01')")
        self.assertEqual(self.database.one("PRAGMA synchronous"), (1,))
        self.facts.put("key", b"new")
        self.assertEqual(self.database.one("PRAGMA synchronous"), (2,))

    def test_whole(self) -> None:
        """What is written inside is there after it."""
        with self.database.transaction():
            self.facts.put("key", b"new")
            self.facts.put("other", b"too")
        self.assertEqual(self.both(), (b"new", b"too"))
        self.assertFalse(self.database.connection.in_transaction)

    def test_exception(self) -> None:
        """An exception undoes all of it and goes on; the next transaction works."""
        with self.assertRaises(Stop), self.database.transaction():
            self.facts.put("key", b"new")
            raise Stop
        self.assertEqual(self.both(), (b"old", None))
        self.facts.put("other", b"later")
        self.assertEqual(self.both(), (b"old", b"later"))

    def test_before_commit(self) -> None:
        """A failure at the last moment leaves everything as it was, also of a single write."""
        self.failing = True
        with self.assertRaises(Stop), self.database.transaction():
            self.facts.put("key", b"new")
        self.assertRaises(Stop, self.facts.put, "other", b"new")
        self.assertEqual(self.both(), (b"old", None))
        self.failing = False
        self.facts.put("key", b"new")
        self.assertEqual(self.both(), (b"new", None))

    def test_one_commit(self) -> None:
        """Inner transactions join the outer one: there is one commit."""
        before = self.commits
        with self.database.transaction(), self.database.transaction():
            self.facts.put("key", b"new")
            with self.database.transaction():
                self.facts.put("other", b"too")
        self.assertEqual((self.commits - before, self.both()), (1, (b"new", b"too")))

    def test_inner_exception(self) -> None:
        """An exception that leaves an inner transaction and the outer one undoes both."""
        with self.assertRaises(Stop), self.database.transaction():
            self.facts.put("key", b"new")
            with self.database.transaction():
                self.facts.put("other", b"too")
                raise Stop
        self.assertEqual(self.both(), (b"old", None))

    def test_inner_exception_caught(self) -> None:
        """An exception that is caught in the outer transaction undoes the inner one alone."""
        with self.database.transaction():
            self.facts.put("key", b"new")
            with self.assertRaises(Stop), self.database.transaction():
                self.facts.put("key", b"newer")
                self.facts.put("other", b"too")
                raise Stop
        self.assertEqual(self.both(), (b"new", None))

    def test_gathered(self) -> None:
        """What is gathered is written before the next statement, at the end, or not at all; of one key the last counts."""
        put = "INSERT INTO facts VALUES (?, ?)"
        with self.database.transaction():
            self.database.gather(put, ("a", b"first"), "a")
            self.database.gather(put, ("a", b"last"), "a")
            self.assertEqual(
                (self.database.gathered(put, "a"), self.database.gathered(put, "b")), (("a", b"last"), None)
            )
            self.assertIsNone(self.database.one("SELECT value FROM facts WHERE key = 'a'", beside=True))
            self.assertEqual(self.facts.get("a"), b"last")
            self.database.gather(put, ("b", b"end"))
            self.database.gather(put, ("c", b"end"))
        self.assertEqual((self.facts.get("b"), self.facts.get("c")), (b"end", b"end"))
        self.database.gather(put, ("d", b"alone"))
        self.assertEqual(self.facts.get("d"), b"alone")

    def test_gathered_is_undone(self) -> None:
        """With the transaction, inner or outer, that it belongs to; also where it fails itself, at the end."""
        put = "INSERT INTO facts VALUES (?, ?)"
        with self.database.transaction():
            self.database.gather(put, ("outer", b""))
            with self.assertRaises(Stop), self.database.transaction():
                self.database.gather(put, ("inner", b""))
                raise Stop
        self.assertEqual((self.facts.get("outer"), self.facts.get("inner")), (b"", None))
        undone = self.database.undone
        with self.assertRaises(Stop), self.database.transaction():
            self.database.gather(put, ("a", b""))
            raise Stop
        with self.assertRaises(driver.IntegrityError), self.database.transaction():
            self.facts.put("key", b"new")
            self.database.gather(put, ("b", None))
        with self.assertRaises(LocalProtocolError), self.database.transaction():
            self.facts.put("key", b"new")
            self.database.gather("UPDATE facts SET value = ? WHERE key = ?", (b"", "c"), exact=True)
        self.facts.put("other", b"later")
        self.assertEqual((self.both(), self.facts.get("a"), self.facts.get("b")), ((b"old", b"later"), None, None))
        self.assertEqual(self.database.undone - undone, 3)

    def test_finish(self) -> None:
        """What is to be done at the end is done once, with what is gathered written and before the commit."""
        done: list[bytes | None] = []
        for _ in range(2):
            with self.database.transaction():
                for number in range(3):
                    self.database.gather("INSERT OR REPLACE INTO facts VALUES (?, ?)", ("a", bytes([number])), "a")
                    with self.database.transaction():
                        self.database.finish("work", lambda: done.append(self.facts.get("a")))
        self.assertEqual(done, [b"\2", b"\2"])
        with self.assertRaises(Stop), self.database.transaction():
            self.database.finish("work", lambda: done.append(b""))
            raise Stop
        self.facts.put("key", b"new")
        self.assertEqual(len(done), 2)

    def test_lost(self) -> None:
        """Where SQLite has undone a transaction by itself, nothing more is written in its name."""
        with self.assertRaises(StorageError), self.database.transaction():
            self.facts.put("key", b"new")
            self.database.connection.execute("ROLLBACK")
            self.facts.put("other", b"too")
        self.assertEqual(self.both(), (b"old", None))

    def test_misuse(self) -> None:
        """A mistake of our own code is no fault of the disk."""
        self.assertRaises(driver.IntegrityError, self.database.write, "INSERT INTO facts VALUES ('a', NULL)")
