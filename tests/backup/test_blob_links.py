"""Files that people have sent are beside a backup, and come back with it."""

import errno
import os
from typing import Any
from unittest.mock import patch

from chatserv import blob_directory
from chatserv.backup.blob_links import beside
from chatserv.backup.refusals import BackupError, Pace, Stopped
from chatserv.backup.restoring import Restored, restore_backup
from chatserv.backup.verifying import verify_store
from chatserv.blob_directory import BlobDirectory
from chatserv.errors import NotFound
from chatserv.state_directory import StateDirectory
from chatserv.store.blob_statements import find_blob
from chatserv.store.database import reading_engine
from tests.backup.blob_cases import SIZE, BlobCase
from tests.backup.cases import NOW_MS


class BlobBackupTests(BlobCase):
    """A backup of a server with three files."""

    def restore(self, state: StateDirectory) -> Restored:
        """Puts the backup there."""
        return restore_backup(self.target, state, NOW_MS + 5000, Pace(), replace=True)

    def rows(self, state: StateDirectory) -> list[int]:
        """Which of them the store has."""
        engine = reading_engine(state.database)
        with engine.connect() as connection:
            found = [number for number in (1, 2, 3) if find_blob(connection, bytes([number]) * 16) is not None]
        engine.dispose()
        return found

    def test_round_trip(self) -> None:
        """The whole ones are beside the backup, by links; they are there after a restore, and the upload is not."""
        report = self.back_up()
        self.assertEqual((2, 2 * SIZE, 0), (report.files, report.file_bytes, report.left_out))
        self.assertEqual((2, False), (self.taken(1).stat().st_nlink, self.taken(3).exists()))
        other = self.other_state()
        done = self.restore(other)
        self.assertEqual((2, 1, [1, 2]), (done.files, done.lost, self.rows(other)))
        files = BlobDirectory(other.path / "blobs")
        for number in (1, 2):
            self.assertEqual(self.data(number), files.read(bytes([number]) * 16, 0, SIZE + 1))

    def test_server_removes_its_own(self) -> None:
        """What the server removes stays beside the backup, and comes back from there."""
        self.back_up()
        self.blobs.remove([bytes([1]) * 16])
        done = self.restore(self.state)
        self.assertEqual((3, 0, [1, 2, 3]), (done.files, done.lost, self.rows(self.state)))
        self.assertEqual(self.data(1), self.blobs.read(bytes([1]) * 16, 0, SIZE + 1))

    def test_cut_here(self) -> None:
        """A file that was cut off where it lies comes back from beside the backup; one that was cut there too is lost."""
        self.back_up()
        for number in (1, 2):
            place = self.state.path / "blobs" / f"{number:02x}" / (bytes([number]) * 16).hex()
            place.unlink()
            place.write_bytes(self.data(number)[:5])
        self.taken(2).unlink()
        self.taken(2).write_bytes(self.data(2)[:6])
        done = self.restore(self.state)
        self.assertEqual((2, 1, [1, 3]), (done.files, done.lost, self.rows(self.state)))
        self.assertEqual(self.data(1), self.blobs.read(bytes([1]) * 16, 0, SIZE + 1))
        self.assertEqual([5], self.blobs.sizes([bytes([2]) * 16]))

    def test_final(self) -> None:
        """What is beside a backup takes no byte by its name at the server, nor do copies, nor what has come back."""
        self.back_up()
        self.assertRaises(NotFound, self.blobs.write, bytes([1]) * 16, 0, b"other")
        self.assertEqual((True, False), tuple(self.blobs.is_final(bytes([number]) * 16) for number in (1, 3)))
        other = self.other_state()
        self.restore(other)
        self.assertTrue(BlobDirectory(other.path / "blobs").is_final(bytes([1]) * 16))

    def test_whole_since(self) -> None:
        """An upload that has become whole after the backup is lost by a restore: nothing could go on there."""
        self.back_up()
        self.blobs.finish([bytes([3]) * 16])
        done = self.restore(self.state)
        self.assertEqual((2, 1, [1, 2]), (done.files, done.lost, self.rows(self.state)))

    def test_copies(self) -> None:
        """Where there can be no links there are copies."""
        link = os.link

        def refused(*given: Any, **named: Any) -> None:
            if "dst_dir_fd" in named:
                raise OSError(errno.EXDEV, "another disk")
            link(*given, **named)

        self.patch(os, "link", refused)
        self.back_up()
        self.assertEqual((1, self.data(2)), (self.taken(2).stat().st_nlink, self.taken(2).read_bytes()))
        self.assertTrue(BlobDirectory(beside(self.target)).is_final(bytes([2]) * 16))
        self.assertEqual([self.taken(2).name], [each.name for each in self.taken(2).parent.iterdir()])
        other = self.other_state()
        self.assertEqual(2, self.restore(other).files)

    def test_lost(self) -> None:
        """What is neither there nor beside the backup is gone, in the store too."""
        self.back_up()
        self.taken(2).unlink()
        other = self.other_state()
        done = self.restore(other)
        self.assertEqual((1, 2, [1]), (done.files, done.lost, self.rows(other)))

    def test_missing_while_made(self) -> None:
        """A file whose bytes are not all there is no part of a backup, which says so; nor are any whose disk is away."""
        os.truncate(self.state.path / "blobs" / "01" / (bytes([1]) * 16).hex(), 5)
        report = self.back_up()
        self.assertEqual((1, SIZE, 1), (report.files, report.file_bytes, report.left_out))
        os.rename(self.blobs.path, self.here / "away")
        self.target = self.here / "another.backup"
        report = self.back_up()
        self.assertEqual((0, 0, 2), (report.files, report.file_bytes, report.left_out))
        self.assertFalse(beside(self.target).exists())

    def test_given_up(self) -> None:
        """A backup that is not made leaves no files beside it; where those of another one lie it is refused."""
        before = self.files()

        class Stopping(Pace):
            def step(stopping) -> None:  # noqa: N805
                if beside(self.target).exists():
                    raise Stopped("given up", "the test stops it")

        self.assertRaises(Stopped, self.back_up, Stopping())
        self.assertEqual(before, self.files())
        self.back_up()
        self.target.unlink()
        said = f"{beside(self.target)}: exists: name another file, or remove it first"
        self.assertEqual(said, str(self.assertRaises(BackupError, self.back_up)))
        self.assertTrue(self.taken(1).exists())

    def test_refused(self) -> None:
        """A folder that cannot be read, and a disk that takes nothing, are named as the system says it."""
        real = os.open

        def refused(path: Any, *given: Any, **named: Any) -> int:
            if path == "02":
                raise PermissionError(errno.EACCES, "Permission denied", path)
            return real(path, *given, **named)

        folder = self.blobs.path / "02"
        for work in (self.back_up, lambda: verify_store(self.state, Pace())):
            with patch.object(os, "open", refused), patch.object(os, "access", lambda path, *_, **__: path != folder):
                said = str(self.assertRaises(BackupError, work))
            self.assertTrue(said.startswith(f"{folder}: Permission denied"), said)
        self.patch(blob_directory, "_finish", _full)
        said = str(self.assertRaises(BackupError, self.back_up))
        self.assertEqual(f"{beside(self.target)}: No space left on device", said)
        self.assertEqual(["state"], self.files())

    def test_none(self) -> None:
        """Where nobody has sent a file there is no directory beside."""
        self.change("DELETE FROM blob", "DELETE FROM blob_total")
        self.assertEqual(0, self.back_up().files)
        self.assertFalse(beside(self.target).exists())


def _full(_descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
