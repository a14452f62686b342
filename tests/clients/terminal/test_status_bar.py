"""The line below the prompt."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import Status
from clients.terminal.room_list import RoomList
from clients.terminal.status_bar import bar, status_word, width_of
from clients.terminal.styled_lines import text_of


class BarTests(SynchronousTestCase):
    """`clients.terminal.status_bar.bar`."""

    def rooms(self, *names: str) -> RoomList:
        """Rooms, the lobby the current one."""
        made = RoomList()
        made.update(["lobby", *names])
        made.enter("lobby")
        return made

    def test_all(self) -> None:
        """Own name, connection, rooms with numbers and what is unread; an exclamation mark says where we are wanted."""
        rooms = self.rooms("attic", "plans", "@bob")
        rooms.arrived("plans", mentioned=False)
        rooms.arrived("@bob", mentioned=False)
        line = bar(rooms, "alice", Status.ONLINE, 80)
        self.assertEqual(text_of(line), " alice (connected) [1:#lobby] 2:#attic 3:#plans (1) 4:@bob (1!)")
        self.assertIn(("class:bar,bar-urgent", "4:@bob (1!)"), line)
        self.assertIn(("class:bar,bar-active", "3:#plans (1)"), line)

    def test_connection(self) -> None:
        """It says how the connection is, and stands out where it is not there."""
        for status in (None, *Status):
            self.assertIn(f"({status_word(status)})", text_of(bar(self.rooms(), "alice", status, 80)))
        self.assertIn("bar-trouble", bar(self.rooms(), "alice", Status.OFFLINE, 80)[1][0])
        self.assertNotIn("bar-trouble", bar(self.rooms(), "alice", Status.ONLINE, 80)[1][0])

    def test_narrow(self) -> None:
        """Where not all fits, the current room and those where something happens stay, and the others are counted."""
        rooms = self.rooms(*(f"room{number:02}" for number in range(40)))
        rooms.arrived("room20", mentioned=False)
        rooms.arrived("room30", mentioned=True)
        for width in (80, 70):
            text = text_of(bar(rooms, "alice", Status.ONLINE, width))
            self.assertLessEqual(len(text), width)
            self.assertIn("[1:#lobby]", text)
            self.assertIn("22:#room20 (1)", text)
            self.assertIn("32:#room30 (1!)", text)
            self.assertRegex(text, r" \+\d\d$")

    def test_wide_names(self) -> None:
        """Cells are counted, not characters; long names are cut; counts end somewhere."""
        rooms = self.rooms(*("部屋" * 8 + str(number) for number in range(9)))
        self.assertLessEqual(width_of(text_of(bar(rooms, "alice", Status.ONLINE, 80))), 80)
        rooms = self.rooms("x" * 64)
        rooms.count("x" * 64, 5000)
        self.assertIn("#" + "x" * 16 + "… (999+)", text_of(bar(rooms, "alice", Status.ONLINE, 80)))

    def test_hostile_names(self) -> None:
        """A room's name is the word of somebody else."""
        self.assertNotIn("\x1b", text_of(bar(self.rooms("a\x1b[2Jb"), "alice", Status.ONLINE, 80)))
