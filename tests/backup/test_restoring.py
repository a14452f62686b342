"""Restores: all or nothing, whatever is killed when; never in the place of a store unasked."""

import io
import os
import resource
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from chatserv.backup import restoring
from chatserv.backup.exporting import export_store
from chatserv.backup.highest_head import read_head
from chatserv.backup.making import make_backup
from chatserv.backup.refusals import BackupError, Pace
from chatserv.backup.restoring import Restored, restore_backup
from chatserv.backup.verifying import verify_store
from chatserv.bootstrap import Prepared
from chatserv.cli.main import main as command
from chatserv.local_errors import StateDirectoryError
from chatserv.net import keys
from chatserv.private_files import sync_directory
from chatserv.state_directory import StateDirectory
from chatserv.store import statements
from chatserv.store.database import DatabaseRefused, reading_engine, writing_engine
from tests.backup.cases import NOW_MS, BackupCase
from tests.support.sessions import rsa_key


class Killed(BaseException):
    """The process ends here."""


class RestoreCase(BackupCase):
    """A backup, after which people went on."""

    def setUp(self) -> None:
        """What the backup lacks: lines, and an account."""
        super().setUp()
        self.back_up()
        self.saved = self.meta(self.state, statements.incarnation)
        self.alice.say("after the backup")
        self.server.join("carol")

    def meta(self, state: StateDirectory, read: Any) -> Any:
        """Something that the store says."""
        engine = reading_engine(state.database)
        with engine.connect() as connection:
            found = read(connection)
        engine.dispose()
        return found

    def restore(self, state: StateDirectory, *, replace: bool = False) -> Restored:
        """Puts the backup there."""
        return restore_backup(self.target, state, NOW_MS + 5000, Pace(), replace=replace)

    def keep_head(self) -> None:
        """The server has told of its newest head."""
        prepared = self.start_in(self.state)
        prepared.head_file.keep(self.server.context.log.signed_head)

    def start_in(self, state: StateDirectory) -> Prepared:
        """A start there."""
        state.release()
        prepared = self.start(state.path)
        state._lock = prepared.state._lock
        return prepared

    def events(self, state: StateDirectory) -> int:
        """How many events the store has."""

        def count(connection: Connection) -> int:
            return int(connection.exec_driver_sql("SELECT count(*) FROM event").scalar_one())

        return int(self.meta(state, count))


class RestoringTests(RestoreCase):
    """`restore_backup`."""

    def test_empty_directory(self) -> None:
        """What the backup holds is there, under a new incarnation, being mended; and a server starts on it."""
        other = self.other_state()
        done = self.restore(other)
        self.assertEqual((done.old, done.log_entries, done.highest), ("", 9, 9))
        self.assertEqual(
            self.files(other.path), ["chatserv.db", "identity.pem", "lock", "log-head", "tls.crt", "tls.key"]
        )
        for name in self.files(other.path):
            self.assertEqual((other.path / name).stat().st_mode & 0o777, 0o600)
        prepared = self.start_in(other)
        self.assertEqual(len(prepared.stored.log), 9)
        self.assertNotIn(self.meta(other, statements.incarnation), {self.saved, None})
        self.assertTrue(self.meta(other, statements.mending))
        self.assertLess(self.events(other), self.events(self.state))
        self.assertEqual(prepared.public.server_id, self.start_in(self.state).public.server_id)

    def test_store_is_there(self) -> None:
        """Refused, with nothing changed; with ``--replace`` the old one lies beside, whole, and can be put back."""
        self.keep_head()
        self.server.wait(self.server.memory.close())
        before = {name: (self.state.path / name).read_bytes() for name in self.files(self.state.path)}
        error = self.assertRaises(BackupError, self.restore, self.state)
        self.assertIn("--replace", error.hint)
        self.assertEqual({name: (self.state.path / name).read_bytes() for name in self.files(self.state.path)}, before)
        events = self.events(self.state)
        done = self.restore(self.state, replace=True)
        self.assertEqual((done.log_entries, done.highest), (9, 12))
        self.assertIn("before-restore-20261118T110645Z", done.old)
        self.start_in(self.state)
        self.assertLess(self.events(self.state), events)
        kept = read_head(self.state.log_head)
        self.assertEqual(kept and kept.tree.size, 12)  # clients have been told of so many
        old = StateDirectory(Path(done.old))
        self.addCleanup(old.release)
        self.assertEqual(self.events(old), events)
        self.start_in(old)

    def test_put_back_by_hand(self) -> None:
        """The store that was replaced is an old copy from then on."""
        self.keep_head()
        self.server.wait(self.server.memory.close())
        done = self.restore(self.state, replace=True)
        shutil.copy(Path(done.old) / "chatserv.db", self.state.database)
        self.assertIn("before the last restore", str(self.assertRaises(DatabaseRefused, self.start_in, self.state)))
        self.state._lock = os.open(self.state.path / "lock", os.O_RDWR)

    def test_no_backup(self) -> None:
        """What is none changes nothing."""
        other = self.other_state()
        for data in (b"", b"nonsense" * 1000, self.target.read_bytes()[:-20_000]):
            self.target.write_bytes(data)
            self.assertRaises(BackupError, self.restore, other)
            self.assertEqual(self.files(other.path), ["lock"])

    def test_older_version(self) -> None:
        """A backup that lacks a table of today is whole, and is brought up to date; an export waits for that."""
        self.server.wait(self.server.memory.close())
        self.state.release()
        self.patch(sys, "stdout", io.StringIO())
        self.assertEqual(command(["--state-dir", str(self.state.path), "downgrade", "0.1.0"]), 0)
        self.state = StateDirectory(self.state.path)
        self.target = self.here / "older.backup"
        self.back_up()
        error = self.assertRaises(BackupError, export_store, self.state, self.here / "all.jsonl", Pace())
        self.assertIn("start the server once", error.hint)
        other = self.other_state()
        self.restore(other)
        self.start_in(other)
        self.assertIn("mending_offer", verify_store(other, Pace()).counts)

    def test_disk_of_the_state(self) -> None:
        """Where it is the state directory's disk that is full, that one is named and not the backup."""
        other = self.other_state()
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
        try:
            error = self.assertRaises(BackupError, self.restore, other)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, before)
        self.assertTrue(error.file.startswith(str(other.path)), error.file)
        self.assertEqual(self.files(other.path), ["lock"])

    def test_twice(self) -> None:
        """The second asks for ``--replace`` too; each has its own incarnation."""
        other = self.other_state()
        self.restore(other)
        first = self.meta(other, statements.incarnation)
        self.assertRaises(BackupError, self.restore, other)
        self.restore(other, replace=True)
        self.assertNotEqual(self.meta(other, statements.incarnation), first)

    def test_identity_apart(self) -> None:
        """The key has to be put there first, and has to be the right one."""
        self.target = self.here / "apart.backup"
        self.back_up(identity=False)
        other = self.other_state()
        self.assertIn("kept apart", str(self.assertRaises(BackupError, self.restore, other)))
        self.patch(keys, "generate_rsa", lambda: rsa_key("other"))
        keys.load_identity(other)
        self.assertIn("not the key of the server", str(self.assertRaises(BackupError, self.restore, other)))
        other.identity_key.write_text("nonsense")
        self.assertRaises(StateDirectoryError, self.restore, other)
        self.assertEqual(self.files(other.path), ["identity.pem", "lock"])
        shutil.copy(self.state.identity_key, other.identity_key)
        self.restore(other)
        self.start_in(other)

    def test_disk_full(self) -> None:
        """Nothing has changed."""
        other = self.other_state()

        def full(*_args: object) -> None:
            raise OSError(28, "No space left on device")

        sync = os.fsync
        self.patch(os, "fsync", full)
        self.assertIn("No space left", str(self.assertRaises(BackupError, self.restore, other)))
        self.patch(os, "fsync", sync)
        self.assertEqual(self.files(other.path), ["lock"])
        self.restore(other)


class LostTests(RestoreCase):
    """What a restore has lost for good."""

    def test_holes(self) -> None:
        """A store that was restored may lack messages: backups are made of it, and say how many; else it is damaged."""
        other = self.other_state()
        self.restore(other)
        hole = "DELETE FROM event WHERE seq IN (7, 8) AND kind = 0"
        for state in (self.state, other):
            engine = writing_engine(state.database)
            with engine.begin() as connection:
                connection.exec_driver_sql(hole)
            engine.dispose()
        self.assertRaises(BackupError, verify_store, self.state, Pace())
        self.assertEqual(verify_store(other, Pace()).missing, 4)
        self.assertEqual(make_backup(other, self.here / "two.backup", NOW_MS, Pace()).missing, 4)


class KillTests(RestoreCase):
    """A restore that is killed at any of its steps."""

    def test_every_step(self) -> None:
        """Before the renaming that decides the old store is there as it was, from then on the next start has the new one."""
        self.keep_head()
        self.server.wait(self.server.memory.close())
        events, template = self.events(self.state), self.here / "template"
        self.state.release()
        shutil.copytree(self.state.path, template)
        (template / "chatserv.db-wal").write_bytes(b"")  # of a server that was killed
        seen = set()
        for step in range(100):
            directory = self.here / f"killed-{step}"
            shutil.copytree(template, directory)
            directory.chmod(0o700)
            state = StateDirectory(directory)
            finished = self.killed_at(step, state)
            state.release()
            prepared = self.start(directory)
            found = self.events(prepared.state)
            seen.add(found)
            self.assertIn(found, {events, events - 2}, step)  # of carol's coming to the lobby, and of alice
            self.assertEqual([name for name in self.files(directory) if ".ready" in name], [])
            prepared.state.release()
            if finished:
                break
        else:
            self.fail("no end")
        self.assertEqual(len(seen), 2)
        self.state = StateDirectory(self.state.path)

    def killed_at(self, step: int, state: StateDirectory) -> bool:
        """A restore that dies before that renaming or sync; tells whether it came to its end before."""
        left = step

        def counted(real: Any) -> Any:
            def call(*args: Any, **named: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Killed
                return real(*args, **named)

            return call

        rename, sync, remove = Path.rename, sync_directory, shutil.rmtree
        self.patch(Path, "rename", counted(rename))
        self.patch(restoring, "sync_directory", counted(sync))
        self.patch(shutil, "rmtree", lambda *_args, **_named: None)  # a dead process removes nothing
        try:
            self.restore(state, replace=True)
        except Killed:
            return False
        finally:
            self.patch(Path, "rename", rename)
            self.patch(restoring, "sync_directory", sync)
            self.patch(shutil, "rmtree", remove)
        return True
