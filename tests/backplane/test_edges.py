"""Two nodes in memory, and what they have in common beside rooms: who is there, who types, who may commit next."""

from typing import Any
from unittest.mock import patch

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.backplane.node import BEAT_SECONDS
from chatserv.backplane.presence import GONE_SECONDS
from chatserv.bus_models import GuestShown
from chatserv.commands import heard_rates
from chatserv.commands.shared_leases import AGAIN_SECONDS
from chatserv.crypto.commits import Remove, SetMember
from chatserv.crypto.room_state import Role as RoomRole
from chatserv.models import Event, EventKind
from chatserv.wire import messages
from tests.backplane.test_cluster import NodesCase
from tests.support.nodes import Nodes, NodeServer
from tests.support.server import MemoryClient
from tests.support.smith import PRIVATE, code

OFFLINE, ONLINE, AWAY = range(3)


class EdgeCase(NodesCase):
    """They have also heard all that comes beside events."""

    def setUp(self) -> None:
        """And that."""
        super().setUp()
        self.nodes.settle()

    def heard(self, client: MemoryClient, kind: type[messages.Message] = messages.Presence) -> list[Any]:
        """What a client was told since it was asked last."""
        self.nodes.settle()
        found = [each for each in client.received if isinstance(each, kind)]
        client.received.clear()
        return found


class PresenceTests(EdgeCase):
    """Who is there."""

    def test_seen(self) -> None:
        """People on two nodes see each other as those on one do: at once, and what they had missed when they come."""
        self.assertIn(messages.Presence("bob", ONLINE), self.heard(self.alice))
        self.assertIn(messages.Presence("alice", ONLINE), self.heard(self.bob))
        self.bob.ask(messages.SetPresence, away=True)
        self.assertEqual([messages.Presence("bob", AWAY)], self.heard(self.alice))
        again = self.one.log_in(self.alice.account)
        again.sync()
        self.assertIn(messages.Presence("bob", AWAY), self.heard(again))

    def test_dead_node(self) -> None:
        """Of a node that dies all are gone after a while, but for those who are elsewhere meanwhile."""
        carol = self.two.join("carol")
        carol.sync()
        self.heard(self.alice)
        self.two.kill()
        again = self.one.log_in(self.bob.account)
        again.sync()
        self.nodes.advance(GONE_SECONDS - 1.5)
        self.assertEqual([], self.heard(self.alice))
        self.nodes.advance(2.5)
        self.assertEqual([messages.Presence("carol", OFFLINE)], self.heard(self.alice))

    def test_restarted_node(self) -> None:
        """A node that comes knows at once who is elsewhere."""
        self.two.restart()
        self.nodes.advance(1)
        bob = self.two.log_in(self.bob.account)
        bob.sync()
        self.assertIn(messages.Presence("alice", ONLINE), self.heard(bob))

    def test_bus_away(self) -> None:
        """While the bus is away nobody is shown as gone; who has gone meanwhile is when it is back."""
        self.heard(self.alice)
        with self.nodes.bus.losing():
            for server in self.nodes.servers:
                server.backplane.node.bus_away()
            self.nodes.advance(2 * GONE_SECONDS)
            self.assertEqual([], self.heard(self.alice))
            self.bob.ask(messages.Bye)
            self.assertEqual([], self.heard(self.alice))
        for server in self.nodes.servers:
            server.backplane.node.bus_back()
        self.nodes.advance(2)
        self.assertEqual([messages.Presence("bob", OFFLINE)], self.heard(self.alice))


class NoticeTests(EdgeCase):
    """What may be lost."""

    def test_typing_and_read(self) -> None:
        """Who types on one node, and how far they have read, is seen on the other."""
        self.bob.ask(messages.SetTyping, room=self.lobby)
        self.assertEqual([messages.Typing(self.lobby, "bob")], self.heard(self.alice, messages.Typing))
        head = self.two.hub.rooms[self.lobby].head
        self.bob.ask(messages.MarkRead, room=self.lobby, seq=head)
        self.assertEqual([messages.Read(self.lobby, "bob", head)], self.heard(self.alice, messages.Read))


class GuestTests(EdgeCase):
    """Who logs in by password on one node, where the account's devices are on the other."""

    def setUp(self) -> None:
        """Bob's device is on the second node, and a guest of his on the first."""
        super().setUp()
        self.guest = self.one.guest("bob")
        assert self.guest.machine is not None
        self.device_id = self.guest.machine.credentials.offer.device_id

    def tell(self, client: MemoryClient, to: bytes = b"", body: bytes = b"a word") -> str:
        """Somebody has something told; gives the answer."""
        return code(client.ask(messages.Tell, to=to, body=body))

    def test_told(self) -> None:
        """Both have what the other one says, and nobody else does."""
        (waits,) = self.heard(self.bob, messages.GuestWaits)
        self.assertEqual(self.device_id, waits.device_id)
        self.assertEqual("Ok", self.tell(self.guest, body=b"let me in"))
        said = messages.Told(self.device_id, True, b"let me in")
        self.assertEqual([said], self.heard(self.bob, messages.Told))
        self.assertEqual("Ok", self.tell(self.bob, self.device_id, b"yes"))
        answer = messages.Told(self.bob.account.device_id, False, b"yes")
        self.assertEqual([answer], self.heard(self.guest, messages.Told))
        self.assertEqual("Ok", self.tell(self.guest, self.bob.account.device_id))
        self.assertEqual(1, len(self.heard(self.bob, messages.Told)))
        self.assertEqual([], self.heard(self.alice, messages.Told))
        self.assertEqual("not_found", self.tell(self.guest, b"?" * 16))

    def test_nobody_there(self) -> None:
        """Of an account of which nobody is anywhere nothing is told, and of a guest that has gone neither."""
        self.guest.ask(messages.Bye)
        self.assertEqual(self.device_id, self.heard(self.bob, messages.GuestGone)[0].device_id)
        self.assertEqual("not_found", self.tell(self.bob, self.device_id))
        self.bob.ask(messages.Bye)
        again = self.one.guest("bob")
        self.nodes.settle()
        self.assertEqual("not_found", self.tell(again))

    def test_who_comes(self) -> None:
        """A device that logs in is told who waits, wherever that is; each once."""
        self.two.guest("bob", number=2)
        for server in self.nodes.servers:
            self.nodes.settle()
            device = server.log_in(self.bob.account)
            self.assertEqual(2, len(self.heard(device, messages.GuestWaits)))

    def test_on_two_nodes(self) -> None:
        """A machine that comes again on another node is gone when it is on none."""
        self.heard(self.bob)
        again = self.two.guest("bob")
        self.guest.ask(messages.Bye)
        self.assertEqual([], self.heard(self.bob, messages.GuestGone))
        again.ask(messages.Bye)
        self.assertEqual(1, len(self.heard(self.bob, messages.GuestGone)))

    def test_dead_node(self) -> None:
        """The guests of a node that dies are gone; and a node that comes knows of those that wait."""
        self.two.restart()
        self.nodes.advance(1)
        bob = self.two.log_in(self.bob.account)
        self.assertEqual(1, len(self.heard(bob, messages.GuestWaits)))
        self.one.kill()
        self.nodes.advance(GONE_SECONDS + 1)
        self.assertEqual(1, len(self.heard(bob, messages.GuestGone)))
        self.assertEqual(({}, 0), (self.two.context.guests._elsewhere, self.two.context.guests._count_elsewhere))

    def test_bounded(self) -> None:
        """Of one guest more than there may be nothing is known."""
        guests = self.two.context.guests
        with patch("chatserv.commands.guests.MAX_ELSEWHERE", 2):
            for number in range(3):
                guests.put_elsewhere(b"node nod", GuestShown("carol", bytes([number]) * 16, 1))
            self.assertEqual([1, 0, 0], [guests.is_elsewhere("carol", bytes([number]) * 16) for number in range(3)])
            guests.put_elsewhere(b"node nod", GuestShown("carol", bytes(16)))
            guests.put_elsewhere(b"node nod", GuestShown("carol", bytes([2]) * 16, 1))
            self.assertTrue(guests.is_elsewhere("carol", bytes([2]) * 16))
        self.assertEqual(2, guests._count_elsewhere)


class LeaseTests(EdgeCase):
    """Who may commit next."""

    def begin(self, client: MemoryClient) -> int:
        """Asks for the lobby's lease; gives the label."""
        label = client.label()
        client.tell(messages.BeginCommit(label, self.lobby))
        self.nodes.settle()
        return label

    def test_in_turn(self) -> None:
        """Of two who commit on two nodes the second has its lease behind the first one's commit, and both are taken."""
        first, second = self.begin(self.alice), self.begin(self.bob)
        self.assertEqual(("Lease", None), (code(self.alice.reply(first)), self.bob.reply(second)))
        made = self.alice.make(self.lobby)
        self.assertEqual("Committed", code(self.alice.submit(made)))
        self.nodes.settle()
        lease = self.bob.reply(second)
        self.assertEqual("Lease", code(lease))
        self.assertEqual(self.one.hub.rooms[self.lobby].epoch, lease.epoch)
        self.assertEqual("Committed", code(self.bob.submit(self.bob.make(self.lobby))))

    def test_dead_node(self) -> None:
        """A lease of a node that has died ends by time."""
        self.begin(self.alice)
        second = self.begin(self.bob)
        self.one.kill()
        self.nodes.advance(10)
        self.assertIsNone(self.bob.reply(second))
        self.nodes.advance(25)
        self.assertEqual("Lease", code(self.bob.reply(second)))

    def test_without_a_bus(self) -> None:
        """While nothing is heard leases are given all the same, within a second of their end."""
        first, second = self.begin(self.alice), self.begin(self.bob)
        with self.nodes.bus.losing():
            self.alice.ask(messages.EndCommit, room=self.lobby)
            self.nodes.advance(AGAIN_SECONDS + 0.1)
        self.assertEqual(("Lease", "Lease"), (code(self.alice.reply(first)), code(self.bob.reply(second))))

    def test_lapsed(self) -> None:
        """Who lets a lease lapse on one node waits for the next on every node."""
        self.begin(self.alice)
        self.nodes.advance(20)
        again = self.two.log_in(self.alice.account)
        self.assertEqual("rate_limited", code(again.begin(self.lobby)))
        self.assertEqual("Lease", code(self.bob.begin(self.lobby)))


class RateTests(SynchronousTestCase):
    """What somebody has done on one node counts on the other, once."""

    def start(self, **limits: Any) -> None:
        """Alice owns the room; Bob, on the second node, is in it, and his turn comes every 10 s."""
        self.nodes = Nodes(2, idle_seconds=100_000, **limits)
        self.one, self.two = self.nodes.servers
        self.alice, self.bob = self.one.join("alice"), self.two.join("bob")
        policy = replace(PRIVATE, slow_seconds=10)
        self.room = self.one.make_room(self.alice.account, self.bob.account, policy=policy)

    def move(self, client: MemoryClient, server: NodeServer) -> MemoryClient:
        """The same device goes to another node."""
        client.ask(messages.Bye)
        self.nodes.advance(0.1)
        return server.log_in(client.account)

    def test_slow_mode(self) -> None:
        """A turn is one of all nodes, also where the bus says it twice, and is counted once."""
        self.start()
        self.nodes.bus.fate = lambda *_: 2
        self.assertEqual("Sent", code(self.bob.say("hello", room=self.room)))
        bob = self.move(self.bob, self.one)
        self.assertEqual("rate_limited", code(bob.say("again", room=self.room)))
        self.nodes.advance(10)
        self.assertEqual("Sent", code(bob.say("and again", room=self.room)))
        times = [server.context.rates.messages._times[self.room, "bob"] for server in self.nodes.servers]
        self.assertEqual([1, 2], list(map(len, times)))  # on the first node that before was looked at, and is too old
        self.assertEqual([{}, {}], [server.backplane._rates._own for server in self.nodes.servers])

    def test_lost(self) -> None:
        """What the bus has lost counts as soon as it is here."""
        self.start()
        with self.nodes.bus.losing():
            self.bob.say("hello", room=self.room)
        self.nodes.advance(BEAT_SECONDS + 1)
        bob = self.move(self.bob, self.one)
        self.assertEqual("rate_limited", code(bob.say("again", room=self.room)))

    def test_free(self) -> None:
        """Who has no turns, and what is said where there are none, is not counted."""
        self.start()
        self.alice.say("hello", room=self.room)
        self.bob.say("hello", room=self.two.lobby)
        for server in self.nodes.servers:
            self.assertEqual(0, len(server.context.rates.messages))

    def test_commits(self) -> None:
        """Commits of a device in a room."""
        self.start(commits_per_hour=3, commits_per_hour_moderator=3)
        for _ in range(2):
            self.assertEqual("Committed", code(self.alice.commit(self.room)))
        alice = self.move(self.alice, self.two)
        self.assertEqual("Committed", code(alice.commit(self.room)))
        self.assertEqual("rate_limited", code(alice.commit(self.room)))
        alice = self.move(alice, self.one)
        self.assertEqual("rate_limited", code(alice.commit(self.room)))

    def test_joins(self) -> None:
        """Joins of a public room, and of no other one."""
        self.start(joins_per_day=1)
        carol = self.two.join("carol", lobby=False)
        self.assertEqual("Committed", code(carol.join_room(self.two.lobby)))
        self.nodes.settle()
        for server in self.nodes.servers:
            self.assertEqual(1, len(server.context.rates.joins._times[self.account_id(carol), self.two.lobby]))
        self.one.put(self.one.founder, self.two.lobby, Remove(self.one.smith.leaf(carol.account, self.two.lobby)))
        self.one.put(self.one.founder, self.two.lobby, SetMember("carol", RoomRole.BANNED))
        self.one.put(self.one.founder, self.two.lobby, SetMember("carol", None))
        carol = self.move(carol, self.one)
        self.assertEqual("rate_limited", code(carol.join_room(self.two.lobby)))

    def test_bounded(self) -> None:
        """Of this node's own events that were never delivered one by one no more than so many are remembered."""
        self.start()
        rates = self.one.backplane._rates
        with patch.object(heard_rates, "MAX_OWN", 2):
            rates.own([Event(self.room, seq, 0, "alice", EventKind.MESSAGE, b"") for seq in range(100, 103)])
        self.assertEqual([(self.room, 101), (self.room, 102)], list(rates._own))

    def account_id(self, client: MemoryClient) -> bytes:
        """The account's."""
        return client.one(messages.Welcome).account
