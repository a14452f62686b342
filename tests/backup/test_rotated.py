"""Copies of a server whose identity key has changed: it keeps its name."""

import shutil
from pathlib import Path

import msgspec

from chatserv import own_identity
from chatserv.backup.exporting import export_store
from chatserv.backup.highest_head import read_head
from chatserv.backup.importing import import_store
from chatserv.backup.making import make_backup
from chatserv.backup.refusals import BackupError, Pace
from chatserv.backup.restoring import Restored, restore_backup
from chatserv.backup.verifying import verify_backup, verify_store
from chatserv.crypto.log_leaves import TreeHead, make_tree_head
from chatserv.crypto.suite import sha256
from chatserv.local_errors import StateDirectoryError
from chatserv.net.keys import changes_in, write_identity
from chatserv.own_identity import rotate_identity
from chatserv.private_files import PrivateFileError, write_private
from chatserv.state_directory import StateDirectory, StatePaths
from chatserv.store.database import writing_engine
from chatserv.wire.parameters import ServerIdentity
from tests.backup.cases import NOW_MS, BackupCase
from tests.support.sessions import rsa_key, spki


class RotatedTests(BackupCase):
    """A server with its second key."""

    def setUp(self) -> None:
        """The rotation, and the first key kept."""
        super().setUp()
        self.server.wait(self.server.memory.close())
        self.old = self.here / "old.pem"
        shutil.copy(self.state.identity_key, self.old)
        self.patch(own_identity, "generate_rsa", lambda: rsa_key("second"))
        self.state.release()
        rotate_identity(self.state.path, NOW_MS)
        self.state = self.start(self.state.path).state

    def test_backup(self) -> None:
        """It is verified and restored, and its server is called what it was called."""
        self.back_up()
        verify_backup(self.target, Pace())
        other = self.other_state()
        restore_backup(self.target, other, NOW_MS, Pace(), replace=False)
        other.release()
        prepared = self.start(other.path)
        other._lock = prepared.state._lock
        self.assertEqual(prepared.public.server_id, sha256(spki("server")))

    def test_old_key(self) -> None:
        """With the key of before beside the log that names the new one, there is no backup: it could not be used."""
        shutil.copy(self.old, self.state.identity_key)
        self.assertIn("not the server's newest", str(self.assertRaises(BackupError, self.back_up)))
        verify_store(self.state, Pace())

    def test_lines(self) -> None:
        """An export needs the new key where it is imported."""
        file, again, other = self.here / "all.jsonl", self.here / "again.jsonl", self.other_state()
        export_store(self.state, file, Pace())
        shutil.copy(self.old, other.identity_key)
        self.assertRaises(BackupError, import_store, file, other, NOW_MS, Pace())
        shutil.copy(self.state.identity_key, other.identity_key)
        import_store(file, other, NOW_MS, Pace())
        export_store(other, again, Pace())
        self.assertEqual(again.read_bytes(), file.read_bytes())


class OlderBackupTests(BackupCase):
    """A backup, after which the server got another key."""

    def setUp(self) -> None:
        """The backup, one without the key, an export, and the rotation."""
        super().setUp()
        self.back_up()
        self.apart, self.lines, self.old = self.here / "apart", self.here / "all.jsonl", self.here / "old.pem"
        make_backup(self.state, self.apart, NOW_MS, Pace(), identity=False)
        export_store(self.state, self.lines, Pace())
        self.server.wait(self.server.memory.close())
        shutil.copy(self.state.identity_key, self.old)
        self.patch(own_identity, "generate_rsa", lambda: rsa_key("second"))
        self.state.release()
        rotate_identity(self.state.path, NOW_MS)
        prepared = self.start(self.state.path)
        prepared.head_file.keep(
            make_tree_head(TreeHead(len(prepared.stored.log), bytes(32), NOW_MS), prepared.identity)
        )
        self.state = prepared.state

    def started(self, state: StateDirectory) -> ServerIdentity:
        """What a server says of itself that starts there."""
        state.release()
        prepared = self.start(state.path)
        state._lock = prepared.state._lock
        return prepared.public

    def assert_second(self, state: StateDirectory) -> None:
        """The server there has its newest key and its name, over a log that does not know of that; and can be copied."""
        said = self.started(state)
        self.assertEqual((sha256(spki("server")), sha256(spki("second"))), (said.server_id, said.key_id))
        self.assertEqual(1, len(said.rotations))
        copy = self.here / f"copy {len(self.files())}"
        make_backup(state, copy, NOW_MS, Pace())
        verify_backup(copy, Pace())
        export_store(state, copy.with_suffix(".jsonl"), Pace())

    def restore(self, state: StateDirectory, file: Path | None = None, *, older_key: bool = False) -> Restored:
        """Puts a backup there."""
        return restore_backup(file or self.target, state, NOW_MS, Pace(), replace=True, older_key=older_key)

    def test_newer_key_stays(self) -> None:
        """It lies where the backup goes; what was there before has it too, and once more, over that, it stays as well."""
        for _ in range(2):
            done = self.restore(self.state)
            self.assertEqual("here", done.key)
            self.assert_second(self.state)
            self.assertEqual(self.state.identity_key.read_bytes(), (Path(done.old) / "identity.pem").read_bytes())

    def test_database_is_lost(self) -> None:
        """The key file alone says how the server came to its key: in an empty directory, and for each kind of copy."""
        for number, file in enumerate((self.target, self.apart)):
            other = StateDirectory(self.here / f"other {number}")
            self.addCleanup(other.release)
            shutil.copy(self.state.identity_key, other.identity_key)
            self.restore(other, file)
            self.assert_second(other)
        other = self.other_state()
        shutil.copy(self.state.identity_key, other.identity_key)
        import_store(self.lines, other, NOW_MS, Pace())
        self.assert_second(other)

    def test_newer_key_is_lost(self) -> None:
        """What is known of it, by the store or by the head that it has signed, is said, and nothing has changed."""
        for damage in (self.old, None):
            if damage is None:
                self.state.database.write_bytes(b"damaged")
                self.state.identity_key.unlink()
            else:
                shutil.copy(damage, self.state.identity_key)
            before = {name: (self.state.path / name).read_bytes() for name in self.files(self.state.path)}
            error = self.assertRaises(BackupError, self.restore, self.state)
            self.assertIn("has given up the key", str(error))
            self.assertIn("--older-key", error.hint)
            self.assertEqual(before, {name: (self.state.path / name).read_bytes() for name in before})
        self.assertEqual("backup", self.restore(self.state, older_key=True).key)
        self.assertEqual(sha256(spki("server")), self.started(self.state).key_id)

    def test_nothing_is_known(self) -> None:
        """Into an empty directory it is put back as it is."""
        other = self.other_state()
        self.assertEqual("backup", self.restore(other).key)
        self.assertEqual(sha256(spki("server")), self.started(other).key_id)

    def test_another_servers_key(self) -> None:
        """Nobody knows that it is not a newer one of this: it is said which file, and it is kept beside where it may be."""
        write_identity(self.state.identity_key, rsa_key("another"))
        self.state.database.unlink()
        self.state.log_head.unlink()
        self.assert_refused(self.state, self.state.identity_key)
        done = self.restore(self.state, older_key=True)
        self.assertEqual("backup", done.key)
        self.assertTrue((Path(done.old) / "identity.pem").exists())
        self.assertRaises(BackupError, self.restore, self.other_state(), self.apart)

    def assert_refused(self, state: StateDirectory, file: Path, copy: Path | None = None) -> None:
        """Nothing is put back; the words begin with this file, and nothing has changed."""
        before = {name: (state.path / name).read_bytes() for name in self.files(state.path)}
        error = self.assertRaises(BackupError, self.restore, state, copy)
        self.assertEqual(str(file), error.file)
        self.assertIn("--older-key", error.hint)
        self.assertEqual(before, {name: (state.path / name).read_bytes() for name in before})

    def test_key_without_changes(self) -> None:
        """As rotate-key of before has written it, the newest key is not given up for the backup's, wherever it lies."""
        plain = rsa_key("second")
        other = self.other_state()
        for file in (other.identity_key, other.next_identity_key):
            write_identity(file, plain)
            self.assert_refused(other, file)
            file.unlink()
        write_identity(self.state.identity_key, plain)
        whole = self.state.database.read_bytes()
        self.state.database.write_bytes(b"damaged")
        self.assert_refused(self.state, self.state.identity_key)
        self.state.database.write_bytes(whole)  # which tells of the change
        self.assertEqual("here", self.restore(self.state).key)
        self.assert_second(self.state)

    def test_key_that_others_may_read(self) -> None:
        """It is not passed over for that."""
        other = self.other_state()
        shutil.copy(self.state.identity_key, other.identity_key)
        other.identity_key.chmod(0o644)
        self.assertRaises(PrivateFileError, self.restore, other)
        other.identity_key.chmod(0o600)
        self.assertEqual("here", self.restore(other).key)

    def test_damaged_key(self) -> None:
        """It was somebody's, and nobody's now."""
        other = self.other_state()
        other.identity_key.write_bytes(bytes(3000))
        other.identity_key.chmod(0o600)
        self.assertEqual("backup", self.restore(other).key)

    def branch(self) -> Path:
        """A backup of the server as somebody has led it on who has stolen its first key."""
        evil = StateDirectory(self.here / "evil")
        self.restore(evil)
        self.started(evil)
        engine = writing_engine(evil.database)
        with engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM meta WHERE key = 'mending'")
        engine.dispose()
        self.patch(own_identity, "generate_rsa", lambda: rsa_key("evil"))
        evil.release()
        rotate_identity(evil.path, NOW_MS)
        make_backup(StatePaths(evil.path), self.here / "evil.backup", NOW_MS, Pace())
        return self.here / "evil.backup"

    def test_branch(self) -> None:
        """It takes nobody's place: not the true key's, nor where the store or the head alone tells of that."""
        branch = self.branch()
        alone, store, head = (StateDirectory(self.here / name) for name in ("alone", "store", "head"))
        for each in (alone, store, head):
            self.addCleanup(each.release)
        shutil.copy(self.state.identity_key, alone.identity_key)
        self.assert_refused(alone, alone.identity_key, branch)
        # a key of both, with the changes to the true one behind it
        write_identity(
            alone.identity_key, rsa_key("server"), changes_in(self.old, self.state.identity_key.read_bytes())
        )
        self.assert_refused(alone, alone.identity_key, branch)
        shutil.copy(self.state.database, store.database)
        self.assert_refused(store, store.database, branch)
        shutil.copy(self.state.log_head, head.log_head)
        self.assert_refused(head, branch, branch)

    def test_head_of_another_life(self) -> None:
        """Which store the kept head is of, the backup cannot say: whoever makes one writes there what they like."""
        other = self.other_state()
        kept = read_head(self.state.log_head)
        assert kept is not None
        write_private(other.log_head, msgspec.json.encode(msgspec.structs.replace(kept, incarnation=bytes(16))))
        self.assert_refused(other, self.target)

    def test_import_of_before(self) -> None:
        """Lines do not bring a key back that was given up, as far as is known there."""
        other = self.other_state()
        shutil.copy(self.old, other.identity_key)
        for source, target in (
            (self.state.log_head, other.log_head),
            (self.state.identity_key, other.next_identity_key),
        ):
            shutil.copy(source, target)
            self.assertRaises(BackupError, import_store, self.lines, other, NOW_MS, Pace())
            self.assertFalse(other.database.exists())
            target.unlink()
        import_store(self.lines, other, NOW_MS, Pace())

    def test_rotation_waits_for_mending(self) -> None:
        """A log that is being given back gets no leaf of another kind meanwhile."""
        self.restore(self.state)
        self.state.release()
        error = self.assertRaises(StateDirectoryError, rotate_identity, self.state.path, NOW_MS)
        self.assertIn("--finish", str(error))
        self.state = self.start(self.state.path).state
