"""What a device of ours says is worth no more than it can prove: of the identity key, and of other people's identities."""

from chatserv.client.events import IdentityChanged
from chatserv.crypto.own_bodies import DeviceInfo, KnownIdentities, Occasion, prove_identity
from chatserv.testing.memory_server import rsa_key
from chatserv.testing.world import Person
from tests.client.own.test_revoking import IdentityCase, devices
from tests.support.devices import add_device, reset_account


def say(person: Person, proof: bytes) -> None:
    """A device says that it can prove this, and nothing else."""
    name = person.client.engine.own.talk.name
    person.client.engine.own.talk.say(DeviceInfo(name, proof, 0, Occasion.CHANGED))


def proof_of(person: Person, of: Person | None = None) -> bytes:
    """What proves that somebody's device, by default this one, holds the identity key that is on this one."""
    context = (of or person).client.engine.context
    identity = person.client.keyring.load_identity()
    return prove_identity(identity, context.server_id, context.device_id, context.cert_hash)


class HolderTests(IdentityCase):
    """Who holds the identity key."""

    def gets_nothing(self) -> None:
        """The phone is shown as one without the key, and is not given the next one."""
        self.world.settle(5)
        self.assertFalse(devices(self.alice)["phone"].holds_identity)
        self.revoke(self.alice, self.laptop)
        self.world.settle(30)
        self.assertTrue(self.held(self.alice))
        self.assertEqual(self.phone.client.keyring.identity_key, b"")

    def test_claimed(self) -> None:
        """A signature by another key proves nothing."""
        context = self.phone.client.engine.context
        say(
            self.phone,
            prove_identity(rsa_key("identity of a thief"), context.server_id, context.device_id, context.cert_hash),
        )
        self.gets_nothing()

    def test_of_another_device(self) -> None:
        """Nor does what another device has said."""
        say(self.phone, proof_of(self.laptop))
        self.gets_nothing()

    def test_of_a_key_before(self) -> None:
        """Nor does the key that was renewed since, since a revoked device may have handed it on."""
        old = proof_of(self.laptop, self.phone)
        self.revoke(self.alice, self.laptop)
        self.world.settle(30)
        tablet = add_device(self.world, self.alice, "tablet")
        say(self.phone, old)
        self.world.settle(5)
        self.assertFalse(devices(self.alice)["phone"].holds_identity)
        self.revoke(self.alice, tablet)
        self.world.settle(30)
        self.assertEqual(self.phone.client.keyring.identity_key, b"")

    def test_denied_to_a_newcomer(self) -> None:
        """A device that holds the key and has never said so to those who came later is still revoked with a renewal."""
        talk = self.laptop.client.engine.own.talk
        self.patch(talk, "tell_self", lambda _=Occasion.CHANGED: talk.say(DeviceInfo("laptop")))
        tablet = add_device(self.world, self.alice, "tablet")
        self.alice.leave_the_machine()
        before = self.fingerprint()
        self.revoke(tablet, self.laptop)
        self.world.settle(30)
        self.assertNotEqual(self.fingerprint(), before)
        self.assertTrue(self.held(tablet))

    def test_signed_once(self) -> None:
        """A device signs its proof once for each key, however often it speaks."""
        proofs = set()
        for name in ("one", "two"):
            self.laptop.do(self.laptop.client.devices.rename(name))
            proofs.add(self.laptop.client.engine.own.proofs.own())
        self.assertEqual(len(proofs), 1)
        self.revoke(self.alice, self.phone)
        self.world.settle(30)
        self.assertNotIn(self.alice.client.engine.own.proofs.own(), proofs)


class PinTests(IdentityCase):
    """Identities of other people that were accepted or verified on another device."""

    def setUp(self) -> None:
        """Bob has another identity, as the server says."""
        super().setUp()
        self.again = reset_account(self.world, self.alice, self.bob)
        self.pins = KnownIdentities((("bob1", self.bob_named(), True),))

    def bob_named(self) -> bytes:
        """The fingerprint of Bob's identity in the log."""
        log = self.alice.client.engine.context.log
        identity = log.facts.identity("bob1", log.size)
        assert identity is not None
        return identity.fingerprint

    def hears(self, person: Person) -> str:
        """What Alice thinks of Bob, once a device has said that it has verified him."""
        person.client.engine.own.talk.say(self.pins)
        self.world.settle(5)
        return self.alice.client.people.trust("bob1")

    def test_without_the_key(self) -> None:
        """A device without the identity key does not make her accept anybody."""
        self.assertEqual(self.alice.client.people.trust("bob1"), "changed")
        self.assertEqual(self.hears(self.phone), "changed")

    def test_with_the_key(self) -> None:
        """A device with it does, and she is told; but whoever compares the numbers does so on each device."""
        self.alice.told.clear()
        for _ in range(2):
            self.assertEqual(self.hears(self.laptop), "unverified")
        self.assertEqual(
            self.alice.events(IdentityChanged), [IdentityChanged("bob1", was_verified=False, accepted_on="laptop")]
        )
        self.assertEqual(self.hears(self.phone), "unverified")
        shown = self.alice.do(self.alice.client.people.verification("bob1"))
        self.assertTrue(self.alice.do(self.alice.client.people.compare("bob1", shown.number)))
        self.assertEqual(self.alice.client.people.trust("bob1"), "verified")

    def test_accepted_here(self) -> None:
        """Where she has accepted it herself it is the one that she goes by, and another device may have verified it."""
        self.alice.do(self.alice.client.people.verification("bob1"))
        self.alice.client.people.accept_identity("bob1")
        self.assertEqual(self.hears(self.phone), "verified")
