"""Commands about the session itself, its first message, and who is online."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands import attendance
from chatserv.crypto.commits import Remove
from chatserv.crypto.log_leaves import verify_tree_head
from chatserv.domain.closing import CloseReason
from chatserv.domain.hub import Place
from chatserv.models import PlaceAt
from chatserv.node_models import Numbers, Standing
from chatserv.wire import messages
from chatserv.wire.fields import MAX_ROOMS
from tests.support.server import WireServer


class SessionCommandTests(SynchronousTestCase):
    """What `ping` and `bye` promise."""

    def setUp(self) -> None:
        """Alice is online."""
        self.server = WireServer()
        self.alice = self.server.join("alice")

    def test_ping(self) -> None:
        """A ping is answered with its label."""
        self.assertEqual(self.alice.ask(messages.Ping), messages.Ok(1))

    def test_bye(self) -> None:
        """Whoever leaves gets the answer, then CLOSE, and leaves a place."""
        self.assertEqual(self.alice.ask(messages.Bye), messages.Ok(1))
        self.assertIs(self.alice.close_reason, CloseReason.NORMAL)
        self.assertTrue(self.alice.lost)
        self.assertEqual(self.server.hub.sessions, [])

    def test_bye_answers_what_came_before(self) -> None:
        """Commands before the farewell in the same record are answered before CLOSE."""
        self.alice.tell(messages.Ping(1), self.alice.next_send("last", label=2), messages.Bye(3))
        self.server.settle()
        self.assertEqual([reply.label for reply in self.alice.all(messages.Reply)], [1, 2, 3])
        self.assertIs(self.alice.close_reason, CloseReason.NORMAL)


class WelcomeTests(SynchronousTestCase):
    """What `welcome` promises."""

    def setUp(self) -> None:
        """Alice is in the lobby, at seq 2."""
        self.server = WireServer()
        self.alice = self.server.join("alice")

    def test_welcome(self) -> None:
        """The first message says who one is, what rooms there are and how far they are, the limits, clock and store."""
        self.alice.say("one")
        again = self.server.log_in(self.alice.account)
        welcome = again.received[0]
        assert isinstance(welcome, messages.Welcome)
        self.assertEqual((welcome.name, welcome.role, len(welcome.account)), ("alice", "user", 16))
        record = self.server.context.registry.get(self.server.lobby)
        assert record is not None
        lobby = messages.RoomInfo(self.server.lobby, "lobby", 1, 1, 3, commit_hash=record.head.commit_hash)
        self.assertEqual(welcome.rooms, (lobby,))
        self.assertEqual((welcome.time, welcome.store), (self.server.now_ms(), self.server.memory.incarnation))
        self.assertEqual((welcome.prekeys, welcome.muted), (0, False))
        limits = self.server.config.limits
        self.assertEqual(
            welcome.limits,
            messages.LimitInfo(
                limits.line_bytes,
                limits.envelope_bytes,
                limits.idle_seconds,
                limits.history_events,
                limits.one_time_prekeys,
                limits.rooms_per_account,
                limits.chat_burst,
                limits.chat_per_second,
                limits.chat_burst_bytes,
                limits.chat_bytes_per_second,
                limits.blob_bytes,
                limits.blob_days,
            ),
        )

    def test_log_head(self) -> None:
        """The head of the log is signed by the key that comes with it, and covers one's own registration."""
        welcome = self.server.join("bob").one(messages.Welcome)
        head = verify_tree_head(welcome.log_head, welcome.server_key)
        self.assertEqual((head.size, head.root), (8, self.server.context.log.root_at(8)))

    def test_removed(self) -> None:
        """A room that one was removed from is there up to the commit that did it."""
        leaf = self.server.smith.leaf(self.alice.account, self.server.lobby)
        self.server.put(self.server.founder, self.server.lobby, Remove(leaf))
        self.server.put(self.server.founder, self.server.lobby)
        (room,) = self.server.log_in(self.alice.account).one(messages.Welcome).rooms
        self.assertEqual((room.since, room.head, room.epoch), (1, 3, 3))

    def test_most_rooms(self) -> None:
        """Of ended places there are only as many as a welcome holds, the newest; open ones are all there."""
        lobby = self.server.lobby
        ended = []
        for number in range(MAX_ROOMS):
            room = b"r%015d" % number
            self.server.context.registry._rooms[room] = self.server.context.registry._rooms[lobby]
            self.server.hub.rooms[room] = self.server.hub.rooms[lobby]
            ended.append(PlaceAt(room, Place(1, 1, 2)))

        async def standing(_: bytes) -> Standing:
            places = *ended, PlaceAt(lobby, Place(1, 1))
            return Standing(places, dict.fromkeys((item.room_id for item in places), 2), Numbers(0, 0))

        self.patch(self.server.memory, "standing", standing)
        self.server.log_in(self.alice.account)
        live = self.server.hub.session_of(self.alice.account.device_id)
        assert live is not None
        self.assertEqual(len(live.places), MAX_ROOMS)
        self.assertEqual(set(live.places), {lobby, *(item.room_id for item in ended[1:])})

    def test_changed_while_it_was_asked(self) -> None:
        """A commit that comes while the store is on its way with the places of before is not lost."""
        self.alice.drop()
        server, real = self.server, self.server.memory.standing
        answer: Deferred[None] = Deferred()

        async def slow(device_id: bytes) -> Any:
            found = await real(device_id)
            await answer
            return found

        self.patch(server.memory, "standing", slow)
        again = server.log_in(self.alice.account)
        leaf = server.smith.leaf(self.alice.account, server.lobby)
        server.put(server.founder, server.lobby, Remove(leaf))
        answer.callback(None)
        server.settle()
        (room,) = again.one(messages.Welcome).rooms
        self.assertEqual(room.head, 3)
        again.sync()
        server.put(server.founder, server.lobby)
        self.assertEqual([event.seq for event in again.events()], [2, 3])


class PresenceTests(SynchronousTestCase):
    """Who is online."""

    def setUp(self) -> None:
        """Alice and Bob are in the lobby and have synced; Carol is in no room."""
        self.server = WireServer()
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")
        self.carol = self.server.join("carol", lobby=False)
        for client in (self.alice, self.bob, self.carol):
            client.sync()

    def heard(self) -> list[tuple[str, int]]:
        """What Bob has heard since the last time."""
        found = [(notice.user, notice.status) for notice in self.bob.all(messages.Presence)]
        self.bob.received.clear()
        return found

    def test_comes_and_goes(self) -> None:
        """Who shares a room hears of each change, from the sync on; who does not hears nothing."""
        self.assertEqual(self.heard(), [("alice", 1)])
        self.alice.ask(messages.SetPresence, away=True)
        self.alice.ask(messages.SetPresence, away=True)
        self.alice.ask(messages.SetPresence, away=False)
        self.alice.drop()
        back = self.server.log_in(self.alice.account)
        self.assertEqual(self.heard(), [("alice", 2), ("alice", 1), ("alice", 0)])
        back.sync()
        self.assertEqual(self.heard(), [("alice", 1)])
        self.assertEqual(self.carol.all(messages.Presence), [])

    def test_takeover(self) -> None:
        """A connection that replaces another is no change."""
        self.heard()
        self.server.log_in(self.alice.account)
        self.assertEqual(self.heard(), [])

    def test_best_of_all_sessions(self) -> None:
        """Somebody with several devices is away when all of them are."""
        self.heard()
        live = self.alice.seat.live
        assert live is not None
        other = type(live)(
            live.account_id, "alice", live.role, b"second device---", live.outbox, dict(live.places), synced=True
        )
        other.seen = True
        self.server.hub.attach(other)
        self.alice.ask(messages.SetPresence, away=True)
        self.assertEqual(self.heard(), [])
        self.server.hub.detach(other)
        self.alice.ask(messages.SetPresence, away=False)
        self.assertEqual(self.heard(), [("alice", 1)])

    def test_who_is_there(self) -> None:
        """Whoever has caught up is told who is online in their rooms, and of no more than the bound."""
        self.alice.ask(messages.SetPresence, away=True)
        for most, expected in ((2, {("alice", 2), ("bob", 1)}), (1, {("alice", 2)})):
            self.patch(attendance, "MAX_PRESENT", most)
            dave = self.server.join(f"dave{most}")
            dave.sync()
            self.assertEqual({(notice.user, notice.status) for notice in dave.all(messages.Presence)}, expected)
            dave.drop()

    def test_not_after_leaving(self) -> None:
        """Whoever shares no room any more hears nothing any more."""
        self.heard()
        self.server.put(
            self.server.founder, self.server.lobby, Remove(self.server.smith.leaf(self.bob.account, self.server.lobby))
        )
        self.alice.drop()
        self.assertEqual(self.heard(), [])
