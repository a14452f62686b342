"""An identity key that is sealed for some devices: those open it, and nobody else."""

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.e2e.handover import open_identity, seal_identity
from chatserv.crypto.e2e.prekey_secrets import generate_prekey
from chatserv.crypto.e2e.wrap import Recipient
from chatserv.crypto.own_bodies import SealedIdentity, decode_own
from chatserv.crypto.suite import rsa_spki
from chatserv.crypto.wraps import WrapScope
from chatserv.errors import Reject
from tests.support.e2e import named, signer, stream
from tests.support.make_e2e_vectors import rsa_key

ROOM, SENDER = named("room", 16), named("sender", 16)
SCOPE = WrapScope(ROOM, 7, named("commit"), SENDER)
KEY = b"an identity key, as long as it likes to be" * 40


class HandoverTests(SynchronousTestCase):
    """One device for which it is, and others."""

    def setUp(self) -> None:
        """A device with a one-time prekey, and what is sealed for it."""
        self.prekey = generate_prekey(7, stream("prekey"))
        spki = rsa_spki(rsa_key().public_key())
        public = signer("device").public_key().public_bytes_raw()
        self.device = Recipient(named("device", 16), named("certificate"), spki, public)
        signed = self.prekey.sign(signer("device"), self.device.device_id)
        self.body = seal_identity(KEY, SCOPE, [(self.device, signed)], stream("random"))

    def open(
        self, body: SealedIdentity, recipient: Recipient | None = None, room: bytes = ROOM, sender: bytes = SENDER
    ) -> tuple[bytes, int | None] | None:
        """What the device makes of it."""
        return open_identity(body, room, sender, recipient or self.device, rsa_key(), {7: self.prekey})

    def test_opens(self) -> None:
        """The device has the key, and knows which prekey to delete."""
        body = decode_own(self.body.encode())
        assert isinstance(body, SealedIdentity)
        self.assertEqual(self.open(body), (KEY, 7))

    def test_for_others(self) -> None:
        """Whoever is not named has nothing to open; who takes the wrap of another cannot."""
        other = replace(self.device, device_id=named("other", 16))
        self.assertIsNone(self.open(self.body, other))
        stolen = replace(self.body, wraps=((other.device_id, self.body.wraps[0][1]),))
        self.assertRaises(Reject, self.open, stolen, other)

    def test_bound(self) -> None:
        """It opens in its room, from its sender, for its epoch, whole, and nowhere else."""
        sealed = self.body.sealed
        for body in (
            replace(self.body, epoch=8),
            replace(self.body, commit_hash=named("another commit")),
            replace(self.body, sealed=sealed[:-1] + bytes([sealed[-1] ^ 1])),
            replace(self.body, sealed=b""),
        ):
            self.assertRaises(Reject, self.open, body)
        self.assertRaises(Reject, self.open, self.body, room=named("other room", 16))
        self.assertRaises(Reject, self.open, self.body, sender=named("other sender", 16))
        self.assertRaises(Reject, self.open, self.body, replace(self.device, cert_hash=named("another certificate")))

    def test_nothing_in_the_clear(self) -> None:
        """The key is not to be seen in what is sent."""
        self.assertNotIn(KEY[:16], self.body.encode())
