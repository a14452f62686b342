"""``chatserv-client --follow``, without a server."""

from dataclasses import replace

from chatserv.client import Alarm, IdentityChanged, KeysBroken
from chatserv.client.events import (
    GapSeen,
    MessagesMissing,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RoomTitled,
    Status,
    StatusChanged,
)
from tests.client.slash_fakes import message
from tests.clients.program_fakes import ProgramTestCase


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
        self.assert_ended(5, "You are not in a room #late")
        self.program("--follow", "--room", "offer", "--timeout", "5")
        self.reactor.advance(5)
        self.assert_ended(5, "You have not accepted #offer yet")

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
            (IdentityChanged("bob", was_verified=True), "bob, whom you had verified, has a new identity key"),
            (GapSeen("lobby", 3, 5), "#lobby: Messages missing here: 3."),
            (MessagesMissing("lobby", "bob", 2), "#lobby: Messages of bob are missing (2)"),
            (KeysBroken("lobby", "bob"), "#lobby: bob changed the room with keys that do not work here"),
            (RoomRewound("lobby", 9, 5), "#lobby: The server lost messages of this room"),
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
        self.assertIn("bob removed you from #lobby.", self.errors.getvalue())
        self.assert_runs()

    def test_gone(self) -> None:
        """Whoever is put out of the room may be taken in again; where it has ended for all, nothing more can come."""
        for argv in (("--follow",), ("--follow", "--send")):
            for closed in (False, True):
                self.errors.truncate(0)
                self.program(*argv)
                del self.client.there["lobby"]
                self.client.tell(RoomLeft("lobby", closed=closed, by="" if closed else "bob"))
                self.reactor.advance(0)
                if closed:
                    self.assert_ended(5, "#lobby")
                else:
                    self.assertIn("bob removed you from #lobby.", self.errors.getvalue())
                    self.assert_runs()

    def test_nothing_to_trust(self) -> None:
        """Where the server is found out, it ends with 9 behind the alarm."""
        for argv in (("--follow",), ("--send",), ("--follow", "--send")):
            self.program(*argv, online=False)
            self.client.distrusted = True  # an earlier run may have found it
            self.client.tell(Alarm("log_forked"))
            self.reactor.advance(0)
            self.assert_ended(9, "ALARM: the server breaks the rules")
            self.assertIn("nothing more is accepted from it", self.errors.getvalue())

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
            self.assert_ended(9, "#lobby is on hold")

    def test_identity_changed(self) -> None:
        """What another identity of somebody has signed is shown as such, and says so to programs."""
        self.program("--follow", "--room", "lobby")
        self.client.tell(replace(message(2, "it is me", "eve"), identity_changed=True))
        self.assertEqual([line[8:] for line in self.lines], ["<eve> (identity changed: perhaps not them) it is me"])
