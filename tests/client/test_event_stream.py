"""The client as an asynchronous context manager and iterator."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.client import ClientEvent, MessageReceived, Status, StatusChanged, TypingSeen
from chatserv.client.event_stream import MAX_EVENTS, MAX_WAITING, SHOWN_AT_ONCE, EventStream
from chatserv.client.events import Alarm
from chatserv.errors import AuthFailed, Busy
from chatserv.local_errors import LocalProtocolError
from chatserv.testing.unlimited import RATES
from chatserv.testing.world import Person, World
from tests.client.slash_fakes import message

TYPING = TypingSeen("lobby", "bob")


class StreamTests(SynchronousTestCase):
    """`EventStream` alone."""

    def setUp(self) -> None:
        """Notes what the stream asks for."""
        self.following: list[bool] = []
        self.shown: list[tuple[bytes, int]] = []
        self.stream = EventStream(self.following.append, self.show)

    def show(self, room_id: bytes, seq: int) -> None:
        """Notes how far a room was shown."""
        self.shown.append((room_id, seq))

    def take(self) -> "Deferred[ClientEvent]":
        """The next event, when it comes."""
        return Deferred.fromCoroutine(self.stream.__anext__())

    def test_order(self) -> None:
        """Events come in order, those that are there at once and the next when it happens."""
        self.stream.put_event(message(1))
        self.stream.put_event(TYPING)
        self.assertEqual(self.successResultOf(self.take()), message(1))
        self.assertEqual(self.successResultOf(self.take()), TYPING)
        waiting = self.take()
        self.assertNoResult(waiting)
        self.stream.put_event(message(2))
        self.assertEqual(self.successResultOf(waiting), message(2))

    def test_shown_when_it_comes_back(self) -> None:
        """A message counts as shown when the program asks for the next event, not when it gets the message."""
        self.stream.put_event(message(1, room_id=b"lobby's id"))
        self.take()
        self.assertEqual(self.shown, [])
        self.take()
        self.assertEqual(self.shown, [(b"lobby's id", 1)])

    def test_renamed_meanwhile(self) -> None:
        """What counts as shown is the room as it was named when the message came."""
        self.stream.put_event(message(1, room="a name that another room has by now", room_id=b"lobby's id"))
        self.take()
        self.take()
        self.assertEqual(self.shown, [(b"lobby's id", 1)])

    def test_shown_at_once(self) -> None:
        """While many wait, what was shown is remembered every so many messages."""
        for seq in range(1, SHOWN_AT_ONCE + 3):
            self.stream.put_event(message(seq % 256, room_id=b"lobby's id"))
        for _ in range(SHOWN_AT_ONCE + 1):
            self.take()
        self.assertEqual(self.shown, [(b"lobby's id", SHOWN_AT_ONCE)])

    def test_held_above_the_bound(self) -> None:
        """Above the bound messages are held back until the program has caught up, and what passes is left out."""
        for _ in range(MAX_WAITING):
            self.stream.put_event(message(1))
        self.stream.put_event(TYPING)
        self.assertEqual(self.following, [])
        self.stream.put_event(message(2))
        self.assertEqual(self.following, [False])
        taken = [self.successResultOf(self.take()) for _ in range(MAX_WAITING + 1)]
        self.assertNotIn(TYPING, taken)
        self.assertEqual(self.following, [False])
        self.assertNoResult(self.take())
        self.assertEqual(self.following, [False, True])

    def test_too_slow(self) -> None:
        """A program that reads nothing at all is told so behind what it has not read."""
        for _ in range(MAX_EVENTS + 1):
            self.stream.put_event(Alarm("old_log"))
        for _ in range(MAX_EVENTS):
            self.successResultOf(self.take())
        self.failureResultOf(self.take(), Busy)

    def test_ends(self) -> None:
        """The loop ends when the client stops, behind its last event; a refusal is raised."""
        self.stream.put_event(message(1))
        self.stream.put_event(TYPING)
        self.stream.put_event(StatusChanged(Status.STOPPED))
        self.stream.put_event(message(1))
        self.assertEqual(self.successResultOf(self.take()), TYPING, "messages are told the next time")
        self.successResultOf(self.take())
        self.failureResultOf(self.take(), StopAsyncIteration)
        self.setUp()
        self.stream.put_event(StatusChanged(Status.FAILED, AuthFailed()))
        self.successResultOf(self.take())
        self.failureResultOf(self.take(), AuthFailed)


class ClientTests(SynchronousTestCase):
    """A client with a server."""

    def setUp(self) -> None:
        """Alice talks, bob's program reads."""
        self.world = World(self.mktemp(), **RATES)
        self.addCleanup(self.world.close)
        self.alice = self.world.person("alice", admin=True)
        self.bob = self.world.person("bob", listens=False)
        self.heard: list[str | None] = []

    def again(self) -> Person:
        """Bob's program once more."""
        self.bob.leave_the_machine()
        self.bob.client = self.bob._make(follow=True)
        return self.bob

    async def listen(self, count: int, error: Exception | None = None) -> None:
        """A program that hears so many messages, and ends, or fails at the last one."""
        async with self.bob.client as client:
            async for event in client:
                if isinstance(event, MessageReceived):
                    self.heard.append(event.text)
                    if len(self.heard) >= count:
                        if error is not None:
                            raise error
                        break

    def run_program(self, work: Any) -> "Deferred[None]":
        """Starts it, and lets time pass."""
        running = Deferred.fromCoroutine(work)
        self.world.settle()
        return running

    def test_hears_once(self) -> None:
        """Each message is heard once, also by a program that was away in between."""
        self.again()
        running = self.run_program(self.listen(2))
        self.alice.say("lobby", "one")
        self.alice.say("lobby", "two")
        self.world.settle()
        self.successResultOf(running)
        self.alice.say("lobby", "three")
        self.again()
        self.successResultOf(self.run_program(self.listen(3)))
        self.assertEqual(self.heard, ["one", "two", "three"])

    def test_failed_on_the_way(self) -> None:
        """A message on which the program failed is told once more."""
        self.again()
        running = self.run_program(self.listen(1, ValueError()))
        self.alice.say("lobby", "one")
        self.world.settle()
        self.failureResultOf(running, ValueError)
        self.again()
        self.successResultOf(self.run_program(self.listen(2)))
        self.assertEqual(self.heard, ["one", "one"])

    def test_slow_program(self) -> None:
        """A program that is far behind gets everything in order: what does not wait in memory waits in the archive."""
        total = MAX_WAITING + 300
        for number in range(total):
            self.alice.client.send("lobby", str(number))
            if number % 50 == 0:
                self.world.settle(1)
        self.world.settle()
        stream = self.bob.client.__aiter__()
        self.assertFalse(self.bob.client._lifecycle.first.live)

        async def read() -> None:
            while len(self.heard) < total:
                event = await stream.__anext__()
                if isinstance(event, MessageReceived):
                    self.heard.append(event.text)

        self.successResultOf(self.run_program(read()))
        self.assertEqual(self.heard, [str(number) for number in range(total)])
        self.assertTrue(self.bob.client._lifecycle.first.live)

    def test_stopped_on_the_way(self) -> None:
        """What a program has not read when it is stopped is told the next time, once."""
        for text in ("one", "two"):
            self.alice.say("lobby", text)
        self.world.settle()
        self.again()
        self.successResultOf(self.run_program(self.listen(2)))
        self.assertEqual(self.heard, ["one", "two"])

    def test_callback(self) -> None:
        """A client with a callback cannot be iterated over as well."""
        with self.assertRaises(LocalProtocolError):
            self.alice.client.__aiter__()

    def test_waits_for_the_server(self) -> None:
        """Entering waits as long as the server is away."""
        self.again()
        self.world.server.up = False
        running = self.run_program(self.listen(0))
        self.assertNoResult(running)
        self.assertEqual(self.heard, [])
        self.world.server.up = True
        self.world.settle(70)
        self.assertTrue(self.bob.client._lifecycle.notifier.status is Status.ONLINE)
        self.alice.say("lobby", "one")
        self.world.settle()
        self.successResultOf(running)

    def test_refused(self) -> None:
        """Entering raises what the server refuses with for good."""
        self.again()
        self.alice.do(self.alice.client.admin.suspend("bob"))
        running = self.run_program(self.listen(1))
        self.assertIsNotNone(self.failureResultOf(running))
