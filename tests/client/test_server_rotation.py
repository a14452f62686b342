"""A server that gets another identity key: its people follow, and only where both keys have signed it."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.client.events import Alarm, ServerKeyChanged, Status, StatusChanged
from chatserv.client.verification.gossip import Witness
from chatserv.crypto.bodies import LogEvidence
from chatserv.crypto.log_leaves import TreeHead, make_tree_head, server_key_leaf
from chatserv.crypto.server_keys import make_server_rotation
from chatserv.crypto.suite import rsa_spki, sha256
from chatserv.models import LeafDraft
from chatserv.testing.memory_server import rsa_key, server_id
from chatserv.testing.world import Person, World
from chatserv.wire.client_session import PinMismatch


def key_id(name: str) -> bytes:
    """The hash of the key of this name."""
    return sha256(rsa_spki(rsa_key(name).public_key()))


SECOND = key_id("server 2")


def rotate(world: World, new: str = "server 2", *, logged: bool = True, old: str = "") -> bytes:
    """Restarts the server with another key; ``old`` signs it, by default the key so far."""
    server = world.server
    statement = make_server_rotation(server_id(), rsa_key(old or server.key), rsa_key(new), server.now_ms())
    if logged:
        leaf = server_key_leaf(key_id(new), statement, server.now_ms())
        server.store._append_log([LeafDraft(leaf.encode(), statement)])
    server.key, server.rotations = new, (*server.rotations, statement)
    server.restart()
    world.settle()
    return statement


class RotationTests(SynchronousTestCase):
    """Alice and bob talk, and the server's key changes."""

    def setUp(self) -> None:
        """Both are online."""
        self.world = World()
        self.addCleanup(self.world.close)
        self.alice, self.bob = self.world.person("alice", admin=True), self.world.person("bob")

    def failure(self, person: Person) -> object:
        """Why they are not online for good."""
        last = [event for event in person.told if isinstance(event, StatusChanged)][-1]
        return last.error if last.status is Status.FAILED else None

    def test_followed(self) -> None:
        """Everybody is back, is told once, with no alarm, and talks on."""
        rotate(self.world)
        for person in (self.alice, self.bob):
            self.assertTrue(person.online)
            self.assertEqual([ServerKeyChanged(SECOND)], person.events(ServerKeyChanged))
            self.assertEqual([], person.events(Alarm))
        self.bob.say("lobby", "hello")
        self.assertEqual(("bob", "hello"), self.alice.texts("lobby")[-1])

    def test_remembered(self) -> None:
        """A program that starts anew knows the newest key, is not told again, and never goes back to the key before."""
        rotate(self.world)
        self.bob.leave_the_machine()
        self.bob.come_back()
        self.assertTrue(self.bob.online)
        self.assertEqual([], self.bob.events(ServerKeyChanged))
        server = self.world.server
        server.key, server.rotations = "server", ()
        server.restart()
        self.world.settle()
        self.assertIsInstance(self.failure(self.bob), PinMismatch)

    def test_away_for_two(self) -> None:
        """Who missed two rotations follows both."""
        self.bob.leave_the_machine()
        rotate(self.world)
        rotate(self.world, "server 3")
        self.bob.come_back()
        self.assertTrue(self.bob.online)
        self.assertEqual([ServerKeyChanged(key_id("server 3"))], self.bob.events(ServerKeyChanged))
        self.assertEqual([], self.bob.events(Alarm))

    def test_not_signed(self) -> None:
        """A key that the old one has not signed is nobody's: nothing is sent to it."""
        rotate(self.world, "stolen", old="another")
        for person in (self.alice, self.bob):
            self.assertIsInstance(self.failure(person), PinMismatch)

    def test_not_in_the_log(self) -> None:
        """Whoever has the old key can sign; but then the log has to say so to everybody, or there is an alarm."""
        rotate(self.world, logged=False)
        self.assertEqual(["unlogged_server_key"], [alarm.what for alarm in self.alice.events(Alarm)])

    def test_newcomer(self) -> None:
        """A link of before leads to the server still, and a new one asks for the key that the server has now."""
        rotate(self.world)
        carol = self.world.person("carol")
        self.assertTrue(carol.online)
        self.assertEqual([], carol.events(Alarm))
        self.assertEqual([], carol.events(ServerKeyChanged))
        link = self.alice.do(self.alice.client.admin.make_invite("dora"))
        self.assertEqual((server_id(), SECOND), (link.fingerprint, link.key))

    def test_evidence(self) -> None:
        """The old heads count with who comes later too: what somebody shows of them is no false evidence."""
        old = self.alice.client.engine.context.log.signed_head
        assert old is not None
        rotate(self.world)
        carol = self.world.person("carol")
        self.assertEqual(old[:48], carol.client.engine.context.log.verified(old).encode())

    def test_stolen_key(self) -> None:
        """Whoever has a key that was given up accuses nobody by it: neither the server, nor themselves, is blamed."""
        rotate(self.world)
        engine = self.alice.client.engine
        (room,) = engine.rooms.ours()
        witness = Witness("bob", self.bob.client.keyring.device_id, room)
        for size in (1, 2, engine.context.log.size, engine.context.log.size + 5):
            forged = make_tree_head(TreeHead(size, b"x" * 32, self.world.server.now_ms()), rsa_key("server"))
            engine.auditor.gossip.take(witness, LogEvidence((forged,)))
        self.world.settle()
        self.assertEqual([], self.alice.events(Alarm))
        self.assertFalse(self.alice.client.distrusted)
        forged = make_tree_head(TreeHead(2, b"x" * 32, self.world.server.now_ms()), rsa_key("server 2"))
        engine.auditor.gossip.take(witness, LogEvidence((forged,)))
        self.assertEqual(["log_forked"], [alarm.what for alarm in self.alice.events(Alarm)])

    def test_new_device(self) -> None:
        """A person's next device comes in by the recovery code, after the rotation, with the link of before."""
        code = self.bob.recovery_code
        rotate(self.world)
        phone = self.world.new_device(self.bob, code=code)
        self.assertTrue(phone.online)
        self.assertEqual(SECOND, phone.client.keyring.required_key)
