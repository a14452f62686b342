"""What a store that several nodes share keeps to about leases."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec.structs import replace
from twisted.internet.defer import Deferred, gatherResults

from chatserv.errors import Busy, WireError
from chatserv.lease_ports import LeaseClaim, LeaseElsewhere, LeaseRefused, LeaseStore, LeaseTaken
from chatserv.models import Appended, Ban, BanKind, Duplicate, Stale
from chatserv.ports import NO_GENERATION, Store
from chatserv.store.limits import StoreLimits
from tests.store.contract_base import ContractBase
from tests.store.drafts import NOW_MS, draft, founding, registration, start

ROOM = founding(1).room_id
ALICE, BOB = b"alice's account-", b"bob's account---"
LONG = 3600.0
NEVER = 0.0  # seconds after which something has ended already


def claim(
    node: int = 1, number: int = 1, *, room: bytes = ROOM, seconds: float = LONG, account: bytes = ALICE
) -> LeaseClaim:
    """One of a node."""
    return LeaseClaim(room, account, b"device of either", bytes([node]) * 8, number, seconds)


class SharedStore(Store, LeaseStore, Protocol):
    """One that several nodes share."""


async def _outcome(awaitable: Awaitable[object]) -> object:
    """What it gives, or the error of the protocol that it raises."""
    try:
        return await awaitable
    except WireError as error:
        return error


class LeaseContract(ContractBase):
    """Leases, each of a node; and who may not speak, whichever node they are at."""

    async def open_store(self, limits: StoreLimits | None = None) -> SharedStore:
        """A new open store, closed after the test."""
        raise NotImplementedError

    async def test_one_at_a_time(self) -> None:
        """The first node has it, with the room's head, and may pass it on; others are told for how long."""
        store = await self.open_store()
        await store.commit(founding(1))
        await store.append(draft(ROOM, 1))
        self.assertEqual(LeaseTaken(2), await store.take_lease(claim()))
        for other in (claim(2), claim(3, account=BOB)):
            found = await store.take_lease(other)
            assert isinstance(found, LeaseElsewhere)
            self.assertTrue(LONG - 600 < found.seconds <= LONG, found)
        self.assertEqual(LeaseTaken(None), await store.take_lease(claim(2, room=b"no such room----")))
        for number in (1, 2):  # the answer may have been lost
            self.assertEqual(LeaseTaken(2), await store.take_lease(claim(1, number, account=BOB)))
        self.assertFalse(await store.free_lease(ROOM, claim().node, 1))
        self.assertIsInstance(await store.take_lease(claim(2)), LeaseElsewhere)

    async def test_silent(self) -> None:
        """Nothing is stored of who may not speak: another node may not have heard of it. The others are not held up."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        await store.commit(founding(1))
        of_bob = replace(draft(ROOM, 2, device=b"e"), sender="bob")
        ways: list[tuple[Callable[[bool], Awaitable[object]], str]] = [
            (lambda on: store.set_account("alice", suspended=on), "suspended"),
            (lambda on: store.set_account("alice", muted=on), "muted"),
            (lambda on: store.set_ban(Ban(BanKind.ACCOUNT, "alice", "ada", NOW_MS), on=on), "banned"),
        ]
        for number, (change, name) in enumerate(ways, 1):
            await change(True)
            said = [
                draft(ROOM, 10 * number),
                replace(of_bob, id=bytes([number]) * 16, generation=number),
            ]
            silent, heard = await gatherResults([Deferred.fromCoroutine(_outcome(store.append(each))) for each in said])
            self.assertIsInstance(silent, Busy, name)
            self.assertIsInstance(heard, Appended, name)
            asked = await store.append(replace(said[0], generation=NO_GENERATION))
            self.assertIsInstance(asked, Stale, name)
            if number > 1:  # what was stored before is acknowledged
                self.assertIsInstance(await store.append(draft(ROOM, 10)), Duplicate, name)
            await change(False)
            self.assertIsInstance(await store.append(said[0]), Appended, name)

    async def test_freed(self) -> None:
        """It ends when who has it says so; of anybody else that is not heard."""
        store = await self.open_store()
        await store.take_lease(claim())
        for node, number in ((2, 1), (1, 2)):
            self.assertFalse(await store.free_lease(ROOM, bytes([node]) * 8, number))
        self.assertIsInstance(await store.take_lease(claim(2)), LeaseElsewhere)
        self.assertTrue(await store.free_lease(ROOM, claim().node, 1))
        self.assertFalse(await store.free_lease(ROOM, claim().node, 1))
        self.assertIsInstance(await store.take_lease(claim(2)), LeaseTaken)

    async def test_ended_by_time(self) -> None:
        """What a node held that is dead another one gets; and who comes back has nothing to free."""
        store = await self.open_store()
        await store.take_lease(claim(seconds=NEVER))
        self.assertIsInstance(await store.take_lease(claim(2)), LeaseTaken)
        self.assertFalse(await store.free_lease(ROOM, claim().node, 1))
        self.assertIsInstance(await store.take_lease(claim()), LeaseElsewhere)

    async def test_in_order(self) -> None:
        """To free what is still being taken works in the order of the calls."""
        store = await self.open_store()
        taken = start(store.take_lease(claim()))
        freed = start(store.free_lease(ROOM, claim().node, 1))
        self.assertEqual((LeaseTaken(None), True), (await taken, await freed))

    async def test_refused(self) -> None:
        """An account that has to wait gets none of that room; others do, and it does elsewhere, and after a while."""
        store = await self.open_store()
        await store.refuse_leases(ROOM, ALICE, LONG, 9)
        found = await store.take_lease(claim())
        assert isinstance(found, LeaseRefused)
        self.assertTrue(LONG - 600 < found.seconds <= LONG, found)
        self.assertIsInstance(await store.take_lease(claim(room=b"another room----")), LeaseTaken)
        self.assertIsInstance(await store.take_lease(claim(account=BOB)), LeaseTaken)
        await store.refuse_leases(ROOM, ALICE, NEVER, 9)
        self.assertIsInstance(await store.take_lease(claim()), LeaseTaken)

    async def test_refusals_are_bounded(self) -> None:
        """Of one more than there may be, the one that ends first goes."""
        store = await self.open_store()
        for number, seconds in enumerate((LONG, LONG / 2, 2 * LONG)):
            await store.refuse_leases(bytes([number]) * 16, ALICE, seconds, 2)
        found = [await store.take_lease(claim(room=bytes([number]) * 16)) for number in range(3)]
        self.assertEqual([LeaseRefused, LeaseTaken, LeaseRefused], list(map(type, found)))

    async def test_dead_ones_are_forgotten(self) -> None:
        """Leases of rooms that nobody asks for again do not stay."""
        store = await self.open_store()
        for number in range(3):
            await store.take_lease(claim(number=number, room=bytes([number]) * 16, seconds=NEVER))
        await store.take_lease(claim())
        await store.free_lease(ROOM, claim().node, 1)
        for number in range(3):
            self.assertFalse(await store.free_lease(bytes([number]) * 16, claim().node, number))
