"""The signed statement behind each revocation in the log: what whole clients make of true and of false ones."""

from collections.abc import Iterable

from twisted.internet.defer import Deferred

from chatserv.client.events import Alarm
from chatserv.client.state.context import Interrupted
from chatserv.client.verification import revocations
from chatserv.client.verification.revocations import CHECKED, FalseRevocation
from chatserv.crypto.log_leaves import LeafType, user_leaf
from chatserv.crypto.statements import Revocation, make_revocation
from chatserv.crypto.suite import sha256
from chatserv.testing.memory_server import NOW_MS, keyring, rsa_key, server_id
from chatserv.testing.world import Person
from chatserv.wire import messages
from tests.client.attackers import (
    AttackCase,
    Tap,
    alarms,
    as_it_is,
    engine_of,
    idle_leaf,
    log_leaf,
    revocation_of,
    room_of,
)


class StatementCase(AttackCase):
    """Alice, Bob and Carol in a private room; Bob's device is what the log is about."""

    def setUp(self) -> None:
        """The room."""
        super().setUp()
        self.private_room(self.bob, self.carol)

    def strike(
        self, statement: bytes, logged: bytes | None = None, *, user: str = "bob1", subject: bytes = b""
    ) -> None:
        """The server logs that Bob's device is revoked.

        Args:
            statement: What it gives as the statement; empty: nothing.
            logged: What the leaf holds the hash of, if that is something else.
            user: Whose device it says that this is.
            subject: Another certificate's hash than that of Bob's.
        """
        said = statement if logged is None else logged
        named = subject or sha256(keyring("bob1").certificate)
        log_leaf(self.world, user_leaf(LeafType.REVOKE, server_id(), user, named, said, NOW_MS), statement)

    def checked(self, person: Person) -> int:
        """How much of the log a person's client has gone through, as it remembers."""
        return int.from_bytes(engine_of(person).context.vault.facts.get(CHECKED) or b"", "big")

    def size(self) -> int:
        """How many leaves the log has."""
        return self.world.server.context.log.size

    def silent(self, person: Person) -> None:
        """Nothing that this person says is sent."""
        acknowledged: list[object] = []
        person.client.send("plans", "is this wise?").addCallbacks(acknowledged.append, lambda _: None)
        self.world.settle(5)
        self.assertEqual([], acknowledged)
        self.assertNotIn("is this wise?", [text for _, text in self.alice.texts("plans")])

    def found_false(self) -> None:
        """Alice and Carol are told once, and Carol sends nothing."""
        self.world.settle(2)
        for person in (self.alice, self.carol):
            self.assertEqual(["false_statement"], alarms(person), person.name)
        self.silent(self.carol)


class TrueTests(StatementCase):
    """Revocations that their users signed."""

    def test_honest(self) -> None:
        """A device that its owner ends goes out of rooms, and nobody is alarmed."""
        self.bob.do(self.bob.client.people.revoke(keyring("bob1").device_id))
        size = self.size()
        self.world.settle(60)
        self.nobody_alarmed(self.alice, self.carol)
        for person in (self.alice, self.carol):
            self.assertGreaterEqual(self.checked(person), size)
            state = room_of(person, "plans").state
            assert state is not None
            self.assertFalse(state.devices_of("bob1"))
        self.assertEqual([], alarms(self.bob))  # it was his own wish
        self.carol.say("plans", "without bob's device")

    def test_own(self) -> None:
        """The own device's end is told as that, and as nothing else, while the connection lasts; it renews no identity."""
        ring = self.bob.client.keyring
        self.strike(revocation_of(self.bob))
        size = self.size()  # others log a commit without him when they get to it
        self.world.settle(2)
        self.assertEqual(["device_revoked"], alarms(self.bob))
        self.assertGreaterEqual(self.checked(self.bob), size)
        self.world.settle(60)
        self.assertEqual(["device_revoked"], alarms(self.bob))
        self.assertEqual(ring, self.bob.client.keyring)
        self.assertEqual((), self.bob.client.devices.rotation_open)

    def test_asked_once(self) -> None:
        """What was checked is not asked for again after a restart, and what came since is."""
        self.strike(revocation_of(self.bob))
        self.world.settle(2)
        self.carol.leave_the_machine()
        for again in (False, True):
            if again:
                self.strike(revocation_of(self.bob))
            tap = self.started()
            found = [each for each in tap.seen if isinstance(each, messages.StatementFound)]
            self.assertEqual(int(again), len(found))
            self.carol.leave_the_machine()
        self.assertEqual([], alarms(self.carol))

    def started(self) -> Tap:
        """Carol starts her program again."""
        self.carol.told.clear()
        self.carol.client = self.carol._make(follow=True)
        tap = Tap(self.carol)
        self.carol.client.start()
        self.world.settle()
        return tap

    def test_long_log(self) -> None:
        """A log of many pages is gone through to its end, and where that is, is remembered page by page."""
        self.patch(revocations, "PAGE_LEAVES", 2)
        self.carol.leave_the_machine()
        for number in range(4):
            log_leaf(self.world, idle_leaf(str(number)))
        self.strike(revocation_of(self.bob))
        revoked = self.size()
        log_leaf(self.world, idle_leaf("more"))
        self.carol.come_back()
        self.assertGreaterEqual(self.checked(self.carol), revoked)
        log_leaf(self.world, idle_leaf("and more"))
        self.assertGreaterEqual(self.checked(self.carol), self.size() - 1)
        self.assertEqual([], alarms(self.carol))

    def test_busy(self) -> None:
        """A server that has no time is asked again."""
        refused: list[messages.ServerMessage] = []

        def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
            if isinstance(message, messages.StatementFound) and len(refused) < 3:
                refused.append(message)
                return (messages.Error(message.label, "busy", retryable=True, after_seconds=2),)
            return (message,)

        Tap(self.carol, edit)
        self.strike(revocation_of(self.bob))
        index = self.size()
        self.world.settle(3)
        self.assertLess(self.checked(self.carol), index)
        self.world.settle(6)
        self.assertEqual(3, len(refused))
        self.assertGreaterEqual(self.checked(self.carol), index)
        self.assertEqual([], alarms(self.carol))


class FalseTests(StatementCase):
    """Revocations that the server made up."""

    def test_withheld(self) -> None:
        """The server says that it has no statement."""
        self.strike(b"", revocation_of(self.bob))
        self.found_false()

    def test_signed_by_another(self) -> None:
        """The statement is signed by another key than the one that signed the certificate."""
        ring = keyring("bob1")
        said = Revocation(ring.device_id, sha256(ring.certificate), NOW_MS, 0)
        self.strike(make_revocation(said, rsa_key("identity of the server's choice")))
        self.found_false()

    def test_of_another_device(self) -> None:
        """The statement is a true one, of another device."""
        self.strike(revocation_of(self.carol))
        self.found_false()

    def test_of_another_user(self) -> None:
        """Certificate and statement are true, but the leaf is about somebody else."""
        self.strike(revocation_of(self.bob), user="carol1")
        self.found_false()

    def test_other_hash(self) -> None:
        """The statement is true, and not the one that was logged."""
        self.strike(revocation_of(self.bob), b"something else")
        self.found_false()

    def test_unknown_certificate(self) -> None:
        """There is no such certificate."""
        self.strike(revocation_of(self.bob), subject=sha256(b"ghost"))
        self.found_false()

    def test_no_statement_at_all(self) -> None:
        """The statement is no Revocation, however short or long."""
        for statement in (b"x", bytes(443), revocation_of(self.bob) + b"x"):
            self.strike(statement)
        self.found_false()

    def test_other_reply(self) -> None:
        """A reply of another kind is no statement."""

        def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
            return (messages.Ok(message.label) if isinstance(message, messages.StatementFound) else message,)

        Tap(self.carol, edit)
        self.strike(revocation_of(self.bob))
        self.world.settle(2)
        self.assertEqual(["false_statement"], alarms(self.carol))
        self.assertEqual([], alarms(self.alice))

    def test_remembered(self) -> None:
        """A program that is started again still tells it, and sends nothing, though the leaf is not asked about again."""
        self.strike(b"", revocation_of(self.bob))
        self.world.settle(2)
        (told,) = self.carol.events(Alarm)
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.assertEqual([told], self.carol.events(Alarm))
        self.silent(self.carol)

    def test_remembered_with_two_logs(self) -> None:
        """Two proofs are both remembered."""
        self.strike(b"", revocation_of(self.bob))
        self.world.settle(2)
        engine_of(self.carol).auditor.fork("two logs")
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.assertEqual(["log_forked", "false_statement"], alarms(self.carol))

    def test_while_away(self) -> None:
        """What was made up while the program did not run is found when it does."""
        self.carol.leave_the_machine()
        self.strike(b"", revocation_of(self.bob))
        self.carol.come_back()
        self.assertEqual(["false_statement"], alarms(self.carol))
        self.silent(self.carol)


class InterruptedTests(StatementCase):
    """The answer does not come."""

    def without_answer(self) -> Tap:
        """Carol's server does not answer when she asks for statements or certificates."""

        def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
            return () if isinstance(message, messages.StatementFound | messages.Certificates) else (message,)

        return Tap(self.carol, edit)

    def lost(self, statement: bytes) -> None:
        """The connection is lost after the question, and comes back."""
        tap = self.without_answer()
        self.strike(statement)
        index = self.size()
        self.world.settle(2)
        self.assertTrue([each for each in tap.seen if isinstance(each, messages.StatementFound)])
        self.assertLess(self.checked(self.carol), index)
        self.world.server.cut()
        self.assertEqual([], alarms(self.carol))
        tap.edit = as_it_is
        self.world.settle(8)
        self.assertGreaterEqual(self.checked(self.carol), index)

    def test_lost_and_true(self) -> None:
        """After the next connection it is asked for again."""
        self.lost(revocation_of(self.bob))
        self.assertEqual([], alarms(self.carol))

    def test_lost_and_false(self) -> None:
        """So it is where there is something to be found."""
        self.lost(revocation_of(self.carol))
        self.assertEqual(["false_statement"], alarms(self.carol))

    def test_silence(self) -> None:
        """A server that never answers is told of, once; that is no proof, and messages go on."""
        self.without_answer()
        self.strike(revocation_of(self.bob))
        self.world.settle(500)
        self.assertEqual([], alarms(self.carol))
        self.world.settle(150)
        self.assertEqual(["log_withheld"], alarms(self.carol))
        self.carol.say("plans", "still here")

    def test_patience_with_each(self) -> None:
        """Every statement has its ten minutes, however long ago others were asked for."""
        self.strike(revocation_of(self.bob))
        self.world.settle(550)
        self.without_answer()
        self.strike(revocation_of(self.bob))
        self.world.settle(100)
        self.assertEqual([], alarms(self.carol))
        self.world.settle(550)
        self.assertEqual(["log_withheld"], alarms(self.carol))

    def test_put_off_for_ever(self) -> None:
        """So is one that never has the time."""

        def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
            if isinstance(message, messages.StatementFound):
                return (messages.Error(message.label, "busy", retryable=True, after_seconds=60),)
            return (message,)

        Tap(self.carol, edit)
        self.strike(revocation_of(self.bob))
        self.world.settle(650)
        self.assertEqual(["log_withheld"], alarms(self.carol))


class CommitTests(StatementCase):
    """What a revocation asks for waits until it is known to be true."""

    def setUp(self) -> None:
        """A room of Carol and Bob alone, so that nobody else commits there."""
        super().setUp()
        self.carol.do(self.carol.client.create_room("two"))
        self.carol.do(self.carol.room("two").invite("bob1"))
        self.world.settle()
        self.bob.room("two").accept()
        self.world.settle(2)

    def devices_of_bob(self) -> int:
        """How many devices of his are in it, as Carol has it."""
        state = room_of(self.carol, "two").state
        assert state is not None
        return len(state.devices_of("bob1"))

    def test_waits(self) -> None:
        """While the statement does not come, nothing is committed, by Carol's wish neither, and nothing is sent."""

        def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
            return () if isinstance(message, messages.StatementFound) else (message,)

        tap = Tap(self.carol, edit)
        self.strike(revocation_of(self.bob))
        done: list[object] = []
        self.carol.client.send("two", "alone?").addCallbacks(done.append, lambda _: None)
        rotating = Deferred.fromCoroutine(self.carol.room("two").rotate())
        rotating.addBoth(done.append)
        self.world.settle(100)
        self.assertEqual((self.devices_of_bob(), done), (1, []))
        tap.edit = as_it_is
        self.world.server.cut()
        self.world.settle(70)
        self.assertEqual(self.devices_of_bob(), 0)
        self.assertEqual(len(done), 2)
        self.assertEqual(alarms(self.carol), [])

    def test_stopped(self) -> None:
        """A program that ends meanwhile leaves no commit hanging: each is told that it was not made."""
        Tap(self.carol, lambda message: () if isinstance(message, messages.StatementFound) else (message,))
        self.strike(revocation_of(self.bob))
        done: list[object] = []
        for _ in range(2):
            rotating = Deferred.fromCoroutine(self.carol.room("two").rotate())
            rotating.addErrback(lambda failure: done.append(failure.type))
        self.world.settle(5)
        self.assertEqual(done, [])
        self.carol.leave_the_machine()
        self.assertEqual(len(done), 2)
        self.assertTrue(all(issubclass(each, Interrupted) for each in done), done)  # type: ignore[arg-type]

    def test_false(self) -> None:
        """A device that a lying server has ended stays, as far as it is up to Carol: she has no part in any change."""
        self.strike(b"", revocation_of(self.bob))
        self.world.settle(100)
        self.assertRaises(FalseRevocation, self.carol.do, self.carol.room("two").rotate())
        self.assertEqual(self.devices_of_bob(), 1)
        self.carol.leave_the_machine()
        self.carol.come_back()
        self.assertRaises(FalseRevocation, self.carol.do, self.carol.room("two").rotate())

    def test_others_were_faster(self) -> None:
        """What somebody else has committed meanwhile is taken in: members who know different things stay together."""

        def edit(message: messages.ServerMessage) -> Iterable[messages.ServerMessage]:
            return () if isinstance(message, messages.StatementFound) else (message,)

        Tap(self.carol, edit)
        self.strike(revocation_of(self.bob))
        self.world.settle(100)
        for person in (self.alice, self.carol):
            state = room_of(person, "plans").state
            assert state is not None
            self.assertFalse(state.devices_of("bob1"), person.name)
        self.carol.say("plans", "the two of us")
