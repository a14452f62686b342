"""``chatserv-client --send``, without a server."""

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from chatserv.client.errors import DiskFull, NotMember, ServerFull, StorageError
from chatserv.client.events import SendAcknowledged, SendFailed, SendHeld, Status, StatusChanged
from chatserv.errors import AuthFailed, Muted, StorageFull
from clients.plain.mode import Mode
from tests.clients.program_fakes import ProgramTestCase

ID = b"\1" * 16
FULL = DiskFull("client.db: no space")
SENT = ("lobby", "send", "x", False, None)


class SendTests(ProgramTestCase):
    """``--send``."""

    def test_sent(self) -> None:
        """Lines go to the room as they are, slashes too; when all are stored, the run ends with 0."""
        program = self.program("--send")
        self.assertEqual(len(self.began), 1)
        for line in ("one", "", "/two", "//three"):
            program.line_typed(line)
        self.assert_runs()
        program.input_ended()
        self.assert_ended(0)
        self.assertEqual([call[2] for call in self.client.calls], ["one", "/two", "//three"])
        self.assertFalse(self.client.options["follow"])

    def test_waits(self) -> None:
        """What is not known to be stored keeps it running."""
        program = self.program("--send")
        self.client.stored, self.client.unacknowledged = Deferred(), 1
        program.line_typed("x")
        program.input_ended()
        self.assert_runs()
        self.client.unacknowledged = 0
        self.client.stored.callback(1)
        self.assert_ended(0)

    def test_room(self) -> None:
        """``--room`` takes a room with or without ``#``, and direct messages."""
        for given, room in (("plans", "plans"), ("#plans", "plans"), ("@bob", "@bob")):
            self.program("--send", "--room", given).line_typed("x")
            self.assertEqual(self.client.calls, [(room, *SENT[1:])])

    def test_no_room(self) -> None:
        """A room that is not there ends it at once with 1, and nothing goes out later."""
        self.program("--send", "--room", "nowhere")
        self.assert_ended(1, "You are not in a room #nowhere")
        self.assertEqual(self.client.calls, [("forget",)])
        self.program("--send", "--room", "offer")
        self.assert_ended(1, "You have not accepted #offer yet: /accept #offer or /refuse #offer")

    def test_held(self) -> None:
        """A changed identity in the room ends it with 1; in another room it is nobody's business."""
        self.program("--send")
        self.client.tell(SendHeld("plans", ("bob",)))
        self.assert_runs()
        self.client.tell(SendHeld("lobby", ("bob",)))
        self.assert_ended(1, "The identity of bob has changed")
        self.assertEqual(self.client.calls, [("forget",)])

    def test_refused(self) -> None:
        """A message that is not taken ends it with 1; one of another program does not."""
        program = self.program("--send")
        self.client.stored = Deferred()
        program.line_typed("x")
        self.client.tell(SendFailed(ID, NotMember("of another program")))
        self.reactor.advance(0)
        self.assert_runs()
        self.client.stored.errback(Muted(by="server"))
        self.assert_ended(1, "You are muted and cannot write here. This was decided by the server")
        self.assertEqual(self.client.calls, [SENT, ("forget",)])

    def test_not_taken(self) -> None:
        """So does one that the library does not take."""
        program = self.program("--send")
        self.client.there["lobby"].refusal = NotMember("x")
        program.line_typed("x")
        self.assert_ended(1, "not a member")

    def test_disk_full(self) -> None:
        """A line that this machine's disk does not take waits, and input with it; when there is space, both go on."""
        program = self.on_full_disk()
        program.input_ended()
        self.assert_runs()
        self.client.tell(StatusChanged(Status.OFFLINE, FULL))
        self.reactor.advance(4)
        self.client.there["lobby"].refusal = None
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assertEqual(self.client.calls, [SENT])
        self.assertFalse(program._lines.paused)
        self.assert_ended(0)

    def test_disk_full_for_long(self) -> None:
        """Where there is no space in time, it ends with 8 and names the file, connected or not."""
        for told in ([], [StatusChanged(Status.OFFLINE, FULL)]):
            self.on_full_disk()
            for event in told:
                self.client.tell(event)
            self.reactor.advance(5.1)
            self.assert_ended(8, "The disk of this machine is full")
            self.assertIn("(client.db: no space)", self.errors.getvalue())

    def test_disk_full_at_the_end(self) -> None:
        """What cannot be given up is told of, since it may still go out."""
        self.program("--send", "--timeout", "5", online=False)
        self.patch(self.client, "forget_unsent", self.fail_to_forget)
        self.reactor.advance(5.1)
        self.assert_ended(8, "it may be sent next time")

    def test_damaged(self) -> None:
        """What does not pass is not waited for."""
        program = self.program("--send", "--timeout", "5")
        self.client.there["lobby"].refusal = StorageError("client.db: damaged")
        program.line_typed("x")
        self.assert_ended(8, "client.db: damaged")

    def fail_to_forget(self) -> int:
        """The disk is full."""
        raise FULL

    def on_full_disk(self) -> Mode:
        """A program that could not send a line."""
        program = self.program("--send", "--timeout", "5")
        program._lines.makeConnection(StringTransport())
        self.client.there["lobby"].refusal = FULL
        program.line_typed("x")
        self.assertTrue(program._lines.paused)
        self.assert_runs()
        return program

    def test_server_refuses_for_now(self) -> None:
        """Where the server has said why it does not store a line, that is told."""
        program = self.program("--send", "--timeout", "5")
        self.client.stored, self.client.unacknowledged = Deferred(), 1
        program.line_typed("x")
        self.client.refusal = StorageFull("x")
        self.reactor.advance(5.1)
        self.assert_ended(1, "The server's disk is full")

    def test_server_away(self) -> None:
        """Where the server does not answer in time, it ends with 3, and nothing goes out later."""
        self.program("--send", "--timeout", "5", online=False)
        self.client.tell(StatusChanged(Status.OFFLINE, OSError("refused")))
        self.reactor.advance(4.9)
        self.assert_runs()
        self.reactor.advance(0.2)
        self.assert_ended(3, "cannot be reached")
        self.assertEqual(self.client.calls, [("forget",)])

    def test_not_stored_in_time(self) -> None:
        """Lines that are not stored in time, whatever keeps the server from it, end it with 1, and do not go out later."""
        program = self.program("--send", "--timeout", "5")
        self.client.stored, self.client.unacknowledged = Deferred(), 2
        self.reactor.advance(100)
        program.line_typed("x")
        self.reactor.advance(4)
        self.client.unacknowledged = 1
        self.client.tell(SendAcknowledged(ID, 1))
        self.client.tell(StatusChanged(Status.OFFLINE))
        self.client.tell(StatusChanged(Status.ONLINE))
        self.reactor.advance(4)
        self.assert_runs()
        self.reactor.advance(1.1)
        self.assert_ended(1, "Not stored within 5 s. Lines discarded: 1.")
        self.assertEqual(self.client.calls[-1], ("forget",))

    def test_left_by_an_earlier_run(self) -> None:
        """So does what an earlier run has left."""
        self.program("--send", "--timeout", "5", online=False)
        self.client.unacknowledged = 1
        self.reactor.advance(4)
        self.client.tell(StatusChanged(Status.ONLINE))
        self.reactor.advance(4)
        self.assert_runs()
        self.reactor.advance(1.1)
        self.assert_ended(1, "Not stored within 5 s")

    def test_others_are_stored(self) -> None:
        """What was there before, of an earlier run or of another program, is waited for, and ends it when it is stored."""
        program = self.program("--send")
        program.line_typed("x")
        self.client.unacknowledged = 1
        program.input_ended()
        self.assert_runs()
        self.client.unacknowledged = 0
        self.client.tell(SendAcknowledged(ID, 1))
        self.reactor.advance(0)
        self.assert_ended(0)

    def test_lost_in_between(self) -> None:
        """A lost connection is waited for again; back in time, it goes on."""
        program = self.program("--send", "--timeout", "5")
        self.reactor.advance(100)
        self.client.tell(StatusChanged(Status.OFFLINE, ServerFull()))
        self.reactor.advance(4)
        self.client.tell(StatusChanged(Status.ONLINE))
        self.reactor.advance(100)
        self.assert_runs()
        program.input_ended()
        self.assert_ended(0)

    def test_final_refusal(self) -> None:
        """What the server refuses for good ends it with that error's code."""
        self.program("--send", online=False)
        self.client.tell(StatusChanged(Status.FAILED, AuthFailed()))
        self.assert_ended(5, "does not accept")

    def test_interrupted(self) -> None:
        """An interrupted run ends with 130; what it has taken goes out later."""
        program = self.program("--send")
        gone = program._interrupted()
        self.assertNoResult(gone)  # the reactor stops no sooner than the code is known
        self.reactor.advance(0)
        self.successResultOf(gone)
        self.successResultOf(program._interrupted())  # as the reactor stops after any other end
        self.assert_ended(130)
        self.assertEqual(self.client.calls, [])
