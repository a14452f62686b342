"""What every store keeps to: one class that the tests of each implementation mix in."""

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from twisted.internet.defer import Deferred, gatherResults

from chatserv.domain.roles import Role
from chatserv.errors import (
    BadMessage,
    Draining,
    InviteInvalid,
    LocalProtocolError,
    NameTaken,
    NotFound,
    Quota,
)
from chatserv.ports import (
    Appended,
    AppendResult,
    Duplicate,
    Event,
    EventDraft,
    EventKind,
    Invite,
    Registration,
    Stale,
    Store,
)
from chatserv.store.limits import StoreLimits

if TYPE_CHECKING:
    from twisted.trial.unittest import TestCase as Base
else:
    Base = object

T = TypeVar("T")

NOW_MS = 1_790_000_000_000
EPOCH = 7
"""The epoch of the second room that `StoreContract.open_store` can make."""


def draft(room_id: bytes, number: int, *, device: bytes = b"d", epoch: int = 0, at_ms: int = NOW_MS) -> EventDraft:
    """A draft whose id and body follow from ``number``."""
    body = b"body %d" % number
    message_id = number.to_bytes(16, "big")
    return EventDraft(room_id, message_id, epoch, b"a" * 16, device * 16, "alice", EventKind.MESSAGE, body, at_ms)


def registration(name: str, token_hash: bytes | None = None) -> Registration:
    """A registration whose keys follow from ``name``."""
    key = name.encode()
    return Registration(
        token_hash=token_hash,
        name=name,
        skeleton=name.lower(),
        identity_spki=b"spki " + key,
        device_id=key.ljust(16, b"."),
        certificate=b"certificate " + key,
        verifier=b"verifier " + key,
    )


def invite(number: int, *, role: Role = Role.USER, expires_ms: int = NOW_MS + 1000, name: str = "") -> Invite:
    """An invite whose token follows from ``number``."""
    return Invite(number.to_bytes(32, "big"), role, expires_ms, name)


async def _wait(awaitable: Awaitable[T]) -> T:
    return await awaitable


def start(awaitable: Awaitable[T]) -> Deferred[T]:
    """Starts a call of a port."""
    return Deferred.fromCoroutine(_wait(awaitable))


def together(awaitables: Sequence[Awaitable[T]]) -> Deferred[list[T]]:
    """Starts all in one turn of the reactor and fires with their results."""
    return gatherResults([start(awaitable) for awaitable in awaitables], consumeErrors=True)


class StoreContract(Base):
    """The contract of `chatserv.ports.Store`."""

    async def open_store(self, limits: StoreLimits | None = None, *, second_room: bool = False) -> Store:
        """A new open store, closed after the test. ``second_room``: with another public room in `EPOCH`."""
        raise NotImplementedError

    async def lobby(self, store: Store) -> bytes:
        """The id of the first room."""
        return (await store.rooms())[0].room_id

    async def test_new(self) -> None:
        """A new store has the empty public room lobby and an incarnation of 16 bytes."""
        store = await self.open_store()
        (room,) = await store.rooms()
        self.assertEqual(("lobby", 0, 0), (room.name, room.epoch, room.head))
        self.assertEqual([16, 16], [len(room.room_id), len(store.incarnation)])

    async def test_order(self) -> None:
        """Appends of one turn get contiguous seqs in the order of the calls, and are read in it."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        results = await together([store.append(draft(lobby, number)) for number in range(1500)])
        events = [result.event for result in results if isinstance(result, Appended)]
        self.assertEqual(list(range(1, 1501)), [event.seq for event in events])
        self.assertEqual(Event(lobby, 3, NOW_MS, "alice", EventKind.MESSAGE, b"body 2"), events[2])
        self.assertEqual(events, list(await store.events(lobby, 0, 2000)))
        self.assertEqual(1500, (await store.rooms())[0].head)

    async def test_seqs_per_room(self) -> None:
        """Each room counts for itself, and takes drafts of its own epoch only."""
        store = await self.open_store(second_room=True)
        first, second = [room.room_id for room in await store.rooms()]
        drafts = [draft(first, 1), draft(second, 1, epoch=EPOCH), draft(second, 2, epoch=EPOCH), draft(first, 2)]
        results = await together([store.append(each) for each in [*drafts, draft(second, 3)]])
        seqs = [(each.event.room_id, each.event.seq) for each in results if isinstance(each, Appended)]
        self.assertEqual([(first, 1), (second, 1), (second, 2), (first, 2)], seqs)
        self.assertEqual(Stale(EPOCH), results[-1])
        self.assertEqual([2, 2], [room.head for room in await store.rooms()])

    async def test_duplicate(self) -> None:
        """The same room, device and id again answers with the first seq and time, even in a later epoch."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        await together([store.append(draft(lobby, 1)), store.append(draft(lobby, 2))])
        for again in (draft(lobby, 2, at_ms=5), draft(lobby, 2, epoch=9)):
            self.assertEqual(Duplicate(2, NOW_MS), await store.append(again))
        self.assertEqual(2, (await store.rooms())[0].head)

    async def test_duplicate_in_a_batch(self) -> None:
        """A repetition within one turn is found too; another device's equal id is another message."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        drafts = [draft(lobby, 1), draft(lobby, 1), draft(lobby, 1, device=b"e"), draft(lobby, 2)]
        one, two, three, four = await together([store.append(each) for each in drafts])
        self.assertEqual(Duplicate(1, NOW_MS), two)
        self.assertEqual([1, 2, 3], [each.event.seq for each in (one, three, four) if isinstance(each, Appended)])

    async def test_same_id_in_two_rooms(self) -> None:
        """An id belongs to its room."""
        store = await self.open_store(second_room=True)
        first, second = [room.room_id for room in await store.rooms()]
        await store.append(draft(first, 1))
        self.assertIsInstance(await store.append(draft(second, 1, epoch=EPOCH)), Appended)

    async def test_stale(self) -> None:
        """A draft of another epoch is told the current one and leaves no gap."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        stale, stored = await together([store.append(draft(lobby, 1, epoch=1)), store.append(draft(lobby, 1))])
        self.assertEqual(Stale(0), stale)
        self.assertEqual(1, stored.event.seq if isinstance(stored, Appended) else None)

    async def test_unknown_room(self) -> None:
        """An unknown room is refused without disturbing its neighbours in the commit."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        good, bad, after = [
            start(store.append(draft(room_id, number))) for number, room_id in enumerate([lobby, b"x" * 16, lobby])
        ]
        await self.assertFailure(bad, NotFound)
        seqs = [each.event.seq for each in (await good, await after) if isinstance(each, Appended)]
        self.assertEqual([1, 2], seqs)

    async def test_listeners_first(self) -> None:
        """Every listener has a commit's events, in order, before any of its appends answers."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        heard: list[int] = []
        store.subscribe(lambda events: heard.extend(event.seq for event in events))
        answered: list[int] = []

        async def append(number: int) -> None:
            result = await store.append(draft(lobby, number))
            assert isinstance(result, Appended)
            self.assertIn(result.event.seq, heard)
            answered.append(result.event.seq)

        await together([append(number) for number in range(700)])
        self.assertEqual(list(range(1, 701)), heard)
        self.assertEqual(heard, answered)

    async def test_listeners_hear_only_what_is_new(self) -> None:
        """Duplicates and stale drafts are not events."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        await store.append(draft(lobby, 1))
        heard: list[Event] = []
        store.subscribe(heard.extend)
        await together([store.append(draft(lobby, 1)), store.append(draft(lobby, 2, epoch=1))])
        self.assertEqual([], heard)

    async def test_failing_listener(self) -> None:
        """A listener that raises is logged; the others hear, and the append answers."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        heard: list[Event] = []

        def fail(_events: Sequence[Event]) -> None:
            raise RuntimeError("a listener's fault")

        store.subscribe(fail)
        store.subscribe(heard.extend)
        result = await store.append(draft(lobby, 1))
        self.assertEqual([result.event] if isinstance(result, Appended) else None, heard)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    async def test_paging(self) -> None:
        """Pages go forward from a cursor and backward to it, both in order of seq."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        await together([store.append(draft(lobby, number)) for number in range(10)])

        async def forward(after: int, limit: int) -> list[int]:
            return [event.seq for event in await store.events(lobby, after, limit)]

        async def backward(before: int, since: int, limit: int) -> list[int]:
            return [event.seq for event in await store.events_before(lobby, before, since, limit)]

        self.assertEqual([5, 6, 7], await forward(4, 3))
        self.assertEqual([9, 10], await forward(8, 3))
        self.assertEqual([[], [], []], [await forward(10, 3), await forward(99, 3), await forward(0, 0)])
        self.assertEqual([6, 7, 8], await backward(9, 0, 3))
        self.assertEqual([6, 7, 8], await backward(9, 5, 9))
        self.assertEqual([9, 10], await backward(99, 0, 2))
        self.assertEqual([[], [], []], [await backward(1, 0, 3), await backward(9, 8, 3), await backward(9, 0, 0)])
        self.assertEqual([], list(await store.events(b"x" * 16, 0, 3)))

    async def test_register(self) -> None:
        """An account gets a random id, its device, and a place in every public room from its head on."""
        store = await self.open_store(second_room=True)
        lobby, second = [room.room_id for room in await store.rooms()]
        await store.append(draft(lobby, 1))
        alice = await store.register(registration("alice"), NOW_MS)
        self.assertEqual((16, "alice", Role.USER), (len(alice.account_id), alice.name, alice.role))
        since = [(each.room_id, each.account_id, each.since) for each in await store.memberships(alice.account_id)]
        self.assertEqual([(lobby, alice.account_id, 1), (second, alice.account_id, 0)], since)
        device = await store.device("alice", registration("alice").device_id)
        self.assertEqual((alice, b"certificate alice"), (device.account, device.certificate) if device else None)

    async def test_register_in_order(self) -> None:
        """What was appended before a registration in the same turn is before its memberships too."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        one = start(store.append(draft(lobby, 1)))
        alice = start(store.register(registration("alice"), NOW_MS))
        two = start(store.append(draft(lobby, 2)))
        account = await alice
        await together([one, two])
        self.assertEqual([1], [each.since for each in await store.memberships(account.account_id)])

    async def test_unknown_device(self) -> None:
        """Unknown accounts and devices of others are None, and nobody's memberships are none."""
        store = await self.open_store()
        await together([store.register(registration(name), NOW_MS) for name in ("alice", "bob")])
        bob = registration("bob").device_id
        self.assertEqual([None, None], [await store.device("alice", bob), await store.device("carol", bob)])
        self.assertEqual([], list(await store.memberships(b"x" * 16)))

    async def test_register_again(self) -> None:
        """The same registration again answers with the same account, though its invite is used and expired."""
        store = await self.open_store()
        await store.add_invite(invite(1, role=Role.ADMIN), NOW_MS)
        new = registration("alice", invite(1).token_hash)
        first, second = await together([store.register(new, NOW_MS), store.register(new, NOW_MS)])
        third = await store.register(new, NOW_MS + 5000)
        self.assertEqual([first, first], [second, third])
        self.assertEqual(Role.ADMIN, first.role)

    async def test_names_taken(self) -> None:
        """A name or a skeleton that exists is refused, alone."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        same_name = msgspec.structs.replace(registration("alice"), skeleton="other", certificate=b"other")
        look_alike = registration("ALICE")
        refused = [start(store.register(each, NOW_MS)) for each in (same_name, look_alike)]
        bob = start(store.register(registration("bob"), NOW_MS))
        for each in refused:
            await self.assertFailure(each, NameTaken)
        self.assertEqual("bob", (await bob).name)

    async def test_devices_taken(self) -> None:
        """A device id or a certificate belongs to one account."""
        store = await self.open_store()
        await store.register(registration("alice"), NOW_MS)
        for field in ("device_id", "certificate"):
            value = getattr(registration("alice"), field)
            thief = msgspec.structs.replace(registration("mallory"), **{field: value})
            await self.assertFailure(start(store.register(thief, NOW_MS)), BadMessage)
        self.assertIsNone(await store.device("mallory", registration("mallory").device_id))

    async def test_invites(self) -> None:
        """An invite works once, before it expires, for its name; a refused use does not use it up."""
        store = await self.open_store()
        for each in (invite(1), invite(2, name="bob"), invite(3, expires_ms=NOW_MS + 10)):
            await store.add_invite(each, NOW_MS)

        async def refused(name: str, number: int, at_ms: int = NOW_MS) -> None:
            attempt = store.register(registration(name, invite(number).token_hash), at_ms)
            await self.assertFailure(start(attempt), InviteInvalid)

        await store.register(registration("alice", invite(1).token_hash), NOW_MS)
        await refused("carol", 1)
        await refused("carol", 2)
        await refused("carol", 9)
        await refused("carol", 3, NOW_MS + 10)
        await refused("alice ", 9)
        taken = store.register(registration("ALICE", invite(3).token_hash), NOW_MS)
        await self.assertFailure(start(taken), NameTaken)
        self.assertEqual("bob", (await store.register(registration("bob", invite(2).token_hash), NOW_MS)).name)
        self.assertEqual("dora", (await store.register(registration("dora", invite(3).token_hash), NOW_MS)).name)

    async def test_open_invites_bounded(self) -> None:
        """The bound counts invites neither used nor expired; one more is refused."""
        store = await self.open_store(StoreLimits(open_invites=2))
        await store.add_invite(invite(1), NOW_MS)
        await store.add_invite(invite(2, expires_ms=NOW_MS + 10), NOW_MS)
        await self.assertFailure(start(store.add_invite(invite(3), NOW_MS)), Quota)
        await store.register(registration("alice", invite(1).token_hash), NOW_MS)
        await store.add_invite(invite(3), NOW_MS)
        await store.add_invite(invite(4), NOW_MS + 10)
        await self.assertFailure(start(store.add_invite(invite(5), NOW_MS + 10)), Quota)

    async def test_token_exists(self) -> None:
        """A token that is stored, used or not, is the caller's mistake."""
        store = await self.open_store()
        await store.add_invite(invite(1), NOW_MS)
        await self.assertFailure(start(store.add_invite(invite(1), NOW_MS)), LocalProtocolError)
        await store.register(registration("alice", invite(1).token_hash), NOW_MS)
        await self.assertFailure(start(store.add_invite(invite(1), NOW_MS + 5000)), LocalProtocolError)

    async def test_accounts_bounded(self) -> None:
        """One account above the bound is refused, and its invite stays open."""
        store = await self.open_store(StoreLimits(accounts=1))
        await store.register(registration("alice"), NOW_MS)
        await self.assertFailure(start(store.register(registration("bob"), NOW_MS)), Quota)

    async def test_close_drains(self) -> None:
        """What was asked for before the closing is answered; everything after it is refused."""
        store = await self.open_store()
        lobby = await self.lobby(store)
        results: list[AppendResult] = []
        for number in range(600):
            start(store.append(draft(lobby, number))).addCallback(results.append)
        await store.close()
        await store.close()
        self.assertEqual(600, len(results))
        self.assertEqual({Appended}, {type(result) for result in results})
        later: list[Awaitable[Any]] = [
            store.append(draft(lobby, 1)),
            store.register(registration("alice"), NOW_MS),
            store.add_invite(invite(1), NOW_MS),
            store.rooms(),
            store.device("alice", b""),
            store.memberships(b""),
            store.events(lobby, 0, 1),
            store.events_before(lobby, 1, 0, 1),
        ]
        for call in later:
            await self.assertFailure(start(call), Draining)
