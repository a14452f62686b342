"""A person who talks in several rooms."""

from dataclasses import replace
from typing import cast

from twisted.internet.defer import Deferred

from chatserv.client import (
    Alarm,
    MessageEdited,
    RoomLeft,
    RoomOffered,
    RoomRewound,
    RoomTitled,
)
from clients.terminal.scrollback import MOST_KEPT
from tests.client.slash_fakes import FakeRoom, message
from tests.clients.terminal.conversation_fakes import ID, ConversationTestCase


class RoomsTests(ConversationTestCase):
    """Rooms of a conversation."""

    def test_other_rooms(self) -> None:
        """What is said elsewhere is counted and not printed; who is called is told so once, without the text, and rung."""
        self.begin()
        self.client.tell(message(1, "secret", room="plans"))
        self.assertEqual((self.fresh(), self.screen.rings), ([], 0))
        self.client.tell(message(2, "secret", room="plans", mentioned=True))
        self.client.tell(message(1, "secret", room="@bob"))
        self.client.tell(message(2, "secret", room="@bob"))
        self.assertEqual(self.fresh(), ["-- bob mentioned you in #plans: Alt+2", "-- bob sent you a message: Alt+3"])
        self.assertEqual(self.screen.rings, 1)
        self.assertEqual(self.bar(), "[1:#lobby] 2:#plans (2!) 3:@bob (2!)")
        self.client.tell(message(3, "mine", "alice", room="plans"))
        self.assertEqual(self.bar(), "[1:#lobby] 2:#plans (2!) 3:@bob (2!)")

    def test_direct_messages_begin_anew(self) -> None:
        """Places begin anew with the room in which direct messages go on: what is said there is shown, behind a line."""
        self.begin("--room", "@bob")
        for seq, text, room in ((7, "before", b"o"), (1, "after", b"n"), (2, "and more", b"n"), (2, "once more", b"n")):
            self.client.tell(replace(message(seq, text, room="@bob"), room_id=room * 16))
        said = "── new identity: the conversation begins anew ──"
        self.assertEqual(self.fresh(), ["<bob> before", said, "<bob> after", "<bob> and more"])

    def test_rings_here(self) -> None:
        """A mention in the current room rings too, a line of one's own does not."""
        self.begin()
        self.client.tell(message(1, "x", "alice", mentioned=True))
        self.assertEqual(self.screen.rings, 0)
        self.client.tell(message(2, "x", mentioned=True))
        self.assertEqual(self.screen.rings, 1)

    def test_rings_for_an_offer(self) -> None:
        """Somebody who invites us, or wants to talk, rings."""
        self.begin()
        self.client.tell(RoomOffered("offer", "bob"))
        self.assertEqual(self.screen.rings, 1)

    def test_change(self) -> None:
        """Alt and a digit, and Alt-A, enter rooms: a header, what was said last, and from then on lines go there."""
        conversation = self.begin()
        plans = self.client.there["plans"]
        plans.kept, plans.read = [message(1, "one", room="plans")], 1
        conversation.room_wanted(2)
        conversation.room_wanted(9)
        self.assertEqual(self.fresh(), ["── #plans ──", "<bob> one"])
        self.assertEqual([cast(FakeRoom, room).name for room in self.screen.rooms], ["lobby", "plans"])
        conversation.line_typed("x")
        self.assertEqual(self.client.calls, [("plans", "send", "x", False, None)])
        conversation.active_room_wanted()
        self.assertEqual(self.fresh(), [])
        self.client.tell(message(1, room="@bob"))
        conversation.active_room_wanted()
        self.assertEqual(self.fresh()[1:], ["── @bob ──"])
        self.assertEqual(self.bar(), "1:#lobby 2:#plans [3:@bob]")

    def test_many_unread(self) -> None:
        """Of very many unread messages the last ones are shown, and the others counted."""
        self.begin()
        plans = self.client.there["plans"]
        plans.kept = [message(seq % 250, str(seq), room="plans") for seq in range(1000)]
        plans.unread = 1000
        self.screen.conversation.room_wanted(2)
        lines = self.fresh()
        self.assertEqual(lines[1], "-- More unread messages: 800; /log shows them.")
        self.assertEqual(sum(line.startswith("<bob>") for line in lines), MOST_KEPT)

    def test_commands_that_lead_elsewhere(self) -> None:
        """A command that goes to another room shows the room in place of its answer, and messages only once."""
        conversation = self.begin()
        self.client.there["offer"].kept = [message(1, "meanwhile", room="offer")]
        conversation.line_typed("/accept #offer")
        self.assertEqual(self.fresh(), ["── #offer ──", "── new ──", "<bob> meanwhile"])
        self.assertEqual(self.bar(), "1:#lobby 2:#plans 3:@bob [4:#offer]")

    def test_what_a_new_room_means(self) -> None:
        """Who gets to know what of a new room is told before the room is shown."""
        conversation = self.begin()
        conversation.line_typed("/create new")
        first, *rest = self.fresh()
        self.assertIn("#new is private", first)
        self.assertEqual(rest, ["── #new ──"])

    def test_put_out(self) -> None:
        """Whoever is put out of the current room is told, and stands nowhere: what is being typed reaches nobody else."""
        conversation = self.begin()
        conversation.room_wanted(2)
        self.fresh()
        del self.client.there["plans"]
        self.client.tell(RoomLeft("plans", "bob"))
        self.assertEqual(self.fresh(), ["-- bob removed you from #plans."])
        self.assertEqual(self.bar(), "1:#lobby 2:@bob")
        conversation.line_typed("secret for plans")
        self.assertEqual(self.client.calls, [])
        self.assertIn("Not sent: You are not in a room #plans", self.fresh()[0])
        conversation.room_wanted(1)
        self.assertEqual(self.fresh(), ["── #lobby ──"])
        del self.client.there["lobby"]
        self.client.tell(RoomLeft("lobby"))
        self.assertEqual(self.fresh(), ["-- You are no longer in #lobby."])
        self.assertEqual(self.bar(), "1:@bob")
        conversation.line_typed("x")
        self.assertIn("Not sent: You are not in a room #lobby", self.fresh()[0])

    def test_room_changed_while_a_command_leads_elsewhere(self) -> None:
        """A room that is chosen while a command is under way is gone to after it, and lines go where they were meant to."""
        conversation = self.begin()
        joining: Deferred[None] = Deferred()

        async def join(name: str) -> FakeRoom:
            await joining
            return self.client.there[name]

        self.patch(self.client, "join", join)
        conversation.line_typed("/join plans")
        conversation.room_wanted(3)
        conversation.line_typed("for bob")
        self.assertEqual(self.client.calls, [])
        joining.callback(None)
        self.assertEqual(self.client.calls, [("@bob", "send", "for bob", False, None)])
        self.assertEqual(self.bar(), "1:#lobby 2:#plans [3:@bob]")

    def test_rewound_elsewhere(self) -> None:
        """Where the server has lost messages of a room that is not on the screen, the new ones in their places are shown."""
        conversation = self.begin()
        plans = self.client.there["plans"]
        plans.kept, plans.read, plans.position = [message(50, "old", room="plans")], 50, 20
        self.client.tell(RoomRewound("plans", 50, 20))
        self.assertIn("#plans: The server lost messages of this room", self.fresh()[0])
        conversation.room_wanted(2)
        self.fresh()
        self.client.tell(message(21, "new", room="plans"))
        self.assertEqual(self.fresh(), ["<bob> new"])

    def test_renamed(self) -> None:
        """A room that gets another name stays the current one, without being entered again."""
        conversation = self.begin()
        conversation.room_wanted(2)
        self.fresh()
        room = self.client.there.pop("plans")
        room.name = "ideas"
        self.client.there["ideas"] = room
        self.client.tell(RoomTitled("ideas", "plans", "", "bob"))
        self.assertEqual(len(self.fresh()), 1)
        self.assertEqual(self.bar(), "1:#lobby [2:#ideas] 3:@bob")

    def test_news(self) -> None:
        """News of the current room are told, those of others are not; what concerns all is."""
        self.begin()
        self.client.tell(MessageEdited("plans", ID, "bob", "x"))
        self.assertEqual(self.fresh(), [])
        self.client.tell(MessageEdited("lobby", ID, "bob", "x"))
        self.client.tell(Alarm("old_log"))
        self.client.tell(RoomOffered("@eve", "eve"))
        lines = self.fresh()
        self.assertEqual(lines[0], "-- #lobby: bob edited an older message: x")
        self.assertTrue(lines[1].startswith("-- ALARM"))
        self.assertEqual(lines[2:], ["-- eve wants to chat with you: /accept @eve or /refuse @eve"])

    def test_rewound(self) -> None:
        """Where the server has lost messages, those that come in their places are shown."""
        self.begin()
        self.client.tell(message(7, "seven"))
        self.client.tell(RoomRewound("plans", 7, 3))
        self.client.tell(message(5, "five"))
        self.client.tell(RoomRewound("lobby", 7, 3))
        self.client.tell(message(3, "three"))
        self.client.tell(message(4, "four"))
        self.assertEqual([line for line in self.fresh() if not line.startswith("--")], ["<bob> seven", "<bob> four"])
