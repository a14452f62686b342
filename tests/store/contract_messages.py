"""What every store keeps to: messages, their order, and who may send them."""

from collections.abc import Sequence

from msgspec.structs import replace

from chatserv.errors import NotFound
from chatserv.models import Appended, Duplicate, Event, EventKind, Stale
from chatserv.ports import NO_GENERATION
from tests.store.contract_base import ContractBase, seq_of
from tests.store.drafts import NOW_MS, device_id, draft, following, founding, start, together


class MessageContract(ContractBase):
    """`chatserv.ports.Store.append`, the listeners and the pages."""

    async def test_order(self) -> None:
        """Appends of one turn get contiguous seqs in the order of the calls, and are read in it."""
        store = await self.open_store()
        room = founding(1)
        await self.commit(store, room)
        results = await together([store.append(draft(room.room_id, number)) for number in range(1500)])
        events = [result.event for result in results if isinstance(result, Appended)]
        self.assertEqual(list(range(2, 1502)), [event.seq for event in events])
        self.assertEqual(
            Event(room.room_id, 4, NOW_MS, "alice", EventKind.MESSAGE, draft(room.room_id, 2).body), events[2]
        )
        self.assertEqual(events, list(await store.events(room.room_id, 1, 2000)))
        self.assertEqual(1501, (await store.rooms())[0].head)

    async def test_seqs_per_room(self) -> None:
        """Each room counts for itself, and takes drafts of its own epoch only."""
        store = await self.open_store()
        one, two = founding(1), founding(2)
        later = following(two)
        for each in (one, two, later):
            await self.commit(store, each)
        first, second = one.room_id, two.room_id
        drafts = [draft(first, 1), draft(second, 1, epoch=1), draft(second, 2, epoch=1), draft(first, 2)]
        results = await together([store.append(each) for each in [*drafts, draft(second, 3)]])
        seqs = [(each.event.room_id, each.event.seq) for each in results if isinstance(each, Appended)]
        self.assertEqual([(first, 2), (second, 3), (second, 4), (first, 3)], seqs)
        self.assertEqual(Stale(1), results[-1])
        self.assertEqual([3, 4], [room.head for room in await store.rooms()])

    async def test_duplicate(self) -> None:
        """The same room, device, id and place again answers with the first seq and time, even in a later epoch."""
        store = await self.open_store()
        room = founding(1)
        await self.commit(store, room)
        await together([store.append(draft(room.room_id, 1)), store.append(draft(room.room_id, 2))])
        self.assertEqual(Duplicate(3, NOW_MS), await store.append(draft(room.room_id, 2, at_ms=5)))
        await self.commit(store, following(room))
        self.assertEqual(Duplicate(3, NOW_MS), await store.append(draft(room.room_id, 2, at_ms=5)))
        self.assertEqual(
            Duplicate(3, NOW_MS), await store.append(replace(draft(room.room_id, 2), generation=NO_GENERATION))
        )
        self.assertEqual(4, (await store.rooms())[0].head)

    async def test_same_id_at_another_place(self) -> None:
        """An id that comes again further on in the chain, or in a later epoch, is another message: its bytes are others."""
        store = await self.open_store()
        room = founding(1)
        await self.commit(store, room)
        drafts = [draft(room.room_id, 1), draft(room.room_id, 1, generation=2)]
        self.assertEqual([2, 3], [seq_of(each) for each in await together([store.append(each) for each in drafts])])
        self.assertEqual(4, seq_of(await store.append(draft(room.room_id, 1, generation=3))))
        await self.commit(store, following(room))
        again = draft(room.room_id, 1, epoch=1, generation=1)
        self.assertEqual(6, seq_of(await store.append(again)))
        self.assertEqual(Duplicate(6, NOW_MS), await store.append(again))

    async def test_same_place_under_another_id(self) -> None:
        """What has the place of another message, and is not that one, is stale: its key is spent."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        drafts = [draft(room, 1), draft(room, 2, generation=1)]
        first, second = await together([store.append(each) for each in drafts])
        self.assertEqual((2, Stale(0)), (seq_of(first), second))
        self.assertEqual(Stale(0), await store.append(drafts[1]))

    async def test_place_of_another_device(self) -> None:
        """Who names a place and an id of somebody else's gets no answer about it, and is in nobody's way."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        theirs = [draft(room, 1), draft(room, 2)]
        copies = [replace(each, device_id=device_id(b"e")) for each in theirs]
        results = await together([store.append(each) for each in (copies[0], theirs[0], copies[0], copies[1])])
        self.assertEqual([Stale(0)] * 3, [each for each in results if not isinstance(each, Appended)])
        self.assertEqual(Stale(0), await store.append(copies[0]))
        lying = replace(copies[1], leaf=1, generation=5)  # its header says otherwise: nobody lets it come here
        self.assertEqual(3, seq_of(await store.append(lying)))
        self.assertEqual(4, seq_of(await store.append(theirs[1])))

    async def test_duplicate_in_a_batch(self) -> None:
        """A repetition within one turn is found too; another device's equal id is another message."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        drafts = [draft(room, 1), draft(room, 1), draft(room, 1, device=b"e"), draft(room, 2)]
        one, two, three, four = await together([store.append(each) for each in drafts])
        self.assertEqual(Duplicate(2, NOW_MS), two)
        self.assertEqual([2, 3, 4], [seq_of(each) for each in (one, three, four)])

    async def test_same_id_in_two_rooms(self) -> None:
        """An id belongs to its room."""
        store = await self.open_store()
        for number in (1, 2):
            await self.commit(store, founding(number))
            self.assertEqual(2, seq_of(await store.append(draft(founding(number).room_id, 1))))

    async def test_id_of_a_commit(self) -> None:
        """A message may have the first bytes of a commit's hash as its id, before or after that commit."""
        store = await self.open_store()
        room = founding(1)
        later = following(room)
        await self.commit(store, room)
        for number, commit in enumerate((room, later)):
            same = int.from_bytes(commit.commit_hash[:16], "big")
            self.assertEqual(number + 2, seq_of(await store.append(draft(room.room_id, same, generation=number))))
        self.assertEqual(4, await self.commit(store, later))

    async def test_stale(self) -> None:
        """A draft of another epoch is told the current one and leaves no gap."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        stale, stored = await together([store.append(draft(room, 1, epoch=1)), store.append(draft(room, 1))])
        self.assertEqual((Stale(0), 2), (stale, seq_of(stored)))

    async def test_leaf(self) -> None:
        """A device without a place, or with another leaf than the draft says, sends nothing."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        drafts = [draft(room, 1, device=b"f"), draft(room, 1, leaf=1), draft(room, 1, device=b"e", leaf=0)]
        self.assertEqual([Stale(0)] * 3, await together([store.append(each) for each in drafts]))
        self.assertEqual(1, (await store.rooms())[0].head)

    async def test_generation(self) -> None:
        """A generation counts once and upward, per device, whether in one turn or later."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        steps = [(1, b"d", 5), (2, b"d", 6), (3, b"d", 6), (4, b"d", 4), (5, b"e", 4), (6, b"d", 9)]
        drafts = [draft(room, number, device=device, generation=step) for number, device, step in steps]
        results = await together([store.append(each) for each in drafts])
        self.assertEqual([2, 3, None, None, 4, 5], [seq_of(each) for each in results])
        self.assertEqual(Stale(0), results[2])
        again = [draft(room, 7, generation=9), draft(room, 8, device=b"e", generation=5)]
        self.assertEqual([None, 6], [seq_of(await store.append(each)) for each in again])

    async def test_generation_per_room_and_epoch(self) -> None:
        """Generations count from 0 in each room and again after each commit."""
        store = await self.open_store()
        one, two = founding(1), founding(2)
        for each in (one, two):
            await self.commit(store, each)
            for device in (b"d", b"e"):
                self.assertIsNotNone(seq_of(await store.append(draft(each.room_id, 7, device=device))))
        await self.commit(store, following(one))
        for device in (b"d", b"e"):
            sent = await store.append(draft(one.room_id, 8, device=device, epoch=1, generation=0))
            self.assertIsNotNone(seq_of(sent))
        self.assertEqual(Stale(0), await store.append(draft(two.room_id, 8, generation=0)))

    async def test_removed(self) -> None:
        """A device that a commit removed sends nothing any more."""
        store = await self.open_store()
        room = founding(1)
        await self.commit(store, room)
        await self.commit(store, following(room, removed=(device_id(b"e"),)))
        results = [await store.append(draft(room.room_id, 1, device=each, epoch=1)) for each in (b"e", b"d")]
        self.assertEqual([None, 3], [seq_of(each) for each in results])

    async def test_many_rooms_and_devices(self) -> None:
        """A turn of many rooms and devices finds each draft's own place."""
        store = await self.open_store()
        await together([store.commit(founding(number, devices=(b"d", b"e", b"f"))) for number in range(40)])
        rooms = [founding(number).room_id for number in range(40)]
        drafts = [draft(room, 0, device=device) for room in rooms for device in (b"d", b"e", b"f")]
        results = await together([store.append(each) for each in drafts])
        self.assertEqual([2, 3, 4] * 40, [seq_of(each) for each in results])

    async def test_unknown_room(self) -> None:
        """An unknown room is refused without disturbing its neighbours in the turn."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        good, bad, after = [
            start(store.append(draft(room_id, number))) for number, room_id in enumerate([room, b"x" * 16, room])
        ]
        await self.assertFailure(bad, NotFound)
        self.assertEqual([2, 3], [seq_of(each) for each in (await good, await after)])
        await self.assertFailure(start(store.append(draft(b"x" * 16, 1))), NotFound)

    async def test_listeners_first(self) -> None:
        """Every listener has a commit's events, in order, before any of its appends answers."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        heard: list[int] = []
        store.subscribe(lambda events: heard.extend(event.seq for event in events))
        answered: list[int] = []

        async def append(number: int) -> None:
            seq = seq_of(await store.append(draft(room, number)))
            assert seq is not None
            self.assertIn(seq, heard)
            answered.append(seq)

        await together([append(number) for number in range(700)])
        self.assertEqual(list(range(2, 702)), heard)
        self.assertEqual(heard, answered)

    async def test_listeners_hear_only_what_is_new(self) -> None:
        """Duplicates and stale drafts are not events."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        await store.append(draft(room, 1))
        heard: list[Event] = []
        store.subscribe(heard.extend)
        await together([store.append(draft(room, 1)), store.append(draft(room, 2, epoch=1))])
        self.assertEqual([], heard)

    async def test_failing_listener(self) -> None:
        """A listener that raises is logged; the others hear, and the append answers."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        heard: list[Event] = []

        def fail(_events: Sequence[Event]) -> None:
            raise RuntimeError("a listener's fault")

        store.subscribe(fail)
        store.subscribe(heard.extend)
        result = await store.append(draft(room, 1))
        self.assertEqual([result.event] if isinstance(result, Appended) else None, heard)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))

    async def test_paging(self) -> None:
        """Pages go forward from a cursor and backward to it, both in order of seq."""
        store = await self.open_store()
        room = founding(1).room_id
        await self.commit(store, founding(1))
        await together([store.append(draft(room, number)) for number in range(9)])

        async def forward(after: int, limit: int) -> list[int]:
            return [event.seq for event in await store.events(room, after, limit)]

        async def backward(before: int, since: int, limit: int) -> list[int]:
            return [event.seq for event in await store.events_before(room, before, since, limit)]

        self.assertEqual([5, 6, 7], await forward(4, 3))
        self.assertEqual([9, 10], await forward(8, 3))
        self.assertEqual([[], [], []], [await forward(10, 3), await forward(99, 3), await forward(0, 0)])
        self.assertEqual([6, 7, 8], await backward(9, 0, 3))
        self.assertEqual([6, 7, 8], await backward(9, 5, 9))
        self.assertEqual([9, 10], await backward(99, 0, 2))
        self.assertEqual([[], [], []], [await backward(1, 0, 3), await backward(9, 8, 3), await backward(9, 0, 0)])
        self.assertEqual([], list(await store.events(b"x" * 16, 0, 3)))
