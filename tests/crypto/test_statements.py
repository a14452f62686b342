"""Device certificates: what they say, and every way in which they are refused."""

from collections.abc import Callable

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.encoding import u16, u64, v8, v16
from chatserv.crypto.statements import (
    NEVER_MS,
    DeviceFacts,
    certificate_facts,
    make_certificate,
    verify_certificate,
)
from chatserv.crypto.suite import RSA_BYTES, ed_sign, pss_sign, sha256, to_sign
from chatserv.errors import Reject
from tests.support.sessions import ALICE, MALLORY, flip, rsa_key, server_id, spki

TBS_BYTES = 32 + 1 + len(ALICE.user) + 16 + 2 + 422 + 32 + 8 + 8 + 32


def signed(tbs: bytes, label: str = "device cert", self_label: str = "device self") -> bytes:
    """A certificate of alice's over any bytes."""
    signature = pss_sign(rsa_key("identity of alice"), to_sign(label, tbs))
    return v16(tbs) + signature + ed_sign(ALICE.signing_key, self_label, tbs + signature)


class CertificateTests(SynchronousTestCase):
    """`make_certificate` and `verify_certificate`."""

    def refuse(self, certificate: bytes, why: str = "", identity: bytes | None = None) -> None:
        """Asserts that the certificate is refused, and why."""
        error = self.assertRaises(Reject, verify_certificate, certificate, identity or ALICE.identity_spki, server_id())
        self.assertIn(why, error.detail)

    def test_round_trip(self) -> None:
        """A certificate verifies to the facts that were signed, and has the size that the design names."""
        certificate = ALICE.certificate
        self.assertEqual(len(certificate), 1003 + len(ALICE.user))
        self.assertEqual(verify_certificate(certificate, ALICE.identity_spki, server_id()), ALICE.facts)
        self.assertEqual(certificate_facts(certificate), ALICE.facts)

    def test_longest_name(self) -> None:
        """A name of 64 bytes of UTF-8 goes through."""
        facts = replace(ALICE.facts, user="\u00e9" * 32)
        certificate = ALICE.certify(facts)
        self.assertEqual(verify_certificate(certificate, ALICE.identity_spki, server_id()).user, facts.user)

    def test_another_server(self) -> None:
        """A certificate for another server is refused."""
        self.refuse(ALICE.certify(replace(ALICE.facts, server_id=server_id("other server"))), "another server")

    def test_another_identity(self) -> None:
        """A certificate of somebody else's identity, or with their fingerprint in it, is refused."""
        self.refuse(ALICE.certificate, "another identity", identity=MALLORY.identity_spki)
        facts = replace(ALICE.facts, identity_fingerprint=sha256(MALLORY.identity_spki))
        self.refuse(ALICE.certify(facts), "another identity")

    def test_wrong_identity_signature(self) -> None:
        """Signed by another identity key than the one named, it is refused."""
        certificate = make_certificate(ALICE.facts, rsa_key("identity of mallory"), ALICE.signing_key)
        self.refuse(certificate, "RSA signature")

    def test_wrong_self_signature(self) -> None:
        """Signed by another device key than the one named, it is refused: nobody certifies a key that they do not hold."""
        certificate = make_certificate(ALICE.facts, rsa_key("identity of alice"), MALLORY.signing_key)
        self.refuse(certificate, "Ed25519 signature")

    def test_labels(self) -> None:
        """Signatures made for another purpose are refused."""
        self.refuse(signed(ALICE.facts.encode(), label="revoke"), "RSA signature")
        self.refuse(signed(ALICE.facts.encode(), self_label="message"), "Ed25519 signature")

    def test_one_key_for_two_purposes(self) -> None:
        """The device's RSA key must not be the identity key."""
        self.refuse(ALICE.certify(replace(ALICE.facts, rsa_spki=ALICE.identity_spki)), "two purposes")

    def test_keys(self) -> None:
        """RSA keys of the wrong form are refused in both places."""
        broken = flip(spki("device of alice"), 421)
        self.refuse(ALICE.certify(replace(ALICE.facts, rsa_spki=broken)), "RSA key")
        self.refuse(ALICE.certify(replace(ALICE.facts, rsa_spki=b"")), "RSA key")
        fingerprint = sha256(broken)
        self.refuse(ALICE.certify(replace(ALICE.facts, identity_fingerprint=fingerprint)), "RSA key", identity=broken)

    def test_broken_device_key(self) -> None:
        """Bytes that are no Ed25519 point are refused."""
        self.refuse(ALICE.certify(replace(ALICE.facts, ed25519=b"\xff" * 32)), "Ed25519 signature")

    def test_an_end(self) -> None:
        """A certificate that ends some day is refused, as a device without the identity key could not renew it."""
        tbs = ALICE.facts.encode()
        limited = tbs.replace(u64(NEVER_MS), u64(NEVER_MS - 1))
        self.refuse(signed(limited), "has an end")

    def test_user_not_text(self) -> None:
        """A name that is not UTF-8 is refused."""
        facts = ALICE.facts.encode()
        self.refuse(signed(facts.replace(v8(b"alice"), v8(b"al\xffce"))), "UTF-8")

    def test_lengths(self) -> None:
        """Cut anywhere or with bytes after it, the certificate and what it signs are refused."""
        certificate, tbs = ALICE.certificate, ALICE.facts.encode()
        self.assertEqual(len(tbs), TBS_BYTES)
        for end in [*range(0, len(certificate), 17), len(certificate) - 1]:
            self.refuse(certificate[:end])
        self.refuse(certificate + b"\0")
        self.refuse(signed(tbs + b"\0"))
        self.refuse(signed(tbs[:-1]))
        self.refuse(signed(b""))
        self.refuse(u16(TBS_BYTES + 1) + certificate[2:])

    def test_every_byte(self) -> None:
        """A change of any one byte is refused."""
        for at in range(0, len(ALICE.certificate), 3):
            self.refuse(flip(ALICE.certificate, at, 0x10))

    def test_swapped_signatures(self) -> None:
        """Signatures of two certificates cannot be mixed."""
        later = ALICE.certify(replace(ALICE.facts, created_ms=ALICE.facts.created_ms + 1))
        at = 2 + TBS_BYTES
        self.refuse(ALICE.certificate[:at] + later[at:])
        self.refuse(ALICE.certificate[: at + RSA_BYTES] + later[at + RSA_BYTES :])

    def test_repr(self) -> None:
        """Keys are in no representation."""
        self.assertNotIn("rsa_spki", repr(ALICE.facts))


class FactsTests(SynchronousTestCase):
    """`DeviceFacts`."""

    def test_each_field_is_signed(self) -> None:
        """A change of any field changes the signed bytes."""
        base = ALICE.facts
        changes: tuple[Callable[[], DeviceFacts], ...] = (
            lambda: replace(base, server_id=flip(base.server_id, 0)),
            lambda: replace(base, user="alicf"),
            lambda: replace(base, device_id=flip(base.device_id, 0)),
            lambda: replace(base, rsa_spki=flip(base.rsa_spki, 400)),
            lambda: replace(base, ed25519=flip(base.ed25519, 0)),
            lambda: replace(base, created_ms=base.created_ms + 1),
            lambda: replace(base, identity_fingerprint=flip(base.identity_fingerprint, 0)),
        )
        encodings = {base.encode(), *(change().encode() for change in changes)}
        self.assertEqual(len(encodings), 8)
        self.assertEqual(
            [DeviceFacts.decode(change().encode()) for change in changes], [change() for change in changes]
        )
