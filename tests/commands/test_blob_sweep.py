"""Files go that are to go, and what lacks its other half."""

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred

from chatserv.commands.blob_sweep import BATCH, BlobSweeper
from chatserv.errors import ReadOnly
from chatserv.wire import messages
from tests.commands.test_blobs import MIB, BlobCase, bytes_of


class SweepTests(BlobCase):
    """What `BlobSweeper.sweep` does."""

    def sweep(self) -> int:
        """Lets a sweep run to its end."""
        running = Deferred.fromCoroutine(BlobSweeper(self.server.context).sweep())
        found: list[int] = []
        running.addCallback(found.append)
        for _ in range(100):
            if found:
                return found[0]
            self.server.advance(0.1)
        raise AssertionError("it goes on and on")

    def left(self) -> tuple[list[int], list[int]]:
        """The numbers of the files that are there, and of the rows."""
        rows: dict[bytes, Any] = self.server.memory._blobs
        return sorted(each[0] for each in self.server.files.files), sorted(each[0] for each in rows)

    def test_expired(self) -> None:
        """What has expired goes, an upload that did not go on too; what has not stays."""
        self.start(blob_days=2, blob_open_hours=24)
        self.uploaded(number=1)
        data = bytes_of(100, 2)
        self.begin(data, 2)
        self.put(data, 2, end=50)
        self.assertEqual((0, ([1, 2], [1, 2])), (self.sweep(), self.left()))
        self.server.advance(86_400)
        self.assertEqual((1, ([1], [1])), (self.sweep(), self.left()))
        self.assertEqual(65_536, self.server.uploads.used_bytes)
        self.server.advance(86_400)
        self.assertEqual((1, ([], [])), (self.sweep(), self.left()))
        self.assertEqual({"": 2}, dict(self.server.counts.of("blobs_removed")))

    def test_account_and_room(self) -> None:
        """What an account leaves behind goes, and what a room does."""
        room = self.bob.make_room()
        self.uploaded(number=1)
        self.begin(b"x", 2, self.bob, room=room)
        self.bob.ask(messages.PutChunk, id=b"\2" * 16, offset=0, data=b"x")
        self.server.wait(self.server.memory.end_account("alice", None, self.server.now_ms(), None))
        self.assertEqual((1, ([2], [2])), (self.sweep(), self.left()))
        self.server.wait(self.server.memory.close_room(room, None))
        self.assertEqual((1, ([], [])), (self.sweep(), self.left()))

    def test_stray_file(self) -> None:
        """A file without a row goes."""
        self.uploaded(number=1)
        self.server.wait(self.server.files.write(b"\2" * 16, 0, b"stray"))
        self.assertEqual((1, ([1], [1])), (self.sweep(), self.left()))

    def test_lost_bytes(self) -> None:
        """A row goes of whose bytes some are missing; one that has begun and has none yet stays."""
        for number in (1, 2, 3):
            self.uploaded(number=number)
        self.begin(bytes_of(100, 4), 4)
        del self.server.files.files[b"\2" * 16]
        del self.server.files.files[b"\3" * 16][99:]
        self.assertEqual((2, ([1], [1, 4])), (self.sweep(), self.left()))

    def test_disk_is_not_there(self) -> None:
        """Where there is no file at all, none of the rows goes: the disk may come back."""
        self.uploaded(number=1)
        files, self.server.files.files = self.server.files.files, {}
        self.assertEqual((0, ([], [1])), (self.sweep(), self.left()))
        self.server.files.files = files
        self.assertEqual((0, ([1], [1])), (self.sweep(), self.left()))

    def test_disk_is_not_there_and_something_is_sent(self) -> None:
        """Nor where one that came meanwhile is all that is there: when the disk is back everything is, but for that one."""
        for number in (1, 2):
            self.uploaded(number=number)
        files, self.server.files.files = self.server.files.files, {}
        self.uploaded(number=3)
        self.assertEqual((0, ([3], [1, 2, 3])), (self.sweep(), self.left()))
        self.server.files.files = files
        self.assertEqual((1, ([1, 2], [1, 2])), (self.sweep(), self.left()))

    def test_cut_short(self) -> None:
        """What a drop has left behind that was cut short goes with the next sweep."""
        self.uploaded(number=1)
        self.uploaded(number=2)

        async def broken(_: Any) -> None:
            raise ReadOnly("blob")

        with patch.object(self.server.files, "remove", broken):
            self.alice.ask(messages.DropBlob, id=b"\1" * 16)
            self.assertEqual((0, ([1, 2], [1, 2])), (self.sweep(), self.left()))
        self.assertEqual("not_found", self.read(self.bob).code)
        self.assertEqual((1, ([2], [2])), (self.sweep(), self.left()))

    def test_not_final(self) -> None:
        """A whole file that a crash has left open to be written is final after the next sweep; an upload goes on."""
        self.uploaded(number=1)
        data = bytes_of(2 * MIB, 2)
        self.begin(data, 2)
        self.put(data, 2, end=MIB)
        self.server.files.final.clear()
        self.assertEqual((0, ([1, 2], [1, 2])), (self.sweep(), self.left()))
        self.assertEqual({b"\1" * 16}, self.server.files.final)
        self.assertTrue(self.put(data, 2, start=MIB).whole)
        self.assertEqual({b"\1" * 16, b"\2" * 16}, self.server.files.final)

    def test_stuck(self) -> None:
        """What the disk does not let go keeps nothing else, and goes as soon as it does; it is not counted before."""
        self.start(blob_days=1)
        for number in (1, 2, 3):
            self.uploaded(number=number)
        self.server.wait(self.server.files.write(b"\4" * 16, 0, b"stray"))
        self.server.wait(self.server.files.write(b"\5" * 16, 0, b"stray"))
        self.server.advance(86_400)
        self.server.files.stuck = {b"\1" * 16, b"\4" * 16}
        self.assertEqual((3, ([1, 4], [1])), (self.sweep(), self.left()))
        self.assertEqual((0, ([1, 4], [1])), (self.sweep(), self.left()))
        self.server.files.stuck.clear()
        self.assertEqual((2, ([], [])), (self.sweep(), self.left()))
        self.assertEqual({"": 5}, dict(self.server.counts.of("blobs_removed")))

    def test_unreadable_folder(self) -> None:
        """A folder that cannot be read keeps the others from nothing."""
        shelf = self.server.files.shelf
        self.server.wait(self.server.files.write(b"\4" * 16, 0, b"stray"))

        async def broken(number: int) -> Any:
            if number == 3:
                raise ReadOnly("blob: EACCES")
            return await shelf(number)

        with patch.object(self.server.files, "shelf", broken):
            self.assertEqual((1, ([], [])), (self.sweep(), self.left()))

    def test_recount(self) -> None:
        """What all files count for is put right by each, whatever the disk is like."""
        asked: list[int] = []

        async def recount() -> None:
            asked.append(self.server.uploads.used_bytes)

        async def broken(_: int) -> list[bytes]:
            raise ReadOnly("blob")

        with (
            patch.object(self.server.memory, "recount_blobs", recount),
            patch.object(self.server.files, "shelf", broken),
        ):
            self.sweep()
        self.assertEqual(1, len(asked))

    def test_many(self) -> None:
        """More than one turn's are removed, each turn so many at most."""
        self.start(blob_open=1000, upkeep_burst=2000)
        wanted = BATCH + 1
        for number in range(wanted):
            self.begin(b"x", id=number.to_bytes(16))
        self.server.wait(self.server.memory.end_blobs([number.to_bytes(16) for number in range(wanted)]))
        removed: list[int] = []
        remove = self.server.files.remove

        async def counted(blob_ids: Any) -> Any:
            removed.append(len(blob_ids))
            return await remove(blob_ids)

        self.patch(self.server.files, "remove", counted)
        self.assertEqual(wanted, self.sweep())
        self.assertEqual([BATCH, 1], removed)
