"""The bytes of files on a real disk: for us alone, never elsewhere, whatever lies in the way."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv import blob_directory
from chatserv.blob_directory import BlobDirectory
from chatserv.crypto.suite import sha256
from chatserv.errors import NotFound, ReadOnly, StorageFull
from chatserv.failpoints import parse
from chatserv.private_files import PrivateFileError

ONE, OTHER = bytes(range(16)), bytes(range(1, 17))


class BlobDirectoryTests(SynchronousTestCase):
    """What the functions promise."""

    def setUp(self) -> None:
        """An empty directory."""
        self.path = Path(self.mktemp()) / "blobs"
        self.files = BlobDirectory(self.path)
        self.files.make()
        self.file = self.path / "00" / ONE.hex()

    def test_round_trip(self) -> None:
        """What is written in pieces is read in pieces, hashed and measured; then it is gone."""
        self.files.write(ONE, 0, b"hello ")
        self.files.write(ONE, 6, b"world")
        self.files.sync(ONE)
        self.assertEqual((b"hello world", b"lo w"), (self.files.read(ONE, 0, 99), self.files.read(ONE, 3, 4)))
        self.assertEqual(sha256(b"hello world"), self.files.digest(ONE))
        self.assertEqual([11, -1], self.files.sizes([ONE, OTHER]))
        self.assertEqual(([ONE], []), (self.files.shelf(0), self.files.shelf(1)))
        self.files.remove([ONE, OTHER])
        self.assertEqual(([-1], []), (self.files.sizes([ONE]), self.files.shelf(0)))
        self.assertRaises(NotFound, self.files.read, ONE, 0, 1)

    def test_private(self) -> None:
        """Files are for us alone, and so are folders, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        self.files.write(ONE, 0, b"x")
        modes = [stat.S_IMODE(each.stat().st_mode) for each in (self.path, self.file.parent, self.file)]
        self.assertEqual([0o700, 0o700, 0o600], modes)
        self.path.chmod(0o755)
        self.assertRaises(PrivateFileError, self.files.make)

    def test_first_piece_again(self) -> None:
        """The first piece may come again: the file is there already, and stays."""
        for piece in (b"first", b"FIRST"):
            self.files.write(ONE, 0, piece)
        self.assertEqual(b"FIRST", self.files.read(ONE, 0, 9))

    def test_final(self) -> None:
        """A file that is final takes no byte, and no other first piece; it is read, linked and removed like any other."""
        self.files.write(ONE, 0, b"whole")
        self.files.finish([ONE, OTHER])
        self.files.finish([ONE])
        self.assertEqual(0o400, stat.S_IMODE(self.file.stat().st_mode))
        self.assertEqual((True, False), (self.files.is_final(ONE), self.files.is_final(OTHER)))
        for offset in (0, 3, 5):
            self.assertRaises(NotFound, self.files.write, ONE, offset, b"other")
        self.files.sync(ONE)
        self.assertEqual((b"whole", sha256(b"whole")), (self.files.read(ONE, 0, 9), self.files.digest(ONE)))
        self.files.remove([ONE])
        self.files.write(ONE, 0, b"anew")
        self.assertEqual(b"anew", self.files.read(ONE, 0, 9))

    def test_only_the_first_makes(self) -> None:
        """A later piece makes no file: whoever has removed it meant it."""
        self.assertRaises(NotFound, self.files.write, ONE, 5, b"x")
        self.files.write(OTHER, 0, b"x")
        self.assertRaises(NotFound, self.files.sync, ONE)

    def refuse_everywhere(self) -> None:
        """No call goes through what lies at the place of the file."""
        for call in (
            lambda: self.files.write(ONE, 0, b"x"),
            lambda: self.files.write(ONE, 5, b"x"),
            lambda: self.files.read(ONE, 0, 9),
            lambda: self.files.digest(ONE),
            lambda: self.files.sync(ONE),
        ):
            self.assertRaises(NotFound, call)
        self.assertEqual([-1], self.files.sizes([ONE]))

    def test_link_in_its_place(self) -> None:
        """A symbolic link where the file would be is followed by nobody: what it leads to is neither written nor read."""
        elsewhere = Path(self.mktemp()).absolute()
        elsewhere.write_bytes(b"of somebody else")
        self.file.parent.mkdir()
        self.file.symlink_to(elsewhere)
        self.refuse_everywhere()
        self.files.remove([ONE])
        self.assertEqual((b"of somebody else", False), (elsewhere.read_bytes(), self.file.is_symlink()))

    def test_folder_that_is_a_link(self) -> None:
        """Nor is one in the place of a folder."""
        elsewhere = Path(self.mktemp()).absolute()
        elsewhere.mkdir()
        (elsewhere / ONE.hex()).write_bytes(b"of somebody else")
        self.file.parent.symlink_to(elsewhere)
        self.refuse_everywhere()
        self.files.remove([ONE])
        self.assertEqual([], self.files.shelf(0))
        self.assertEqual(b"of somebody else", (elsewhere / ONE.hex()).read_bytes())

    def test_link_to_the_directory(self) -> None:
        """Nor is one in the place of the directory itself, once it was made."""
        self.path.rename(self.path.with_name("moved"))
        self.path.symlink_to(self.path.with_name("moved"))
        self.refuse_everywhere()

    def test_made_behind_a_link(self) -> None:
        """A link is refused when the directory is made, and not when somebody sends a file; so is one that leads nowhere."""
        self.path.rename(self.path.with_name("moved"))
        for leads_to in ("moved", "nowhere"):
            self.path.symlink_to(self.path.with_name(leads_to))
            self.assertIn("a link", str(self.assertRaises(PrivateFileError, self.files.make)))
            self.path.unlink()
        self.assertFalse(self.path.with_name("nowhere").exists())

    def test_neither_file_nor_link(self) -> None:
        """A folder, a pipe or a socket in its place is no file, and nobody waits for one."""
        makers: tuple[Callable[[], object], ...] = (self.file.mkdir, lambda: os.mkfifo(self.file))
        for make in makers:
            self.file.parent.mkdir(exist_ok=True)
            make()
            self.refuse_everywhere()
            self.file.rename(self.path / f"away-{len(list(self.path.iterdir()))}")

    def test_foreign_names(self) -> None:
        """What has no name of ours is no file of ours."""
        self.files.write(ONE, 0, b"x")
        for name in ("notes.txt", ONE.hex().upper().replace("0", "A"), OTHER.hex(), ONE.hex() + "0", "0" * 31 + "g"):
            (self.file.parent / name).write_bytes(b"x")
        self.assertEqual([ONE], self.files.shelf(0))

    def test_disk_fails(self) -> None:
        """A full disk, and one that is broken, are told apart."""
        for word, error in (("ENOSPC", StorageFull), ("EIO", ReadOnly)):
            for point in ("blob.writing", "blob.syncing"):
                self.files.write(ONE, 0, b"x")
                self.patch(blob_directory, "failpoint", _failing(point, word))
                self.assertRaises(error, self._write_and_sync)
                self.patch(blob_directory, "failpoint", lambda _: None)

    def test_stays(self) -> None:
        """What the disk does not let go is told, and the others go all the same; nor does a folder in a file's place."""
        other = bytes([1]) + OTHER[1:]
        for each in (ONE, other):
            self.files.write(each, 0, b"x")
        folder = self.path / "02" / (bytes([2]) * 16).hex()
        folder.mkdir(parents=True)
        unlink = os.unlink

        def refused(name: str, **given: int) -> None:
            if name == ONE.hex():
                raise PermissionError(errno.EPERM, "EPERM")
            unlink(name, **given)

        self.patch(os, "unlink", refused)
        self.assertEqual([ONE, bytes([2]) * 16], self.files.remove([ONE, bytes([2]) * 16, other, OTHER]))
        self.assertEqual([1, -1, -1], self.files.sizes([ONE, other, OTHER]))

    def test_folder_fails(self) -> None:
        """Where its folder does not come to the disk a first piece is refused, each time, and nothing stays open."""
        self.files.write(OTHER, 0, b"x")
        sync, before = os.fsync, os.listdir("/proc/self/fd")

        def broken(_descriptor: int) -> None:
            raise OSError(errno.EIO, "EIO")

        self.patch(os, "fsync", broken)
        for _ in range(3):
            self.assertRaises(ReadOnly, self.files.write, ONE, 0, b"x")
        self.assertEqual(len(before), len(os.listdir("/proc/self/fd")))
        self.patch(os, "fsync", sync)
        self.files.write(ONE, 0, b"x")

    def test_gone(self) -> None:
        """Where the directory is gone, whoever wants to begin a file is told that the server takes nothing."""
        os.rename(self.path, f"{self.path}-aside")
        self.assertRaises(ReadOnly, self.files.has_place, 0, 1.0)

    def _write_and_sync(self) -> None:
        self.files.write(ONE, 0, b"x")
        self.files.sync(ONE)

    def test_place(self) -> None:
        """The disk is full where the bytes would take more than a share of it."""
        self.assertTrue(self.files.has_place(0, 1.0))
        self.assertFalse(self.files.has_place(2**60, 1.0))
        self.assertFalse(self.files.has_place(0, 0.0))


def _failing(point: str, word: str) -> Callable[[str], None]:
    (order,) = parse(f"{point}={word}").values()

    def failpoint(name: str) -> None:
        if name == point:
            number = {"ENOSPC": 28, "EIO": 5}[order.action]
            raise OSError(number, order.action)

    return failpoint
