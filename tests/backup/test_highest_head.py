"""The highest head beside the store: an old copy of the database is known by it, whatever was killed when."""

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backup import highest_head
from chatserv.backup.head_keeping import HeadKeeper
from chatserv.backup.highest_head import HeadFile, read_head
from chatserv.bootstrap import Prepared, prepare
from chatserv.config import Config
from chatserv.crypto.log_leaves import LeafType, TreeHead, signed_tree_head, user_leaf
from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.errors import Busy
from chatserv.local_errors import StateDirectoryError
from chatserv.models import LeafDraft
from chatserv.net import keys
from chatserv.private_files import PrivateFileError, write_private
from chatserv.store import statements
from chatserv.store.database import DatabaseRefused, writing_engine
from chatserv.store.log_statements import append_leaves
from chatserv.store.meta_statements import MENDING
from chatserv.store.schema import meta
from tests.support.sessions import rsa_key

NOW_MS = 1_795_000_000_000


class HeadCase(SynchronousTestCase):
    """Starts of one server; a signature is never looked at here."""

    def setUp(self) -> None:
        """A directory, and a key that is not made each time."""
        self.directory = Path(self.mktemp())
        self.patch(keys, "generate_rsa", lambda: rsa_key("server"))

    @property
    def database(self) -> Path:
        """The store."""
        return self.directory / "chatserv.db"

    def prepare(self) -> Prepared:
        """A start that is killed before its head is kept."""
        prepared = prepare(Config(), self.directory, NOW_MS)
        prepared.state.release()
        return prepared

    def start(self) -> Prepared:
        """A start that gets so far that clients could come."""
        prepared = self.prepare()
        prepared.head_file.keep(head_over(prepared.stored.log))
        return prepared

    def change(self, change: Any) -> None:
        """Does something to the store."""
        engine = writing_engine(self.database)
        with engine.begin() as connection:
            change(connection)
        engine.dispose()

    def grow(self, name: str) -> None:
        """An account's leaf comes to the log, and no server says so."""
        leaf = user_leaf(LeafType.UIK, bytes(32), name, bytes(32), b"", NOW_MS)
        self.change(lambda connection: append_leaves(connection, [LeafDraft(leaf.encode(), b"")]))

    def refused(self) -> str:
        """In which words the next start is refused."""
        error = self.assertRaises(DatabaseRefused, self.start)
        self.assertIn("chatserv restore FILE --replace", error.hint)
        self.assertEqual(error.file, str(self.database.absolute()))
        return str(error.message)


def head_over(leaves: tuple[bytes, ...]) -> bytes:
    """The head over leaves, with a signature of zeros."""
    return signed_tree_head(TreeHead(len(leaves), tree_root(map(leaf_hash, leaves)), NOW_MS), bytes(384))


class OldCopyTests(HeadCase):
    """What is put back by hand."""

    def test_shorter_log(self) -> None:
        """The log of the copy ends before what clients have been told."""
        self.start()
        shutil.copy(self.database, self.directory / "copy.db")
        self.grow("ann")
        self.start()
        shutil.copy(self.directory / "copy.db", self.database)
        self.assertIn("its log has 0 entries, and clients have been told of 1", self.refused())

    def test_same_log(self) -> None:
        """Only messages were lost: then a server has started since."""
        self.start()
        shutil.copy(self.database, self.directory / "copy.db")
        self.start()
        shutil.copy(self.directory / "copy.db", self.database)
        self.assertIn("a server has started on a newer one since", self.refused())

    def test_other_log(self) -> None:
        """As many entries, but others."""
        self.grow_and_start("ann")
        self.change(lambda connection: connection.exec_driver_sql("DELETE FROM log_leaf"))
        self.grow("eve")
        self.assertIn("the first 1 entries are others", self.refused())

    def grow_and_start(self, name: str) -> None:
        """A start, somebody registers, another start."""
        self.start()
        self.grow(name)
        self.start()

    def test_other_life(self) -> None:
        """A copy of before a restore, which has counted just as many starts."""
        self.start()
        self.change(statements.renew_incarnation)
        self.assertIn("before the last restore", self.refused())

    def test_nothing_is_changed(self) -> None:
        """A start that is refused leaves both as they are; it is refused again."""
        self.test_same_log()
        before = (self.directory / "log-head").read_bytes()
        self.refused()
        self.assertEqual((self.directory / "log-head").read_bytes(), before)

    def test_restored(self) -> None:
        """A restored store is behind, and starts: it is being mended. The highest head stays in the file."""
        self.grow_and_start("ann")
        highest = (read_head(self.directory / "log-head") or self.fail()).head
        self.change(lambda connection: connection.exec_driver_sql("DELETE FROM log_leaf"))
        self.change(lambda connection: connection.execute(meta.insert().values(key=MENDING, value=b"x")))
        self.start()
        kept = read_head(self.directory / "log-head")
        self.assertEqual(kept and (kept.head, kept.starts), (highest, 3))
        self.change(lambda connection: connection.execute(meta.delete().where(meta.c.key == MENDING)))
        self.refused()

    def test_given_up(self) -> None:
        """What could not be mended is given up: the lower head takes the place of the higher one."""
        self.grow_and_start("ann")
        self.change(lambda connection: connection.exec_driver_sql("DELETE FROM log_leaf"))
        file = HeadFile(self.directory / "log-head", self.incarnation(), 2)
        file.keep(head_over(()), lower=True)
        self.start()

    def incarnation(self) -> bytes:
        """The store's."""
        engine = writing_engine(self.database)
        with engine.begin() as connection:
            found = statements.incarnation(connection)
        engine.dispose()
        assert found is not None
        return found


class KillTests(HeadCase):
    """A start that dies between any two of its steps."""

    def test_before_the_head(self) -> None:
        """The store has counted the start, the file has not: the store is ahead, and starts."""
        self.start()
        for _ in range(3):
            self.prepare()
        self.start()

    def test_leaves_without_head(self) -> None:
        """Committed, killed before the head was kept: nobody was told of it."""
        self.start()
        self.grow("ann")
        self.prepare()
        self.start()

    def test_half_a_file(self) -> None:
        """A file is written whole or not at all: the old one is there when writing fails."""
        self.start()
        before = (self.directory / "log-head").read_bytes()

        def fails(*_: object) -> None:
            raise OSError(28, "No space left on device")

        file = HeadFile(self.directory / "log-head", bytes(16), 9)
        self.patch(os, "fsync", fails)
        self.assertRaises(PrivateFileError, file.keep, head_over(()))
        self.assertEqual((self.directory / "log-head").read_bytes(), before)

    def test_missing(self) -> None:
        """After an update from a version without the file, it is made."""
        self.start()
        (self.directory / "log-head").unlink()
        self.start()
        self.assertEqual(stat.S_IMODE((self.directory / "log-head").stat().st_mode), 0o600)

    def test_whole_directory(self) -> None:
        """A copy of the whole directory, taken while no server ran, starts."""
        self.start()
        shutil.copytree(self.directory, str(self.directory) + "-copy")
        self.grow("ann")
        self.start()
        shutil.rmtree(self.directory)
        shutil.copytree(str(self.directory) + "-copy", self.directory)
        self.directory.chmod(0o700)
        self.start()


class FileTests(HeadCase):
    """What stands in the file."""

    def test_nonsense(self) -> None:
        """Anything but what a server writes is refused in words."""
        self.start()
        path = self.directory / "log-head"
        good = path.read_bytes()
        kept = msgspec.json.decode(good)
        for bad in (
            b"",
            b"{",
            good[:40],
            b"\xff\xfe",
            b"[]",
            msgspec.json.encode({**kept, "version": 2}),
            msgspec.json.encode({**kept, "head": "AAAA"}),
            msgspec.json.encode({**kept, "more": 1}),
        ):
            path.write_bytes(bad)
            error = self.assertRaises(StateDirectoryError, self.start)
            self.assertIn("log-head: not the highest head of a log", str(error))
        path.write_bytes(good)
        path.chmod(0o644)
        self.assertRaises(PrivateFileError, self.start)

    def test_symlink(self) -> None:
        """Nothing is written through a link that lies there instead of the new file."""
        self.start()
        elsewhere = self.directory / "elsewhere"
        (self.directory / "log-head.new").symlink_to(elsewhere)
        self.assertRaises(PrivateFileError, self.start)
        self.assertFalse(elsewhere.exists())


class KeeperTests(HeadCase):
    """`HeadKeeper` over a file."""

    def test_disk_comes_back(self) -> None:
        """While the disk does not take it, `Busy`, and one line in the log; then it is kept."""
        path = self.directory / "log-head"
        self.directory.mkdir()

        def run(work: Any) -> "Deferred[None]":
            return succeed(work())

        keeper = HeadKeeper(HeadFile(path, bytes(16), 1), run)
        failing = True
        write = write_private

        def full(*args: Any) -> None:
            if failing:
                raise PrivateFileError("No space left on device")
            write(*args)

        self.patch(highest_head, "write_private", full)
        for _ in range(2):
            self.failureResultOf(Deferred.fromCoroutine(keeper(head_over(()), False)), Busy)
        failing = False
        self.successResultOf(Deferred.fromCoroutine(keeper(head_over(()), False)))
        kept = read_head(path)
        self.assertEqual(kept and kept.head, head_over(()))
