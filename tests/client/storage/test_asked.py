"""Requests that are remembered, so that nothing is done twice."""

from chatserv.client.storage import asked as module
from chatserv.client.storage.asked import AskedTable
from tests.client.storage.test_tables import VaultCase


def name(number: int) -> bytes:
    """The id of a request."""
    return number.to_bytes(16, "big")


class AskedTests(VaultCase):
    """`AskedTable`."""

    def test_remembered(self) -> None:
        """What was begun is known, also to the next program; where its message is stored comes later."""
        self.vault.asked.begin(name(1))
        self.vault.asked.begin(name(1))
        again = AskedTable(self.vault.database)
        self.assertTrue(name(1) in again and name(2) not in again)
        self.assertIsNone(again.seq(name(1)))
        again.stored(name(1), 7)
        again.stored(name(2), 8)
        self.assertEqual((again.seq(name(1)), again.seq(name(2))), (7, None))

    def test_bound(self) -> None:
        """One too many, and the oldest is forgotten."""
        self.patch(module, "MAX_ASKED", 10)
        for number in range(11):
            self.vault.asked.begin(name(number))
        known = [number for number in range(12) if name(number) in self.vault.asked]
        self.assertEqual(known, list(range(1, 11)))
        self.assertEqual([number for number in range(12) if name(number) in AskedTable(self.vault.database)], known)
