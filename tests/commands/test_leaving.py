"""Leaving rooms, and their end."""

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.leaving import close_deserted
from chatserv.crypto.commits import Remove
from chatserv.crypto.log_leaves import ZEROS, removal_tag
from chatserv.wire import messages
from tests.support.server import WireServer
from tests.support.smith import DIRECT, PRIVATE, PUBLIC, code


class LeaveTests(SynchronousTestCase):
    """What `leave` promises."""

    def setUp(self) -> None:
        """Alice owns a private room; Bob and Carol are members; all of them hear it."""
        self.server = WireServer()
        self.alice, self.bob, self.carol = (self.server.join(name) for name in ("alice", "bob", "carol"))
        self.room = self.server.make_room(self.alice.account, self.bob.account, self.carol.account)
        for client in (self.alice, self.bob, self.carol):
            client.sync()

    def refused(self) -> list[str]:
        """What becomes of all that Bob tries in the room."""
        return [
            code(self.bob.say("hello", self.room)),
            code(self.bob.ask(messages.History, room=self.room, before=100)),
            code(self.bob.ask(messages.GetWrap, room=self.room, epoch=0)),
            code(self.bob.begin(self.room)),
        ]

    def test_at_once(self) -> None:
        """From then on nothing of the room reaches the account, and it does nothing there; the others are told."""
        self.assertEqual(code(self.bob.leave_room(self.room)), "Ok")
        self.assertEqual(self.alice.one(messages.LeaveWaiting).room, self.room)
        self.alice.say("secret", self.room)
        self.assertEqual([event.seq for event in self.bob.events(self.room)], [1])
        self.assertEqual(self.refused(), ["not_member"] * 4)
        self.assertEqual([event.seq for event in self.carol.events(self.room)], [1, 2])

    def test_survives_a_restart(self) -> None:
        """Before a commit has taken the Leave, a restart and a new login bring nothing back; the Leave still waits."""
        self.bob.leave_room(self.room)
        self.server.restart()
        self.bob, self.alice = self.server.log_in(self.bob.account), self.server.log_in(self.alice.account)
        self.assertNotIn(self.room, [room.room for room in self.bob.one(messages.Welcome).rooms])
        self.bob.sync()
        self.alice.say("secret", self.room)
        self.assertEqual((self.bob.events(self.room), self.refused()), ([], ["not_member"] * 4))
        self.assertEqual(len(self.alice.begin(self.room).leaves), 1)

    def test_taken(self) -> None:
        """The next commit takes the Leave; then it waits no more."""
        self.bob.leave_room(self.room)
        farewell = self.server.smith.leave(self.bob.account, self.room)
        self.assertEqual(code(self.alice.commit(self.room, farewell)), "Committed")
        state = self.server.smith.state(self.room)
        assert state is not None
        self.assertIsNone(state.role("bob"))
        self.assertEqual(self.alice.begin(self.room).leaves, ())
        self.server.restart()
        self.assertEqual(self.server.log_in(self.alice.account).begin(self.room).leaves, ())

    def test_signed_by_a_device_that_is_gone(self) -> None:
        """A Leave that no commit can carry any more waits no more: the device that signed it was taken out."""
        self.bob.leave_room(self.room)
        self.alice.commit(self.room, Remove(1))
        self.assertEqual(self.alice.begin(self.room).leaves, ())

    def test_of_another(self) -> None:
        """Nobody leaves for another device, or with a signature for another room."""
        smith = self.server.smith
        for farewell, expected in (
            (smith.leave(self.carol.account, self.room), "bad_message"),
            (replace(smith.leave(self.carol.account, self.room), leaf=1), "bad_key"),
            (replace(smith.leave(self.bob.account, self.server.lobby), leaf=1), "bad_key"),
        ):
            reply = self.bob.ask(messages.Leave, room=self.room, leaf=farewell.leaf, signature=farewell.signature)
            self.assertEqual(code(reply), expected)
        self.assertIsInstance(self.bob.say("still here", self.room), messages.Sent)

    def test_direct_message(self) -> None:
        """Nobody leaves a direct message."""
        room = self.alice.make_room(self.bob.account, policy=DIRECT)
        self.assertEqual(code(self.bob.leave_room(room)), "forbidden")

    def test_while_catching_up(self) -> None:
        """Who leaves while the log is read for them gets no more of it."""
        server = WireServer(slow=["events"], page_events=1)
        alice, bob = server.join("alice"), server.join("bob")
        room = server.make_room(alice.account, bob.account)
        alice.say("one", room)
        self.assertIsNone(bob.sync(room=room))
        self.assertIsInstance(bob.leave_room(room), messages.Ok)
        while server.store.waiting:
            server.store.fire_all()
            server.settle()
        self.assertEqual(bob.events(room), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_crosses_a_commit_that_removes(self) -> None:
        """A Leave that crosses the removal of its device leaves nothing behind, in memory or after a restart."""
        server = WireServer(slow=["leave"])
        alice, bob = server.join("alice"), server.join("bob")
        room = server.make_room(alice.account, bob.account)
        self.assertIsNone(bob.leave_room(room))
        server.put(alice.account, room, Remove(1))
        server.store.fire_all()
        server.settle()
        for _ in range(2):
            record = server.context.registry.get(room)
            assert record is not None
            self.assertEqual((record.leaves, record.members), ({}, ["alice", "bob"]))
            server.restart()

    def test_lease_is_given_back(self) -> None:
        """Who leaves with the lease in hand holds nobody up."""
        self.bob.begin(self.room)
        self.bob.leave_room(self.room)
        self.assertEqual(code(self.alice.begin(self.room)), "Lease")


class CloseTests(SynchronousTestCase):
    """The end of a room."""

    def setUp(self) -> None:
        """Alice and Bob are in a public room and hear it."""
        self.server = WireServer()
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")
        self.club = self.server.make_room(self.alice.account, self.bob.account, policy=replace(PUBLIC, name="club"))
        for client in (self.alice, self.bob):
            client.sync()

    def test_last_member(self) -> None:
        """When everybody has left, the room is no more, its name is free in the log, and its id is never used again."""
        self.bob.leave_room(self.club)
        self.assertIn(self.club, self.server.hub.rooms)
        self.assertEqual(code(self.alice.leave_room(self.club)), "Ok")
        self.assertNotIn(self.club, self.server.hub.rooms)
        self.assertIsNone(self.server.context.registry.get(self.club))
        facts = self.server.context.log.facts
        head = facts.room_head("club", facts.size)
        assert head is not None
        self.assertEqual(head.commit_hash, ZEROS)
        self.assertEqual(self.server.context.log.covered_size, facts.size)
        self.assertEqual(code(self.alice.begin(self.club)), "not_member")
        self.assertNotEqual(self.alice.make_room(policy=replace(PUBLIC, name="club")), self.club)

    def test_told(self) -> None:
        """Who still had a place, if an ended one, is told; who waits for the lease is refused."""
        self.server.put(self.alice.account, self.club, Remove(1))  # Bob stays a member, without a device
        carol = self.server.join("carol")
        carol.begin(self.club)
        label = self.alice.label()
        farewell = self.server.smith.leave(self.alice.account, self.club)
        self.server.context.registry._rooms[self.club].leaves["bob"] = bytes(68)
        dave = self.server.join("dave")
        waiting = dave.label()
        dave.tell(messages.BeginCommit(waiting, self.club))
        self.server.settle()
        self.alice.tell(messages.Leave(label, self.club, farewell.leaf, farewell.signature))
        self.server.settle()
        self.assertEqual(code(self.alice.reply(label)), "Ok")
        self.assertEqual(self.bob.one(messages.RoomClosed).room, self.club)
        self.assertEqual(code(dave.reply(waiting)), "stale_commit")

    def test_private(self) -> None:
        """The end of a private room is one leaf, which says which one to those alone who know it."""
        room = self.server.make_room(self.alice.account, policy=PRIVATE)
        size = self.server.context.log.size
        self.assertEqual(code(self.alice.leave_room(room)), "Ok")
        self.assertNotIn(room, self.server.hub.rooms)
        facts = self.server.context.log.facts
        (end,) = facts.heads(removal_tag(self.server.context.log.server_id, room), facts.size)
        self.assertEqual((end.index, end.closed, facts.size), (size, True, size + 1))
        self.assertEqual(self.server.context.log.covered_size, facts.size)

    def test_both_at_once(self) -> None:
        """When the last two leave at once the room is closed all the same, and once."""
        server = WireServer(slow=["leave"])
        alice, bob = server.join("alice"), server.join("bob")
        room = server.make_room(alice.account, bob.account)
        self.assertEqual((alice.leave_room(room), bob.leave_room(room)), (None, None))
        server.store.fire_all()
        server.settle()
        self.assertNotIn(room, server.hub.rooms)
        answers = [code(each) for client in (alice, bob) for each in client.received[-2:]]
        self.assertEqual(2, answers.count("Ok"))

    def test_while_somebody_joins(self) -> None:
        """A join that is under way when the last member leaves keeps the room; one that fails then ends it."""
        for good in (True, False):
            server = WireServer(slow=["commit"])
            alice, bob = server.join("alice"), server.join("bob")
            club = server.make_room(alice.account, policy=replace(PUBLIC, name="club"))
            bob.begin(club)
            made = bob.make(club, *server.smith.join(bob.account, club))
            self.assertIsNone(bob.submit(made))
            if not good:
                server.put(alice.account, club)
            self.assertEqual(code(alice.leave_room(club)), "Ok")
            self.assertIn(club, server.hub.rooms)
            server.store.fire_all()
            server.settle()
            self.assertEqual(code(bob.received[-1]), "Committed" if good else "stale_commit")
            self.assertEqual(club in server.hub.rooms, good)

    def test_died_before_it(self) -> None:
        """A room that everybody had left when the server died is closed at the next start."""
        room = self.server.make_room(self.alice.account)
        farewell = self.server.smith.leave(self.alice.account, room)
        self.server.wait(self.server.memory.leave(room, "alice", farewell.body()))
        self.server.restart()
        self.assertIn(room, self.server.hub.rooms)
        self.successResultOf(Deferred.fromCoroutine(close_deserted(self.server.context)))
        self.assertNotIn(room, self.server.hub.rooms)
        self.assertIn(self.club, self.server.hub.rooms)
