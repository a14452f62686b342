"""Numbers and activity of rooms."""

from twisted.trial.unittest import SynchronousTestCase

from clients.terminal.room_list import RoomList


class RoomsTests(SynchronousTestCase):
    """`clients.terminal.room_list.RoomList`."""

    def setUp(self) -> None:
        """Four rooms, the lobby the current one."""
        self.rooms = RoomList()
        self.rooms.update(["@bob", "plans", "lobby", "attic"])
        self.rooms.enter("lobby")

    def names(self) -> list[str]:
        """The order."""
        return [place.name for place in self.rooms.places]

    def test_order(self) -> None:
        """The lobby is first, then rooms, then direct messages; what comes later stands behind, and nothing moves."""
        self.assertEqual(self.names(), ["lobby", "attic", "plans", "@bob"])
        self.rooms.update(["@bob", "plans", "lobby", "attic", "beta", "@al"])
        self.assertEqual(self.names(), ["lobby", "attic", "plans", "@bob", "beta", "@al"])
        self.rooms.update(["@bob", "lobby", "beta"])
        self.assertEqual(self.names(), ["lobby", "@bob", "beta"])

    def test_numbers(self) -> None:
        """Rooms are found by number and have one; others do not."""
        self.assertEqual([self.rooms.at(number) for number in (0, 1, 4, 5)], [None, "lobby", "@bob", None])
        self.assertEqual([self.rooms.number(name) for name in ("plans", "nowhere")], [3, None])

    def test_counts(self) -> None:
        """What is said elsewhere is counted, in the current room nothing; entering ends the count."""
        for _ in range(2):
            self.rooms.arrived("attic", mentioned=False)
            self.rooms.arrived("lobby", mentioned=True)
            self.rooms.arrived("nowhere", mentioned=True)
        self.assertEqual([place.unread for place in self.rooms.places], [0, 2, 0, 0])
        self.rooms.enter("attic")
        self.assertEqual([place.unread for place in self.rooms.places], [0, 0, 0, 0])
        self.assertEqual(self.rooms.current, "attic")

    def test_kept(self) -> None:
        """What was unread before counts, but for the current room."""
        self.rooms.count("attic", 7)
        self.rooms.count("lobby", 7)
        self.assertEqual([place.unread for place in self.rooms.places], [0, 7, 0, 0])

    def test_told_once(self) -> None:
        """The first mention or direct message is told, the next ones are not, until one was there."""
        told = [self.rooms.arrived("plans", mentioned=mentioned) for mentioned in (False, True, True, False)]
        self.assertEqual(told, [False, True, False, False])
        self.assertEqual([self.rooms.arrived("@bob", mentioned=False) for _ in range(2)], [True, False])
        self.rooms.enter("plans")
        self.rooms.enter("lobby")
        self.assertTrue(self.rooms.arrived("plans", mentioned=True))

    def test_next_active(self) -> None:
        """Mentions and direct messages come first, then what stands behind the current room."""
        self.assertIsNone(self.rooms.next_active())
        self.rooms.arrived("attic", mentioned=False)
        self.rooms.arrived("plans", mentioned=False)
        self.assertEqual(self.rooms.next_active(), "attic")
        self.rooms.enter("attic")
        self.rooms.arrived("lobby", mentioned=False)
        self.assertEqual(self.rooms.next_active(), "plans")
        self.rooms.arrived("@bob", mentioned=False)
        self.assertEqual(self.rooms.next_active(), "@bob")
        self.rooms.arrived("lobby", mentioned=True)
        self.rooms.enter("@bob")
        self.assertEqual(self.rooms.next_active(), "lobby")

    def test_renamed(self) -> None:
        """A room with another name stays where it is, with what is unread; a name that is there already stays as well."""
        self.rooms.arrived("attic", mentioned=True)
        self.rooms.rename("attic", "loft")
        self.rooms.rename("lobby", "hall")
        self.rooms.rename("plans", "loft")
        self.assertEqual(self.names(), ["hall", "loft", "plans", "@bob"])
        self.assertEqual((self.rooms.current, self.rooms.places[1].unread), ("hall", 1))
