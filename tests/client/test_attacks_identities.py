"""Identities that the server changes: whole clients against rows in the server's tables (docs/crypto.rst 5)."""

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric import rsa

from chatserv.client.events import Alarm, DeviceSeen, IdentityChanged, MessageEdited, MessageReceived, SendHeld
from chatserv.client.slash.formatting import message_line, quotation
from chatserv.crypto.bodies import Delete, Edit, Text, encode_body
from chatserv.crypto.commits import Add, Remove
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.room_state import RosterEntry, State
from chatserv.crypto.safety import safety_number
from chatserv.crypto.statements import make_rotation
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.errors import KeyChanged
from chatserv.models import EventKind
from chatserv.testing.memory_server import NOW_MS, keyring, rsa_key, server_id
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import (
    GHOST_KEY,
    AttackCase,
    Ghost,
    Tap,
    alarms,
    as_it_is,
    engine_of,
    entry_of,
    forged_commit,
    log_leaf,
    revocation_of,
    room_of,
    say_anything,
)


class GhostCase(AttackCase):
    """Alice, Bob and Carol in a private room, and a ghost who is to pass for Bob."""

    def setUp(self) -> None:
        """The room."""
        super().setUp()
        self.private_room(self.bob, self.carol)
        self.ghost = Ghost(self.world, "bob1")

    def signed(self) -> bytes:
        """What Bob signs where he really gives his identity up for the other one."""
        return make_rotation(keyring("bob1").load_identity(), rsa_key(GHOST_KEY), NOW_MS)

    def rotate(self) -> None:
        """Bob gives his identity up, and an honest server has checked what he signed."""
        self.ghost.log(LeafType.ROTATE, self.signed())
        facts = self.world.server.context.log.facts
        (rotation,) = facts.undecided(facts.size)
        facts.decide(rotation, signed=True)

    def roster(self, person: Person, room: str = "plans") -> list[tuple[str, bytes]]:
        """Who is in a room with which device, as somebody has it."""
        state = room_of(person, room).state
        assert state is not None
        return [(entry.user, entry.device_id) for entry in state.roster]

    def keeps_out(self) -> None:
        """The ghost is not in the room for anybody; where everybody may come and speak, it is marked as who it is not."""
        for person in (self.alice, self.carol):
            self.assertNotIn(("bob1", self.ghost.keyring.device_id), self.roster(person), person.name)
            self.assertFalse([event for event in person.events(DeviceSeen) if event.user == "bob1"])
            said = [event for event in person.events(MessageReceived) if event.sender == "bob1"]
            self.assertEqual([("lobby", True)] * len(said), [(event.room, event.identity_changed) for event in said])


class UnsignedTests(GhostCase):
    """A leaf of type 4 that Bob never signed, a device under the new key, and a row for it."""

    def test_ghost(self) -> None:
        """The operator walks into a private room as an existing member: nobody adds the ghost, it cannot add itself,
        nothing that it says is shown, and everybody knows that the server lies.
        """
        self.ghost.log()
        ghost = self.ghost.appear()
        self.world.settle(60)
        for room in ghost.client.rooms:
            ghost.client.send(room, "this is bob, what is the plan?").addErrback(lambda _: None)
        self.world.settle(10)
        self.keeps_out()
        for person in (self.alice, self.carol):
            self.assertEqual(["false_rotation"], alarms(person), person.name)
            self.assertEqual([IdentityChanged("bob1", was_verified=False)], person.events(IdentityChanged))

    def test_nothing_is_sent(self) -> None:
        """The proof holds everything that is to be sent, in all rooms, also after a restart."""
        self.ghost.log()
        self.world.settle(2)
        for again in (False, True):
            if again:
                self.carol.leave_the_machine()
                self.carol.come_back()
                self.assertEqual(["false_rotation"], alarms(self.carol))
            for room in ("plans", "lobby"):
                acknowledged: list[object] = []
                self.carol.client.send(room, "is this wise?").addCallbacks(acknowledged.append, lambda _: None)
                self.world.settle(3)
                self.assertEqual([], acknowledged)

    def test_found_after_a_restart(self) -> None:
        """Tables that are changed while nobody is there are found by the first client that comes back."""
        self.carol.leave_the_machine()
        self.ghost.log()
        self.carol.come_back()
        self.assertEqual(["false_rotation"], alarms(self.carol))

    def test_server_restarted(self) -> None:
        """The server itself, started over such tables, refuses the commit of a ghost."""
        self.ghost.log()
        self.world.server.restart()
        ghost = self.ghost.appear()
        self.world.settle(60)
        self.assertEqual([], [room for room in ghost.client.rooms if room == "plans"])
        self.keeps_out()

    def test_statements_that_are_none(self) -> None:
        """Whatever the server gives for a statement: what was not logged, of another's keys, by one key alone, nothing."""
        old, new, other = keyring("bob1").load_identity(), rsa_key(GHOST_KEY), rsa_key("somebody")
        true = make_rotation(old, new, NOW_MS)
        swapped = true[:-768] + true[-384:] + true[-768:-384]
        for number, (statement, logged) in enumerate(
            (
                (b"", true),
                (true, b"something else"),
                (make_rotation(other, new, NOW_MS), None),
                (make_rotation(old, other, NOW_MS), None),
                (swapped, None),
                (true[:-384] + make_rotation(other, new, NOW_MS)[-384:], None),
                (b"x", None),
                (true + b"x", None),
            )
        ):
            with self.subTest(number=number):
                self.setUp()
                self.ghost.log(LeafType.ROTATE, statement, logged)
                self.world.settle(2)
                self.assertEqual(["false_rotation"], alarms(self.carol))

    def test_carried_in_by_a_member(self) -> None:
        """A member who works for the server cannot carry the ghost in: everybody else validates that commit alike."""
        room = room_of(self.alice, "plans")
        assert room.state is not None
        self.ghost.log()
        before, old = room.state, entry_of(room, "bob1")
        ghost = RosterEntry(before.next_leaf, "bob1", self.ghost.keyring.device_id, sha256(self.ghost.certificate))
        roster = (*(entry for entry in before.roster if entry != old), ghost)
        after = State(before.next_leaf + 1, before.policy, before.members, roster)
        commit = forged_commit(self.alice, "plans", after, Remove(old.leaf), Add(ghost))
        Tap(self.carol).post("plans", commit.encoded, kind=EventKind.COMMIT)
        self.assertIn(("bad_commit", "alice1"), [(alarm.what, alarm.user) for alarm in self.carol.events(Alarm)])
        self.assertNotIn(("bob1", ghost.device_id), self.roster(self.carol))

    def test_struck(self) -> None:
        """Whoever commits next strikes Bob: he is to be taken in again, by somebody who has asked him."""
        self.ghost.log()
        self.world.settle(60)
        for person in (self.alice, self.carol):
            self.assertNotIn("bob1", [user for user, _ in self.roster(person)])
        self.assertEqual(self.roster(self.alice), self.roster(self.carol))

    def test_accused(self) -> None:
        """The alarm names whose identity it is about, and says that the server made it up."""
        self.ghost.log()
        self.world.settle(2)
        (alarm,) = self.carol.events(Alarm)
        self.assertTrue(alarm.detail.startswith("bob1, leaf "), alarm)


class WithheldTests(GhostCase):
    """The statement does not come."""

    def late(self, until: int) -> Tap:
        """Carol's server has no time for statements, so often."""
        refused: list[object] = []

        def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
            if isinstance(message, messages.StatementFound) and len(refused) < until:
                refused.append(message)
                return (messages.Error(message.label, "busy", retryable=True, after_seconds=2),)
            return (message,)

        return Tap(self.carol, edit)

    def test_nobody_is_added_before_it_is_known(self) -> None:
        """Until it has the statement, a client plans and validates no commit that it has a part in, and sends nothing."""
        tap = self.late(10**6)
        self.rotate()
        self.world.settle(5)
        acknowledged: list[object] = []
        self.carol.client.send("plans", "who is here?").addCallbacks(acknowledged.append, lambda _: None)
        self.world.settle(30)
        self.assertEqual([], acknowledged)
        self.assertEqual([], alarms(self.carol))
        self.assertNotIn(("bob1", self.ghost.keyring.device_id), self.roster(self.carol))
        self.world.settle(600)
        self.assertEqual(["log_withheld"], alarms(self.carol))
        tap.edit = as_it_is
        self.world.settle(30)
        self.assertEqual(1, len(acknowledged))

    def test_late(self) -> None:
        """A true statement that comes late costs nothing but the wait."""
        self.late(3)
        self.rotate()
        sent = self.carol.client.send("plans", "who is here?")
        self.carol.do(sent)
        self.assertEqual([], alarms(self.carol))
        self.assertEqual([], self.carol.events(SendHeld))


class SignedTests(GhostCase):
    """Bob has a new identity, and says so with the old one."""

    def test_rotation(self) -> None:
        """He stays in his rooms, his pin goes along and is still verified, his device comes in, and nobody is alarmed."""
        self.carol.client.people.mark_verified("bob1")
        self.bob.leave_the_machine()
        self.rotate()
        bob = self.ghost.appear()
        self.world.settle(60)
        bob.room("plans").accept()
        self.carol.say("plans", "welcome back")
        self.assertIn(("carol1", "welcome back"), bob.texts("plans"))
        bob.say("plans", "it is me")
        self.assertEqual(("bob1", "it is me"), self.carol.texts("plans")[-1])
        self.assertFalse(self.carol.events(MessageReceived)[-1].identity_changed)
        self.assertEqual("verified", self.carol.client.people.trust("bob1"))
        self.assertEqual([IdentityChanged("bob1", True, signed=True)], self.carol.events(IdentityChanged))
        self.nobody_alarmed(self.alice, self.carol)

    def test_remembered(self) -> None:
        """What was found out is known after a restart, without asking."""
        self.rotate()
        self.world.settle(2)
        self.carol.leave_the_machine()
        self.carol.come_back()
        facts = engine_of(self.carol).context.log.facts
        self.assertEqual([], facts.undecided(facts.size))
        self.assertFalse(facts.struck("bob1", 0, facts.size))


class OldKeyTests(GhostCase):
    """Bob has given his identity up, and somebody has the key of before."""

    def setUp(self) -> None:
        """The rotation, which everybody knows of."""
        super().setUp()
        self.rotate()
        self.world.settle(5)

    def end(self, identity: rsa.RSAPrivateKey) -> None:
        """The server logs that Bob's device is at its end, as this key says."""
        statement = revocation_of(self.bob, identity)
        cert_hash = engine_of(self.bob).context.cert_hash
        log_leaf(self.world, user_leaf(LeafType.REVOKE, server_id(), "bob1", cert_hash, statement, NOW_MS), statement)

    def test_devices_stay(self) -> None:
        """Bob's device, certified before, goes on without a new certificate; its words are not marked."""
        self.bob.say("plans", "still me")
        self.assertEqual(("bob1", "still me"), self.carol.texts("plans")[-1])
        self.assertFalse(self.carol.events(MessageReceived)[-1].identity_changed)
        self.alice.do(self.alice.room("plans").rotate())
        self.carol.say("plans", "and you hear us")
        self.assertEqual(("carol1", "and you hear us"), self.bob.texts("plans")[-1])
        self.nobody_alarmed(self.alice, self.carol)

    def test_numbers(self) -> None:
        """A safety number is of the new key, also where it has certified nothing yet."""
        ours = self.carol.do(self.carol.client.people.verification("bob1"))
        new = rsa_spki(rsa_key(GHOST_KEY).public_key())
        expected = safety_number((keyring("carol1").identity_spki(), "carol1"), (new, "bob1"), server_id())
        self.assertEqual(expected, ours.number)

    def test_revokes(self) -> None:
        """A server that takes a revocation by the key of before is found by everybody."""
        self.end(keyring("bob1").load_identity())
        self.world.settle(5)
        for person in (self.alice, self.carol):
            (alarm,) = person.events(Alarm)
            self.assertEqual("false_statement", alarm.what, person.name)
            self.assertTrue(alarm.detail.startswith("bob1, leaf "), alarm)

    def test_new_key_revokes(self) -> None:
        """The key that is in force ends devices that the one before has certified."""
        self.end(rsa_key(GHOST_KEY))
        self.world.settle(60)
        self.assertNotIn("bob1", [user for user, _ in self.roster(self.carol)])
        self.nobody_alarmed(self.alice, self.carol)

    def test_enrols(self) -> None:
        """A device that it certifies comes into no room, and keeps nobody from changing one; Bob is told of it."""
        thief = Ghost(self.world, "bob1", b"a thief's device", keyring("bob1").load_identity())
        thief.certify()
        self.world.settle(5)
        self.alice.do(self.alice.room("plans").rotate())
        self.assertNotIn(("bob1", thief.keyring.device_id), self.roster(self.carol))
        self.assertIn("unknown_device", alarms(self.bob))
        self.nobody_alarmed(self.alice, self.carol)


class ResetTests(GhostCase):
    """An identity that the server resets by its own word, and a device under it in rooms that are open to it."""

    def setUp(self) -> None:
        """The ghost comes to the lobby, as anybody can."""
        super().setUp()
        self.bob.say("lobby", "bob's own words")
        self.ghost.log(LeafType.RESET)
        self.world.settle(60)
        self.spirit = self.ghost.appear()
        self.world.settle(20)

    def said(self, person: Person, text: str) -> MessageReceived:
        """A message as somebody was told of it."""
        return next(event for event in person.events(MessageReceived) if event.text == text)

    def test_marked(self) -> None:
        """What comes from the new identity is marked until it is accepted, in the archive too; what came before is not."""
        self.spirit.say("lobby", "bob here, send me the key")
        for person in (self.alice, self.carol):
            self.assertTrue(self.said(person, "bob here, send me the key").identity_changed, person.name)
            self.assertFalse(self.said(person, "bob's own words").identity_changed, person.name)
        said = self.said(self.carol, "bob here, send me the key")
        for shown in (message_line(said), quotation(said)):
            self.assertIn("(identity changed", shown)
        self.carol.leave_the_machine()
        self.carol.come_back()
        marks = [(each.text, each.identity_changed) for each in self.carol.room("lobby").history(10)]
        self.assertEqual([("bob's own words", False), ("bob here, send me the key", True)], marks)
        self.carol.client.people.accept_identity("bob1")
        self.assertFalse(any(each.identity_changed for each in self.carol.room("lobby").history(10)))

    def test_changes_nothing_of_his(self) -> None:
        """It neither changes nor takes back what Bob has said."""
        target = self.said(self.carol, "bob's own words").message_id
        for body in (Edit(target, Text("something else")), Delete(target)):
            ctype, encoded = encode_body(body)
            say_anything(self.spirit, "lobby", ctype, encoded)
        self.world.settle(2)
        self.assertEqual([], self.carol.events(MessageEdited))
        (first,) = [each for each in self.carol.room("lobby").history(10) if each.message_id == target]
        self.assertEqual(("bob's own words", False), (first.text, first.deleted))

    def test_not_invited(self) -> None:
        """Nobody takes it into a private room who has not accepted it, nor begins direct messages with it."""
        self.assertRaises(KeyChanged, self.alice.do, self.alice.room("plans").invite("bob1"))
        self.assertRaises(KeyChanged, self.alice.do, self.alice.client.direct("bob1"))
        self.alice.client.people.accept_identity("bob1")
        self.alice.do(self.alice.room("plans").invite("bob1"))
        self.assertIn(("bob1", self.ghost.keyring.device_id), self.roster(self.alice))
