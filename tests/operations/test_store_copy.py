"""``store copy``: from the file into a PostgreSQL database, and back."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg

from chatserv.bootstrap import Prepared, prepare
from chatserv.config import Config, Store
from chatserv.crypto.log_leaves import TreeHead, signed_tree_head
from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.store import copying
from chatserv.store.database import DatabaseRefused
from chatserv.store.log_statements import log
from chatserv.store.schema import metadata
from tests.cli.test_main import CommandCase
from tests.support.postgres import cluster

NOW_MS = 1_795_000_000_000
DATA = Path(__file__).parents[1] / "data"
RELEASE = min(path.parent for path in DATA.glob("*/state/chatserv.db"))


class CopyTests(CommandCase):
    """The store of a release: two people, rooms, a key log."""

    def setUp(self) -> None:
        """A copy of it, brought up to date."""
        super().setUp()
        self.url = cluster().create()
        shutil.copytree(RELEASE, self.directory)
        for path in (self.directory, *self.directory.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)
        self.start()

    def start(self, url: str = "") -> Prepared:
        """A start and its end; its first head is kept, as a server does."""
        prepared = prepare(Config(store=Store(url)), self.directory, NOW_MS)
        root = tree_root(map(leaf_hash, prepared.stored.log))
        prepared.head_file.keep(signed_tree_head(TreeHead(len(prepared.stored.log), root, NOW_MS), bytes(384)))
        prepared.state.release()
        return prepared

    def copy(self, *places: str) -> Any:
        """What a copy that is made gives."""
        code, out, err = self.run_command("store", "copy", *places)
        self.assertEqual((0, "account: 2"), (code, err.partition("\n")[0]))
        return out

    def refused(self, *places: str) -> str:
        """The words of a copy that is not made."""
        code, out, err = self.run_command("store", "copy", *places)
        self.assertEqual((1, ""), (code, out))
        return err.splitlines()[-1]

    def exported(self) -> bytes:
        """The file as lines."""
        target = Path(self.mktemp())
        self.assertEqual("", self.run_command("export", str(target))[2])
        return target.read_bytes()

    def test_there_and_back(self) -> None:
        """Everything is the same on the other side, a server starts on it, and what comes back is what it was."""
        before, first = self.exported(), self.start()
        out = self.copy("sqlite", self.url)
        self.assertIn("2 accounts", out)
        self.assertIn(
            f"the log's root is the same in both: {tree_root(map(leaf_hash, first.stored.log)).hex()}", out.lower()
        )
        here, verified = (self.json_of(*words, "verify") for words in ((), ("--set", f"store.url={self.url}")))
        self.assertEqual((here["counts"], False, True), (verified["counts"], here["postgres"], verified["postgres"]))
        self.assertEqual((self.url, len(first.stored.log)), (verified["file"], verified["log_entries"]))
        there = self.start(self.url)
        self.assertEqual((first.public, first.stored.rooms, first.stored.log, first.stored.bans, None), (
            there.public, there.stored.rooms, there.stored.log, there.stored.bans, there.invite
        ))  # fmt: skip
        self.assertIn("an old copy", str(self.assertRaises(DatabaseRefused, self.start)))
        self.assertIn("there is a store already", self.refused(self.url, "sqlite"))
        for file in self.directory.glob("chatserv.db*"):
            file.unlink()
        self.assertIn("Now take store.url out of the settings", self.copy(self.url, "sqlite"))
        self.assertEqual(0o600, (self.directory / "chatserv.db").stat().st_mode & 0o777)
        self.assertEqual(["chatserv.db"], [path.name for path in self.directory.glob("chatserv.db*")])
        self.assertEqual(first.stored.rooms, self.start().stored.rooms)
        self.assertEqual(before, self.exported())
        self.assertEqual(0, self.run_command("verify")[0])

    def test_numbers(self) -> None:
        """What is made after a copy has numbers above those that were copied."""
        self.copy("sqlite", self.url)
        with closing(psycopg.connect(self.url)) as conn:
            for table in metadata.sorted_tables:
                if "pk" in table.c:
                    text = (
                        f"SELECT nextval(pg_get_serial_sequence('\"{table.name}\"', 'pk')), max(pk) FROM {table.name}"  # noqa: S608
                    )
                    number, highest = conn.execute(text.encode()).fetchone() or (0, 0)
                    self.assertEqual((highest or 0) + 1, number, table.name)
            (session,) = conn.execute("SELECT nextval('session_number')").fetchone() or (0,)
            self.assertGreater(session, 10**12)  # no count of sessions has come so far

    def test_refused(self) -> None:
        """What cannot be copied is said, and no password with it; nothing is touched."""
        lines = self.exported()
        self.assertIn("name one place that is a PostgreSQL database", self.refused("sqlite", "sqlite"))
        said = self.refused("sqlite", "mysql://chat:geheim@db/x")
        self.assertIn("mysql://***: write sqlite, or the URL", said)
        self.assertIn("there is no store of this server", self.refused(self.url, "sqlite"))
        self.assertIn("cannot be reached", self.refused("sqlite", self.url.replace("host=/", "host=/nowhere/")))
        self.copy("sqlite", self.url)
        self.assertIn("there is a store already", self.refused("sqlite", self.url))
        self.assertEqual(lines, self.exported())
        self.start(self.url)
        self.assertIn("an old copy", self.refused("sqlite", cluster().create()))

    def test_differs(self) -> None:
        """A copy that is not the same is none: there is nothing in the database, and no file."""

        def fewer(_conn: object) -> list[bytes]:
            return [b"a leaf that is nowhere"]

        self.patch(copying, "log", lambda conn: [] if conn.dialect.name == "sqlite" else fewer(conn))
        self.assertIn("nothing was copied: the log's root is another one", self.refused("sqlite", self.url))
        with closing(psycopg.connect(self.url)) as conn:
            self.assertEqual(
                (0,), conn.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
            )
        self.patch(copying, "log", log)
        self.copy("sqlite", self.url)
        (self.directory / "chatserv.db").rename(self.directory / "aside")
        self.patch(copying, "log", lambda conn: fewer(conn) if conn.dialect.name == "sqlite" else log(conn))
        self.assertIn("nothing was copied: the log's root is another one", self.refused(self.url, "sqlite"))
        self.assertFalse((self.directory / "chatserv.db").exists())
        self.patch(copying, "log", log)
        self.copy(self.url, "sqlite")
