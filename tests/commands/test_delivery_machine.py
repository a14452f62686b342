"""Every event once, in order, and only what is for one: sync, live events, removals and returns, in any order."""

from collections.abc import Sequence
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.local import LocalBackplane
from chatserv.commands.context import Context
from chatserv.commands.session import places_of
from chatserv.config import Config, Server
from chatserv.crypto.room_state import State
from chatserv.crypto.suite import sha256
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import LiveSession
from chatserv.domain.roles import Role
from chatserv.limits import Limits
from chatserv.live_settings import LiveSettings
from chatserv.models import Appended, CommitDraft, Event, EventDraft
from chatserv.net.command_runner import CommandRunner
from chatserv.net.effects import reactor_effects
from chatserv.net.sendq import SendQueue, TurnFlusher
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from chatserv.testing.unlimited import RATES
from chatserv.turnstile import turnstile_of
from chatserv.wire import messages
from chatserv.wire.codec import encode_message, join, server_decoder
from chatserv.wire.parameters import ServerIdentity
from tests.support.server import DelayedStore
from tests.support.smith import PRIVATE

DEVICES = 2
ROOMS = [b"first room------", b"second room-----"]
WRITER = b"writer----------"
NOBODY_IN_IT = State(0, PRIVATE, (), ()).encoded


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
        limits = world.config.limits
        self.queue = SendQueue(_Plain(), self.transport, self.transport.write, world.flusher, limits, self)  # type: ignore[arg-type]
        name, device_id = f"user{device}", world.device_id(device)
        places = world.result(places_of(world.context, name, device_id))
        self.live = LiveSession(device_id, name, Role.USER, device_id, self.queue, places)
        self.began = {room_id: place.since for room_id, place in places.items()}
        self.runner = CommandRunner(
            world.context, self.live, turnstile_of(world.clock), self.tell, lambda: None, self.broke
        )
        self.synced = False
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
        """Nothing: the machine knows."""

    def fell_behind(self) -> None:
        self.runner.catch_up()

    def broke(self) -> None:
        raise AssertionError("broke")

    def read(self) -> list[messages.Event | messages.RoomEntered]:
        """What the client finds on the wire; the transport has room again."""
        self._buffer += self.transport.value()
        self.transport.clear()
        found = []
        while len(self._buffer) >= 4 and len(self._buffer) >= (size := int.from_bytes(self._buffer[:4], "big") + 4):
            for message in server_decoder.decode(self._buffer[4:size]) if size > 4 else []:
                if isinstance(message, messages.Event | messages.RoomEntered):
                    found.append(message)
                elif isinstance(message, messages.Ok):
                    self.synced = True
                elif isinstance(message, messages.Error):
                    self.failed.append(message)
            self._buffer = self._buffer[size:]
        return found


async def _no_signature(_: bytes) -> bytes:
    return b""


class _Held(LocalBackplane):
    """Keeps what is committed until it is told to hand it on: ``held``."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Sequence[Event]] = []

    def publish(self, events: Sequence[Event]) -> None:
        """Not yet."""
        self.held.append(events)

    def hand_on(self, count: int) -> None:
        """The reactor hears of so many commits."""
        ready, self.held[:count] = self.held[:count], []
        for batch in ready:
            super().publish(batch)


class DeliveryMachine(RuleBasedStateMachine):
    """Devices catch up, stop reading, lose connections, come back with their cursors, are removed and added again."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.flusher = TurnFlusher(self.clock)
        limits = Limits(
            page_events=2,
            sendq_soft_bytes=4096,
            sendq_hard_bytes=20_481,
            line_bytes=20_480,
            commands_in_flight=4,
            **RATES,
        )
        self.config = Config(limits=limits, server=Server(max_connections=DEVICES))
        self.memory = MemoryStore(StoreLimits())
        self.result(self.memory.open())
        self.store = DelayedStore(self.memory, {"events"})
        effects = reactor_effects(self.clock, lambda: 0, bytes)
        identity = ServerIdentity(b"key", b"")
        self.backplane = _Held()
        settings = LiveSettings(self.config)
        self.context = Context.of(self.store, self.backplane, settings, effects, identity, _no_signature)
        self.hub = self.context.hub
        self.connections: dict[int, _Connection] = {}
        self.old: list[_Connection] = []
        self.cursors = [dict.fromkeys(ROOMS, 0) for _ in range(DEVICES)]
        self.periods: dict[tuple[int, bytes], list[list[int]]] = {}  # [first, last] that may be read; last 0: open
        self.count = 0
        self.newest: dict[bytes, CommitDraft] = {}
        for room_id in ROOMS:
            self._commit(room_id, added=(WRITER, *(self.device_id(number) for number in range(DEVICES))))
        self.backplane.hand_on(len(self.backplane.held))

    def result(self, awaitable: Any) -> Any:
        """The result of what does not wait."""
        results: list[Any] = []
        Deferred.fromCoroutine(awaitable).addCallback(results.append)
        return results[0]

    def device_id(self, device: int) -> bytes:
        """16 bytes."""
        return bytes((device,)) * 16

    def _commit(self, room_id: bytes, added: tuple[bytes, ...] = (), removed: tuple[bytes, ...] = ()) -> None:
        self.count += 1
        before = self.newest.get(room_id)
        draft = CommitDraft(
            room_id=room_id,
            epoch=0 if before is None else before.epoch + 1,
            prev=bytes(32) if before is None else before.commit_hash,
            commit_hash=sha256(self.count.to_bytes(8, "big")),
            kt_size=0,
            state=NOBODY_IN_IT,
            name="",
            skeleton="",
            pair=b"",
            account_id=WRITER,
            device_id=WRITER,
            sender="writer",
            body=b"commit",
            at_ms=0,
            added=tuple((device_id, 0) for device_id in added),
            removed=removed,
        )
        result = self.result(self.memory.commit(draft))
        assert isinstance(result, Appended), result
        self.newest[room_id] = draft
        seq = result.event.seq
        for device in range(DEVICES):
            periods = self.periods.setdefault((device, room_id), [])
            if self.device_id(device) in added:
                periods.append([seq, 0])
            elif self.device_id(device) in removed:
                periods[-1][1] = seq

    @rule(room=st.sampled_from(ROOMS), size=st.sampled_from([0, 100, 6000]))
    def append(self, room: bytes, size: int) -> None:
        """Somebody writes; the commit is not delivered yet."""
        self.count += 1
        epoch = self.newest[room].epoch
        number = self.count.to_bytes(16, "big")
        draft = EventDraft(room, number, epoch, WRITER, WRITER, "writer", bytes(size), 0, 0, self.count)
        assert isinstance(self.result(self.memory.append(draft)), Appended)

    @rule(room=st.sampled_from(ROOMS), device=st.integers(0, DEVICES - 1))
    def change(self, room: bytes, device: int) -> None:
        """A commit removes a device, or adds it again."""
        is_in = not self.periods[device, room][-1][1]
        ids = (self.device_id(device),)
        self._commit(room, removed=ids) if is_in else self._commit(room, added=ids)

    @precondition(lambda self: self.backplane.held)
    @rule(count=st.integers(1, 5))
    def publish(self, count: int) -> None:
        """The reactor hears of commits."""
        self.backplane.hand_on(count)

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
        for room_id, since in connection.began.items():
            self.cursors[device][room_id] = max(self.cursors[device][room_id], since)
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
        if connection is not None and not connection.queue.closed:
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
        cursors = self.cursors[device]
        for message in self.connections[device].read():
            if isinstance(message, messages.RoomEntered):
                assert message.info.since >= cursors[message.info.room]
                cursors[message.info.room] = message.info.since
                continue
            expected = cursors[message.room] + 1
            assert message.seq == expected, f"device {device}: {message.seq} came, {expected} was expected"
            cursors[message.room] = message.seq
            periods = self.periods[device, message.room]
            assert any(first <= message.seq <= (last or message.seq) for first, last in periods), (message, periods)
        assert not self.connections[device].failed, self.connections[device].failed

    @invariant()
    def old_ones_are_silent(self) -> None:
        """A replaced connection hears no room live."""
        for connection in self.old:
            for room in self.hub.rooms.values():
                assert connection.live not in room.live
                assert connection.live not in room.here

    @invariant()
    def only_who_is_in_it_is_live(self) -> None:
        """Who hears a room live has an open place in it and has synced."""
        for room in self.hub.rooms.values():
            for session in room.live:
                assert session.synced
                assert session in room.here
                assert session.places[room.room_id].until is None

    def teardown(self) -> None:
        """When everything is delivered, every device that asked has everything that is for it."""
        for device, connection in list(self.connections.items()):
            connection.queue.resumeProducing()
            self.sync(device)
        self._quiet()
        self.backplane.hand_on(len(self.backplane.held))
        self._quiet()
        for device, connection in self.connections.items():
            self._read(device)
            assert connection.synced
            for room_id in ROOMS:
                first, last = self.periods[device, room_id][-1]
                due = last or self.hub.rooms[room_id].head
                assert self.cursors[device][room_id] == due, (device, self.cursors[device], first, due)

    def _quiet(self) -> None:
        for _ in range(self.count * DEVICES + 10):
            self.store.fire_all()
            self.clock.advance(0)


class DeliveryTests(SynchronousTestCase):
    """Runs `DeliveryMachine`."""

    def test_every_event_once_in_order(self) -> None:
        """Whatever interleaves, every device gets every event for it above its cursor exactly once and in order."""
        run_state_machine_as_test(
            DeliveryMachine, settings=settings(max_examples=300, stateful_step_count=50, deadline=None)
        )
