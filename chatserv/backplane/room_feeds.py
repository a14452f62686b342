"""The rooms that a node has loaded: each hears its events once and in order, and is read anew where too much is missing.

Nothing is handed on from the store that moves a room: what a commit makes of it is with the commit only where it was just
made. So behind a missing commit the room and its places are read, and its sessions read on in the log by themselves, as one
does that could not keep up.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import groupby
from typing import Final, Protocol

from chatserv.backplane.feed import Budget, Feed
from chatserv.commands.effects import Effects
from chatserv.errors import Busy, WireError
from chatserv.models import CommitDraft, Event, EventKind
from chatserv.node_models import RoomAt

PAGE: Final = 128  # events that one read hands on; where more are missing, sessions read by themselves
EVENT_BYTES: Final = 200  # that an event takes beside its body, about
RETRY_SECONDS: Final = 1.0  # where a room cannot be heard, or there are too many


class RoomSource(Protocol):
    """What is asked of the store: always the primary, and each answer from one moment. All raise `WireError`."""

    def events(self, room_id: bytes, after: int, limit: int) -> Awaitable[Sequence[Event]]:
        """Up to ``limit`` committed events with ``seq > after``, in order of seq."""
        ...

    def room_at(self, room_id: bytes) -> Awaitable[RoomAt | None]:
        """A room as it stands; None where it is closed or unknown."""
        ...

    def ahead(self, heads: Mapping[bytes, int]) -> Awaitable[Mapping[bytes, int]]:
        """The heads of those rooms that are further than these."""
        ...


class RoomSink(Protocol):
    """What is done with it, on this node."""

    def deliver(self, events: Sequence[Event]) -> None:
        """Events of one room that follow what was delivered; a commit has its change."""
        ...

    def reload(self, found: RoomAt) -> None:
        """The room as it stands, new here or further than what was delivered."""
        ...

    def gone(self, room_id: bytes) -> None:
        """The store has no such room any more."""
        ...


class RoomFeed(Feed[Event]):
    """One room.

    Args:
        effects: Timers, promises.
        budget: What all streams share.
        room_id: 16 bytes.
        source: The store.
        sink: The hub.
        on_end: Called with the room's id when the store does not have it.
        head: The last seq that was delivered; None: it has to be read first.
    """

    def __init__(
        self,
        effects: Effects,
        budget: Budget,
        room_id: bytes,
        source: RoomSource,
        sink: RoomSink,
        on_end: Callable[[bytes], None],
        head: int | None,
    ) -> None:
        super().__init__(effects, budget, head or 0, ready=head is not None)
        self._room_id, self._source, self._sink, self._on_end = room_id, source, sink, on_end

    def _number(self, item: Event) -> int:
        return item.seq

    def _size(self, item: Event) -> int:
        return EVENT_BYTES + len(item.body) + (change_bytes(item.change) if item.change else 0)

    def _whole(self, item: Event) -> bool:
        return item.change is not None or item.kind is not EventKind.COMMIT

    def _deliver(self, run: Sequence[Event]) -> None:
        self._sink.deliver(run)

    async def _mend(self) -> None:
        if self.ready and self._target <= self.head + PAGE:
            page = await self._source.events(self._room_id, self.head, PAGE)
            run = self._run_of(page)
            if run is not None:
                self.offer(run)
                if self.head >= self._target:
                    return
        found = None if self.ended else await self._source.room_at(self._room_id)
        if self.ended:
            return
        if found is None:
            if self._claimed > self.head:
                self._again = True  # it has begun meanwhile, as somebody says
            else:
                self._on_end(self._room_id)
            return
        if found.room.head > self.head or not self.ready:
            try:
                self._sink.reload(found)
            finally:
                self._begin(found.room.head)

    def _run_of(self, page: Sequence[Event]) -> list[Event] | None:
        """What can be handed on of a page that is all there is; None where sessions have to read it."""
        run, following = list[Event](), self.head + 1
        for event in page:
            if event.seq >= following:
                found = event if self._whole(event) else self._held.get(event.seq, event)
                if event.seq > following or not self._whole(found):
                    return None
                run.append(found)
                following += 1
        return run if len(page) < PAGE else None


class RoomFeeds:
    """All rooms of a node.

    Args:
        effects: Timers, promises.
        budget: What all streams share.
        source: The store.
        sink: The hub.
        listen: Begins to hear a room from the other nodes; answers when that is so, or nothing can be heard now. Raises
            `WireError`.
        forget: Hears it no more.
        most: Rooms at once.
    """

    def __init__(
        self,
        effects: Effects,
        budget: Budget,
        source: RoomSource,
        sink: RoomSink,
        listen: Callable[[bytes], Awaitable[None]],
        forget: Callable[[bytes], None],
        most: int,
    ) -> None:
        self._effects, self._budget, self._source, self._sink = effects, budget, source, sink
        self._listen, self._forget, self._most = listen, forget, most
        self._feeds: dict[bytes, RoomFeed] = {}

    @property
    def heads(self) -> Mapping[bytes, int]:
        """How far each room has come here; 0 while it is being loaded."""
        return {room_id: feed.head for room_id, feed in self._feeds.items()}

    def __contains__(self, room_id: bytes) -> bool:
        return room_id in self._feeds

    @property
    def resting(self) -> list[bytes]:
        """Rooms of which nothing is read, missing or waited for."""
        return [room_id for room_id, feed in self._feeds.items() if feed.rests]

    def _add(self, room_id: bytes, head: int | None) -> RoomFeed:
        feed = RoomFeed(self._effects, self._budget, room_id, self._source, self._sink, self._closed, head)
        self._feeds[room_id] = feed
        return feed

    async def load(self, room_id: bytes) -> None:
        """Answers when the room is here; at once where it is, and also where the store does not have it.

        Raises:
            Busy: There are as many as there may be, it cannot be heard, or the store cannot be asked.
        """
        feed = self._feeds.get(room_id)
        if feed is None:
            if self._full:
                raise Busy("feed: too many rooms", after_seconds=RETRY_SECONDS)
            feed = self._add(room_id, None)
            self._begin_to_hear(room_id, feed)  # in a task of its own: who asks may go away
        await feed.reached(0)

    @property
    def _full(self) -> bool:
        return len(self._feeds) >= self._most

    async def _hear(self, room_id: bytes, feed: RoomFeed) -> None:
        """Listens first and reads then, so that nothing falls between what is read and what is heard."""
        heard = False
        try:
            await self._listen(room_id)
            heard = True
        except WireError:
            pass  # who waits is told so
        finally:
            if self._feeds.get(room_id) is not feed:  # unloaded meanwhile
                if room_id not in self._feeds:
                    self._forget(room_id)
            elif heard:
                feed.mend()
            elif feed.ready:  # it began here, and has its sessions
                self._effects.later(RETRY_SECONDS, partial(self._begin_to_hear, room_id, feed))
            else:
                self._end(room_id, refused=True)

    def _begin_to_hear(self, room_id: bytes, feed: RoomFeed) -> None:
        if not feed.ended:
            self._effects.spawn(self._hear(room_id, feed))

    def unload(self, room_id: bytes) -> None:
        """Nobody needs the room here any more."""
        self._end(room_id, refused=False)

    def _end(self, room_id: bytes, *, refused: bool) -> None:
        feed = self._feeds.pop(room_id, None)
        if feed is not None:
            self._forget(room_id)  # first: who goes on may load it again
            feed.end(refused=refused)

    def _closed(self, room_id: bytes) -> None:
        self.unload(room_id)
        self._sink.gone(room_id)

    def offer(self, events: Sequence[Event]) -> None:
        """Events, whoever says so; of rooms that are not here nothing is kept. Where one fails, the others get theirs."""
        if len(events) == 1:  # as it mostly is
            if (feed := self._feeds.get(events[0].room_id)) is not None:
                feed.offer(events)
            return
        groups = [(room_id, list(group)) for room_id, group in groupby(events, key=lambda event: event.room_id)]
        with ExitStack() as stack:
            for room_id, group in reversed(groups):  # a stack calls the last one first
                feed = self._feeds.get(room_id)
                if feed is not None:
                    stack.callback(feed.offer, group)

    def committed(self, events: Sequence[Event]) -> None:
        """Events of an own transaction. A room that begins with it is loaded from then on, unless there are too many."""
        first = [event.room_id for event in events if event.change is not None and event.change.epoch == 0]
        if not first:
            self.offer(events)
            return
        begun = {}
        for room_id in first:
            if room_id not in self._feeds and not self._full:
                begun[room_id] = self._add(room_id, 0)
        try:
            self.offer(events)
        finally:
            for room_id, feed in begun.items():
                self._begin_to_hear(room_id, feed)

    def claim(self, heads: Mapping[bytes, int]) -> None:
        """How far rooms have come, as another node says; of those that are not here nothing is kept."""
        for room_id, head in heads.items():
            if (feed := self._feeds.get(room_id)) is not None:
                feed.claim(head)

    async def reached(self, room_id: bytes, seq: int) -> None:
        """Answers when what the store has at ``seq`` was delivered here: only then its sender is answered. Raises `Busy`."""
        feed = self._feeds.get(room_id)
        if feed is not None:
            await feed.reached(seq)

    async def arrive(self, heads: Mapping[bytes, int]) -> None:
        """Answers when this node has come as far as the store, of which somebody who logs in was told. Raises `Busy`."""
        await self._effects.together([self._arrive(room_id, head) for room_id, head in heads.items()])

    async def _arrive(self, room_id: bytes, head: int) -> None:
        await self.load(room_id)
        await self.reached(room_id, head)

    async def poll(self) -> None:
        """Asks the store what is missing, and reads it. Raises `WireError`."""
        ahead = await self._source.ahead(self.heads)
        for room_id, head in ahead.items():
            feed = self._feeds.get(room_id)
            if feed is not None:
                feed.claim(head)
                if feed.ready:  # else it is read when it is heard
                    feed.mend()
        await self.arrive(ahead)


def change_bytes(change: CommitDraft) -> int:
    """How many bytes what a commit makes of its room takes, about."""
    wraps = sum(len(wrap.wrap) + 32 * len(wrap.path) for wrap in change.wraps)
    devices = 24 * (len(change.added) + len(change.removed))
    return EVENT_BYTES + len(change.state) + len(change.body) + wraps + devices
