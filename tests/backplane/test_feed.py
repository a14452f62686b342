"""Feeds, one step at a time: order, gaps, what is held, who waits, and what a store says that refuses."""

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane import feed as feeds
from chatserv.backplane import numbered_feed, room_feeds
from chatserv.backplane.feed import GAP_SECONDS, RETRY_SECONDS, WAIT_SECONDS, Budget
from chatserv.backplane.numbered_feed import Entry, NumberedFeed
from chatserv.backplane.room_feeds import EVENT_BYTES, PAGE, change_bytes
from chatserv.errors import Busy
from chatserv.models import Event, WrapDraft
from chatserv.net.effects import reactor_effects
from tests.backplane.nodes import Client, Node, Store, commit_draft

ROOM = b"room------------"
OTHER = b"other room------"


def entries(*numbers: int) -> list[Entry]:
    """Entries of these numbers."""
    return [Entry(number, b"entry") for number in numbers]


class NumberedFeedTests(SynchronousTestCase):
    """What `NumberedFeed` promises, and `Feed`."""

    def setUp(self) -> None:
        """A stream of which three entries were heard."""
        self.clock = Clock()
        self.effects = reactor_effects(self.clock, lambda: 0, bytes)
        self.budget = Budget(self.effects)
        self.delivered: list[int] = []
        self.reads: list[
            Any
        ] = []  # after which number, how many, the answer; and what it will be, where that is certain
        self.feed = NumberedFeed(self.effects, self.budget, 3, self._read, self._deliver)

    def _read(self, after: int, limit: int) -> "Deferred[Sequence[Entry]]":
        answer: Deferred[Sequence[Entry]] = Deferred()
        self.reads.append((after, limit, answer))
        return answer

    def _deliver(self, run: Sequence[Entry]) -> None:
        self.delivered += [entry.number for entry in run]

    def reached(self, number: int) -> list[Any]:
        """What comes of waiting for it."""
        result: list[Any] = []
        Deferred.fromCoroutine(self.feed.reached(number)).addBoth(
            lambda value: result.append(value if value is None else value.value)
        )
        return result

    def test_order(self) -> None:
        """What was heard is dropped, what follows is handed on, and what is above a gap waits for it."""
        self.feed.offer(entries(2, 3, 4))
        self.feed.offer(entries(7, 6))
        self.feed.offer(entries(6))
        self.assertEqual(self.delivered, [4])
        self.feed.offer(entries(5))
        self.assertEqual(self.delivered, [4, 5, 6, 7])
        self.clock.advance(1)
        self.assertEqual(self.reads, [])
        self.assertEqual(self.budget.held_bytes, 0)

    def test_gap(self) -> None:
        """After a moment the store is asked, for all that there is."""
        self.feed.offer(entries(6))
        self.clock.advance(GAP_SECONDS / 2)
        self.assertEqual(self.reads, [])
        self.clock.advance(GAP_SECONDS / 2)
        ((after, limit, answer),) = self.reads
        self.assertEqual((after, limit), (3, numbered_feed.PAGE))
        answer.callback(entries(4, 5, 6, 7))
        self.assertEqual(self.delivered, [4, 5, 6, 7])

    def test_pages(self) -> None:
        """A page that is full is followed by the next one."""
        with patch.object(numbered_feed, "PAGE", 2):
            self.feed.claim(6)
            self.feed.mend()
            self.reads[0][2].callback(entries(4, 5))
            self.assertEqual(self.reads[1][0], 5)
            self.reads[1][2].callback(entries(6))
        self.assertEqual(self.delivered, [4, 5, 6])

    def test_another_gap(self) -> None:
        """A gap that was filled meanwhile does not make the next one be read too soon."""
        self.feed.offer(entries(5))
        self.clock.advance(GAP_SECONDS / 2)
        self.feed.offer(entries(4, 7))
        self.clock.advance(GAP_SECONDS / 2)
        self.assertEqual(self.reads, [])
        self.clock.advance(GAP_SECONDS)
        self.assertEqual(len(self.reads), 1)

    def test_refused(self) -> None:
        """A store that refuses is asked again, and what was told of meanwhile is not forgotten."""
        self.feed.claim(5)
        self.clock.advance(GAP_SECONDS)
        self.reads[0][2].errback(Busy("not now"))
        self.feed.offer(entries(6))
        self.clock.advance(RETRY_SECONDS)
        self.reads[1][2].callback(entries(4, 5))
        self.assertEqual(self.delivered, [4, 5, 6])

    def test_asked_while_it_reads(self) -> None:
        """Who wants it read while a read is under way gets another one."""
        self.feed.mend()
        self.feed.mend()
        self.assertEqual(len(self.reads), 1)
        self.reads[0][2].callback([])
        self.assertEqual(len(self.reads), 2)

    def test_a_number_that_is_not_there(self) -> None:
        """What somebody says is asked of the store once; what it does not have is not waited for, nor asked for again."""
        result = self.reached(9)
        self.feed.offer(entries(2**62))
        self.clock.advance(GAP_SECONDS)
        self.reads[0][2].callback([])
        self.assertIsInstance(result[0], Busy)
        self.assertEqual(self.budget.held_bytes, 0)
        self.clock.advance(10)
        self.assertEqual(len(self.reads), 1)

    def test_who_waits(self) -> None:
        """Each goes on with its number, after that was handed on."""
        later, sooner, at_once = self.reached(5), self.reached(4), self.reached(3)
        self.assertEqual((later, sooner, at_once), ([], [], [None]))
        self.feed.offer(entries(4))
        self.assertEqual((later, sooner), ([], [None]))
        self.feed.offer(entries(5))
        self.assertEqual(later, [None])

    def test_the_end(self) -> None:
        """Who waits goes on, and nothing more is handed on, asked for or kept."""
        self.feed.offer(entries(6))
        waiting = self.reached(4)
        self.feed.end()
        self.feed.offer(entries(4))
        self.feed.claim(9)
        self.feed.mend()
        self.clock.advance(1)
        self.assertEqual((waiting, self.delivered, self.reads, self.budget.held_bytes), ([None], [], [], 0))

    def test_handing_on_fails(self) -> None:
        """Nothing comes twice for it, and who waits does not wait for ever."""
        waiting = self.reached(4)
        with patch.object(self.feed, "_hand_out", side_effect=ZeroDivisionError), self.assertRaises(ZeroDivisionError):
            self.feed.offer(entries(4))
        self.feed.offer(entries(4, 5))
        self.assertEqual((waiting, self.delivered), ([None], [5]))

    def test_handing_on_fails_below_a_gap(self) -> None:
        """What is missing above it is read all the same."""
        with patch.object(self.feed, "_hand_out", side_effect=ZeroDivisionError), self.assertRaises(ZeroDivisionError):
            self.feed.offer(entries(6, 4))
        self.clock.advance(GAP_SECONDS)
        self.assertEqual([after for after, _, _ in self.reads], [4])

    def test_a_store_that_refuses_for_long(self) -> None:
        """Who waits is told to come back, and whoever comes then too; what is missing is still asked for."""
        waiting = self.reached(5)
        self.clock.advance(GAP_SECONDS)
        self._refuse_for(WAIT_SECONDS)
        self.assertIsInstance(waiting[0], Busy)
        waiting = self.reached(5)
        self._refuse_for(WAIT_SECONDS)
        self.assertIsInstance(waiting[0], Busy)
        waiting = self.reached(5)
        self.clock.advance(RETRY_SECONDS)
        self.reads.pop()[2].callback(entries(4, 5))
        self.assertEqual((waiting, self.delivered, self.clock.getDelayedCalls()), ([None], [4, 5], []))

    def _refuse_for(self, seconds: float) -> None:
        for _ in range(int(seconds / RETRY_SECONDS)):
            while self.reads:
                self.reads.pop()[2].errback(Busy("not now"))
            self.clock.advance(RETRY_SECONDS)

    def test_a_store_that_does_not_answer(self) -> None:
        """Nobody waits for ever for it; as long as something comes, everybody does."""
        waiting = self.reached(7)
        for number in (4, 5, 6):
            self.clock.advance(WAIT_SECONDS - 1)
            self.feed.offer(entries(number))
        self.assertEqual(waiting, [])
        self.clock.advance(WAIT_SECONDS)
        self.assertIsInstance(waiting[0], Busy)

    def test_a_hole_in_the_store(self) -> None:
        """Pages that do not bring the next entry, full or not, are not read again and again without a pause."""
        for page in ([5, 6], [2, 3], [5]):
            self.setUp()
            told: list[Failure] = []
            self.budget._effects = replace(
                self.effects,
                spawn=lambda each: Deferred.fromCoroutine(each).addErrback(told.append),  # noqa: B023
            )
            with patch.object(self, "_read", side_effect=self._holes(page)), patch.object(numbered_feed, "PAGE", 2):
                self.feed = NumberedFeed(self.effects, self.budget, 3, self._read, self._deliver)
                waiting = self.reached(4)
                for _ in range(600):
                    self.clock.advance(GAP_SECONDS)
            self.assertLessEqual(len(self.reads), 600 * GAP_SECONDS / RETRY_SECONDS + 1)
            self.assertIsInstance(waiting[0], Busy)
            self.assertEqual([failure.type for failure in told], [LookupError])  # once, not each time
            self.feed.offer(entries(4))
            self.assertEqual(self.delivered[0], 4)

    def _holes(self, page: Sequence[int]) -> Callable[[int, int], "Deferred[Sequence[Entry]]"]:
        def read(after: int, _: int) -> "Deferred[Sequence[Entry]]":
            self.reads.append(after)
            self.assertLess(len(self.reads), 100, "it reads without a pause")
            return succeed(entries(*page))

        return read

    @given(st.data())
    def test_any_history(self, data: st.DataObject) -> None:
        """Whatever comes, is lost, comes again and late, each entry is handed on once, in order; and a poll brings all."""
        self.setUp()
        size = 3
        for _ in range(data.draw(st.integers(0, 30))):
            match data.draw(st.sampled_from(["append", "offer", "claim", "time", "snapshot", "answer", "refuse"])):
                case "append":
                    size += data.draw(st.integers(1, 3))
                case "offer":
                    self.feed.offer(entries(*data.draw(st.lists(st.integers(1, size), max_size=4))))
                case "claim":
                    self.feed.claim(data.draw(st.integers(0, size + 1)))
                case "time":
                    self.clock.advance(data.draw(st.sampled_from([GAP_SECONDS, RETRY_SECONDS])))
                case "snapshot" if self.reads and len(self.reads[0]) == 3:
                    self.reads[0] = (*self.reads[0], entries(*range(self.reads[0][0] + 1, size + 1)))
                case "answer" if self.reads and len(self.reads[0]) > 3:
                    self.reads[0][2].callback(self.reads.pop(0)[3])
                case "refuse" if self.reads:
                    self.reads.pop(0)[2].errback(Busy("not now"))
            self.assertEqual(self.delivered, list(range(4, self.feed.head + 1)))
            self.assertLessEqual(self.feed.head, size)
        waiting = self.reached(size)
        for _ in range(3):
            self.clock.advance(RETRY_SECONDS)
            while self.reads:
                after, _, answer, *_ = self.reads.pop(0)
                answer.callback(entries(*range(after + 1, size + 1)))
        self.assertEqual((waiting, self.delivered, self.budget.held_bytes), ([None], list(range(4, size + 1)), 0))

    def test_most_held(self) -> None:
        """One more is not held but read."""
        with patch.object(feeds, "MAX_HELD", 2):
            self.feed.offer(entries(5, 6, 7))
        self.assertEqual(self.budget.held_bytes, 2 * len(b"entry"))
        self.feed.offer(entries(4))
        self.assertEqual(self.delivered, [4, 5, 6])
        self.clock.pump([GAP_SECONDS, GAP_SECONDS])
        self.reads[0][2].callback(entries(7))
        self.assertEqual(self.delivered, [4, 5, 6, 7])

    def test_most_held_bytes(self) -> None:
        """All streams share so many bytes."""
        budget = Budget(self.effects, most_bytes=10)
        one, other = (NumberedFeed(self.effects, budget, 0, self._read, self._deliver) for _ in range(2))
        one.offer(entries(2))
        other.offer(entries(2, 3))
        self.assertEqual(budget.held_bytes, 10)
        other.offer(entries(1))
        self.assertEqual(self.delivered, [1, 2])
        self.clock.pump([GAP_SECONDS, GAP_SECONDS])
        self.assertEqual([after for after, _, _ in self.reads], [0, 2])

    def test_most_waiting(self) -> None:
        """One more is told to come back."""
        with patch.object(feeds, "MAX_WAITING", 1):
            first, second = self.reached(4), self.reached(4)
        self.assertEqual(first, [])
        self.assertIsInstance(second[0], Busy)

    def test_most_reads(self) -> None:
        """One more waits for its turn."""
        budget = Budget(self.effects, most_reads=1)
        streams = [NumberedFeed(self.effects, budget, number, self._read, self._deliver) for number in (1, 2)]
        for each in streams:
            each.mend()
        self.assertEqual([after for after, _, _ in self.reads], [1])
        self.reads[0][2].errback(Busy("not now"))
        self.assertEqual([after for after, _, _ in self.reads], [1, 2])


class RoomFeedTests(SynchronousTestCase):
    """What `RoomFeeds` promises beyond what `tests.backplane.test_feed_machine` tries at random."""

    def setUp(self) -> None:
        """A node without rooms."""
        self.store, self.said = Store(), list[Event]()
        self.node = Node(self.store, lambda _, event: self.said.append(event), lambda *_: None)
        for room_id in (ROOM, OTHER):
            self.store.commit(room_id)

    def settle(self) -> None:
        """Whatever is asked is answered."""
        while self.node.calls:
            if self.node.calls[0].step():
                del self.node.calls[0]

    def start(self, coroutine: Any) -> list[Any]:
        """What comes of it."""
        result: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(lambda value: result.append(value if value is None else value.value))
        return result

    def test_more_than_a_page(self) -> None:
        """It is read anew, not told event by event."""
        self.node.use(ROOM)
        self.settle()
        for _ in range(PAGE + 1):
            self.store.append(ROOM)
        with patch.object(self.node, "events", side_effect=AssertionError("a page was read")):
            self.node.feeds.claim({ROOM: PAGE + 2})
            self.node.clock.advance(GAP_SECONDS)
            self.settle()
        self.assertEqual(self.node.hub.rooms[ROOM].head, PAGE + 2)

    def test_messages_that_were_not_kept(self) -> None:
        """What retention has taken out of a gap does not keep a node from what is behind it."""
        self.node.use(ROOM)
        self.settle()
        events = [self.store.append(ROOM) for _ in range(3)]
        waiting = self.start(self.node.feeds.reached(ROOM, 4))
        for kept in ([events[2]], []):
            with patch.object(self.store, "events", return_value=kept):
                self.node.clock.advance(GAP_SECONDS)
                self.settle()
        self.assertEqual((waiting, self.node.hub.rooms[ROOM].head), ([None], 4))

    def test_a_room_that_is_gone(self) -> None:
        """Whoever waits goes on, and it is forgotten."""
        self.node.use(ROOM)
        self.settle()
        waiting = self.start(self.node.feeds.reached(ROOM, 2))
        del self.store.logs[ROOM]
        with patch.object(self.store, "events", return_value=[]):
            self.node.clock.advance(GAP_SECONDS)
            self.settle()
        self.assertEqual((waiting, dict(self.node.feeds.heads), self.node.hears), ([None], {}, {}))
        self.assertNotIn(ROOM, self.node.hub.rooms)

    def test_a_room_that_begins_here(self) -> None:
        """It is heard from its first commit on, and its maker is answered after that was delivered."""
        room_id = b"a new room------"
        self.node.write(lambda: self.store.commit(room_id))
        self.settle()
        self.assertEqual((self.node.hub.rooms[room_id].head, list(self.node.hears)), (1, [room_id]))

    def test_of_others_nothing_is_kept(self) -> None:
        """What comes of a room that is not here is dropped."""
        self.node.feeds.offer([self.store.append(ROOM)])
        self.node.feeds.offer([self.store.commit(b"a new room------")])
        self.node.feeds.claim({ROOM: 7})
        self.assertEqual((dict(self.node.feeds.heads), self.node.calls), ({}, []))

    def test_a_first_event_that_comes_again(self) -> None:
        """A room that was unloaded or closed since does not come back for it."""
        first = self.store.commit(b"a new room------")
        for end in (self.node.feeds.unload, self.node.feeds._closed):
            with self.subTest(end=end):
                self.node.told.clear()
                self.node.feeds.committed([first])
                self.settle()
                end(first.room_id)
                self.node.feeds.offer([first])
                self.settle()
                self.assertEqual((dict(self.node.feeds.heads), self.node.hears), ({}, {}))

    def test_a_room_that_begins_while_it_is_looked_for(self) -> None:
        """It is not taken for one that is gone, but looked for once more."""
        room_id = b"a new room------"
        loading = self.start(self.node.feeds.load(room_id))
        for _ in range(3):  # it is heard, and the store says that there is none
            if self.node.calls[0].step():
                del self.node.calls[0]
        first = self.store.commit(room_id)
        self.node.feeds.committed([first])
        self.settle()
        self.assertEqual((loading, self.node.hub.rooms[room_id].head), ([None], 1))
        self.node.feeds.unload(room_id)
        self.node.use(room_id)
        del self.store.logs[room_id]
        self.node.feeds.offer([first])
        self.settle()
        self.assertEqual((dict(self.node.feeds.heads), self.node.hears), ({}, {}))

    def test_what_is_said_while_it_begins(self) -> None:
        """What others say of a room that begins here, before it is heard, is read."""
        room_id = b"a new room------"
        self.node.feeds.committed([self.store.commit(room_id)])
        self.store.append(room_id)
        self.settle()
        self.assertEqual(self.node.hub.rooms[room_id].head, 2)

    def test_one_room_of_several_fails(self) -> None:
        """The others of the same transaction get what is theirs."""
        for room_id in (ROOM, OTHER):
            self.node.use(room_id)
        self.settle()
        events = [self.store.append(ROOM), self.store.append(OTHER), self.store.append(ROOM)]
        with (
            patch.object(self.node.feeds._feeds[ROOM], "_deliver", side_effect=ZeroDivisionError),
            self.assertRaises(ZeroDivisionError),
        ):
            self.node.feeds.committed(events)
        self.assertEqual(dict(self.node.feeds.heads), {ROOM: 3, OTHER: 2})
        self.assertEqual(self.node.hub.rooms[OTHER].head, 2)

    def test_most_rooms(self) -> None:
        """One more is refused, for now."""
        self.node.feeds._most = 1
        self.node.use(ROOM)
        self.settle()
        refused = self.start(self.node.feeds.load(OTHER))
        self.assertIsInstance(refused[0], Busy)
        self.node.feeds.unload(ROOM)
        self.assertEqual(self.start(self.node.feeds.load(OTHER)), [])

    def test_most_rooms_that_begin(self) -> None:
        """One more is not taken in; whoever needs it has it loaded when there is a place."""
        self.node.feeds._most = 1
        client = Client(b"a device--------")
        self.node.connect(client)
        self.settle()
        first = [self.store.commit(bytes((number,)) * 16, (client.device_id,)) for number in range(2)]
        for event in first:
            self.node.feeds.committed([event])
        self.settle()
        self.assertEqual(dict(self.node.feeds.heads), {first[0].room_id: 1})
        self.node.feeds._most = 2
        loaded = self.start(self.node.feeds.load(first[1].room_id))
        self.settle()
        self.assertEqual((loaded, len(self.node.feeds.heads), len(self.node.hub.rooms)), ([None], 2, 2))

    def test_a_room_that_cannot_be_heard(self) -> None:
        """All who wait for it are told so at once, and the next one begins anew; also where a bug is in the way."""
        for refusal in (Busy("too many"), ZeroDivisionError()):
            for waits in (True, False):
                with self.subTest(refusal=refusal, waits=waits):
                    answers: list[Deferred[None]] = []

                    def listen(_: bytes, waits: bool = waits, refusal: Exception = refusal) -> "Deferred[None]":
                        answers.append(Deferred() if waits else fail(refusal))  # noqa: B023
                        return answers[-1]  # noqa: B023

                    with patch.object(self.node.feeds, "_listen", listen):
                        results = [self.start(self.node.feeds.load(ROOM)) for _ in range(2)]
                        results.append(self.start(self.node.feeds.arrive({ROOM: 1})))
                        if waits:
                            answers[0].errback(refusal)
                    self.assertEqual([type(result) for (result,) in results], [Busy] * 3)
                    self.assertEqual((len(answers), dict(self.node.feeds.heads)), (1 if waits else 3, {}))
                    bugs = [failure for failure in self.node.failed if not failure.check(ZeroDivisionError)]
                    self.assertEqual((bugs, bool(self.node.failed)), ([], isinstance(refusal, ZeroDivisionError)))
        self.node.use(ROOM)
        self.settle()
        self.assertEqual(self.node.hub.rooms[ROOM].head, 1)

    def test_who_loads_goes_away(self) -> None:
        """The room comes all the same, and others who wait for it get it."""
        first = Deferred.fromCoroutine(self.node.feeds.load(ROOM))
        second = self.start(self.node.feeds.load(ROOM))
        first.addErrback(lambda failure: failure.trap(CancelledError) and None)
        first.cancel()
        self.settle()
        self.assertEqual((second, self.node.hub.rooms[ROOM].head), ([None], 1))

    def test_hearing_does_not_begin(self) -> None:
        """Nobody waits for ever for it, and no poll."""
        results = [
            self.start(coroutine) for coroutine in (self.node.feeds.load(ROOM), self.node.feeds.arrive({ROOM: 1}))
        ]
        self.node.clock.advance(WAIT_SECONDS)
        self.assertEqual([type(result) for (result,) in results], [Busy, Busy])
        self.settle()
        self.assertEqual(self.node.hub.rooms[ROOM].head, 1)

    def test_a_room_that_begins_and_cannot_be_heard(self) -> None:
        """It is here, and it is tried to hear it until that is so, or nobody needs it any more."""
        self.node.deaf = True
        first = [self.store.commit(bytes((number,)) * 16) for number in range(2)]
        self.node.feeds.committed(first)
        self.settle()
        self.store.append(first[0].room_id)
        self.node.clock.advance(room_feeds.RETRY_SECONDS)
        self.settle()
        self.assertEqual((self.node.hears, len(self.node.feeds.heads)), ({}, 2))
        self.node.feeds.unload(first[1].room_id)
        self.node.deaf = False
        self.node.clock.advance(room_feeds.RETRY_SECONDS)
        self.settle()
        self.assertEqual(dict(self.node.feeds.heads), {first[0].room_id: 2})
        self.assertEqual((list(self.node.hears), self.node.clock.getDelayedCalls()), ([first[0].room_id], []))

    def test_unloaded_while_it_loads(self) -> None:
        """Nothing comes of it."""
        loading = self.start(self.node.feeds.load(ROOM))
        self.node.feeds.unload(ROOM)
        self.settle()
        self.assertEqual((loading, dict(self.node.hub.rooms), self.node.hears), ([None], {}, {}))

    def test_loaded_again_while_it_loads(self) -> None:
        """The end of the first attempt does not take away what the second one hears; in whatever order they are done."""
        for last in (0, 1):
            loading = self.start(self.node.feeds.load(ROOM))
            self.node.feeds.unload(ROOM)
            again = self.start(self.node.feeds.load(ROOM))
            self.node.calls.insert(0, self.node.calls.pop(last))
            self.settle()
            self.assertEqual((loading, again, list(self.node.hears)), ([None], [None], [ROOM]))
            self.node.feeds.unload(ROOM)

    def test_loaded_again_when_it_ends(self) -> None:
        """Who waited for a room that was unloaded may load it again at once, and then it is heard."""
        self.node.use(ROOM)
        self.settle()
        again = self.start(self._load_again())
        with patch.object(self.node, "listen", side_effect=self._listens_at_once):
            self.node.feeds._listen = self.node.listen
            self.node.feeds.unload(ROOM)
            self.settle()
        self.assertEqual((again, list(self.node.hears)), ([None], [ROOM]))

    async def _load_again(self) -> None:
        await self.node.feeds.reached(ROOM, 2)
        await self.node.feeds.load(ROOM)

    def _listens_at_once(self, room_id: bytes) -> "Deferred[None]":
        self.node.hears.setdefault(room_id)
        return succeed(None)

    def test_what_is_held_is_weighed(self) -> None:
        """A commit weighs what it makes of its room, and its wraps."""
        change = commit_draft(ROOM, 1, added=((b"d" * 16, 1),))
        heavy = replace(change, wraps=(WrapDraft(b"d" * 16, bytes(100), (bytes(32),)),))
        self.assertGreaterEqual(change_bytes(change), EVENT_BYTES + len(change.state))
        self.assertEqual(change_bytes(heavy) - change_bytes(change), 132)
