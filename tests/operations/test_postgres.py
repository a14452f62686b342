"""Starts and operations where the store is a PostgreSQL database."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection

from chatserv import bootstrap
from chatserv.backup import store_checks, verifying
from chatserv.backup.last_place import LastPlace
from chatserv.backup.store_checks import StoreFacts
from chatserv.blob_directory import BlobDirectory
from chatserv.bootstrap import Prepared, prepare
from chatserv.cluster_settings import Cluster
from chatserv.config import Config, Store
from chatserv.crypto.log_leaves import LeafType, TreeHead, make_tree_head, removal_leaf, signed_tree_head, user_leaf
from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.crypto.suite import sha256
from chatserv.local_errors import StateDirectoryError
from chatserv.models import Event, EventKind
from chatserv.net import keys
from chatserv.own_identity import rotate_identity
from chatserv.store.database import DatabaseRefused
from chatserv.store.node_statements import begin_one_moment
from tests.cli.test_main import CommandCase
from tests.support.postgres import cluster
from tests.support.sessions import rsa_key, spki

NOW_MS = 1_795_000_000_000
LEAF = removal_leaf(bytes(32), bytes(16), bytes(32), NOW_MS).encode()


class PostgresCase(CommandCase):
    """A database, empty at first."""

    def setUp(self) -> None:
        """Makes it."""
        super().setUp()
        self.url = cluster().create()

    def start(self) -> Prepared:
        """A start, and its end."""
        prepared = prepare(Config(store=Store(self.url)), self.directory, NOW_MS)
        prepared.state.release()
        return prepared

    def run_on(self, *arguments: str) -> tuple[int, str, str]:
        """A command with these settings."""
        return self.run_command("--set", f"store.url={self.url}", *arguments)

    def execute(self, text: str) -> None:
        """One statement."""
        with closing(psycopg.connect(self.url, autocommit=True)) as conn:
            conn.execute(text.encode())

    def incarnation(self) -> bytes:
        """That of the store."""
        with closing(psycopg.connect(self.url)) as conn:
            (found,) = conn.execute("SELECT value FROM meta WHERE key = 'incarnation'").fetchone() or (b"",)
        return bytes(found)


class StartTests(PostgresCase):
    """What a start takes, and what it refuses."""

    def test_again(self) -> None:
        """The first start makes everything, and no file of SQLite's; the next one finds it."""
        first, second = self.start(), self.start()
        self.assertEqual((first.invite, first.public, self.url), (second.invite, second.public, second.database.name))
        self.assertEqual([], list(self.directory.glob("chatserv.db*")))

    def test_another_server(self) -> None:
        """A database is that of one identity; without any key it is refused as a file is."""
        self.start()
        shutil.rmtree(self.directory)
        self.assertIn("missing, though there is a database", str(self.assertRaises(StateDirectoryError, self.start)))
        self.patch(keys, "generate_rsa", lambda: rsa_key("another"))
        mine, self.url = self.url, cluster().create()
        self.start()
        self.url = mine
        said = str(self.assertRaises(DatabaseRefused, self.start))
        self.assertIn(f"{mine}: the database of another server, whose fingerprint is ", said)

    def test_lost_messages(self) -> None:
        """One that lacks the last message that was acknowledged, as after the wrong failover, is refused."""
        prepared = self.start()
        place = LastPlace(prepared.state.last_place, self.incarnation())
        place.keep([Event(b"r" * 16, 9, NOW_MS, "alice", EventKind.MESSAGE, b"")])
        said = str(self.assertRaises(DatabaseRefused, self.start))
        self.assertIn("the newest messages are missing: a room had 9 events, and has 0: name the server", said)

    def test_old_copy(self) -> None:
        """So is one in which a start is missing that this directory knows of; and a new one beside a store of before."""
        self.start().head_file.keep(signed_tree_head(TreeHead(0, tree_root([]), NOW_MS), bytes(384)))
        self.start()
        mine, self.url = self.url, cluster().create()
        self.assertIn("of before the last restore, or of another", str(self.assertRaises(DatabaseRefused, self.start)))
        self.url = mine
        self.start()
        self.execute("UPDATE meta SET value = decode('0000000000000000', 'hex') WHERE key = 'starts'")
        said = str(self.assertRaises(DatabaseRefused, self.start))
        self.assertIn("a server has started on a newer one since: name the server that has the newest one in", said)

    def test_kept_head(self) -> None:
        """One whose log is not what the nodes go by is refused; a head of a key that was given up is forgotten."""
        key = self.start().identity
        root = tree_root(map(leaf_hash, [LEAF]))
        self.keep_head(make_tree_head(TreeHead(1, root, NOW_MS), key))
        said = "clients have been told of another log: its first 1 entries are others"
        self.assertIn(said, str(self.assertRaises(DatabaseRefused, self.start)))
        self.execute(f"INSERT INTO log_leaf VALUES (0, '\\x{LEAF.hex()}', '')")  # noqa: S608
        self.start()
        self.assertEqual([(1,)], self.query("SELECT size FROM log_head"))
        self.execute("UPDATE log_leaf SET leaf = set_byte(leaf, 104, 7)")
        self.assertIn(said, str(self.assertRaises(DatabaseRefused, self.start)))
        self.keep_head(make_tree_head(TreeHead(1, root, NOW_MS), rsa_key("another")))
        self.start()
        self.assertEqual([], self.query("SELECT size FROM log_head"))

    def test_changed_while_it_starts(self) -> None:
        """What comes into the log of a cluster after a node has looked at it is looked at too, before it is taken in."""
        old, new = (spki(f"identity of {who}") for who in ("bob", "mallory"))
        server_id = self.start().public.server_id
        leaves = [
            user_leaf(kind, server_id, "bob", sha256(key), key, NOW_MS).encode()
            for kind, key in ((LeafType.UIK, old), (LeafType.ROTATE, new))
        ]

        def late(connection: Connection) -> None:
            for number, (leaf, statement) in enumerate(zip(leaves, (old, b""), strict=True)):
                values = f"{number}, '\\x{leaf.hex()}', '\\x{statement.hex()}'"
                self.execute(f"INSERT INTO log_leaf VALUES ({values})")  # noqa: S608
            begin_one_moment(connection)

        config = Config(store=Store(self.url), cluster=Cluster(bus=("nats://127.0.0.1:4222",)))
        prepare(config, self.directory, NOW_MS).state.release()
        self.patch(bootstrap, "begin_one_moment", late)
        said = str(self.assertRaises(DatabaseRefused, prepare, config, self.directory, NOW_MS))
        self.assertIn("leaf 1 of the log is a new identity that its owner has not signed", said)

    def test_node(self) -> None:
        """A node makes no other invite for an administrator where one works, and is refused where a restore is mended."""
        config = Config(store=Store(self.url), cluster=Cluster(bus=("nats://127.0.0.1:4222",)))
        first = prepare(config, self.directory, NOW_MS)
        again = prepare(config, self.copied_identity(first), NOW_MS)
        late = prepare(config, self.copied_identity(first), NOW_MS + 2 * 86_400_000)
        for prepared in (first, again, late):
            prepared.state.release()
        self.assertEqual((True, None, True), (bool(first.invite), again.invite, bool(late.invite)))
        self.assertEqual(
            (first.public, first.incarnation, first.use), (again.public, again.incarnation, again.use), again.head_file
        )
        self.execute("INSERT INTO meta VALUES ('mending', '\\x01')")
        said = str(self.assertRaises(DatabaseRefused, prepare, config, self.directory, NOW_MS))
        self.assertIn("restored, and not mended yet: start one server on it without cluster.bus", said)

    def copied_identity(self, of: Prepared) -> Path:
        """The state directory of another node."""
        directory = Path(self.mktemp())
        directory.mkdir(0o700)
        shutil.copy(of.state.identity_key, directory)
        return directory

    def keep_head(self, signed: bytes) -> None:
        """What the nodes go by."""
        self.execute("DELETE FROM log_head")
        self.execute(f"INSERT INTO log_head VALUES (0, 1, {NOW_MS}, '\\x{signed.hex()}')")  # noqa: S608

    def query(self, text: str) -> list[tuple[object, ...]]:
        """Rows."""
        with closing(psycopg.connect(self.url)) as conn:
            return conn.execute(text.encode()).fetchall()

    def test_rotated(self) -> None:
        """The server's key changes there too, and the next start has the new one."""
        first = self.start()
        self.patch(keys, "generate_rsa", lambda: rsa_key("another"))
        rotated = rotate_identity(self.directory, NOW_MS, first.database)
        second = self.start()
        self.assertEqual(rotated.server_id, second.public.server_id)
        self.assertEqual((first.public.server_id, rotated.new_id), (second.public.server_id, second.public.key_id))
        self.assertEqual(first.head_file.starts + 2, second.head_file.starts)  # a server of before must not go on


class CommandTests(PostgresCase):
    """The command."""

    def test_checks(self) -> None:
        """It is looked at, before the first start and after it; nothing is made."""
        _code, out, _ = self.run_on("check-config")
        self.assertIn(f"{self.url}: not there yet", out)
        self.start()
        _code, out, _ = self.run_on("check-config")
        self.assertIn(f"good     {self.url}: good", out)
        self.assertIn(f"warning  {self.url}: fsync is off there", out)  # it is, for tests
        self.assertNotIn("full_page_writes", out)
        self.url = self.url.replace("host=/", "host=/nowhere/")
        code, out, _ = self.run_on("check-config")
        self.assertEqual(1, code)
        self.assertIn("cannot be reached (", out)

    def test_files(self) -> None:
        """``doctor`` looks for the files that the database knows; nodes are asked whether all have the same directory."""
        self.start()
        place = Path(self.mktemp()).absolute()
        words = ("--set", f"blobs.directory={place}", "doctor")
        self.execute("INSERT INTO account VALUES (1, '\\x01', 'ann', 'ann', 1, '\\x', 1, false, false, NULL)")
        self.execute("INSERT INTO room VALUES (1, '\\x02', false, NULL, NULL, NULL, 0, 0, '\\x', 0, '\\x', 0)")
        self.execute(f"INSERT INTO blob VALUES (1, '\\x{bytes(16).hex()}', 1, 1, 9, '\\x', 9, 1, 1, 9)")  # noqa: S608
        said = f"{place}: 1 files that people have sent, 0 MB"
        out = self.run_on(*words)[1]
        self.assertIn(f"warning  {said}; of 1 some bytes are missing", out)
        self.assertIn(f"copy {place} after each dump", out)
        nodes = ("--set", 'cluster.bus=["nats://127.0.0.1:1"]', *words)
        self.assertIn("is it the directory that the other nodes have?", self.run_on(*nodes)[1])
        files = BlobDirectory(place)
        files.make()
        files.write(bytes(16), 0, b"123456789")
        self.assertIn(f"good     {said}\n", self.run_on(*words)[1])
        self.assertIn("have to mount it", self.run_on(*nodes)[1])

    def test_verify(self) -> None:
        """``verify`` looks at rooms, the log and files there too, and says what it leaves to PostgreSQL."""
        self.start()
        place = Path(self.mktemp()).absolute()
        self.execute("INSERT INTO account VALUES (1, '\\x01', 'ann', 'ann', 1, '\\x', 1, false, false, NULL)")
        self.execute("INSERT INTO room VALUES (1, '\\x02', false, NULL, NULL, NULL, 0, 0, '\\x', 0, '\\x', 0)")
        files = BlobDirectory(place)
        files.make()
        hashed = sha256(b"123456789").hex()
        for number in range(4):
            values = f"{number + 1}, '\\x{bytes([number] * 16).hex()}', 1, 1, 9, '\\x{hashed}', 9, 1, 1, 9"
            self.execute(f"INSERT INTO blob VALUES ({values})")  # noqa: S608
            files.write(bytes([number] * 16), 0, b"123456789")
        self.execute("INSERT INTO blob_total VALUES (0, 262145)")
        words = ("--set", f"blobs.directory={place}", "verify")
        code, out, err = self.run_on(*words)
        self.assertEqual((0, ""), (code, err))
        for said in (
            f"{self.url}: whole",
            "pg_amcheck",
            "4 files that people have sent: whole, 36 bytes",
            "262145 are noted",
        ):
            self.assertIn(said, out)
        files.remove([bytes(16)])
        files.write(bytes([1] * 16), 9, b"0")
        files.write(bytes([2] * 16), 0, b"0")
        files.write(bytes([9] * 16), 0, b"x")
        code, out, _ = self.run_on(*words)
        self.assertEqual(1, code)
        self.assertIn("1 whole, 1 missing, 2 wrong, 1 that nothing knows of", out)
        for harm, said in (
            ("UPDATE room SET head = 5", "room 02: 0 events up to 0, where 5 were given out"),
            (f"INSERT INTO log_leaf VALUES (1, '\\x{LEAF.hex()}', '')", "entry 0 of the log is damaged"),  # noqa: S608
            ("UPDATE blob SET blob_id = '\\x00' WHERE pk = 1", "the id of a file is none"),
        ):
            self.execute(harm)
            code, out, err = self.run_on(*words)
            self.assertEqual((1, ""), (code, out))
            self.assertIn(f"{self.url}: ", err)
            self.assertIn(said, err)

    def test_verify_old(self) -> None:
        """One that lacks the last message that was acknowledged is refused by it as by a start; so is an empty one."""
        self.assertIn("no server has run there", self.run_on("verify")[2])
        prepared = self.start()
        place = LastPlace(prepared.state.last_place, self.incarnation())
        place.keep([Event(b"r" * 16, 9, NOW_MS, "alice", EventKind.MESSAGE, b"")])
        self.assertIn("the newest messages are missing: a room had 9 events, and has 0", self.run_on("verify")[2])

    def test_verify_while_a_server_works(self) -> None:
        """What a server stores and notes as the last message meanwhile is not missed at the moment that was looked at."""
        place = LastPlace(self.start().state.last_place, self.incarnation())
        values = f"1, '\\x{(b'r' * 16).hex()}', false, NULL, NULL, NULL, 0, 0, '\\x', 0, '\\x', 0"
        self.execute(f"INSERT INTO room VALUES ({values})")  # noqa: S608
        check = store_checks.check_store

        def meanwhile(*given: Any) -> StoreFacts:
            found = check(*given)
            self.execute("UPDATE room SET head = 9")
            place.keep([Event(b"r" * 16, 9, NOW_MS, "alice", EventKind.MESSAGE, b"")])
            return found

        self.patch(verifying, "check_store", meanwhile)
        self.assertEqual((0, ""), self.run_on("verify")[::2])

    def test_password(self) -> None:
        """Nobody is shown it."""
        self.url = f"postgresql://chat:geheim@/none?host={cluster().directory}"
        for words in (("config", "show"), ("config", "show", "store.url"), ("check-config",), ("doctor",)):
            _code, out, err = self.run_on(*words)
            self.assertIn("chat:***@/none", out)
            self.assertNotIn("geheim", out + err)
        self.url = f"postgresql://chat:pa?geheim@/none?host={cluster().directory}"  # libpq would say it aloud
        copying = ("store", "copy", self.url, "sqlite")
        for refused in (("config", "show"), ("check-config",), ("doctor",), copying):
            code, out, err = self.run_on(*refused)
            self.assertTrue(code)
            self.assertNotIn("geheim", out + err)

    def test_files_alone(self) -> None:
        """What is for a file says so, names what to use, and touches nothing."""
        self.start()
        there = sorted(self.directory.iterdir())
        for words in (
            ("backup",),
            ("restore", "/tmp/x", "--replace"),
            ("export", "/tmp/x"),
            ("import", "/tmp/x"),
            ("downgrade", "0.1.0"),
        ):
            code, out, err = self.run_on(*words)
            self.assertEqual((1, ""), (code, out), words)
            self.assertIn("pg_dump copies it", err)
            self.assertIn("identity.pem, tls.key and tls.crt", err)
            self.assertIn("a copy of the directory of files that was made after it", err)
        self.assertEqual(there, sorted(self.directory.iterdir()))
