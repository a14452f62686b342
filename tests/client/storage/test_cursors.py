"""The places of listeners, by name."""

from dataclasses import replace

from chatserv.client.storage.cursors import CURSOR_MS, MAX_CURSORS, cursor_name
from chatserv.errors import NameInvalid, Quota
from tests.client.storage.test_tables import OTHER, ROOM, ROW, VaultCase


class CursorTests(VaultCase):
    """`CursorTable`."""

    def setUp(self) -> None:
        """There is a room, and the default place in it is 4."""
        super().setUp()
        self.vault.rooms.put(ROW)
        self.cursors = self.vault.cursors

    def test_begins(self) -> None:
        """A new name begins where the default one stands, and from then on has its own place."""
        self.assertEqual(self.cursors.begin("follow", 1), {ROOM: ROW.shown})
        self.vault.rooms.set_shown(ROOM, 5)
        self.assertEqual(self.cursors.begin("follow", 2), {ROOM: ROW.shown})
        self.cursors.set_shown("follow", OTHER, 7)
        self.assertEqual(self.cursors.begin("follow", 3), {ROOM: ROW.shown, OTHER: 7})
        self.assertEqual(self.cursors.begin("other", 3), {ROOM: 5})

    def test_never_back(self) -> None:
        """A place goes back only where the room did."""
        self.cursors.begin("follow", 1)
        self.cursors.set_shown("follow", ROOM, 9)
        self.cursors.set_shown("follow", ROOM, 6)
        self.assertEqual((self.cursors.begin("follow", 1), self.cursors.newest(ROOM)), ({ROOM: 9}, 9))
        self.cursors.rewind(ROOM, 3)
        self.assertEqual((self.cursors.begin("follow", 1), self.cursors.newest(OTHER)), ({ROOM: 3}, 0))

    def test_forgotten_room(self) -> None:
        """A room that is forgotten has no places."""
        self.cursors.begin("follow", 1)
        self.vault.forget_room(ROOM)
        self.assertEqual(self.cursors.begin("follow", 1), {})

    def test_how_many(self) -> None:
        """One name too many takes the place of the one that was used longest ago, and of none that is in use."""
        names = [f"name{number}" for number in range(MAX_CURSORS)]
        for at, name in enumerate(names):
            self.cursors.begin(name, at)
        self.cursors.set_shown(names[0], ROOM, 9)
        self.cursors.set_shown(names[1], ROOM, 9)
        self.cursors.begin("more", MAX_CURSORS, {names[0]})
        self.assertEqual(self.cursors.begin(names[0], 99), {ROOM: 9})
        self.assertEqual(self.cursors.begin(names[1], 99, {names[0]}), {ROOM: ROW.shown}, "it was forgotten")

    def test_all_in_use(self) -> None:
        """Where all names are in use, one more is refused."""
        names = [f"name{number}" for number in range(MAX_CURSORS)]
        for name in names:
            self.cursors.begin(name, 1, names)
        self.assertRaises(Quota, self.cursors.begin, "more", 1, names)
        self.assertEqual(self.cursors.begin(names[-1], 1, names), {ROOM: ROW.shown})

    def test_how_old(self) -> None:
        """A name that nobody has used for long is forgotten, a day before it is not."""
        self.cursors.begin("follow", 1)
        self.cursors.set_shown("follow", ROOM, 9)
        self.cursors.begin("other", 1 + CURSOR_MS)
        self.assertEqual(self.cursors.newest(ROOM), 9)
        self.cursors.begin("other", 2 + CURSOR_MS)
        self.assertEqual(self.cursors.newest(ROOM), ROW.shown)

    def test_room_that_came_later(self) -> None:
        """Of a room that came after the name, everything is told."""
        self.cursors.begin("follow", 1)
        self.vault.rooms.put(replace(ROW, room_id=OTHER))
        self.assertEqual(self.cursors.begin("follow", 2), {ROOM: ROW.shown})

    def test_names(self) -> None:
        """What a name can be."""
        self.assertEqual(cursor_name("Archive-2.x_y"), "Archive-2.x_y")
        for wrong in ("", "-a", "a b", "é", "a" * 65, "a\n"):
            self.assertRaises(NameInvalid, cursor_name, wrong)
