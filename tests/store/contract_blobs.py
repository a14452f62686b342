"""What every store keeps to about files: rows, their bounds, and which of them are to go."""

from functools import partial
from typing import Any

from sqlalchemy import Connection

from chatserv.blob_models import LEAST_COUNTED_BYTES, NewBlob, StoredBlob
from chatserv.crypto.suite import sha256
from chatserv.errors import BadMessage, NotFound, Quota, StorageFull
from chatserv.ports import Store
from chatserv.store.limits import StoreLimits
from chatserv.store.sql_base import BaseSqlStore
from tests.store.contract_base import ContractBase
from tests.store.drafts import NOW_MS, founding, log_leaf, registration, start

ROOM, SIZE, DAY_MS = founding(1).room_id, 3 * LEAST_COUNTED_BYTES, 86_400_000


def new_blob(number: int, owner: str = "alice", **changes: Any) -> NewBlob:
    """A blob of this number."""
    given: dict[str, Any] = {
        "blob_id": bytes([number]) * 16,
        "owner": owner,
        "room": ROOM,
        "size": SIZE,
        "hash": sha256(b"blob %d" % number),
        "now_ms": NOW_MS,
        "expires_ms": NOW_MS + DAY_MS,
    }
    return NewBlob(**given | changes)


def _execute(text: str, conn: Connection) -> None:
    conn.exec_driver_sql(text)


class BlobContract(ContractBase):
    """Rows of files."""

    async def open_with_people(self, limits: StoreLimits | None = None) -> Store:
        """A store with a room, and alice and bob."""
        store = await self.open_store(limits)
        for name in ("alice", "bob"):
            await store.register(registration(name), NOW_MS)
        await store.commit(founding(1))
        return store

    async def test_open(self) -> None:
        """A blob begins with nothing; the same again is the same."""
        store, new = await self.open_with_people(), new_blob(1)
        self.assertIsNone(await store.blob(new.blob_id))
        begun = StoredBlob(new.blob_id, "alice", ROOM, SIZE, new.hash, 0, False, NOW_MS, new.expires_ms)
        self.assertEqual(begun, await store.open_blob(new))
        self.assertEqual(begun, await store.open_blob(new_blob(1, now_ms=NOW_MS + 9, expires_ms=1)))
        self.assertEqual(begun, await store.blob(new.blob_id))

    async def test_taken(self) -> None:
        """Under an id that is taken nobody begins another one; nor for nobody, or nowhere."""
        store, blob_id = await self.open_with_people(), new_blob(1).blob_id
        await store.open_blob(new_blob(1))
        await store.commit(founding(2))
        for other in (
            new_blob(1, "bob"),
            new_blob(1, size=SIZE + 1),
            new_blob(1, hash=bytes(32)),
            new_blob(1, room=founding(2).room_id),
        ):
            await self.assertFailure(start(store.open_blob(other)), BadMessage)
        await store.end_blobs([blob_id])
        await self.assertFailure(start(store.open_blob(new_blob(1))), BadMessage)
        await self.assertFailure(start(store.open_blob(new_blob(2, "nobody"))), NotFound)
        await self.assertFailure(start(store.open_blob(new_blob(2, room=b"r" * 16))), NotFound)
        await store.close_room(founding(2).room_id, None)
        await self.assertFailure(start(store.open_blob(new_blob(2, room=founding(2).room_id))), NotFound)

    async def test_received(self) -> None:
        """What is noted of a blob follows what was noted before, until it is whole; else nothing changes."""
        store, new = await self.open_with_people(), new_blob(1)
        self.assertFalse(await store.note_received(new.blob_id, 0, 1, NOW_MS, whole=False))
        await store.open_blob(new)
        self.assertTrue(await store.note_received(new.blob_id, 0, 1000, NOW_MS + 1, whole=False))
        self.assertFalse(await store.note_received(new.blob_id, 0, 2000, NOW_MS + 2, whole=False))
        found = await store.blob(new.blob_id)
        assert found is not None
        self.assertEqual((1000, False, NOW_MS + 1), (found.received, found.whole, found.expires_ms))
        self.assertTrue(await store.note_received(new.blob_id, 1000, SIZE, NOW_MS + 3, whole=True))
        self.assertFalse(await store.note_received(new.blob_id, SIZE, SIZE, NOW_MS + 4, whole=True))
        found = await store.open_blob(new)
        self.assertEqual((SIZE, True, NOW_MS + 3), (found.received, found.whole, found.expires_ms))

    async def test_received_of_an_ended_one(self) -> None:
        """Of a blob that is ended nothing is noted any more."""
        store, new = await self.open_with_people(), new_blob(1)
        await store.open_blob(new)
        await store.end_blobs([new.blob_id, b"x" * 16])
        self.assertIsNone(await store.blob(new.blob_id))
        self.assertFalse(await store.note_received(new.blob_id, 0, 1000, NOW_MS, whole=False))

    async def test_left_behind(self) -> None:
        """What an account leaves behind is there for nobody at once, and what a room does; who has another one has it."""
        store = await self.open_with_people()
        await store.commit(founding(2))
        for new in (new_blob(1), new_blob(2, "bob"), new_blob(3, room=founding(2).room_id)):
            await store.open_blob(new)
            self.assertIsNotNone(await store.blob(new.blob_id))
        await store.end_account("bob", log_leaf(1), NOW_MS, None)
        await store.close_room(founding(2).room_id, None)
        there = [await store.blob(new_blob(number).blob_id) is not None for number in (1, 2, 3)]
        self.assertEqual([True, False, False], there)

    async def test_open_ones_bounded(self) -> None:
        """Of an account so many are not whole at a time, and one more is refused until one of them is, or is ended."""
        store = await self.open_with_people(StoreLimits(open_blobs=2))
        for number in (1, 2):
            await store.open_blob(new_blob(number))
        await self.assertFailure(start(store.open_blob(new_blob(3))), Quota)
        await store.open_blob(new_blob(1))
        await store.open_blob(new_blob(4, "bob"))
        await store.note_received(new_blob(1).blob_id, 0, SIZE, NOW_MS, whole=True)
        await store.open_blob(new_blob(3))
        await self.assertFailure(start(store.open_blob(new_blob(5))), Quota)
        await store.end_blobs([new_blob(3).blob_id])
        await store.open_blob(new_blob(5))

    async def test_bytes_of_an_account_bounded(self) -> None:
        """An account's blobs count for their sizes, the smallest for as much as any; what is ended until it is gone."""
        store = await self.open_with_people(StoreLimits(blob_account_bytes=SIZE + LEAST_COUNTED_BYTES))
        await store.open_blob(new_blob(1))
        await self.assertFailure(start(store.open_blob(new_blob(2, size=LEAST_COUNTED_BYTES + 1))), Quota)
        await store.open_blob(new_blob(2, size=1))
        self.assertEqual(SIZE + LEAST_COUNTED_BYTES, await store.blob_bytes("alice"))
        await self.assertFailure(start(store.open_blob(new_blob(3, size=1))), Quota)
        await store.open_blob(new_blob(4, "bob"))
        await store.end_blobs([new_blob(2).blob_id])
        await self.assertFailure(start(store.open_blob(new_blob(3, size=1))), Quota)
        await store.forget_blobs([new_blob(2).blob_id])
        await store.open_blob(new_blob(3, size=1))

    async def test_bytes_of_all_bounded(self) -> None:
        """All accounts together have a bound too."""
        store = await self.open_with_people(StoreLimits(blob_server_bytes=2 * SIZE))
        await store.open_blob(new_blob(1))
        await store.open_blob(new_blob(2, "bob"))
        self.assertEqual((SIZE, 2 * SIZE), (await store.blob_bytes("bob"), await store.blob_bytes()))
        await self.assertFailure(start(store.open_blob(new_blob(3, size=1))), StorageFull)

    async def test_total(self) -> None:
        """What all count for follows each that comes, once, and each that goes, and nothing else."""
        store = await self.open_with_people()
        self.assertEqual(0, await store.blob_bytes())
        for _ in range(2):
            await store.open_blob(new_blob(1))
        await store.open_blob(new_blob(2, "bob", size=1))
        all_bytes = SIZE + LEAST_COUNTED_BYTES
        await store.forget_blobs([new_blob(1).blob_id])
        await store.end_blobs([new_blob(1).blob_id])
        self.assertEqual(all_bytes, await store.blob_bytes())
        await store.end_blobs([new_blob(2).blob_id])
        for _ in range(2):
            await store.forget_blobs([new_blob(2).blob_id, new_blob(9).blob_id])
        self.assertEqual(SIZE, await store.blob_bytes())
        await store.forget_blobs([new_blob(1).blob_id])
        await store.open_blob(new_blob(1))
        self.assertEqual(SIZE, await store.blob_bytes())

    async def test_recount(self) -> None:
        """What all count for is put right where somebody has left it out, as a node of an older version does."""
        store = await self.open_with_people()
        harm = "DELETE FROM blob_total", "UPDATE blob_total SET bytes = bytes + 7"
        for wanted in (0, SIZE, 2 * SIZE):
            for text in harm:
                # A store in memory adds up each time.
                if isinstance(store, BaseSqlStore):
                    await store._write(partial(_execute, text))
                await store.recount_blobs()
                self.assertEqual(wanted, await store.blob_bytes())
            await store.open_blob(new_blob(1 + wanted // SIZE))

    async def test_lists(self) -> None:
        """An account's blobs, and all of which something is on the disk, are there in pages, in order of id."""
        store = await self.open_with_people(StoreLimits(open_blobs=9))
        for number in (3, 1, 2):
            await store.open_blob(new_blob(number))
        await store.open_blob(new_blob(4, "bob"))
        first = [each.blob_id[0] for each in await store.blobs("alice", b"", 2)]
        rest = [each.blob_id[0] for each in await store.blobs("alice", bytes([2]) * 16, 9)]
        self.assertEqual(([1, 2], [3]), (first, rest))
        for number in (2, 4):
            await store.note_received(bytes([number]) * 16, 0, 1, NOW_MS, whole=False)
        await store.end_blobs([new_blob(1).blob_id])
        self.assertEqual([2, 3], [each.blob_id[0] for each in await store.blobs("alice", b"", 9)])
        self.assertEqual([2, 4], [each.blob_id[0] for each in await store.begun_blobs(b"", 9)])
        self.assertEqual([4], [each.blob_id[0] for each in await store.begun_blobs(bytes([2]) * 16, 9)])
        known = await store.known_blobs([new_blob(number).blob_id for number in (1, 4, 9)])
        self.assertEqual({1, 4}, {each[0] for each in known})

    async def test_due(self) -> None:
        """What has expired or was ended is to go, and what an account leaves behind, and a room; until it is forgotten."""
        store = await self.open_with_people(StoreLimits(open_blobs=9))
        await store.commit(founding(2))
        await store.open_blob(new_blob(1, expires_ms=NOW_MS + 1))
        await store.open_blob(new_blob(2))
        await store.open_blob(new_blob(3, "bob"))
        await store.open_blob(new_blob(4, room=founding(2).room_id))
        await store.open_blob(new_blob(5))
        self.assertEqual([], list(await store.due_blobs(NOW_MS, 9)))
        await store.end_blobs([new_blob(2).blob_id])
        await store.end_account("bob", log_leaf(1), NOW_MS, None)
        await store.close_room(founding(2).room_id, None)
        due = list(await store.due_blobs(NOW_MS + 1, 9))
        self.assertEqual([1, 2, 3, 4], sorted(each[0] for each in due))
        self.assertEqual(2, len(await store.due_blobs(NOW_MS + 1, 2)))
        await store.forget_blobs(due)
        self.assertEqual(3, len(await store.due_blobs(NOW_MS + 1, 9)))
        await store.end_blobs(due)
        await store.forget_blobs(due)
        self.assertEqual([], list(await store.due_blobs(NOW_MS + 1, 9)))
        self.assertEqual(SIZE, await store.blob_bytes())
