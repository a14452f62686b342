"""What every store keeps to about messages that are not to be kept."""

from chatserv.domain.retention import Kept, RetentionDue
from chatserv.models import Appended, Duplicate, EventKind
from chatserv.ports import Store
from tests.store.contract_base import ContractBase
from tests.store.drafts import NOW_MS, draft, following, founding

DAY_MS = 86_400_000
ROOM, OTHER = founding(1).room_id, founding(2).room_id


class RetentionContract(ContractBase):
    """Messages go by age or by size; commits, places in the room and the ids of messages stay."""

    async def retain(self, store: Store, days: float, age: float = 0, size: int = 0, most: int = 100) -> Kept:
        """A step at this day of the confirmed clock."""
        return await store.retain(RetentionDue(NOW_MS + int(days * DAY_MS), int(age * DAY_MS), size, most))

    async def with_messages(self, *rooms: int, each: int = 5) -> Store:
        """A store with rooms, a commit each at seq 1, and messages behind it."""
        store = await self.open_store()
        for number in rooms:
            await store.commit(founding(number))
            for message in range(each):
                await store.append(draft(founding(number).room_id, message))
        return store

    async def seqs(self, store: Store, room_id: bytes = ROOM) -> list[int]:
        """What is there."""
        return [event.seq for event in await store.events(room_id, 0, 100)]

    async def test_age(self) -> None:
        """What was there at a mark that is old enough goes; nothing a moment earlier, nothing that came later."""
        store = await self.with_messages(1, 2)
        await self.retain(store, 0, age=3)
        await store.append(draft(ROOM, 5))
        self.assertEqual(0, (await self.retain(store, 2.999, age=3)).gone)
        kept = await self.retain(store, 3, age=3)
        self.assertEqual(({ROOM: 6, OTHER: 6}, 10, False), (dict(kept.floors), kept.gone, kept.more))
        self.assertEqual([1, 7], await self.seqs(store))
        self.assertEqual([EventKind.COMMIT], [event.kind for event in await store.events(OTHER, 0, 9)])
        self.assertEqual([(7, 6), (6, 6)], [(room.head, room.gone_through) for room in await store.rooms()])

    async def test_own_date_does_not_count(self) -> None:
        """A message with an old date, or one far ahead, is as old as it has been here."""
        store = await self.open_store()
        await store.commit(founding(1))
        for number, at_ms in enumerate((0, NOW_MS + 9999 * DAY_MS)):
            await store.append(draft(ROOM, number, at_ms=at_ms))
        await self.retain(store, 0, age=3)
        self.assertEqual(0, (await self.retain(store, 2, age=3)).gone)
        self.assertEqual(2, (await self.retain(store, 3, age=3)).gone)

    async def test_no_rule(self) -> None:
        """Without a rule nothing goes, and age is counted for the day that there is one."""
        store = await self.with_messages(1)
        await self.retain(store, 0)
        self.assertEqual(0, (await self.retain(store, 1000)).gone)
        self.assertEqual(5, (await self.retain(store, 1000, age=999)).gone)

    async def test_a_few_at_once(self) -> None:
        """A step takes so many and no more, and says that there are more."""
        store = await self.with_messages(1)
        await self.retain(store, 0, age=1)
        found = [await self.retain(store, 2, age=1, most=2) for _ in range(3)]
        self.assertEqual([(2, True), (2, True), (1, False)], [(kept.gone, kept.more) for kept in found])
        self.assertEqual([{ROOM: 3}, {ROOM: 5}, {ROOM: 6}], [dict(kept.floors) for kept in found])

    async def test_size(self) -> None:
        """By size the oldest go, but for those of the last hour."""
        store = await self.with_messages(1)
        await self.retain(store, 0)
        self.assertEqual(0, (await self.retain(store, 0.041, size=1, most=2)).gone)
        kept = await self.retain(store, 0.042, size=1, most=2)
        self.assertEqual(({ROOM: 3}, 2), (dict(kept.floors), kept.gone))
        self.assertEqual([1, 4, 5, 6], await self.seqs(store))

    async def test_once(self) -> None:
        """A message that is gone is a duplicate still, under its old seq, also in a later epoch."""
        store = await self.with_messages(1)
        await self.retain(store, 0, age=1)
        await self.retain(store, 1, age=1)
        again = await store.append(draft(ROOM, 2))
        self.assertEqual(4, again.seq if isinstance(again, Duplicate) else again)
        await store.commit(following(founding(1)))
        again = await store.append(draft(ROOM, 2))
        self.assertEqual(4, again.seq if isinstance(again, Duplicate) else again)
        self.assertIsInstance(await store.append(draft(ROOM, 7, epoch=1, generation=0)), Appended)

    async def test_after_the_newest(self) -> None:
        """What comes when the newest messages have gone is new too, and goes at its own time."""
        store = await self.with_messages(1)
        await self.retain(store, 0, age=3)
        self.assertEqual(5, (await self.retain(store, 3, age=3)).gone)
        for number in range(5, 8):
            await store.append(draft(ROOM, number))
        self.assertEqual(0, (await self.retain(store, 3.5, age=3)).gone)
        self.assertEqual(0, (await self.retain(store, 6, age=3)).gone)
        self.assertEqual(3, (await self.retain(store, 6.5, age=3)).gone)

    async def test_end_of_a_room(self) -> None:
        """What comes when a room has gone is new, though it has the numbers of what was in it."""
        store = await self.with_messages(1, 2)
        await self.retain(store, 0, age=3)
        await store.close_room(OTHER, None)
        for number in range(5, 20):
            await store.append(draft(ROOM, number))
        self.assertEqual(5, (await self.retain(store, 3.5, age=3)).gone)
        self.assertEqual([1, *range(7, 22)], await self.seqs(store))
