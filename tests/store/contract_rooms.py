"""What every store keeps to: commits and the life of rooms."""

from collections.abc import Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from chatserv.errors import NameTaken, NotFound, Quota
from chatserv.models import Appended, Consent, ConsentAt, Event, EventKind, PairTaken, Room, Stale
from chatserv.store.limits import StoreLimits
from tests.store.contract_base import ContractBase, seq_of
from tests.store.drafts import (
    NOW_MS,
    device_id,
    draft,
    following,
    founding,
    log_leaf,
    registration,
    start,
    together,
    wrap,
)

D, E, F = (device_id(letter) for letter in (b"d", b"e", b"f"))


class CommitContract(ContractBase):
    """`chatserv.ports.Store.commit` and what it brings."""

    async def test_founding(self) -> None:
        """The commit of epoch 0 makes the room and is its first event, which alone carries the change live."""
        store = await self.open_store()
        heard: list[Event] = []
        store.subscribe(heard.extend)
        new = founding(1, name="Garden", kt_size=7)
        result = await store.commit(new)
        event = Event(new.room_id, 1, NOW_MS, "alice", EventKind.COMMIT, b"commit 0", change=new)
        self.assertEqual((Appended(event), [event]), (result, heard))
        self.assertEqual([msgspec.structs.replace(event, change=None)], list(await store.events(new.room_id, 0, 9)))
        self.assertEqual([Room(new.room_id, "Garden", 0, 1, new.commit_hash, 7, b"state 0")], list(await store.rooms()))

    async def test_chain(self) -> None:
        """Commits follow each other among the messages, each with a new state, and are read from an epoch on."""
        store = await self.open_store()
        first = founding(1)
        second = following(first)
        third = following(second)
        await self.commit(store, first)
        await store.append(draft(first.room_id, 1))
        self.assertEqual([3, 4], [await self.commit(store, second), await self.commit(store, third)])
        (room,) = await store.rooms()
        self.assertEqual(
            (2, 4, third.commit_hash, 3, b"state 2"),
            (room.epoch, room.head, room.commit_hash, room.kt_size, room.state),
        )
        kinds = [event.kind for event in await store.events(first.room_id, 0, 9)]
        self.assertEqual([EventKind.COMMIT, EventKind.MESSAGE, EventKind.COMMIT, EventKind.COMMIT], kinds)
        bodies = [b"commit 0", b"commit 1", b"commit 2"]
        self.assertEqual(bodies, list(await store.commits(first.room_id, 0, 9)))
        self.assertEqual(bodies[1:2], list(await store.commits(first.room_id, 1, 1)))
        for epoch, limit in ((3, 9), (0, 0)):
            self.assertEqual([], list(await store.commits(first.room_id, epoch, limit)))
        self.assertEqual([], list(await store.commits(b"x" * 16, 0, 9)))

    async def test_two_commits_of_one_epoch(self) -> None:
        """Of two commits that follow the same one the first is taken, and the other told the epoch."""
        store = await self.open_store()
        first = founding(1)
        await self.commit(store, first)
        one, two = following(first, salt=b"1"), following(first, salt=b"2", name="Other", skeleton="other")
        results = await together([store.commit(one), store.commit(two)])
        self.assertEqual([2, None], [seq_of(each) for each in results])
        self.assertEqual([Stale(1), Stale(1)], [results[1], await store.commit(two)])
        self.assertEqual([b"commit 0", b"commit 11"], list(await store.commits(first.room_id, 0, 9)))
        self.assertEqual("", (await store.rooms())[0].name)

    async def test_not_the_next(self) -> None:
        """A commit of another epoch, or after another one, is stale; so is a second founding."""
        store = await self.open_store()
        first = founding(1)
        await self.commit(store, first)
        foreign = following(founding(2), room_id=first.room_id)
        for stale in (first, following(following(first)), foreign, following(first, epoch=0)):
            self.assertEqual(Stale(0), await store.commit(stale))
        self.assertEqual(1, (await store.rooms())[0].head)

    async def test_send_and_commit_cross(self) -> None:
        """In one turn a message before a commit is stored before it, and one after it is stale."""
        store = await self.open_store()
        first = founding(1)
        await self.commit(store, first)
        results: list[Deferred[Any]] = [
            start(store.append(draft(first.room_id, 1))),
            start(store.commit(following(first))),
            start(store.append(draft(first.room_id, 2))),
            start(store.append(draft(first.room_id, 0, epoch=1))),
        ]
        before, commit, after, anew = [await each for each in results]
        self.assertEqual([2, 3, 4], [seq_of(each) for each in (before, commit, anew)])
        self.assertEqual(Stale(1), after)

    async def test_commit_to_an_unknown_room(self) -> None:
        """A later commit for a room that there is not is refused."""
        store = await self.open_store()
        await self.assertFailure(start(store.commit(following(founding(1)))), NotFound)
        self.assertEqual([], list(await store.rooms()))

    async def test_rooms_bounded(self) -> None:
        """One room above the bound is refused; one that is closed makes place."""
        store = await self.open_store(StoreLimits(rooms=2))
        for number in (1, 2):
            await self.commit(store, founding(number))
        await self.assertFailure(start(store.commit(founding(3))), Quota)
        await self.commit(store, following(founding(2)))
        await store.close_room(founding(1).room_id, None)
        await self.commit(store, founding(3))

    async def test_oldest_first(self) -> None:
        """Rooms and places are in the order in which the rooms were made."""
        store = await self.open_store()
        for number in (2, 3, 1):
            await self.commit(store, founding(number))
        ids = [founding(number).room_id for number in (2, 3, 1)]
        self.assertEqual(ids, [room.room_id for room in await store.rooms()])
        self.assertEqual(ids, [place.room_id for place in (await store.standing(D)).places])


class RoomLifeContract(ContractBase):
    """Names, pairs, Leaves, read markers, and the end."""

    async def test_names(self) -> None:
        """A public room's name and its skeleton are its own; private rooms have none."""
        store = await self.open_store()
        await self.commit(store, founding(1, name="Garden"))
        for number in (2, 3):
            await self.commit(store, founding(number))
        for taken in (founding(4, name="Garden", skeleton="x"), founding(4, name="GARDEN")):
            await self.assertFailure(start(store.commit(taken)), NameTaken)
        self.assertEqual(["Garden", "", ""], [room.name for room in await store.rooms()])

    async def test_renaming(self) -> None:
        """A rename is refused for a name that is taken; else the old name is free."""
        store = await self.open_store()
        first = founding(1, name="Garden")
        await self.commit(store, first)
        await self.commit(store, founding(2, name="House"))
        taken = following(first, salt=b"x", name="HOUSE", skeleton="house")
        await self.assertFailure(start(store.commit(taken)), NameTaken)
        room = (await store.rooms())[0]
        self.assertEqual((0, 1), (room.epoch, room.head))
        same = following(first)
        renamed = following(same, name="Yard", skeleton="yard")
        for each in (same, renamed, founding(3, name="Garden")):
            await self.commit(store, each)
        self.assertEqual(["Yard", "House", "Garden"], [room.name for room in await store.rooms()])
        await self.commit(store, following(renamed, name="", skeleton=""))
        await self.commit(store, founding(4, name="Yard"))

    async def test_pairs(self) -> None:
        """Two users have one direct message; a second one is answered with the first."""
        store = await self.open_store()
        first = founding(1, pair=b"p" * 32)
        await self.commit(store, first)
        results = await together(
            [store.commit(founding(number, pair=pair * 32)) for number, pair in ((2, b"p"), (3, b"q"))]
        )
        self.assertEqual(PairTaken(first.room_id), results[0])
        self.assertEqual(1, seq_of(results[1]))
        self.assertEqual(2, await self.commit(store, following(first)))
        await store.close_room(first.room_id, None)
        await self.commit(store, founding(4, pair=b"p" * 32))

    async def test_leaves(self) -> None:
        """A Leave waits with its room until a commit takes it, one for each user, the newest."""
        store = await self.open_store()
        first = founding(1)
        await self.commit(store, first)
        await self.commit(store, founding(2))
        for user, leave in (("bob", b"1"), ("alice", b"2"), ("bob", b"3")):
            await store.leave(first.room_id, user, leave)
        await store.leave(founding(2).room_id, "bob", b"4")
        expected = [(("alice", b"2"), ("bob", b"3")), (("bob", b"4"),)]
        self.assertEqual(expected, [room.leaves for room in await store.rooms()])
        await self.commit(store, following(first, left=("bob", "carol")))
        self.assertEqual([(("alice", b"2"),), (("bob", b"4"),)], [room.leaves for room in await store.rooms()])
        await self.assertFailure(start(store.leave(b"x" * 16, "bob", b"5")), NotFound)

    async def test_consents(self) -> None:
        """What users say to their places moves with commits, by what they say later, and goes with them and the room."""
        store = await self.open_store()
        first, second = founding(1, asked=("bob", "carol"), agreed=("alice",)), founding(2, asked=("bob",))
        await self.commit(store, first)
        await self.commit(store, second)
        asked, agreed = Consent.ASKED, Consent.AGREED
        expected = [
            ConsentAt(first.room_id, "alice", "", agreed),
            ConsentAt(first.room_id, "bob", "alice", asked),
            ConsentAt(first.room_id, "carol", "alice", asked),
            ConsentAt(second.room_id, "bob", "alice", asked),
        ]
        self.assertEqual(expected, list(await store.consents()))
        said = [
            ConsentAt(first.room_id, "bob", "alice", agreed),
            ConsentAt(second.room_id, "bob", "alice", Consent.YIELDED),
            ConsentAt(b"x" * 16, "bob", "alice", agreed),
        ]
        await store.set_consents(said)
        self.assertEqual([expected[0], said[0], expected[2], said[1]], list(await store.consents()))
        await self.commit(store, following(first, gone=("carol",), agreed=("bob",)))
        own = ConsentAt(first.room_id, "bob", "", agreed)
        self.assertEqual([expected[0], own, said[1]], list(await store.consents()))
        await store.leave(first.room_id, "bob", b"leave")
        await store.close_room(second.room_id, None)
        await store.set_consents([said[1]])
        self.assertEqual([expected[0]], list(await store.consents()))

    async def test_read_marks(self) -> None:
        """A read marker moves forward only, for its account and room."""
        store = await self.open_store()
        rooms = [founding(number).room_id for number in (1, 2)]
        for number in (1, 2):
            await self.commit(store, founding(number))
        alice, bob = await together([store.register(registration(name), NOW_MS) for name in ("alice", "bob")])
        for seq in (3, 7, 5):
            await store.mark_read(alice.account_id, rooms[0], seq)
        await store.mark_read(alice.account_id, rooms[1], 0)
        self.assertEqual({rooms[0]: 7, rooms[1]: 0}, await store.read_marks(alice.account_id))
        self.assertEqual([{}, {}], [await store.read_marks(each) for each in (bob.account_id, b"x" * 16)])
        for unknown in ((b"x" * 16, rooms[0]), (alice.account_id, b"x" * 16)):
            await self.assertFailure(start(store.mark_read(*unknown, 1)), NotFound)

    async def test_closing(self) -> None:
        """A closed room leaves nothing but its id, which is never used again; its name is free."""
        store = await self.open_store()
        first = founding(1, name="Garden", wraps=(wrap(b"e", 0),))
        room = first.room_id
        await self.commit(store, first)
        await self.commit(store, founding(2))
        account = await store.register(registration("alice"), NOW_MS)
        await store.append(draft(room, 1))
        await store.leave(room, "bob", b"leave")
        await store.mark_read(account.account_id, room, 1)
        await store.close_room(room, log_leaf(9))
        self.assertEqual([founding(2).room_id], [each.room_id for each in await store.rooms()])
        self.assertEqual([founding(2).room_id], [each.room_id for each in (await store.standing(D)).places])
        empty: list[Sequence[object]] = [
            await store.events(room, 0, 9),
            await store.events_before(room, 9, 0, 9),
            await store.commits(room, 0, 9),
        ]
        self.assertEqual([[], [], []], [list(each) for each in empty])
        self.assertEqual((None, {}), (await store.wrap(room, 0, E), await store.read_marks(account.account_id)))
        self.assertEqual([b"leaf 9"], list(await store.log()))
        for call in (
            store.commit(first),
            store.commit(following(first)),
            store.append(draft(room, 1)),
            store.leave(room, "bob", b"leave"),
            store.mark_read(account.account_id, room, 2),
            store.close_room(room, log_leaf(10)),
            store.close_room(b"x" * 16, None),
        ):
            await self.assertFailure(start(call), NotFound)
        await self.commit(store, founding(3, name="Garden"))
        self.assertEqual(1, len(await store.log()))
