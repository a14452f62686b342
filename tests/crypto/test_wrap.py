"""Tests of making and opening wraps, and of what each change to a wrap or its context does."""

# mypy: allow-untyped-calls

import dataclasses
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.e2e.prekey_secrets import generate_prekey
from chatserv.crypto.e2e.wrap import OpenedWrap, Recipient, make_wrap, open_wrap, wrap_key
from chatserv.crypto.prekeys import LAST_RESORT_BIT
from chatserv.crypto.statements import DeviceFacts, make_certificate
from chatserv.crypto.suite import generate_rsa, oaep, rsa_spki, sha256
from chatserv.crypto.wraps import Wrap, WrapScope
from chatserv.errors import Reject
from chatserv.local_errors import LocalProtocolError
from tests.support.e2e import named, signer, stream, verifier
from tests.support.make_e2e_vectors import rsa_key, wrap_kit

VECTORS = Path(__file__).parent.parent / "vectors"
SCOPE = WrapScope(named("room", 16), 4, named("prev"), named("committer", 16))
DEVICE_ID, CERT_HASH = named("device", 16), named("certificate")
PAYLOAD = named("payload")
ONE_TIME = generate_prekey(7, stream("one-time"))
LAST_RESORT = generate_prekey(LAST_RESORT_BIT | 1, stream("last resort"))
PREKEYS = {secret.id: secret for secret in (ONE_TIME, LAST_RESORT)}


@cache
def other_rsa_key() -> rsa.RSAPrivateKey:
    """A second RSA key, made once."""
    return generate_rsa()


def recipient() -> Recipient:
    """The device that wraps are made for."""
    return Recipient(DEVICE_ID, CERT_HASH, rsa_spki(rsa_key().public_key()), verifier("alice"))


def make(scope: WrapScope = SCOPE, prekey_id: int = 7) -> Wrap:
    """A wrap to the device."""
    prekey = PREKEYS[prekey_id].sign(signer("alice"), DEVICE_ID)
    return make_wrap(PAYLOAD, scope, recipient(), prekey, stream("make"))


def open_(
    wrap: bytes,
    scope: WrapScope = SCOPE,
    device_id: bytes = DEVICE_ID,
    cert_hash: bytes = CERT_HASH,
) -> OpenedWrap:
    """Opens a wrap as the device."""
    return open_wrap(wrap, scope, device_id, cert_hash, rsa_key(), PREKEYS)


class WrapCase(SynchronousTestCase):
    """What most tests here ask."""

    def assert_shut(self, function: Callable[..., OpenedWrap], *args: object) -> None:
        """The wrap does not open, and nothing says why."""
        error = self.assertRaises(Reject, function, *args)
        self.assertEqual((str(error), error.__cause__), ("wrap does not open", None))
        self.assertTrue(error.__context__ is None or error.__suppress_context__)


class OpenTests(WrapCase):
    """Making and opening."""

    def test_known_key(self) -> None:
        """The combiner gives the key of crypto-vectors.json."""
        case = json.loads((VECTORS / "crypto-vectors.json").read_text("utf-8"))["wrap_kek"]
        parts = (bytes.fromhex(case[key]) for key in ("ct1", "ct2", "r1", "r2", "ctx"))
        self.assertEqual(wrap_key(*parts).hex(), case["kek"])

    def test_opens(self) -> None:
        """The recipient gets the secret, and is told which one-time prekey is spent; a last-resort one stays."""
        for prekey_id, spent in ((7, 7), (LAST_RESORT_BIT | 1, None)):
            opened = open_(make(prekey_id=prekey_id).encode())
            self.assertEqual(opened, OpenedWrap(PAYLOAD, spent))

    def test_one_time_prekey(self) -> None:
        """Once the spent prekey is gone, neither the same wrap nor another one to it opens; last-resort wraps still do."""
        first, second = make().encode(), make().encode()
        prekeys = dict(PREKEYS)
        opened = open_wrap(first, SCOPE, DEVICE_ID, CERT_HASH, rsa_key(), prekeys)
        assert opened.spent_prekey_id is not None
        del prekeys[opened.spent_prekey_id]
        for wrap in (first, second):
            self.assert_shut(open_wrap, wrap, SCOPE, DEVICE_ID, CERT_HASH, rsa_key(), prekeys)
        last = make(prekey_id=LAST_RESORT_BIT | 1).encode()
        for _ in range(2):
            self.assertEqual(open_wrap(last, SCOPE, DEVICE_ID, CERT_HASH, rsa_key(), prekeys).payload, PAYLOAD)

    def test_each_part_flipped(self) -> None:
        """A bit changed in the prekey id, in either half, in the sealed part or in a length shuts the wrap."""
        good = make().encode()
        self.assertEqual(open_(good).payload, PAYLOAD)
        rsa_at, hpke_at, sealed_at = 6, 6 + 384 + 2, 6 + 384 + 2 + 1168 + 2
        places = [0, 3, 4, 5, rsa_at, rsa_at + 200, rsa_at + 383, hpke_at - 1, hpke_at, hpke_at + 1087, hpke_at + 1088]
        places += [
            hpke_at + 1119,
            hpke_at + 1120,
            hpke_at + 1167,
            sealed_at - 1,
            sealed_at,
            sealed_at + 32,
            len(good) - 1,
        ]
        for at in places:
            changed = bytearray(good)
            changed[at] ^= 1
            self.assert_shut(open_, bytes(changed))

    def test_halves_of_two_wraps(self) -> None:
        """Halves of two wraps of the same commit to the same device do not go together."""
        one, two = (
            make(),
            make_wrap(PAYLOAD, SCOPE, recipient(), ONE_TIME.sign(signer("alice"), DEVICE_ID), stream("two")),
        )
        for mixed in (replace(one, rsa=two.rsa), replace(one, hpke=two.hpke), replace(one, sealed=two.sealed)):
            self.assert_shut(open_, mixed.encode())

    def test_elsewhere(self) -> None:
        """A wrap opens in no other room, epoch or branch, for no other committer, recipient or certificate."""
        wrap = make().encode()
        for scope in (
            replace(SCOPE, room_id=named("other room", 16)),
            replace(SCOPE, epoch=5),
            replace(SCOPE, prev=named("other branch")),
            replace(SCOPE, committer_device_id=named("other committer", 16)),
        ):
            self.assert_shut(open_, wrap, scope)
        self.assert_shut(open_, wrap, SCOPE, named("other device", 16))
        self.assert_shut(open_, wrap, SCOPE, DEVICE_ID, named("other certificate"))

    def test_other_prekey(self) -> None:
        """A wrap relabelled to another prekey of the device, or to one that it never had, does not open."""
        wrap = make()
        for prekey_id in (LAST_RESORT_BIT | 1, 8):
            self.assert_shut(open_, replace(wrap, prekey_id=prekey_id).encode())
        renamed = {8: dataclasses.replace(ONE_TIME, id=8)}
        relabelled = replace(wrap, prekey_id=8).encode()
        self.assert_shut(open_wrap, relabelled, SCOPE, DEVICE_ID, CERT_HASH, rsa_key(), renamed)

    def test_one_key_is_not_enough(self) -> None:
        """Who has the RSA key but another prekey, or the prekey but another RSA key, does not open it."""
        wrap = make().encode()
        stolen = {7: generate_prekey(7, stream("thief"))}
        self.assert_shut(open_wrap, wrap, SCOPE, DEVICE_ID, CERT_HASH, rsa_key(), stolen)
        self.assert_shut(open_wrap, wrap, SCOPE, DEVICE_ID, CERT_HASH, other_rsa_key(), PREKEYS)

    def test_share_of_zeros(self) -> None:
        """A committer cannot leave one half out by sealing under zeros where that half does not open."""
        good = make()
        context = SCOPE.context(DEVICE_ID, CERT_HASH, 7)
        r1 = rsa_key().decrypt(good.rsa, oaep(sha256(context)))
        self.assertEqual(len(r1), 32)
        broken_hpke = bytes(1168)
        key = wrap_key(good.rsa, broken_hpke, r1, bytes(32), context)
        self.assert_shut(
            open_, Wrap(7, good.rsa, broken_hpke, AESGCM(key).encrypt(bytes(12), PAYLOAD, context)).encode()
        )
        kit = wrap_kit()
        _, hpke_part = kit.parts(kit.context)
        key = wrap_key(bytes(384), hpke_part, bytes(32), kit.r2, kit.context)
        sealed = AESGCM(key).encrypt(bytes(12), PAYLOAD, kit.context)
        wrap = Wrap(7, bytes(384), hpke_part, sealed).encode()
        self.assert_shut(open_wrap, wrap, kit.scope, kit.device_id, kit.cert_hash, rsa_key(), {7: kit.prekey})

    def test_share_of_another_length(self) -> None:
        """An RSA half that holds more or less than 32 bytes shuts the wrap, even where the key fits."""
        kit = wrap_kit()
        for length in (0, 31, 33, 318):
            odd = dataclasses.replace(kit, r1=named("share", length))
            self.assert_shut(open_wrap, odd.wrap(), kit.scope, kit.device_id, kit.cert_hash, rsa_key(), {7: kit.prekey})

    def test_suite_downgrade(self) -> None:
        """A wrap made under another version or suite does not open under this one."""
        kit = wrap_kit()
        args = (kit.scope, kit.device_id, kit.cert_hash, rsa_key(), {7: kit.prekey})
        self.assertEqual(open_wrap(kit.wrap(), *args).payload, kit.payload)
        for version, suite in ((1, 0), (1, 2), (0, 1), (2, 1)):
            other = b"chatserv1 wrap" + bytes((0, version, 0, suite)) + kit.context[18:]
            self.assert_shut(open_wrap, kit.wrap(other), *args)

    @given(st.binary(max_size=1700))
    def test_garbage(self, data: bytes) -> None:
        """Anything else does not open either."""
        self.assert_shut(open_, data)


class MakeTests(SynchronousTestCase):
    """What a committer checks."""

    def test_prekey_of_another(self) -> None:
        """No wrap is made to a prekey that the recipient's device did not sign."""
        for signed in (
            ONE_TIME.sign(signer("mallory"), DEVICE_ID),
            ONE_TIME.sign(signer("alice"), named("other device", 16)),
        ):
            self.assertRaises(Reject, make_wrap, PAYLOAD, SCOPE, recipient(), signed, stream("make"))

    def test_unusable_rsa_key(self) -> None:
        """No wrap is made under an RSA key that suite 0x0001 does not allow."""
        signed = ONE_TIME.sign(signer("alice"), DEVICE_ID)
        for spki in (b"", bytes(422), recipient().rsa_spki[:-1] + b"\x00"):
            broken = dataclasses.replace(recipient(), rsa_spki=spki)
            self.assertRaises(Reject, make_wrap, PAYLOAD, SCOPE, broken, signed, stream("make"))

    def test_payload(self) -> None:
        """A payload of another length is a mistake of ours."""
        signed = ONE_TIME.sign(signer("alice"), DEVICE_ID)
        for payload in (b"", bytes(31), bytes(33)):
            self.assertRaises(LocalProtocolError, make_wrap, payload, SCOPE, recipient(), signed, stream("make"))

    def test_randomness(self) -> None:
        """Both shares come from the given source, the RSA share first."""
        drawn: list[int] = []

        def random(length: int) -> bytes:
            drawn.append(length)
            return bytes((len(drawn),)) * length

        wrap = make_wrap(PAYLOAD, SCOPE, recipient(), ONE_TIME.sign(signer("alice"), DEVICE_ID), random)
        context = SCOPE.context(DEVICE_ID, CERT_HASH, 7)
        self.assertEqual(drawn, [32, 32])
        self.assertEqual(rsa_key().decrypt(wrap.rsa, oaep(sha256(context))), b"\x01" * 32)

    def test_recipient_of_certificate(self) -> None:
        """A recipient is what the certificate says, with the certificate's hash."""
        spki = rsa_spki(rsa_key().public_key())
        facts = DeviceFacts(named("server"), "alice", DEVICE_ID, spki, verifier("alice"), 1, named("identity"))
        certificate = make_certificate(facts, other_rsa_key(), signer("alice"))
        self.assertEqual(Recipient.of(certificate), dataclasses.replace(recipient(), cert_hash=sha256(certificate)))
        self.assertRaises(Reject, Recipient.of, certificate[:100])

    def test_repr(self) -> None:
        """The secret stays out of the repr."""
        self.assertEqual(repr(OpenedWrap(PAYLOAD, 7)), "OpenedWrap(spent_prekey_id=7)")
        self.assertEqual(repr(make()), "Wrap(prekey_id=7)")
