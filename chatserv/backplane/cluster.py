"""The backplane of a node among others: the bus brings what they commit, and the store what the bus has lost.

What the own store commits takes the same way through the feeds, so that everything is handed on once and in order, whoever
has done it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

from chatserv.backplane.bus_messages import Beat, Sealer, Subjects, Takeover
from chatserv.backplane.feed import Budget
from chatserv.backplane.idle_rooms import IdleRooms
from chatserv.backplane.node import Node
from chatserv.backplane.node_parts import Carrier, NodeState
from chatserv.backplane.numbered_feed import Entry
from chatserv.backplane.stored import StoredRooms, Streams
from chatserv.bus_models import Notice, Shown
from chatserv.commands.context import Context
from chatserv.commands.effects import Effects
from chatserv.commands.elsewhere import Neighbours
from chatserv.commands.heard_rates import HeardRates
from chatserv.commands.notices import take_notice
from chatserv.commands.retention import somebody_reads
from chatserv.commands.rooms_needed import let_go, needed
from chatserv.commands.shared_leases import SharedLeases
from chatserv.crypto.log_leaves import head_size
from chatserv.lease_ports import LeaseStore
from chatserv.models import Event
from chatserv.node_models import Numbers, RoomAt
from chatserv.node_ports import CommitListener, HeadSink, LogListener
from chatserv.ports import Store

NODE_ID_BYTES: Final = 8


class SharedStore(Store, LeaseStore, Protocol):
    """What the nodes of a cluster share."""


class ClusterBackplane:
    """Implements `chatserv.node_ports.Backplane`; nothing is committed or asked before `begin`.

    Args:
        effects: Time, timers, promises, randomness.
        store: What the nodes share.
        most_rooms: That are here at once.
        poll_seconds: From one poll of the store to the next while the bus is away, asked each time.

    Attributes:
        node_id: Of this start, 8 bytes.
        state: What the others are told.
        node: The feeds, and what is said and heard.
    """

    node: Node

    def __init__(
        self, effects: Effects, store: SharedStore, most_rooms: int, poll_seconds: Callable[[], float]
    ) -> None:
        self._effects, self._store, self._most_rooms, self._poll_seconds = effects, store, most_rooms, poll_seconds
        self.node_id = effects.random(NODE_ID_BYTES)
        self.state = NodeState()
        self._sink = _Sink()
        self._log_listeners: list[LogListener] = []
        self._heads: list[HeadSink] = []
        self._control_listeners: list[LogListener] = []
        self._takeover: list[Callable[[bytes, int], None]] = []
        self._ordered = 0  # the last control entry of an own transaction

    def begin(self, context: Context, bus: Carrier, sealer: Sealer, subjects: Subjects, control: int) -> None:
        """Begins to hear others and to be heard.

        Args:
            context: The world of this node, as it was read from the store.
            bus: The way to the others.
            sealer: Makes and checks messages.
            subjects: Of the cluster.
            control: The last control entry that is in this world.
        """
        effects, budget = self._effects, Budget(self._effects)
        numbers = Numbers(context.log.size, control)
        streams = Streams(effects, budget, self._store, numbers, self._hear_log, self._hear_control)
        self._streams = streams
        stored = StoredRooms(effects, self._store)
        self.node = Node(
            *(effects, self.node_id, bus, sealer, subjects, self.state, streams, stored, self._sink, budget),
            *(self._most_rooms, self._poll_seconds, self._hear_takeover),
        )
        self.state.count = lambda: len(context.hub.sessions)
        self.state.reads = lambda: somebody_reads(context.hub)
        self._rates = HeardRates(context)
        self._sink.listeners.insert(0, self._rates.deliver)
        self.node.told = self._hear_head
        self.node.noticed = partial(take_notice, context)
        self.node.presence.sink = Neighbours(context)
        shared = SharedLeases(self._store, self.node_id, context.settings, effects, self.reached, self.tell)
        context.leases.shared = shared
        self._idle = IdleRooms(
            *(effects, lambda: context.config.cluster.idle_room_seconds, lambda: self.node.rooms.resting),
            *(partial(needed, context), partial(let_go, context)),
        )
        self.node.start()
        self._idle.start()

    def stop(self) -> None:
        """Says and asks nothing more."""
        self._idle.stop()
        self.node.stop()

    @property
    def address(self) -> str:
        """Where clients reach this node, or empty."""
        return self.state.address

    @property
    def nodes(self) -> Sequence[Beat]:
        """What the other nodes have said of themselves last."""
        return self.node.others

    # -- what is committed here

    def publish(self, events: Sequence[Event]) -> None:
        """Tells the others, and the sessions here as soon as it is their turn."""
        self._rates.own(events)
        self.node.committed(events)

    def publish_log(self, first: int, leaves: Sequence[bytes]) -> None:
        """Likewise."""
        self.node.logged(first, leaves)

    def publish_control(self, first: int, entries: Sequence[bytes]) -> None:
        """Likewise."""
        self._ordered = max(self._ordered, first + len(entries) - 1)
        self.node.ordered(first, entries)

    # -- who hears what

    def subscribe(self, listener: CommitListener) -> None:
        """Calls ``listener`` with events as they come, those of one room in order."""
        self._sink.listeners.append(listener)

    def subscribe_log(self, listener: LogListener) -> None:
        """Calls ``listener`` with leaves as they come, in order."""
        self._log_listeners.append(listener)

    def subscribe_heads(self, heads: HeadSink) -> None:
        """Tells ``heads`` of signed heads as they come."""
        self._heads.append(heads)

    def subscribe_control(self, listener: LogListener) -> None:
        """Calls ``listener`` with control entries as they come, in order."""
        self._control_listeners.append(listener)

    def subscribe_rooms(self, reload: Callable[[RoomAt], None], gone: Callable[[bytes], object]) -> None:
        """Calls ``reload`` with rooms of which too much was missed, ``gone`` with those that the store does not have."""
        self._sink.reloads.append(reload)
        self._sink.ends.append(gone)

    def subscribe_takeovers(self, listener: Callable[[bytes, int], None]) -> None:
        """Calls ``listener`` where a device that is here has logged in elsewhere."""
        self._takeover.append(listener)

    def _hear_log(self, run: Sequence[Entry]) -> None:
        for listener in self._log_listeners:
            listener(run[0].number - 1, [entry.body for entry in run])

    def _hear_head(self, signed: bytes) -> None:
        self._streams.log.claim(head_size(signed))
        for heads in self._heads:
            heads.told(signed)

    def _hear_control(self, run: Sequence[Entry]) -> None:
        for listener in self._control_listeners:
            listener(run[0].number, [entry.body for entry in run])

    def _hear_takeover(self, takeover: Takeover) -> None:
        for listener in self._takeover:
            listener(takeover.device, takeover.number)

    # -- who waits

    async def keep_head(self, signed: bytes, last: bytes) -> bytes:
        """Keeps a signed head of the log in the store, and tells the others of it; gives the one that is kept then."""
        kept = await self._store.keep_head(signed, last)
        if kept == signed:
            self.node.signed(signed)
        else:
            self._streams.log.claim(head_size(kept))
        return kept

    async def load(self, room_id: bytes) -> None:
        """Answers when the room is here, and it stays for a while, or the store has none of that id. Raises `Busy`."""
        self._idle.keep([room_id])
        await self.node.rooms.load(room_id)

    def unload(self, room_id: bytes) -> None:
        """The room has ended, or nobody here needs it: nothing that is still said of it counts."""
        self.node.rooms.unload(room_id)

    async def reached(self, room_id: bytes, seq: int) -> None:
        """Answers when what the store has at ``seq`` was handed to the sessions here. Raises `Busy`."""
        await self.node.rooms.reached(room_id, seq)

    @property
    def control(self) -> int:
        """The number of the last control entry that was handed on here."""
        return self._streams.control.head

    async def keep_up(self, device_id: bytes) -> None:
        """Answers when the rooms of a device are here as the store had them when this was called. Raises `WireError`."""
        found, rooms = await self._store.standing(device_id), self.node.rooms
        due = {item.room_id for item in found.places if item.place.until is None or item.room_id in rooms}
        await rooms.arrive({room_id: found.heads[room_id] for room_id in due})

    async def ordered(self) -> None:
        """Answers when all control entries of own transactions have been carried out here. Raises `Busy`."""
        await self._streams.control.reached(self._ordered)

    async def current(self) -> None:
        """Answers when what the store had as this was called, but for rooms, has been taken in here. Raises `WireError`."""
        await self._taken_in(await self._streams.numbers())

    async def look(self) -> None:
        """Asks how far the store has come, and has read what is missing of the log and of orders; nobody waits for that.

        Whoever loses what they like on the bus, beats too, keeps no order from being carried out. Raises `WireError`.
        """
        numbers = await self._streams.numbers()
        self._streams.log.claim(numbers.log_size)
        self._streams.control.claim(numbers.control)

    async def arrive(self, heads: Mapping[bytes, int], numbers: Numbers) -> None:
        """Answers when this node has come as far as the store has told; the rooms stay for a while. Raises `Busy`."""
        self._idle.keep(heads)
        await self._effects.together([self.node.rooms.arrive(heads), self._taken_in(numbers)])

    async def _taken_in(self, numbers: Numbers) -> None:
        self._streams.log.claim(head_size(numbers.head))  # which may have been read later
        await self.node.reached(numbers)
        for heads in self._heads:
            await heads.up_to(numbers.log_size, numbers.head)

    # -- devices

    async def attend(self, device_id: bytes) -> None:
        """A device is about to be here. Raises `Busy`."""
        await self.node.attend(device_id)

    def miss(self, device_id: bytes) -> None:
        """It is not here any more."""
        self.node.miss(device_id)

    def take_over(self, device_id: bytes, number: int) -> None:
        """A device has logged in here, under this number of the store."""
        self.node.take_over(device_id, number)

    def tell(self, notice: Notice) -> None:
        """Tells other nodes something that may be lost."""
        self.node.tell(notice)

    def show(self, shown: Shown) -> None:
        """Tells other nodes how somebody is here."""
        self.node.presence.show(shown)


class _Sink:
    """A `chatserv.backplane.room_feeds.RoomSink`: who hears what becomes of rooms."""

    def __init__(self) -> None:
        self.listeners: list[CommitListener] = []
        self.reloads: list[Callable[[RoomAt], None]] = []
        self.ends: list[Callable[[bytes], object]] = []

    def deliver(self, events: Sequence[Event]) -> None:
        """Events of one room that follow what was delivered."""
        for listener in self.listeners:
            listener(events)

    def reload(self, found: RoomAt) -> None:
        """The room as it stands."""
        for reload in self.reloads:
            reload(found)

    def gone(self, room_id: bytes) -> None:
        """The store has no such room any more."""
        for gone in self.ends:
            gone(room_id)
