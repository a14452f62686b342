"""What changes of rooms beside their events, where Alice is on one node, Bob and Carol on another, and nobody on a
third, which has them all the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.feed import GAP_SECONDS
from chatserv.backplane.node import BEAT_SECONDS
from chatserv.commands.leaving import close_room
from chatserv.commands.room_comparing import RETRY_SECONDS
from chatserv.control_models import LeaveKept, RoomClosed, encode_order
from chatserv.crypto.commits import Remove
from chatserv.crypto.room_state import Kind, Policy
from chatserv.domain.hub import LiveSession
from chatserv.models import Consent
from chatserv.wire import messages
from tests.support.nodes import SUBJECTS, Nodes, NodeServer
from tests.support.smith import PRIVATE, code

OFFERS = 2
GARDEN = Policy(Kind.ROOM, public=True, name="garden")


class RoomOrderCase(SynchronousTestCase):
    """All are in a room of Alice's."""

    def setUp(self) -> None:
        """All hear it."""
        self.nodes = Nodes(3, offers_per_account=OFFERS)
        self.one, self.two, self.three = self.nodes.servers
        self.alice, self.bob, self.carol = self.one.join("alice"), self.two.join("bob"), self.two.join("carol")
        self.clients = self.alice, self.bob, self.carol
        self.room = self.one.make_room(self.alice.account, self.bob.account, self.carol.account)
        self.nodes.settle()
        self.three.wait(self.three.backplane.load(self.room))  # for a command, say
        for client in self.clients:
            client.sync()

    @contextmanager
    def losing(self, subject: str, only: NodeServer | None = None) -> Iterator[None]:
        """Nobody hears what is said on this subject meanwhile, or one node does not."""
        self.nodes.bus.fate = lambda _from, to, said: int(said != subject or only not in {None, to})
        try:
            yield
        finally:
            self.nodes.bus.fate = lambda *_: 1

    def catch_up(self) -> None:
        """The next beats have told what was lost."""
        self.nodes.advance(BEAT_SECONDS + 4 * GAP_SECONDS)

    def leaves(self, server: NodeServer) -> list[str]:
        """Whose Leaves wait, as a node knows it."""
        record = server.context.registry.get(self.room)
        return [] if record is None else sorted(record.leaves)

    def rooms(self) -> list[bool]:
        """Which nodes have the room."""
        return [server.context.registry.get(self.room) is not None for server in self.nodes.servers]

    def tearDown(self) -> None:
        """Nothing is left to be compared."""
        self.nodes.settle()
        for server in self.nodes.servers:
            self.assertEqual(server.context.registry.comparing, {})


class LeaveTests(RoomOrderCase):
    """A Leave waits on every node."""

    def test_leave(self) -> None:
        """Who has left on one node is out for the others, who take that into the room."""
        self.assertEqual(code(self.bob.leave_room(self.room)), "Ok")
        self.nodes.settle()
        self.assertEqual([self.leaves(server) for server in self.nodes.servers], [["bob"]] * 3)
        self.assertEqual(self.alice.one(messages.LeaveWaiting).room, self.room)
        farewell = self.one.smith.leave(self.bob.account, self.room)
        self.assertEqual(code(self.alice.commit(self.room, farewell)), "Committed")
        self.nodes.settle()
        self.assertEqual([self.leaves(server) for server in self.nodes.servers], [[]] * 3)

    def test_other_session(self) -> None:
        """A session that has logged in on another node meanwhile has nothing of the room."""
        with self.losing(SUBJECTS.control):
            self.bob.leave_room(self.room)
            again = self.one.log_in(self.bob.account)
            self.nodes.advance(0.1)
            self.assertNotIn(self.room, [room.room for room in again.one(messages.Welcome).rooms])

    def test_before_its_commit(self) -> None:
        """An order that comes before a commit that the store had before it waits for that."""
        with self.losing(SUBJECTS.room(self.room)):
            self.two.put(self.alice.account, self.room, Remove(self.one.smith.leaf(self.carol.account, self.room)))
            self.bob.leave_room(self.room)
            self.nodes.settle()
            self.assertEqual(self.leaves(self.one), [])
        self.catch_up()
        self.assertEqual((self.leaves(self.one), self.one.context.registry.comparing), (["bob"], {}))

    def test_after_its_commit(self) -> None:
        """An order of a Leave that was taken since, of somebody who has come back, puts nobody out."""
        with self.losing(SUBJECTS.control):
            self.bob.leave_room(self.room)
            farewell = self.two.smith.leave(self.bob.account, self.room)
            self.two.put(self.alice.account, self.room, farewell)
            self.two.put(self.alice.account, self.room, *self.two.smith.add(self.bob.account, self.room))
            self.nodes.settle()
            self.assertEqual(self.leaves(self.one), [])
        self.catch_up()
        self.assertEqual([self.leaves(server) for server in self.nodes.servers], [[]] * 3)
        self.assertEqual(code(self.bob.say("back", self.room)), "Sent")


class ClosedTests(RoomOrderCase):
    """A room ends on every node, once."""

    def test_closed(self) -> None:
        """Who is in a room that the operator of one node ends hears it on the others, once the log says so."""
        record = self.one.context.registry.get(self.room)
        assert record is not None
        self.one.wait(close_room(self.one.context, record, in_use=True))
        self.nodes.settle()
        self.assertEqual(self.rooms(), [False] * 3)
        for client in self.clients:
            self.assertEqual(client.one(messages.RoomClosed), messages.RoomClosed(self.room, self.one.context.log.size))
            self.assertEqual(code(client.say("hello", self.room)), "not_member")
        self.assertNotIn(self.room, self.two.backplane.node.rooms.heads)

    def test_unheard(self) -> None:
        """Also where the order is lost, and the room is missed first."""
        record = self.one.context.registry.get(self.room)
        assert record is not None
        with self.nodes.bus.losing():
            self.one.wait(close_room(self.one.context, record, in_use=True))
        for server in (self.two, self.three):
            server.backplane.node.polling.ask()
        self.nodes.advance(1)
        self.assertEqual(self.rooms(), [False] * 3)
        self.assertEqual(self.bob.one(messages.RoomClosed), messages.RoomClosed(self.room, self.one.context.log.size))

    def test_last_two(self) -> None:
        """Two who leave last, each on a node that has not heard of the other, leave a room that ends."""
        self.carol.leave_room(self.room)
        self.nodes.settle()
        size = self.one.context.log.size
        with self.nodes.bus.late(self.one), self.nodes.bus.late(self.two):
            for client in (self.alice, self.bob):
                farewell = self.one.smith.leave(client.account, self.room)
                client.tell(messages.Leave(client.label(), self.room, farewell.leaf, farewell.signature))
            self.nodes.settle()
        self.catch_up()
        self.assertEqual(self.rooms(), [False] * 3)
        self.assertEqual(self.one.context.log.size, size + 1)

    def test_commit_against_the_end(self) -> None:
        """A node that has not heard of who comes in on another does not end the room."""
        room = self.one.make_room(self.alice.account, policy=GARDEN)
        self.nodes.settle()
        with self.losing(SUBJECTS.room(room)):
            self.assertEqual(code(self.bob.join_room(room)), "Committed")
            self.assertEqual(code(self.alice.leave_room(room)), "Ok")
            self.nodes.advance(0.1)
        self.catch_up()
        self.assertEqual(code(self.bob.say("still here", room)), "Sent")
        record = self.one.context.registry.get(room)
        assert record is not None
        self.assertEqual((sorted(record.leaves), record.members), (["alice"], ["bob"]))

    def test_end_against_a_commit(self) -> None:
        """Of an end and a commit that come together the store takes one; who was too late is told so."""
        room = self.one.make_room(self.alice.account, policy=GARDEN)
        self.nodes.settle()
        lease = self.bob.begin(room)
        made = self.bob.make(room, *self.two.smith.join(self.bob.account, room))
        self.assertEqual(code(lease), "Lease")
        with self.nodes.bus.losing():
            self.assertEqual(code(self.alice.leave_room(room)), "Ok")
            self.bob.submit(made)
            self.nodes.advance(0.1)
            self.assertIn(code(self.bob.received[-1]), {"not_found", "stale_commit"})
        self.catch_up()
        self.assertEqual([server.context.registry.get(room) for server in self.nodes.servers], [None] * 3)


class ConsentTests(RoomOrderCase):
    """Who agrees to be in a room does so on every node."""

    def setUp(self) -> None:
        """Bob has agreed to be in the room of all."""
        super().setUp()
        self.bob.ask(messages.Agreed, rooms=(self.room,))
        self.nodes.settle()

    def invitation(self, server: NodeServer, user: str, room: bytes) -> Consent | None:
        """What a node knows of a place: None where its user has agreed."""
        found = server.context.registry.invitations.get(user, room)
        return None if found is None else found.consent

    def invite(self, count: int = 1) -> list[bytes]:
        """Rooms that Alice takes Bob into."""
        rooms = [self.alice.make_room(self.bob.account) for _ in range(count)]
        for room in rooms:
            self.three.wait(self.three.backplane.load(room))
        self.nodes.settle()
        return rooms

    def known(self, room: bytes) -> list[Consent | None]:
        """What the nodes know of Bob's place."""
        return [self.invitation(server, "bob", room) for server in self.nodes.servers]

    def test_agreed(self) -> None:
        """What Bob agrees to on his node the other knows, and who logs in there sees it."""
        (room,) = self.invite()
        self.assertEqual(self.known(room), [Consent.ASKED] * 3)
        with self.losing(SUBJECTS.control):
            self.assertEqual(code(self.bob.ask(messages.Agreed, rooms=(room,))), "Ok")
            self.assertEqual(self.known(room), [Consent.ASKED, None, Consent.ASKED])
            again = self.one.log_in(self.bob.account)
            self.nodes.advance(0.1)
            self.assertTrue(next(each for each in again.one(messages.Welcome).rooms if each.room == room).agreed)
        self.catch_up()
        self.assertEqual(self.known(room), [None] * 3)

    def test_yields(self) -> None:
        """The place that is too many goes on the node where its user is, and comes back when they agree to it."""
        first, *_ = rooms = self.invite(OFFERS + 1)
        self.assertEqual(self.known(first), [Consent.YIELDED] * 3)
        self.assertEqual(self.bob.all(messages.RoomClosed), [messages.RoomClosed(first)])
        self.assertNotIn(first, self.session().places)
        self.assertEqual(code(self.bob.ask(messages.Agreed, rooms=(first,))), "Ok")
        self.nodes.settle()
        self.assertEqual(self.known(first), [None] * 3)
        entered = [each.info.room for each in self.bob.all(messages.RoomEntered)]
        self.assertEqual(entered[-len(rooms) - 1 :], [*rooms, first])
        self.assertEqual(code(self.bob.say("here again", first)), "Sent")

    def session(self) -> LiveSession:
        """Bob's on his node."""
        (session,) = self.two.context.hub.sessions_of("bob")
        return session

    def test_agreed_against_yielding(self) -> None:
        """What Bob agrees to while another node takes it from him stays with him."""
        first, *_ = self.invite(OFFERS)
        with self.nodes.bus.late(self.one), self.nodes.bus.late(self.two):
            self.assertEqual(code(self.bob.ask(messages.Agreed, rooms=(first,))), "Ok")
            room, ops = self.one.smith.create(self.alice.account, self.bob.account, policy=PRIVATE, nonce=bytes(32))
            self.alice.commit(room, *ops)  # answered when both nodes have heard of each other
        self.catch_up()
        self.assertEqual(self.known(first), [None] * 3)
        kept = {
            each.room_id: each.consent for each in self.one.wait(self.nodes.memory.consents()) if each.user == "bob"
        }
        self.assertEqual(kept[first], Consent.AGREED)
        self.assertEqual(code(self.bob.say("still here", first)), "Sent")

    def test_old_consent(self) -> None:
        """A consent that comes after the user was taken out and asked again is none to the new place."""
        (room,) = self.invite()
        with self.losing(SUBJECTS.control, self.three):
            self.bob.ask(messages.Agreed, rooms=(room,))
            self.bob.leave_room(room)
            self.one.put(self.alice.account, room, self.one.smith.leave(self.bob.account, room))
            self.one.put(self.alice.account, room, *self.one.smith.add(self.bob.account, room))
            self.nodes.settle()
            self.assertEqual(self.known(room), [Consent.ASKED] * 3)
        self.catch_up()
        self.assertEqual((self.known(room), self.leaves(self.three)), ([Consent.ASKED] * 3, []))


class UnknownTests(RoomOrderCase):
    """Orders about rooms that there are not."""

    def test_unknown_room(self) -> None:
        """An order about a room that there is not, here or in the store, is over at once."""
        orders = LeaveKept(b"x" * 16, 1, 1, "bob", bytes(68)), RoomClosed(b"x" * 16, 1)
        self.one.context.take_orders(1, [encode_order(each) for each in orders])
        self.nodes.settle()
        self.assertEqual(self.one.context.registry.comparing, {})

    def test_store_away(self) -> None:
        """Where the store cannot be asked what is due, it is asked until it can."""
        self.one.store.refused.add("rooms_at")
        self.one.context.take_orders(1, [encode_order(LeaveKept(self.room, 7, 7, "bob", bytes(68)))])
        self.nodes.advance(3 * RETRY_SECONDS)
        self.assertIn(self.room, self.one.context.registry.comparing)
        self.one.store.refused.clear()
        self.nodes.advance(RETRY_SECONDS)
        self.assertEqual(self.leaves(self.one), [])
