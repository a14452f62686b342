"""Messages that a server, or a member, plays with: what whole clients show of it (docs/rooms.rst 7.3 and 11)."""

import msgspec

from chatserv.client.events import GapSeen, MessageReceived, MessagesMissing
from chatserv.client.inbound import room_queue
from chatserv.crypto.bodies import Text
from chatserv.crypto.content import ContentType, LogHead
from chatserv.crypto.room_state import Role
from chatserv.errors import Muted
from chatserv.models import EventKind
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import (
    AttackCase,
    Renumber,
    Tap,
    alarms,
    count,
    engine_of,
    entry_of,
    is_message,
    room_of,
    say_anything,
    sealed,
    swapping,
    with_header,
)


def unreadable(person: Person, room: str) -> int:
    """How many messages a person was shown as not readable."""
    return sum(event.unreadable for event in person.events(MessageReceived) if event.room == room)


class ServerTests(AttackCase):
    """A server that does not pass on what it was given, as it was given."""

    def setUp(self) -> None:
        """A private room of three, in which the epoch's keys are held by everybody."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.alice.say("plans", "first")
        self.bob.say("plans", "second")
        self.world.settle(2)
        self.before = [("alice1", "first"), ("bob1", "second")]
        self.assertEqual(self.before, self.carol.texts("plans"))
        self.tap = Tap(self.carol)

    def still_talks(self) -> None:
        """What everybody says from now on arrives."""
        self.alice.say("plans", "go on")
        self.carol.say("plans", "I do")
        self.assertEqual([("alice1", "go on"), ("carol1", "I do")], self.carol.texts("plans")[-2:])
        self.assertEqual(("carol1", "I do"), self.alice.texts("plans")[-1])

    def shifted(self, more: int) -> Renumber:
        """The edit of a server that has put so many events of its own into the room."""
        edit = Renumber(room_of(self.carol, "plans").room_id, lambda _: False)
        edit.dropped = -more
        return edit

    def test_replayed(self) -> None:
        """The same message once more, at another place, is not shown as said twice, and what comes next is read."""
        self.alice.say("plans", "pay him")
        again = self.tap.events("plans")[-1]
        self.tap.edit = self.shifted(1)
        self.tap.post("plans", again.body, again.sender)
        self.assertEqual([*self.before, ("alice1", "pay him"), ("alice1", None)], self.carol.texts("plans"))
        self.assertEqual(1, unreadable(self.carol, "plans"))
        self.still_talks()

    def test_replayed_at_its_place(self) -> None:
        """An event that was dealt with is not looked at again."""
        self.alice.say("plans", "pay him")
        self.tap.send(self.tap.events("plans")[-1])
        self.assertEqual([*self.before, ("alice1", "pay him")], self.carol.texts("plans"))
        self.still_talks()

    def swap(self, first: Person, second: Person) -> None:
        """Carol gets what two people say in the other order."""
        self.tap.edit = swapping()
        first.say("plans", "one")
        second.say("plans", "two")
        self.tap.edit = lambda message: (message,)

    def test_two_senders_swapped(self) -> None:
        """The order of two senders is the server's: both are shown, and nothing is missing."""
        self.swap(self.alice, self.bob)
        self.assertEqual([*self.before, ("bob1", "two"), ("alice1", "one")], self.carol.texts("plans"))
        self.assertEqual(0, count(self.carol, MessagesMissing))
        self.still_talks()

    def test_one_sender_swapped(self) -> None:
        """One sender's two messages in the other order are both shown; the hole between them is told while it is there."""
        self.swap(self.alice, self.alice)
        self.assertEqual([*self.before, ("alice1", "two"), ("alice1", "one")], self.carol.texts("plans"))
        self.assertEqual([MessagesMissing("plans", "alice1", 1)], self.carol.events(MessagesMissing))
        self.still_talks()

    def test_dropped_with_a_hole(self) -> None:
        """A message that is left out is told by its place, and by its sender's next one."""
        self.tap.edit = lambda message: () if is_message(message) else (message,)
        self.alice.say("plans", "lost")
        self.tap.edit = lambda message: (message,)
        self.alice.say("plans", "there")
        self.assertEqual([("alice1", "there")], self.carol.texts("plans")[2:])
        self.assertEqual(1, count(self.carol, GapSeen))
        self.assertEqual([MessagesMissing("plans", "alice1", 1)], self.carol.events(MessagesMissing))

    def test_dropped_without_a_hole(self) -> None:
        """A server that numbers anew is found out by the sender's next message."""
        lossy = self.tap.edit = Renumber(room_of(self.carol, "plans").room_id, is_message)
        self.alice.say("plans", "lost")
        self.tap.edit = self.shifted(-lossy.dropped)
        self.alice.say("plans", "there")
        self.assertEqual(0, count(self.carol, GapSeen))
        self.assertEqual([MessagesMissing("plans", "alice1", 1)], self.carol.events(MessagesMissing))

    def test_dropped_last(self) -> None:
        """The last message of an epoch that is left out is told by the next commit, which says what was seen."""
        self.tap.edit = Renumber(room_of(self.carol, "plans").room_id, is_message)
        self.bob.say("plans", "lost")
        self.bob.say("plans", "lost too")
        self.alice.do(self.alice.room("plans").rotate())
        self.assertEqual([MessagesMissing("plans", "bob1", 2, "alice1")], self.carol.events(MessagesMissing))
        self.assertEqual([], alarms(self.carol))

    def test_whole_epoch_dropped(self) -> None:
        """Where every message of an epoch is left out, the next commit tells that too, though the keys were never opened."""
        self.alice.do(self.alice.room("plans").rotate())
        self.tap.edit = Renumber(room_of(self.carol, "plans").room_id, is_message)
        self.bob.say("plans", "lost")
        self.alice.do(self.alice.room("plans").rotate())
        self.assertEqual([MessagesMissing("plans", "bob1", 1, "alice1")], self.carol.events(MessagesMissing))

    def test_far_ahead(self) -> None:
        """A generation more than 1000 ahead is not followed, and what comes in its turn is read."""
        envelope = sealed(self.bob, "plans", ContentType.TEXT, b"")
        self.tap.edit = self.shifted(1)
        self.tap.post("plans", with_header(envelope, generation=5000), "bob1")
        self.assertEqual(1, unreadable(self.carol, "plans"))
        self.assertEqual(0, count(self.carol, MessagesMissing))
        self.bob.say("plans", "in its turn")
        self.assertEqual(("bob1", "in its turn"), self.carol.texts("plans")[-1])
        self.still_talks()

    def test_header_edited(self) -> None:
        """A message under an edited header does not open: leaf, epoch, generation, guard and room are all bound."""
        edits = {
            "leaf": entry_of(room_of(self.carol, "plans"), "bob1").leaf,
            "epoch": 99,
            "generation": 7,
            "reuse_guard": b"evil",
            "room_id": bytes(16),
        }
        for number, (name, value) in enumerate(edits.items(), 1):
            envelope = sealed(self.alice, "plans", ContentType.TEXT, b"")
            self.tap.post("plans", with_header(envelope, **{name: value}), "alice1")
            self.assertEqual(number, unreadable(self.carol, "plans"), name)
        self.assertEqual(self.before, [text for text in self.carol.texts("plans") if text[1] is not None])

    def test_another_room(self) -> None:
        """A message of another room, of which the reader holds the keys too, is nothing here."""
        self.private_room(self.carol, name="other")
        self.tap = Tap(self.carol)
        self.alice.say("other", "yes")
        there = [event for event in self.tap.events("other") if is_message(event)][-1]
        self.tap.post("plans", there.body, "alice1")
        spliced = with_header(there.body, room_id=room_of(self.carol, "plans").room_id)
        self.tap.post("plans", spliced, "alice1")
        self.assertEqual(2, unreadable(self.carol, "plans"))
        self.assertNotIn(("alice1", "yes"), self.carol.texts("plans"))

    def test_closed_epoch(self) -> None:
        """A message of an epoch that is over is not read, however honest it was."""
        held = sealed(self.alice, "plans", ContentType.TEXT, Text("late").encode())
        self.bob.do(self.bob.room("plans").rotate())
        self.tap.post("plans", held, "alice1")
        self.assertEqual(1, unreadable(self.carol, "plans"))
        self.assertEqual(self.before, [text for text in self.carol.texts("plans") if text[1] is not None])

    def test_sender_named_wrongly(self) -> None:
        """Who is shown is the owner of the keys, whatever the server says."""
        self.tap.edit = lambda message: (
            (msgspec.structs.replace(message, sender="bob1"),) if isinstance(message, messages.Event) else (message,)
        )
        self.alice.say("plans", "it was me")
        self.assertEqual(("alice1", "it was me"), self.carol.texts("plans")[-1])

    def test_muted(self) -> None:
        """What a muted member says is not shown, also where a server carries it; the others are."""
        self.alice.do(self.alice.room("plans").mute("bob1"))
        self.assertRaises(Muted, self.bob.say, "plans", "but")
        self.carol.say("plans", "quiet")
        self.bob.do(self.bob.client.engine.keys.hold(room_of(self.bob, "plans")))
        self.tap.edit = self.shifted(1)
        envelope = sealed(self.bob, "plans", ContentType.TEXT, Text("but").encode())
        self.tap.post("plans", envelope, "bob1")
        self.assertNotIn("bob1", [sender for sender, _ in self.carol.texts("plans")[2:]])
        self.still_talks()

    def test_muted_once_more(self) -> None:
        """What somebody says once more, muted, is forgotten with what they had said, when that is taken back."""
        (said,) = [each for each in self.carol.events(MessageReceived) if each.sender == "bob1"]
        kept, room = engine_of(self.carol).context.vault.kept_events, room_of(self.carol, "plans")
        self.alice.do(self.alice.room("plans").mute("bob1"))
        self.bob.do(self.bob.client.engine.keys.hold(room_of(self.bob, "plans")))
        self.tap.edit = self.shifted(1)
        body = Text("but").encode()
        self.tap.post("plans", sealed(self.bob, "plans", ContentType.TEXT, body, message_id=said.message_id), "bob1")
        self.assertIn(said.message_id, [each.id for each in kept.after(room.room_id, said.seq, 100)])
        self.alice.do(self.alice.room("plans").delete(said.message_id))
        self.world.settle(2)
        self.assertNotIn(said.message_id, [each.id for each in kept.after(room.room_id, 0, 100)])

    def test_own_message_made_up(self) -> None:
        """What a server puts under our own name, and we never said, is not shown as ours."""
        own = entry_of(room_of(self.carol, "plans"), "carol1").leaf
        envelope = sealed(self.bob, "plans", ContentType.TEXT, b"")
        self.tap.post("plans", with_header(envelope, leaf=own, generation=40), "carol1")
        self.assertNotIn("carol1", [sender for sender, text in self.carol.texts("plans") if text is not None])

    def test_numbers_of_any_size(self) -> None:
        """A clock, a kind or a sender beyond all bounds does not stop a room."""
        self.tap.edit = lambda message: (
            (msgspec.structs.replace(message, at=2**64 - 1),) if is_message(message) else (message,)
        )
        self.alice.say("plans", "when?")
        self.tap.edit = lambda message: (message,)
        self.still_talks()
        self.assertIn(("alice1", "when?"), self.carol.texts("plans"))

    def test_garbage_events(self) -> None:
        """Events with garbage in them are shown as unreadable, and the next honest one is read."""
        for number, body in enumerate((b"", b"x", bytes(309), b"\x10" * 309, b"\xff" * 12_000), 1):
            self.tap.edit = self.shifted(number)
            self.tap.post("plans", body, "alice1", kind=EventKind.MESSAGE)
            self.assertEqual(number, unreadable(self.carol, "plans"))
        self.still_talks()

    def test_flood(self) -> None:
        """More events than a client holds end the connection, and the next one brings the room up to date."""
        self.patch(room_queue, "MAX_QUEUED", 3)
        number = room_of(self.carol, "plans").room_id
        events = [messages.Event(number, 100 + at, 0, "bob1", EventKind.MESSAGE, b"x") for at in range(10)]
        self.tap.send(*events)
        self.world.settle(10)
        self.assertTrue(self.carol.online)
        self.still_talks()

    def test_read_what_is_not_said_yet(self) -> None:
        """A marker of ours, or of others, beyond what has come is not taken: what is said later stays unread."""
        room = self.carol.room("plans")
        self.carol.do(room.mark_read())
        for user in ("carol1", "bob1"):
            self.tap.send(messages.Read(room_of(self.carol, "plans").room_id, user, 2**63 - 1))
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.bob.say("plans", "are you there?")
        self.assertEqual(1, self.carol.room("plans").unread)
        self.carol.room("plans").mark_seen(2**63 - 1)
        self.assertEqual(0, self.carol.room("plans").unread)
        self.bob.say("plans", "and now?")
        self.assertEqual(1, self.carol.room("plans").unread)
        self.assertEqual([0], [member.read for member in self.carol.room("plans").members() if member.user == "bob1"])


class PeerTests(AttackCase):
    """A member who sends what no honest client would."""

    def setUp(self) -> None:
        """A private room of three, with a message that others can speak of."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.alice.say("plans", "target")
        self.target = self.carol.events(MessageReceived)[-1].message_id

    def still_talks(self) -> None:
        """What everybody says from now on arrives, and nobody was warned."""
        self.alice.say("plans", "go on")
        self.carol.say("plans", "I do")
        self.assertEqual([("alice1", "go on"), ("carol1", "I do")], self.alice.texts("plans")[-2:])
        self.assertEqual([("alice1", "go on"), ("carol1", "I do")], self.carol.texts("plans")[-2:])
        self.nobody_alarmed()

    def test_every_type_with_garbage(self) -> None:
        """Garbage in each type of content, known or not, stops nobody; what is no text is shown as none."""
        bodies = (b"", b"\xff" * 40, self.target, self.target + b"\xff\xff\xff\xff", bytes(300), self.target * 200)
        for ctype in (*range(13), 77, 255):
            for body in bodies:
                say_anything(self.bob, "plans", ctype, body)
        self.assertFalse([text for sender, text in self.carol.texts("plans") if sender == "bob1" and text])
        self.still_talks()

    def test_names_of_others(self) -> None:
        """A member cannot edit, take back, or rename for others what is not theirs."""
        say_anything(self.bob, "plans", ContentType.EDIT, self.target + Text("wrong").encode())
        say_anything(self.bob, "plans", ContentType.DELETE, self.target)
        say_anything(self.bob, "plans", ContentType.ROOM_NAME, b"\5wrong\0\0")
        self.assertEqual(["target"], [each.text for each in self.carol.room("plans").history()])
        self.still_talks()

    def test_id_of_another(self) -> None:
        """A message under an id that somebody else has used is shown beside theirs, and changes nothing of it."""
        say_anything(self.bob, "plans", ContentType.TEXT, Text("mine").encode(), message_id=self.target)
        self.assertEqual(["target", "mine"], [each.text for each in self.carol.room("plans").history()])
        self.still_talks()

    def test_log_that_there_is_not(self) -> None:
        """A member's unproven word about the log keeps others from talking only while they share a room with that member."""
        self.patch(engine_of(self.bob).auditor.gossip, "_answer", lambda _: None)  # who lies, and shows nothing
        for size in (2**63, 2**64 - 1, 1):
            say_anything(self.bob, "plans", ContentType.TEXT, Text("hi").encode(), LogHead(size, b"\xee" * 32))
        waiting = self.carol.client.send("plans", "I do too")
        self.world.settle(5)
        self.assertNoResult(waiting)
        for room in ("plans", "lobby"):
            self.alice.do(self.alice.room(room).kick("bob1"))
        self.carol.do(waiting)
        self.assertEqual(("carol1", "I do too"), self.alice.texts("plans")[-1])


class MutedNowTests(AttackCase):
    """Roles that end while messages are under way."""

    def test_moderator_no_more(self) -> None:
        """Who was a moderator cannot take back what others say, once they are none."""
        self.private_room(self.bob, self.carol)
        self.alice.do(self.alice.room("plans").set_role("bob1", "moderator"))
        self.alice.do(self.alice.room("plans").set_role("bob1", "member"))
        self.assertEqual(Role.MEMBER, room_of(self.carol, "plans").state.role("bob1"))  # type: ignore[union-attr]
        self.carol.say("plans", "stays")
        target = self.alice.events(MessageReceived)[-1].message_id
        say_anything(self.bob, "plans", ContentType.DELETE, target)
        self.assertEqual(["stays"], [each.text for each in self.alice.room("plans").history()])
