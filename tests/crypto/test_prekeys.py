"""Tests of prekeys, both halves, and of X-Wing against published answers and a second implementation."""

# mypy: allow-untyped-calls

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.e2e.prekey_secrets import PrekeySecret, generate_prekey
from chatserv.crypto.prekeys import (
    LAST_RESORT_BIT,
    PREKEY_BYTES,
    SIGNED_PREKEY_BYTES,
    PreKey,
    SignedPreKey,
)
from chatserv.crypto.suite import ed_sign
from chatserv.errors import Reject
from tests.support.e2e import named, signer, stream, verifier
from tests.support.hpke_reference import AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305, open_context

VECTORS = Path(__file__).parent.parent / "vectors"
SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
DEVICE_ID = named("device", 16)
P = 2**255 - 19
ORDER_8 = (  # RFC 7748 section 6.1 asks for the check; the points are those of cr.yp.to/ecdh.html
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
LOW_ORDER = tuple(u.to_bytes(32, "little") for u in (0, 1, *ORDER_8, P - 1, P, P + 1))


class PublicTests(SynchronousTestCase):
    """What the server and other devices see."""

    def setUp(self) -> None:
        """One signed one-time prekey."""
        self.secret = generate_prekey(5, stream("prekey"))
        self.signed = self.secret.sign(signer("alice"), DEVICE_ID)

    def test_round_trip(self) -> None:
        """A signed prekey is 1284 bytes and parses to what it was."""
        data = self.signed.encode()
        self.assertEqual((len(data), len(self.signed.prekey.encode())), (1284, 1220))
        self.assertEqual((SIGNED_PREKEY_BYTES, PREKEY_BYTES), (1284, 1220))
        self.assertEqual(SignedPreKey.decode(data), self.signed)
        self.assertEqual(PreKey.decode(self.signed.prekey.encode()), self.signed.prekey)
        self.signed.verify(verifier("alice"), DEVICE_ID)

    def test_strict(self) -> None:
        """A byte too few or too many is refused."""
        for parse, data in ((SignedPreKey.decode, self.signed.encode()), (PreKey.decode, self.signed.prekey.encode())):
            for bad in (b"", data[:-1], data + b"\x00"):
                self.assertRaises(Reject, parse, bad)

    def test_substitution(self) -> None:
        """A prekey of another device, by another key, under another id, or changed anywhere, does not verify."""
        self.assertRaises(Reject, self.signed.verify, verifier("bob"), DEVICE_ID)
        self.assertRaises(Reject, self.signed.verify, verifier("alice"), named("other device", 16))
        self.assertRaises(Reject, self.signed.verify, b"short", DEVICE_ID)
        data = self.signed.encode()
        for at in (0, 3, 4, 700, 1187, 1188, 1219, 1220, 1283):
            changed = bytearray(data)
            changed[at] ^= 1
            self.assertRaises(Reject, SignedPreKey.decode(bytes(changed)).verify, verifier("alice"), DEVICE_ID)

    def test_last_resort_bit(self) -> None:
        """The top bit of the id, which the signature covers, tells the last-resort prekey from one-time ones."""
        self.assertFalse(self.secret.last_resort or self.signed.prekey.last_resort)
        for number in (LAST_RESORT_BIT, 0xFFFF_FFFF):
            secret = generate_prekey(number, stream("last"))
            self.assertTrue(secret.last_resort and secret.public().last_resort)
        self.assertFalse(generate_prekey(LAST_RESORT_BIT - 1, stream("last")).last_resort)

    def test_unusable_keys(self) -> None:
        """An ML-KEM key that is not reduced or a point of low order is refused, though its device has signed it."""
        good = self.signed.prekey
        bad = [PreKey(5, b"\xff" * 3 + good.mlkem[3:], good.x25519)]
        for point in LOW_ORDER:
            bad += [PreKey(5, good.mlkem, point), PreKey(5, good.mlkem, point[:-1] + bytes((point[-1] | 0x80,)))]
        for prekey in bad:
            signed = SignedPreKey(prekey, ed_sign(signer("alice"), "prekey", DEVICE_ID + prekey.encode()))
            self.assertRaises(Reject, prekey.public_key)
            self.assertRaises(Reject, signed.verify, verifier("alice"), DEVICE_ID)

    def test_repr(self) -> None:
        """Seeds stay out of the repr."""
        self.assertEqual(repr(self.secret), "PrekeySecret(id=5)")


class SecretTests(SynchronousTestCase):
    """What the device keeps."""

    def test_generate(self) -> None:
        """A prekey is 64 and 32 bytes of the given source, and nothing else."""
        drawn: list[int] = []

        def random(length: int) -> bytes:
            drawn.append(length)
            return bytes((len(drawn),)) * length

        secret = generate_prekey(1, random)
        self.assertEqual(drawn, [64, 32])
        self.assertEqual(secret, PrekeySecret(1, b"\x01" * 64, b"\x02" * 32))
        self.assertEqual(PrekeySecret(1, b"\x01" * 64, b"\x02" * 32).public(), secret.public())

    def test_stored_is_checked(self) -> None:
        """Seeds of another length, and ids that no u32 holds, are refused."""
        for number, one, two in ((1, 63, 32), (1, 64, 31), (1, 64, 33), (-1, 64, 32), (2**32, 64, 32)):
            self.assertRaises(Reject, PrekeySecret, number, bytes(one), bytes(two))


class XWingTests(SynchronousTestCase):
    """HPKE with KEM 0x647a."""

    def case(self) -> dict[str, Any]:
        """The published answer: HKDF-SHA256 and ChaCha20-Poly1305."""
        vectors = json.loads((VECTORS / "hpke_xwing.json").read_text("utf-8"))
        self.assertTrue(vectors["source"] and vectors["licence"])
        (case,) = vectors["tests"]
        self.assertEqual((case["kem_id"], case["kdf_id"], case["aead_id"]), (0x647A, 1, AEAD_CHACHA20_POLY1305))
        return {key: bytes.fromhex(value) if isinstance(value, str) else value for key, value in case.items()}

    def secret(self, case: dict[str, Any]) -> PrekeySecret:
        """The published private key, a seed that SHAKE256 expands to the two of a `PrekeySecret`."""
        seeds = hashlib.shake_256(case["skRm"]).digest(96)
        return PrekeySecret(1, seeds[:64], seeds[64:])

    def test_published_answer(self) -> None:
        """The two seeds give the published public key, and the library opens the published ciphertext with them."""
        case = self.case()
        public = self.secret(case).public()
        self.assertEqual(public.mlkem + public.x25519, case["pkRm"])
        suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
        first = {key: bytes.fromhex(value) for key, value in case["encryptions"][0].items()}
        sealed = case["enc"] + first["ct"]
        private_key = self.secret(case).private_key()
        opened = openssl.hpke._decrypt_with_aad(suite, sealed, private_key, case["info"], first["aad"])
        self.assertEqual(opened, first["pt"])

    def test_reference(self) -> None:
        """The second implementation computes the published key and nonce, and opens both published messages."""
        case = self.case()
        secret = self.secret(case)
        context = open_context(case["enc"], secret.mlkem_seed, secret.x25519_seed, case["info"], AEAD_CHACHA20_POLY1305)
        self.assertEqual((context.key, context.nonce), (case["key"], case["base_nonce"]))
        for number, message in enumerate(case["encryptions"]):
            nonce = (int.from_bytes(context.nonce, "big") ^ number).to_bytes(12, "big")
            aad, sealed, plain = (bytes.fromhex(message[key]) for key in ("aad", "ct", "pt"))
            self.assertEqual(ChaCha20Poly1305(context.key).decrypt(nonce, sealed, aad), plain)

    def test_reference_opens_the_library(self) -> None:
        """What the library seals with the suite of wraps, the second implementation opens."""
        secret = generate_prekey(1, stream("prekey"))
        sealed = SUITE.encrypt(b"r" * 32, secret.public().public_key(), b"context")
        context = open_context(sealed[:1120], secret.mlkem_seed, secret.x25519_seed, b"context", AEAD_AES_256_GCM)
        self.assertEqual(AESGCM(context.key).decrypt(context.nonce, sealed[1120:], b""), b"r" * 32)
