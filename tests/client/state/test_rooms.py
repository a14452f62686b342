"""Rooms from end to end: clients of the library against the real server in memory."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import (
    Alarm,
    Delivered,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    Reacted,
    RoomChanged,
    RoomJoined,
    RoomLeft,
    RoomOffered,
    RoomTitled,
)
from chatserv.client.slash.formatting import parting_line
from chatserv.crypto.bodies import RoomTitle
from chatserv.domain.roles import Role
from chatserv.domain.texts import TextInvalid
from chatserv.errors import Banned, Forbidden, Muted, NameInvalid, NameTaken, NotFound, NotMember
from chatserv.testing.world import Person, World


class RoomCase(SynchronousTestCase):
    """An administrator, and people who come."""

    def setUp(self) -> None:
        """A server with its lobby."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice", Role.ADMIN)

    def private_room(self, *members: Person, name: str = "plans") -> None:
        """A private room by alice, with these people in it."""
        self.alice.do(self.alice.client.create_room(name, topic="soon"))
        for member in members:
            self.alice.do(self.alice.room(name).invite(member.name))
        self.world.settle()
        for member in members:
            member.room(name).accept()
        self.world.settle(2)


class LobbyTests(RoomCase):
    """``#lobby``: a room like any other, made by the first administrator's client."""

    def test_made_by_the_administrator(self) -> None:
        """The administrator's client makes the lobby, and owns it."""
        self.assertTrue(self.alice.online)
        self.assertEqual(["lobby"], self.alice.client.rooms)
        self.assertEqual("owner", self.alice.room("lobby").role)
        self.assertTrue(self.alice.room("#lobby").public)

    def test_no_text(self) -> None:
        """What no message can hold is refused before anything is made or changed, wherever a text is taken."""
        client, lobby = self.alice.client, self.alice.room("lobby")
        self.alice.say("lobby", "hello")
        (message,) = lobby.history(1)
        for text in ("\udcff", "so \ud83d so", "x" * 1025):
            for asked in (
                lambda text=text: client.create_room("plans", topic=text),
                lambda text=text: client.create_room("garden", public=True, topic=text),
                lambda text=text: lobby.set_topic(text),
            ):
                self.assertRaises(TextInvalid, self.alice.do, asked())
            self.assertRaises(TextInvalid, lobby.react, message.message_id, text)
        for text in ("\udcff", "so \ud83d so"):
            self.assertRaises(TextInvalid, lobby.send, text)
            self.assertRaises(TextInvalid, lobby.edit, message.message_id, text)
            self.assertRaises(TextInvalid, client.search, text)
            self.assertRaises(TextInvalid, self.alice.do, client.admin.announce(text))
            self.assertRaises(NameInvalid, self.alice.do, client.admin.make_invite(text))
        self.assertEqual((["lobby"], "hello", True), (client.rooms, lobby.history(1)[0].text, self.alice.online))

    def test_left_by_all(self) -> None:
        """A public room that everybody has left cannot be joined any more, as whoever owns it is told before."""
        room = self.alice.do(self.alice.client.create_room("garden", public=True))
        self.assertIn("nobody can ever join it again", parting_line(room, "alice"))
        self.alice.do(room.leave())
        bob = self.world.person("bob")
        self.world.settle()
        self.assertRaises(NotFound, bob.do, bob.client.join("garden"))

    def test_nfc(self) -> None:
        """Texts in another form of Unicode, as some keyboards give them, are taken."""
        room = self.alice.do(self.alice.client.create_room("garden", public=True, topic="cafe\u0301"))
        self.assertEqual("caf\u00e9", room.topic)

    def test_talk(self) -> None:
        """Everybody joins it, and reads what is said, each message once and in one order."""
        bob = self.world.person("bob")
        self.assertEqual(["lobby"], bob.client.rooms)
        self.assertEqual(1, len(bob.events(RoomJoined)))
        self.alice.say("lobby", "hello bob")
        bob.say("lobby", "hello alice")
        for person in (self.alice, bob):
            self.assertEqual([("alice", "hello bob"), ("bob", "hello alice")], person.texts("lobby"))
        self.assertEqual([True, False], [event.own for event in self.alice.events(MessageReceived)])

    def test_third_while_both_are_away(self) -> None:
        """A newcomer enters while everybody else is away, reads from then on, and is understood by those who come back."""
        bob = self.world.person("bob")
        self.alice.say("lobby", "before carol")
        self.alice.leave_the_machine()
        bob.leave_the_machine()
        carol = self.world.person("carol")
        self.assertTrue(carol.online)
        carol.say("lobby", "anybody here?")
        self.alice.come_back()
        bob.come_back()
        self.alice.say("lobby", "now I am")
        for person in (self.alice, bob, carol):
            self.assertEqual([("carol", "anybody here?"), ("alice", "now I am")], person.texts("lobby"))
            self.assertEqual([], person.events(Alarm))

    def test_members_and_presence(self) -> None:
        """Who is there is seen with role and presence, and who goes is seen to go."""
        bob = self.world.person("bob")
        seen = {member.user: (member.role, member.presence) for member in self.alice.room("lobby").members()}
        self.assertEqual({"alice": ("owner", "online"), "bob": ("member", "online")}, seen)
        bob.do(bob.client.set_away(away=True))
        self.world.settle(1)
        self.assertEqual("away", self.alice.room("lobby").members()[1].presence)
        bob.leave_the_machine()
        self.world.settle(1)
        self.assertEqual("offline", self.alice.room("lobby").members()[1].presence)

    def test_left_for_good(self) -> None:
        """Who leaves the lobby is not put into it again at the next start, and may join it by name."""
        bob = self.world.person("bob")
        bob.do(bob.room("lobby").leave())
        self.world.settle()
        bob.leave_the_machine()
        bob.come_back()
        self.assertEqual([], bob.client.rooms)
        bob.do(bob.client.join("#lobby"))
        bob.say("lobby", "back")
        self.assertEqual([("bob", "back")], self.alice.texts("lobby"))


class PrivateRoomTests(RoomCase):
    """Rooms that one is invited to."""

    def test_made(self) -> None:
        """Whoever makes a private room is told its name from the first, and keeps it."""
        self.private_room()
        self.assertEqual("plans", self.alice.events(RoomJoined)[-1].room)
        self.assertEqual("soon", self.alice.room("plans").topic)
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.assertEqual("soon", self.alice.room("plans").topic)

    def test_name_never_comes(self) -> None:
        """A room whose name nobody sends is offered without one, after a moment; not where one is out of it by then."""
        bob, carol = self.world.person("bob"), self.world.person("carol")
        self.alice.do(self.alice.client.create_room("plans"))
        room = self.alice.client.engine.rooms.find("plans")
        assert room.row is not None
        room.row = replace(room.row, title="")
        for user in ("bob", "carol"):
            self.alice.do(self.alice.client._handle(room).invite(user))
        self.world.settle(1)
        self.assertEqual(([], []), (bob.events(RoomOffered), carol.events(RoomOffered)))
        self.alice.do(self.alice.client._handle(room).kick("carol"))
        self.world.settle(6)
        (offered,) = bob.events(RoomOffered)
        self.assertEqual(("~", "alice"), (offered.room[0], offered.by))
        self.assertEqual([], carol.events(RoomOffered))

    def test_names_that_are_none(self) -> None:
        """A sealed name that is not canonical is not taken, nor is its topic, whoever sends it (docs/rooms.rst 7.4)."""
        bob = self.world.person("bob")
        self.private_room(bob)
        engine = self.alice.client.engine
        for wrong in ("Plans", "plans~1", "a b", "p\u0430ypal", "#plans", "\u202egnp"):
            engine.outbox.put_body(engine.rooms.find("plans"), RoomTitle(wrong, "of nobody"))
            self.world.settle()
            self.assertEqual((bob.client.rooms, bob.room("plans").topic), (["lobby", "plans"], "soon"), wrong)
        engine.outbox.put_body(engine.rooms.find("plans"), RoomTitle("пляны", "for all"))
        self.world.settle()
        self.assertEqual((bob.client.rooms, bob.room("пляны").topic), (["lobby", "пляны"], "for all"))

    def test_invitation(self) -> None:
        """An invited person is asked first, is told the sealed name and topic, and reads from their joining on."""
        bob = self.world.person("bob")
        self.alice.do(self.alice.client.create_room("plans", topic="soon"))
        self.alice.say("plans", "before bob")
        self.alice.do(self.alice.room("plans").invite("bob"))
        self.world.settle()
        self.assertEqual([RoomOffered("plans", "alice")], bob.events(RoomOffered))
        self.assertEqual([], bob.events(RoomTitled))
        self.alice.say("plans", "welcome")
        self.assertEqual([], bob.texts("plans"))
        kept = bob.room("plans").accept()
        self.assertEqual("soon", bob.room("plans").topic)
        self.assertEqual([("alice", "welcome")], [(message.sender, message.text) for message in kept])
        bob.say("plans", "thanks")
        self.assertEqual([("alice", "before bob"), ("alice", "welcome"), ("bob", "thanks")], self.alice.texts("plans"))
        self.assertEqual([], self.alice.events(Alarm) + bob.events(Alarm))

    def test_refused(self) -> None:
        """Who refuses an invitation is out of the room for everybody."""
        bob = self.world.person("bob")
        self.alice.do(self.alice.client.create_room("plans"))
        self.alice.do(self.alice.room("plans").invite("bob"))
        self.world.settle()
        bob.do(bob.room("plans").leave())
        self.world.settle(15)
        self.assertEqual(["alice"], [member.user for member in self.alice.room("plans").members()])
        self.assertEqual(["lobby"], bob.client.rooms)

    def test_kick(self) -> None:
        """A kicked device gets nothing that is said afterwards, and cannot send; the others talk on."""
        bob, carol = self.world.person("bob"), self.world.person("carol")
        self.private_room(bob, carol)
        self.alice.say("plans", "one")
        self.alice.do(self.alice.room("plans").kick("bob"))
        self.alice.say("plans", "two")
        carol.say("plans", "three")
        self.world.settle()
        self.assertEqual([("alice", "one")], bob.texts("plans"))
        self.assertEqual([("alice", "one"), ("alice", "two"), ("carol", "three")], carol.texts("plans"))
        self.assertEqual([("plans", "alice")], [(event.room, event.by) for event in bob.events(RoomLeft)])
        self.assertRaises(NotMember, bob.client.send, "plans", "let me in")
        self.assertIn(("kicked", ("bob",)), [line for event in carol.events(RoomChanged) for line in event.lines])

    def test_kicked_while_away(self) -> None:
        """Who is kicked while away finds out from the signed commit when they come back."""
        bob = self.world.person("bob")
        self.private_room(bob)
        bob.leave_the_machine()
        self.alice.do(self.alice.room("plans").kick("bob"))
        self.alice.say("plans", "he is gone")
        bob.come_back()
        self.assertEqual(["alice"], [event.by for event in bob.events(RoomLeft)])
        self.assertEqual([], bob.texts("plans"))
        self.assertEqual(["lobby"], bob.client.rooms)

    def test_kicked_and_invited_again(self) -> None:
        """Who comes back to a room goes on with the chain that they have, and reads from then on."""
        bob = self.world.person("bob")
        self.private_room(bob)
        self.alice.do(self.alice.room("plans").kick("bob"))
        self.alice.say("plans", "without bob")
        self.alice.do(self.alice.room("plans").invite("bob"))
        self.world.settle()
        bob.room("plans").accept()
        self.alice.say("plans", "with bob")
        self.assertEqual([("alice", "with bob")], bob.texts("plans"))

    def test_leave(self) -> None:
        """Who leaves is out at once, and a commit of somebody else takes their keys away soon after."""
        bob, carol = self.world.person("bob"), self.world.person("carol")
        self.private_room(bob, carol)
        before = self.alice.room("plans").epoch
        bob.do(bob.room("plans").leave())
        self.alice.say("plans", "between")
        self.world.settle(15)
        self.assertEqual(["alice", "carol"], [member.user for member in self.alice.room("plans").members()])
        self.assertEqual(before + 1, self.alice.room("plans").epoch)
        self.assertEqual([], bob.texts("plans"))
        self.assertIn(("left", ("bob",)), [line for event in carol.events(RoomChanged) for line in event.lines])

    def test_last_one_leaves(self) -> None:
        """A room whose last member leaves is closed."""
        self.private_room()
        self.alice.do(self.alice.room("plans").leave())
        self.world.settle()
        self.assertEqual(["lobby"], self.alice.client.rooms)

    def test_same_name_twice(self) -> None:
        """Two private rooms may have one name; the second is told apart by its id."""
        self.private_room()
        self.private_room()
        _, first, second = self.alice.client.rooms
        self.assertEqual("plans", first)
        self.assertTrue(second.startswith("plans~"))

    def test_forbidden(self) -> None:
        """What a member may not do is refused before anything is sent."""
        bob, carol = self.world.person("bob"), self.world.person("carol")
        self.private_room(bob, carol)
        for work in (
            bob.room("plans").kick("carol"),
            bob.room("plans").set_role("bob", "owner"),
            bob.room("plans").set_slow(5),
            bob.room("plans").set_topic("mine"),
        ):
            self.assertRaises(Forbidden, bob.do, work)

    def test_unknown_user(self) -> None:
        """Nobody invites somebody whom the log does not know."""
        self.private_room()
        self.assertRaises(NotFound, self.alice.do, self.alice.room("plans").invite("nobody"))


class ModerationTests(RoomCase):
    """Roles, mutes and bans."""

    def test_roles(self) -> None:
        """An owner makes a moderator, who may then kick."""
        bob, carol = self.world.person("bob"), self.world.person("carol")
        self.private_room(bob, carol)
        self.alice.do(self.alice.room("plans").set_role("bob", "moderator"))
        self.world.settle(1)
        bob.do(bob.room("plans").kick("carol"))
        self.assertEqual(["carol"], [carol.name for _ in carol.events(RoomLeft)])

    def test_mute(self) -> None:
        """A muted member reads and cannot write, until that is lifted."""
        bob = self.world.person("bob")
        self.alice.do(self.alice.room("lobby").mute("bob"))
        self.alice.say("lobby", "quiet")
        error = self.assertRaises(Muted, bob.say, "lobby", "but")
        self.assertEqual("room", error.by)
        self.assertEqual([("alice", "quiet")], bob.texts("lobby"))
        self.alice.do(self.alice.room("lobby").mute("bob", on=False))
        bob.say("lobby", "thanks")
        self.assertEqual(("bob", "thanks"), self.alice.texts("lobby")[-1])

    def test_ban(self) -> None:
        """Who is banned from a public room is out, and cannot join it again until the ban is lifted."""
        bob = self.world.person("bob")
        self.alice.do(self.alice.room("lobby").ban("bob"))
        self.world.settle()
        self.assertEqual([], bob.client.rooms)
        self.assertRaises(Banned, bob.do, bob.client.join("lobby"))
        self.assertEqual(["bob"], [member.user for member in self.alice.room("lobby").members(banned=True)])
        self.alice.do(self.alice.room("lobby").unban("bob"))
        bob.do(bob.client.join("lobby"))
        bob.say("lobby", "back")
        self.assertEqual([("bob", "back")], self.alice.texts("lobby"))

    def test_heir(self) -> None:
        """When the only owner leaves, a moderator inherits the room on all clients alike."""
        bob, carol = self.world.person("bob"), self.world.person("carol")
        self.private_room(bob, carol)
        self.alice.do(self.alice.room("plans").set_role("carol", "moderator"))
        self.alice.do(self.alice.room("plans").leave())
        self.world.settle(20)
        for person in (bob, carol):
            roles = {member.user: member.role for member in person.room("plans").members()}
            self.assertEqual({"bob": "member", "carol": "owner"}, roles)


class PublicRoomTests(RoomCase):
    """Rooms that anybody may join."""

    def test_list_and_join(self) -> None:
        """A public room is listed with name, topic and members, and joined by name."""
        self.alice.do(self.alice.client.create_room("garden", public=True, topic="roses"))
        bob = self.world.person("bob")
        listed = [(room.name, room.topic, room.members) for room in bob.do(bob.client.public_rooms())]
        self.assertEqual([("garden", "roses", 1), ("lobby", "", 2)], listed)
        bob.do(bob.client.join("#garden"))
        bob.say("garden", "how nice")
        self.assertEqual([("bob", "how nice")], self.alice.texts("garden"))
        self.assertEqual("roses", bob.room("garden").topic)

    def test_topic_and_name(self) -> None:
        """An owner changes name and topic, and everybody sees it."""
        bob = self.world.person("bob")
        self.alice.do(self.alice.client.create_room("garden", public=True))
        bob.do(bob.client.join("garden"))
        self.alice.do(self.alice.room("garden").set_topic("tulips"))
        self.alice.do(self.alice.room("garden").rename("park"))
        self.world.settle(1)
        self.assertEqual("tulips", bob.room("park").topic)
        bob.say("park", "still here")
        self.assertEqual([("bob", "still here")], self.alice.texts("park"))
        carol = self.world.person("carol")
        carol.do(carol.client.join("park"))
        self.assertRaises(NotFound, carol.do, carol.client.join("garden"))

    def test_name_taken(self) -> None:
        """A public name exists once, also in what it looks like."""
        self.assertRaises(
            NameTaken, self.alice.do, self.alice.client.create_room("l0bby".replace("0", "o"), public=True)
        )

    def test_lobby_is_for_administrators(self) -> None:
        """Nobody but an administrator of the server makes a room of that name."""
        world = World(self.mktemp())
        self.addCleanup(world.close)
        bob = world.person("bob")
        self.assertRaises(Forbidden, bob.do, bob.client.create_room("lobby", public=True))


class DirectMessageTests(RoomCase):
    """Direct messages between two."""

    def test_talk(self) -> None:
        """One begins, the other agrees, both talk, and the sender learns that it arrived."""
        bob = self.world.person("bob")
        direct = self.alice.do(self.alice.client.direct("bob"))
        self.assertEqual("@bob", direct.name)
        self.alice.do(direct.send("just us"))
        self.assertEqual([("@alice", "alice")], [(event.room, event.by) for event in bob.events(RoomOffered)])
        self.assertEqual([("alice", "just us")], [(m.sender, m.text) for m in bob.room("@alice").accept()])
        bob.say("@alice", "yes")
        self.assertEqual([("alice", "just us"), ("bob", "yes")], self.alice.texts("@bob"))
        self.alice.say("@bob", "good")
        self.world.settle()
        received = [event.message_ids for event in self.alice.events(Delivered)]
        self.assertIn((self.alice.events(MessageReceived)[-1].message_id,), received)

    def test_once_for_two(self) -> None:
        """Both begin: it is the same conversation."""
        bob = self.world.person("bob")
        self.alice.do(self.alice.client.direct("bob"))
        self.world.settle(1)
        bob.do(bob.client.direct("alice"))
        self.assertEqual(["@alice", "lobby"], bob.client.rooms)

    def test_not_with_oneself(self) -> None:
        """There are two in it."""
        self.assertRaises(Forbidden, self.alice.do, self.alice.client.direct("alice"))

    def test_nobody_else(self) -> None:
        """Nobody is invited into direct messages, and nobody leaves them."""
        self.world.person("bob")
        direct = self.alice.do(self.alice.client.direct("bob"))
        self.world.person("carol")
        self.assertRaises(Forbidden, self.alice.do, direct.invite("carol"))
        self.assertRaises(Forbidden, self.alice.do, direct.leave())


class ContentTests(RoomCase):
    """What can be said beside plain text."""

    def setUp(self) -> None:
        """Two in the lobby, and a message."""
        super().setUp()
        self.bob = self.world.person("bob")
        self.bob.say("lobby", "helo")
        self.message = self.alice.events(MessageReceived)[-1]

    def test_edit(self) -> None:
        """The author edits; nobody else can, and history has the newest text."""
        self.bob.do(self.bob.room("lobby").edit(self.message.message_id, "hello"))
        self.assertEqual(["hello"], [event.text for event in self.alice.events(MessageEdited)])
        self.assertEqual(["hello"], [message.text for message in self.alice.room("lobby").history()])
        self.assertRaises(Forbidden, self.alice.room("lobby").edit, self.message.message_id, "bye")

    def test_delete(self) -> None:
        """A moderator takes back what somebody else said; a member cannot."""
        self.alice.say("lobby", "mine")
        mine = self.bob.events(MessageReceived)[-1].message_id
        self.assertRaises(Forbidden, self.bob.room("lobby").delete, mine)
        self.alice.do(self.alice.room("lobby").delete(self.message.message_id))
        self.assertEqual(["alice"], [event.by for event in self.bob.events(MessageDeleted)])
        self.assertEqual([None, "mine"], [message.text for message in self.bob.room("lobby").history()])

    def test_reaction(self) -> None:
        """An emoji comes and goes."""
        room = self.alice.room("lobby")
        self.alice.do(room.react(self.message.message_id, "👍"))
        self.assertEqual([("alice", "👍", True)], [(e.sender, e.emoji, e.on) for e in self.bob.events(Reacted)])
        self.assertEqual({"👍": ["alice"]}, self.bob.room("lobby").reactions(self.message.message_id))
        self.alice.do(room.react(self.message.message_id, "👍", on=False))
        self.assertEqual({}, self.bob.room("lobby").reactions(self.message.message_id))

    def test_reply_mention_action(self) -> None:
        """A reply names what it answers, a mention calls somebody, an action is marked."""
        room = self.alice.room("lobby")
        self.alice.do(room.send("hi @bob, @nobody", reply_to=self.message.message_id))
        self.alice.do(room.send("waves", action=True))
        reply, action = self.bob.events(MessageReceived)[-2:]
        self.assertEqual((self.message.message_id, True, False), (reply.reply_to, reply.mentioned, reply.action))
        self.assertEqual((None, False, True), (action.reply_to, action.mentioned, action.action))

    def test_reference(self) -> None:
        """A message is meant by its number, or as the last one."""
        room = self.alice.room("lobby")
        self.assertEqual("helo", room.message("-1", own=False).text)
        self.assertEqual("helo", room.message(str(self.message.seq), own=False).text)
        self.assertRaises(NotFound, room.message, "-1", own=True)

    def test_read_marker(self) -> None:
        """What was read is remembered, here and at the server."""
        self.assertEqual(1, self.alice.room("lobby").unread)
        self.alice.do(self.alice.room("lobby").mark_read())
        self.assertEqual(0, self.alice.room("lobby").unread)
