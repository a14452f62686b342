"""How many messages of each room are kept."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.storage.retention import MAX_MESSAGES
from chatserv.client.storage.vault import Vault
from tests.client.storage.test_messages import OTHER, ROOM, message


class RetentionTests(SynchronousTestCase):
    """A vault in a file, of which each room may have three messages."""

    def setUp(self) -> None:
        """Sets that."""
        self.path = Path(self.mktemp())
        self.open()
        self.assertEqual(self.retention.limit, MAX_MESSAGES)
        self.retention.set_limit(3)

    def tearDown(self) -> None:
        """Closes it."""
        self.vault.close()

    def open(self) -> None:
        """Opens it anew."""
        self.vault = Vault.open(self.path)
        self.retention = self.vault.archive.retention

    def add(self, *seqs: int) -> list[bool]:
        """Adds messages; says after which of them the room was newly full."""
        found = []
        for seq in seqs:
            self.vault.archive.add(message(seq))
            found.append(self.retention.newly_full(ROOM))
        return found

    def test_told_once(self) -> None:
        """That the oldest begin to go is told once, after a restart neither; with another limit once more."""
        self.assertEqual(self.add(1, 2, 3, 4, 5), [False, False, False, True, False])
        self.vault.close()
        self.open()
        self.assertEqual((self.retention.limit, self.add(6, 7)), (3, [False, False]))
        self.assertEqual(self.retention.set_limit(4), 0)
        self.assertEqual(self.add(8, 9, 10), [False, True, False])

    def test_lower(self) -> None:
        """With a lower limit what is beyond goes at once, in every room, words and all."""
        self.add(1, 2, 3)
        self.assertEqual(self.retention.set_limit(2), 1)
        self.assertEqual([each.seq for each in self.vault.archive.last(ROOM, 9)], [2, 3])
        self.assertEqual(self.retention.set_limit(1), 1)
        self.assertFalse(self.retention.newly_full(OTHER))

    def test_forgotten(self) -> None:
        """A room that was forgotten begins anew."""
        self.add(1, 2, 3, 4)
        self.vault.archive.clear(ROOM)
        self.assertEqual(self.add(1, 2, 3, 4), [False, False, False, True])
