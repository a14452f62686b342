"""What the identity key signs: the next identity, the end of devices behind it, the end of the account."""

from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatserv.commands.leaving import close_deserted
from chatserv.commands.table import dispatch
from chatserv.crypto.log_leaves import LeafType
from chatserv.crypto.statements import Gone, Revocation, make_gone, make_revocation, make_rotation
from chatserv.crypto.suite import sha256
from chatserv.domain.roles import Role
from chatserv.wire import messages
from tests.support.server import IDENTITY, START_MS, MemoryClient, WireServer
from tests.support.sessions import flip, rsa_key, spki
from tests.support.smith import code

NEXT, THIRD = "next identity", "third identity"


def rotation(old: str = IDENTITY, new: str = NEXT) -> bytes:
    """What two keys sign."""
    return make_rotation(rsa_key(old), rsa_key(new), START_MS)


class IdentityCase(SynchronousTestCase):
    """Alice, and somebody who watches the log."""

    def setUp(self) -> None:
        """The default limits."""
        self.start()

    def start(self, **limits: Any) -> None:
        """A new server."""
        self.server = WireServer(**limits)
        self.alice, self.bob = self.server.join("alice"), self.server.join("bob")

    def rotate(self, *names: str, client: MemoryClient | None = None) -> str:
        """What comes of a rotation."""
        return code((client or self.alice).ask(messages.Rotate, statement=rotation(*names)))

    def revoke(self, client: MemoryClient, identity: str = IDENTITY) -> Any:
        """Alice says that a device is at its end, by a key."""
        account = client.account
        said = Revocation(account.device_id, account.cert_hash, START_MS, 0)
        return self.alice.ask(messages.Revoke, statement=make_revocation(said, rsa_key(identity)))

    def kinds(self, user: str = "alice") -> list[LeafType]:
        """How the account's identities came."""
        facts = self.server.context.log.facts
        return [identity.kind for identity in facts.identities(user, facts.size)]


class RotateTests(IdentityCase):
    """What `rotate` promises."""

    def test_rotation(self) -> None:
        """It is in the log, for the server and everybody, as a rotation and no break; who has both statements can check."""
        before = self.server.context.log.size
        self.assertEqual("Ok", self.rotate())
        facts = self.server.context.log.facts
        self.assertEqual(([], False), (facts.undecided(facts.size), facts.struck("alice", 0, facts.size)))
        identity = facts.identity("alice", facts.size)
        assert identity is not None
        self.assertEqual((before, sha256(spki(NEXT))), (identity.index, identity.fingerprint))
        found = self.bob.ask(messages.GetStatement, index=before).statement
        self.assertEqual((rotation()[:464], spki(NEXT)), (found[:464], identity.spki(found)))
        self.assertEqual(before + 1, self.server.context.log.covered_size)
        self.assertTrue(self.alice.say("still here"))

    def test_survives(self) -> None:
        """After a restart the server has the same identities, and says so."""
        self.rotate()
        self.server.restart()
        self.assertEqual([LeafType.UIK, LeafType.ROTATE], self.kinds())
        self.assertTrue(self.server.log_in(self.alice.account).authenticated)

    def test_again(self) -> None:
        """Who repeats a request whose answer was lost gets it, and nothing is logged twice."""
        statement = rotation()
        answers = [code(self.alice.ask(messages.Rotate, statement=statement)) for _ in range(3)]
        self.assertEqual((["Ok"] * 3, 2), (answers, len(self.kinds())))

    def test_chain(self) -> None:
        """One rotation follows another; the one before is over, and nobody goes back to a key of before."""
        steps = [(IDENTITY, NEXT), (IDENTITY, THIRD), (NEXT, THIRD), (NEXT, IDENTITY), (THIRD, IDENTITY), (THIRD, NEXT)]
        self.assertEqual(
            ["Ok", "bad_key", "Ok", "bad_key", "bad_key", "bad_key"], [self.rotate(*each) for each in steps]
        )

    def test_by_somebody_else(self) -> None:
        """It takes the account's newest key, and both signatures."""
        self.assertEqual("bad_key", self.rotate("server", NEXT))
        true = rotation()
        for statement in (flip(true, -1), true[:-768] + true[-384:] + true[-768:-384], bytes(1232)):
            self.assertEqual("bad_key", code(self.alice.ask(messages.Rotate, statement=statement)))
        self.assertEqual([LeafType.UIK], self.kinds())

    def test_at_once(self) -> None:
        """Of two rotations that were checked against the same identity one is logged: no log has a false one."""
        self.start(slow=("rotate",))
        for new in (NEXT, THIRD):
            self.alice.tell(messages.Rotate(self.alice.label(), rotation(IDENTITY, new)))
            self.server.settle()
        self.server.store.fire_all()
        self.server.settle()
        self.assertEqual(
            ["Ok", "bad_key"], [code(each) for each in self.alice.received if isinstance(each, messages.Reply)]
        )
        facts = self.server.context.log.facts
        self.assertEqual(([], 2), (facts.undecided(facts.size), len(self.kinds())))

    def test_bound(self) -> None:
        """An account rotates so often a day, whatever its devices; another one has its own days."""
        self.start(rotations_per_day=2)
        names = [IDENTITY, NEXT, THIRD, "fourth identity"]
        found = [self.rotate(*pair) for pair in pairwise(names)]
        self.assertEqual(["Ok", "Ok", "rate_limited"], found)
        self.assertEqual("Ok", self.rotate(client=self.bob))
        self.server.clock.advance(86_401)
        self.alice = self.server.log_in(self.alice.account)
        self.assertEqual("Ok", self.rotate(*names[2:]))

    def test_old_key_revokes_nothing(self) -> None:
        """After it the old key ends no device, and the new one ends those that the old one has certified."""
        self.rotate()
        self.assertEqual("bad_key", code(self.revoke(self.alice)))
        self.assertTrue(self.server.log_in(self.alice.account).authenticated)
        self.alice = self.server.log_in(self.alice.account)
        self.assertEqual("Ok", code(self.revoke(self.alice, NEXT)))
        self.assertFalse(self.server.log_in(self.alice.account).authenticated)

    def test_revocation_crosses(self) -> None:
        """A revocation that was checked before a rotation, and comes to the store behind it, is refused."""
        self.start(slow=("revoke",))
        account = self.alice.account
        said = Revocation(account.device_id, account.cert_hash, START_MS, 0)
        label = self.alice.label()
        self.alice.tell(messages.Revoke(label, make_revocation(said, rsa_key(IDENTITY))))
        self.server.settle()
        self.assertEqual("Ok", self.rotate())
        self.server.store.fire_all()
        self.server.settle()
        self.assertEqual("bad_key", code(self.alice.reply(label)))
        self.assertTrue(self.server.log_in(account).authenticated)


class DeleteTests(IdentityCase):
    """What `delete_account` and `delete_user` promise."""

    def gone(self, user: str = "alice", identity: str = IDENTITY, server: bytes = b"") -> bytes:
        """What somebody signs who goes."""
        return make_gone(Gone(server or self.server.identity.server_id, user, START_MS), rsa_key(identity))

    def delete(self, client: MemoryClient, statement: bytes) -> str:
        """What comes of it."""
        return code(client.ask(messages.DeleteAccount, statement=statement))

    def test_own(self) -> None:
        """The account is gone in the log, by its own word; its sessions end, and nobody logs in or has the name again."""
        self.alice.ask(messages.PutBackup, counter=1, blob=b"sealed", slots=())
        size = self.server.context.log.size
        self.assertEqual("Ok", self.delete(self.alice, self.gone()))
        self.assertEqual("gone", self.alice.one(messages.Farewell).code)
        facts = self.server.context.log.facts
        self.assertTrue(facts.gone("alice", facts.size))
        self.assertEqual(self.gone()[:48], self.bob.ask(messages.GetStatement, index=size).statement[:48])
        back = self.server.log_in(self.alice.account)
        self.assertEqual("auth_failed", back.error and back.error.code)
        for name in ("alice", "a1ice"):
            refused = self.server.log_in(self.server.account(name, NEXT), token=b"")
            self.assertEqual("name_taken", refused.error and refused.error.code)
        self.assertIsNone(self.server.wait(self.server.memory.backup("alice")))

    def test_every_session(self) -> None:
        """A session that has asked for something meanwhile, and one that is just logging in, end too."""
        admin = self.server.join("dora", Role.ADMIN)
        self.assertEqual("Ok", code(admin.ask(messages.DeleteUser, user="alice")))
        self.assertEqual("gone", self.alice.one(messages.Farewell).code)
        self.assertEqual("not_found", code(admin.ask(messages.DeleteUser, user="alice")))
        self.assertEqual("forbidden", code(admin.ask(messages.DeleteUser, user="dora")))
        size = self.server.context.log.size
        self.assertEqual("not_found", code(self.bob.ask(messages.GetStatement, index=size - 1)))  # the server's word
        self.assertNotIn("alice", [each.name for each in admin.ask(messages.ListAccounts).accounts])

    def test_audit(self) -> None:
        """Who has deleted whom is noted, also where it was refused."""
        admin = self.server.join("dora", Role.ADMIN)
        admin.ask(messages.DeleteUser, user="alice")
        self.bob.ask(messages.DeleteUser, user="dora")
        found = [(event, fields["who"], fields["user"], fields["result"]) for event, fields in self.server.audited]
        expected = [("DeleteUser", "dora", "alice", "ok"), ("DeleteUser", "bob", "dora", "forbidden")]
        self.assertEqual(expected, found)

    def test_not_signed(self) -> None:
        """It takes the account's newest identity key, its name and this server."""
        self.rotate()
        for statement in (self.gone(), self.gone("bob", NEXT), self.gone(identity=NEXT, server=bytes(32)), bytes(430)):
            self.assertEqual("bad_key", self.delete(self.alice, statement))
        self.assertEqual("Ok", self.delete(self.alice, self.gone(identity=NEXT)))

    def test_last_administrator(self) -> None:
        """The last administrator who can log in stays."""
        admin = self.server.join("dora", Role.ADMIN)
        self.assertEqual("forbidden", self.delete(admin, self.gone("dora")))
        self.assertTrue(self.server.log_in(admin.account).authenticated)

    def test_rooms(self) -> None:
        """A room that only it was in is closed, a public one too, whose name is free; where others are, they go on."""
        alone = self.alice.make_room()
        shared = self.alice.make_room(self.bob.account)
        self.bob.ask(messages.Sync, store=self.server.memory.incarnation)
        self.delete(self.alice, self.gone())
        registry = self.server.context.registry
        self.assertEqual((None, False), (registry.get(alone), registry.get(shared) is None))
        self.assertIn("Sent", code(self.bob.say("just me", shared)))
        self.assertEqual("bad_commit", code(self.bob.commit(shared)))  # alice's device has to go first
        self.assertTrue(self.server.context.log.facts.struck("alice", 0, self.server.context.log.size))

    def test_rooms_after_a_crash(self) -> None:
        """What the server had not closed when it went down is closed when it is back."""
        self.start(slow=("close_room",))
        alone = self.alice.make_room()
        self.alice.tell(messages.DeleteAccount(self.alice.label(), self.gone()))
        self.server.settle()
        self.server.restart()
        self.assertEqual([alone], self.server.context.registry.over)
        self.server.store.slow.clear()
        self.server.wait(close_deserted(self.server.context))
        self.assertIsNone(self.server.context.registry.get(alone))
        self.server.restart()
        self.assertEqual([], self.server.context.registry.over)

    def test_in_flight(self) -> None:
        """What the account's device had asked for before is refused, or comes to nothing, and nobody is hurt."""
        session = self.alice.seat.live
        self.delete(self.alice, self.gone())
        running = Deferred.fromCoroutine(dispatch(self.server.context, session, messages.ListDevices(7)))
        reply: Any = self.successResultOf(running)
        self.assertEqual("not_authenticated", reply.code)
