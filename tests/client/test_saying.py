"""What `send`, `edit`, `delete` and `react` take, and what they give."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import MessageReceived, Sent, TextEmpty, TextInvalid
from chatserv.client.events import SendAcknowledged
from chatserv.errors import NameInvalid
from chatserv.testing.world import World

BLANK = (
    "",
    " ",
    "\n\t",
    "\u200b",
    "\u00a0\u3000\u2003",
    "\ufeff",
    "\u2060\u200d",
    "\x00\x1b",
    "\u3164\u115f",
    "\ufe0f",
    "\u2800",
    "\u202e",
)


class SayingCase(SynchronousTestCase):
    """Alice and bob in the lobby."""

    def setUp(self) -> None:
        """Both are there."""
        self.world = World(self.mktemp())
        self.addCleanup(self.world.close)
        self.alice, self.bob = (self.world.person(name, admin=name == "alice") for name in ("alice", "bob"))
        self.lobby = self.alice.room("lobby")


class SentTests(SayingCase):
    """`Sent`."""

    def test_message_id(self) -> None:
        """The id is there at once, and is the one by which everybody is told of the message."""
        sent = self.lobby.send("hello")
        seq = self.alice.do(sent.stored)
        self.world.settle()
        for person in (self.alice, self.bob):
            received = person.events(MessageReceived)[-1]
            self.assertEqual((received.message_id, received.seq), (sent.message_id, seq))

    def test_all_four(self) -> None:
        """Edits, signs and deletions have ids of their own, which are acknowledged; `Client.send` gives one too."""
        first = self.alice.client.send("lobby", "hello")
        self.alice.do(first)
        said = [self.lobby.edit(first.message_id, "hullo"), self.lobby.react(first.message_id, "+1")]
        said.append(self.lobby.delete(first.message_id))
        for each in said:
            self.assertIsInstance(each, Sent)
            self.assertIsInstance(each, Deferred)
            self.alice.do(each)
        acknowledged = [event.message_id for event in self.alice.events(SendAcknowledged)]
        self.assertEqual(acknowledged[-4:], [each.message_id for each in (first, *said)])
        self.assertEqual(len({first.message_id, *(each.message_id for each in said)}), 4)

    def test_as_before(self) -> None:
        """Programs that add callbacks to it get the place of the message, as ever."""
        places: list[int] = []
        self.alice.client.send("lobby", "hello").addCallback(places.append)
        self.world.settle()
        self.assertEqual(places, [self.lobby.history()[-1].seq])


class BlankTests(SayingCase):
    """What has nothing to be seen is not sent."""

    def test_refused(self) -> None:
        """No text, no edit, no answer, no sign and no announcement; nothing of it reaches the outbox."""
        said = self.lobby.send("hello")
        self.alice.do(said)
        for text in BLANK:
            self.assertRaises(TextEmpty, self.lobby.send, text)
            self.assertRaises(TextEmpty, self.lobby.send, text, action=True)
            self.assertRaises(TextEmpty, self.lobby.send, text, reply_to=said.message_id)
            self.assertRaises(TextEmpty, self.lobby.edit, said.message_id, text)
            self.assertRaises(TextInvalid, self.lobby.react, said.message_id, text)
            self.assertRaises(TextEmpty, self.alice.do, self.alice.client.admin.announce(text))
        self.assertEqual(self.alice.client.unacknowledged, 0)

    def test_around(self) -> None:
        """Spaces around something stay, as they may be an indentation."""
        for text in ("  four spaces", "a\n", "\u200bx", ".", "👩\u200d👧", "\ue000"):
            self.alice.do(self.lobby.send(text))
            self.assertEqual(self.lobby.history()[-1].text, text)

    def test_topic(self) -> None:
        """A topic without anything to be seen is none."""
        plans = self.alice.do(self.alice.client.create_room("plans", topic="this"))
        self.alice.do(plans.set_topic(" \u200b"))
        self.world.settle()
        self.assertEqual(plans.topic, "")


class NameTests(SayingCase):
    """How a new room can be called."""

    def test_beginning(self) -> None:
        """It begins with a letter or a digit, public or not, also where it is renamed."""
        for name in ("~plans", "&plans", "%plans", "+plans", "$plans", "=plans", "-plans", "_plans", ".plans"):
            for public in (False, True):
                self.assertRaises(NameInvalid, self.alice.do, self.alice.client.create_room(name, public=public))
        plans = self.alice.do(self.alice.client.create_room("7plans-_.+"))
        self.assertRaises(NameInvalid, self.alice.do, plans.rename("-plans"))
        self.alice.do(plans.rename("страница"))
        self.world.settle()
        self.assertEqual(plans.name, "страница")
