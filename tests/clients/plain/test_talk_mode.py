"""A person who talks in plain lines, without a server."""

from chatserv.client import (
    Alarm,
    FileProgress,
    FileState,
    RoomOffered,
    SendFailed,
    SendHeld,
    Sent,
    Status,
    StatusChanged,
)
from chatserv.errors import Muted
from clients.plain.mode import Mode
from tests.client.file_fakes import attachment
from tests.client.slash_fakes import message
from tests.clients.program_fakes import ProgramTestCase

ID = b"\1" * 16
SENT = ("lobby", "send", "x", False, None)


class TalkTests(ProgramTestCase):
    """A person at a terminal."""

    def talk(self, *argv: str, online: bool = True) -> Mode:
        """A talk."""
        return self.program(*argv, terminal=True, online=online)

    def test_files(self) -> None:
        """A file that moves is a line each tenth of it."""
        self.talk()
        self.client.there["lobby"].kept = [message(1, file=attachment(1))]
        for done in range(0, 2_100_001, 105_000):
            state = FileState.DONE if done == 2_100_000 else FileState.MOVING
            self.client.tell(FileProgress("lobby", b"\1" * 16, done, 2_100_000, "down", state))
        self.assertEqual(len(self.lines), 1 + 9)
        self.assertEqual(self.lines[4], "-- #lobby: report.pdf ▕████      ▏ 40 %")

    def test_talk(self) -> None:
        """One is told where one is; lines go to the room; what was typed here is not shown again; commands are obeyed."""
        program = self.talk()
        self.client.stored = Sent(message(1).message_id)
        program.line_typed("hello")
        self.client.tell(message(1, "hello", "alice"))
        self.client.tell(message(2, "hi"))
        program.line_typed("/topic")
        program.line_typed("/nonsense")
        shown = [self.lines[0], self.lines[1][8:], *self.lines[2:]]
        expected = [
            "-- Connected to #lobby as alice.", "<bob> hi", "#lobby has no topic.",
            "-- There is no command /nonsense; /help shows all commands.",
        ]  # fmt: skip
        self.assertEqual(shown, expected)
        self.assert_runs()

    def test_other_rooms(self) -> None:
        """Messages of other rooms say where they are from; which are others changes with the current one."""
        program = self.talk()
        self.client.tell(message(1, room="plans"))
        self.client.tell(message(2, room="@bob"))
        program.line_typed("/room plans")
        self.client.tell(message(3, room="plans"))
        self.client.tell(message(4))
        shown = [line[8:] for line in self.lines if line.startswith("[")]
        self.assertEqual(shown, ["#plans <bob> hello", "@bob <bob> hello", "<bob> hello", "#lobby <bob> hello"])

    def test_mention(self) -> None:
        """Whoever is called hears it."""
        self.talk()
        self.client.tell(message(1, mentioned=True))
        self.client.tell(message(2))
        self.assertEqual(self.output.getvalue().count("\a"), 1)
        self.assertTrue(self.lines[1].startswith("\a["))
        self.talk("--notify", "none")
        self.client.tell(message(1, mentioned=True))
        self.assertNotIn("\a", self.output.getvalue())

    def test_answers(self) -> None:
        """An answer shows the start of what it answers, and an action who does it."""
        self.talk()
        self.client.there["lobby"].kept = [message(1, "how are you")]
        self.client.tell(message(2, "well", "eve", reply_to=ID))
        self.client.tell(message(3, "waves", action=True))
        self.assertEqual([line[8:] for line in self.lines[1:]], ["<eve> (bob: how are you) well", "* bob waves"])

    def test_news(self) -> None:
        """News are told beside the messages."""
        self.talk()
        self.client.tell(RoomOffered("offer", "bob"))
        self.client.tell(Alarm("old_log"))
        self.assertEqual(self.lines[1], "-- bob invites you to #offer: /accept #offer or /refuse #offer")
        self.assertTrue(self.lines[2].startswith("-- ALARM"))

    def test_room_not_there(self) -> None:
        """A room that is not there is told, and the talk goes on."""
        program = self.talk("--room", "offer")
        self.assertEqual(self.lines, ["-- You have not accepted #offer yet: /accept #offer or /refuse #offer"])
        program.line_typed("x")
        self.assertIn("-- Not sent: You have not accepted #offer yet", self.lines[1])
        program.line_typed("/accept")
        program.line_typed("x")
        self.assertEqual(self.client.calls, [("offer", "accept"), ("offer", *SENT[1:])])

    def test_connection(self) -> None:
        """A talk goes on trying for as long as the person likes, and says so."""
        self.talk(online=False)
        self.client.tell(StatusChanged(Status.OFFLINE, None))
        self.reactor.advance(1000)
        self.client.tell(StatusChanged(Status.ONLINE))
        self.client.tell(StatusChanged(Status.OFFLINE, None))
        self.client.tell(StatusChanged(Status.ONLINE))
        expected = [
            "-- The server cannot be reached. Trying again...", "-- Connected to #lobby as alice.",
            "-- Connection lost. Trying again...", "-- Connected again.",
        ]  # fmt: skip
        self.assertEqual(self.lines, expected)
        self.assert_runs()

    def test_at_which_address(self) -> None:
        """Where the server can be reached at several, it is said at which one it was found."""
        self.talk(online=False)
        self.client.addresses = ("a.example:5000", "b.example:5000")
        self.client.tell(StatusChanged(Status.ONLINE))
        self.client.addresses = ("b.example:5000", "a.example:5000")
        self.client.tell(StatusChanged(Status.OFFLINE, None))
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assertEqual("-- Connected to #lobby as alice. Server: a.example:5000", self.lines[0])
        self.assertEqual("-- Connected again. Server: b.example:5000", self.lines[-1])

    def test_not_sent(self) -> None:
        """A message that is not taken is told, and the talk goes on; what waits stays."""
        self.talk()
        self.client.tell(SendFailed(ID, Muted()))
        self.client.tell(SendHeld("lobby", ("bob",)))
        self.assertEqual(self.lines[1], "-- Not sent: You are muted and cannot write here.")
        self.assertIn("-- #lobby: The identity of bob has changed", self.lines[2])
        self.assert_runs()
        self.assertEqual(self.client.calls, [])

    def test_quit(self) -> None:
        """``/quit`` and ``/exit`` end the talk with 0; lines that are under way are waited for, unless it is said twice."""
        for order in ("/quit", "/exit", "/quit "):
            self.talk().line_typed(order)
            self.assert_ended(0)
        program = self.talk()
        self.client.unacknowledged = 2
        program.line_typed("/quit")
        self.assert_runs()
        self.assertIn("Lines waiting for the server: 2.", self.lines[-1])
        program.line_typed("/quit")
        self.assert_ended(1, "not stored: 2")
        self.assertEqual(self.client.calls, [])  # they go out the next time
