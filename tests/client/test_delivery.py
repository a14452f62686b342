"""Delivery from end to end: what is acknowledged is shown once to everybody, in one order, whatever dies."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import (
    Alarm,
    ClientEvent,
    GapSeen,
    MessageReceived,
    MessagesMissing,
    SendAcknowledged,
    SendDelayed,
    SendFailed,
)
from chatserv.client.state.context import Interrupted
from chatserv.domain.roles import Role
from chatserv.errors import ChatError, Internal, NotMember, StorageFull
from chatserv.models import Appended
from chatserv.testing.world import World
from tests.client.attackers import engine_of
from tests.client.state.test_rooms import RoomCase
from tests.support.crashing import crash


class LossTests(RoomCase):
    """Connections and the server die."""

    def setUp(self) -> None:
        """Two in the lobby."""
        super().setUp()
        self.bob = self.world.person("bob")

    def check(self, *texts: str) -> None:
        """Both were shown these texts, once and in this order, and nothing else happened."""
        for person in (self.alice, self.bob):
            self.assertEqual(list(texts), [text for _, text in person.texts("lobby")])
            for kind in (Alarm, GapSeen, MessagesMissing, SendFailed):
                self.assertEqual([], person.events(kind))

    def test_connection_cut_before_the_answer(self) -> None:
        """What was stored and not acknowledged goes out again under the same id and is there once."""
        stored: list[Any] = []

        async def append(draft: Any, original: Any = self.world.server.store.append) -> Any:
            outcome = await original(draft)
            stored.append(outcome)
            if len(stored) == 1:
                self.world.server.reactor.callLater(0, self.world.server.cut)
            return outcome

        self.patch(self.world.server.store, "append", append)
        self.alice.client.send("lobby", "one")
        self.world.settle(10)
        self.assertEqual([Appended, "Duplicate"], [type(stored[0]), type(stored[1]).__name__])
        self.check("one")
        self.assertEqual(0, self.alice.client.unacknowledged)

    def test_sent_while_away(self) -> None:
        """What is said without a connection goes out when there is one, in its order."""
        self.world.server.cut()
        for text in ("one", "two", "three"):
            self.alice.client.send("lobby", text)
        self.world.settle(10)
        self.check("one", "two", "three")

    def test_server_dies(self) -> None:
        """The server dies with messages under way, again and again."""
        for number in range(5):
            self.alice.client.send("lobby", f"a{number}")
            self.bob.client.send("lobby", f"b{number}")
            self.world.server.reactor.advance(0)
            self.world.server.restart()
            self.world.settle(5)
        self.world.settle(60)
        shown = [text for _, text in self.alice.texts("lobby")]
        self.assertEqual(10, len(shown))
        self.assertEqual([f"a{number}" for number in range(5)], [text for text in shown if str(text)[0] == "a"])
        self.check(*map(str, shown))

    def test_away_for_long(self) -> None:
        """Who was away reads everything that was said, across several epochs, in order."""
        self.bob.leave_the_machine()
        for number in range(3):
            for text in ("x", "y"):
                self.alice.say("lobby", f"{text}{number}")
            self.alice.do(self.alice.room("lobby").rotate())
        self.bob.come_back()
        self.check("x0", "y0", "x1", "y1", "x2", "y2")

    def test_many(self) -> None:
        """More messages than may be under way at once keep their order."""
        for number in range(180):
            self.alice.client.send("lobby", str(number))
        self.world.settle(10)
        self.check(*map(str, range(180)))
        self.assertEqual(180, len(self.alice.events(SendAcknowledged)))

    def test_storage_full(self) -> None:
        """A server whose disk is full is asked again until it has place."""
        full = [True, True]

        async def append(draft: Any, original: Any = self.world.server.store.append) -> Any:
            if full:
                full.pop()
                raise StorageFull("test")
            return await original(draft)

        self.patch(self.world.server.store, "append", append)
        self.alice.client.send("lobby", "one")
        self.world.settle(10)
        self.check("one")
        self.assertEqual(["storage_full"], [event.error.code for event in self.alice.events(SendDelayed)])
        self.assertIsNone(self.alice.client.refusal)

    def test_storage_full_for_the_commit_before(self) -> None:
        """So it is where a message waits for a commit, and the person is told why."""
        alice, full = engine_of(self.alice), [True, True]
        room = alice.rooms.find("lobby")
        changes = alice.maintenance.room_changes

        async def commit(*given: Any, original: Any = changes.commit, **options: Any) -> None:
            if full:
                full.pop()
                raise StorageFull("test")
            await original(*given, **options)

        self.patch(changes, "commit", commit)
        self.alice.say("lobby", "before")
        alice.context.vault.chains.lose(room.room_id, 0)  # as where a message was given up
        alice.outbox.fitness.forget_room(room.room_id)
        self.alice.client.send("lobby", "one")
        self.world.settle(10)
        self.check("before", "one")
        self.assertEqual(["storage_full"], [event.error.code for event in self.alice.events(SendDelayed)])

    def test_storage_full_for_a_moment(self) -> None:
        """Where one message finds the disk full, and those behind it do not, all are read in order, and none is missed."""
        refusals: list[ChatError] = []

        async def append(draft: Any, original: Any = self.world.server.store.append) -> Any:
            if refusals:
                raise refusals.pop()
            return await original(draft)

        self.patch(self.world.server.store, "append", append)
        said: list[str] = []
        for error in (StorageFull("test"), Internal("test")):
            refusals.append(error)
            for text in ("one", "two", "three"):
                said.append(f"{error.code} {text}")
                self.alice.client.send("lobby", said[-1])
            self.world.settle(10)
            self.check(*said)

    def test_slow_mode(self) -> None:
        """So it is with slow mode, whose turn may come between two messages that were sent together."""
        self.alice.do(self.alice.room("lobby").set_slow(5))
        asked: list[float] = []
        rates = self.world.server.context.rates.messages
        wait = rates.wait

        def some(key: Any, limit: int, window: float) -> float:
            asked.append(window)
            return 3.0 if len(asked) in {2, 5} else wait(key, limit, 0.0)

        self.patch(rates, "wait", some)
        texts = [str(number) for number in range(6)]
        for text in texts:
            self.bob.client.send("lobby", text)
        self.world.settle(20)
        self.check(*texts)

    def test_not_followed(self) -> None:
        """A program that only sends keeps what comes; the next one that follows shows it, once."""
        self.bob.leave_the_machine()
        self.bob.come_back(follow=False)
        self.alice.say("lobby", "one")
        self.bob.say("lobby", "two")
        self.assertEqual([], self.bob.texts("lobby"))
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.check("one", "two")
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertEqual([], self.bob.texts("lobby"))


class CrashTests(RoomCase):
    """The program dies at a moment of its own choosing."""

    def setUp(self) -> None:
        """Two in the lobby."""
        super().setUp()
        self.bob = self.world.person("bob")

    def test_between_persist_and_send(self) -> None:
        """A sealed message that never left goes out as it is after a restart: no generation is used twice, or missing."""
        protocol = self.alice.client._lifecycle.connection._protocol
        self.patch(protocol, "send", lambda _: None)
        self.alice.client.send("lobby", "sealed")
        self.world.server.reactor.advance(0)
        vault = self.alice.client.engine.context.vault
        (row,) = vault.outbox.all()
        self.assertIsNotNone(row.envelope)
        crash(self.alice)
        self.alice.come_back()
        self.assertEqual([("alice", "sealed")], self.bob.texts("lobby"))
        self.assertEqual([("alice", "sealed")], self.alice.texts("lobby"))
        self.alice.say("lobby", "next")
        self.assertEqual([], self.bob.events(MessagesMissing))
        bodies = [event.body for event in self.world.server.await_(self.world.server.store.events(self.lobby(), 0, 99))]
        self.assertIn(row.envelope, bodies)

    def lobby(self) -> bytes:
        """The lobby's id."""
        (room,) = [each for each in self.world.server.await_(self.world.server.store.rooms()) if each.name == "lobby"]
        return room.room_id

    def test_commit_stored_and_answer_lost(self) -> None:
        """A commit whose answer was lost is found in the room, and its keys with it."""
        self.alice.do(self.alice.client.create_room("plans"))
        done: list[bool] = []

        async def commit(draft: Any, original: Any = self.world.server.store.commit) -> Any:
            outcome = await original(draft)
            if not done:
                done.append(True)
                self.world.server.reactor.callLater(0, crash, self.alice)
            return outcome

        self.patch(self.world.server.store, "commit", commit)
        inviting = Deferred.fromCoroutine(self.alice.room("plans").invite("bob"))
        self.world.settle(3)
        self.failureResultOf(inviting, Interrupted)
        self.assertEqual([True], done)
        self.alice.come_back()
        self.world.settle(10)
        self.bob.room(self.bob.client.rooms[-1]).accept()
        self.alice.say("plans", "are you there?")
        self.assertEqual("are you there?", self.bob.events(MessageReceived)[-1].text)
        self.assertEqual([], self.alice.events(Alarm) + self.bob.events(Alarm))

    def test_shown_and_not_remembered(self) -> None:
        """What was stored and not shown when the program died is shown at the next start."""
        self.alice.say("lobby", "one")
        self.bob.client._lifecycle.first._tell = lambda _: None
        self.patch(self.bob.client.engine.backlog, "mark_shown", lambda *_: None)
        self.alice.say("lobby", "two")
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertEqual([("alice", "two")], self.bob.texts("lobby"))


class CrossingTests(RoomCase):
    """A message and a change of its room cross."""

    def test_message_crosses_a_commit(self) -> None:
        """A message that was sealed before a commit is sealed anew under the same id, and read by everybody."""
        bob = self.world.person("bob")
        room = self.alice.client.engine.rooms.find("lobby")
        envelopes: list[int] = []
        original = self.alice.client.engine.requests.ask

        def ask(make: Any, **fields: Any) -> Any:
            if "envelope" in fields:
                envelopes.append(fields["epoch"])
                if len(envelopes) == 1:
                    bob.do(bob.room("lobby").rotate())
            return original(make, **fields)

        self.patch(self.alice.client.engine.requests, "ask", ask)
        self.patch(self.alice.client.engine.requests, "expect", self._expecting(ask))
        self.alice.client.send("lobby", "crossing")
        self.world.settle(10)
        self.assertEqual(2, len(envelopes))
        self.assertEqual(envelopes[0] + 1, envelopes[1])
        self.assertEqual(envelopes[1], room.head.epoch)
        self.assertEqual([("alice", "crossing")], bob.texts("lobby"))

    def _expecting(self, ask: Any) -> Any:
        async def expect(_: Any, make: Any, **fields: Any) -> Any:
            return await ask(make, **fields)

        return expect

    def test_message_crosses_the_sender_s_removal(self) -> None:
        """A message that crosses the removal of its sender is refused, never acknowledged and unreadable."""
        bob = self.world.person("bob")
        self.private_room(bob)
        outcome: list[Any] = []
        original = self.world.server.store.append

        async def append(draft: Any) -> Any:
            if not outcome:
                outcome.append("kicked")
                self.alice.do(self.alice.room("plans").kick("bob"))
            return await original(draft)

        self.patch(self.world.server.store, "append", append)
        bob.client.send("plans", "too late").addBoth(outcome.append)
        self.world.settle(10)
        self.assertEqual("kicked", outcome[0])
        self.assertEqual(NotMember, outcome[1].type)
        self.assertEqual([], self.alice.texts("plans"))


class CrowdTests(RoomCase):
    """Many at once."""

    def test_thirty_enter_the_lobby(self) -> None:
        """Thirty people who enter at the same moment are all in, and read the same."""
        crowd = [self.world.person(f"guest{number}", wait=False) for number in range(30)]
        self.world.settle(60)
        self.assertEqual([], [person.name for person in crowd if not person.online])
        self.assertEqual(31, len(self.alice.room("lobby").members()))
        self.alice.say("lobby", "welcome all")
        crowd[7].say("lobby", "thanks")
        for person in crowd:
            self.assertEqual(["welcome all", "thanks"], [text for _, text in person.texts("lobby")], person.name)
            self.assertEqual([], person.events(Alarm))

    def test_administrators_too(self) -> None:
        """A second administrator joins the lobby that is there."""
        dave = self.world.person("dave", Role.ADMIN)
        self.assertEqual("member", dave.room("lobby").role)


class BetweenBatchesTests(SynchronousTestCase):
    """A connection that goes while a long queue is worked off in batches."""

    def test_lost_between_two_batches(self) -> None:
        """What we say after it goes out once, in order, on the next connection."""
        world = World(self.mktemp())
        self.addCleanup(world.close)
        alice, bob = world.person("alice", Role.ADMIN), world.person("bob")
        bob.leave_the_machine()
        for number in range(350):
            alice.client.send("lobby", str(number))
        world.settle(60)

        class Cutting(list[ClientEvent]):
            """What bob is told; the first message cuts all connections before the next batch."""

            done = False

            def append(self, event: ClientEvent) -> None:
                """Cuts once."""
                super().append(event)
                if isinstance(event, MessageReceived) and not self.done:
                    self.done = True
                    world.reactor.callLater(0, world.server.cut)

        bob.told = Cutting()
        bob.client = bob._make(follow=True)
        bob.client.start()
        bob.client.send("lobby", "first")
        world.settle(60)
        bob.client.send("lobby", "second")
        world.settle()
        self.assertEqual([text for sender, text in alice.texts("lobby") if sender == "bob"], ["first", "second"])
        self.assertEqual(bob.client.unacknowledged, 0)
        others = [text for sender, text in bob.texts("lobby") if sender == "alice"]
        self.assertEqual(others, [str(number) for number in range(350)])
