"""Catching up: every event above the cursor once, in order, whatever happens meanwhile."""

from collections.abc import Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.local import LocalBackplane
from chatserv.commands.context import Context
from chatserv.config import Config, Limits
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import Hub, LiveRoom, LiveSession
from chatserv.domain.roles import Role
from chatserv.net.runner import CommandRunner
from chatserv.net.sendq import SendQueue, TurnFlusher
from chatserv.ports import EventDraft, EventKind
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from chatserv.wire import messages
from chatserv.wire.codec import encode_message, join, server_decoder
from tests.support.server import DelayedStore, MemoryServer

DEVICES = 2
ROOMS = 2


class SyncTests(SynchronousTestCase):
    """What `sync` promises, over real sessions."""

    def setUp(self) -> None:
        """Alice writes; pages are short."""
        self.server = MemoryServer(page_events=3)
        self.alice = self.server.join("alice")
        self.bob = self.server.join("bob")

    def write(self, count: int) -> None:
        """Alice writes so many messages."""
        for number in range(count):
            self.alice.say(f"number {number}")

    def test_nothing_before_sync(self) -> None:
        """A session that has not asked gets no event."""
        self.write(3)
        self.assertEqual(self.bob.seqs(), [])

    def test_missing_then_live(self) -> None:
        """What is missing comes in order, over several pages, then the answer, then live events."""
        self.write(8)
        reply = self.bob.sync(since=2)
        self.assertEqual(self.bob.seqs(), [3, 4, 5, 6, 7, 8])
        self.assertIs(self.bob.received[-1], reply)
        self.write(2)
        self.assertEqual(self.bob.seqs(), [3, 4, 5, 6, 7, 8, 9, 10])

    def test_no_cursor(self) -> None:
        """A room without a cursor starts where the membership does."""
        self.write(2)
        carol = self.server.join("carol")
        self.write(2)
        for client, expected in ((self.bob, [1, 2, 3, 4]), (carol, [3, 4])):
            client.ask(messages.Sync, store=self.server.memory.incarnation)
            self.assertEqual(client.seqs(), expected)

    def test_cursor_before_the_membership(self) -> None:
        """A cursor from before one came brings nothing from before."""
        self.write(2)
        carol = self.server.join("carol")
        self.write(1)
        carol.sync(since=0)
        self.assertEqual(carol.seqs(), [3])

    def test_cursor_of_another_incarnation(self) -> None:
        """After a restore a cursor counts as 0: everything comes again rather than something never."""
        self.write(4)
        self.bob.ask(messages.Sync, store=b"another store---", cursors=((self.server.lobby, 4),))
        self.assertEqual(self.bob.seqs(), [1, 2, 3, 4])

    def test_cursor_above_the_head(self) -> None:
        """A cursor above the head counts as the head: the next event comes live."""
        self.write(2)
        self.assertIsInstance(self.bob.sync(since=2**63 - 1), messages.Ok)
        self.write(1)
        self.assertEqual(self.bob.seqs(), [3])

    def test_cursors_of_other_rooms(self) -> None:
        """Cursors of rooms that one is not in are ignored."""
        private = self.server.memory.add_room("private", public=False)
        self.server.take_rooms_in()
        cursors = ((private, 0), (b"?" * 16, 5))
        self.assertIsInstance(
            self.bob.ask(messages.Sync, store=self.server.memory.incarnation, cursors=cursors), messages.Ok
        )

    def test_only_once(self) -> None:
        """A second sync of a session is refused, also while the first is under way, and repeats nothing."""
        self.write(2)
        self.bob.sync()
        self.assertEqual(self.bob.sync().code, "bad_message")
        self.assertEqual(self.bob.seqs(), [1, 2])

    def test_large_events(self) -> None:
        """A page of the largest events, more than the hard limit together, reaches a client that reads."""
        server = MemoryServer()
        alice, bob = server.join("alice"), server.join("bob")
        count = server.config.limits.page_events
        self.assertGreater(count * 12_000, server.config.limits.sendq_hard_bytes)
        for _ in range(count):
            alice.say("x" * 12_000)
        bob.transport.full_above = 65_536
        reply = bob.sync()
        self.assertEqual((bob.lost, bob.seqs()), (False, list(range(1, count + 1))))
        self.assertIsInstance(reply, messages.Ok)

    def test_not_read(self) -> None:
        """For a client that does not read, sync waits near the soft limit instead of filling the queue."""
        server = MemoryServer()
        alice, bob = server.join("alice"), server.join("bob")
        for _ in range(100):
            alice.say("x" * 12_000)
        bob.reading, bob.transport.full_above = False, 65_536
        self.assertIsNone(bob.sync())
        queue = bob.protocol._sendq
        assert queue is not None
        limits = server.config.limits
        self.assertLessEqual(queue.queued_bytes, limits.sendq_soft_bytes + 2 * limits.envelope_bytes)
        bob.reading = True
        server.settle()
        self.assertEqual(bob.seqs(), list(range(1, 101)))

    def test_committed_but_not_delivered(self) -> None:
        """What a read finds above the head comes live, when it is delivered, and only then.

        A store's reader sees a commit before the reactor has heard of it.
        """
        server = MemoryServer()
        alice, bob = server.join("alice"), server.join("bob")
        alice.say("one")
        held: list[Any] = []
        listeners, server.memory._listeners = server.memory._listeners, [held.append]
        alice.say("two")
        server.memory._listeners = listeners
        bob.sync()
        self.assertEqual(bob.seqs(), [1])
        for batch in held:
            server.backplane.publish(batch)
        server.settle()
        self.assertEqual(bob.seqs(), [1, 2])

    def test_gone_while_it_reads(self) -> None:
        """A connection that is lost while the store reads ends its sync without a trace."""
        server = MemoryServer(slow=["events"])
        alice, bob = server.join("alice"), server.join("bob")
        alice.say("one")
        self.assertIsNone(bob.sync())
        bob.drop()
        server.store.fire_all()
        alice.say("two")
        self.assertEqual((bob.seqs(), server.hub.rooms[server.lobby].live), ([], {}))

    def test_log_that_is_shorter_than_its_head(self) -> None:
        """A log with a hole is a failure of ours that the client is told, not an endless loop."""
        self.write(3)
        del self.server.memory._logs[self.server.lobby].events[:]
        self.assertEqual(self.bob.sync().code, "internal")

    def test_rooms_take_turns(self) -> None:
        """A long room does not keep the others waiting: pages of all rooms alternate."""
        other = self.server.memory.add_room("other", public=True)
        self.server.take_rooms_in()
        carol = self.server.join("carol")
        for number in range(6):
            carol.say(str(number))
            carol.say(str(number), other)
        dave = self.server.log_in(carol.account)
        dave.ask(messages.Sync, store=self.server.memory.incarnation)
        rooms = [event.room for event in dave.all(messages.Event)]
        self.assertEqual([rooms[at] for at in (0, 3, 6, 9)], [rooms[0], rooms[3]] * 2)
        self.assertNotEqual(rooms[0], rooms[3])


class _Plain:
    """Seals nothing; a client decodes what it is given."""

    def seal(self, parts: Sequence[bytes]) -> list[bytes]:
        return [len(joined := join(parts)).to_bytes(4, "big"), joined]

    def close(self, _: CloseReason) -> bytes:
        return bytes(4)


class _Connection:
    """One connection of a device: real queue and real runner, around no cryptography at all."""

    def __init__(self, world: "DeliveryMachine", device: int) -> None:
        self.transport = StringTransport()
        self.closed = False
        limits = world.config.limits
        self.queue = SendQueue(_Plain(), self.transport, world.flusher, limits, self)  # type: ignore[arg-type]
        name = b"%d" % device
        self.live = LiveSession(name * 16, f"user{device}", Role.USER, name * 16, self.queue, dict(world.since[device]))
        self.runner = CommandRunner(
            world.context, self.live, limits.commands_in_flight, self.tell, lambda: None, self.broke
        )
        self.synced = False
        self.fallen = 0
        self.failed: list[messages.Error] = []
        self._buffer = b""

    def tell(self, message: messages.Message) -> None:
        encoded = encode_message(message)
        self.queue.queue((encoded,), len(encoded))

    def overflowed(self) -> None:
        raise AssertionError("the hard limit was passed")

    def pressed(self, *, above: bool) -> None:
        self.runner.hold(held=above)

    def ended(self, _: CloseReason) -> None:
        self.closed = True

    def fell_behind(self) -> None:
        self.fallen += 1
        self.runner.catch_up()

    def broke(self) -> None:
        raise AssertionError("broke")

    def read(self) -> list[messages.Event]:
        """What the client finds on the wire; the transport has room again."""
        self._buffer += self.transport.value()
        self.transport.clear()
        events = []
        while len(self._buffer) >= 4 and len(self._buffer) >= (size := int.from_bytes(self._buffer[:4], "big") + 4):
            for message in server_decoder.decode(self._buffer[4:size]) if size > 4 else []:
                if isinstance(message, messages.Event):
                    events.append(message)
                elif isinstance(message, messages.Ok):
                    self.synced = True
                elif isinstance(message, messages.Error):
                    self.failed.append(message)
            self._buffer = self._buffer[size:]
        return events


class DeliveryMachine(RuleBasedStateMachine):
    """Several devices write, catch up, stop reading, lose connections, and come back with their cursors."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.flusher = TurnFlusher(self.clock)
        limits = Limits(
            page_events=2, sendq_soft_bytes=4096, sendq_hard_bytes=20_481, line_bytes=20_480, commands_in_flight=4
        )
        self.config = Config(limits=limits)
        self.memory = MemoryStore(StoreLimits())
        Deferred.fromCoroutine(self.memory.open())
        rooms = [next(iter(self.memory._logs))]
        rooms += [self.memory.add_room(f"room{number}", public=True) for number in range(1, ROOMS)]
        self.rooms = rooms
        self.store = DelayedStore(self.memory, {"events"})
        self.hub = Hub(DEVICES)
        self.hub.add_rooms(LiveRoom(room_id, "", 0, 0) for room_id in rooms)
        self.context = Context(self.store, self.hub, self.config, lambda: 0, bytes)
        self.backplane = LocalBackplane()
        self.backplane.subscribe(self.context.deliver)
        self.undelivered: list[Any] = []
        self.memory.subscribe(self.undelivered.append)
        self.since: dict[int, dict[bytes, int]] = {}
        self.connections: dict[int, _Connection] = {}
        self.old: list[_Connection] = []
        self.cursors: dict[int, dict[bytes, int]] = {}
        self.count = 0

    @initialize(since=st.lists(st.integers(0, 3), min_size=DEVICES, max_size=DEVICES))
    def begin(self, since: list[int]) -> None:
        """Three events stand in each room; each device came at some time."""
        for room_id in self.rooms:
            for _ in range(3):
                self._append(room_id, 10)
        self._publish(len(self.undelivered))
        for device, seq in enumerate(since):
            self.since[device] = dict.fromkeys(self.rooms, seq)
            self.cursors[device] = dict(self.since[device])

    def _append(self, room_id: bytes, size: int) -> None:
        self.count += 1
        message_id = self.count.to_bytes(16, "big")
        draft = EventDraft(room_id, message_id, 0, b"a", b"d", "alice", EventKind.MESSAGE, bytes(size), 0)
        Deferred.fromCoroutine(self.memory.append(draft))

    def _publish(self, count: int) -> None:
        ready, self.undelivered[:count] = self.undelivered[:count], []
        for batch in ready:
            self.backplane.publish(batch)

    @rule(room=st.integers(0, ROOMS - 1), size=st.sampled_from([0, 100, 6000]))
    def append(self, room: int, size: int) -> None:
        """Somebody writes; the commit is not delivered yet."""
        self._append(self.rooms[room], size)

    @precondition(lambda self: self.undelivered)
    @rule(count=st.integers(1, 5))
    def publish(self, count: int) -> None:
        """The reactor hears of commits."""
        self._publish(count)

    @rule(device=st.integers(0, DEVICES - 1), at_once=st.booleans())
    def connect(self, device: int, at_once: bool) -> None:
        """A device connects, in place of the connection that it may have, and asks for what it misses, or does not yet."""
        if device in self.connections:
            self._read(device)
        connection = _Connection(self, device)
        replaced = self.hub.attach(connection.live)
        if replaced is not None:
            replaced.outbox.end(CloseReason.REPLACED)
            self.old.append(self.connections[device])
        self.connections[device] = connection
        if at_once:
            self.sync(device)

    @precondition(lambda self: self.connections)
    @rule(device=st.integers(0, DEVICES - 1))
    def sync(self, device: int) -> None:
        """A device asks for what it misses."""
        connection = self.connections.get(device)
        if connection is not None and not connection.live.synced:
            cursors = tuple(self.cursors[device].items())
            command = messages.Sync(1, self.memory.incarnation, cursors)
            connection.runner.take(join([encode_message(command)]))

    @precondition(lambda self: self.connections)
    @rule(device=st.integers(0, DEVICES - 1))
    def disconnect(self, device: int) -> None:
        """A connection dies; the client has read what was on the wire, and nothing of the queue."""
        if device in self.connections:
            self._read(device)
            connection = self.connections.pop(device)
            connection.runner.stop()
            connection.queue.close()
            self.hub.detach(connection.live)

    @precondition(lambda self: self.connections)
    @rule(device=st.integers(0, DEVICES - 1), full=st.booleans())
    def press(self, device: int, full: bool) -> None:
        """A device stops reading, or goes on."""
        connection = self.connections.get(device)
        if connection is not None and not connection.queue.closed and connection.queue.queued_bytes < 100_000:
            if full:
                connection.queue.pauseProducing()
            else:
                connection.queue.resumeProducing()

    @precondition(lambda self: self.store.waiting)
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        """The store answers one of the reads that wait, in any order."""
        self.store.fire(data.draw(st.integers(0, len(self.store.waiting) - 1)))

    @rule()
    def turn(self) -> None:
        """A turn of the reactor ends."""
        self.clock.advance(0)

    @precondition(lambda self: self.connections)
    @rule(device=st.integers(0, DEVICES - 1))
    def read(self, device: int) -> None:
        """A device reads what is on the wire."""
        if device in self.connections:
            self._read(device)

    def _read(self, device: int) -> None:
        for event in self.connections[device].read():
            expected = self.cursors[device][event.room] + 1
            assert event.seq == expected, f"device {device}: {event.seq} came, {expected} was expected"
            self.cursors[device][event.room] = event.seq
        assert not self.connections[device].failed, self.connections[device].failed

    @invariant()
    def old_ones_are_silent(self) -> None:
        """A replaced connection hears no room live."""
        for connection in self.old:
            assert not any(connection.live in room.live for room in self.hub.rooms.values())

    def teardown(self) -> None:
        """When everything is delivered, every device that asked has everything."""
        for device, connection in list(self.connections.items()):
            connection.queue.resumeProducing()
            self.sync(device)
        self._quiet()
        self._publish(len(self.undelivered))
        self._quiet()
        for device, connection in self.connections.items():
            self._read(device)
            assert connection.synced
            heads = {room_id: self.hub.rooms[room_id].head for room_id in self.rooms}
            assert self.cursors[device] == heads, (device, self.cursors[device], heads)

    def _quiet(self) -> None:
        for _ in range(self.count * DEVICES + 10):
            self.store.fire_all()
            self.clock.advance(0)


class DeliveryTests(SynchronousTestCase):
    """Runs `DeliveryMachine`."""

    def test_every_event_once_in_order(self) -> None:
        """Whatever interleaves, every device gets every event above its cursor exactly once and in order."""
        run_state_machine_as_test(
            DeliveryMachine, settings=settings(max_examples=300, stateful_step_count=50, deadline=None)
        )
