"""Rooms come to a node when somebody there needs them, and go when nobody does; nobody notices."""

from collections.abc import Callable, Mapping, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane import idle_rooms
from chatserv.backplane.feed import GAP_SECONDS
from chatserv.backplane.idle_rooms import IdleRooms
from chatserv.backplane.node import BEAT_SECONDS
from chatserv.commands.leaving import close_deserted, close_room
from chatserv.commands.rooms_needed import record_at
from chatserv.crypto.commits import Remove
from chatserv.crypto.room_state import Kind, Policy
from chatserv.domain.roles import Role
from chatserv.models import Consent, ConsentAt
from chatserv.net.effects import reactor_effects
from chatserv.node_models import RoomAt
from chatserv.wire import messages
from tests.support.nodes import SUBJECTS, Nodes, NodeServer
from tests.support.server import MemoryClient
from tests.support.smith import DIRECT, PRIVATE, code

IDLE_SECONDS = 60.0  # the default
GARDEN = Policy(Kind.ROOM, public=True, name="garden")


class NeededCase(SynchronousTestCase):
    """Alice is on the one node, Bob on the other."""

    def setUp(self) -> None:
        """Neither is in a room but those that a test makes."""
        self.nodes = Nodes(2, idle_seconds=100_000)
        self.one, self.two = self.nodes.servers
        self.alice, self.bob = self.one.join("alice", lobby=False), self.two.join("bob", lobby=False)
        for client in (self.alice, self.bob):
            client.sync()

    def tearDown(self) -> None:
        """What is here is so in each way: feeds, hub, registry and subscriptions."""
        self.nodes.settle()
        for server in self.nodes.servers:
            rooms = set(server.backplane.node.rooms.heads)
            self.assertEqual(rooms, set(server.hub.rooms))
            self.assertEqual(rooms, {record.room_id for record in server.context.registry})
            heard = {subject for subject, who in self.nodes.bus._hear.items() if server in who and ".r." in subject}
            self.assertEqual(heard, set(map(SUBJECTS.room, rooms)))

    def here(self, server: NodeServer) -> set[bytes]:
        """The rooms that a node has."""
        return set(server.hub.rooms)

    def wait_long(self) -> None:
        """Until what nobody needs is gone."""
        for _ in range(4):
            self.one.advance(IDLE_SECONDS / 2)

    def entered(self, client: MemoryClient) -> list[bytes]:
        """The rooms that a client was told it is in."""
        return [each.info.room for each in client.all(messages.RoomEntered)]


class ComingTests(NeededCase):
    """Who needs a room has it."""

    def test_nobody(self) -> None:
        """A room of people of one node is not on the other, which hears nothing of it."""
        carol = self.one.join("carol", lobby=False)
        room = self.alice.make_room(carol.account)
        self.nodes.settle()
        self.assertIsInstance(self.alice.say("hello", room), messages.Sent)
        self.nodes.advance(2 * BEAT_SECONDS)
        self.assertEqual((room in self.here(self.one), self.here(self.two)), (True, set()))
        self.assertNotIn(self.two, self.nodes.bus._hear.get(SUBJECTS.room(room), {}))

    def test_login(self) -> None:
        """Who logs in has their rooms, with what was said there since."""
        room = self.alice.make_room(self.bob.account)
        self.nodes.settle()
        self.bob.drop()
        self.wait_long()
        self.assertEqual(self.here(self.two), set())
        self.alice.say("while you were away", room)
        back = self.two.log_in(self.bob.account)
        self.assertEqual([info.room for info in back.one(messages.Welcome).rooms], [room])
        back.sync()
        self.assertIsInstance(back.say("here again", room), messages.Sent)
        self.assertEqual((back.seqs(room), self.alice.seqs(room)), ([1, 2], [1, 2]))

    def test_restart(self) -> None:
        """A node begins with none, and has those of who comes."""
        room = self.alice.make_room(self.bob.account)
        self.two.restart()
        self.assertEqual(self.here(self.two), set())
        back = self.two.log_in(self.bob.account)
        back.sync()
        self.alice.say("hello", room)
        self.assertEqual((self.here(self.two), back.seqs(room)), ({room}, [1]))

    def test_taken_in(self) -> None:
        """Who is taken into a room that their node does not have hears all of it, whatever the bus does."""
        fates: list[Callable[..., int]] = [lambda *_: 1, lambda *_: 2, lambda *_: 0]
        for fate in fates:
            carol = self.one.join(f"carol{fates.index(fate)}", lobby=False)
            room = self.alice.make_room(carol.account)
            self.nodes.settle()
            self.nodes.bus.fate = fate
            self.alice.commit(room, *self.one.smith.add(self.bob.account, room))
            self.alice.say("welcome", room)
            self.nodes.advance(BEAT_SECONDS)
            self.nodes.bus.fate = lambda *_: 1
            self.nodes.advance(BEAT_SECONDS + 4 * GAP_SECONDS)
            self.assertEqual(self.entered(self.bob).count(room), 1)
            self.assertEqual(self.bob.seqs(room), [1])
            self.assertIsInstance(self.bob.say("thanks", room), messages.Sent)
            self.assertEqual(self.alice.seqs(room), [1, 2])

    def test_store_away(self) -> None:
        """Where the room cannot be read for a while, who was taken in is there as soon as it can."""
        self.two.store.refused |= {"rooms_at", "events"}
        room = self.alice.make_room(self.bob.account)
        self.nodes.advance(20)
        self.assertEqual(self.entered(self.bob), [])
        self.two.store.refused.clear()
        self.nodes.advance(2)
        self.assertEqual(self.entered(self.bob), [room])

    def test_more_rooms_than_there_may_be(self) -> None:
        """Who is let in where no more are loaded is in it when there is a place again, whoever made it."""
        self.two.backplane.node.rooms._most = 1
        rooms = [self.alice.make_room(self.bob.account), self.alice.make_room(self.bob.account)]
        rooms.append(self.bob.make_room())
        self.nodes.advance(2)
        self.assertEqual(self.entered(self.bob), rooms[:1])
        self.two.backplane.node.rooms._most = 3
        self.nodes.advance(2)
        self.assertEqual(set(self.entered(self.bob)), set(rooms))

    def test_without_a_bus(self) -> None:
        """While the bus is away people come into rooms, and hear of each other, by polls."""
        for server in self.nodes.servers:
            server.backplane.node.bus_away()
        with self.nodes.bus.losing():
            room = self.alice.make_room(self.bob.account)
            self.alice.say("hello", room)
            self.nodes.advance(1)
            self.assertEqual((self.entered(self.bob), self.bob.seqs(room)), ([room], [1]))

    def test_poll(self) -> None:
        """A poll asks for the rooms that are here, and no others."""
        carol = self.one.join("carol", lobby=False)
        self.alice.make_room(carol.account)
        mine = self.alice.make_room(self.bob.account)
        self.nodes.settle()
        asked: list[set[bytes]] = []
        real = self.nodes.memory.moved

        async def moved(heads: dict[bytes, int]) -> object:
            asked.append(set(heads))
            return await real(heads)

        self.patch(self.nodes.memory, "moved", moved)
        self.two.backplane.node.polling.ask()
        self.nodes.settle()
        self.assertEqual(asked, [{mine}])

    def test_message_while_it_comes(self) -> None:
        """What is said while a room is read is there once, before it was read, while, and after."""
        room = self.alice.make_room(self.bob.account)
        self.nodes.settle()
        self.bob.drop()
        self.wait_long()
        real, reading = self.nodes.memory.rooms_at, Deferred[None]()

        async def slow(room_ids: Sequence[bytes]) -> Mapping[bytes, RoomAt]:
            found: Mapping[bytes, RoomAt] = await real(room_ids)
            await reading
            return found

        self.patch(self.nodes.memory, "rooms_at", slow)
        self.alice.say("before", room)
        back = self.two.log_in(self.bob.account)
        self.nodes.bus.fate = lambda *_: 2
        self.alice.say("while", room)
        self.nodes.settle()
        self.assertEqual(back.all(messages.Welcome), [])
        reading.callback(None)
        self.nodes.settle()
        back.sync()
        self.alice.say("after", room)
        self.assertEqual(back.seqs(room), [1, 2, 3])

    def test_removed_meanwhile(self) -> None:
        """Who was put out of a room while their node did not have it finds their place ended."""
        room = self.alice.make_room(self.bob.account)
        self.nodes.settle()
        self.bob.drop()
        self.wait_long()
        self.assertEqual(
            code(self.alice.commit(room, Remove(self.one.smith.leaf(self.bob.account, room)))), "Committed"
        )
        self.alice.say("without bob", room)
        back = self.two.log_in(self.bob.account)
        back.sync()
        self.assertEqual(back.seqs(room), [])
        self.assertEqual(code(back.say("still here?", room)), "not_member")


class PublicTests(NeededCase):
    """Rooms of which nobody on a node is a member."""

    def setUp(self) -> None:
        """Alice has made one."""
        super().setUp()
        self.room = self.one.make_room(self.alice.account, policy=GARDEN)

    def test_found(self) -> None:
        """It is listed, can be read and joined; and is there only from then on."""
        names = [(each.name, each.members) for each in self.bob.ask(messages.ListRooms).rooms]
        self.assertEqual((names, self.here(self.two)), ([("garden", 1), ("lobby", 1)], set()))
        self.assertEqual(code(self.bob.ask(messages.GetRoom, room=self.room, epoch=0)), "Chain")
        self.bob.join_room(self.room)
        self.bob.say("hello", self.room)
        self.assertEqual(self.alice.seqs(self.room), [1])
        self.assertEqual(self.bob.ask(messages.ListRooms).rooms[0].members, 2)

    def test_asked_for(self) -> None:
        """Who only looks at it has it for a while; so does who waits for its lease, as long as that takes."""
        self.bob.ask(messages.GetRoom, room=self.room, epoch=0)
        self.assertEqual(self.here(self.two), {self.room})
        self.one.advance(IDLE_SECONDS / 2)
        self.bob.ask(messages.GetRoom, room=self.room, epoch=0)
        self.one.advance(IDLE_SECONDS / 2 - 1)
        self.assertEqual(self.here(self.two), {self.room})
        self.wait_long()
        self.assertEqual(self.here(self.two), set())
        self.assertEqual(code(self.alice.begin(self.room)), "Lease")
        asking = messages.BeginCommit(self.bob.label(), self.room, new=False)
        self.bob.tell(asking)
        self.nodes.advance(1)
        self.assertEqual(set(self.two.context.leases.rooms), {self.room})

    def test_unknown(self) -> None:
        """A room that there is not, or that is nobody's business, is refused as ever and stays nowhere."""
        private = self.one.make_room(self.alice.account)
        for room in (b"?" * 16, private):
            self.assertEqual(code(self.bob.ask(messages.GetRoom, room=room, epoch=0)), "not_member")
            self.assertEqual(code(self.bob.say("hello", room)), "not_member")
        self.wait_long()
        self.assertEqual(self.here(self.two), set())

    def test_name_taken(self) -> None:
        """No node makes a second one of that name."""
        room, ops = self.two.smith.create(self.bob.account, policy=GARDEN)
        self.assertEqual(code(self.bob.commit(room, *ops)), "name_taken")


class GoingTests(NeededCase):
    """Who needs none any more."""

    def test_unloaded(self) -> None:
        """A room goes a while after its last session; nothing of it is heard then."""
        room = self.alice.make_room(self.bob.account)
        self.nodes.settle()
        self.wait_long()
        self.assertEqual(self.here(self.two), {room})
        self.bob.drop()
        self.one.advance(IDLE_SECONDS / 2)
        self.assertEqual(self.here(self.two), {room})
        self.wait_long()
        self.assertEqual((self.here(self.one), self.here(self.two)), ({room}, set()))
        said = len(self.nodes.bus.said)
        self.alice.say("hello", room)
        self.assertGreater(len(self.nodes.bus.said), said)
        self.nodes.advance(2 * BEAT_SECONDS)
        self.assertEqual(self.here(self.two), set())

    def test_ended_place(self) -> None:
        """Who was put out has the room as long as they are here: they may read up to there."""
        room = self.alice.make_room(self.bob.account)
        self.nodes.settle()
        self.alice.say("bye", room)
        self.alice.commit(room, Remove(self.one.smith.leaf(self.bob.account, room)))
        self.wait_long()
        page = self.bob.ask(messages.History, room=room, before=2**40, limit=9)
        self.assertEqual([event.seq for event in page.events], [1, 2, 3])

    def test_order_while_it_is_away(self) -> None:
        """What is ordered of a room that a node does not have is so when it comes: Leaves, consents, the end."""
        room = self.alice.make_room(self.bob.account)
        other = self.alice.make_room(self.bob.account)
        self.nodes.settle()
        moved = self.one.log_in(self.bob.account)
        self.wait_long()
        self.assertEqual(self.here(self.two), set())
        self.assertEqual(code(moved.ask(messages.Agreed, rooms=(other,))), "Ok")
        self.assertEqual(code(moved.leave_room(room)), "Ok")
        back = self.two.log_in(self.bob.account)
        self.assertEqual([(each.room, each.agreed) for each in back.one(messages.Welcome).rooms], [(other, True)])

    def test_closed_while_it_is_away(self) -> None:
        """A room that ended meanwhile is not in what who comes is told."""
        room = self.alice.make_room(self.bob.account)
        self.nodes.settle()
        self.bob.drop()
        self.wait_long()
        record = self.one.wait(record_at(self.one.context, room))
        closing = Deferred.fromCoroutine(close_room(self.one.context, record, in_use=True))
        self.nodes.settle()
        self.assertIsNone(self.successResultOf(closing))
        back = self.two.log_in(self.bob.account)
        self.assertEqual(back.one(messages.Welcome).rooms, ())
        self.assertEqual(code(self.alice.say("anybody?", room)), "not_member")

    def test_comes_back_when_agreed_to(self) -> None:
        """A room that had yielded, and that its user's node does not have, is there again when they agree elsewhere."""
        self.nodes = Nodes(2, idle_seconds=100_000, offers_per_account=1)
        self.one, self.two = self.nodes.servers
        self.alice, self.bob = self.one.join("alice", lobby=False), self.two.join("bob", lobby=False)
        self.bob.sync()
        first, _second = (self.alice.make_room(self.bob.account) for _ in range(2))
        self.nodes.settle()
        self.wait_long()
        self.assertNotIn(first, self.here(self.two))
        said = [each for each in self.one.wait(self.nodes.memory.consents()) if each.room_id == first]
        self.assertIn(Consent.YIELDED, [each.consent for each in said if each.user == "bob"])
        agreed = ConsentAt(first, "bob", "alice", Consent.AGREED)
        self.one.wait(self.one.memory.set_consents([agreed]))
        self.nodes.advance(1)
        self.assertEqual(self.entered(self.bob).count(first), 2)
        self.assertIsInstance(self.bob.say("here again", first), messages.Sent)


class DesertedTests(NeededCase):
    """Rooms that nobody is in are on no node; each ends all the same."""

    def test_start(self) -> None:
        """A node that starts ends those that were left when another one died."""
        room = self.alice.make_room()
        self.one.wait(self.one.memory.leave(room, "alice", self.one.smith.leave(self.alice.account, room).body()))
        self.one.kill()
        self.wait_long()
        self.assertIsNotNone(self.two.wait(self.two.memory.rooms_at([room])).get(room))
        closing = Deferred.fromCoroutine(close_deserted(self.two.context))
        self.nodes.settle()
        self.successResultOf(closing)
        self.assertIsNone(self.two.wait(self.two.memory.rooms_at([room])).get(room))
        self.nodes.servers.remove(self.one)

    def test_last_account(self) -> None:
        """With the last account of a room that the administrator's node does not have the room ends."""
        ada = self.two.join("ada", Role.ADMIN, lobby=False)
        room = self.alice.make_room()
        self.alice.drop()
        self.wait_long()
        self.assertEqual(code(ada.ask(messages.DeleteUser, user="alice")), "Ok")
        self.assertIsNone(self.two.wait(self.two.memory.rooms_at([room])).get(room))


class DirectTests(NeededCase):
    """Direct messages with somebody whose node has the room."""

    def test_existing(self) -> None:
        """Who begins one that there is gets it, where nobody had it."""
        carol = self.one.join("carol", lobby=False)
        room, ops = self.one.smith.create(self.alice.account, carol.account, policy=DIRECT)
        self.assertEqual(code(self.alice.commit(room, *ops)), "Committed")
        moved = self.two.log_in(carol.account)
        carol.drop()
        self.alice.drop()
        self.wait_long()
        moved = self.two.log_in(carol.account)
        wanted, ops = self.two.smith.create(moved.account, self.alice.account, policy=DIRECT, nonce=bytes(32))
        reply = moved.commit(wanted, *ops)
        self.assertEqual((code(reply), reply.room), ("Existing", room))


class QuotaTests(NeededCase):
    """What somebody may have counts wherever the rooms are."""

    def test_rooms(self) -> None:
        """Who is in as many rooms as one may be makes no more on a node that has none of them."""
        self.nodes = Nodes(2, idle_seconds=100_000, rooms_per_account=2)
        self.one, self.two = self.nodes.servers
        self.alice = self.one.join("alice", lobby=False)
        rooms = [self.alice.make_room() for _ in range(2)]
        moved = self.two.log_in(self.alice.account)
        room, ops = self.two.smith.create(moved.account, policy=PRIVATE, nonce=bytes(32))
        self.assertEqual(code(moved.commit(room, *ops)), "quota")
        self.assertEqual(self.two.rooms_in("alice"), len(rooms))


class IdleTests(SynchronousTestCase):
    """Which rooms go, and when."""

    def setUp(self) -> None:
        """Rooms stay for ten seconds at most."""
        self.clock = Clock()
        self.needed: set[bytes] = set()
        self.gone: list[bytes] = []
        self.kept: list[bytes] = []
        self.then: Callable[[], object] = bool
        effects = reactor_effects(self.clock, lambda: 0, bytes)
        self.here: list[bytes] = []
        self.idle = IdleRooms(effects, lambda: 10.0, lambda: self.here, lambda: self.needed, self.let_go)
        self.idle.start()

    def let_go(self, room_id: bytes) -> None:
        """It has gone."""
        self.gone.append(room_id)
        self.here.remove(room_id)
        self.then()

    def ask_for_two(self) -> None:
        """When two have gone somebody asks for another, and needs one more."""
        if len(self.gone) == 2:
            self.kept, self.needed = self.here[:1], set(self.here[1:2])
            self.idle.keep(self.kept)

    def test_two_looks(self) -> None:
        """One that nobody needed at two looks goes; one that somebody needs, or asks for in between, does not."""
        self.here = [b"one", b"two", b"three"]
        self.needed = {b"two"}
        self.clock.advance(5)
        self.assertEqual(self.gone, [])
        self.idle.keep([b"three", b"unknown"])
        self.clock.advance(5)
        self.assertEqual(self.gone, [b"one"])
        self.clock.advance(5)
        self.assertEqual(self.gone, [b"one", b"three"])

    def test_many(self) -> None:
        """So many go in a turn; of the others stays who was asked for, or needed, meanwhile."""
        self.patch(idle_rooms, "MOST", 2)
        self.here = [bytes([number]) for number in range(7)]
        self.then = self.ask_for_two
        self.clock.advance(5)
        self.clock.advance(5)
        self.assertEqual(len(self.gone), 5)
        self.assertEqual(set(self.here), {*self.needed, *self.kept})
        self.needed.clear()
        self.clock.advance(5)
        self.clock.advance(5)
        self.assertEqual(self.here, [])

    def test_stop(self) -> None:
        """No timer stays."""
        self.idle.stop()
        self.idle.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
