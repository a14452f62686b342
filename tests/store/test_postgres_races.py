"""Tests of two stores on one PostgreSQL database: what each decides holds for the other."""

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from chatserv.crypto.log_leaves import TreeHead
from chatserv.crypto.suite import RSA_BYTES, sha256
from chatserv.domain.roles import Role
from chatserv.errors import BadKey, Forbidden, InviteInvalid, NameTaken, NotFound, ReadOnly, StaleCommit
from chatserv.lease_ports import LeaseElsewhere, LeaseTaken
from chatserv.models import (
    Appended,
    Ban,
    BanKind,
    CommitDraft,
    Consent,
    ConsentAt,
    Duplicate,
    Event,
    EventDraft,
    Stale,
)
from chatserv.store import control_statements
from chatserv.store.limits import StoreLimits
from chatserv.store.postgres.store import MISSED, PostgresStore
from tests.store.contract_keys import signed_head
from tests.store.contract_leases import claim
from tests.store.contract_orders import OrderContract
from tests.store.drafts import (
    NOW_MS,
    cert_hash,
    device_id,
    draft,
    following,
    founding,
    invite,
    log_leaf,
    prekeys,
    registration,
    signer,
    start,
    wrap,
)
from tests.store.postgres_case import PostgresCase
from tests.store.sql_case import ROOM
from tests.support.postgres import cluster


class RaceCase(PostgresCase):
    """Two stores."""

    async def two(self) -> list[PostgresStore]:
        """Both open, with the room `ROOM`."""
        return [await self.open_with_room(), await self.reopen_store()]

    async def race(self, *calls: Awaitable[Any]) -> list[Any]:
        """All at once; results, and the classes of what was refused."""
        return await settled([start(call) for call in calls])


async def settled(calls: Sequence["Deferred[Any]"]) -> list[Any]:
    """The results, and the classes of errors."""
    found = await DeferredList(calls, consumeErrors=True)
    return [type(each.value) if isinstance(each, Failure) else each for _, each in found]


def note_events(noted: list[tuple[bytes, int]], events: Sequence[Event]) -> None:
    """A listener that keeps room and seq."""
    noted.extend((each.room_id, each.seq) for each in events)


def note_leaves(noted: list[tuple[int, bytes]], first: int, leaves: Sequence[bytes]) -> None:
    """A listener that keeps index and leaf, or number and order."""
    noted.extend(enumerate(leaves, first))


class HeadRaceTests(RaceCase):
    """Signed heads of the log."""

    async def test_heads(self) -> None:
        """Of heads that both keep the longest and latest stays, and nobody is given one below its own."""
        stores = await self.two()
        await stores[0].commit(following(founding(1), leaves=tuple(map(log_leaf, range(8)))))
        for at_ms in range(10):
            given = [signed_head(size, at_ms) for size in (5, 7, 6, 8, 7, 8)]
            calls = [
                store.keep_head(signed, log_leaf(size - 1).leaf)
                for size, signed, store in zip((5, 7, 6, 8, 7, 8), given, stores * 3, strict=True)
            ]
            for signed, kept in zip(given, await self.race(*calls), strict=True):
                self.assertLessEqual(place_of(signed), place_of(kept))
            for store in stores:
                self.assertEqual(signed_head(8, at_ms), await store.keep_head(signed_head(1, 0), log_leaf(0).leaf))


def place_of(signed: bytes) -> tuple[int, int]:
    """Size and time of a head."""
    head = TreeHead.decode(signed[:-RSA_BYTES])
    return head.size, head.at_ms


class MessageRaceTests(RaceCase):
    """Messages and commits."""

    async def test_same_draft(self) -> None:
        """A draft that both are given is stored once, and both name the same seq."""
        first, second = await self.two()
        for number in range(60):
            sent = draft(ROOM, number)
            found = await self.race(first.append(sent), second.append(sent))
            self.assertEqual({Appended, Duplicate}, set(map(type, found)))
            self.assertEqual({number + 2}, {each.event.seq if type(each) is Appended else each.seq for each in found})

    async def test_every_seq_once(self) -> None:
        """Messages of two devices by two stores, in many rooms at once, get each seq once and without gaps."""
        stores = await self.two()
        rooms = [ROOM, *(founding(number).room_id for number in range(2, 8))]
        for number in range(2, 8):
            await stores[0].commit(founding(number))
        heard: list[list[tuple[bytes, int]]] = [[], []]
        for store, mine in zip(stores, heard, strict=True):
            store.subscribe(partial(note_events, mine))
        calls = [
            start(store.append(draft(room_id, number, device=device)))
            for number in range(100)
            for store, device in zip(stores, (b"d", b"e"), strict=True)
            for room_id in (rooms if number % 2 else rooms[::-1])
        ]
        self.assertEqual({Appended}, set(map(type, await settled(calls))))
        every = {room_id: sorted(seq for other, seq in heard[0] + heard[1] if other == room_id) for room_id in rooms}
        self.assertEqual({room_id: list(range(2, 202)) for room_id in rooms}, every)
        for mine in heard:
            for room_id in rooms:
                seqs = [seq for other, seq in mine if other == room_id]
                self.assertEqual(sorted(seqs), seqs)

    async def test_commit_against_send(self) -> None:
        """Commits of one store and messages of the other have each seq once; a message of an epoch before is stale."""
        first, second = await self.two()
        newest, taken = founding(1), [1]
        for number in range(60):
            newest = following(newest, salt=b"%d" % number, wraps=(wrap(b"e", number + 1),), leaves=(log_leaf(number),))
            sent = draft(ROOM, 1000 + number, epoch=newest.epoch - 1)
            committed, said = await self.race(first.commit(newest), second.append(sent))
            self.assertIsInstance(committed, Appended)
            taken.append(committed.event.seq)
            if isinstance(said, Appended):
                taken.append(said.event.seq)
            else:
                self.assertEqual(Stale(newest.epoch), said)
        self.assertEqual(list(range(1, len(taken) + 1)), sorted(taken))
        self.assertEqual(60, len(await first.log()))
        self.assertEqual([0, 0], [store.repeated for store in (first, second)])

    async def test_commit_against_commit(self) -> None:
        """Of two commits of one epoch one is taken."""
        first, second = await self.two()
        newest: CommitDraft = founding(1)
        for number in range(40):
            ours, theirs = (following(newest, salt=b"%d %d" % (who, number)) for who in range(2))
            found = await self.race(first.commit(ours), second.commit(theirs))
            self.assertEqual({Appended, Stale}, set(map(type, found)))
            newest = ours if type(found[0]) is Appended else theirs
        self.assertEqual([0, 0], [store.repeated for store in (first, second)])

    async def test_rooms_crossing(self) -> None:
        """Batches that take rooms, accounts and the log in another order each do not stand in each other's way."""
        stores = await self.two()
        for number in range(2, 6):
            await stores[0].commit(founding(number))
        await stores[0].register(registration("alice"), NOW_MS)
        alice = await stores[0].account("alice")
        assert alice is not None
        calls: list[Deferred[Any]] = []
        for turn in range(30):
            for store, order in zip(stores, (range(1, 6), range(5, 0, -1)), strict=True):
                for number in order:
                    room_id = founding(number).room_id
                    calls.append(start(store.mark_read(alice.account.account_id, room_id, turn)))
                    calls.append(start(store.leave(room_id, "bob", b"leave")))
                    calls.append(start(store.saw(registration("alice").device_id, turn)))
                    calls.append(start(store.append(draft(room_id, turn, device=b"d" if store is stores[0] else b"e"))))
        self.assertNotIn(True, [isinstance(each, type) for each in await settled(calls)])
        self.assertEqual([0, 0], [store.repeated for store in stores])

    async def test_close_against_send(self) -> None:
        """A room that ends takes no message after its end."""
        first, second = await self.two()
        for number in range(10, 40):
            await first.commit(founding(number))
            room_id = founding(number).room_id
            sent: EventDraft = draft(room_id, 1)
            ended, said = await self.race(first.close_room(room_id), second.append(sent))
            self.assertIsNone(ended)
            self.assertIn(said if isinstance(said, type) else type(said), {Appended, NotFound})
            self.assertEqual([], list(await second.events(room_id, 0, 9)))


class AccountRaceTests(RaceCase):
    """Accounts, invites, keys and the log."""

    async def test_names(self) -> None:
        """One of two gets a name; a room's too."""
        first, second = await self.two()
        for number in range(20):
            ours, theirs = (registration(f"user{number:02}", number=who) for who in range(2))
            found = await self.race(first.register(ours, 1), second.register(theirs, 1))
            self.assertEqual(1, found.count(NameTaken), found)
            rooms = [
                founding(100 + 2 * number + who, name=f"Garden {number}", skeleton=f"garden {number}")
                for who in range(2)
            ]
            found = await self.race(*(store.commit(d) for store, d in zip((first, second), rooms, strict=True)))
            self.assertEqual(1, found.count(NameTaken), found)

    async def test_invite_once(self) -> None:
        """An invite is used once."""
        first, second = await self.two()
        for number in range(20):
            await first.add_invite(invite(number), NOW_MS)
            token = invite(number).token_hash
            calls = (
                store.register(registration(f"u{number}{who}", token), NOW_MS)
                for who, store in enumerate((first, second))
            )
            found = await self.race(*calls)
            self.assertEqual(1, found.count(InviteInvalid))

    async def test_prekey_once(self) -> None:
        """No one-time prekey is given out twice."""
        first, second = await self.two()
        alice = registration("alice")
        await first.register(alice, NOW_MS)
        await first.publish_prekeys(alice.device_id, prekeys(*range(1, 61)), 100)
        calls = [
            start(store.take_prekey(alice.device_id, one_time=True)) for _ in range(30) for store in (first, second)
        ]
        found = [each.signed for each in await settled(calls)]
        self.assertEqual(60, len(set(found)))
        self.assertEqual(0, await second.prekeys_left(alice.device_id))

    async def test_log(self) -> None:
        """Leaves of two stores stand one behind the other without gaps; each store hears of its own, under their indices."""
        first, second = await self.two()
        heard: list[list[tuple[int, bytes]]] = [[], []]
        for store, mine in zip((first, second), heard, strict=True):
            store.subscribe_log(partial(note_leaves, mine))
        calls = [
            start(store.register(registration(f"user{number}", leaves=(log_leaf(number), log_leaf(number + 1000))), 1))
            for number in range(40)
            for store in ((first, second)[number % 2],)
        ]
        await settled(calls)
        both = sorted(heard[0] + heard[1])
        self.assertEqual(list(enumerate(await first.log())), both)
        self.assertEqual(80, len(both))
        self.assertEqual([0, 0], [store.repeated for store in (first, second)])

    async def test_last_administrator(self) -> None:
        """Of two administrators who step down at once by two stores one stays."""
        first, second = await self.two()
        for name in ("alice", "bob"):
            await first.register(registration(name), NOW_MS)
        for _ in range(20):
            for name in ("alice", "bob"):
                await first.set_account(name, role=Role.ADMIN)
            found = await self.race(
                first.set_account("alice", role=Role.USER),
                second.set_account("bob", role=Role.USER),
            )
            self.assertEqual(1, found.count(Forbidden))

    async def test_rotation(self) -> None:
        """Of two new identities of an account one is taken."""
        first, second = await self.two()
        await first.register(registration("alice"), NOW_MS)
        newest = signer("alice")
        for number in range(20):
            keys = [b"key %d %d" % (number, who) for who in range(2)]
            calls = (
                store.rotate("alice", newest, key, log_leaf(1))
                for store, key in zip((first, second), keys, strict=True)
            )
            found = await self.race(*calls)
            self.assertEqual(1, found.count(BadKey))
            newest = sha256(keys[found.index(None)])

    async def test_revoke_once(self) -> None:
        """A device ends once, and where it is at that time."""
        first, second = await self.two()
        await first.register(registration("alice"), NOW_MS)
        which = registration("alice").device_id
        await first.commit(following(founding(1), added=((which, 7),)))
        sent = [draft(ROOM, number, epoch=1) for number in range(30)]
        calls: list[Deferred[Any]] = [start(second.append(each)) for each in sent]
        calls += [
            start(store.revoke(cert_hash("alice"), log_leaf(1), NOW_MS, signer("alice"))) for store in (first, second)
        ]
        found = await settled(calls)
        self.assertEqual([False, True], sorted(found[-2:]))
        (place,) = (await second.standing(which)).places
        self.assertIn(place.place.until, range(2, 33))
        self.assertEqual(1, len(await first.log()))
        self.assertTrue((await first.standing(device_id(b"d"))).places)


class LeaseRaceTests(RaceCase):
    """Leases of commits."""

    async def test_one_of_many(self) -> None:
        """Of many that ask at once one has it, in each room; and a commit that is there before a lease is seen by it."""
        stores = await self.two()
        rooms = [ROOM, *(founding(number).room_id for number in range(2, 6))]
        for number in range(2, 6):
            await stores[0].commit(founding(number))
        for turn in range(1, 6):
            asked = [rooms, rooms[::-1]]
            claims = [[claim(node, turn, room=room) for room in asked[node]] for node in (0, 1)]
            found = await self.race(*(stores[node].take_lease(each) for node in (0, 1) for each in claims[node]))
            by_room = dict[bytes, list[Any]]()
            for each, taken in zip([*claims[0], *claims[1]], found, strict=True):
                by_room.setdefault(each.room_id, []).append((each.node, taken))
            for room_id, both in by_room.items():
                self.assertEqual({LeaseTaken, LeaseElsewhere}, {type(taken) for _, taken in both})
                ((node, taken),) = ((node, taken) for node, taken in both if isinstance(taken, LeaseTaken))
                self.assertEqual(turn, taken.head)
                await stores[node[0]].append(draft(room_id, turn))
                self.assertTrue(await stores[node[0]].free_lease(room_id, node, turn))


class OrderRaceTests(RaceCase):
    """Orders, where there are several nodes."""

    async def nodes(self) -> list[PostgresStore]:
        """Two that keep them; Alice and Bob have accounts."""
        first = await self.open_store()
        self.assertEqual([], await first.orders(0, 9))
        for name in ("alice", "bob"):
            await first.register(registration(name), NOW_MS)
        await first.set_account("bob", muted=True)
        self.assertEqual([], await first.orders(0, 9))  # a server alone keeps none
        return [await self.reopen_store(keeps_orders=True) for _ in range(2)]

    async def test_numbers(self) -> None:
        """Each has one number, without a gap, whoever has given it; each node tells its own, and reads all."""
        stores = await self.nodes()
        told: list[list[tuple[int, bytes]]] = [[], []]
        for store, mine in zip(stores, told, strict=True):
            store.subscribe_control(partial(note_leaves, mine))
        calls = [
            start(store.set_account(name, muted=bool(number % 2)))
            for number in range(40)
            for store, name in zip(stores, ("alice", "bob"), strict=True)
        ]
        await settled(calls)
        every = sorted(told[0] + told[1])
        self.assertEqual(list(range(1, 81)), [number for number, _ in every])
        self.assertEqual([40, 40], list(map(len, told)))
        self.assertEqual([body for _, body in every], await stores[1].orders(0, 99))
        self.assertEqual([body for _, body in every[70:75]], await stores[0].orders(70, 5))
        self.assertEqual([], await stores[0].orders(80, 5))

    async def test_missed(self) -> None:
        """Only the newest are kept; who has missed more gives up, and starts anew."""
        self.patch(control_statements, "KEPT", 20)
        self.patch(control_statements, "PRUNED_EVERY", 8)
        first, second = await self.nodes()
        reasons: list[str] = []
        second.gave_up = reasons.append
        for number in range(64):
            await first.set_account("bob", muted=bool(number % 2))
        self.assertEqual(21, len(await first.orders(43, 99)))
        self.assertEqual([], reasons)
        await self.assertFailure(start(second.orders(42, 99)), ReadOnly)
        self.assertEqual([MISSED], reasons)
        self.assertEqual(1, len(await first.orders(63, 99)))  # the numbers go on from the last one

    async def test_sessions(self) -> None:
        """Sessions are numbered by both alike."""
        stores = await self.nodes()
        numbers = [await stores[number % 2].session_number() for number in range(6)]
        self.assertEqual(sorted(set(numbers)), numbers)

    async def test_end_against_a_commit(self) -> None:
        """Of the end of a room that was decided in an epoch and a commit that follows it one counts."""
        first, second = await self.two()
        for number in range(2, 22):
            await first.commit(founding(number))
            ending = first.close_room(founding(number).room_id, log_leaf(number), epoch=0)
            found = await self.race(ending, second.commit(following(founding(number))))
            kinds = [each if isinstance(each, type) else type(each) for each in found]
            self.assertIn(kinds, [[type(None), NotFound], [StaleCommit, Appended]])

    async def test_ban_against_role(self) -> None:
        """Nobody is banned and administers, though two nodes do both at once."""
        first, second = await self.two()
        await first.add_invite(invite(1, role=Role.ADMIN), NOW_MS)
        await first.register(registration("ada", invite(1).token_hash), NOW_MS)
        await first.register(registration("bob"), NOW_MS)
        ban = Ban(BanKind.ACCOUNT, "bob", "ada", NOW_MS)
        for _ in range(20):
            found = await self.race(first.set_ban(ban, on=True), second.set_account("bob", role=Role.ADMIN))
            self.assertEqual(1, found.count(Forbidden), found)
            await first.set_ban(ban, on=False)
            await first.set_account("bob", role=Role.USER)

    async def test_agreed_against_yielding(self) -> None:
        """A place is not taken from who agrees to it, in whichever order two nodes say so."""
        first, second = await self.two()
        for number in range(2, 22):
            room_id = founding(number).room_id
            await first.commit(founding(number, asked=("bob",)))
            yields, agrees = (ConsentAt(room_id, "bob", "alice", each) for each in (Consent.YIELDED, Consent.AGREED))
            await self.race(first.set_consents([yields]), second.set_consents([agrees]))
            self.assertIn(agrees, await first.consents())


class KeptOrderTests(PostgresCase, OrderContract):
    """The contract holds where orders are kept."""

    async def open_store(self, limits: StoreLimits | None = None) -> PostgresStore:
        """A node's."""
        self.url = cluster().prepared()
        return await self.reopen_store(limits, keeps_orders=True)
