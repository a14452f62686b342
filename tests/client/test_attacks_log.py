"""The log, identities and devices under attack: what whole clients do about it (docs/rooms.rst 3, 8, 9 and 11)."""

import msgspec

from chatserv.client.commits.room_changes import FalseRoom
from chatserv.client.events import Alarm, IdentityChanged, RoomChanged, SendHeld, Status, StatusChanged
from chatserv.crypto.content import LogHead
from chatserv.crypto.log_leaves import Leaf, LeafType, room_leaf, user_leaf
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.models import EventKind, LeafDraft
from chatserv.testing.memory_server import NOW_MS, rsa_key, server_id
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import (
    AttackCase,
    Tap,
    alarms,
    engine_of,
    idle_leaf,
    log_leaf,
    revocation_of,
    room_of,
    say_anything,
    signed_head,
)
from tests.support.sessions import flip


class LogCase(AttackCase):
    """Alice, Bob and Carol in a private room, and in the lobby."""

    def setUp(self) -> None:
        """The rooms."""
        super().setUp()
        self.private_room(self.bob, self.carol)

    def leaves(self) -> list[bytes]:
        """The log's leaves as the server has them."""
        return list(self.world.server.store._leaves)

    def silent(self, person: Person) -> None:
        """Nothing that this person says is sent, in any room."""
        for room in ("plans", "lobby"):
            acknowledged: list[object] = []
            person.client.send(room, "is this wise?").addCallbacks(acknowledged.append, lambda _: None)
            self.world.settle(5)
            self.assertEqual([], acknowledged)
        for other in (self.alice, self.bob, self.carol):
            self.assertNotIn("is this wise?", [text for _, text in other.texts("plans") + other.texts("lobby")])

    def other_log(self) -> tuple[bytes, ...]:
        """Leaves of a log that differs from the true one in its last leaf."""
        *rest, last = self.leaves()
        return (*rest, other_leaf(last))


def other_leaf(leaf: bytes) -> bytes:
    """A leaf that says something else."""
    made = Leaf.decode(leaf)
    return Leaf(made.kind, made.at_ms + 1, made.tag, made.subject, made.statement).encode()


class LogTests(LogCase):
    """The server's log is not one."""

    def test_rewritten(self) -> None:
        """A signed head with another root at a size that is known: alarm, and nothing is sent any more."""
        tap = Tap(self.carol)
        head = signed_head(self.other_log(), self.world.server.now_ms())
        tap.send(messages.LogHead(len(self.leaves()), b"", head))
        self.world.settle(2)
        self.assertIn("log_forked", alarms(self.carol))
        self.silent(self.carol)

    def test_rewritten_and_restarted(self) -> None:
        """A program that has seen two logs and is started again still sends nothing."""
        tap = Tap(self.carol)
        head = signed_head(self.other_log(), self.world.server.now_ms())
        tap.send(messages.LogHead(len(self.leaves()), b"", head))
        self.world.settle(2)
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.assertIn("log_forked", alarms(self.carol))
        self.silent(self.carol)

    def test_two_logs_found_by_gossip(self) -> None:
        """Bob is shown another log than the others; the first message from him that carries its head tells it."""
        own = self.leaves()
        fork = (*own, idle_leaf("carol1").encode())
        head = signed_head(fork, self.world.server.now_ms())
        Tap(self.bob).send(messages.LogHead(len(own), fork[-1], head))
        self.assertEqual(len(fork), engine_of(self.bob).context.log.size)
        log_leaf(self.world, idle_leaf("bob1"))
        self.world.settle(2)
        self.bob.do(self.bob.client.engine.keys.hold(room_of(self.bob, "plans")))
        root = engine_of(self.bob).context.log.root_at(len(fork))
        assert root is not None
        say_anything(self.bob, "plans", 1, b"", LogHead(len(fork), root))
        self.world.settle(2)
        self.assertIn("log_forked", alarms(self.carol))
        self.assertIn("log_forked", alarms(self.alice))
        self.silent(self.carol)

    def test_two_logs_found_by_a_commit(self) -> None:
        """A commit that was checked against another log tells it too: alarm, and nothing is sent any more in any room."""
        own = self.leaves()
        fork = (*own, idle_leaf("carol1").encode())
        tap = Tap(self.bob, lambda message: () if isinstance(message, messages.LogHead) else (message,))
        tap.send(messages.LogHead(len(own), fork[-1], signed_head(fork, self.world.server.now_ms())))
        log_leaf(self.world, idle_leaf("bob1"))
        self.world.settle(2)
        self.alice.do(self.alice.room("plans").rotate())
        self.world.settle(2)
        self.assertIn("log_forked", alarms(self.bob))
        self.silent(self.bob)

    def test_two_logs_found_by_a_first_message(self) -> None:
        """The first message of an epoch carries the log as its sender sees it."""
        self.alice.do(self.alice.room("plans").rotate())
        own = self.leaves()
        fork = (*own, idle_leaf("carol1").encode())
        tap = Tap(self.bob, lambda message: () if isinstance(message, messages.LogHead) else (message,))
        tap.send(messages.LogHead(len(own), fork[-1], signed_head(fork, self.world.server.now_ms())))
        log_leaf(self.world, idle_leaf("bob1"))
        self.world.settle(2)
        self.alice.say("plans", "hello")
        self.world.settle(2)
        self.assertIn("log_forked", alarms(self.bob))
        self.silent(self.bob)

    def test_longer_log_is_withheld(self) -> None:
        """A sender has seen more of the log than the server gives us: that is told."""
        log_leaf(self.world, idle_leaf("bob1"))
        self.world.settle(1)
        leaves = self.leaves()
        short = signed_head(leaves[:-1], self.world.server.now_ms())

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.LogHead):
                return []
            if isinstance(message, messages.LogPage):
                return [msgspec.structs.replace(message, leaves=b"", head=short)]
            return [message]

        log_leaf(self.world, idle_leaf("carol1"))
        Tap(self.carol, edit)
        log_leaf(self.world, idle_leaf("alice1"))
        self.world.settle(2)
        self.alice.do(self.alice.room("plans").rotate())
        self.alice.say("plans", "I know more")
        self.world.settle(3)
        self.assertTrue([what for what in alarms(self.carol) if what.startswith(("log", "old"))])

    def test_leaf_withheld_at_login(self) -> None:
        """A server that signs a head and does not give its leaves is not talked to, and the person is told why."""
        self.carol.leave_the_machine()
        log_leaf(self.world, idle_leaf("bob1"))
        self.carol.told.clear()
        self.carol.client = self.carol._make(follow=True)

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.LogPage):
                return [msgspec.structs.replace(message, leaves=b"")]
            return [message]

        Tap(self.carol, edit)
        self.carol.client.start()
        self.world.settle(5)
        self.assertFalse(self.carol.online)
        errors = [event.error for event in self.carol.events(StatusChanged) if event.error is not None]
        self.assertTrue(errors or alarms(self.carol))

    def test_forged_head(self) -> None:
        """A head that the server's key did not sign is nothing."""
        log = engine_of(self.carol).context.log
        size, longer = log.size, (*self.leaves(), idle_leaf("carol1").encode())
        forged = flip(signed_head(longer, self.world.server.now_ms()), -1)
        Tap(self.carol).send(messages.LogHead(size, longer[-1], forged))
        self.world.settle(3)
        self.assertEqual(size, log.size)

    def test_old_head(self) -> None:
        """A server that shows a head of the day before yesterday is told of."""
        old = signed_head(self.leaves(), self.world.server.now_ms() - 2 * 86_400_000)
        self.restarted_with_head(old)
        self.assertIn("old_log", alarms(self.dora))

    def restarted_with_head(self, head: bytes) -> None:
        """Dora registers with a server that shows this head at first."""

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.Welcome):
                return [msgspec.structs.replace(message, log_head=head)]
            if isinstance(message, messages.LogHead):
                return []
            return [msgspec.structs.replace(message, head=head) if isinstance(message, messages.LogPage) else message]

        token = self.world.server.invite("dora1")
        profile = self.world.server.profile(f"{self.world.directory}/dora1", "dora1")
        self.dora = Person.__new__(Person)
        self.dora.world, self.dora.name, self.dora.profile, self.dora.told = self.world, "dora1", profile, []
        self.dora._listens = True
        self.dora.client = self.dora._make(follow=True)
        self.world.people.append(self.dora)
        Tap(self.dora, edit)
        self.dora.client.start(token)
        self.world.settle(4)

    def test_shorter_log_at_login(self) -> None:
        """A log that has become shorter, as after a restore from a backup, is told of (docs/rooms.rst 8.2)."""
        log_leaf(self.world, idle_leaf("bob1"))
        self.world.settle(1)
        short = signed_head(self.leaves()[:-1], self.world.server.now_ms() + 1)

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            return [
                msgspec.structs.replace(message, log_head=short) if isinstance(message, messages.Welcome) else message
            ]

        Tap(self.carol, edit)
        self.world.server.cut()
        self.world.settle(8)
        self.assertTrue([what for what in alarms(self.carol) if what.startswith(("log", "old"))])

    def test_another_server_key(self) -> None:
        """A welcome with another server key than the pinned one ends the session."""
        other = rsa_spki(rsa_key("identity of many").public_key())
        self.carol.leave_the_machine()
        self.carol.told.clear()
        self.carol.client = self.carol._make(follow=True)

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            return [
                msgspec.structs.replace(message, server_key=other) if isinstance(message, messages.Welcome) else message
            ]

        Tap(self.carol, edit)
        self.carol.client.start()
        self.world.settle(5)
        self.assertFalse(self.carol.online)
        self.assertEqual(Status.FAILED, [event.status for event in self.carol.events(StatusChanged)][-1])

    def test_prekeys_wanted_without_end(self) -> None:
        """A server cannot have a client make prekeys without end."""
        before = len(engine_of(self.carol).context.vault.prekeys.one_time_ids())
        made: list[int] = []
        prekeys = engine_of(self.carol).prekeys

        def make(*, last_resort: bool, one_time: int) -> list[object]:
            made.append(last_resort + one_time)
            return []

        self.patch(prekeys, "_make", make)
        Tap(self.carol).send(messages.PrekeysLow(-(10**9)))
        self.world.settle(2)
        self.assertLess(sum(made), 200)
        self.assertGreater(before, 0)


class PublicRoomTests(LogCase):
    """Public rooms, whose heads are in the log."""

    def test_forked(self) -> None:
        """A leaf for the lobby that names a commit which members do not have is told after a minute."""
        lobby = room_of(self.alice, "lobby").room_id
        log_leaf(self.world, room_leaf(server_id(), "lobby", lobby, sha256(b"fork"), NOW_MS))
        self.world.settle(130)
        for person in (self.alice, self.bob, self.carol):
            self.assertEqual([Alarm("room_forked", "lobby")], person.events(Alarm))

    def test_forked_for_a_moment(self) -> None:
        """So is one that the true leaf follows before the minute is over: whoever joined meanwhile is in the fork."""
        lobby = room_of(self.alice, "lobby").room_id
        log_leaf(self.world, room_leaf(server_id(), "lobby", lobby, sha256(b"fork"), NOW_MS))
        self.world.settle(5)
        self.alice.do(self.alice.room("lobby").rotate())
        self.world.settle(130)
        for person in (self.alice, self.bob, self.carol):
            self.assertEqual([Alarm("room_forked", "lobby")], person.events(Alarm), person.name)

    def test_forked_and_busy(self) -> None:
        """A room in which something happens all the time is compared too."""
        self.alice.do(self.alice.client.create_room("busy", public=True))
        self.bob.do(self.bob.client.join("busy"))
        room = room_of(self.bob, "busy")
        log_leaf(self.world, room_leaf(server_id(), "busy", room.room_id, sha256(b"fork"), NOW_MS))
        for _ in range(8):
            self.world.settle(30)
            self.alice.do(self.alice.room("busy").rotate())
        self.assertIn(Alarm("room_forked", "busy"), self.bob.events(Alarm))

    def test_leaf_missing(self) -> None:
        """A commit of a public room whose leaf does not come is told after a minute."""
        commit = self.world.server.store._rooms.commit

        def without_leaf(draft: object) -> object:
            return commit(msgspec.structs.replace(draft, leaves=()))  # type: ignore[type-var, arg-type]

        self.patch(self.world.server.store._rooms, "commit", without_leaf)
        self.alice.do(self.alice.room("lobby").rotate())
        self.world.settle(130)
        for person in (self.alice, self.bob, self.carol):
            self.assertIn(Alarm("room_forked", "lobby"), person.events(Alarm), person.name)

    def test_second_room_of_the_name(self) -> None:
        """A leaf that gives the name to another room is told to the members."""
        log_leaf(self.world, room_leaf(server_id(), "lobby", b"second room id..", sha256(b"x"), NOW_MS))
        self.world.settle(130)
        self.assertEqual([Alarm("room_forked", "lobby")], self.bob.events(Alarm))

    def test_name_that_leads_elsewhere(self) -> None:
        """A newcomer who asks for one name is not put into a room of another."""
        self.alice.do(self.alice.client.create_room("trap", public=True))
        trap = room_of(self.alice, "trap")
        log_leaf(self.world, room_leaf(server_id(), "news", trap.room_id, trap.head.commit_hash, NOW_MS))
        self.world.settle(2)
        self.assertRaises(FalseRoom, self.bob.do, self.bob.client.join("news"))
        self.assertNotIn("trap", self.bob.client.rooms)

    def test_old_head_for_a_newcomer(self) -> None:
        """A newcomer does not enter on a roster that is older than the log's newest leaf for the room."""
        self.alice.do(self.alice.client.create_room("club", public=True))
        room = room_of(self.alice, "club")
        old = room.head
        self.alice.do(self.alice.room("club").rotate())
        self.world.settle(2)
        seen: list[object] = []

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.Lease):
                seen.append(message)
                return [
                    msgspec.structs.replace(message, epoch=old.epoch, commit_hash=old.commit_hash, kt_size=old.kt_size)
                ]
            if isinstance(message, messages.Chain):
                return [msgspec.structs.replace(message, epoch=old.epoch, commits=message.commits[: old.epoch + 1])]
            return [message]

        Tap(self.bob, edit)
        error = self.assertRaises(FalseRoom, self.bob.do, self.bob.client.join("club"))
        self.assertIn("The server shows this room differently", error.explain())
        self.assertTrue(seen)
        self.assertNotIn("club", self.bob.client.rooms)


class QuietTests(LogCase):
    """What honest people do raises no alarm, however they come and go."""

    def club(self) -> None:
        """A public room of alice and bob, which has seen some commits."""
        self.alice.do(self.alice.client.create_room("club", public=True))
        self.bob.do(self.bob.client.join("club"))
        self.alice.do(self.alice.room("club").rotate())
        self.world.settle(65)

    def test_renamed(self) -> None:
        """A public room gets another name."""
        self.club()
        self.alice.do(self.alice.room("club").rename("cafe"))
        self.world.settle(130)
        self.alice.do(self.alice.room("cafe").rotate())
        self.world.settle(130)
        self.nobody_alarmed()

    def test_left_and_joined_again(self) -> None:
        """Somebody leaves a public room, which goes on meanwhile, and joins it again."""
        self.club()
        self.bob.do(self.bob.room("club").leave())
        self.world.settle(10)
        for _ in range(2):
            self.alice.do(self.alice.room("club").rotate())
        self.world.settle(65)
        self.bob.do(self.bob.client.join("club"))
        self.world.settle(130)
        self.nobody_alarmed()

    def test_put_out_and_joined_again(self) -> None:
        """Or is put out of it."""
        self.club()
        self.alice.do(self.alice.room("club").kick("bob1"))
        self.alice.do(self.alice.room("club").rotate())
        self.world.settle(65)
        self.bob.do(self.bob.client.join("club"))
        self.world.settle(130)
        self.nobody_alarmed()

    def test_taken_in(self) -> None:
        """Somebody is taken into a public room by a moderator."""
        self.club()
        self.alice.do(self.alice.room("club").invite("carol1"))
        self.alice.do(self.alice.room("club").rotate())
        self.world.settle(130)
        self.nobody_alarmed()

    def test_away_for_long(self) -> None:
        """Somebody is away while a public room goes on, on both sides of a restart of the server."""
        self.club()
        self.bob.leave_the_machine()
        for _ in range(3):
            self.alice.do(self.alice.room("club").rotate())
        self.world.server.restart()
        self.world.settle(70)
        self.alice.do(self.alice.room("club").rotate())
        self.bob.come_back()
        self.world.settle(130)
        self.nobody_alarmed()

    def test_closed_and_made_again(self) -> None:
        """A public room ends with its last member, and another one takes its name."""
        self.club()
        self.bob.do(self.bob.room("club").leave())
        self.world.settle(10)
        self.alice.do(self.alice.room("club").leave())
        self.world.settle(5)
        self.bob.do(self.bob.client.create_room("club", public=True))
        self.alice.do(self.alice.client.join("club"))
        self.world.settle(130)
        self.nobody_alarmed()


class IdentityTests(LogCase):
    """The server gives somebody another identity, or another device."""

    def reset(self, user: str) -> None:
        """What an administrator's reset writes into the log: a new identity for the user."""
        fingerprint = sha256(b"another identity")
        log_leaf(self.world, user_leaf(LeafType.RESET, server_id(), user, fingerprint, b"reset", NOW_MS))
        self.world.settle(2)

    def test_reset(self) -> None:
        """A changed identity is told, the user is struck from rooms, and nothing goes to them before it is accepted."""
        self.carol.client.people.mark_verified("bob1")
        self.reset("bob1")
        self.assertEqual([IdentityChanged("bob1", was_verified=True)], self.carol.events(IdentityChanged))
        self.assertEqual("changed", self.carol.client.people.trust("bob1"))
        self.carol.say("plans", "without bob")
        self.assertEqual(["alice1", "carol1"], [each.user for each in self.carol.room("plans").members()])
        lines = [line for event in self.alice.events(RoomChanged) if event.room == "plans" for line in event.lines]
        self.assertIn(("struck", ("bob1",)), lines)  # and not that carol, who follows the log, has put bob out
        self.assertNotIn("without bob", [text for _, text in self.bob.texts("plans")])
        self.assertEqual(("carol1", "without bob"), self.alice.texts("plans")[-1])

    def test_accepted(self) -> None:
        """Accepting does not verify: who was verified has to be compared again."""
        self.carol.client.people.mark_verified("bob1")
        self.reset("bob1")
        self.carol.client.people.accept_identity("bob1")
        self.assertEqual("unverified", self.carol.client.people.trust("bob1"))

    def test_direct_messages(self) -> None:
        """Direct messages to somebody whose identity has changed wait, and the person is told why."""
        self.carol.do(self.carol.client.direct("bob1"))
        self.world.settle(2)
        self.carol.say("@bob1", "before")
        self.reset("bob1")
        acknowledged: list[object] = []
        self.carol.client.send("@bob1", "after").addCallbacks(acknowledged.append, lambda _: None)
        self.world.settle(5)
        self.assertEqual([], acknowledged)
        self.assertEqual([("bob1",)], [event.users for event in self.carol.events(SendHeld)])
        self.assertNotIn("after", [text for _, text in self.bob.texts("@carol1")])

    def test_device_of_mine_that_i_do_not_know(self) -> None:
        """A device that the server adds to an account is told to its owner."""
        log_leaf(self.world, user_leaf(LeafType.DEVICE, server_id(), "carol1", sha256(b"ghost"), b"", NOW_MS))
        self.world.settle(2)
        self.assertEqual(["unknown_device"], alarms(self.carol))
        self.assertEqual([], alarms(self.bob))

    def test_own_identity_reset(self) -> None:
        """A reset of the own identity that nobody asked for is told to its owner (docs/rooms.rst 8.2)."""
        self.reset("carol1")
        self.assertTrue(alarms(self.carol))

    def test_own_device_revoked(self) -> None:
        """So is a leaf that ends the own device, which stands in rooms then as one that has to go."""
        own = engine_of(self.carol).context.cert_hash
        log_leaf(self.world, user_leaf(LeafType.REVOKE, server_id(), "carol1", own, b"", NOW_MS))
        self.world.settle(2)
        self.assertTrue(alarms(self.carol))

    def test_ghost_device_does_not_stop_commits(self) -> None:
        """A leaf for a device that has no certificate keeps nobody from changing a room."""
        log_leaf(self.world, user_leaf(LeafType.DEVICE, server_id(), "carol1", sha256(b"ghost"), b"", NOW_MS))
        self.world.settle(2)
        self.alice.do(self.alice.room("plans").kick("carol1"))
        self.assertEqual(["alice1", "bob1"], [each.user for each in self.alice.room("plans").members()])


class RevokedTests(LogCase):
    """Bob's device is revoked while it is in rooms."""

    def revoke(self) -> None:
        """Bob ends his own device."""
        cert_hash, statement = engine_of(self.bob).context.cert_hash, revocation_of(self.bob)
        leaf = user_leaf(LeafType.REVOKE, server_id(), "bob1", cert_hash, statement, NOW_MS)
        draft = LeafDraft(leaf.encode(), statement)
        self.world.server.await_(
            self.world.server.store.revoke(
                cert_hash, draft, NOW_MS, engine_of(self.bob).context.keyring.identity_fingerprint()
            )
        )

    def commits(self, room: str = "plans") -> int:
        """How many commits a room has."""
        events = self.world.server.store._rooms._rooms[room_of(self.alice, room).room_id].events
        return sum(event.kind == EventKind.COMMIT for event in events)

    def test_one_commits(self) -> None:
        """Of all clients that see a revocation one commits, and the others have nothing to do."""
        before = self.commits()
        self.revoke()
        self.world.settle(60)
        self.assertEqual(before + 1, self.commits())
        roster = room_of(self.alice, "plans").state.roster  # type: ignore[union-attr]
        self.assertEqual(["alice1", "carol1"], [entry.user for entry in roster])

    def test_out_before_anything_is_sent(self) -> None:
        """Whoever wants to say something first takes the device out of the room."""
        self.revoke()
        self.world.run()
        self.carol.say("plans", "not for bob's device")
        self.assertFalse(room_of(self.carol, "plans").state.devices_of("bob1"))  # type: ignore[union-attr]
        self.assertNotIn("not for bob's device", [text for _, text in self.bob.texts("plans")])

    def test_out_before_anything_is_sent_after_a_restart(self) -> None:
        """So does a program that was away when it was revoked, and has just started."""
        self.carol.leave_the_machine()
        self.alice.leave_the_machine()
        self.revoke()
        self.world.run()
        self.carol.told.clear()
        self.carol.client = self.carol._make(follow=True)
        self.carol.client.start()
        sent = self.carol.client.send("plans", "not for bob's device")
        self.carol.do(sent)
        self.assertFalse(room_of(self.carol, "plans").state.devices_of("bob1"))  # type: ignore[union-attr]
        self.assertNotIn("not for bob's device", [text for _, text in self.bob.texts("plans")])

    def test_commit_after_a_restart(self) -> None:
        """A program that has just started, and says nothing, makes the commit that the log asks for."""
        self.carol.leave_the_machine()
        self.alice.leave_the_machine()
        self.revoke()
        self.world.run()
        self.carol.come_back()
        self.world.settle(60)
        self.assertFalse(room_of(self.carol, "plans").state.devices_of("bob1"))  # type: ignore[union-attr]
