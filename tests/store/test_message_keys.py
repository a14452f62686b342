"""Tests of `chatserv.store.message_key`, and of what was stored before messages had keys."""

from sqlalchemy import Engine
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.envelope import ROOM_ID_BYTES, Header
from chatserv.domain.retention import RetentionDue
from chatserv.models import Duplicate, Stale
from chatserv.ports import Store
from chatserv.store.database import writing_engine
from chatserv.store.message_key import KEY_BYTES, message_key
from chatserv.store.migrating import downgrade, upgrade_to
from chatserv.store.postgres import engines
from tests.store.contract_base import ContractBase, seq_of
from tests.store.drafts import NOW_MS, draft, following, founding
from tests.store.postgres_case import PostgresCase
from tests.store.sql_case import ROOM, SqlStoreCase

LENGTHS = "SELECT length(msg_id) FROM event ORDER BY seq"


class KeyTests(SynchronousTestCase):
    """What a key is."""

    def test_order(self) -> None:
        """The chains of a room stand beside one another, each in its order; another id gives another key."""
        places = [(0, 0, 0), (0, 0, 1), (0, 0, 256), (0, 1, 0), (1, 0, 0), (256, 0, 0)]
        headers = [Header(bytes(ROOM_ID_BYTES), *place, reuse_guard=b"some").encode() for place in places]
        keys = [message_key(header + b"and more", b"i" * 16) for header in headers]
        self.assertEqual(sorted(keys), keys)
        self.assertEqual({KEY_BYTES}, set(map(len, keys)))
        self.assertEqual(keys[0], message_key(Header(bytes(16), 0, 0, 0, b"othr").encode(), b"i" * 16))
        self.assertNotEqual(keys[0], message_key(headers[0], b"j" * 16))


class EarlierContract(ContractBase):
    """A store of an earlier version, whose messages are known by their ids alone."""

    def engine(self) -> Engine:
        """For the store's database."""
        raise NotImplementedError

    async def reopened(self) -> Store:
        """The store, opened again."""
        raise NotImplementedError

    async def with_earlier(self, *numbers: int) -> Store:
        """One with a room and these messages, which an earlier version has had meanwhile."""
        store = await self.open_store()
        await self.commit(store, founding(1))
        for number in numbers:
            self.assertIsNotNone(seq_of(await store.append(draft(ROOM, number))))
        await store.close()
        engine = self.engine()
        with engine.begin() as conn:
            downgrade(conn, "0011")
            self.assertEqual([32, *(16 for _ in numbers)], list(conn.exec_driver_sql(LENGTHS).scalars()))
            upgrade_to(conn)
        engine.dispose()
        return await self.reopened()

    async def test_repeated(self) -> None:
        """A message of before is a duplicate when it comes again, also in a later epoch; another at its place is stale."""
        store = await self.with_earlier(1, 2)
        self.assertEqual(Duplicate(2, NOW_MS), await store.append(draft(ROOM, 1, at_ms=5)))
        self.assertEqual(Stale(0), await store.append(draft(ROOM, 9, generation=1)))
        self.assertEqual(4, seq_of(await store.append(draft(ROOM, 3))))
        await self.commit(store, following(founding(1)))
        self.assertEqual(
            [Duplicate(seq, NOW_MS) for seq in (3, 4)], [await store.append(draft(ROOM, n)) for n in (2, 3)]
        )

    async def test_not_kept(self) -> None:
        """Of before or of today, what was not kept is a duplicate too."""
        store = await self.with_earlier(1, 2)
        await store.append(draft(ROOM, 3))
        for at_ms, gone in ((NOW_MS, 0), (NOW_MS + 1000, 3)):
            self.assertEqual(gone, (await store.retain(RetentionDue(at_ms, 1000, 0, 9))).gone)
        self.assertEqual(
            [Duplicate(seq, NOW_MS) for seq in (3, 4)], [await store.append(draft(ROOM, n)) for n in (2, 3)]
        )

    async def test_an_id_twice(self) -> None:
        """On the way back to an earlier version the first message with an id has it, and the next stays as it is."""
        store = await self.open_store()
        await self.commit(store, founding(1))
        for generation in (1, 2):
            await store.append(draft(ROOM, 1, generation=generation))
        await store.close()
        engine = self.engine()
        with engine.begin() as conn:
            downgrade(conn, "0011")
            self.assertEqual([32, 16, KEY_BYTES], list(conn.exec_driver_sql(LENGTHS).scalars()))
            upgrade_to(conn)
        engine.dispose()
        store = await self.reopened()
        found = [await store.append(draft(ROOM, 1, generation=generation)) for generation in (1, 2)]
        self.assertEqual([Duplicate(seq, NOW_MS) for seq in (2, 3)], found)


class SqlEarlierTests(SqlStoreCase, EarlierContract):
    """In a file."""

    def engine(self) -> Engine:
        """For the file."""
        return writing_engine(self.path)

    async def reopened(self) -> Store:
        """The store in it."""
        return await self.reopen_store()


class PostgresEarlierTests(PostgresCase, EarlierContract):
    """In PostgreSQL."""

    def engine(self) -> Engine:
        """For the database."""
        return engines.writing_engine(self.url)

    async def reopened(self) -> Store:
        """The store in it."""
        return await self.reopen_store()
