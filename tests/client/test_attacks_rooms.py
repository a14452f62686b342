"""Who is in a room, under attack: ghosts, forks, removed members, bad commits, substituted keys.

See docs/rooms.rst 5.1, 5.2 and 11.
"""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace
from twisted.internet.defer import Deferred

from chatserv.client.commits import committer
from chatserv.client.events import Alarm, KeysBroken, MessageReceived, MessagesMissing, RoomLeft, RoomOffered
from chatserv.client.state.rooms import Keys, Standing
from chatserv.client.verification.certificates import FalseKey
from chatserv.crypto.commits import Add, Commit, Op, SenderHead, SetMember
from chatserv.crypto.content import ContentType
from chatserv.crypto.log_leaves import ZEROS, removal_leaf, room_leaf
from chatserv.crypto.room_state import Member, Role, RosterEntry, State
from chatserv.crypto.suite import sha256
from chatserv.errors import ChatError, Forbidden, NotMember
from chatserv.models import EventKind
from chatserv.testing.memory_server import server_id
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import (
    AttackCase,
    BadCommitter,
    Tap,
    alarms,
    engine_of,
    entry_of,
    forged_commit,
    is_message,
    log_leaf,
    room_of,
    sealed,
    with_certificates,
)


def drop_commits(message: messages.ServerMessage) -> tuple[messages.ServerMessage, ...]:
    """The edit of a server that keeps commits back."""
    is_commit = isinstance(message, messages.Event) and message.kind == EventKind.COMMIT
    return () if is_commit else (message,)


class RoomAttackCase(AttackCase):
    """A private room of alice, bob and carol; dora is not in it."""

    def setUp(self) -> None:
        """The room, and what was said in it."""
        super().setUp()
        self.dora = self.world.person("dora1")
        self.private_room(self.bob, self.carol)
        self.alice.say("plans", "first")
        self.state_before = self.state(self.carol)
        self.tap = Tap(self.carol)

    def state(self, person: Person) -> State:
        """The room as a person has it."""
        state = room_of(person, "plans").state
        assert state is not None
        return state

    def refuses(self, commit: Commit, *, by: str, what: str = "bad_commit") -> None:
        """Carol does not take a commit that the server passes on: she keeps the room as it was, says nothing, is warned."""
        self.tap.post("plans", commit.encoded, by, EventKind.COMMIT)
        self.assertEqual([what], alarms(self.carol))
        self.assertIn(self.carol.events(Alarm)[0].user, {"", by})
        self.assertEqual(self.state_before, self.state(self.carol))
        failed: list[object] = []
        self.carol.client.send("plans", "to whom?").addBoth(failed.append)
        self.world.settle(10)
        self.assertEqual([], [text for text in self.bob.texts("plans") if text[1] == "to whom?"])
        self.assertEqual([], self.alice.events(KeysBroken))

    def ghost(self, role: Role = Role.MEMBER) -> tuple[State, tuple[Op, ...]]:
        """The room with dora in it, and what a commit would say for that."""
        device = engine_of(self.dora).context
        entry = RosterEntry(self.state_before.next_leaf, "dora1", device.device_id, device.cert_hash)
        member = Member("dora1", role, False, engine_of(self.alice).context.log.size)
        members = tuple(sorted((*self.state_before.members, member), key=lambda each: each.user))
        roster = (*self.state_before.roster, entry)
        new = State(entry.leaf + 1, self.state_before.policy, members, roster)
        return new, (SetMember("dora1", role), Add(entry))

    def as_member(self, person: Person) -> None:
        """A person who is not in the room knows all of it, as a server might that works with them."""
        engine = engine_of(person)
        room, theirs = engine.rooms.look_at(room_of(self.alice, "plans").room_id), room_of(self.alice, "plans")
        room.state, room.head, room.commit, room.row = theirs.state, theirs.head, theirs.commit, theirs.row


class GhostTests(RoomAttackCase):
    """Somebody is to be in the room whom nobody who may has let in."""

    def test_commit_by_a_non_member(self) -> None:
        """Who is not a member cannot commit themselves into a private room."""
        new, ops = self.ghost()
        self.as_member(self.dora)
        self.refuses(forged_commit(self.dora, "plans", new, *ops), by="dora1")

    def test_plain_member_adds(self) -> None:
        """A plain member cannot bring somebody in, whatever the server lets through."""
        new, ops = self.ghost()
        self.refuses(forged_commit(self.bob, "plans", new, *ops), by="bob1")

    def test_plain_member_adds_a_moderator(self) -> None:
        """Least of all with a role."""
        new, ops = self.ghost(Role.MODERATOR)
        self.refuses(forged_commit(self.bob, "plans", new, *ops), by="bob1")

    def test_plain_member_rises(self) -> None:
        """A plain member does not become an owner."""
        members = tuple(
            replace(member, role=Role.OWNER) if member.user == "bob1" else member
            for member in self.state_before.members
        )
        new = replace(self.state_before, members=members)
        self.refuses(forged_commit(self.bob, "plans", new, SetMember("bob1", Role.OWNER)), by="bob1")

    def test_honest_server(self) -> None:
        """The server does not take such a commit in the first place."""
        self.assertRaises(Forbidden, self.bob.do, self.bob.room("plans").invite("dora1"))
        self.assertNotIn("dora1", [member.user for member in self.alice.room("plans").members()])

    def test_edited_commit(self) -> None:
        """A commit that is changed on the way, at any byte, is refused."""
        caught: list[messages.Event] = []

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.Event) and message.kind == EventKind.COMMIT:
                caught.append(message)
                return []
            return [message]

        self.tap.edit = edit
        self.alice.do(self.alice.room("plans").invite("dora1"))
        body = bytearray(caught[0].body)
        body[len(body) // 2] ^= 1
        self.tap.post("plans", bytes(body), "alice1", EventKind.COMMIT)
        self.assertEqual(["bad_commit"], alarms(self.carol))
        self.assertEqual(self.state_before, self.state(self.carol))

    def test_another_device_key(self) -> None:
        """An Add that names a certificate which is not in the log is refused, though an owner signs it."""
        entry = RosterEntry(self.state_before.next_leaf, "bob1", b"ghost device id.", sha256(b"no certificate"))
        new = replace(self.state_before, next_leaf=entry.leaf + 1, roster=(*self.state_before.roster, entry))
        self.refuses(forged_commit(self.alice, "plans", new, Add(entry)), by="alice1", what="false_key")

    def test_genesis_replayed(self) -> None:
        """The room's first commit once more does not make it new."""
        first = self.world.server.store._rooms._rooms[room_of(self.alice, "plans").room_id].events[0].body
        self.refuses(Commit.decode(first), by="alice1")

    def test_commit_replayed(self) -> None:
        """Nor does a later one take it back to what it was: an old invitation is worth nothing."""
        invitation = self.world.server.store._rooms._rooms[room_of(self.alice, "plans").room_id].events[2].body
        self.refuses(Commit.decode(invitation), by="alice1")

    def test_swapped_wrap(self) -> None:
        """A wrap that was made for somebody else is not opened; the epoch repairs by a rotation."""
        others: list[messages.WrapReady] = []

        def keep(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.WrapReady):
                others.append(message)
            return [message]

        Tap(self.bob, keep)
        self.tap.edit = lambda message: () if isinstance(message, messages.WrapReady) else (message,)
        self.alice.do(self.alice.room("plans").rotate())
        engine_of(self.carol).keys.came(room_of(self.carol, "plans"), others[-1])
        self.bob.say("plans", "not for carol now")
        self.blames_the_server()
        self.repairs()

    def repairs(self) -> None:
        """Within half a minute everybody reads everybody again."""
        self.world.settle(40)
        self.bob.say("plans", "repaired?")
        self.carol.say("plans", "repaired!")
        for person in (self.alice, self.bob, self.carol):
            self.assertEqual([("bob1", "repaired?"), ("carol1", "repaired!")], person.texts("plans")[-2:], person.name)
        self.nobody_alarmed(self.alice, self.bob)

    def blames_the_server(self) -> None:
        """Carol does not name alice for what the server did."""
        self.assertEqual([Alarm("false_keys", "plans")], self.carol.events(Alarm))
        self.assertEqual([], self.carol.events(KeysBroken))

    def test_dropped_wrap(self) -> None:
        """A wrap that the server does not give out is told as that, and the room repairs."""

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.WrapReady):
                return []
            if isinstance(message, messages.Wrapped):
                return [messages.Error(message.label, "not_found")]
            return [message]

        self.tap.edit = edit
        self.alice.do(self.alice.room("plans").rotate())
        self.bob.say("plans", "not for carol now")
        self.blames_the_server()
        self.repairs()


class RemovedTests(RoomAttackCase):
    """Bob is put out, and the server is on his side."""

    def setUp(self) -> None:
        """Bob keeps his keys, and hears no more of commits."""
        super().setUp()
        self.bob.say("plans", "I am here")
        self.world.settle(2)
        self.bobs = Tap(self.bob, drop_commits)
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.world.settle(2)
        self.assertIs(Standing.IN, room_of(self.bob, "plans").row.standing)  # type: ignore[union-attr]
        self.bob.told.clear()

    def test_reads_nothing(self) -> None:
        """What is said after his removal he cannot read, though he gets all of it."""
        self.alice.say("plans", "he is gone")
        for event in self.tap.events("plans"):
            if is_message(event):
                self.bobs.post("plans", event.body, event.sender)
        self.assertNotIn("he is gone", [text for _, text in self.bob.texts("plans")])

    def test_wrap_of_another(self) -> None:
        """With the wrap and path of a member he opens nothing: it takes the member's keys."""
        self.alice.do(self.alice.room("plans").rotate())
        commit = self.tap.events("plans")[-1]
        wrap = next(each for each in reversed(self.tap.seen) if isinstance(each, messages.WrapReady))
        self.alice.say("plans", "he is gone")
        said = self.tap.events("plans")[-1]
        self.bobs.edit = lambda message: (message,)
        self.bobs.send(wrap, msgspec.structs.replace(commit, seq=self.bobs.next_seq("plans")))
        self.bobs.post("plans", said.body, said.sender)
        self.assertNotIn("he is gone", [text for _, text in self.bob.texts("plans")])

    def test_posts_late(self) -> None:
        """What he posts with the keys of the old epoch nobody is shown."""
        self.tap.post("plans", sealed(self.bob, "plans", ContentType.TEXT, b""), "bob1")
        self.assertEqual([None], [text for sender, text in self.carol.texts("plans") if sender == "bob1"][1:])

    def test_server_refuses_him(self) -> None:
        """The honest server takes nothing from him, and his client is not told that it is stored."""
        failed: list[object] = []
        self.bob.client.send("plans", "still here").addBoth(failed.append)
        self.world.settle(3)
        self.assertNotIn("still here", [text for _, text in self.alice.texts("plans")])

    def test_forced_to_the_old_state(self) -> None:
        """A server that takes the others back to before his removal is found out, and nothing is sent in that room."""
        old = self.state_before
        new = replace(old, next_leaf=old.next_leaf)
        commit = forged_commit(self.bob, "plans", new)
        self.state_before = self.state(self.carol)
        self.refuses(commit, by="bob1")


class KeySubstitutionTests(RoomAttackCase):
    """The server gives out keys of its own."""

    def fails(self, reply: type[messages.ServerMessage], made: messages.ServerMessage) -> None:
        """Alice's invitation of dora comes to nothing where the server puts ``made`` in the place of its replies."""

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            label = getattr(message, "label", 0)
            return [msgspec.structs.replace(made, label=label)] if isinstance(message, reply) else [message]

        tap = Tap(self.alice, edit)
        theirs = engine_of(self.dora).context.cert_hash
        engine_of(self.alice).certificates.known.pop(theirs, None)
        engine_of(self.alice).context.vault.database.write("DELETE FROM certificates WHERE cert_hash = ?", (theirs,))
        error = self.assertRaises(FalseKey, self.alice.do, self.alice.room("plans").invite("dora1"))
        self.assertIn("The server gave out a key", error.explain())
        tap.edit = lambda message: (message,)
        self.assertEqual(self.state_before, self.state(self.alice))
        self.alice.do(self.alice.room("plans").invite("dora1"))  # and the lease is not lost
        self.assertIn("dora1", [member.user for member in self.alice.room("plans").members()])

    def test_prekey(self) -> None:
        """A prekey that the device has not signed is not wrapped to."""
        stolen = self.world.server.await_(
            self.world.server.store.take_prekey(engine_of(self.dora).context.device_id, one_time=False)
        )
        assert stolen.signed is not None
        changed = bytearray(stolen.signed)
        changed[100] ^= 1
        self.fails(messages.Keys, messages.Keys(0, (bytes(changed),) * 3))

    def test_prekey_of_another(self) -> None:
        """Nor is the prekey of another device."""
        stolen = self.world.server.await_(
            self.world.server.store.take_prekey(engine_of(self.carol).context.device_id, one_time=False)
        )
        assert stolen.signed is not None
        self.fails(messages.Keys, messages.Keys(0, (stolen.signed,) * 3))

    def test_certificate(self) -> None:
        """A certificate in the place of another is not taken."""
        ring = engine_of(self.bob).context.keyring
        item = messages.CertificateItem(ring.certificate, ring.identity_spki())
        self.fails(messages.Certificates, messages.Certificates(0, (item,)))

    def test_certificate_signed_by_another(self) -> None:
        """A certificate beside an identity key that did not sign it is not taken."""
        ring = engine_of(self.dora).context.keyring
        item = messages.CertificateItem(ring.certificate, self.world.server.context.identity.spki)
        self.fails(messages.Certificates, messages.Certificates(0, (item,)))


class BadWrapTests(RoomAttackCase):
    """A member commits, and not everybody gets the same secret."""

    def setUp(self) -> None:
        """Bob may commit."""
        super().setUp()
        self.alice.say("plans", "before")
        self.world.settle(2)

    def spoilt(self, person: Person, change: Callable[[bytes], bytes]) -> None:
        """The server changes the wrap that somebody gets of Bob's next commit."""

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.WrapReady | messages.Wrapped):
                return [msgspec.structs.replace(message, wrap=change(message.wrap))]
            return [message]

        tap = Tap(person, edit)
        self.bob.do(self.bob.room("plans").rotate())
        self.bob.say("plans", "who reads this?")
        self.world.settle(2)
        tap.edit = lambda message: (message,)

    def test_spoilt_by_the_server(self) -> None:
        """A wrap that is not the one that Bob made is the server's doing, and Bob is not named for it; the room repairs."""
        self.spoilt(self.carol, lambda wrap: wrap[:-1] + bytes([wrap[-1] ^ 1]))
        self.assertEqual([Alarm("false_keys", "plans")], self.carol.events(Alarm))
        self.assertEqual([], self.carol.events(KeysBroken))
        self.world.settle(40)
        self.bob.say("plans", "again")
        self.assertEqual(("bob1", "again"), self.carol.texts("plans")[-1])

    def test_no_wrap_at_all(self) -> None:
        """Nor is he where the server gives none."""
        self.spoilt(self.carol, lambda _: b"")
        self.assertEqual([Alarm("false_keys", "plans")], self.carol.events(Alarm))
        self.assertEqual([], self.carol.events(KeysBroken))

    def repaired(self, *broken: Person) -> None:
        """Who could not open the epoch names bob, nobody loses the room, and one commit repairs it."""
        before = self.state(self.alice)
        epoch = room_of(self.alice, "plans").head.epoch
        for person in (self.alice, self.bob, self.carol):
            person.client.send("plans", f"by {person.name}")
        self.world.settle(40)
        for person in (self.alice, self.carol):
            named = [event.by for event in person.events(KeysBroken)]
            self.assertEqual(["bob1"] if person in broken else [], named, person.name)
        self.assertEqual(epoch + 1, room_of(self.alice, "plans").head.epoch)
        self.assertEqual(before, self.state(self.alice))
        for number, person in enumerate((self.alice, self.bob, self.carol)):
            person.say("plans", f"again {number}")
        for person in (self.alice, self.bob, self.carol):
            texts = [text for _, text in person.texts("plans")]
            self.assertEqual(["again 0", "again 1", "again 2"], texts[-3:], person.name)
            self.assertEqual([], alarms(person), person.name)
            self.assertIs(Keys.HELD, room_of(person, "plans").row.keys)  # type: ignore[union-attr]

    def test_two_secrets(self) -> None:
        """Carol is given another secret than alice: she notices by the confirmation."""
        leaf = entry_of(room_of(self.carol, "plans"), "carol1").leaf
        bad = BadCommitter(self, self.bob, lambda secret, to: sha256(secret) if to == leaf else secret)
        self.bob.do(self.bob.room("plans").rotate())
        bad.on = False
        self.repaired(self.carol)

    def test_wrong_confirmation(self) -> None:
        """The confirmation is wrong for all: everybody notices, and one of them repairs it."""
        bad = BadCommitter(self, self.bob, edit=lambda tbs: replace(tbs, confirmation=bytes(32)))
        self.bob.do(self.bob.room("plans").rotate())
        bad.on = False
        self.repaired(self.alice, self.carol)

    def test_heads_that_there_are_not(self) -> None:
        """A committer who claims to have seen more of a sender than was ever sent frightens nobody."""
        leaf = entry_of(room_of(self.carol, "plans"), "alice1").leaf
        heads = (SenderHead(leaf, 4_000_000_000),)
        BadCommitter(self, self.bob, edit=lambda tbs: replace(tbs, heads=heads))
        Deferred.fromCoroutine(self.bob.room("plans").rotate()).addErrback(lambda _: None)
        self.world.settle(3)
        self.assertEqual([], self.alice.events(MessagesMissing) + self.carol.events(MessagesMissing))

    def test_healed_by_one(self) -> None:
        """Where everybody sets out to repair it in the same moment, one commit does; the others have nothing to do then."""
        for person in (self.alice, self.carol):
            self.patch(engine_of(person).context, "chance", lambda _: 1.0)
        bad = BadCommitter(self, self.bob, edit=lambda tbs: replace(tbs, confirmation=bytes(32)))
        self.bob.do(self.bob.room("plans").rotate())
        bad.on = False
        self.repaired(self.alice, self.carol)

    def test_bad_for_all(self) -> None:
        """All wraps hold something else."""
        bad = BadCommitter(self, self.bob, lambda secret, to: sha256(secret, bytes([to])))
        self.bob.do(self.bob.room("plans").rotate())
        bad.on = False
        self.repaired(self.alice, self.carol)

    def test_healed_after_a_lost_connection(self) -> None:
        """Who cannot open the epoch, and is cut off before they have repaired it, repairs it when they are back."""
        leaf = entry_of(room_of(self.carol, "plans"), "carol1").leaf
        bad = BadCommitter(self, self.bob, lambda secret, to: sha256(secret) if to == leaf else secret)
        self.bob.do(self.bob.room("plans").rotate())
        bad.on = False
        self.alice.say("plans", "carol cannot read this")
        self.assertEqual(["bob1"], [event.by for event in self.carol.events(KeysBroken)])
        self.world.server.up = False
        self.world.server.cut()
        self.world.settle(45)
        self.world.server.up = True
        self.world.settle(120)
        self.assertTrue(self.carol.online)
        self.carol.say("plans", "back")
        self.assertEqual(("carol1", "back"), self.alice.texts("plans")[-1])

    def test_healed_after_a_refusal(self) -> None:
        """A repairing rotation that the server refuses for now is tried again."""
        leaf = entry_of(room_of(self.carol, "plans"), "carol1").leaf
        bad = BadCommitter(self, self.bob, lambda secret, to: sha256(secret) if to == leaf else secret)
        self.bob.do(self.bob.room("plans").rotate())
        bad.on = False

        def refuse(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.Lease):
                return [messages.Error(message.label, "busy", retryable=True, after_seconds=1.0)]
            return [message]

        self.tap.edit = refuse
        self.alice.say("plans", "carol cannot read this")
        self.world.settle(40)
        self.tap.edit = lambda message: (message,)
        self.world.settle(700)  # the server thinks that she let a lease lapse
        self.carol.say("plans", "back")
        self.assertEqual(("carol1", "back"), self.alice.texts("plans")[-1])


class ForkTests(RoomAttackCase):
    """The server keeps two halves of a room apart."""

    def test_private(self) -> None:
        """Two halves that took different commits cannot read each other, and each finds out by the other's commit."""
        self.tap.edit = lambda message: () if isinstance(message, messages.Event) else (message,)
        self.alice.do(self.alice.room("plans").rotate())
        self.alice.say("plans", "for one half")
        said = self.tap.events("plans")[-1]
        mine = forged_commit(self.carol, "plans", self.state_before)
        self.tap.post("plans", mine.encoded, "carol1", EventKind.COMMIT)
        self.tap.post("plans", said.body, "alice1")
        self.assertNotIn("for one half", [text for _, text in self.carol.texts("plans")])
        self.assertEqual(["false_keys"], alarms(self.carol))  # the server has none for her
        self.alice.do(self.alice.room("plans").rotate())
        self.tap.post("plans", self.tap.events("plans")[-1].body, "alice1", EventKind.COMMIT)
        self.assertEqual("bad_commit", alarms(self.carol)[-1])

    def test_kept_back(self) -> None:
        """Who is kept from a removal reads nothing that is said after it, and what they say is not taken as stored."""
        self.tap.edit = drop_commits
        self.alice.do(self.alice.room("plans").kick("bob1"))
        self.alice.say("plans", "without bob")
        self.assertNotIn("without bob", [text for _, text in self.carol.texts("plans")])
        acknowledged: list[object] = []
        self.carol.client.send("plans", "bob, are you there?").addCallbacks(acknowledged.append, lambda _: None)
        self.world.settle(3)
        self.assertEqual([], acknowledged)
        self.assertNotIn("bob, are you there?", [text for _, text in self.bob.texts("plans")])


class ConsentTests(RoomAttackCase):
    """Nobody is put into a room without being asked (docs/rooms.rst 5.7)."""

    def test_public_room(self) -> None:
        """Also where the room is public, and the one who brings somebody in is allowed to."""
        self.alice.do(self.alice.client.create_room("club", public=True))
        self.alice.do(self.alice.room("club").invite("dora1"))
        self.world.settle(2)
        self.assertEqual([("club", "alice1")], [(event.room, event.by) for event in self.dora.events(RoomOffered)])
        self.assertTrue(self.dora.room("club").offered)


class LeaseTests(RoomAttackCase):
    """Somebody keeps others from committing."""

    def test_queue_of_one(self) -> None:
        """Who asks for a room's lease many times, and commits nothing, holds the others up once and not each time."""
        lobby = room_of(self.bob, "lobby").room_id
        for _ in range(20):
            engine_of(self.bob).requests.ask(messages.BeginCommit, room=lobby).addErrback(lambda _: None)
        self.world.run()
        self.alice.do(self.alice.room("lobby").rotate())  # within two minutes

    def test_given_back(self) -> None:
        """A commit that fails on our side, or whose wraps are refused, does not keep the lease until it lapses."""
        steps = ["keys came", "wraps are refused"]

        def refuse(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if len(steps) == 2 and isinstance(message, messages.Keys):
                steps.pop()
            elif len(steps) == 1 and isinstance(message, messages.Ok):
                steps.pop()
                return [messages.Error(message.label, "quota")]
            return [message]

        self.tap.edit = refuse
        self.assertRaises(ChatError, self.carol.do, self.carol.room("plans").rotate())
        self.carol.do(self.carol.room("plans").rotate())
        self.alice.do(self.alice.room("plans").rotate())


class StalledTests(RoomAttackCase):
    """The server does not carry out what somebody has done."""

    def kicks(self) -> list[object]:
        """Alice puts bob out of the room."""
        done: list[object] = []
        Deferred.fromCoroutine(self.alice.room("plans").kick("bob1")).addBoth(done.append)
        self.world.settle(2)
        return done

    def test_commit_kept_back(self) -> None:
        """A removal that is taken and never comes is told of, once, with the room: until then bob reads on."""
        tap = Tap(self.alice, drop_commits)
        done = self.kicks()
        self.world.settle(50)
        self.assertEqual([], alarms(self.alice))
        self.world.settle(80)
        self.assertEqual([Alarm("commit_stalled", "plans")], self.alice.events(Alarm))
        self.assertEqual([], done)
        tap.edit = lambda message: (message,)
        self.world.server.cut()
        self.world.settle(10)

    def test_no_turn(self) -> None:
        """So is one that never gets its turn."""
        self.patch(committer, "URGENT_SECONDS", 60.0)
        tap = Tap(self.alice, lambda message: () if isinstance(message, messages.Lease) else (message,))
        self.kicks()
        self.world.settle(50)
        self.assertEqual([], alarms(self.alice))
        self.world.settle(30)
        self.assertEqual([Alarm("commit_stalled", "plans")], self.alice.events(Alarm))
        tap.edit = lambda message: (message,)
        self.world.server.cut()
        self.world.settle(10)

    def test_carried_out(self) -> None:
        """One that is carried out is not."""
        self.patch(committer, "URGENT_SECONDS", 60.0)
        self.kicks()
        self.world.settle(130)
        self.assertEqual([], alarms(self.alice))
        self.assertNotIn("bob1", [member.user for member in self.alice.room("plans").members()])


class LeftTests(RoomAttackCase):
    """What a server may say of a room that is not so."""

    def test_leave_while_nobody_is_there(self) -> None:
        """Who leaves while nobody else is there is taken off the keys as soon as somebody is."""
        self.alice.leave_the_machine()
        self.carol.leave_the_machine()
        self.bob.do(self.bob.room("plans").leave())
        self.world.settle(2)
        self.alice.come_back()
        with_certificates(self.alice)
        self.world.settle(30)
        self.assertEqual(["alice1", "carol1"], [entry.user for entry in self.state(self.alice).roster])

    def test_removal_in_a_gap(self) -> None:
        """Who misses the commit of their own removal, and gets the next one, is told that they are out."""
        dropped: list[messages.ServerMessage] = []

        def edit(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.Event) and message.kind == EventKind.COMMIT:
                dropped.append(message)
                return []
            return [message]

        self.tap.edit = edit
        self.alice.do(self.alice.room("plans").kick("carol1"))
        self.alice.do(self.alice.room("plans").rotate())
        event = self.world.server.store._rooms._rooms[room_of(self.alice, "plans").room_id].events[-1]
        self.tap.edit = lambda message: (message,)

        def chain(message: messages.ServerMessage) -> list[messages.ServerMessage]:
            if isinstance(message, messages.Error):  # of our get_room: the honest server does not answer her any more
                bodies = [each.body for each in dropped if isinstance(each, messages.Event)]
                return [messages.Chain(message.label, 9, tuple(bodies))]
            return [message]

        self.tap.edit = chain
        self.tap.send(messages.Event(event.room_id, event.seq, event.at_ms, "alice1", EventKind.COMMIT, event.body))
        self.world.settle(2)
        self.assertEqual(["lobby"], self.carol.client.rooms)
        self.assertEqual(1, len(self.carol.events(RoomLeft)))
        self.assertRaises(NotMember, self.carol.client.send, "plans", "hello?")

    def test_room_closed(self) -> None:
        """A server that says the room is closed is found out, and takes nobody's messages away from them."""
        self.tap.send(messages.RoomClosed(room_of(self.carol, "plans").room_id))
        self.assertEqual([Alarm("room_withheld", "plans")], self.carol.events(Alarm))
        self.assertEqual([], self.carol.events(RoomLeft))
        self.assertEqual(["first"], [event.text for event in self.carol.events(MessageReceived)])

    def test_room_ended_for_one(self) -> None:
        """A server that says in its log that it has ended a room, and goes on with the others, is found out by them."""
        room_id = room_of(self.carol, "plans").room_id
        log_leaf(self.world, removal_leaf(server_id(), room_id, ZEROS, self.world.server.now_ms()))
        self.tap.send(messages.RoomClosed(room_id, self.world.server.context.log.size))
        self.world.settle(5)
        self.assertEqual([RoomLeft("plans", closed=True)], self.carol.events(RoomLeft))
        self.world.settle(70)
        self.assertEqual(["room_forked"], [alarm.what for alarm in self.alice.events(Alarm)])

    def test_room_ended_for_one_later(self) -> None:
        """The word of the log takes the alarm back, however late; with it the server is found out by the others."""
        room_id = room_of(self.carol, "plans").room_id
        self.tap.send(messages.RoomClosed(room_id))
        self.world.settle(5)
        self.assertEqual([Alarm("room_withheld", "plans")], self.carol.client.troubles())
        log_leaf(self.world, removal_leaf(server_id(), room_id, ZEROS, self.world.server.now_ms()))
        self.world.settle(5)
        self.assertEqual([RoomLeft("plans", closed=True, warned=True)], self.carol.events(RoomLeft))
        self.assertEqual([], self.carol.client.troubles())
        self.world.settle(70)
        self.assertEqual(["room_forked"], [alarm.what for alarm in self.alice.events(Alarm)])

    def test_other_leaves_do_not_end_a_room(self) -> None:
        """Neither the end of another room nor that of a name: it stays withheld."""
        room_id, now_ms = room_of(self.carol, "plans").room_id, self.world.server.now_ms()
        self.tap.send(messages.RoomClosed(room_id))
        log_leaf(self.world, removal_leaf(server_id(), bytes(16), ZEROS, now_ms))
        log_leaf(self.world, room_leaf(server_id(), "plans", room_id, ZEROS, now_ms))
        self.world.settle(5)
        self.assertEqual(["room_withheld"], [alarm.what for alarm in self.carol.events(Alarm)])
        self.assertEqual([], self.carol.events(RoomLeft))

    def test_room_ended_unlogged(self) -> None:
        """Without such a leaf it is withheld, whatever length of the log is named."""
        room_id = room_of(self.carol, "plans").room_id
        self.tap.send(messages.RoomClosed(room_id, self.world.server.context.log.size))
        self.world.settle(5)
        self.assertEqual(["room_withheld"], [alarm.what for alarm in self.carol.events(Alarm)])
        self.assertEqual([], self.carol.events(RoomLeft))
