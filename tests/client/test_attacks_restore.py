"""Copies from earlier, on either side: a server or a client that was restored from a backup.

See docs/rooms.rst 7.1, docs/crypto.rst 2 and 7.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec

from chatserv.client import Sent
from chatserv.client.errors import RoomWithheld, ServerDistrusted, StandsStill
from chatserv.client.events import Alarm, MessageReceived, MessagesMissing, RoomRewound
from chatserv.crypto.envelope import Envelope
from chatserv.models import EventKind
from chatserv.testing.world import Person
from chatserv.wire import messages
from clients.shared.event_text import news
from tests.client.attackers import AttackCase, OldCopy, Tap, alarms, engine_of, room_of, with_certificates

ANOTHER = b"another store id"


class RestoreCase(AttackCase):
    """Alice, Bob and Carol in a private room."""

    def setUp(self) -> None:
        """The room, with something said in it."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.alice.say("plans", "first")
        self.bob.say("plans", "second")
        self.world.settle(2)

    def sends(self, person: Person, text: str, room: str = "plans", seconds: int = 10) -> bool:
        """Whether something that a person says is acknowledged before long."""
        acknowledged: list[object] = []
        person.client.send(room, text).addCallbacks(acknowledged.append, lambda _: None)
        self.world.settle(seconds)
        return bool(acknowledged)

    def shown(self, person: Person, text: str, room: str = "plans") -> int:
        """How often a person was shown a text."""
        return [each for _, each in person.texts(room)].count(text)


class ServerTests(RestoreCase):
    """The server goes back to what it was: by accident or not."""

    def test_lost_messages(self) -> None:
        """Where messages alone were lost, that is told, and everybody can go on."""
        for incarnation in (None, ANOTHER):
            old = OldCopy(self.world)
            self.alice.say("plans", "lost one")
            self.bob.say("plans", "lost two")
            self.carol.say("plans", "lost three")
            old.restore(incarnation=incarnation)
            self.world.settle(8)
            for person in (self.alice, self.bob, self.carol):
                self.assertTrue(person.online, person.name)
                self.assertEqual(["plans"], [event.room for event in person.events(RoomRewound)], person.name)
                self.assertEqual([], alarms(person), person.name)
            for number, person in enumerate((self.alice, self.bob, self.carol)):
                self.assertTrue(self.sends(person, f"go on {number}"), person.name)
            for person in (self.alice, self.bob, self.carol):
                for number in range(3):
                    self.assertEqual(1, self.shown(person, f"go on {number}"), person.name)
                self.assertEqual([], alarms(person), person.name)
                person.told.clear()

    def test_lost_commit(self) -> None:
        """Where a commit was lost, who has seen it sends nothing in that room, and is told; what they say elsewhere goes."""
        old = OldCopy(self.world)
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.alice.say("plans", "without bob")
        old.restore()
        self.world.settle(8)
        for person in (self.alice, self.carol):
            self.assertEqual(["plans"], [event.room for event in person.events(RoomRewound)], person.name)
            self.assertFalse(self.sends(person, "to bob?"), person.name)
            self.assertTrue(self.sends(person, "lobby", "lobby"), person.name)
        self.assertEqual(0, self.shown(self.bob, "to bob?"))

    def test_lost_commit_and_restarted(self) -> None:
        """Nor after a restart of the program, or the next connection."""
        old = OldCopy(self.world)
        self.alice.do(self.alice.room("plans").kick("bob1"))
        old.restore()
        self.world.settle(8)
        self.world.server.cut()
        self.world.settle(8)
        self.assertFalse(self.sends(self.alice, "to bob?"))
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.assertFalse(self.sends(self.carol, "to bob?"))
        self.assertEqual(0, self.shown(self.bob, "to bob?"))

    def test_lost_commit_and_another_in_its_place(self) -> None:
        """Who has seen the lost commit does not go on beside another one of the same number: nothing is acknowledged and
        unreadable.
        """
        self.carol.leave_the_machine()
        old = OldCopy(self.world)
        self.alice.do(self.alice.room("plans").rotate())
        for number in range(5):
            self.alice.say("plans", f"lost {number}")
        self.alice.leave_the_machine()
        self.world.server.cut()
        old.restore()
        self.bob.leave_the_machine()
        self.carol.come_back()
        with_certificates(self.carol)
        self.carol.do(self.carol.room("plans").rotate())
        self.alice.come_back()
        acknowledged = self.sends(self.alice, "who reads this?")
        self.assertEqual(int(acknowledged), self.shown(self.carol, "who reads this?"))

    def test_lost_rooms(self) -> None:
        """A room that the server does not know any more is told, and what was said in it stays; its owner can leave it."""
        old = OldCopy(self.world)
        self.alice.do(self.alice.client.create_room("later"))
        self.alice.say("later", "keep this")
        old.restore()
        self.world.settle(8)
        self.assertEqual([Alarm("room_withheld", "later")], self.alice.events(Alarm))
        self.assertEqual(["keep this"], [each.text for each in self.alice.room("later").history()])
        self.alice.do(self.alice.room("later").leave())
        self.assertNotIn("later", self.alice.client.rooms)
        self.assertTrue(self.sends(self.alice, "go on"))

    def test_state_goes_back_for_one(self) -> None:
        """A server that shows one person an older head than they have is found out, and nothing is sent there."""
        self.show_older(self.carol, 1, 3)
        self.assertEqual(["plans"], [event.room for event in self.carol.events(RoomRewound)])
        self.assertFalse(self.sends(self.carol, "who is there?"))
        self.assertEqual(0, self.shown(self.alice, "who is there?"))

    def test_history_stays(self) -> None:
        """What was read stays, whatever older head a server shows: it cannot take messages away from a person."""
        before = [each.text for each in self.carol.room("plans").history()]
        self.assertEqual(["first", "second"], before)
        self.show_older(self.carol, 2, room_of(self.carol, "plans").row.cursor)  # type: ignore[union-attr]
        self.assertEqual(before, [each.text for each in self.carol.room("plans").history()])

    def show_older(self, person: Person, epochs: int, events: int) -> None:
        """The server tells one person of an older head than they have."""
        info = room_of(person, "plans")
        epoch = info.head.epoch

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if not isinstance(message, messages.Welcome):
                return [message]
            rooms = tuple(
                msgspec.structs.replace(each, epoch=epoch - epochs, head=each.head - events)
                if each.room == info.room_id
                else each
                for each in message.rooms
            )
            return [msgspec.structs.replace(message, rooms=rooms)]

        Tap(person, edit)
        self.world.server.cut()
        self.world.settle(8)


class ClientTests(RestoreCase):
    """A client whose files were restored from an earlier copy."""

    def roll_back(self, person: Person, between: list[str]) -> None:
        """The person goes on from a copy of their files that is older than some of what they said."""
        person.leave_the_machine()
        place, kept = Path(person.profile.directory), Path(f"{person.profile.directory}.copy")
        shutil.copytree(place, kept)
        person.come_back()
        for text in between:
            person.say("plans", text)
        person.leave_the_machine()
        shutil.rmtree(place)
        kept.rename(place)
        person.come_back()

    def nonces(self) -> list[tuple[int, int, int, bytes]]:
        """Epoch, leaf, generation and guard of all messages that the server has: what makes a nonce."""
        room = self.world.server.store._rooms._rooms[room_of(self.alice, "plans").room_id]
        headers = [Envelope.decode(each.body).header for each in room.events if each.kind == EventKind.MESSAGE]
        return [(each.epoch, each.leaf, each.generation, each.reuse_guard) for each in headers]

    def test_rolled_back_sender(self) -> None:
        """What they say next is refused under old generations, the room repairs by a rotation, and no key is used twice."""
        self.roll_back(self.bob, ["one", "two", "three"])
        self.assertTrue(self.sends(self.bob, "am I heard?", seconds=40))
        for person in (self.alice, self.carol):
            self.assertEqual(1, self.shown(person, "am I heard?"), person.name)
            self.assertEqual(0, sum(event.unreadable for event in person.events(MessageReceived)), person.name)
            self.assertEqual([], alarms(person), person.name)
        self.alice.do(self.alice.room("plans").rotate())
        self.world.settle(8)
        for person in (self.alice, self.bob, self.carol):
            self.assertEqual([], person.events(MessagesMissing), person.name)
        used = [(epoch, leaf, generation) for epoch, leaf, generation, _ in self.nonces()]
        self.assertEqual(len(set(used)), len(used))

    def test_rolled_back_many(self) -> None:
        """Also where many were lost, and with several messages at once; each is shown once, in their order."""
        self.roll_back(self.bob, [f"old {number}" for number in range(10)])
        said = [self.bob.client.send("plans", f"new {number}") for number in range(5)]
        self.world.settle(60)
        self.assertEqual([], [each for each in said if not each.called])
        for person in (self.alice, self.carol):
            texts = [text for _, text in person.texts("plans") if text and text.startswith("new")]
            self.assertEqual([f"new {number}" for number in range(5)], texts, person.name)
            self.assertEqual([], person.events(MessagesMissing), person.name)

    def test_rolled_back_reader(self) -> None:
        """A reader whose files are older reads again what is still to be read, each message once, and goes on."""
        self.roll_back(self.carol, [])
        self.alice.say("plans", "for all")
        self.assertEqual(1, self.shown(self.carol, "for all"))
        self.assertEqual([], self.carol.events(MessagesMissing))

    def test_rolled_back_behind_a_commit(self) -> None:
        """One whose copy is older than the room's newest commit comes back into the room, as its prekey may be gone."""
        self.bob.leave_the_machine()
        place, kept = Path(self.bob.profile.directory), Path(f"{self.bob.profile.directory}.copy")
        shutil.copytree(place, kept)
        self.bob.come_back()
        self.alice.do(self.alice.room("plans").rotate())
        self.alice.say("plans", "opened")
        self.bob.leave_the_machine()
        shutil.rmtree(place)
        kept.rename(place)
        self.bob.come_back()
        self.assertTrue(self.sends(self.bob, "am I heard?", seconds=60))
        self.assertEqual(1, self.shown(self.alice, "am I heard?"))

    def test_rolled_back_committer(self) -> None:
        """One whose copy is older than a commit of their own holds no keys of it, and repairs it."""
        self.bob.leave_the_machine()
        place, kept = Path(self.bob.profile.directory), Path(f"{self.bob.profile.directory}.copy")
        shutil.copytree(place, kept)
        self.bob.come_back()
        with_certificates(self.bob)
        self.bob.do(self.bob.room("plans").rotate())
        self.bob.say("plans", "in my epoch")
        self.bob.leave_the_machine()
        shutil.rmtree(place)
        kept.rename(place)
        self.bob.come_back()
        self.assertTrue(self.sends(self.bob, "am I heard?", seconds=60))
        self.assertEqual(1, self.shown(self.alice, "am I heard?"))
        self.assertEqual([], alarms(self.alice) + alarms(self.carol))

    def test_prekeys_after_a_roll_back(self) -> None:
        """Prekey numbers that were used before the copy came back are not a second key under one number."""
        before = engine_of(self.bob).context.vault.prekeys.one_time_ids()
        self.roll_back(self.bob, [])
        self.assertEqual(before, engine_of(self.bob).context.vault.prekeys.one_time_ids())


class GivenBackTests(RestoreCase):
    """What was to be sent or changed when the server has gone back: it goes on, or is given back in words."""

    def waits(self, text: str, room: str = "plans") -> list[object]:
        """Alice says something while the server is away; what comes of it."""
        found: list[object] = []
        self.alice.client.send(room, text).addBoth(found.append)
        return found

    def back(self, damage: Callable[[], object], incarnation: bytes | None) -> tuple[list[object], list[object]]:
        """The server goes back to what it was before ``damage``; what comes of a line in the room, and in the lobby."""
        old = OldCopy(self.world)
        damage()
        self.world.server.up = False
        self.world.server.cut()
        self.world.settle(2)
        lines = self.waits("it waits"), self.waits("elsewhere", "lobby")
        self.world.server.up = True
        old.restore(incarnation=incarnation)
        self.world.settle(70)
        return lines

    def error(self, found: list[object]) -> object:
        """Why a line was given back."""
        (failure,) = found
        return getattr(failure, "value", failure)

    def test_messages_lost(self) -> None:
        """Where messages alone were lost, lines go on, and so do changes."""
        for incarnation in (None, ANOTHER):
            here, elsewhere = self.back(lambda: self.alice.say("plans", "lost"), incarnation)
            self.assertEqual([int, int], [type(each) for each in (*here, *elsewhere)])
            self.assertEqual([False], [event.stopped for event in self.alice.events(RoomRewound)])
            self.alice.told.clear()
        self.alice.do(self.alice.room("plans").kick("carol1"))
        self.assertEqual(0, self.alice.client.unacknowledged)

    def test_changes_lost(self) -> None:
        """Where a change was lost, lines of that room come back in words and can be discarded; others go on."""
        here, elsewhere = self.back(lambda: self.alice.do(self.alice.room("plans").rotate()), ANOTHER)
        self.assertIsInstance(self.error(here), StandsStill)
        self.assertEqual([int], [type(each) for each in elsewhere])
        self.assertEqual(0, self.alice.client.unacknowledged)
        (waiting,) = self.alice.room("plans").waiting()
        self.assertEqual(("it waits", "failed"), (waiting.text, waiting.state))
        self.assertEqual([True], [event.stopped for event in self.alice.events(RoomRewound)])
        self.alice.room("plans").discard(waiting.message_id)

    def test_changes_are_refused(self) -> None:
        """No change of that room says that the server is busy: it says that the room stands still, after a restart too."""
        self.back(lambda: self.alice.do(self.alice.room("plans").rotate()), None)
        for again in range(2):
            plans = self.alice.room("plans")
            for change in (
                plans.kick("carol1"),
                plans.ban("carol1"),
                plans.mute("carol1"),
                plans.set_role("carol1", "moderator"),
                plans.invite("carol1"),
                plans.set_topic("other"),
                plans.rename("other"),
                plans.set_slow(5),
                plans.rotate(),
            ):
                self.assertRaises(StandsStill, self.alice.do, change)
            self.assertIsInstance(self.error(self.given(plans.send("new"))), StandsStill)
            if not again:
                self.alice.leave_the_machine()
                self.alice.come_back()
        self.assertEqual(["_trouble"], [self.words(event) for event in self.alice.events(RoomRewound)][:1])

    def given(self, sent: Sent) -> list[object]:
        """What comes of something that was sent."""
        found: list[object] = []
        sent.addBoth(found.append)
        self.world.settle(3)
        return found

    def words(self, event: RoomRewound) -> str:
        """Whether people are told what to do."""
        (line,) = news(event, lambda _room, _message_id: None)
        return "_trouble" if "new room" in line else line

    def test_room_lost(self) -> None:
        """A room that the server does not know any more gives its lines back too."""
        old = OldCopy(self.world)
        self.alice.do(self.alice.client.create_room("later"))
        self.world.server.up = False
        self.world.server.cut()
        self.world.settle(2)
        found = self.waits("it waits", "later")
        self.world.server.up = True
        old.restore(incarnation=ANOTHER)
        self.world.settle(70)
        self.assertIsInstance(self.error(found), RoomWithheld)
        self.assertRaises(RoomWithheld, self.alice.do, self.alice.room("later").set_slow(5))

    def test_log_forked(self) -> None:
        """Where somebody else has come in meanwhile, the log is another one: everything is given back, and says so."""
        old = OldCopy(self.world)
        self.world.person("dave")
        self.world.settle(5)
        self.world.server.up = False
        self.world.server.cut()
        self.world.settle(2)
        found = self.waits("it waits")
        self.world.server.up = True
        old.restore(incarnation=ANOTHER)
        self.world.person("eve")
        self.world.settle(70)
        self.assertIn("log_forked", [event.what for event in self.alice.events(Alarm)])
        self.assertIsInstance(self.error(found), ServerDistrusted)
