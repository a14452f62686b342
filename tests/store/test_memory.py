"""Tests of `chatserv.store.memory`."""

from twisted.trial.unittest import TestCase

from chatserv.local_errors import LocalProtocolError
from chatserv.store.limits import StoreLimits
from chatserv.store.memory import MemoryStore
from tests.store.contract import StoreContract
from tests.store.contract_leases import LeaseContract


class MemoryStoreTests(LeaseContract, StoreContract, TestCase):
    """`MemoryStore` keeps the contract."""

    async def open_store(self, limits: StoreLimits | None = None) -> MemoryStore:
        """A new open store."""
        store = MemoryStore(limits or StoreLimits())
        await store.open()
        self.addCleanup(store.close)
        return store

    async def test_incarnation(self) -> None:
        """The incarnation can be given."""
        self.assertEqual(b"i" * 16, MemoryStore(StoreLimits(), b"i" * 16).incarnation)

    async def test_not_open(self) -> None:
        """Nothing works before the opening, which happens once."""
        store = MemoryStore(StoreLimits())
        with self.assertRaises(LocalProtocolError):
            await store.rooms()
        await store.open()
        with self.assertRaises(LocalProtocolError):
            await store.open()
