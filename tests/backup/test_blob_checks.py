"""What ``verify`` says of files: those beside a backup, and those of a state directory."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chatserv.backup import blob_checks
from chatserv.backup.blob_checks import FilesFound
from chatserv.backup.blob_links import beside
from chatserv.backup.refusals import BackupError, Pace
from chatserv.backup.verifying import verify_backup, verify_store
from chatserv.blob_directory import BlobDirectory
from chatserv.errors import ReadOnly
from tests.backup.blob_cases import SIZE, BlobCase

ONE, TWO, THREE, NINE = (bytes([number]) * 16 for number in (1, 2, 3, 9))


class BlobCheckTests(BlobCase):
    """Two whole files and an upload; everything is tried where they lie, and beside a backup."""

    def setUp(self) -> None:
        """A backup of it."""
        super().setUp()
        self.back_up()

    def found(self, place: Path) -> FilesFound:
        """What is said of the files of that place."""
        if place == self.blobs.path:
            return verify_store(self.state, Pace()).files
        return verify_backup(self.target, Pace()).files

    def each(self, harm: Callable[[Path], object], *expected: object) -> None:
        """Does something to the second file, or to what is around it, in both places.

        What is said has to be these numbers (whole, missing, wrong, extra), and a line with these words.
        """
        *numbers, words = expected
        for place in (beside(self.target), self.blobs.path):
            file = place / "02" / TWO.hex()
            copy = self.here / "aside"
            os.rename(file, copy)  # its links elsewhere are not to be touched
            file.write_bytes(copy.read_bytes())
            harm(file)
            found = self.found(place)
            self.assertEqual(numbers, [found.whole, found.missing, found.wrong, found.extra], place)
            self.assertEqual(not (found.missing or found.wrong), found.good)
            self.assertEqual([f"file {words}"] if words else [], found.findings)
            self.assertEqual(SIZE * found.whole, found.size)
            os.replace(copy, file)

    def test_good(self) -> None:
        """Where all are as they were sent, that is said; an upload is no file yet."""
        self.each(lambda _: None, 2, 0, 0, 0, "")

    def test_missing(self) -> None:
        """One that is gone."""
        self.each(Path.unlink, 1, 1, 0, 0, f"{TWO.hex()}: missing, or not a plain file")

    def test_cut(self) -> None:
        """One that was cut, and one that has grown."""
        for size in (SIZE - 1, 0, SIZE + 1):
            said = f"{TWO.hex()}: {size} bytes long, where {SIZE} should be"
            self.each(partial(_cut, size), 1, 0, 1, 0, said)

    def test_changed(self) -> None:
        """One of which a single bit is another, the last one."""

        def change(file: Path) -> None:
            data = bytearray(file.read_bytes())
            data[-1] ^= 1
            file.write_bytes(data)

        self.each(change, 1, 0, 1, 0, f"{TWO.hex()}: its bytes are others than those that were sent")

    def test_extra(self) -> None:
        """One that no row knows is told, and does not make the others worse."""

        def add(file: Path) -> None:
            other = file.parents[1] / "09" / NINE.hex()
            other.parent.mkdir()
            other.write_bytes(b"x")
            self.addCleanup(other.unlink)

        self.each(add, 2, 0, 0, 1, f"{NINE.hex()}: belongs to nothing in the store")

    def test_misplaced(self) -> None:
        """So is one whose name does not fit its folder, also by an id of another one, and what lies beside the folders.

        What a name holds moves no cursor; what file systems make for themselves is none.
        """
        named = ("02/notes.txt", f"02/{THREE.hex()}", f"02/{TWO.hex()}.part", "2f", "TWO", f"02/a\x1bb{chr(0xDC80)}")
        for place in (beside(self.target), self.blobs.path):
            for name in (*named, "02/.nfs0001", "lost+found"):
                (place / name).write_bytes(b"x")
            found = self.found(place)
            self.assertEqual(
                (2, 0, 0, len(named), True), (found.whole, found.missing, found.wrong, found.extra, found.good)
            )
            said = "no file has that name there, and no server removes it"
            shown = [name.replace("\x1b", chr(0xFFFD)).replace(chr(0xDC80), chr(0xFFFD)) for name in named]
            self.assertEqual(sorted(f"file {name}: {said}" for name in shown), sorted(found.findings))

    def test_link(self) -> None:
        """A link in the place of a file is not followed, whatever it leads to."""

        def link(file: Path) -> None:
            file.unlink()
            file.symlink_to(self.here.absolute() / "aside")  # where the right bytes are

        self.each(link, 1, 1, 0, 0, f"{TWO.hex()}: missing, or not a plain file")

    def test_unreadable(self) -> None:
        """What the disk does not give is wrong, and the others are looked at all the same."""

        def fail(_files: BlobDirectory, blob_id: bytes, *_: object) -> bytes:
            if blob_id == ONE:
                raise ReadOnly("blob: EIO")
            return digest(BlobDirectory(beside(self.target)), blob_id)

        digest = BlobDirectory.digest
        self.patch(BlobDirectory, "digest", fail)
        found = self.found(self.target)
        self.assertEqual((1, 1), (found.whole, found.wrong))
        self.assertEqual([f"file {ONE.hex()}: cannot be read (blob: EIO)"], found.findings)

    def test_while_a_server_works(self) -> None:
        """What is dropped while it is looked at is no finding, before its file goes and after its row has gone."""
        server, sizes, shelf = self.server, BlobDirectory.sizes, BlobDirectory.shelf

        def dropped_first(files: BlobDirectory, blob_ids: list[bytes]) -> list[int]:
            if blob_ids == [TWO]:
                server.wait(server.store.end_blobs([TWO]))
                files.remove([TWO])
            return sizes(files, blob_ids)

        def dropped_between(files: BlobDirectory, number: int) -> list[bytes]:
            listed = shelf(files, number)
            if ONE in listed:
                server.wait(server.store.end_blobs([ONE]))
                files.remove([ONE])
                server.wait(server.store.forget_blobs([ONE]))
            return listed

        self.patch(BlobDirectory, "sizes", dropped_first)
        self.patch(BlobDirectory, "shelf", dropped_between)
        found = self.found(self.blobs.path)
        self.assertEqual((1, 0, 0, 0, []), (found.whole, found.missing, found.wrong, found.extra, found.findings))

    def test_bounded(self) -> None:
        """Of many findings the first ones have a line; all are counted."""
        self.patch(blob_checks, "MOST_FINDINGS", 1)
        self.patch(blob_checks, "PAGE", 1)
        for number in (1, 2):
            self.taken(number).unlink()
        found = self.found(self.target)
        self.assertEqual((2, 1), (found.missing, len(found.findings)))

    def test_all_gone(self) -> None:
        """Without the directory all are missing."""
        os.rename(beside(self.target), self.here / "away")
        self.assertEqual(2, self.found(self.target).missing)

    def test_total(self) -> None:
        """What all files count for is told where it is not what their rows make; it spoils no backup, and no restore."""
        self.change("UPDATE blob_total SET bytes = bytes + 1")
        self.target = self.here / "another.backup"
        self.back_up()
        for place in (self.blobs.path, beside(self.target)):
            found = self.found(place)
            self.assertEqual(((3 * SIZE + 1, 3 * SIZE), True), (found.miscounted, found.good), place)
        self.server.wait(self.server.store.recount_blobs())
        self.assertEqual(None, self.found(self.blobs.path).miscounted)

    def test_no_id(self) -> None:
        """A row whose id is none makes a store damaged: no name is made of it."""
        for wrong in ("x''", "x'0102'", "'a text of 16 by!'"):
            self.change(f"UPDATE blob SET blob_id = {wrong} WHERE blob_id = x'{THREE.hex()}'")  # noqa: S608
            self.assertIn(
                "the id of a file is none", str(self.assertRaises(BackupError, verify_store, self.state, Pace()))
            )
            self.change(f"UPDATE blob SET blob_id = x'{THREE.hex()}' WHERE blob_id = {wrong}")  # noqa: S608


def _cut(size: int, file: Path) -> None:
    os.truncate(file, size)
