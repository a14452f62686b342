"""People whom one does not want to hear, and direct messages that are refused for good."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import (
    MessageEdited,
    MessageReceived,
    Reacted,
    RoomOffered,
    TypingSeen,
    message_line,
)
from chatserv.client.storage import ignored
from chatserv.errors import Forbidden, NotFound, NotMember, Quota
from chatserv.testing.world import World


class IgnoredCase(SynchronousTestCase):
    """Bob says things, alice does not want to hear them, carol does."""

    def setUp(self) -> None:
        """All are in the lobby."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob, self.carol = (
            self.world.person(name, admin=name == "alice") for name in ("alice", "bob", "carol")
        )
        self.people = self.alice.client.people


class IgnoreTests(IgnoredCase):
    """`People.ignore`."""

    def test_nothing_is_told(self) -> None:
        """Neither what is said, nor edits, signs and typing; all of it is told of others, and stored."""
        self.bob.say("lobby", "before")
        hello = self.alice.say("lobby", "hello")
        self.world.settle()
        self.people.ignore("bob")
        self.alice.told.clear()
        for person in (self.bob, self.carol):
            lobby = person.room("lobby")
            person.say("lobby", f"{person.name} speaks")
            person.do(lobby.react(person.room("lobby").message(str(hello), own=False).message_id, "+1"))
            person.do(lobby.edit(lobby.message("-1", own=True).message_id, f"{person.name} shouts"))
            person.do(lobby.typing())
        self.world.settle()
        self.assertEqual(self.alice.texts("lobby"), [("carol", "carol speaks")])
        told = [(type(each), each.sender) for each in self.alice.told if isinstance(each, MessageEdited | Reacted)]
        self.assertCountEqual(told, [(MessageEdited, "carol"), (Reacted, "carol")])
        self.assertEqual([each.user for each in self.alice.events(TypingSeen)], ["carol"])
        lobby = self.alice.room("lobby")
        self.assertEqual([each.text for each in lobby.history()], ["hello", "carol shouts"])
        self.assertEqual([each.text for each in lobby.following(0)], ["hello", "carol shouts"])
        self.assertEqual((lobby.unread, self.alice.client.search("bob")), (1, []))
        self.people.unignore("bob")
        self.assertEqual([each.text for each in lobby.history()], ["before", "hello", "bob shouts", "carol shouts"])
        self.assertEqual([each.text for each in self.alice.client.search("bob")], ["bob shouts"])

    def test_kept(self) -> None:
        """It is remembered, and what was said meanwhile is not told after a restart."""
        self.people.ignore("bob")
        self.alice.leave_the_machine()
        self.bob.say("lobby", "anybody?")
        self.alice.come_back()
        self.assertEqual((self.alice.client.people.ignored(), self.alice.texts("lobby")), (["bob"], []))

    def test_deleted_by_a_moderator(self) -> None:
        """What somebody who is ignored does to others is seen: a message that they take back is gone."""
        self.alice.do(self.alice.room("lobby").set_role("bob", "moderator"))
        self.alice.say("lobby", "oops")
        self.world.settle()
        self.people.ignore("bob")
        lobby = self.bob.room("lobby")
        self.bob.do(lobby.delete(lobby.message("-1", own=False).message_id))
        self.world.settle()
        self.assertTrue(self.alice.room("lobby").history()[-1].deleted)

    def test_invitations(self) -> None:
        """Neither rooms nor direct messages of theirs are offered, those that wait already included."""
        self.bob.do(self.bob.client.direct("alice"))
        self.world.settle()
        self.assertEqual(self.alice.client.rooms, ["@bob", "lobby"])
        self.people.ignore("bob")
        self.alice.told.clear()
        plans = self.bob.do(self.bob.client.create_room("plans"))
        self.bob.do(plans.invite("alice"))
        self.world.settle()
        self.assertEqual((self.alice.client.rooms, self.alice.events(RoomOffered)), (["lobby"], []))

    def test_refused(self) -> None:
        """Ourselves, nobody, somebody who was not ignored, and one too many."""
        for user, error in (("alice", Forbidden), ("zoe", NotFound)):
            self.assertRaises(error, self.people.ignore, user)
        self.assertRaises(NotFound, self.people.unignore, "bob")
        self.patch(ignored, "MAX_IGNORED", 1)
        self.people.ignore("bob")
        self.people.ignore("bob")
        self.assertRaises(Quota, self.people.ignore, "carol")
        self.assertEqual(self.people.ignored(), ["bob"])


class RefusedTests(IgnoredCase):
    """Direct messages that alice does not want."""

    def setUp(self) -> None:
        """Bob asks."""
        super().setUp()
        self.bob.do(self.bob.client.direct("alice"))
        self.world.settle()

    def refuse(self) -> None:
        """Alice says no."""
        self.alice.do(self.alice.room("@bob").refuse())

    def test_for_good(self) -> None:
        """They are not seen any more, whatever bob says there, nor offered after a restart."""
        self.assertEqual([each.room for each in self.alice.events(RoomOffered)], ["@bob"])
        self.refuse()
        self.alice.told.clear()
        self.bob.say("@alice", "please")
        self.bob.do(self.bob.room("@alice").rotate())
        self.world.settle()
        self.assertEqual((self.alice.client.rooms, self.alice.told), (["lobby"], []))
        self.alice.leave_the_machine()
        self.bob.say("@alice", "please!")
        self.alice.come_back()
        self.assertEqual((self.alice.client.rooms, self.alice.events(RoomOffered)), (["lobby"], []))
        self.assertEqual(self.alice.events(MessageReceived), [])

    def test_begun_by_us(self) -> None:
        """Whoever begins them anew has agreed."""
        self.refuse()
        self.bob.say("@alice", "please")
        direct = self.alice.do(self.alice.client.direct("bob"))
        self.assertEqual((direct.offered, self.alice.client.rooms), (False, ["@bob", "lobby"]))
        self.alice.say("@bob", "well")
        self.world.settle()
        self.assertEqual(self.bob.texts("@alice")[-1], ("alice", "well"))

    def test_bounded(self) -> None:
        """One too many."""
        self.patch(ignored, "MAX_IGNORED", 0)
        self.assertRaises(Quota, self.refuse)
        self.assertTrue(self.alice.room("@bob").offered)

    def test_rooms_are_left(self) -> None:
        """A room that is refused is left, and may be offered again."""
        plans = self.bob.do(self.bob.client.create_room("plans"))
        self.bob.do(plans.invite("alice"))
        self.world.settle()
        self.alice.do(self.alice.room("plans").refuse())
        self.world.settle()
        self.assertRaises(NotMember, self.alice.room, "plans")


class MarksTests(IgnoredCase):
    """What became of messages."""

    def test_history(self) -> None:
        """Reactions and edits show in the history; an edited answer keeps what it answers, and /me stays one."""
        self.alice.say("lobby", "who comes?")
        self.world.settle()
        lobby = self.bob.room("lobby")
        asked = lobby.message("-1", own=False).message_id
        self.bob.do(lobby.send("i do", reply_to=asked, action=True))
        self.bob.do(lobby.edit(lobby.message("-1", own=True).message_id, "i do not"))
        self.world.settle()
        seen = self.alice.room("lobby").history()[-1]
        self.alice.do(self.alice.room("lobby").react(seen.message_id, "+1"))
        self.world.settle()
        for person in (self.alice, self.bob):
            last = person.room("lobby").history()[-1]
            self.assertEqual((last.reply_to, last.action, last.edited, last.text), (asked, True, True, "i do not"))
            self.assertEqual(last.reactions, (("+1", ("alice",)),))
            self.assertTrue(message_line(last).endswith("i do not  (edited)  +1 alice"), message_line(last))
