"""Runs of ``chatserv-client``, without a server."""

from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.testing import StringTransport

from chatserv.client import (
    Alarm,
    DiskFull,
    GapSeen,
    IdentityChanged,
    KeysBroken,
    MessagesMissing,
    NotMember,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RoomTitled,
    SendAcknowledged,
    SendFailed,
    SendHeld,
    ServerFull,
    Status,
    StatusChanged,
    StorageError,
)
from chatserv.errors import AuthFailed, Muted, StorageFull
from clients.plain.program import Program
from tests.client.slash_fakes import member, message
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
        self.assert_ended(1, "There is no room #nowhere here")
        self.assertEqual(self.client.calls, [("forget",)])
        self.program("--send", "--room", "offer")
        self.assert_ended(1, "#offer waits for your consent: /accept #offer")

    def test_held(self) -> None:
        """A changed identity in the room ends it with 1; in another room it is nobody's business."""
        self.program("--send")
        self.client.tell(SendHeld("plans", ("bob",)))
        self.assert_runs()
        self.client.tell(SendHeld("lobby", ("bob",)))
        self.assert_ended(1, "The identity of bob has changed")
        self.assertEqual(self.client.calls, [("forget",)])

    def test_refused(self) -> None:
        """A message that is not taken ends it with 1."""
        self.program("--send")
        self.client.tell(SendFailed(ID, Muted(by="server")))
        self.assert_ended(1, "You are muted and cannot write here. That is the word of the server")
        self.assertEqual(self.client.calls, [("forget",)])

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
        self.assert_ended(8, "it may go out with the next run")

    def test_damaged(self) -> None:
        """What does not pass is not waited for."""
        program = self.program("--send", "--timeout", "5")
        self.client.there["lobby"].refusal = StorageError("client.db: damaged")
        program.line_typed("x")
        self.assert_ended(8, "client.db: damaged")

    def fail_to_forget(self) -> int:
        """The disk is full."""
        raise FULL

    def on_full_disk(self) -> Program:
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
        self.assert_ended(1, "Not stored within 5 s. Lines that were given up: 1.")
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
        self.assert_ended(5, "did not accept")

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


class FollowTests(ProgramTestCase):
    """``--follow``."""

    def test_room_only(self) -> None:
        """The messages of the room are printed, one's own too, and of no other room; news are not."""
        self.program("--follow")
        self.assertEqual(self.began, [])
        self.client.tell(message(1, "one"))
        self.client.tell(message(2, "elsewhere", room="plans"))
        self.client.tell(message(3, "mine", "alice"))
        self.client.tell(RoomOffered("offer", "bob"))
        self.assertEqual([line[8:] for line in self.lines], ["<bob> one", "<alice> mine"])
        self.assertTrue(self.client.options["follow"])

    def test_count(self) -> None:
        """After so many messages it ends with 0, and prints no more."""
        self.program("--follow", "--count", "2", "--json")
        for seq in range(1, 4):
            self.client.tell(message(seq))
        self.assert_ended(0)
        self.assertEqual(len(self.lines), 2)
        self.assertIn('"seq": 2', self.lines[1])

    def test_no_bell(self) -> None:
        """Nothing rings in a script."""
        self.program("--follow")
        self.client.tell(message(1, mentioned=True))
        self.assertNotIn("\a", self.output.getvalue())

    def test_waits_for_the_room(self) -> None:
        """A room that is not there yet is waited for, until patience ends."""
        self.program("--follow", "--room", "late", "--timeout", "5")
        self.reactor.advance(4)
        self.client.add("late")
        self.client.tell(RoomJoined("late"))
        self.reactor.advance(100)
        self.assert_runs()
        self.client.tell(message(1, room="late"))
        self.assertEqual(len(self.lines), 1)

    def test_room_never_comes(self) -> None:
        """If it does not come, the run ends with 5."""
        self.program("--follow", "--room", "late", "--timeout", "5")
        self.reactor.advance(5)
        self.assert_ended(5, "There is no room #late here")
        self.program("--follow", "--room", "offer", "--timeout", "5")
        self.reactor.advance(5)
        self.assert_ended(5, "#offer waits for your consent")

    def test_renamed(self) -> None:
        """A room that gets another name is followed on."""
        self.program("--follow", "--room", "plans")
        self.client.tell(message(1, room="plans"))
        room = self.client.there.pop("plans")
        room.name = "ideas"
        self.client.there["ideas"] = room
        self.client.tell(RoomTitled("ideas", "plans", "", "bob"))
        self.client.tell(message(2, room="ideas"))
        self.assertEqual(len(self.lines), 2)

    def test_accept_invites(self) -> None:
        """With ``--accept-invites`` rooms are accepted as they are offered, and what was said there is printed."""
        self.program("--follow", "--room", "offer", "--accept-invites", online=False)
        self.client.there["offer"].kept = [message(1, room="offer")]
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assertEqual(self.client.calls, [("offer", "accept")])
        self.assertEqual(len(self.lines), 1)
        self.client.add("@eve").offered = True
        self.client.tell(RoomOffered("@eve", "eve"))
        self.reactor.advance(0)
        self.assertEqual(self.client.calls[-1], ("@eve", "accept"))
        self.client.tell(RoomOffered("gone", "eve"))
        self.reactor.advance(0)
        self.assert_runs()

    def test_not_accepted(self) -> None:
        """Without it they are not."""
        self.program("--follow")
        self.client.tell(RoomOffered("offer", "bob"))
        self.reactor.advance(1)
        self.assertEqual(self.client.calls, [])

    def test_warnings(self) -> None:
        """Alarms, changed identities, and what is missing in the room are told on standard error, and it goes on."""
        self.program("--follow")
        for event, words in (
            (Alarm("old_log"), "ALARM: the server breaks the rules"),
            (IdentityChanged("bob", was_verified=True), "bob, whom you had verified, has another identity key"),
            (GapSeen("lobby", 3, 5), "#lobby: 3 messages are missing here"),
            (MessagesMissing("lobby", "bob", 2), "#lobby: 2 messages of bob are missing"),
            (KeysBroken("lobby", "bob"), "#lobby: The keys of a change by bob do not open"),
            (RoomRewound("lobby", 9, 5), "#lobby: the server has lost messages"),
        ):
            self.errors.truncate(0)
            self.client.tell(event)
            self.assertIn(words, self.errors.getvalue())
        self.assertEqual(self.lines, [])
        self.client.tell(message(1, "one"))
        self.assertEqual(len(self.lines), 1)
        self.assert_runs()

    def test_warnings_of_the_room_alone(self) -> None:
        """What is missing in other rooms is not this script's business; that it is out of its own room is."""
        self.program("--follow")
        self.client.tell(GapSeen("plans", 3, 5))
        self.client.tell(RoomLeft("plans", "bob"))
        self.assertEqual(self.errors.getvalue(), "")
        del self.client.there["lobby"]
        self.client.tell(RoomLeft("lobby", "bob"))
        self.assertIn("bob has put you out of #lobby.", self.errors.getvalue())
        self.assert_runs()

    def test_nothing_to_trust(self) -> None:
        """Where the server is found out, it ends with 9 behind the alarm."""
        for argv in (("--follow",), ("--send",), ("--follow", "--send")):
            self.program(*argv, online=False)
            self.client.distrusted = True  # an earlier run may have found it
            self.client.tell(Alarm("log_forked"))
            self.reactor.advance(0)
            self.assert_ended(9, "ALARM: the server breaks the rules")
            self.assertIn("nothing more of it is taken", self.errors.getvalue())

    def test_room_stands_still(self) -> None:
        """So it does where nothing more comes of the room that it is about, and not where that is another room."""
        for event in (Alarm("bad_commit", "lobby: x"), RoomRewound("lobby", 9, 5)):
            self.program("--follow")
            self.client.there["plans"].stands_still = True
            self.client.tell(event)
            self.reactor.advance(0)
            self.assert_runs()
            self.client.there["lobby"].stands_still = True
            self.client.tell(event)
            self.reactor.advance(0)
            self.assert_ended(9, "#lobby stands still")

    def test_identity_changed(self) -> None:
        """What another identity of somebody has signed is shown as such, and says so to programs."""
        self.program("--follow", "--room", "lobby")
        self.client.tell(replace(message(2, "it is me", "eve"), identity_changed=True))
        self.assertEqual([line[8:] for line in self.lines], ["<eve> (identity changed: perhaps not them) it is me"])


class InviteTests(ProgramTestCase):
    """``--invite``."""

    def test_link(self) -> None:
        """The link is printed, and nothing else."""
        self.program("--invite", "--invite-name", "carol", "--invite-admin")
        self.assert_ended(0)
        self.assertEqual(self.client.calls, [("invite", "carol", True)])
        self.assertRegex(self.output.getvalue(), r"^chatserv://\S+\n$")

    def test_refused(self) -> None:
        """Whoever is no administrator gets 5."""
        self.program("--invite", online=False)
        self.client.is_admin = False
        self.client.tell(StatusChanged(Status.ONLINE))
        self.assert_ended(5, "not allowed")


class CommandTests(ProgramTestCase):
    """``--command``."""

    def test_in_order(self) -> None:
        """Commands are carried out in order, their lines printed; then the run ends with 0."""
        self.program("--command", "/room plans", "--command", "hello", "--command", "/who")
        self.assert_ended(0)
        self.assertEqual(self.lines[0], "You talk in #plans now.")
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
        self.assert_ended(5, "There is no /nonsense here")

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


class TalkTests(ProgramTestCase):
    """A person at a terminal."""

    def talk(self, *argv: str, online: bool = True) -> Program:
        """A talk."""
        return self.program(*argv, terminal=True, online=online)

    def test_talk(self) -> None:
        """One is told where one is; lines go to the room; one's own come back to nobody; commands are obeyed."""
        program = self.talk()
        program.line_typed("hello")
        self.client.tell(message(1, "hello", "alice"))
        self.client.tell(message(2, "hi"))
        program.line_typed("/topic")
        program.line_typed("/nonsense")
        shown = [self.lines[0], self.lines[1][8:], *self.lines[2:]]
        expected = [
            "-- Connected to #lobby as alice.", "<bob> hi", "#lobby has no topic.",
            "-- There is no /nonsense here; /help tells what there is.",
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
        self.assertEqual(self.lines, ["-- #offer waits for your consent: /accept #offer"])
        program.line_typed("x")
        self.assertIn("-- Not sent: #offer waits", self.lines[1])
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
        self.assertIn("Lines that wait for the server: 2.", self.lines[-1])
        program.line_typed("/quit")
        self.assert_ended(1, "not stored: 2")
        self.assertEqual(self.client.calls, [])  # they go out the next time
