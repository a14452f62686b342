"""What every store keeps to: places in rooms, and wraps."""

from chatserv.domain.hub import Place
from chatserv.models import StoredWrap
from chatserv.ports import Store
from tests.store.contract_base import ContractBase, seq_of
from tests.store.drafts import device_id, draft, following, founding, wrap

D, E, F = (device_id(letter) for letter in (b"d", b"e", b"f"))


class PlaceContract(ContractBase):
    """Who has which place."""

    async def places(self, store: Store, *devices: bytes) -> list[list[Place]]:
        """The places of each device."""
        return [[each.place for each in (await store.standing(device)).places] for device in devices]

    async def test_founders(self) -> None:
        """Devices of the first commit read from the beginning; others have no place."""
        store = await self.open_store()
        await self.commit(store, founding(1))
        expected = [[Place(0, 0)], [Place(1, 0)], []]
        self.assertEqual(expected, await self.places(store, D, E, F))

    async def test_added_removed_and_back(self) -> None:
        """A newcomer reads from its commit on, a removed device up to its, and one that is back from its new one on."""
        store = await self.open_store()
        first = founding(1, devices=(b"d",))
        added = following(first, added=((F, 1),))
        removed = following(added, removed=(F,))
        again = following(removed, removed=(F,))
        await self.commit(store, first)
        await store.append(draft(first.room_id, 1))
        await self.commit(store, added)
        self.assertEqual([[Place(1, 2)]], await self.places(store, F))
        await store.append(draft(first.room_id, 2, epoch=1))
        for each in (removed, again):
            await self.commit(store, each)
            self.assertEqual([[Place(1, 2, 5)]], await self.places(store, F))
        await self.commit(store, following(again, added=((F, 2),)))
        self.assertEqual([[Place(2, 6)]], await self.places(store, F))

    async def test_new_leaf(self) -> None:
        """A device that gets a new leaf keeps what it may read."""
        store = await self.open_store()
        first = founding(1)
        await self.commit(store, first)
        await store.append(draft(first.room_id, 1, device=b"e", generation=3))
        await self.commit(store, following(first, added=((E, 2),)))
        self.assertEqual([[Place(2, 0)]], await self.places(store, E))
        old, new = [draft(first.room_id, 2, device=b"e", epoch=1, leaf=leaf, generation=0) for leaf in (1, 2)]
        self.assertEqual([None, 4], [seq_of(await store.append(each)) for each in (old, new)])

    async def test_removing_nobody(self) -> None:
        """Removing a device that has no place makes none."""
        store = await self.open_store()
        await self.commit(store, founding(1))
        await self.commit(store, following(founding(1), removed=(F,)))
        self.assertEqual([[]], await self.places(store, F))


class WrapContract(ContractBase):
    """Wraps, for as long as their device needs them."""

    async def test_wraps(self) -> None:
        """A wrap is kept by room, epoch and device, with its audit path."""
        store = await self.open_store()
        first = founding(1, wraps=(wrap(b"e", 0, path=0), wrap(b"f", 5)))
        await self.commit(store, first)
        await self.commit(store, following(first, wraps=(wrap(b"e", 1, path=3),)))
        room = first.room_id
        self.assertEqual(StoredWrap(b"wrap 0", ()), await store.wrap(room, 0, E))
        self.assertEqual(StoredWrap(b"wrap 5", (bytes(32), b"\x01" * 32)), await store.wrap(room, 0, F))
        found = await store.wrap(room, 1, E)
        self.assertEqual((b"wrap 1", 3), (found.wrap, len(found.path)) if found else None)
        for asked in ((room, 0, D), (room, 2, E), (b"x" * 16, 0, E)):
            self.assertIsNone(await store.wrap(*asked))

    async def test_passed(self) -> None:
        """Wraps of epochs that ended before the cursor go, those of this device and room alone; the cursor's own stays."""
        store = await self.open_store()
        commit = founding(1, wraps=(wrap(b"e", 0), wrap(b"f", 0)))
        other = founding(2, wraps=(wrap(b"e", 0),))
        room = commit.room_id
        for each in (commit, other, following(other, wraps=(wrap(b"e", 1),))):
            await self.commit(store, each)
        for epoch in (1, 2, 3):  # seqs 3, 5 and 7
            await store.append(draft(room, epoch, epoch=epoch - 1))
            commit = following(commit, wraps=(wrap(b"e", epoch), wrap(b"f", epoch)))
            await self.commit(store, commit)

        async def kept(device: bytes) -> list[int]:
            return [epoch for epoch in range(4) if await store.wrap(room, epoch, device) is not None]

        for cursor, epochs in ((0, [0, 1, 2, 3]), (2, [0, 1, 2, 3]), (3, [1, 2, 3]), (6, [2, 3]), (99, [3])):
            await store.passed(E, {room: cursor, b"x" * 16: 5})
            self.assertEqual(epochs, await kept(E))
        await store.passed(E, {})
        self.assertEqual([0, 1, 2, 3], await kept(F))
        self.assertIsNotNone(await store.wrap(other.room_id, 0, E))

    async def test_passed_without_a_wrap(self) -> None:
        """An epoch for which the device has no wrap, since it made the commit, ends the earlier ones too."""
        store = await self.open_store()
        first = founding(1, wraps=(wrap(b"e", 0),))
        await self.commit(store, first)
        await self.commit(store, following(first, device_id=E))
        await store.passed(E, {first.room_id: 2})
        self.assertIsNone(await store.wrap(first.room_id, 0, E))
