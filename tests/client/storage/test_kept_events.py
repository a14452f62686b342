"""Tests of `chatserv.client.storage.kept_events` and `chatserv.client.storage.kept_statements`."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage.database import Database
from chatserv.client.storage.kept_events import KEPT_MS, KeptEvent, KeptEventTable
from chatserv.client.storage.kept_statements import KeptStatementTable
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

    def test_forgotten(self) -> None:
        """What the server has lost, what was taken back, what is old, and rooms that are forgotten."""
        for seq in range(1, 7):
            self.table.put(ROOM, kept(seq), seq)
        self.table.rewind(ROOM, 5)
        self.table.drop(ROOM, kept(3).id)
        self.table.drop(OTHER, kept(4).id)
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
