"""What a node reads of the store that all nodes share; where that has less than it had, the node is at its end.

A database goes back where a server takes over that was not told of everything. What comes in the place of what is lost has
the same numbers: other messages, and another log than the one that clients have.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from chatserv.backplane.feed import Budget
from chatserv.backplane.gathering import Gathering
from chatserv.backplane.numbered_feed import Entry, NumberedFeed
from chatserv.commands.effects import Effects
from chatserv.errors import ReadOnly
from chatserv.models import Event
from chatserv.node_models import Numbers, RoomAt
from chatserv.ports import Store


def _gone_back(store: Store, what: str) -> ReadOnly:
    reason = f"the database has gone back: {what}"
    store.give_up(reason)
    return ReadOnly(reason)


class StoredRooms:
    """A `chatserv.backplane.room_feeds.RoomSource`.

    Args:
        effects: Runs reads.
        store: The store.
    """

    def __init__(self, effects: Effects, store: Store) -> None:
        self._store = store
        self._rooms = Gathering(effects, self._read)

    def _read(self, room_ids: Sequence[bytes]) -> Awaitable[Mapping[bytes, RoomAt]]:
        return self._store.rooms_at(room_ids)

    def events(self, room_id: bytes, after: int, limit: int) -> Awaitable[Sequence[Event]]:
        """As of the store."""
        return self._store.events(room_id, after, limit)

    async def room_at(self, room_id: bytes) -> RoomAt | None:
        """As of the store; several in one read, where a login needs many."""
        return (await self._rooms.ask(room_id)).get(room_id)

    async def ahead(self, heads: Mapping[bytes, int]) -> Mapping[bytes, int]:
        """The heads of those of these rooms that are open and further.

        Raises:
            ReadOnly: One is not as far any more.
        """
        found = await self._store.moved(heads)
        for room_id, head in found.items():
            if head < heads[room_id]:
                raise _gone_back(self._store, f"a room has {head} events, and had {heads[room_id]}")
        return found


class Streams:
    """The log and the control entries: `chatserv.backplane.node_parts.Streams`.

    Args:
        effects: Timers, promises.
        budget: What all feeds share.
        store: The store.
        numbers: How far this node has them.
        log: Gets leaves.
        control: Gets control entries.
    """

    def __init__(
        self,
        effects: Effects,
        budget: Budget,
        store: Store,
        numbers: Numbers,
        log: Callable[[Sequence[Entry]], None],
        control: Callable[[Sequence[Entry]], None],
    ) -> None:
        self._store, self._effects = store, effects
        self._asking = Gathering(effects, lambda _: self._ask_store())
        self.log = NumberedFeed(effects, budget, numbers.log_size, self._leaves, log)
        self.control = NumberedFeed(effects, budget, numbers.control, self._orders, control)

    async def numbers(self) -> Numbers:
        """How far the store has them now. Whoever asks while somebody else does is answered by the one read that follows.

        Raises:
            ReadOnly: It has not so many leaves or orders any more.
            Busy: It cannot be asked.
        """
        return await self._asking.ask()

    async def _ask_store(self) -> Numbers:
        log, control = self.log.head, self.control.head
        found = await self._store.numbers()
        if found.log_size < log:
            raise _gone_back(self._store, f"its log has {found.log_size} entries, and had {log}")
        if found.control < control:
            raise _gone_back(self._store, f"it has {found.control} orders, and had {control}")
        return found

    async def _leaves(self, after: int, limit: int) -> Sequence[Entry]:
        return [Entry(number, leaf) for number, leaf in enumerate(await self._store.leaves(after, limit), after + 1)]

    async def _orders(self, after: int, limit: int) -> Sequence[Entry]:
        return [Entry(number, order) for number, order in enumerate(await self._store.orders(after, limit), after + 1)]
