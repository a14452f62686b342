"""Tests of `chatserv.client.storage.kept_events` and `chatserv.client.storage.kept_statements`."""

import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage.database import Database
from chatserv.client.storage.kept_events import KEPT_MS, KeptEvent, KeptEventTable
from chatserv.client.storage.kept_statements import KeptStatementTable
from chatserv.client.storage.schema import APPLICATION_ID, MIGRATIONS
from chatserv.crypto.suite import sha256

ROOM, OTHER = b"r" * 16, b"o" * 16


def kept(seq: int, size: int = 100) -> KeptEvent:
    """A message of so many bytes."""
    return KeptEvent(seq, seq.to_bytes(16, "big"), 0, 5, bytes(size))


class KeptEventTests(SynchronousTestCase):
    """`KeptEventTable`."""

    def setUp(self) -> None:
        """An empty table for 1000 bytes."""
        database = Database.open(None)
        self.addCleanup(database.close)
        self.table = KeptEventTable(database, 1000)

    def seqs(self, room: bytes = ROOM) -> list[int]:
        """The places that are there."""
        return [each.seq for each in self.table.after(room, 0, 100)]

    def test_bounded(self) -> None:
        """The oldest go where one byte more than allowed would be there, of whatever room."""
        self.table.put(OTHER, kept(1), 0)
        for seq in range(1, 10):
            self.table.put(ROOM, kept(seq), 0)
        self.assertEqual((1000, [1]), (self.table.size(), self.seqs(OTHER)))
        self.table.put(ROOM, kept(10, 1), 0)
        self.assertEqual((901, [], list(range(1, 11))), (self.table.size(), self.seqs(OTHER), self.seqs()))
        self.table.put(ROOM, kept(11, 1000), 0)
        self.assertEqual((1000, [11]), (self.table.size(), self.seqs()))

    def test_in_place(self) -> None:
        """Another one at the same place takes that of the first, and its bytes."""
        self.table.put(ROOM, kept(4), 0)
        self.table.put(ROOM, kept(4, 7), 0)
        self.assertEqual((7, [4]), (self.table.size(), self.seqs()))
        self.assertEqual([ROOM], self.table.rooms())

    def test_came_again(self) -> None:
        """A message that came at two places is forgotten at both; what takes such a place later is not taken for it."""
        first, again = kept(1), KeptEvent(3, kept(1).id, 0, 5, b"sealed anew")
        for event in (first, kept(2), again):
            self.table.put(ROOM, event, 0)
        self.table.drop(ROOM, first.seq, first.id)
        self.assertEqual([2, 3], self.seqs())
        self.table.beside(ROOM, again.seq)
        self.table.drop(OTHER, first.seq, first.id)
        self.assertEqual([2, 3], self.seqs())
        self.table.drop(ROOM, first.seq, first.id)
        self.assertEqual([2], self.seqs())
        self.table.beside(ROOM, 2)
        self.table.put(ROOM, KeptEvent(2, first.id, 0, 5, b"another"), 0)
        self.table.drop(ROOM, first.seq, first.id)
        self.assertEqual([2], self.seqs())

    def test_kept_before(self) -> None:
        """Of what a file has from before this was noted, each is found by its id, wherever it stands."""
        path = Path(self.mktemp())
        before = "".join(MIGRATIONS[:14])
        with closing(sqlite3.connect(path)) as older:
            older.executescript(f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=14;{before}")
            put = "INSERT INTO kept_events (room_id, seq, id, kind, at_ms, kept_ms, body) VALUES (?, ?, ?, 0, 5, 5, x'00')"
            older.execute(put, (ROOM, 7, kept(7).id))
            older.commit()
        path.chmod(0o600)
        database = Database.open(path)
        self.addCleanup(database.close)
        self.table = KeptEventTable(database)
        self.assertEqual([7], self.seqs())
        self.table.drop(ROOM, 3, kept(7).id)
        self.assertEqual([], self.seqs())

    def test_forgotten(self) -> None:
        """What the server has lost, what was taken back, what is old, and rooms that are forgotten."""
        for seq in range(1, 7):
            self.table.put(ROOM, kept(seq), seq)
        self.table.rewind(ROOM, 5)
        self.table.drop(ROOM, 3, kept(3).id)
        self.table.drop(OTHER, 4, kept(4).id)
        self.table.drop(ROOM, 5, kept(4).id)
        self.assertEqual([1, 2, 4, 5], self.seqs())
        self.table.drop_old(KEPT_MS + 2)
        self.assertEqual([2, 4, 5], self.seqs())
        self.assertEqual([kept(4)], self.table.after(ROOM, 2, 1))
        self.table.clear(ROOM)
        self.assertEqual((0, []), (self.table.size(), self.table.rooms()))


class KeptStatementTests(SynchronousTestCase):
    """`KeptStatementTable`."""

    def test_bounded(self) -> None:
        """So many, each once; beyond, the oldest go."""
        database = Database.open(None)
        self.addCleanup(database.close)
        table = KeptStatementTable(database, 2)
        for statement in (b"one", b"two", b"two", b"three"):
            table.put(statement)
        self.assertEqual([None, b"two", b"three"], [table.get(sha256(each)) for each in (b"one", b"two", b"three")])
