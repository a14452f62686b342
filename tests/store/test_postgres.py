"""Tests of `chatserv.store.postgres` on a real PostgreSQL."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from chatserv.errors import BadMessage, NotFound
from chatserv.local_errors import LocalProtocolError
from chatserv.models import Ban, BanKind
from tests.store.contract import StoreContract
from tests.store.contract_base import seq_of
from tests.store.contract_leases import LeaseContract
from tests.store.drafts import draft, start
from tests.store.postgres_case import PostgresCase, PostgresModel
from tests.store.sql_case import ROOM
from tests.store.test_model_accounts import AccountStores
from tests.store.test_model_rooms import RoomStores
from tests.support.postgres import cluster


class PostgresStoreTests(PostgresCase, LeaseContract, StoreContract):
    """`PostgresStore` keeps the contract."""

    async def test_size(self) -> None:
        """By size nothing goes: the files would not shrink, and the settings refuse it."""
        store = await self.with_messages(1)
        with self.assertRaises(LocalProtocolError):
            await self.retain(store, 0, size=1)

    async def test_no_place_for_it(self) -> None:
        """What PostgreSQL cannot hold refuses the one call that has it, and none beside it."""
        store = await self.open_with_room()
        banned = start(store.set_ban(Ban(BanKind.ACCOUNT, "a\0b", "alice", 1), on=True))
        sent = start(store.append(draft(ROOM, 1)))
        await self.assertFailure(banned, BadMessage)
        self.assertEqual(2, seq_of(await sent))
        await self.assertFailure(start(store.mark_read(b"a" * 16, b"r\0", 2**70)), NotFound)
        self.assertEqual([], await store.accounts("a\0", 9))
        await self.assertFailure(start(store.events(ROOM, 2**70, 9)), BadMessage)


class PostgresRooms(PostgresModel, RoomStores):
    """`RoomStores` with PostgreSQL."""


class PostgresAccounts(PostgresModel, AccountStores):
    """`AccountStores` with PostgreSQL."""


class PostgresModelTests(SynchronousTestCase):
    """Runs both models."""

    BOUNDS = settings(max_examples=8, stateful_step_count=25, deadline=None)

    def setUp(self) -> None:
        """There has to be a PostgreSQL."""
        cluster()

    def test_rooms(self) -> None:
        """Every sequence of operations on rooms has the same answers there and in memory."""
        run_state_machine_as_test(PostgresRooms, settings=self.BOUNDS)

    def test_accounts(self) -> None:
        """Every sequence of operations on accounts likewise."""
        run_state_machine_as_test(PostgresAccounts, settings=self.BOUNDS)
