"""Keys whose wraps went with what a restored server has lost: rooms get new ones, and nobody is accused."""

from collections.abc import Iterable

import msgspec

from chatserv.client.events import KeysBroken, MessagesMissing, ServerRestored
from chatserv.client.state.lost_keys import RESTORED
from chatserv.crypto.restored import Restored, make_restored
from chatserv.testing.memory_server import rsa_key, server_id
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import OldCopy, Tap, alarms, engine_of, room_of
from tests.client.mending.test_restored import MendingCase


class LostKeysTests(MendingCase):
    """Commits come back with the events of a room; wraps do not."""

    def test_somebody_joined_and_others_speak(self) -> None:
        """Nobody has opened that epoch but who joined; the first message after the restore is read by all."""
        dave = self.world.person("dave")
        self.mend()
        self.bob.say("lobby", "by bob")
        self.assert_read("lobby", "bob1", "by bob", dave)

    def test_somebody_joined_and_speaks_first(self) -> None:
        """They alone hold the keys, and send nothing with them that nobody else could read."""
        dave = self.world.person("dave")
        self.mend()
        dave.say("lobby", "by dave")
        self.assert_read("lobby", "dave", "by dave", dave)

    def test_somebody_was_invited(self) -> None:
        """Also of a room that people had spoken in, before one of them came back."""
        dave = self.world.person("dave")
        self.carol.leave_the_machine()
        self.alice.do(self.alice.room("plans").invite("dave"))
        self.world.settle(3)
        self.alice.say("plans", "lost for carol")
        dave.room("plans").accept()
        self.world.settle(3)
        self.mend()
        self.alice.say("plans", "go on")
        self.carol.come_back()
        self.world.settle(60)
        self.assert_read("plans", "alice1", "go on", dave)

    def test_who_was_away_reads_a_lost_message(self) -> None:
        """They cannot, and see that; they get new keys by themselves, before anybody else speaks."""
        self.mend_while_carol_is_away()
        self.assertIn(("alice1", None), self.carol.texts("plans"))
        self.carol.say("plans", "here again")
        self.assertIn(("carol1", "here again"), self.alice.texts("plans"))
        for person in (self.alice, self.carol):
            self.assertEqual([], alarms(person), person.name)

    def test_nothing_has_changed(self) -> None:
        """A room whose keys the backup has keeps them."""
        self.world.settle(4000)
        self.alice.say("plans", "still before")
        self.old = OldCopy(self.world, accounts=True)
        epoch = room_of(self.alice, "plans").head.epoch
        self.mend()
        self.alice.say("plans", "go on")
        self.assertEqual(epoch, room_of(self.carol, "plans").head.epoch)
        self.assert_read("plans", "alice1", "go on")

    def test_one_time_prekeys_that_were_spent_since(self) -> None:
        """The backup has them still; whoever makes the next keys by them would be named for keys that do not open."""
        for person in (self.alice, self.bob):
            person.do(person.room("plans").rotate())
            person.say("plans", f"spends one of each: {person.name}")
        self.world.settle(3)
        self.mend()
        self.carol.do(self.carol.room("plans").rotate())
        self.alice.say("plans", "go on")
        self.assert_read("plans", "alice1", "go on")

    def assert_read(self, room: str, sender: str, text: str, *others: Person) -> None:
        """All have read something, and were warned of nothing."""
        for person in (self.alice, self.bob, self.carol, *others):
            self.assertIn((sender, text), person.texts(room), person.name)
            self.assertEqual([], alarms(person), person.name)
            self.assertEqual([], person.events(KeysBroken), person.name)
            self.assertEqual([], person.events(MessagesMissing), person.name)


class WithholdingTests(MendingCase):
    """A server that says it was restored is excused for no more than that."""

    def setUp(self) -> None:
        """It gives carol no wrap."""
        super().setUp()
        self.tap = Tap(self.carol, self.withhold)
        self.statement = b""

    def withhold(self, message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        """Neither by itself nor when she asks."""
        if isinstance(message, messages.WrapReady):
            return ()
        if isinstance(message, messages.Wrapped):
            return (messages.Error(message.label, "not_found"),)
        if isinstance(message, messages.Welcome) and self.statement:
            return (msgspec.structs.replace(message, restored=self.statement),)
        return (message,)

    def say_restored(self) -> None:
        """A new statement, for which there was no restore, and a new session."""
        now_ms = self.world.server.now_ms()
        said = Restored(now_ms, now_ms, 1, bytes(32), bytes(16), now_ms.to_bytes(16, "big"))
        self.statement = make_restored(said, rsa_key("server"), server_id())
        self.world.server.cut()
        self.world.settle(10)
        self.assertEqual(said.encode(), engine_of(self.carol).context.vault.facts.get(RESTORED))

    def rotate(self) -> None:
        """Alice gives the room new keys, and says something with them."""
        self.alice.do(self.alice.room("plans").rotate())
        self.alice.say("plans", "by new keys")
        self.world.settle(3)

    def test_not_restored(self) -> None:
        """Without a word of a restore it is accused at once."""
        self.rotate()
        self.assertEqual(["false_keys"], alarms(self.carol))

    def test_keys_of_after_the_restore(self) -> None:
        """What was made since explains itself by no restore of before."""
        self.say_restored()
        self.assertEqual([], alarms(self.carol))
        self.rotate()
        self.assertEqual(["false_keys"], alarms(self.carol))

    def test_once_a_statement(self) -> None:
        """Each that excuses something is shown to the person."""
        self.say_restored()
        self.say_restored()
        self.assertEqual(2, len(self.carol.events(ServerRestored)))
        self.rotate()
        self.assertEqual(["false_keys"], alarms(self.carol))

    def test_after_a_start(self) -> None:
        """What was known when everything had come is known to the next run."""
        self.say_restored()
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.tap = Tap(self.carol, self.withhold)
        self.rotate()
        self.assertEqual(["false_keys"], alarms(self.carol))

    def test_another_wrap(self) -> None:
        """Keys that are not those of the commit are false, restored or not."""
        said = Restored(0, self.world.server.now_ms(), 1, bytes(32), bytes(16), bytes(16))
        engine_of(self.carol).context.vault.facts.put(RESTORED, said.encode())  # heard, and not caught up yet
        self.rotate()
        self.assertEqual([], alarms(self.carol))
        self.tap.edit = self.swap
        self.rotate()
        self.assertEqual(["false_keys"], alarms(self.carol))

    def swap(self, message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
        """A wrap with a bit turned."""
        if isinstance(message, messages.WrapReady | messages.Wrapped):
            return (msgspec.structs.replace(message, wrap=message.wrap[:-1] + bytes([message.wrap[-1] ^ 1])),)
        return (message,)
