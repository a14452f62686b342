"""What every store keeps to where it was restored: what is offered is kept, and put back where nothing is."""

from typing import Any

import msgspec
from twisted.trial.unittest import TestCase

from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.crypto.restored import Restored
from chatserv.errors import Quota, StaleCommit
from chatserv.mending_models import OFFER_BYTES, MendedMessage, OfferedEvent, OfferLimits, Voucher
from chatserv.models import Appended, EventKind, Stale, TakenPrekey
from chatserv.ports import Store
from chatserv.store import statements
from chatserv.store.database import writing_engine
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from tests.store.contract_base import ContractBase, seq_of
from tests.store.drafts import NOW_MS, device_id, draft, following, founding, log_leaf, prekeys, registration
from tests.store.sql_case import SqlStoreCase

LIMITS = OfferLimits(total=3 * OFFER_BYTES + 900, account=OFFER_BYTES + 600, span=100)
ALICE, BOB = Voucher("alice", device_id(b"d")), Voucher("bob", device_id(b"e"))


def offered(seq: int, body: bytes = b"body", kind: EventKind = EventKind.MESSAGE) -> OfferedEvent:
    """A message, or a commit."""
    return OfferedEvent(seq, bytes([seq]) * 16, kind, NOW_MS, body)


def mended(seq: int, generation: int, **changes: Any) -> MendedMessage:
    """A message of alice's device in epoch 0."""
    made = MendedMessage(seq, bytes([seq]) * 16, device_id(b"d"), "alice", NOW_MS, b"body %d" % seq, 0, 0, generation)
    return msgspec.structs.replace(made, **changes)


class MendingContract(ContractBase):
    """`chatserv.mending_ports.MendingStore`."""

    async def restored(self, store: Store) -> Store:
        """The same store, just restored."""
        raise NotImplementedError

    async def mending(self) -> Store:
        """One with a room whose last place is 3, and one leaf in the log."""
        store = await self.open_store()
        await self.commit(store, founding(1, leaves=(log_leaf(1),)))
        for number in (1, 2):
            await store.append(draft(self.room, number))
        return await self.restored(store)

    @property
    def room(self) -> bytes:
        """The room."""
        return founding(1).room_id

    async def test_state(self) -> None:
        """A restore is remembered with what the log was; its end with what is missing."""
        store = await self.open_store()
        self.assertFalse((await store.mending_state()).mending)
        store = await self.mending()
        state = await store.mending_state()
        restored = Restored.decode(state.restored)
        self.assertTrue(state.mending)
        self.assertEqual((NOW_MS, NOW_MS + 5, 1), (restored.backup_ms, restored.at_ms, restored.size))
        self.assertEqual(tree_root([leaf_hash(log_leaf(1).leaf)]), restored.root)
        self.assertEqual(store.incarnation, restored.now)
        self.assertNotEqual(restored.before, restored.now)
        await store.offer(self.room, ALICE, [offered(4)], LIMITS)
        await store.end_mending(b"{}")
        ended = await store.mending_state()
        self.assertEqual((state.restored, False, b"{}"), (ended.restored, ended.mending, ended.report))
        self.assertEqual([], list(await store.offered_rooms()))

    async def test_prekeys(self) -> None:
        """One-time ones of before may have been given out since, so none is again; the last-resort one still is."""
        store, last = await self.open_store(), LAST_RESORT_BIT + 7
        alice = registration("alice")
        device = alice.device_id
        await store.register(alice, NOW_MS)
        await store.publish_prekeys(device, prekeys(1, 2, last), 5)
        store = await self.restored(store)
        await store.end_mending(b"{}")
        self.assertEqual(0, await store.prekeys_left(device))
        self.assertEqual(TakenPrekey(b"signed %d" % last, 0), await store.take_prekey(device, one_time=True))
        self.assertEqual(1, await store.publish_prekeys(device, prekeys(2, 3), 5))
        self.assertEqual(TakenPrekey(b"signed 3", 0), await store.take_prekey(device, one_time=True))

    async def test_offers(self) -> None:
        """The first offer of a device for a place counts; the same bytes are one candidate, whoever offers them."""
        store = await self.mending()
        self.assertEqual(3, await store.mending_floor(self.room))
        self.assertEqual(2, await store.offer(self.room, ALICE, [offered(4), offered(6)], LIMITS))
        self.assertEqual(0, await store.offer(self.room, ALICE, [offered(4, b"another")], LIMITS))
        self.assertEqual(2, await store.offer(self.room, BOB, [offered(4), offered(6, b"other")], LIMITS))
        self.assertEqual(1, await store.offer(b"new room".ljust(16), BOB, [offered(1)], LIMITS))
        self.assertEqual({self.room, b"new room".ljust(16)}, set(await store.offered_rooms()))
        found = await store.offered(self.room, 3, 10)
        self.assertEqual([(4, {ALICE, BOB}), (6, {ALICE}), (6, {BOB})], [(e.event.seq, set(e.by)) for e in found])
        self.assertEqual([4], [each.event.seq for each in await store.offered(self.room, 0, 1)])
        self.assertEqual([], list(await store.offered(self.room, 6, 10)))

    async def test_bounds(self) -> None:
        """At the backup's last place, and behind the span, nothing is kept; nor more bytes than are allowed."""
        store = await self.mending()
        places = [offered(seq) for seq in (3, 4, 103, 104)]
        self.assertEqual(2, await store.offer(self.room, ALICE, places, LIMITS))
        self.assertEqual(1, await store.offer(self.room, BOB, [offered(5, bytes(600))], LIMITS))
        with self.assertRaises(Quota):
            await store.offer(self.room, BOB, [offered(7, b"1")], LIMITS)
        self.assertEqual([4, 5, 103], [each.event.seq for each in await store.offered(self.room, 0, 10)])
        await store.close_room(self.room, None)
        self.assertEqual(0, await store.offer(self.room, ALICE, [offered(8)], LIMITS))

    async def test_who_has_most_gives_way(self) -> None:
        """Where all offers are too many, nobody is refused but who has offered most; what others offer too goes last."""
        store, limits = await self.mending(), OfferLimits(2 * OFFER_BYTES + 100, 10 * OFFER_BYTES, 100)
        self.assertEqual(2, await store.offer(self.room, ALICE, [offered(4, b""), offered(5, b"")], limits))
        self.assertEqual(1, await store.offer(self.room, BOB, [offered(4, b"")], limits))
        with self.assertRaises(Quota):
            await store.offer(self.room, ALICE, [offered(6, b"")], limits)
        self.assertEqual(1, await store.offer(self.room, BOB, [offered(7, b"")], limits))
        self.assertEqual([4, 7], [each.event.seq for each in await store.offered(self.room, 0, 10)])
        for who in (ALICE, BOB):
            with self.assertRaises(Quota):
                await store.offer(self.room, who, [offered(8, b"")], limits)
        self.assertEqual([4, 7], [each.event.seq for each in await store.offered(self.room, 0, 10)])

    async def test_what_others_offer_too_stays(self) -> None:
        """Where somebody gives way who was the first to offer it, only their own word for it goes."""
        store, limits = await self.mending(), OfferLimits(3 * OFFER_BYTES, 10 * OFFER_BYTES, 100)
        carol = Voucher("carol", b"c" * 16)
        await store.offer(self.room, ALICE, [offered(seq, b"") for seq in (4, 5, 6)], limits)
        for who in (BOB, carol):
            self.assertEqual(2, await store.offer(self.room, who, [offered(4, b""), offered(5, b"")], limits))
        self.assertEqual(1, await store.offer(self.room, BOB, [offered(7, b"")], limits))
        self.assertEqual(1, await store.offer(self.room, carol, [offered(8, b"")], limits))
        found = {each.event.seq: each.by for each in await store.offered(self.room, 0, 10)}
        # Bob is charged for 5, so 7 went.
        self.assertEqual({4: (ALICE, BOB, carol), 5: (BOB, carol), 8: (carol,)}, found)

    async def test_nothing_is_free(self) -> None:
        """Offers without a body, of rooms that nobody knows, take their place in the store too."""
        store = await self.mending()
        most = LIMITS.account // OFFER_BYTES
        for number in range(most):
            self.assertEqual(1, await store.offer(bytes([number]) * 16, ALICE, [offered(1, b"")], LIMITS))
        with self.assertRaises(Quota):
            await store.offer(bytes([most]) * 16, ALICE, [offered(1, b"")], LIMITS)
        self.assertEqual(most, len(await store.offered_rooms()))

    async def test_messages(self) -> None:
        """They go where nothing is; the room's end and the generation follow, and what is said next comes behind."""
        store = await self.mending()
        filled = await store.mend_messages(
            self.room,
            [
                mended(3, 9),  # taken
                mended(5, 7),
                mended(6, 7),  # a generation twice
                mended(7, 8, id=bytes([5]) * 16),  # an id twice
                mended(8, 9),
            ],
        )
        self.assertEqual([5, 8], list(filled))
        self.assertEqual([2, 3, 5, 8], [event.seq for event in await store.events(self.room, 1, 10)])
        self.assertEqual([], list(await store.mend_messages(self.room, [mended(5, 20), mended(8, 21)])))
        self.assertIsInstance(await store.append(draft(self.room, 30, generation=9)), Stale)
        self.assertEqual(9, seq_of(await store.append(draft(self.room, 31, generation=10))))

    async def test_commits(self) -> None:
        """They go to their places, behind the commit before, and the room's end does not go back."""
        store = await self.mending()
        one = following(founding(1))
        await store.mend_messages(self.room, [mended(9, 5)])
        self.assertIsInstance(await store.commit(msgspec.structs.replace(one, at_seq=3)), Stale)
        self.assertIsInstance(await store.commit(msgspec.structs.replace(one, at_seq=9)), Stale)
        self.assertEqual(6, seq_of(await store.commit(msgspec.structs.replace(one, at_seq=6))))
        self.assertEqual([(9, 1)], [(room.head, room.epoch) for room in await store.rooms()])
        two = following(one)
        self.assertIsInstance(await store.commit(msgspec.structs.replace(two, at_seq=5)), Stale)
        self.assertIsInstance(await store.commit(msgspec.structs.replace(founding(2), at_seq=2)), Stale)
        result = await store.commit(two)
        assert isinstance(result, Appended)
        self.assertEqual(10, result.event.seq)
        self.assertEqual([one.body, two.body], list(await store.commits(self.room, 1, 10)))

    async def test_log(self) -> None:
        """Leaves go to the end and nowhere else; what was signed behind one can come later, once."""
        store = await self.mending()
        bare = msgspec.structs.replace(log_leaf(2), statement=b"")
        with self.assertRaises(StaleCommit):
            await store.append_leaves(0, [bare])
        await store.append_leaves(1, [bare, log_leaf(3)])
        self.assertEqual(3, len(await store.log()))
        self.assertEqual([True, False, False], [await store.fill_statement(at, b"said") for at in (1, 2, 3)])
        self.assertFalse(await store.fill_statement(1, b"said otherwise"))
        self.assertEqual(b"said", await store.statement(1))


class SqlMendingTests(SqlStoreCase, MendingContract):
    """`SqlStore`."""

    async def restored(self, store: Store) -> Store:
        """Stopped, restored, and opened again."""
        await store.close()
        engine = writing_engine(self.path)
        with engine.begin() as connection:
            statements.begin_mending(connection, NOW_MS, NOW_MS + 5)
        engine.dispose()
        return await self.reopen_store()

    async def test_restart(self) -> None:
        """What was offered is still there, and the room's last place at the restore, after what was put back."""
        store = await self.mending()
        await store.offer(self.room, ALICE, [offered(4), offered(5)], LIMITS)
        await store.mend_messages(self.room, [mended(4, 5)])
        await store.close()
        again = await self.reopen_store()
        self.assertTrue((await again.mending_state()).mending)
        self.assertEqual(3, await again.mending_floor(self.room))
        self.assertEqual([4, 5], [each.event.seq for each in await again.offered(self.room, 0, 10)])


class MemoryMendingTests(MendingContract, TestCase):
    """`MemoryStore`."""

    async def open_store(self, limits: StoreLimits | None = None) -> MemoryStore:
        """A new open store."""
        store = MemoryStore(limits or StoreLimits())
        await store.open()
        self.addCleanup(store.close)
        return store

    async def restored(self, store: Store) -> Store:
        """The same object."""
        assert isinstance(store, MemoryStore)
        store.begin_mending(b"restored store 1", NOW_MS, NOW_MS + 5)
        return store
