"""One node among others: what is committed here is told to them, and what they tell goes into the feeds.

Everything that matters is in the store. So whatever cannot be said or read here is left out, and comes as everything comes
that a bus loses.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import groupby
from typing import Final

from msgspec.structs import replace
from twisted.logger import Logger

from chatserv.backplane.bus_events import events_of, room_messages
from chatserv.backplane.bus_messages import (
    MAX_ENTRIES,
    MAX_HEADS,
    BadNode,
    Beat,
    BusMessage,
    Entries,
    Noticed,
    OtherVersion,
    Presence,
    RoomEvents,
    Sealer,
    Subjects,
    Takeover,
)
from chatserv.backplane.feed import Budget
from chatserv.backplane.node_parts import Carrier, NodeState, Streams
from chatserv.backplane.numbered_feed import Entry, NumberedFeed
from chatserv.backplane.polling import MAX_NODES, Polling
from chatserv.backplane.presence import PresenceFeed
from chatserv.backplane.room_feeds import RoomFeeds, RoomSink, RoomSource
from chatserv.backplane.stamps import OLD_MS, Stamps
from chatserv.bus_models import OF_ACCOUNTS, OF_ROOMS, Notice
from chatserv.commands.effects import Effects, Timer
from chatserv.errors import TooLarge
from chatserv.models import Event
from chatserv.node_models import Numbers

BEAT_SECONDS: Final = 1.0
RECENT_SECONDS: Final = 3.0  # heads of rooms that were appended to since then are in a beat
GONE_SECONDS: Final = 5.0  # without a beat
COMPLAINT_SECONDS: Final = 60.0  # between two lines in the log of what nobody should say

log = Logger(namespace="chatserv.backplane.node")


class Node:
    """This one.

    Args:
        effects: Time, timers, promises.
        node_id: 8 random bytes, new at each start.
        bus: The way to the others; its `back` and `away` are this node's `bus_back` and `bus_away`.
        sealer: Makes and checks messages.
        subjects: Of the cluster.
        state: What a beat says.
        streams: The log and control entries.
        source: The store.
        sink: The hub.
        budget: What all feeds share.
        most_rooms: Loaded at once.
        poll_seconds: From one poll to the next while the bus is away.
        taken_over: Told when a device that is attended has logged in elsewhere.

    Attributes:
        rooms: The feeds of rooms.
        polling: When the store is asked.
        told: Told of signed heads of the log.
        presence: Who is where; its ``sink`` is set before the start.
        noticed: Told what others have said that may be lost.
        refused: Messages that no node of this server has made, or that cannot be read.
    """

    def __init__(
        self,
        effects: Effects,
        node_id: bytes,
        bus: Carrier,
        sealer: Sealer,
        subjects: Subjects,
        state: NodeState,
        streams: Streams,
        source: RoomSource,
        sink: RoomSink,
        budget: Budget,
        most_rooms: int,
        poll_seconds: Callable[[], float],
        taken_over: Callable[[Takeover], None],
    ) -> None:
        self._effects, self._id, self._bus = effects, node_id, bus
        self._sealer, self._subjects, self._state, self._streams = sealer, subjects, state, streams
        self._taken_over = taken_over
        self.rooms = RoomFeeds(effects, budget, source, sink, self._listen, self._forget, most_rooms)
        self.polling = Polling(effects, self._poll, poll_seconds)
        self.told: Callable[[bytes], object] = bool
        self.presence = PresenceFeed(effects, node_id, self._show)
        self._stamps = Stamps(effects.now_ms)
        self.noticed: Callable[[Notice], object] = bool
        self.refused = 0
        self._complained_at = float("-inf")
        self._recent: dict[bytes, tuple[int, float]] = {}
        self._others: dict[bytes, tuple[Beat, float]] = {}
        self._timer: Timer | None = None

    def start(self) -> None:
        """Hears the others, and is heard."""
        subjects = self._subjects
        for subject in (subjects.log, subjects.control, subjects.presence, subjects.beat):
            self._bus.subscribe(subject, partial(self._hear, subject))
        self._bus.subscribe(self._subjects.device(self._id), partial(self._hear, self._subjects.device(self._id)))
        self.polling.start()
        self._beat()

    def bus_back(self) -> None:
        """Subscriptions stand again."""
        self.polling.bus_back()
        self.presence.bus_back()

    def bus_away(self) -> None:
        """Nothing is heard any more."""
        self.polling.bus_away()
        self.presence.bus_away()

    def stop(self) -> None:
        """Says farewell, and asks nothing more."""
        self.presence.stop()
        self.polling.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._say_beat(draining=True)

    # -- what happens here

    def committed(self, events: Sequence[Event]) -> None:
        """Events of an own transaction: to the others, and then to the sessions here."""
        for room_id, group in groupby(events, key=lambda event: event.room_id):
            found = list(group)
            self._say(self._subjects.room(room_id), room_messages(self._id, found))
            if room_id in self._recent or len(self._recent) < MAX_HEADS:
                self._recent[room_id] = found[-1].seq, self._effects.awake()
        self.rooms.committed(events)

    def logged(self, first: int, leaves: Sequence[bytes]) -> None:
        """Leaves of an own transaction; ``first``: the index of the first, from 0 on."""
        self._append(self._subjects.log, self._streams.log, first + 1, leaves)

    def signed(self, head: bytes) -> None:
        """A signed head of the log, which is kept in the store."""
        self._say(self._subjects.log, [Entries(self._id, 1, (), head)])

    def ordered(self, first: int, entries: Sequence[bytes]) -> None:
        """Control entries of an own transaction; ``first``: the number of the first, from 1 on."""
        self._append(self._subjects.control, self._streams.control, first, entries)

    def _append(self, subject: str, feed: NumberedFeed, first: int, bodies: Sequence[bytes]) -> None:
        for at in range(0, len(bodies), MAX_ENTRIES):
            self._say(subject, [Entries(self._id, first + at, tuple(bodies[at : at + MAX_ENTRIES]))])
        feed.offer([Entry(first + at, body) for at, body in enumerate(bodies)])

    async def attend(self, device_id: bytes) -> None:
        """A device is here: what is for it alone is heard from now on. Raises `Busy`."""
        subject = self._subjects.device(device_id)
        await self._bus.subscribe(subject, partial(self._hear, subject))

    def take_over(self, device_id: bytes, number: int) -> None:
        """A device has logged in here, under this number of the store."""
        self._say(self._subjects.device(device_id), [Takeover(self._id, device_id, number)])

    def miss(self, device_id: bytes) -> None:
        """It is not here any more."""
        self._bus.unsubscribe(self._subjects.device(device_id))

    def tell(self, notice: Notice) -> None:
        """Something that may be lost, where it is heard: in its room, at its device, or on every node."""
        subjects = self._subjects
        subject = subjects.room(notice.about) if notice.kind in OF_ROOMS else subjects.device(notice.about)
        noticed = Noticed(self._id, notice, self._stamps.next())
        self._say(subjects.presence if notice.kind in OF_ACCOUNTS else subject, [noticed])

    def _show(self, presence: Presence) -> None:
        self._say(self._subjects.presence, [replace(presence, at_ms=self._stamps.next())])

    def _say(self, subject: str, messages: Iterable[BusMessage]) -> None:
        for message in messages:
            try:
                self._bus.publish(subject, self._sealer.seal(subject, message))
            except TooLarge:
                log.warn("The bus server takes no messages of the size that {subject} needs.", subject=subject)

    def _beat(self) -> None:
        self._timer = self._effects.later(BEAT_SECONDS, self._beat)
        self._say_beat(draining=self._state.draining)
        self.presence.beat()

    def _say_beat(self, *, draining: bool) -> None:
        since = self._effects.awake() - RECENT_SECONDS
        self._recent = {room_id: (head, at) for room_id, (head, at) in self._recent.items() if at >= since}
        heads = {room_id: head for room_id, (head, _) in self._recent.items()}
        state, streams = self._state, self._streams
        numbers = streams.log.head, streams.control.head
        own = state.sessions, state.reads()
        beat = Beat(self._id, state.address, draining, state.store_reached, *numbers, heads, *own, self._stamps.next())
        self._say(self._subjects.beat, [beat])

    # -- what is heard

    def _listen(self, room_id: bytes) -> Awaitable[None]:
        subject = self._subjects.room(room_id)
        return self._bus.subscribe(subject, partial(self._hear, subject))

    def _forget(self, room_id: bytes) -> None:
        self._bus.unsubscribe(self._subjects.room(room_id))

    def _hear(self, subject: str, data: bytes) -> None:
        try:
            message = self._sealer.open(subject, data)
        except OtherVersion as error:
            self.polling.cannot_hear()
            self._refuse(f"{error}; the store is asked until all nodes speak one")
            return
        except BadNode as error:
            self._refuse(str(error))
            return
        if message is None or message.node == self._id:
            return
        if not isinstance(message, Beat | Presence | Noticed) or self._stamps.is_new(message.node, message.at_ms):
            self._take(subject, message)
        elif abs(age := self._stamps.age_ms(message.at_ms)) > OLD_MS:
            seconds = age // 1000
            self._refuse(f"said {seconds} s ago: somebody says it again, or the clocks of nodes differ")

    def _refuse(self, why: str) -> None:
        self.refused += 1
        now = self._effects.seconds()
        if now - self._complained_at >= COMPLAINT_SECONDS:
            self._complained_at = now
            log.warn("Refused on the bus, {count} in all: {error}.", count=self.refused, error=why)

    def _take(self, subject: str, message: BusMessage) -> None:
        match message:
            case RoomEvents():
                self.rooms.offer(events_of(message))
            case Entries():
                feed = self._streams.log if subject == self._subjects.log else self._streams.control
                feed.offer([Entry(message.first + at, body) for at, body in enumerate(message.entries)])
                if message.head and subject == self._subjects.log:
                    self.told(message.head)
            case Beat():
                self.polling.heard(message.node, leaves=message.draining)
                self._note(message)
                self.rooms.claim(message.heads)
                self.presence.heard(message.node)
                self._streams.log.claim(message.log_size)
                self._streams.control.claim(message.control)
            case Takeover():
                self._taken_over(message)
            case Presence():
                self.presence.hear(message)
            case Noticed():
                self.noticed(message.notice)

    def _note(self, beat: Beat) -> None:
        """Keeps what a node says of itself, and forgets those that were not heard for `GONE_SECONDS`."""
        now = self._effects.awake()
        self._others = {node: each for node, each in self._others.items() if now - each[1] < GONE_SECONDS}
        if beat.node in self._others or len(self._others) < MAX_NODES:
            self._others[beat.node] = beat, now

    @property
    def others(self) -> list[Beat]:
        """What the other nodes have said last, but for those that were not heard for `GONE_SECONDS`."""
        now = self._effects.awake()
        return [beat for beat, at in self._others.values() if now - at < GONE_SECONDS]

    # -- what is missing

    async def _poll(self) -> None:
        await self._effects.together([self.rooms.poll(), self._poll_numbers()])

    async def _poll_numbers(self) -> None:
        numbers = await self._streams.numbers()
        if numbers.head:
            self.told(numbers.head)
        await self.reached(numbers)

    async def reached(self, numbers: Numbers) -> None:
        """Answers when both streams have come so far here. Raises `Busy`."""
        log, control = self._streams.log, self._streams.control
        await self._effects.together([log.reached(numbers.log_size), control.reached(numbers.control)])
