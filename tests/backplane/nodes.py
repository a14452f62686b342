"""Nodes in memory for the machine of feeds: one store, a bus between them, and sessions on real hubs.

Nothing happens by itself: a call of the store first happens, and is answered later; what is said on the bus lies there.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from chatserv.backplane.feed import Budget
from chatserv.backplane.room_feeds import RoomFeeds
from chatserv.commands.broadcast import notify
from chatserv.commands.delivery import deliver, encode_event, room_info
from chatserv.commands.room_registry import RoomRegistry
from chatserv.crypto.room_state import State
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import Hub, LiveRoom, LiveSession, Place
from chatserv.domain.roles import Role
from chatserv.domain.room_reload import reload_room
from chatserv.errors import Busy
from chatserv.models import CommitDraft, Event, EventKind, Room
from chatserv.net.effects import reactor_effects
from chatserv.node_models import RoomAt
from chatserv.wire import messages
from chatserv.wire.codec import join, server_decoder
from tests.support.smith import PRIVATE

EMPTY_STATE = State(0, PRIVATE, (), ()).encoded


def commit_draft(
    room_id: bytes, epoch: int, added: tuple[tuple[bytes, int], ...] = (), removed: tuple[bytes, ...] = ()
) -> CommitDraft:
    """A commit of nobody."""
    return CommitDraft(
        room_id=room_id,
        epoch=epoch,
        prev=bytes(32),
        commit_hash=epoch.to_bytes(32, "big"),
        kt_size=0,
        state=EMPTY_STATE,
        name="",
        skeleton="",
        pair=b"",
        account_id=b"",
        device_id=b"",
        sender="writer",
        body=b"commit",
        at_ms=0,
        added=added,
        removed=removed,
    )


class Store:
    """What the database holds, as of now."""

    def __init__(self) -> None:
        self.logs: dict[bytes, list[Event]] = {}
        self.epochs: dict[bytes, int] = {}
        self.places: dict[bytes, dict[bytes, Place]] = {}
        self.fails = False

    def head(self, room_id: bytes) -> int:
        """The last seq of a room."""
        return len(self.logs.get(room_id, ()))

    def append(self, room_id: bytes) -> Event:
        """A message more."""
        log = self.logs[room_id]
        log.append(Event(room_id, len(log) + 1, 0, "writer", EventKind.MESSAGE, b"text"))
        return log[-1]

    def commit(self, room_id: bytes, added: tuple[bytes, ...] = (), removed: tuple[bytes, ...] = ()) -> Event:
        """A commit more, or the first one."""
        epoch = self.epochs[room_id] = self.epochs.get(room_id, -1) + 1
        log, places = self.logs.setdefault(room_id, []), self.places.setdefault(room_id, {})
        change = commit_draft(room_id, epoch, tuple((device, 0) for device in added), removed)
        seq = len(log) + 1
        log.append(Event(room_id, seq, 0, "writer", EventKind.COMMIT, b"commit"))
        for device in added:
            places[device] = Place(0, seq - 1)
        for device in removed:
            places[device] = Place(0, places[device].since, seq)
        return Event(room_id, seq, 0, "writer", EventKind.COMMIT, b"commit", change)

    def events(self, room_id: bytes, after: int, limit: int) -> list[Event]:
        """A page."""
        return self.logs[room_id][after : after + limit]

    def room_at(self, room_id: bytes) -> RoomAt | None:
        """A room and its places."""
        if room_id not in self.logs:
            return None
        epoch = self.epochs[room_id]
        room = Room(room_id, "", epoch, self.head(room_id), epoch.to_bytes(32, "big"), 0, EMPTY_STATE)
        return RoomAt(room, dict(self.places[room_id]), ())

    def of_device(self, device: bytes) -> tuple[dict[bytes, Place], dict[bytes, int]]:
        """The places of a device, and the heads of their rooms."""
        places = {room_id: each[device] for room_id, each in self.places.items() if device in each}
        return places, {room_id: self.head(room_id) for room_id in places}


@dataclass
class Call:
    """A call of the store: it happens first, and is answered afterwards."""

    work: Callable[[], Any]
    answer: "Deferred[Any]" = field(default_factory=Deferred)
    done: list[Any] = field(default_factory=list)

    def step(self) -> bool:
        """Goes on. Says whether it was answered."""
        if self.done:
            result = self.done[0]
            self.answer.errback(result) if isinstance(result, Exception) else self.answer.callback(result)
            return True
        try:
            self.done.append(self.work())
        except Busy as refusal:
            self.done.append(refusal)
        return False


class Client:
    """A device wherever it is: what it has got of each room."""

    def __init__(self, device_id: bytes) -> None:
        self.device_id = device_id
        self.cursors: dict[bytes, int] = {}
        self.node: Node | None = None
        self.session: LiveSession | None = None
        self.full = False

    def take(self, part: bytes) -> None:
        """Every seq once and in order; a new place begins behind what there was."""
        (message,) = server_decoder.decode(join([part]))
        if isinstance(message, messages.RoomEntered):
            assert message.info.since >= self.cursors.get(message.info.room, 0)
            self.cursors[message.info.room] = message.info.since
        elif isinstance(message, messages.Event):
            expected = self.cursors[message.room] + 1
            assert message.seq == expected, f"{message.seq} came, {expected} was expected"
            self.cursors[message.room] = message.seq


class Box:
    """The queue of one session."""

    relaxed = True

    def __init__(self, client: Client) -> None:
        self.client = client
        self.closed = False

    def queue(self, parts: Sequence[bytes], size: int) -> None:  # noqa: ARG002
        """The client has it at once."""
        if not self.closed:
            for part in parts:
                self.client.take(part)

    async def writable(self) -> None:
        """Always."""

    def has_place(self, size: int) -> bool:  # noqa: ARG002
        """Unless the client does not read."""
        return not self.client.full

    def fell_behind(self) -> None:
        """Nothing: the machine lets it read on."""

    def end(self, reason: CloseReason) -> None:  # noqa: ARG002
        """It is over."""
        self.closed = True


class Node:
    """One server process. Implements the ports of `RoomFeeds`.

    Args:
        store: What all have.
        publish: Says something to the other nodes.
        answered: Told of each append that is answered: its room and seq.
        most: Rooms at once.
    """

    def __init__(
        self,
        store: Store,
        publish: Callable[["Node", Event], None],
        answered: Callable[["Node", bytes, int], None],
        most: int = 10,
    ) -> None:
        self.store, self._publish, self._answered = store, publish, answered
        self.clock = Clock()
        self.failed: list[Failure] = []
        effects = replace(reactor_effects(self.clock, lambda: 0, bytes), spawn=self._spawn)
        self.hub, self.registry = Hub(10), RoomRegistry()
        self.calls: list[Call] = []
        self.hears: dict[bytes, None] = {}
        self.heard: dict[bytes, int] = {}
        self.told: dict[bytes, int] = {}  # the sink, of each room, also of one that was unloaded since
        self.deaf = False
        self.arriving = self.writing = self.using = 0
        self.feeds = RoomFeeds(effects, Budget(effects), self, self, self.listen, self.forget, most)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        Deferred.fromCoroutine(coroutine).addErrback(self.failed.append)

    # -- the store and the bus

    def _call(self, work: Callable[[], Any]) -> "Deferred[Any]":
        def run() -> Any:
            if self.store.fails:
                raise Busy("away")
            return work()

        self.calls.append(Call(run))
        return self.calls[-1].answer

    def events(self, room_id: bytes, after: int, limit: int) -> Awaitable[Sequence[Event]]:
        """A page."""
        return self._call(lambda: self.store.events(room_id, after, limit))

    def room_at(self, room_id: bytes) -> Awaitable[RoomAt | None]:
        """A room and its places."""
        return self._call(lambda: self.store.room_at(room_id))

    def ahead(self, heads: Mapping[bytes, int]) -> Awaitable[Mapping[bytes, int]]:
        """What is further."""
        here = {session.device_id for session in self.hub.sessions}

        def find() -> dict[bytes, int]:
            store = self.store
            return {
                room_id: store.head(room_id)
                for room_id in store.logs
                if (room_id in heads and store.head(room_id) > heads[room_id])
                or (room_id not in heads and any(self._is_in(store, room_id, device) for device in here))
            }

        return self._call(find)

    @staticmethod
    def _is_in(store: Store, room_id: bytes, device: bytes) -> bool:
        place = store.places[room_id].get(device)
        return place is not None and place.until is None

    def listen(self, room_id: bytes) -> Awaitable[None]:
        """Answered when it is heard; refused where the node is deaf."""

        def run() -> None:
            if self.deaf:
                raise Busy("too many subscriptions")
            self.hears.setdefault(room_id)

        self.calls.append(Call(run))
        return self.calls[-1].answer

    def forget(self, room_id: bytes) -> None:
        """Not any more."""
        self.hears.pop(room_id, None)

    def hear(self, event: Event) -> None:
        """The bus brings something."""
        self._note(event)
        self.feeds.offer([event])

    def _note(self, event: Event) -> None:
        if event.room_id in self.feeds.heads:
            self.heard[event.room_id] = max(event.seq, self.heard.get(event.room_id, 0))

    # -- the sink

    def deliver(self, events: Sequence[Event]) -> None:
        """To the sessions."""
        room_id, first = events[0].room_id, self.told.get(events[0].room_id, 0) + 1
        assert events[0].seq == first, f"{events[0].seq} was delivered, {first} was expected"
        self.told[room_id] = events[-1].seq
        deliver(self.hub, self.registry, events)

    def reload(self, found: RoomAt) -> None:
        """A room as it stands."""
        room, places = found.room, found.places
        assert room.head >= self.told.get(room.room_id, 0)
        self.told[room.room_id] = room.head

        def greet(session: LiveSession) -> None:
            info = room_info(self.hub.rooms[room.room_id], session, 0)
            notify([session], messages.RoomEntered(info))

        fresh = LiveRoom(room.room_id, room.name, room.epoch, room.head, room.commit_hash)
        reload_room(self.hub, fresh, places, greet)

    def gone(self, room_id: bytes) -> None:
        """It is closed."""
        self.hub.close(room_id)

    # -- what sessions do

    def write(self, work: Callable[[], Event]) -> None:
        """Somebody appends or commits, as ``work`` does it."""
        self.writing += 1
        self._spawn(self._write(work))

    async def _write(self, work: Callable[[], Event]) -> None:
        try:
            event = await self._call(work)
            self._publish(self, event)
            self._note(event)
            self.feeds.committed([event])
            await self.feeds.reached(event.room_id, event.seq)
        except Busy:
            return
        finally:
            self.writing -= 1
        self._answered(self, event.room_id, event.seq)

    def use(self, room_id: bytes) -> None:
        """Somebody asks for something about a room."""
        self.using += 1
        self._spawn(self._use(room_id))

    async def _use(self, room_id: bytes) -> None:
        try:
            await self.feeds.load(room_id)
        except Busy:
            return
        finally:
            self.using -= 1

    def connect(self, client: Client) -> None:
        """A device logs in and asks for what it misses."""
        self.arriving += 1
        self._spawn(self._connect(client))

    async def _connect(self, client: Client) -> None:
        try:
            while True:
                arrival = self.hub.expect(client.device_id)
                try:
                    places, heads = await self._call(lambda: self.store.of_device(client.device_id))
                    await self.feeds.arrive(heads)
                finally:
                    self.hub.arrived(arrival)
                if not arrival.touched:
                    break
        except Busy:
            return
        finally:
            self.arriving -= 1
        if client.session is not None or self.hub.session_of(client.device_id) is not None:
            return
        session = LiveSession(client.device_id, "user", Role.USER, client.device_id, Box(client), places)
        self.hub.attach(session)
        client.node, client.session = self, session
        session.synced = True
        for room_id, place in places.items():
            client.cursors[room_id] = max(client.cursors.get(room_id, 0), place.since)
            target = self.hub.target(session, room_id)
            position = max(place.since, min(client.cursors[room_id], target))
            if place.until is None or position < target:
                session.behind[room_id] = position

    def read_on(self, client: Client) -> None:
        """A session that is behind reads a page of each room, as `chatserv.commands.syncing` does."""
        session = client.session
        assert session is not None
        for room_id, position in list(session.behind.items()):
            del session.behind[room_id]
            if self.hub.go_live(session, room_id, position):
                continue
            session.behind[room_id] = position
            missing = self.hub.target(session, room_id) - position
            for event in self.store.events(room_id, position, min(missing, 2)):
                session.outbox.queue((encode_event(event),), 0)
                session.behind[room_id] = event.seq
