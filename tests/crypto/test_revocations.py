"""Revocations and rotations of identity keys (docs/rooms.rst 3.2)."""

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.statements import (
    Revocation,
    UikRotation,
    make_revocation,
    make_rotation,
    verify_revocation,
    verify_rotation,
)
from chatserv.crypto.suite import pss_sign, sha256, to_sign
from chatserv.errors import Reject
from tests.support.mutations import mutations
from tests.support.sessions import ALICE, MALLORY, NOW_MS, flip, rsa_key, spki

ALICE_KEY, MALLORY_KEY = "identity of alice", "identity of mallory"


class RevocationTests(SynchronousTestCase):
    """A user ends a device."""

    def setUp(self) -> None:
        """The revocation of alice's device."""
        self.revocation = Revocation(ALICE.device_id, sha256(ALICE.certificate), NOW_MS, 1)
        self.statement = make_revocation(self.revocation, rsa_key(ALICE_KEY))

    def test_round_trip(self) -> None:
        """What was signed is what is read; 443 bytes."""
        read = verify_revocation(self.statement, ALICE.certificate, ALICE.identity_spki)
        self.assertEqual(read, self.revocation)
        self.assertEqual(Revocation.decode(self.revocation.encode()), self.revocation)
        self.assertEqual(len(self.statement), 443)

    def test_of_another(self) -> None:
        """A revocation ends the one certificate and device that it names."""
        self.assertRaises(Reject, verify_revocation, self.statement, MALLORY.certificate, ALICE.identity_spki)
        mixed = make_revocation(replace(self.revocation, device_id=MALLORY.device_id), rsa_key(ALICE_KEY))
        self.assertRaises(Reject, verify_revocation, mixed, ALICE.certificate, ALICE.identity_spki)

    def test_by_another(self) -> None:
        """Nobody else ends it."""
        forged = make_revocation(self.revocation, rsa_key(MALLORY_KEY))
        self.assertRaises(Reject, verify_revocation, forged, ALICE.certificate, ALICE.identity_spki)

    def test_version(self) -> None:
        """Another version is refused."""
        tbs = b"\x00\x02" + self.revocation.encode()[2:]
        signed = tbs + pss_sign(rsa_key(ALICE_KEY), to_sign("revoke", tbs))
        self.assertRaises(Reject, verify_revocation, signed, ALICE.certificate, ALICE.identity_spki)

    def test_mutations(self) -> None:
        """A changed statement is refused, whatever changed."""
        for changed in mutations(self.statement, "revocation", 200):
            self.assertRaises(Reject, verify_revocation, changed, ALICE.certificate, ALICE.identity_spki)


class RotationTests(SynchronousTestCase):
    """A user goes over to a new identity key."""

    def setUp(self) -> None:
        """From alice's key to the next."""
        self.statement = make_rotation(rsa_key(ALICE_KEY), rsa_key(MALLORY_KEY), NOW_MS)

    def test_round_trip(self) -> None:
        """Both keys sign; 1232 bytes."""
        rotation = verify_rotation(self.statement, spki(ALICE_KEY))
        self.assertEqual(rotation, UikRotation(sha256(spki(ALICE_KEY)), spki(MALLORY_KEY), NOW_MS))
        self.assertEqual(UikRotation.decode(rotation.encode()), rotation)
        self.assertEqual(len(self.statement), 1232)

    def test_of_another_key(self) -> None:
        """A rotation replaces the one key that it names."""
        self.assertRaises(Reject, verify_rotation, self.statement, spki(MALLORY_KEY))

    def test_to_the_same_key(self) -> None:
        """A key is not replaced by itself."""
        same = make_rotation(rsa_key(ALICE_KEY), rsa_key(ALICE_KEY), NOW_MS)
        self.assertRaises(Reject, verify_rotation, same, spki(ALICE_KEY))

    def test_each_signature_counts(self) -> None:
        """Neither key alone makes a rotation, nor do the two signatures change places."""
        tbs, old, new = self.statement[:-768], self.statement[-768:-384], self.statement[-384:]
        for wrong in (tbs + old + old, tbs + new + new, tbs + new + old, tbs + old, tbs + old + flip(new, 0)):
            self.assertRaises(Reject, verify_rotation, wrong, spki(ALICE_KEY))

    def test_mutations(self) -> None:
        """A changed statement is refused, whatever changed."""
        for changed in mutations(self.statement, "rotation", 200):
            self.assertRaises(Reject, verify_rotation, changed, spki(ALICE_KEY))
