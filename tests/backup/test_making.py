"""Backups: a prefix without a hole, whole or not at all, with nothing in it that was deleted."""

import errno
import io
import os
import sqlite3
import stat
import tarfile
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from chatserv.backup import archive, making, whole_file
from chatserv.backup.archive import Manifest
from chatserv.backup.refusals import BackupError, Pace, Stopped
from chatserv.backup.store_checks import check_store, still
from chatserv.backup.verifying import verify_backup, verify_store
from chatserv.net.keys import load_identity
from chatserv.store.database import DatabaseRefused
from tests.backup.cases import CANARY, BackupCase


class Busy(Pace):
    """While a backup is made, somebody talks at each of its steps."""

    def __init__(self, case: "MakingTests") -> None:
        super().__init__()
        self.case, self.steps = case, 0

    def step(self) -> None:
        """A line in each room, now and then a new account."""
        super().step()
        self.steps += 1
        self.case.alice.say(f"step {self.steps}")
        self.case.alice.say(f"step {self.steps}", self.case.room)
        if self.steps % 10 == 5:
            self.case.server.join(f"user{self.steps}")


class MakingTests(BackupCase):
    """`make_backup`."""

    def test_prefix(self) -> None:
        """What is said meanwhile is not in it: verified, it has what was there before, and no more."""
        self.patch(making, "STEP_BYTES", 4096)
        before = {name: verify_store(self.state, Pace()).counts[name] for name in ("event", "account", "log_leaf")}
        pace = Busy(self)
        report = self.back_up(pace)
        self.assertGreater(pace.steps, 30)
        after = verify_store(self.state, Pace()).counts
        for name, count in before.items():
            self.assertEqual(report.counts[name], count)
            self.assertGreater(after[name], count)
        verified = verify_backup(self.target, Pace())
        self.assertEqual((verified.counts, verified.log_entries), (report.counts, before["log_leaf"]))

    def test_file(self) -> None:
        """One file, of mode 0600, and nothing beside it; never in the place of another."""
        report = self.back_up()
        self.assertEqual(self.files(), ["one.backup", "state"])
        self.assertEqual(stat.S_IMODE(self.target.stat().st_mode), 0o600)
        self.assertEqual(report.bytes, self.target.stat().st_size)
        before = self.target.read_bytes()
        self.assertIn("exists", str(self.assertRaises(BackupError, self.back_up)))
        self.assertEqual(self.target.read_bytes(), before)
        elsewhere = self.here / "elsewhere"
        self.target = self.here / "link.backup"
        self.target.symlink_to(elsewhere)
        self.assertRaises(BackupError, self.back_up)
        self.assertFalse(elsewhere.exists())

    def test_appears_meanwhile(self) -> None:
        """A file that comes to be while the backup is made is not overwritten."""

        class Rival(Pace):
            def step(rival) -> None:  # noqa: N805
                self.target.write_text("mine")

        self.assertRaises(BackupError, self.back_up, Rival())
        self.assertEqual((self.target.read_text(), self.files()), ("mine", ["one.backup", "state"]))

    def test_directory(self) -> None:
        """In a directory it gets a name with the date."""
        self.target = self.here
        self.assertEqual(Path(self.back_up().file).name, "chatserv-20261118T110640Z.backup")

    def test_deleted(self) -> None:
        """What was deleted is not in it, nor in the zeros of free pages; what was not deleted is."""
        self.back_up()
        data = self.target.read_bytes()
        self.assertNotIn(CANARY.encode(), data)
        self.assertIn(b"19 in the room", data)

    def test_identity_apart(self) -> None:
        """Without the identity key it says so, and has no trace of it."""
        self.assertFalse(self.back_up(identity=False).identity)
        self.assertFalse(verify_backup(self.target, Pace()).identity)
        self.assertNotIn(self.state.identity_key.read_bytes().splitlines()[1], self.target.read_bytes())

    def test_damaged_store(self) -> None:
        """A store that is not whole gives no backup, and is not verified; it is said what is wrong."""
        self.server.wait(self.server.memory.close())
        good = self.state.database.read_bytes()
        for sql, said in (
            ("DELETE FROM event WHERE seq = 7 AND kind = 0", "events up to"),
            ("UPDATE room SET head = head + 1 WHERE closed = 0", "events up to"),
            ("UPDATE event SET body = x'00' WHERE kind = 1 AND seq = 1", "does not follow the one before"),
            ("DELETE FROM commit_at WHERE epoch = 0", "does not follow the one before"),
            ("UPDATE room SET commit_hash = x'00' WHERE closed = 0", "newest commit is missing"),
            ("UPDATE log_leaf SET statement = x'01' WHERE number = 2", "entry 2 of the log is damaged"),
            ("DELETE FROM log_leaf WHERE number = 1", "entry 1 of the log is damaged"),
            ("CREATE TRIGGER extra AFTER INSERT ON event BEGIN UPDATE account SET role = 2; END", "trigger extra: no"),
            ("DELETE FROM account", "the database is damaged"),  # and others point to it
        ):
            connection = sqlite3.connect(self.state.database)
            with connection:
                connection.execute(sql)
            connection.close()
            self.assertIn(said, str(self.assertRaises(BackupError, self.back_up)))
            self.assertEqual(self.files(), ["state"])
            self.assertIn(said, str(self.assertRaises(BackupError, verify_store, self.state, Pace())))
            self.state.database.write_bytes(good)
        self.back_up()

    def test_disk_full(self) -> None:
        """Whatever does not fit any more, nothing is left; and the next one is made."""
        real_sync, real_data_sync, real_add = os.fsync, os.fdatasync, archive.ArchiveWriter.add

        def full(*_args: object, **_named: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(archive, "SYNC_BYTES", 4096)
        self.patch(making, "SYNC_BYTES", 4096)
        self.patch(making, "STEP_BYTES", 4096)
        for where, name in ((os, "fsync"), (os, "fdatasync"), (archive.ArchiveWriter, "add"), (os, "link")):
            before = getattr(where, name)
            self.patch(where, name, full)
            self.assertIn("No space left", str(self.assertRaises(BackupError, self.back_up)))
            setattr(where, name, before)
            self.assertEqual(self.files(), ["state"])
        self.assertEqual((os.fsync, os.fdatasync, archive.ArchiveWriter.add), (real_sync, real_data_sync, real_add))
        self.back_up()

    def test_stopped(self) -> None:
        """A server that stops does not wait for it, and nothing is left."""
        for after in range(0, 40, 3):
            left = after

            def stopped() -> bool:
                nonlocal left
                left -= 1
                return left < 0

            self.patch(making, "STEP_BYTES", 16384)
            self.assertRaises(Stopped, self.back_up, Pace(stopped=stopped))
            self.assertEqual(self.files(), ["state"])

    def test_killed(self) -> None:
        """What a killed process has left goes with the next backup; what another one still writes does not."""
        (self.here / ".chatserv-00.part").write_text("left")
        with whole_file.scratch_file(self.here) as (other, _file):
            self.assertEqual(self.files(), sorted([other.name, "state"]))
            self.back_up()
            self.assertTrue(other.exists())
        self.assertEqual(self.files(), ["one.backup", "state"])

    def test_no_links(self) -> None:
        """Where a file system has no links, it gets its name all the same, and takes no other's place."""

        def no_links(*_args: object, **_named: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        self.patch(os, "link", no_links)
        self.back_up()
        self.assertEqual(self.files(), ["one.backup", "state"])
        self.assertRaises(BackupError, self.back_up)


class VerifyingTests(BackupCase):
    """`verify_backup`: nothing that was changed is taken, and nothing is raised but `BackupError`."""

    def setUp(self) -> None:
        """A backup."""
        super().setUp()
        self.back_up()
        self.good = self.target.read_bytes()

    def verify(self, data: bytes) -> Any:
        """What is said of these bytes: None where they are verified."""
        path = self.here / "tried"
        path.write_bytes(data)
        try:
            verify_backup(path, Pace())
        except BackupError as error:
            return str(error)
        finally:
            self.assertEqual(self.files(), ["one.backup", "state", "tried"])
        return None

    def test_cut(self) -> None:
        """Cut off anywhere."""
        for size in (0, 1, 511, 512, 600, len(self.good) // 3, len(self.good) // 2, len(self.good) - 12_000):
            self.assertIsNotNone(self.verify(self.good[:size]), size)

    def test_flipped(self) -> None:
        """One bit of the contents anywhere."""
        with tarfile.open(self.target) as tar:
            ranges = [(each.offset_data, each.size) for each in tar if each.size]
        for start, size in ranges:
            for at in range(start, start + size, max(1, size // 12)):
                changed = bytearray(self.good)
                changed[at] ^= 4
                self.assertIsNotNone(self.verify(bytes(changed)), at)
        for at in range(0, 512, 5):  # of a header: where it does not matter, it is verified
            changed = bytearray(self.good)
            changed[at] ^= 1
            self.verify(bytes(changed))

    def entries(self) -> list[tuple[tarfile.TarInfo, bytes]]:
        """What is in the backup."""
        with tarfile.open(self.target) as tar:
            return [(entry, (tar.extractfile(entry) or self.fail()).read()) for entry in tar]

    def made_of(self, entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
        """An archive of these."""
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            for entry, data in entries:
                tar.addfile(entry, io.BytesIO(data))
        return made.getvalue()

    def test_hostile(self) -> None:
        """Names, kinds and sizes that no backup has; nothing is written by them."""
        entries = self.entries()
        self.assertIsNone(self.verify(self.made_of(entries)))
        for name, kind in (
            ("../escape", tarfile.REGTYPE),
            ("/tmp/escape", tarfile.REGTYPE),
            ("a\\..\\escape", tarfile.REGTYPE),
            ("CON", tarfile.REGTYPE),
            ("e" * 255, tarfile.REGTYPE),
            ("identity.pem", tarfile.SYMTYPE),
            ("identity.pem", tarfile.LNKTYPE),
            ("identity.pem", tarfile.CHRTYPE),
            ("identity.pem", tarfile.FIFOTYPE),
            ("identity.pem", tarfile.DIRTYPE),
            ("tls.key", tarfile.REGTYPE),  # twice
            ("chatserv.db", tarfile.REGTYPE),
        ):
            bad = tarfile.TarInfo(name)
            bad.type, bad.linkname = kind, "/etc/passwd"
            self.assertIsNotNone(self.verify(self.made_of([(bad, b""), *entries])), name)
        large = tarfile.TarInfo("tls.crt")
        large.size = archive.MAX_SMALL_BYTES + 1
        without = [each for each in entries if each[0].name != "tls.crt"]
        self.assertIn("too large", self.verify(self.made_of([(large, bytes(large.size)), *without])))
        self.assertIn("not what the backup", self.verify(self.made_of(without)))
        self.assertIn("manifest is missing", self.verify(self.made_of(entries[:-1])))
        self.assertIsNotNone(self.verify(self.made_of([entries[-1], *entries[:-1]])))

    def test_manifest(self) -> None:
        """Of another format, of another server, with other counts, or nonsense."""
        *files, (entry, text) = self.entries()
        said = msgspec.json.decode(text)
        for change, words in (
            ({"format": 2}, "a backup of format 2"),
            ({"counts": {**said["counts"], "event": 1}}, "manifest is not signed by its server"),
            ({"server_id": said["incarnation"]}, "manifest is not signed by its server"),
            ({"head": said["head"][:-8] + "AAAAAAA="}, "manifest is not signed by its server"),
            ({"signature": ""}, "manifest is not signed by its server"),
            ({"identity": "apart"}, "a file is missing"),
            ({"more": 1}, "cannot be read"),
            ({"files": {**said["files"], "x": {"bytes": 1, "sha256": ""}}}, "not what the backup was made with"),
        ):
            new = msgspec.json.encode({**said, **change})
            entry.size = len(new)
            self.assertIn(words, self.verify(self.made_of([*files, (entry, new)])) or "", change)
        key, manifest = load_identity(self.state), msgspec.json.decode(text, type=Manifest)
        for change, words in (
            ({"counts": {**manifest.counts, "event": 1}}, "not what it holds"),
            ({"server_id": manifest.incarnation}, "not what it holds"),
            ({"head": manifest.head[:-8] + bytes(8)}, "head of its log is not signed"),
        ):
            new = msgspec.json.encode(msgspec.structs.replace(manifest, **change).signed_by(key))
            entry.size = len(new)
            self.assertIn(words, self.verify(self.made_of([*files, (entry, new)])) or "", change)
        for new in (b"", b"\xff", b"[" * 100_000):
            entry.size = len(new)
            self.assertIn("cannot be read", self.verify(self.made_of([*files, (entry, new)])) or "")

    def test_no_file(self) -> None:
        """Nothing that one could wait for: a pipe, a device, a directory, a link to nowhere."""
        os.mkfifo(self.here / "pipe")
        (self.here / "nowhere").symlink_to("gone")
        for path in (self.here / "pipe", Path("/dev/zero"), self.here, self.here / "nowhere", self.here / "no"):
            self.assertRaises(BackupError, verify_backup, path, Pace(), self.here)

    def test_old_copy(self) -> None:
        """The store is also told from an old copy of it."""
        self.start_again()
        self.change("DELETE FROM meta WHERE key = 'starts'")
        self.assertRaises(DatabaseRefused, verify_store, self.state, Pace())

    def start_again(self) -> None:
        """What a start keeps."""
        self.state.release()
        prepared = self.start(self.state.path)
        self.state = prepared.state
        prepared.head_file.keep(self.server.context.log.signed_head)

    def test_still(self) -> None:
        """A copy is opened without a file coming to be beside it."""

        def copy(file: BinaryIO, path: Path) -> None:
            making.copy_database(self.state.database, path, file, Pace())
            with still(path) as connection:
                check_store(connection, path, Pace())

        with whole_file.scratch_file(self.here) as (path, file):
            copy(file, path)
            self.assertEqual(self.files(), sorted([path.name, "one.backup", "state"]))
