"""What our own devices have told us, as it is kept."""

from chatserv.client.storage import own_devices
from chatserv.client.storage.own_devices import MAX_OWN_DEVICES, HeardRoom, OwnDeviceRow
from tests.client.storage.test_tables import ROOM, VaultCase


def device(number: int, name: str = "") -> OwnDeviceRow:
    """A device."""
    return OwnDeviceRow(b"%016d" % number, name or f"device {number}", number % 2 == 0, number)


class OwnDeviceTests(VaultCase):
    """`OwnDeviceTable`."""

    def test_rows(self) -> None:
        """A device is as it spoke of itself last, behind those that spoke before."""
        table = self.vault.own_devices
        for row in (device(1), device(2), device(1, "renamed")):
            table.put(row)
        self.assertEqual(table.all(), [device(2), device(1, "renamed")])

    def test_bound(self) -> None:
        """One more than there may be: the one heard of longest ago is forgotten."""
        for number in range(MAX_OWN_DEVICES + 1):
            self.vault.own_devices.put(device(number))
        self.assertEqual(self.vault.own_devices.all(), [device(number) for number in range(1, MAX_OWN_DEVICES + 1)])


class HeardRoomTests(VaultCase):
    """`HeardRooms`."""

    def test_rows(self) -> None:
        """What was told of a room comes together, marks never go back, and all goes when we are in it."""
        table = self.vault.heard_rooms
        self.assertEqual(table.get(ROOM), HeardRoom())
        table.put_title(ROOM, "plans", "what to do")
        table.put_agreed(ROOM, agreed=True)
        for seq in (5, 3):
            table.put_read(ROOM, seq)
        self.assertEqual(table.get(ROOM), HeardRoom("plans", "what to do", True, 5))
        table.drop(ROOM)
        self.assertEqual(table.get(ROOM), HeardRoom())

    def test_bound(self) -> None:
        """Of one more than there may be nothing is kept; of those that are there more may be told."""
        self.patch(own_devices, "MAX_HEARD_ROOMS", 2)
        table = self.vault.heard_rooms
        for number in range(3):
            table.put_read(b"%016d" % number, 7)
            table.put_agreed(b"%016d" % number, agreed=True)
        self.assertEqual([table.get(b"%016d" % number).read for number in range(3)], [7, 7, 0])
        table.put_title(b"%016d" % 1, "plans", "")
        self.assertEqual(table.get(b"%016d" % 1), HeardRoom("plans", "", True, 7))
