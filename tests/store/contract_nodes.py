"""What every store keeps to: what a node reads to come as far as others."""

from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.crypto.room_state import POLICY_END, Kind
from chatserv.domain.hub import Place
from chatserv.models import Consent, ConsentAt, PlaceAt
from chatserv.node_models import Arriving, Membership, Numbers, PublicRoom, RoomAt, Standing
from tests.store.contract_base import ContractBase
from tests.store.contract_keys import signed_head
from tests.store.drafts import (
    NOW_MS,
    cert_hash,
    device_id,
    draft,
    following,
    founding,
    log_leaf,
    prekeys,
    registration,
    sealed,
    signer,
)

D, E, F = (device_id(letter) for letter in (b"d", b"e", b"f"))


class NodeContract(ContractBase):
    """Rooms as they stand, how far everything is, and what a login goes by."""

    async def test_rooms_at(self) -> None:
        """A room with its Leaves, all its places and what its users say; nothing of other rooms."""
        store = await self.open_store()
        first = founding(1, asked=("bob",), agreed=("alice",))
        await self.commit(store, first)
        await self.commit(store, founding(2, devices=(b"f",), asked=("carol",)))
        await store.append(draft(first.room_id, 1))
        await self.commit(store, following(first, removed=(E,), added=((F, 2),)))
        await store.leave(first.room_id, "bob", b"farewell")
        (room,) = [each for each in await store.rooms() if each.room_id == first.room_id]
        self.assertEqual((room.head, room.leaves), (3, (("bob", b"farewell"),)))
        places = {D: Place(0, 0), E: Place(1, 0, 3), F: Place(2, 2)}
        said = (ConsentAt(first.room_id, "alice", "", Consent.AGREED),)
        control = (await store.numbers()).control
        expected = RoomAt(room, places, said, control)
        self.assertEqual(await store.rooms_at([first.room_id]), {first.room_id: expected})
        both = await store.rooms_at([first.room_id, founding(2).room_id, founding(3).room_id])
        self.assertEqual(both.keys(), {first.room_id, founding(2).room_id})
        self.assertEqual((both[first.room_id], len(both[founding(2).room_id].consents)), (expected, 1))

    async def test_no_room(self) -> None:
        """There is none that is unknown, or was closed."""
        store = await self.open_store()
        await self.commit(store, founding(1))
        await store.close_room(founding(1).room_id, None)
        for room_id in (founding(1).room_id, founding(2).room_id):
            self.assertEqual(await store.rooms_at([room_id]), {})

    async def test_moved(self) -> None:
        """Of the rooms asked for those that have gone on since, or are not so far; none that is closed or unknown."""
        store = await self.open_store()
        one, two, three = founding(1), founding(2, name="Two"), founding(3, name="Three")
        for each in (one, two, three):
            await self.commit(store, each)
        self.assertEqual(await store.moved({}), {})
        await store.append(draft(one.room_id, 1))
        await store.close_room(three.room_id, None)
        self.assertEqual(await store.moved({one.room_id: 1, two.room_id: 1, three.room_id: 1}), {one.room_id: 2})
        self.assertEqual(await store.moved({one.room_id: 2, founding(4).room_id: 7}), {})
        self.assertEqual(await store.moved({one.room_id: 3, two.room_id: 0}), {one.room_id: 2, two.room_id: 1})

    async def test_standing(self) -> None:
        """A device's places, how far their rooms are, and how far the log is; also of a device that has none."""
        store = await self.open_store()
        self.assertEqual(await store.standing(F), Standing((), {}, Numbers(0, 0)))
        one, two, three = founding(1), founding(2, name="Two"), founding(3, name="Three", devices=(b"f",))
        for each in (one, two, three):
            await self.commit(store, each)
        await store.append(draft(two.room_id, 1))
        await self.commit(store, following(one, removed=(E,)))
        await store.register(registration("alice", leaves=(log_leaf(1), log_leaf(2))), NOW_MS)
        places = (PlaceAt(one.room_id, Place(1, 0, 2)), PlaceAt(two.room_id, Place(1, 0)))
        found = await store.standing(E)
        self.assertEqual(found, Standing(places, {one.room_id: 2, two.room_id: 2}, Numbers(2, found.numbers.control)))
        await store.close_room(two.room_id, None)
        self.assertEqual((await store.standing(E)).heads, {one.room_id: 2})
        self.assertEqual((await store.standing(device_id(b"n"))).places, ())

    async def test_arriving(self) -> None:
        """A device with its account, markers, prekeys and backup; none that is unknown, another's, or revoked."""
        store = await self.open_store()
        alice, bob = registration("alice"), registration("bob")
        account = await store.register(alice, NOW_MS)
        await store.register(bob, NOW_MS)
        room = founding(1, added=((alice.device_id, 0),))
        await self.commit(store, room)
        status = await store.account("alice")
        assert status is not None
        standing = await store.standing(alice.device_id)
        self.assertEqual([Place(0, 0)], [each.place for each in standing.places])
        self.assertEqual(Arriving(status, {}, 0, 0, standing), await store.arriving("alice", alice.device_id))
        await store.mark_read(account.account_id, room.room_id, 1)
        await store.publish_prekeys(alice.device_id, prekeys(1, 2, LAST_RESORT_BIT), 9)
        await store.publish_prekeys(bob.device_id, prekeys(1), 9)
        await store.put_backup("alice", sealed(7))
        await store.set_account("alice", muted=True)
        status = await store.account("alice")
        assert status is not None
        standing = await store.standing(alice.device_id)
        expected = Arriving(status, {room.room_id: 1}, 2, 7, standing)
        self.assertEqual(expected, await store.arriving("alice", alice.device_id))
        await store.revoke(cert_hash("bob"), None, NOW_MS, signer("bob"))
        for name, device in (("alice", bob.device_id), ("bob", bob.device_id), ("alice", F), ("eve", alice.device_id)):
            self.assertIsNone(await store.arriving(name, device))

    async def test_numbers_and_leaves(self) -> None:
        """The log's size, and its leaves a page at a time."""
        store = await self.open_store()
        self.assertEqual((await store.numbers()).log_size, 0)
        await store.register(registration("alice", leaves=tuple(map(log_leaf, range(3)))), NOW_MS)
        self.assertEqual((await store.numbers()).log_size, 3)
        self.assertEqual((await store.numbers()).head, b"")
        head = await store.keep_head(signed_head(2, 9), log_leaf(1).leaf)
        self.assertEqual([head] * 2, [(await store.numbers()).head, (await store.standing(F)).numbers.head])
        pages = [list(await store.leaves(first, 2)) for first in (0, 1, 2, 3)]
        leaves = [log_leaf(number).leaf for number in range(3)]
        self.assertEqual(pages, [leaves[:2], leaves[1:], leaves[2:], []])

    async def test_memberships(self) -> None:
        """Who is in which room, by age of the room, whatever they say; not who is out, leaves, or was in one that ended."""
        store = await self.open_store()
        own = b"\0" * 4 + bytes([Kind.DEVICES]) + b"own"
        one, two = founding(1, asked=("bob", "carol"), agreed=("alice",)), founding(2, state=own, agreed=("bob",))
        three = founding(3, name="Three", asked=("bob",), sender="eve")
        for each in (three, two, one):
            await self.commit(store, each)
        mine = [
            Membership(three.room_id, "eve", Consent.ASKED, devices=False),
            Membership(two.room_id, "", Consent.AGREED, devices=True),
            Membership(one.room_id, "alice", Consent.ASKED, devices=False),
        ]
        self.assertEqual(mine, list(await store.memberships("bob")))
        yields = ConsentAt(one.room_id, "bob", "alice", Consent.YIELDED)
        await store.set_consents([yields])
        self.assertEqual(Consent.YIELDED, (await store.memberships("bob"))[2].consent)
        await self.commit(store, following(one, gone=("carol",)))
        await store.leave(two.room_id, "bob", b"farewell")
        await store.close_room(three.room_id, None)
        self.assertEqual([one.room_id], [each.room_id for each in await store.memberships("bob")])
        self.assertEqual([[], []], [list(await store.memberships(name)) for name in ("carol", "nobody")])

    async def test_offers(self) -> None:
        """The places that people were given and have not agreed to, of those who are asked for, by age of the room."""
        store = await self.open_store()
        one, two = founding(1, asked=("bob", "carol", "dave"), agreed=("alice",)), founding(2, asked=("bob",))
        for each in (two, one):
            await self.commit(store, each)
        says = [ConsentAt(two.room_id, "bob", "alice", Consent.YIELDED)]
        says += [ConsentAt(one.room_id, "carol", "alice", Consent.AGREED)]
        await store.set_consents(says)
        asked = [ConsentAt(one.room_id, name, "alice", Consent.ASKED) for name in ("bob", "dave")]
        self.assertEqual([says[0], *asked], list(await store.offers(["dave", "bob", "carol", "nobody"])))
        self.assertEqual([asked[1]], list(await store.offers(["dave", "alice"])))
        self.assertEqual([], list(await store.offers([])))
        await store.close_room(two.room_id, None)
        self.assertEqual(asked, list(await store.offers(["bob", "dave"])))

    async def test_public_rooms(self) -> None:
        """A page of rooms with names, in the order of these, with what their policies are and how many are in them."""
        store = await self.open_store()
        long = b"s" * (POLICY_END + 100)
        rooms = [
            founding(1),
            founding(2, name="b", state=long, asked=("bob",), agreed=("alice",)),
            founding(3, name="Z"),
        ]
        rooms += [founding(4, name="c"), founding(5, name="a")]
        for each in rooms:
            await self.commit(store, each)
        await store.close_room(rooms[3].room_id, None)
        found = [
            PublicRoom(rooms[2].room_id, "Z", b"state 0", 0),
            PublicRoom(rooms[4].room_id, "a", b"state 0", 0),
            PublicRoom(rooms[1].room_id, "b", long[:POLICY_END], 2),
        ]
        self.assertEqual(found, list(await store.public_rooms("", 9)))
        self.assertEqual(found[1:2], list(await store.public_rooms("Z", 1)))
        self.assertEqual([[], []], [list(await store.public_rooms("b", 9)), list(await store.public_rooms("", 0))])

    async def test_empty_rooms(self) -> None:
        """Those that are open and have lost everybody, by Leaves, commits or ends of accounts."""
        store = await self.open_store()
        for name in ("alice", "bob"):
            await store.register(registration(name), NOW_MS)
        one, two = founding(1, agreed=("alice",)), founding(2, agreed=("alice",), asked=("bob",))
        for each in (founding(3, agreed=("alice",)), two, one):
            await self.commit(store, each)
        await store.leave(one.room_id, "alice", b"farewell")
        await self.commit(store, following(two, gone=("bob",)))
        self.assertEqual([one.room_id], list(await store.empty_rooms()))
        await store.end_account("alice", log_leaf(1), NOW_MS, None)
        self.assertEqual([founding(3).room_id, two.room_id, one.room_id], list(await store.empty_rooms()))
        await store.close_room(two.room_id, None)
        self.assertEqual([founding(3).room_id, one.room_id], list(await store.empty_rooms()))
