"""What is renewed by itself: epochs by age and number of messages, prekeys by use and by week."""

from typing import Any

from chatserv.client.events import Alarm, RoomChanged
from chatserv.client.verification.prekeys import MOST, RENEW_MS
from chatserv.crypto.prekeys import is_last_resort
from chatserv.errors import RateLimited
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.state.test_rooms import RoomCase

DAY_SECONDS = 86_400


def jump(person: Person, seconds: float) -> None:
    """The clock jumps, without anything happening meanwhile; everybody who is online comes back."""
    server = person.world.server
    server.cut()
    server.reactor.rightNow += seconds
    person.world.settle(5)


class EpochTests(RoomCase):
    """docs/rooms.rst 4.2: the sender whose message passes a limit rotates; sending is not held up for it."""

    def setUp(self) -> None:
        """Direct messages between alice and bob: a day, or 100 messages."""
        super().setUp()
        self.bob = self.world.person("bob")
        self.alice.do(self.alice.client.direct("bob"))
        self.world.settle(1)
        self.bob.room("@alice").accept()

    def test_number(self) -> None:
        """The message that makes the number full brings a new epoch, and everybody reads on."""
        before = self.alice.room("@bob").epoch
        for number in range(98):
            self.alice.client.send("@bob", str(number))
        self.world.settle(3)
        self.assertEqual(before, self.alice.room("@bob").epoch)
        for number in range(98, 104):
            self.alice.client.send("@bob", str(number))
        self.world.settle(8)
        self.assertEqual(before + 1, self.alice.room("@bob").epoch)
        self.bob.say("@alice", "all read")
        texts = [text for _, text in self.bob.texts("@alice")]
        self.assertEqual([*map(str, range(104)), "all read"], texts)
        self.assertIn("rotated", [word for event in self.bob.events(RoomChanged) for word, _ in event.lines])
        self.assertEqual([], self.alice.events(Alarm) + self.bob.events(Alarm))

    def test_age(self) -> None:
        """So does the first message after the epoch's time."""
        before = self.alice.room("@bob").epoch
        self.alice.say("@bob", "young")
        jump(self.alice, DAY_SECONDS - 100)
        self.alice.say("@bob", "not old yet")
        self.world.settle(3)
        self.assertEqual(before, self.alice.room("@bob").epoch)
        jump(self.alice, 200)
        self.alice.say("@bob", "old")
        self.world.settle(3)
        self.assertEqual(before + 1, self.alice.room("@bob").epoch)
        self.bob.say("@alice", "all read")
        self.assertEqual(("bob", "all read"), self.alice.texts("@bob")[-1])

    def test_age_alone(self) -> None:
        """An epoch with messages gets a successor when it is too old, though nobody says anything any more."""
        before = self.alice.room("@bob").epoch
        self.alice.say("@bob", "young")
        self.world.settle(DAY_SECONDS - 100)
        self.assertEqual(before, self.alice.room("@bob").epoch)
        self.world.settle(3600)
        self.assertEqual(before + 1, self.alice.room("@bob").epoch)
        jump(self.alice, 10 * DAY_SECONDS)
        self.world.settle(20)
        self.assertEqual(before + 1, self.alice.room("@bob").epoch)

    def test_refused(self) -> None:
        """A rotation that is refused is not asked for again with every message."""
        asked: list[object] = []
        requests = self.alice.client.engine.requests
        expect = requests.expect

        async def refuse(kind: Any, make: Any, **fields: Any) -> Any:
            if make is messages.BeginCommit:
                asked.append(make)
                raise RateLimited("commits")
            return await expect(kind, make, **fields)

        self.patch(requests, "expect", refuse)
        self.bob.say("@alice", "I too")
        self.bob.leave_the_machine()
        for number in range(130):
            self.alice.say("@bob", str(number))
        self.world.settle(5)
        self.assertEqual(1, len(asked))
        self.world.settle(80)
        self.assertEqual(2, len(asked))

    def test_nobody_says_anything(self) -> None:
        """A room without messages keeps its epoch: nothing falls due."""
        before = self.alice.room("@bob").epoch
        jump(self.alice, 10 * DAY_SECONDS)
        self.assertEqual(before, self.alice.room("@bob").epoch)


class PrekeyTests(RoomCase):
    """docs/rooms.rst 3.3: the device's prekeys."""

    def setUp(self) -> None:
        """Alice's prekeys, here and at the server."""
        super().setUp()
        engine = self.alice.client.engine
        self.prekeys, self.device_id = engine.context.vault.prekeys, engine.context.device_id

    @property
    def prekey_ids(self) -> list[int]:
        """The ids of all that are kept."""
        return sorted(self.alice.client.engine.context.vault.prekeys.all())

    def listed(self) -> int:
        """One-time prekeys at the server."""
        server = self.world.server
        return server.await_(server.store.prekeys_left(self.device_id))

    def take(self, number: int) -> None:
        """Somebody uses so many."""
        server = self.world.server
        for _ in range(number):
            server.await_(server.store.take_prekey(self.device_id, one_time=True))

    def test_first(self) -> None:
        """A new device leaves 50 one-time prekeys and a last-resort one."""
        self.assertEqual(50, self.listed())
        self.assertEqual([False] * 50 + [True], [is_last_resort(number) for number in self.prekey_ids])

    def test_refill(self) -> None:
        """At 20 nothing happens, below it the stock is filled up, told by the server or found at login."""
        self.take(30)
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.assertEqual(20, self.listed())
        self.take(1)
        self.alice.leave_the_machine()
        self.alice.come_back()
        self.assertEqual(50, self.listed())
        self.world.server.reactor.advance(10)
        self.take(31)
        self.alice.client._lifecycle.connection.message_received([messages.PrekeysLow(19)])
        self.world.settle(1)
        self.assertEqual(50, self.listed())

    def test_renewed_each_week(self) -> None:
        """After a week there is a new last-resort prekey; the old private half is kept four weeks more, then it is gone."""
        (first,) = [number for number in self.prekey_ids if is_last_resort(number)]
        jump(self.alice, RENEW_MS / 1000 - 1000)
        self.assertEqual([first], [number for number in self.prekey_ids if is_last_resort(number)])
        jump(self.alice, 2000)
        both = [number for number in self.prekey_ids if is_last_resort(number)]
        self.assertEqual([first, first + 1], both)
        jump(self.alice, 27 * DAY_SECONDS)
        self.assertIn(first, self.prekey_ids)
        jump(self.alice, 2 * DAY_SECONDS)
        self.assertNotIn(first, self.prekey_ids)

    def test_unused_ones_go(self) -> None:
        """One-time prekeys that the server has given out, and no wrap has used, go four weeks later."""
        self.take(5)
        jump(self.alice, 10)
        lost = self.prekey_ids[:5]
        jump(self.alice, 20 * DAY_SECONDS)
        self.assertTrue(set(lost) <= set(self.prekey_ids))
        jump(self.alice, 9 * DAY_SECONDS)
        self.assertEqual(set(), set(lost) & set(self.prekey_ids))
        self.assertEqual(45, len([number for number in self.prekey_ids if not is_last_resort(number)][:45]))

    def test_bound(self) -> None:
        """Whatever the server says that it takes, there is a bound on how many are made."""
        upkeep = self.alice.client.engine.prekeys
        self.alice.do(upkeep.look(0, 10**9))
        self.assertLessEqual(len(self.prekey_ids), 51 + MOST + 1)
