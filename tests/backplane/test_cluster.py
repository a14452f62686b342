"""Whole nodes over one store: what one stores the others' sessions get, and nobody is led astray by one that lags."""

from collections.abc import Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane import room_feeds
from chatserv.backplane.feed import GAP_SECONDS, RETRY_SECONDS, WAIT_SECONDS
from chatserv.backplane.node import BEAT_SECONDS
from chatserv.backplane.polling import LOOK_SECONDS, MISSING_SECONDS
from chatserv.crypto.commits import Remove, SetMember
from chatserv.crypto.room_state import Role as RoomRole
from chatserv.domain.hub import LiveSession
from chatserv.models import Consent, ConsentAt
from chatserv.node_models import RoomAt
from chatserv.wire import messages
from tests.support.nodes import Nodes
from tests.support.smith import code, envelope


class NodesCase(SynchronousTestCase):
    """Alice is on the one node, Bob on the other; both hear the lobby."""

    def setUp(self) -> None:
        """Both have caught up."""
        self.nodes = Nodes(2)
        self.one, self.two = self.nodes.servers
        self.lobby = self.one.lobby
        self.alice, self.bob = self.one.join("alice"), self.two.join("bob")
        for client in (self.alice, self.bob):
            client.sync()

    def tearDown(self) -> None:
        """No feed holds or waits for anything, and nobody has been told of a forged message."""
        self.nodes.settle()
        for server in self.nodes.servers:
            self.assertEqual((server.backplane.node.refused, server.backplane.node.rooms._budget.held_bytes), (0, 0))

    @property
    def live_bob(self) -> LiveSession:
        """Bob's session."""
        live = self.two.hub.session_of(self.bob.account.device_id)
        assert live is not None
        return live

    def remove_bob(self, room: bytes | None = None) -> None:
        """A commit on the first node."""
        room = room or self.lobby
        self.one.put(self.one.founder, room, Remove(self.one.smith.leaf(self.bob.account, room)))


class TalkTests(NodesCase):
    """What is stored on one node comes to the other."""

    def test_both_ways(self) -> None:
        """A message comes to who is on the other node, and its sender is answered."""
        self.assertIsInstance(self.alice.say("hello"), messages.Sent)
        self.assertIsInstance(self.bob.say("hello to you"), messages.Sent)
        self.assertEqual((self.alice.seqs(), self.bob.seqs()), ([1, 2], [1, 2]))

    def test_many_at_once(self) -> None:
        """Both write before either has heard of the other: everybody has all of it, in the one order."""
        self.nodes.bus.seconds = 0.01
        for number in range(10):
            for client in (self.alice, self.bob):
                client.tell(client.next_send(str(number)))
        self.nodes.advance(1)
        self.assertEqual((self.alice.seqs(), self.bob.seqs()), (list(range(1, 21)), list(range(1, 21))))
        self.assertEqual((len(self.alice.all(messages.Sent)), len(self.bob.all(messages.Sent))), (10, 10))

    def test_lost(self) -> None:
        """What the bus loses is seen by the next beat, and read."""
        with self.nodes.bus.losing():
            self.alice.say("hello")
        self.assertEqual(self.bob.seqs(), [])
        self.nodes.advance(BEAT_SECONDS + 2 * GAP_SECONDS)
        self.assertEqual(self.bob.seqs(), [1])

    def test_doubled(self) -> None:
        """What comes twice is there once."""
        self.nodes.bus.fate = lambda *_: 2
        self.alice.say("hello")
        self.alice.say("again")
        self.assertEqual(self.bob.seqs(), [1, 2])

    def test_a_node_dies(self) -> None:
        """What it has stored and told nobody is found when its beats are missing."""
        self.nodes.advance(2 * BEAT_SECONDS)
        with self.nodes.bus.losing():
            self.alice.say("last words")
        self.one.kill()
        self.nodes.advance(MISSING_SECONDS + LOOK_SECONDS + 1)
        self.assertEqual(self.bob.seqs(), [1])

    def test_without_a_bus(self) -> None:
        """Everything comes by polls of the store."""
        for server in self.nodes.servers:
            server.backplane.node.bus_away()
        with self.nodes.bus.losing():
            self.alice.say("hello")
            self.nodes.advance(1)
            self.assertEqual(self.bob.seqs(), [1])

    def test_answered_in_order(self) -> None:
        """Who sends while something of another node is missing is answered when that was read, behind their own event."""
        with self.nodes.bus.losing():
            self.alice.say("lost")
        command = self.bob.next_send("mine")
        self.bob.tell(command)
        self.nodes.settle()
        self.assertIsNone(self.bob.reply(command.label))
        self.nodes.advance(2 * GAP_SECONDS)
        kinds = [type(each) for each in self.bob.received if isinstance(each, messages.Event | messages.Sent)]
        self.assertEqual((self.bob.seqs(), kinds[-3:]), ([1, 2], [messages.Event, messages.Event, messages.Sent]))


class RoomTests(NodesCase):
    """Rooms that are made, and change, elsewhere."""

    def test_made_elsewhere(self) -> None:
        """Who is taken into a new room by somebody on another node is in it."""
        room = self.alice.make_room(self.bob.account)
        self.nodes.settle()
        self.assertEqual([each.info.room for each in self.bob.all(messages.RoomEntered)][-1:], [room])
        self.alice.say("in here", room)
        self.bob.say("so I see", room)
        self.assertEqual((self.alice.seqs(room), self.bob.seqs(room)), ([1, 2], [1, 2]))

    def test_made_and_lost(self) -> None:
        """Also where nobody has heard of it: the next beat names it."""
        with self.nodes.bus.losing():
            room = self.alice.make_room(self.bob.account)
            self.alice.say("in here", room)
        self.nodes.advance(BEAT_SECONDS + 2 * GAP_SECONDS)
        self.assertEqual(self.bob.seqs(room), [1])
        self.assertEqual([event.seq for event in self.bob.events(room)], [1, 2])

    def test_commit_lost(self) -> None:
        """A room whose commits were missed is read anew; its people get every event once."""
        carol = self.one.join("carol", lobby=False)
        with self.nodes.bus.losing():
            self.alice.say("one")
            self.one.put(carol.account, self.lobby, *self.one.smith.join(carol.account, self.lobby))
            self.alice.say("two")
        self.nodes.advance(BEAT_SECONDS + 2 * GAP_SECONDS)
        seqs = [event.seq for event in self.bob.events()]
        self.assertEqual(seqs, list(range(seqs[0], seqs[0] + len(seqs))))
        self.assertEqual((self.bob.seqs(), seqs[-1]), ([1, 2], self.one.hub.rooms[self.lobby].head))
        record = self.two.context.registry.get(self.lobby)
        assert record is not None
        self.assertIn("carol", record.members)
        self.assertIsInstance(self.bob.say("three"), messages.Sent)

    def test_read_anew_and_yielded(self) -> None:
        """Whose place has yielded is told so where the room is read anew, before the order comes; and it comes back so."""
        room = self.alice.make_room(self.bob.account)
        self.nodes.settle()
        self.two.memory.refused.add("orders")
        for consent, told in ((Consent.YIELDED, messages.RoomClosed), (Consent.AGREED, messages.RoomEntered)):
            with self.nodes.bus.losing():
                said = ConsentAt(room, "bob", "alice", consent)
                self.one.wait(self.one.memory.set_consents([said]))
                self.one.put(self.alice.account, room)
            self.nodes.advance(BEAT_SECONDS + 2 * GAP_SECONDS)
            self.assertIsInstance(
                [each for each in self.bob.received if isinstance(each, messages.RoomClosed | messages.RoomEntered)][
                    -1
                ],
                told,
            )
            self.assertEqual(room in self.live_bob.places, consent is Consent.AGREED)
        self.two.memory.refused.clear()
        self.nodes.advance(1)
        self.assertIn(room, self.live_bob.places)

    def test_ordered_since_it_was_read(self) -> None:
        """What was ordered while a room was read, and is carried out here, stays so when the room of before is taken in."""
        real, reading = self.nodes.memory.rooms_at, Deferred[None]()

        async def slow(room_ids: Sequence[bytes]) -> Mapping[bytes, RoomAt]:
            found: Mapping[bytes, RoomAt] = await real(room_ids)
            await reading
            return found

        self.patch(room_feeds, "PAGE", 2)  # of more the room is read anew
        with self.nodes.bus.losing():
            for number in range(3):
                self.alice.say(str(number))
        self.patch(self.nodes.memory, "rooms_at", slow)
        self.nodes.advance(BEAT_SECONDS + 2 * GAP_SECONDS)
        self.patch(self.nodes.memory, "rooms_at", real)
        farewell = self.one.smith.leave(self.alice.account, self.lobby)
        self.one.wait(self.one.memory.leave(self.lobby, "alice", farewell.body()))
        self.nodes.settle()
        reading.callback(None)
        self.nodes.advance(1)
        record = self.two.context.registry.get(self.lobby)
        assert record is not None
        self.assertEqual((list(record.leaves), self.bob.seqs()), (["alice"], [1, 2, 3]))
        self.assertTrue(self.bob.all(messages.LeaveWaiting))

    def test_who_stored_the_gap(self) -> None:
        """A commit of this node that comes behind a gap moves the room when the gap is filled, before it is answered."""
        carol = self.two.join("carol", lobby=False)
        self.assertEqual(code(carol.begin(self.lobby)), "Lease")
        with self.nodes.bus.losing():
            self.alice.say("lost")
        carol.upload(made := carol.make(self.lobby, *self.two.smith.join(carol.account, self.lobby)))
        carol.tell(messages.PutCommit(99, self.lobby, made.commit.encoded))
        self.nodes.settle()
        self.assertIsNone(carol.reply(99))
        self.nodes.advance(2 * GAP_SECONDS)
        self.assertEqual(code(carol.reply(99)), "Committed")
        self.assertEqual(self.bob.seqs(), [1])


class LagTests(NodesCase):
    """A node that has not heard what another one has stored."""

    def test_moved_to_it(self) -> None:
        """Who comes from a node that was ahead is let in when this one has come as far: nothing is taken back."""
        with self.nodes.bus.late(self.two):
            self.bob.drop()
            moved = self.one.log_in(self.bob.account)
            moved.sync()
            self.alice.say("one")
            self.assertEqual(moved.seqs(), [1])
            moved.drop()
            back = self.two.log_in(self.bob.account)
            self.nodes.advance(2 * GAP_SECONDS)
            (room,) = back.one(messages.Welcome).rooms
            self.assertEqual(room.head, self.one.hub.rooms[self.lobby].head)
            back.sync(since=1)
            self.assertEqual(back.seqs(), [])
        self.alice.say("two")
        self.assertEqual(back.seqs(), [2])

    def test_removed_while_online(self) -> None:
        """A removed device that is still there gets nothing of what came after, by any way, before its node has heard."""
        with self.nodes.bus.late(self.two):
            self.remove_bob()
            self.alice.say("without bob")
            page = self.bob.ask(messages.History, room=self.lobby, before=2**40, limit=50)
            chain = self.bob.ask(messages.GetRoom, room=self.lobby, epoch=0)
            seen = self.two.hub.rooms[self.lobby].head
            self.assertLessEqual(max(event.seq for event in page.events), seen)
            self.assertEqual(len(chain.commits), chain.epoch + 1)
            self.assertEqual(code(self.bob.say("still here?")), "stale_epoch")
        self.nodes.settle()
        self.assertEqual(self.bob.seqs(), [])
        self.assertEqual(self.live_bob.places[self.lobby].until, seen + 1)

    def test_muted_and_not_heard_of_yet(self) -> None:
        """Nobody speaks at a node that has not heard that they are muted, whatever epoch they know of."""
        mute = SetMember("bob", RoomRole.MEMBER, muted=True)
        with self.nodes.bus.late(self.two):
            self.one.put(self.one.founder, self.lobby, mute)
            leaf = self.two.smith.leaf(self.bob.account, self.lobby)
            epoch = self.one.hub.rooms[self.lobby].epoch
            sealed = envelope(self.lobby, epoch, leaf, 0, "still here")
            self.assertEqual(code(self.bob.say("", epoch=epoch, envelope=sealed)), "stale_epoch")
        self.nodes.settle()
        self.assertEqual(code(self.bob.say("", epoch=epoch, envelope=sealed)), "muted")
        self.assertEqual(self.alice.seqs(), [])

    def test_stored_and_not_heard_of_yet(self) -> None:
        """What another node has stored is no stale message where its epoch is not known yet: it would be said twice."""
        with self.nodes.bus.late(self.two):
            self.one.put(self.one.founder, self.lobby)
            leaf = self.two.smith.leaf(self.bob.account, self.lobby)
            epoch = self.one.hub.rooms[self.lobby].epoch
            sealed = envelope(self.lobby, epoch, leaf, 0, "once")
            first = self.one.log_in(self.bob.account).say("", epoch=epoch, envelope=sealed, id=b"i" * 16)
            again = messages.Send(self.bob.label(), self.lobby, b"i" * 16, epoch, sealed)
            other = messages.Send(self.bob.label(), self.lobby, b"j" * 16, epoch, sealed)
            self.bob.tell(again, other)
            self.nodes.advance(2 * GAP_SECONDS)
            self.assertEqual(code(self.bob.reply(other.label)), "stale_epoch")
            self.assertEqual((self.bob.reply(again.label).seq, self.bob.seqs()), (first.seq, [1]))

    def test_removed_and_back_at_it(self) -> None:
        """A removed device that logs in there has a place that has ended, and reads up to its removal."""
        self.bob.drop()
        with self.nodes.bus.late(self.two):
            self.remove_bob()
            self.alice.say("without bob")
            back = self.two.log_in(self.bob.account)
            self.nodes.advance(2 * GAP_SECONDS)
            (room,) = back.one(messages.Welcome).rooms
            back.sync()
            self.alice.say("and more")
            removal = self.one.hub.rooms[self.lobby].head - 2
            self.assertEqual(room.head, removal)
            self.nodes.advance(2 * BEAT_SECONDS)
        self.nodes.settle()
        self.assertEqual((back.seqs(), max(event.seq for event in back.events())), ([], removal))

    def test_removed_while_it_reads(self) -> None:
        """Nor does one that is behind read past its removal, where the room is read anew under it."""
        with self.nodes.bus.losing():
            self.remove_bob()
            for number in range(3):
                self.alice.say(str(number))
        self.nodes.advance(BEAT_SECONDS + 2 * GAP_SECONDS)
        self.assertEqual(self.two.hub.rooms[self.lobby].head, self.one.hub.rooms[self.lobby].head)
        self.assertEqual(self.bob.seqs(), [])

    def test_cannot_come_as_far(self) -> None:
        """Who logs in where the store cannot be read far enough is told to come again, and not let in with less."""
        self.bob.drop()
        with self.nodes.bus.late(self.two):
            self.alice.say("one")
            self.two.memory.refused |= {"events", "rooms_at"}
            back = self.two.log_in(self.bob.account)
            self.nodes.advance(2 * WAIT_SECONDS)
            self.assertEqual((back.all(messages.Welcome), back.error and back.error.code), ([], "busy"))
            self.two.memory.refused.clear()
            back = self.two.log_in(self.bob.account)
            self.nodes.advance(RETRY_SECONDS)
            back.sync()
            self.assertEqual(back.seqs(), [1])
