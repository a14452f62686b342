"""Every event once, in order, on every node: whatever the bus loses, doubles and reorders, and whoever dies meanwhile."""

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.feed import RETRY_SECONDS, WAIT_SECONDS, Feed
from chatserv.backplane.room_feeds import RoomFeed, RoomFeeds
from chatserv.domain.room_reload import reload_room
from chatserv.errors import Busy
from chatserv.models import Event
from tests.backplane import nodes
from tests.backplane.nodes import Client, Node, Store

NODES = 2
ROOMS = [b"first room------", b"second room-----"]
LATER = b"one that begins-"
DEVICES = [bytes((number,)) * 16 for number in range(2)]
some_fate = st.sampled_from(["waits", "is done", "is answered", "is lost"])
some_node, some_room, some_device = (
    st.integers(0, NODES - 1),
    st.sampled_from([*ROOMS, LATER]),
    st.integers(0, len(DEVICES) - 1),
)
MOST = 10


class FeedMachine(RuleBasedStateMachine):
    """Nodes on one store. ``loses``: whether the bus does, and nodes die."""

    loses = True

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()
        self.begun = False
        self.bus: list[tuple[Node, Event]] = []
        self.nodes = [self._node() for _ in range(NODES)]
        self.clients = [Client(device) for device in DEVICES]
        self.first = {room_id: self.store.commit(room_id, added=tuple(DEVICES)) for room_id in ROOMS}
        for node, client in zip(self.nodes, self.clients, strict=True):
            node.connect(client)
            self._settle(node)
            node.read_on(client)
            node.read_on(client)

    def _node(self) -> Node:
        return Node(self.store, self._publish, self._answered, MOST)

    def _publish(self, sender: Node, event: Event) -> None:
        self.bus += [(node, event) for node in self.nodes if node is not sender and event.room_id in node.hears]

    def _answered(self, node: Node, room_id: bytes, seq: int) -> None:
        room = node.hub.rooms.get(room_id)
        assert room is not None or self.loses, "answered, and the room is not here"
        assert room is None or room.head >= seq, f"answered {seq}, delivered {room.head}"

    # -- the store and the bus

    @precondition(lambda self: any(node.calls for node in self.nodes))
    @rule(node=some_node, at=st.integers(0, 4), steps=st.integers(1, 2))
    def store_goes_on(self, node: int, at: int, steps: int) -> None:
        """A call happens, or is answered; in any order."""
        calls = self.nodes[node].calls
        if calls:
            calls.insert(0, calls.pop(at % len(calls)))
            self._let_happen(self.nodes[node], steps)

    @rule(fails=st.booleans())
    def store_fails(self, fails: bool) -> None:
        """The store refuses everything, or nothing."""
        self.store.fails = fails and self.loses

    @precondition(lambda self: self.loses)
    @rule(node=some_node)
    def store_fails_for_long(self, node: int) -> None:
        """Who waits for it is told to come back."""
        found = self.nodes[node]
        self.store.fails = True
        for _ in range(2 * round(WAIT_SECONDS / RETRY_SECONDS) + 2):
            self._answer_all(found)
            found.clock.advance(RETRY_SECONDS)
        assert found.using + found.writing + found.arriving == 0, "somebody still waits"
        self.store.fails = False

    @precondition(lambda self: self.loses)
    @rule(node=some_node, deaf=st.booleans())
    def bus_refuses(self, node: int, deaf: bool) -> None:
        """A node cannot begin to hear a room, or can again."""
        self.nodes[node].deaf = deaf

    @precondition(lambda self: self.loses)
    @rule(node=some_node, full=st.booleans())
    def fill(self, node: int, full: bool) -> None:
        """A node has as many rooms as there may be, or not any more."""
        feeds = self.nodes[node].feeds
        feeds._most = len(feeds.heads) if full else MOST

    @precondition(lambda self: self.bus)
    @rule(at=st.integers(0, 9), again=st.booleans())
    def bus_brings(self, at: int, again: bool) -> None:
        """Something that was said comes, in any order; some comes again, or where nobody wants to hear it any more."""
        at %= len(self.bus)
        node, event = self.bus[at]
        if not again:
            del self.bus[at]
        if node in self.nodes:
            node.hear(event)

    @precondition(lambda self: self.bus and self.loses)
    @rule(count=st.integers(1, 9))
    def bus_loses(self, count: int) -> None:
        """Something does not come."""
        del self.bus[:count]

    @rule(node=some_node, seconds=st.sampled_from([0.01, 0.02, 1.0]))
    def time_passes(self, node: int, seconds: float) -> None:
        """A node's clock goes on."""
        self.nodes[node].clock.advance(seconds)

    # -- people

    @precondition(lambda self: any(client.session for client in self.clients))
    @rule(device=some_device, room=some_room, count=st.integers(1, 6), fate=some_fate)
    def say(self, device: int, room: bytes, count: int, fate: str) -> None:
        """Somebody says something where they are."""
        node = self.clients[device].node
        if node is not None and room in node.hub.rooms:
            for _ in range(count):
                node.write(lambda: self.store.append(room))
                self._go_on(node, fate)

    def _go_on(self, node: Node, fate: str) -> None:
        """What becomes of a call that was just made: it waits, is done, and answered, and what is said of it is lost."""
        said = len(self.bus)
        if fate == "waits" or not node.calls:
            return
        call = node.calls[-1]
        call.step()
        if fate != "is done":
            node.calls.remove(call)
            call.step()
        if fate == "is lost" and self.loses:
            del self.bus[said:]

    @rule(node=some_node, room=some_room, device=some_device, fate=some_fate)
    def change(self, node: int, room: bytes, device: int, fate: str) -> None:
        """A commit removes a device, or takes it in again."""
        if room in self.nodes[node].hub.rooms:
            ids = (DEVICES[device],)

            def work() -> Event:
                place = self.store.places[room].get(DEVICES[device])
                is_in = place is not None and place.until is None
                return self.store.commit(room, removed=ids) if is_in else self.store.commit(room, added=ids)

            self.nodes[node].write(work)
            self._go_on(self.nodes[node], fate)

    @precondition(lambda self: not (self.begun or self.store.fails))
    @rule(
        node=some_node,
        members=st.sets(some_device),
        fate=some_fate,
        needed=st.sampled_from(["", "here, before", "elsewhere, behind"]),
    )
    def begin(self, node: int, members: set[int], fate: str, needed: str) -> None:
        """Somebody makes a room, which is looked for before, or on another node before that is told of it; then nothing."""

        def work() -> Event:
            self.first[LATER] = self.store.commit(LATER, added=tuple(DEVICES[device] for device in sorted(members)))
            return self.first[LATER]

        self.begun = True
        if needed == "here, before":
            self.use(node, LATER, 3, afresh=False)
        self.nodes[node].write(work)
        self._go_on(self.nodes[node], fate)
        if needed == "elsewhere, behind" and LATER in self.first:
            self.use(1 - node, LATER, 4, afresh=False)
            self.quiet()

    @rule(device=some_device, node=some_node, steps=st.integers(0, 9), at_once=st.booleans())
    def connect(self, device: int, node: int, steps: int, at_once: bool) -> None:
        """Somebody comes, or goes over to another node; others say something meanwhile."""
        client = self.clients[device]
        if client.session is not None and client.node is self.nodes[node]:
            return
        for room_id in ROOMS:
            self.say(device, room_id, steps % 3, "is lost")
        self._disconnect(client)
        if not self.nodes[node].arriving:
            self.nodes[node].connect(client)
            self._let_happen(self.nodes[node], steps)
            if steps:
                for room_id in ROOMS:
                    self.say(1 - device, room_id, 1, "is answered")
            if at_once:
                self._settle(self.nodes[node], lambda: client.session is not None)

    def _let_happen(self, node: Node, steps: int) -> None:
        for _ in range(steps):
            if node.calls and node.calls[0].step():
                del node.calls[0]

    def _disconnect(self, client: Client) -> None:
        if client.session is not None and client.node is not None:
            client.session.outbox.closed = True  # type: ignore[misc]
            client.node.hub.detach(client.session)
        client.session = client.node = None

    @rule(device=some_device, full=st.booleans())
    def press(self, device: int, full: bool) -> None:
        """Somebody does not keep up, or does again."""
        self.clients[device].full = full

    @rule(device=some_device)
    def read_on(self, device: int) -> None:
        """Somebody who is behind reads."""
        client = self.clients[device]
        if client.node is not None:
            client.node.read_on(client)

    # -- nodes

    @rule(node=some_node)
    def die(self, node: int) -> None:
        """A node is killed, also between its commits and what it says of them; another one starts in its place."""
        if self.nodes[node].writing and not self.loses:
            return
        for client in self.clients:
            if client.node is self.nodes[node]:
                self._disconnect(client)
        self.nodes[node] = self._node()

    @rule(node=some_node, room=some_room, late=st.booleans())
    def unload(self, node: int, room: bytes, late: bool) -> None:
        """Nobody has needed a room for a while; its first event may come again after that."""
        found = self.nodes[node]
        if room in found.hub.rooms and not found.hub.rooms[room].here and not found.arriving and not found.writing:
            found.feeds.unload(room)
            del found.hub.rooms[room]
            if late:
                found.hear(self.first[room])

    @rule(node=some_node, room=some_room, steps=st.integers(0, 6), afresh=st.booleans())
    def use(self, node: int, room: bytes, steps: int, afresh: bool) -> None:
        """A node needs a room, though nobody there has a place in it; others say something meanwhile, and then nothing."""
        if afresh:
            self.die(node)
        self.nodes[node].use(room)
        self._let_happen(self.nodes[node], steps)
        for device in range(len(DEVICES)):
            self.say(device, room, 1, "is answered")
        if afresh:
            self.quiet()

    @rule(node=some_node)
    def poll(self, node: int) -> None:
        """After a poll nothing is missing."""
        if not self.store.fails:
            self._poll(self.nodes[node])

    def _poll(self, node: Node) -> None:
        node.deaf, node.feeds._most = False, MOST
        self._settle(node)
        heads = {room_id: self.store.head(room_id) for room_id in self.store.logs}
        result: list[Any] = []
        Deferred.fromCoroutine(node.feeds.poll()).addBoth(result.append)
        self._settle(node, lambda: bool(result))
        assert result == [None], result
        for room_id, room in node.hub.rooms.items():
            assert room.head >= heads[room_id], f"{room.head} of {heads[room_id]} after a poll"
        for client in self.clients:
            if client.node is node and client.session is not None:
                for room_id, place in client.session.places.items():
                    here = node.hub.rooms.get(room_id)
                    if here is not None and here.head == self.store.head(room_id):  # else it was written to meanwhile
                        assert place == self.store.places[room_id][client.device_id]

    def _settle(self, node: Node, until: Callable[[], bool] = lambda: False) -> None:
        """Lets everything happen that the node waits for, for a while."""
        for _ in range(300):
            self._answer_all(node)
            if until():
                return
            if not node.clock.getDelayedCalls():
                return
            node.clock.advance(0.01)

    def _answer_all(self, node: Node) -> None:
        while node.calls:
            call = node.calls.pop(0)
            call.step()
            call.step() if call.answer.called is False else None

    # -- what always holds

    @invariant()
    def nobody_is_ahead_of_the_store(self) -> None:
        """What was delivered is stored, and nothing has failed that nobody waits for."""
        for node in self.nodes:
            for failure in node.failed:
                failure.raiseException()
            for room_id, room in node.hub.rooms.items():
                assert room.head <= self.store.head(room_id)
            assert len(node.feeds.heads) <= node.feeds._most

    @rule()
    def quiet(self) -> None:
        """What a node has heard of comes without a poll, and all of it where the bus loses nothing."""
        if self.store.fails:
            return
        for node in self.nodes:
            node.deaf = False
            self._settle(node)
        while self.bus:
            self.bus_brings(0, again=False)
            for node in self.nodes:
                self._settle(node)
        for node in self.nodes:
            assert node.hears.keys() == node.feeds.heads.keys()
            for room_id, head in node.feeds.heads.items():
                due = node.heard.get(room_id, 0) if self.loses else self.store.head(room_id)
                assert head >= due, f"{head} of {due}, and nobody has polled"

    def teardown(self) -> None:
        """At last everybody has everything."""
        self.store.fails = False
        self.quiet()
        for node in self.nodes:
            self._poll(node)
        self.nobody_is_ahead_of_the_store()
        for client in self.clients:
            client.full = False
            if client.session is None or client.node is None:
                continue
            while client.session.behind:
                client.node.read_on(client)
            for room_id, place in client.session.places.items():
                due = self.store.head(room_id) if place.until is None else place.until
                assert client.cursors[room_id] == due, (client.cursors, place, due)


class FaithfulMachine(FeedMachine):
    """The bus brings everything once or more, in any order."""

    loses = False


def run(machine: type[FeedMachine], examples: int, **more: Any) -> None:
    """Runs histories."""
    chosen = settings(max_examples=examples, stateful_step_count=50, deadline=None, database=None, **more)
    run_state_machine_as_test(machine, settings=chosen)


class FeedMachineTests(SynchronousTestCase):
    """Runs them."""

    def test_a_bad_bus(self) -> None:
        """Nothing is lost, doubled or out of order for anybody."""
        run(FeedMachine, 60)

    def test_a_good_bus(self) -> None:
        """Nothing has to be polled for."""
        run(FaithfulMachine, 40)


# -- each rule switched off


async def _reads_before_it_listens(self: RoomFeeds, room_id: bytes, feed: RoomFeed) -> None:
    feed.mend()
    await feed.reached(0)
    await self._listen(room_id)
    if feed.ended:
        self._forget(room_id)


async def _reads_nothing_behind_it(self: RoomFeeds, room_id: bytes, feed: RoomFeed) -> None:
    if feed.ready:
        await self._listen(room_id)
    else:
        await _hear(self, room_id, feed)


async def _takes_what_it_hears_for_heard(self: RoomFeeds, room_id: bytes, feed: RoomFeed) -> None:
    await self._listen(room_id)
    feed.mend()


def _begins_whoever_says_so(self: RoomFeeds, events: Sequence[Event]) -> None:
    for event in events:
        if event.change is not None and event.change.epoch == 0 and event.room_id not in self._feeds:
            self._begin_to_hear(event.room_id, self._add(event.room_id, 0))
    _offer_all(self, events)


async def _keeps_what_it_cannot_hear(self: RoomFeeds, room_id: bytes, feed: RoomFeed) -> None:
    try:
        await self._listen(room_id)
        feed.mend()
    except Busy:
        pass


def _delivers_again(self: Feed[Event], items: Sequence[Event]) -> None:
    if all(item.change is None for item in items) and items and items[0].seq <= self.head:
        self._deliver(items)
    else:
        _offer(self, items)


def _delivers_over_gaps(self: Feed[Event], items: Sequence[Event]) -> None:
    new = [item for item in items if item.seq > self.head]
    if new and self.ready:
        self._hand_on(new)
    else:
        _offer(self, items)


def _leaves_sessions_where_they_are(hub: Any, fresh: Any, places: Any, greet: Any) -> None:
    room = hub.rooms.get(fresh.room_id)
    live = dict(room.live) if room else {}
    _reload(hub, fresh, places, greet)
    for session in live:
        session.behind.pop(fresh.room_id, None)
        hub.rooms[fresh.room_id].live[session] = None


async def _answers_at_once(self: RoomFeeds, room_id: bytes, seq: int) -> None:
    """Nothing is waited for."""


def _waits_for_ever(self: Feed[Event]) -> None:
    self._patience = None


async def _polls_nothing(self: RoomFeeds) -> None:
    """Nothing is asked."""


async def _lets_in_at_once(self: RoomFeeds, heads: Any) -> None:
    for room_id in heads:
        await self.load(room_id)


_offer, _reload, _hear, _offer_all = Feed.offer, reload_room, RoomFeeds._hear, RoomFeeds.offer
MUTANTS: dict[str, tuple[type[FeedMachine], Any, str, Any]] = {
    "1 listen, then read": (FaithfulMachine, RoomFeeds, "_hear", _reads_before_it_listens),
    "1 also where a room begins": (FaithfulMachine, RoomFeeds, "_hear", _reads_nothing_behind_it),
    "1 forget what was unloaded meanwhile": (FeedMachine, RoomFeeds, "_hear", _takes_what_it_hears_for_heard),
    "1 a room begins where it is made": (FeedMachine, RoomFeeds, "offer", _begins_whoever_says_so),
    "1 what cannot be heard is not kept": (FeedMachine, RoomFeeds, "_hear", _keeps_what_it_cannot_hear),
    "1 not more rooms than there may be": (FeedMachine, RoomFeeds, "_full", False),
    "4 nobody waits for ever": (FeedMachine, Feed, "_lose_patience", _waits_for_ever),
    "2 drop what was delivered": (FeedMachine, Feed, "offer", _delivers_again),
    "2 hold what is above a gap": (FeedMachine, Feed, "offer", _delivers_over_gaps),
    "3 read a gap": (FeedMachine, Feed, "_look", lambda _: None),
    "3 a commit is not taken from the log": (FeedMachine, RoomFeed, "_whole", lambda *_: True),
    "3 a room read anew sets its sessions behind": (FeedMachine, nodes, "reload_room", _leaves_sessions_where_they_are),
    "4 answer what was delivered": (FeedMachine, RoomFeeds, "reached", _answers_at_once),
    "5 poll": (FeedMachine, RoomFeeds, "poll", _polls_nothing),
    "6 let in when as far as the store": (FeedMachine, RoomFeeds, "arrive", _lets_in_at_once),
}


class RuleTests(SynchronousTestCase):
    """Each rule is there for something."""

    def test_each_switched_off_is_noticed(self) -> None:
        """Without it some history goes wrong."""
        unnoticed = []
        for name, (machine, owner, attribute, broken) in MUTANTS.items():
            with patch.object(owner, attribute, broken):
                try:
                    run(machine, 300, derandomize=True, phases=[Phase.generate], report_multiple_bugs=False)
                except (AssertionError, KeyError):
                    continue
            unnoticed.append(name)
        self.assertEqual(unnoticed, [])
