"""Known answers of every primitive of suite 0x0001, run against the ``cryptography`` that is installed.

The vectors and where they come from: tests/vectors/README.rst.
"""

# mypy: allow-untyped-calls

import base64
import hashlib
import hmac as stdlib_hmac
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from twisted.trial.unittest import SynchronousTestCase

VECTORS = Path(__file__).parent.parent / "vectors"
SHA256 = hashes.SHA256()


def load(name: str) -> dict[str, Any]:
    """One file of vectors."""
    loaded: dict[str, Any] = json.loads((VECTORS / name).read_text("utf-8"))
    return loaded


def raw(case: dict[str, Any], *keys: str) -> list[bytes]:
    """The hexadecimal values of a case."""
    return [bytes.fromhex(case[key]) for key in keys]


class VectorFileTests(SynchronousTestCase):
    """The vendored files stay small and say where they are from."""

    def test_provenance(self) -> None:
        """Each file that this module reads names source and licence, and is below 150 kB."""
        for name in (
            "aes_256_gcm", "argon2id", "ed25519", "ed25519_rfc8032", "hkdf_sha256", "hmac_sha256", "ml_kem_768",
            "rsa_oaep_3072_sha256", "rsa_pss_3072_sha256_salt_32", "scram_sha_256", "x25519",
        ):  # fmt: skip
            vectors = load(f"{name}.json")
            self.assertTrue(vectors["source"] and vectors["licence"] and vectors["tests"], name)
            self.assertLess((VECTORS / f"{name}.json").stat().st_size, 150_000)


class AeadTests(SynchronousTestCase):
    """AES-256-GCM (NIST SP 800-38D)."""

    def test_valid(self) -> None:
        """Valid cases seal to the known ciphertext and tag, and open again."""
        for case in load("aes_256_gcm.json")["tests"]:
            if case["result"] == "valid":
                key, nonce, ad, plain, sealed, tag = raw(case, "key", "iv", "aad", "msg", "ct", "tag")
                self.assertEqual(AESGCM(key).encrypt(nonce, plain, ad), sealed + tag, case["id"])
                self.assertEqual(AESGCM(key).decrypt(nonce, sealed + tag, ad), plain, case["id"])

    def test_invalid(self) -> None:
        """Cases with a changed tag do not open."""
        invalid = [case for case in load("aes_256_gcm.json")["tests"] if case["result"] == "invalid"]
        self.assertTrue(invalid)
        for case in invalid:
            key, nonce, ad, sealed, tag = raw(case, "key", "iv", "aad", "ct", "tag")
            self.assertRaises(InvalidTag, AESGCM(key).decrypt, nonce, sealed + tag, ad)


class RsaTests(SynchronousTestCase):
    """RSA of 3072 bits (RFC 8017)."""

    def test_oaep(self) -> None:
        """OAEP opens the valid cases to the known message and refuses the invalid ones."""
        vectors = load("rsa_oaep_3072_sha256.json")
        key = load_der_private_key(bytes.fromhex(vectors["private_key_pkcs8"]), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self.assertEqual(key.key_size, 3072)
        for case in vectors["tests"]:
            plain, sealed, label = raw(case, "msg", "ct", "label")
            oaep = padding.OAEP(padding.MGF1(SHA256), SHA256, label)
            if case["result"] == "valid":
                self.assertEqual(key.decrypt(sealed, oaep), plain, case["id"])
            else:
                self.assertRaises(ValueError, key.decrypt, sealed, oaep)

    def test_pss(self) -> None:
        """PSS with a salt of 32 bytes accepts the valid signatures and refuses the invalid ones."""
        vectors = load("rsa_pss_3072_sha256_salt_32.json")
        key = load_der_public_key(bytes.fromhex(vectors["public_key_der"]))
        assert isinstance(key, rsa.RSAPublicKey)
        self.assertEqual(key.key_size, 3072)
        pss = padding.PSS(padding.MGF1(SHA256), 32)
        for case in vectors["tests"]:
            message, signature = raw(case, "msg", "sig")
            if case["result"] == "valid":
                key.verify(signature, message, pss, SHA256)
            else:
                self.assertRaises(InvalidSignature, key.verify, signature, message, pss, SHA256)


class Ed25519Tests(SynchronousTestCase):
    """Ed25519 (RFC 8032)."""

    def test_verify(self) -> None:
        """Valid signatures verify, invalid ones (malleable, truncated, badly encoded) do not."""
        for case in load("ed25519.json")["tests"]:
            public, message, signature = raw(case, "public", "msg", "sig")
            key = ed25519.Ed25519PublicKey.from_public_bytes(public)
            if case["result"] == "valid":
                key.verify(signature, message)
            else:
                self.assertRaises(InvalidSignature, key.verify, signature, message)

    def test_sign(self) -> None:
        """Signing gives the signatures of RFC 8032 section 7.1."""
        for case in load("ed25519_rfc8032.json")["tests"]:
            private, public, message, signature = raw(case, "private", "public", "msg", "sig")
            key = ed25519.Ed25519PrivateKey.from_private_bytes(private)
            self.assertEqual(key.public_key().public_bytes_raw(), public, case["id"])
            self.assertEqual(key.sign(message), signature, case["id"])
            key.public_key().verify(signature, message)


class KeyAgreementTests(SynchronousTestCase):
    """X25519 (RFC 7748) and ML-KEM-768 (FIPS 203)."""

    def test_x25519(self) -> None:
        """Each exchange gives the known secret; public keys of low order are refused."""
        low_order = 0
        for case in load("x25519.json")["tests"]:
            private, public, shared = raw(case, "private", "public", "shared")
            key = x25519.X25519PrivateKey.from_private_bytes(private)
            peer = x25519.X25519PublicKey.from_public_bytes(public)
            if "ZeroSharedSecret" in case["flags"]:
                self.assertRaises(ValueError, key.exchange, peer)
                low_order += 1
            else:
                self.assertEqual(key.exchange(peer), shared, case["id"])
        self.assertEqual(low_order, 31)

    def test_ml_kem(self) -> None:
        """A seed gives the known public key, a ciphertext its secret, and a wrong ciphertext the secret of rejection."""
        for case in load("ml_kem_768.json")["tests"]:
            d, z, public, sealed, shared, wrong, rejection = raw(case, "d", "z", "pk", "ct", "ss", "ct_n", "ss_n")
            key = mlkem.MLKEM768PrivateKey.from_seed_bytes(d + z)
            self.assertEqual(key.public_key().public_bytes_raw(), public, case["id"])
            self.assertEqual(key.decapsulate(sealed), shared, case["id"])
            self.assertEqual(key.decapsulate(wrong), rejection, case["id"])
            self.assertRaises(ValueError, key.decapsulate, sealed[:-1])


class KeyDerivationTests(SynchronousTestCase):
    """HMAC, HKDF, Argon2id and the SCRAM exchange."""

    def test_hmac(self) -> None:
        """HMAC-SHA-256 gives the values of RFC 4231."""
        for case in load("hmac_sha256.json")["tests"]:
            key, message, mac = raw(case, "key", "msg", "mac")
            code = hmac.HMAC(key, SHA256)
            code.update(message)
            self.assertEqual(code.finalize(), mac, case["id"])
            self.assertEqual(stdlib_hmac.digest(key, message, "sha256"), mac, case["id"])

    def test_hkdf(self) -> None:
        """HKDF-SHA-256 extracts and expands to the values of RFC 5869."""
        for case in load("hkdf_sha256.json")["tests"]:
            ikm, salt, info, prk, okm = raw(case, "ikm", "salt", "info", "prk", "okm")
            self.assertEqual(HKDF.extract(SHA256, salt, ikm), prk, case["id"])
            self.assertEqual(HKDFExpand(SHA256, case["length"], info).derive(prk), okm, case["id"])
            self.assertEqual(HKDF(SHA256, case["length"], salt, info).derive(ikm), okm, case["id"])

    def test_argon2id(self) -> None:
        """Argon2id version 1.3 gives the values of RFC 9106 and of the reference program."""
        for case in load("argon2id.json")["tests"]:
            password, salt, secret, ad, output = raw(case, "password", "salt", "secret", "ad", "output")
            derived = Argon2id(
                salt=salt,
                length=case["length"],
                iterations=case["iterations"],
                lanes=case["lanes"],
                memory_cost=case["memory_kib"],
                ad=ad or None,
                secret=secret or None,
            ).derive(password)
            self.assertEqual(derived, output, case["id"])

    def test_scram(self) -> None:
        """The example of RFC 7677 section 3 computes to its proof and server signature."""
        (case,) = load("scram_sha_256.json")["tests"]
        fields = dict(part.split("=", 1) for part in case["server_first"].split(","))
        salted = PBKDF2HMAC(SHA256, 32, base64.b64decode(fields["s"]), int(fields["i"])).derive(
            case["password"].encode()
        )
        client_key = stdlib_hmac.digest(salted, b"Client Key", "sha256")
        server_key = stdlib_hmac.digest(salted, b"Server Key", "sha256")
        parts = (case["client_first_bare"], case["server_first"], case["client_final_without_proof"])
        auth_message = ",".join(parts).encode()
        signature = stdlib_hmac.digest(hashlib.sha256(client_key).digest(), auth_message, "sha256")
        proof = bytes(left ^ right for left, right in zip(client_key, signature, strict=True))
        self.assertEqual(base64.b64encode(proof).decode(), case["proof"])
        server_signature = stdlib_hmac.digest(server_key, auth_message, "sha256")
        self.assertEqual(base64.b64encode(server_signature).decode(), case["server_signature"])
