"""``chatserv-client --command``, without a server."""

from twisted.internet.defer import Deferred, succeed

from chatserv.client import (
    DiskFull,
    RoomOffered,
    SendAcknowledged,
    SendHeld,
    Status,
    StatusChanged,
    WaitingMessage,
)
from chatserv.errors import Muted
from tests.client.slash_fakes import member, message
from tests.clients.program_fakes import ProgramTestCase

ID = b"\1" * 16
FULL = DiskFull("client.db: no space")
SENT = ("lobby", "send", "x", False, None)


class CommandTests(ProgramTestCase):
    """``--command``."""

    def test_in_order(self) -> None:
        """Commands are carried out in order, their lines printed; then the run ends with 0."""
        self.program("--command", "/room plans", "--command", "hello", "--command", "/who")
        self.assert_ended(0)
        self.assertEqual(self.lines[0], "You are now in #plans.")
        self.assertEqual(self.lines[1][:5], "alice")
        self.assertEqual(self.client.calls, [("plans", "send", "hello", False, None)])
        self.assertEqual(self.began, [])

    def test_room(self) -> None:
        """``--room`` is where they begin; it need not be there."""
        self.program("--room", "@bob", "--command", "/me waves")
        self.assertEqual(self.client.calls, [("@bob", "send", "waves", True, None)])
        self.program("--room", "new", "--command", "/create new", "--command", "x")
        self.assertEqual(self.client.calls[-1][:3], ("new", "send", "x"))
        self.assert_ended(0)

    def test_refused(self) -> None:
        """The first refusal ends the run with 5 and its words; what comes after is not done."""
        self.program("--command", "/kick zoe", "--command", "/read")
        self.assert_ended(5, "zoe is not in this room")
        self.assertEqual(self.client.calls, [])
        self.program("--command", "/nonsense")
        self.assert_ended(5, "There is no command /nonsense")

    def test_send_fails(self) -> None:
        """A message that is not taken is a refusal."""
        self.program("--command", "x", "--command", "/read", online=False)
        self.client.stored = Deferred()
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assert_runs()
        self.client.stored.errback(Muted())
        self.assert_ended(5, "muted")
        self.assertEqual(self.client.calls, [SENT])

    def test_waits_until_stored(self) -> None:
        """What the library sends along has to be stored before the next command, and before the end."""
        self.program("--command", "/create new", "--command", "/read", online=False)
        self.client.unacknowledged = 3  # from an earlier run; nothing is known of them
        create = self.client.create_room

        async def create_and_send(name: str, *, public: bool = False, topic: str = "") -> object:
            self.client.unacknowledged += 1
            return await create(name, public=public, topic=topic)

        self.patch(self.client, "create_room", create_and_send)
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assert_runs()
        self.client.tell(SendAcknowledged(ID, 1))
        self.assert_runs()
        self.client.unacknowledged = 3
        self.client.tell(SendAcknowledged(ID, 2))
        self.assert_ended(0)
        self.assertEqual(self.client.calls[-1], ("new", "read"))

    def test_waits_until_there(self) -> None:
        """A line that is stored, and not in the room yet, is waited for: the next command may be about it."""
        self.program("--command", "x", "--command", "/edit -1 y", online=False)
        lobby = self.client.there["lobby"]

        def send(*_: object, **__: object) -> "Deferred[int]":
            lobby.texts.append(WaitingMessage(ID, "x", False, None, 0, state="stored"))
            return succeed(1)

        self.patch(lobby, "send", send)
        self.client.tell(StatusChanged(Status.ONLINE))
        for _ in range(3):
            self.reactor.advance(1)
            self.assert_runs()
        lobby.texts.clear()
        lobby.kept.append(message(1, "alice", "x", own=True))
        self.reactor.advance(1)
        self.assert_ended(0)
        self.assertEqual([each[:2] for each in self.client.calls], [("lobby", "edit")])

    def test_never_there(self) -> None:
        """Where it does not come in time the run ends with 3."""
        self.program("--command", "x", "--timeout", "5", online=False)
        self.client.there["lobby"].texts.append(WaitingMessage(ID, "x", False, None, 0, state="stored"))
        self.client.tell(StatusChanged(Status.ONLINE))
        self.reactor.advance(4.9)
        self.assert_runs()
        self.reactor.advance(0.2)
        self.assertEqual(self.codes, [3])
        self.reactor.advance(1)
        self.assertEqual(self.client.calls, [])

    def test_held(self) -> None:
        """A message that would wait for a person ends the run with 5, and does not go out later."""
        self.program("--command", "x", online=False)
        self.client.stored, self.client.unacknowledged = Deferred(), 0
        self.client.tell(SendHeld("lobby", ("bob",)))  # of an earlier run: nothing was sent in this one
        self.assert_runs()
        self.client.tell(StatusChanged(Status.ONLINE))
        self.client.tell(SendHeld("plans", ("bob",)))
        self.assert_runs()
        self.client.tell(SendHeld("lobby", ("bob",)))
        self.assert_ended(5, "The identity of bob has changed")

    def test_held_before(self) -> None:
        """So does one to somebody whose change was told before."""
        self.program("--command", "/msg bob x", online=False)
        self.client.stored = Deferred()
        self.client.there["@bob"].people.append(member("bob", trust="changed"))
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assert_ended(5, "The identity of bob has changed")

    def test_disk_full(self) -> None:
        """A command that this machine's disk does not let through ends it with 8; so does the time, while it is full."""
        self.program("--command", "x", online=False)
        self.client.there["lobby"].refusal = FULL
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assert_ended(8, "The disk of this machine is full")
        self.program("--command", "x", "--timeout", "5", online=False)
        self.client.stored = Deferred()
        self.client.tell(StatusChanged(Status.ONLINE))
        self.client.tell(StatusChanged(Status.OFFLINE, FULL))
        self.reactor.advance(5.1)
        self.assert_ended(8, "The disk of this machine is full")

    def test_timeout(self) -> None:
        """A command that is not done in time ends the run with 3; what it sent does not go out later."""
        self.program("--command", "x", "--timeout", "5", online=False)
        self.client.stored = Deferred()

        def send(*_: object, **__: object) -> "Deferred[int]":
            self.client.unacknowledged += 1
            assert self.client.stored is not None
            return self.client.stored

        self.patch(self.client.there["lobby"], "send", send)
        self.client.tell(StatusChanged(Status.ONLINE))
        self.reactor.advance(5)
        self.assertEqual(self.codes, [3])
        self.assertIn("Not done within 5 s: x", self.errors.getvalue())
        self.assertEqual(self.client.calls, [("forget",)])

    def test_quit(self) -> None:
        """``/quit`` ends the run; what comes after is not done."""
        self.program("--command", "/quit", "--command", "/read")
        self.assert_ended(0)
        self.assertEqual(self.client.calls, [])

    def test_once(self) -> None:
        """A connection that comes again does not carry them out again."""
        self.program("--command", "x", online=False)
        self.client.stored = Deferred()
        for status in (Status.ONLINE, Status.OFFLINE, Status.ONLINE):
            self.client.tell(StatusChanged(status))
        self.client.stored.callback(1)
        self.assert_ended(0)
        self.assertEqual(self.client.calls, [SENT])

    def test_no_news(self) -> None:
        """Messages and news are not printed."""
        self.program("--command", "x", online=False)
        self.client.tell(message(1))
        self.client.tell(RoomOffered("offer", "bob"))
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assert_ended(0)
        self.assertEqual(self.lines, [])
