"""The functions of suite 0x0001: labels, padding, signatures, and which RSA keys are taken."""

import json
from math import log2
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.suite import (
    SPKI_BYTES,
    ed_sign,
    ed_verify,
    load_rsa_spki,
    oaep,
    pad,
    padme,
    pss_sign,
    pss_verify,
    rsa_spki,
    sha256,
    to_sign,
    unpad,
    xlabel,
)
from chatserv.errors import Reject
from tests.support.sessions import flip, rsa_key, spki

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent.parent / "vectors/crypto-vectors.json").read_text("utf-8"))


def public_spki(modulus: int, exponent: int) -> bytes:
    """The DER of any RSA public key."""
    return rsa_spki(rsa.RSAPublicNumbers(exponent, modulus).public_key())


class LabelTests(SynchronousTestCase):
    """`xlabel` and `to_sign` keep purposes apart."""

    def test_xlabel_known_answer(self) -> None:
        """XLabel gives the known answer."""
        case = VECTORS["xlabel"]
        secret, context = bytes.fromhex(case["secret"]), bytes.fromhex(case["context"])
        self.assertEqual(xlabel(secret, case["label"], context, case["length"]).hex(), case["out"])

    def test_xlabel_separates(self) -> None:
        """Label, context and length each change every output, and moving bytes from label to context does too."""
        secret = bytes(32)
        outputs = {
            xlabel(secret, label, context, length)[:16]
            for label, context, length in (
                ("key", b"", 32), ("key", b"", 31), ("iv", b"", 32), ("key", b"x", 32), ("keyx", b"", 32), ("ke", b"y", 32),
            )
        }  # fmt: skip
        self.assertEqual(len(outputs), 6)

    def test_sign_input_known_answer(self) -> None:
        """ToSign gives the known answer."""
        case = VECTORS["sign_input"]
        self.assertEqual(to_sign(case["label"], bytes.fromhex(case["message"])).hex(), case["tosign"])


class PaddingTests(SynchronousTestCase):
    """`pad` hides lengths and `unpad` takes nothing but what `pad` made."""

    def test_known_answers(self) -> None:
        """Each known length of data and mark is padded to the known size."""
        for length, padded in VECTORS["padding"].items():
            self.assertEqual(len(pad(bytes(int(length) - 1))), padded, length)

    @given(st.binary(max_size=3000))
    @example(b"")
    @example(b"\x80")
    @example(b"\x80" * 255)
    @example(b"\x00" * 255)
    @example(b"x" * 256 + b"\x80\x00\x00")
    def test_round_trip(self, data: bytes) -> None:
        """What was padded is unpadded to the same bytes."""
        self.assertEqual(unpad(pad(data)), data)

    @given(st.integers(1, 2**40))
    @example(1)
    @example(2)
    @example(3)
    @example(2**20)
    @example(2**20 + 1)
    def test_growth(self, length: int) -> None:
        """Padme never shrinks, adds at most 12 %, is a fixed point, and shows only O(log log n) bits of a length."""
        padded = padme(length)
        self.assertGreaterEqual(padded, length)
        self.assertLessEqual((padded - length) * 100, 12 * length)
        self.assertEqual(padme(padded), padded)
        shown = (padded >> ((padded & -padded).bit_length() - 1)).bit_length()
        self.assertLessEqual(shown, log2(max(log2(max(length, 2)), 1)) + 2)

    def test_monotonic(self) -> None:
        """A longer text is never padded to less."""
        sizes = [padme(length) for length in range(5000)]
        self.assertEqual(sizes, sorted(sizes))

    @given(st.binary(max_size=600))
    def test_not_canonical(self, data: bytes) -> None:
        """One zero more, one less, a byte in the zeros and a missing mark are refused."""
        padded = pad(data)
        changed = [padded + b"\x00", bytes(len(padded)), padded[:-1] + b"\x01"]
        if padded.endswith(b"\x00"):
            changed.append(padded[:-1])
        for broken in changed:
            self.assertRaises(Reject, unpad, broken)

    @given(st.binary(max_size=400))
    def test_any_bytes(self, padded: bytes) -> None:
        """Any bytes are either refused or exactly what `pad` makes of the result."""
        try:
            data = unpad(padded)
        except Reject:
            return
        self.assertEqual(pad(data), padded)


class RsaKeyTests(SynchronousTestCase):
    """`load_rsa_spki` takes 3072 bits, exponent 65537, canonical DER, and nothing else."""

    def test_accepted(self) -> None:
        """A key of the right kind is taken, and encodes to the same 422 bytes."""
        encoded = spki("server")
        self.assertEqual(len(encoded), SPKI_BYTES)
        self.assertEqual(rsa_spki(load_rsa_spki(encoded)), encoded)

    def test_sizes(self) -> None:
        """Keys of 2048, 3071 and 4096 bits are refused."""
        for modulus in (2**2047 + 1, 2**3070 + 1, 2**4095 + 1):
            self.assertRaises(Reject, load_rsa_spki, public_spki(modulus, 65537))

    def test_exponents(self) -> None:
        """Exponent 3, and another one of the same length, are refused."""
        modulus = rsa_key("server").public_key().public_numbers().n
        for exponent in (3, 17, 65539):
            self.assertRaises(Reject, load_rsa_spki, public_spki(modulus, exponent))

    def test_even_modulus(self) -> None:
        """An even modulus, which loads and then fails to encrypt, is refused."""
        encoded = spki("server")
        modulus = rsa_key("server").public_key().public_numbers().n.to_bytes(384, "big")
        last = encoded.index(modulus) + 383
        self.assertRaises(Reject, load_rsa_spki, flip(encoded, last))

    def test_unknown_algorithm(self) -> None:
        """An object identifier that the library does not know is refused like any other rubbish."""
        encoded = spki("server")
        at = encoded.index(bytes.fromhex("2a864886f70d010101"))
        for offset in range(9):
            self.assertRaises(Reject, load_rsa_spki, flip(encoded, at + offset))

    def test_other_kinds(self) -> None:
        """Keys of Ed25519 and of an elliptic curve are refused, with padding up to the right length too."""
        for key in (ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)), ec.derive_private_key(7, ec.SECP256R1())):
            encoded = key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            self.assertRaises(Reject, load_rsa_spki, encoded)
            self.assertRaises(Reject, load_rsa_spki, encoded.ljust(SPKI_BYTES, b"\0"))

    def test_other_kind_of_the_same_length(self) -> None:
        """A key that is not RSA and happens to have 422 bytes is refused."""
        numbers = dsa.DSAParameterNumbers(2**1023 + 1, 2**159 + 1, 2**1000)
        encoded = dsa.DSAPublicNumbers(2**896, numbers).public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )  # fmt: skip
        self.assertEqual(len(encoded), SPKI_BYTES)
        self.assertRaises(Reject, load_rsa_spki, encoded)

    def test_lengths(self) -> None:
        """Trailing bytes, a missing byte and nothing at all are refused."""
        encoded = spki("server")
        for broken in (encoded + b"\0", encoded[:-1], b"", encoded + encoded):
            self.assertRaises(Reject, load_rsa_spki, broken)

    def test_not_canonical(self) -> None:
        """Forms that parse to a key but are not the one DER of it are refused."""
        encoded = spki("server")
        head, algorithm, rest = encoded[:4], encoded[4:19], encoded[19:]
        no_parameters = b"\x30\x0b" + algorithm[2:13]
        long_length = b"\x30\x81\x0d" + algorithm[2:]
        for name, broken in {
            "no parameters": b"\x30\x82\x01\xa0" + no_parameters + rest,
            "long form of a length": b"\x30\x82\x01\xa3" + long_length + rest,
            "indefinite length": b"\x30\x80" + encoded[4:] + b"\0\0",
            "unused bits": head + algorithm + flip(rest, 4),
        }.items():
            with self.subTest(name):
                self.assertRaises(Reject, load_rsa_spki, broken)
                self.assertRaises(Reject, load_rsa_spki, broken[:SPKI_BYTES].ljust(SPKI_BYTES, b"\0"))

    def test_pss_identifier(self) -> None:
        """The same key under the identifier of RSASSA-PSS, which loads and has 422 bytes too, is refused."""
        plain, pss = bytes.fromhex("2a864886f70d0101010500"), bytes.fromhex("2a864886f70d01010a3000")
        encoded = spki("server").replace(plain, pss)
        self.assertIsInstance(serialization.load_der_public_key(encoded), rsa.RSAPublicKey)
        self.assertEqual(len(encoded), SPKI_BYTES)
        self.assertRaises(Reject, load_rsa_spki, encoded)

    def test_same_length_not_canonical(self) -> None:
        """A modulus with a leading zero too many, made up for by a shorter exponent, is refused at the right length."""
        modulus = rsa_key("server").public_key().public_numbers().n.to_bytes(384, "big")
        integer = b"\x02\x82\x01\x83\x00\x00\x00" + modulus + b"\x02\x01\x03"
        sequence = b"\x30\x82" + len(integer).to_bytes(2, "big") + integer
        encoded = spki("server")[:24] + sequence
        self.assertEqual(len(encoded), SPKI_BYTES)
        self.assertRaises(Reject, load_rsa_spki, encoded)


class SignatureTests(SynchronousTestCase):
    """Signatures fit one key, one label and one message."""

    def test_pss(self) -> None:
        """An RSA signature verifies for its own key, label and message only, and twice the same is never made."""
        key, other = rsa_key("server"), rsa_key("other server")
        signature = pss_sign(key, to_sign("revoke", b"m"))
        pss_verify(key.public_key(), signature, "revoke", b"m")
        self.assertNotEqual(signature, pss_sign(key, to_sign("revoke", b"m")))
        for public, sig, label, message in (
            (other.public_key(), signature, "revoke", b"m"),
            (key.public_key(), signature, "sth", b"m"),
            (key.public_key(), signature, "revoke", b"n"),
            (key.public_key(), flip(signature, 0), "revoke", b"m"),
            (key.public_key(), signature[:-1], "revoke", b"m"),
            (key.public_key(), signature + b"\0", "revoke", b"m"),
            (key.public_key(), b"", "revoke", b"m"),
        ):
            self.assertRaises(Reject, pss_verify, public, sig, label, message)

    def test_ed25519(self) -> None:
        """An Ed25519 signature verifies for its own key, label and message only; a broken key is no accident."""
        key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
        public = key.public_key().public_bytes_raw()
        signature = ed_sign(key, "leave", b"m")
        ed_verify(public, signature, "leave", b"m")
        for broken_key, sig, label, message in (
            (bytes(range(32)), signature, "leave", b"m"),
            (b"\xff" * 32, signature, "leave", b"m"),
            (b"", signature, "leave", b"m"),
            (public, signature, "commit", b"m"),
            (public, signature, "leave", b"n"),
            (public, flip(signature, 63), "leave", b"m"),
            (public, signature[:-1], "leave", b"m"),
        ):
            self.assertRaises(Reject, ed_verify, broken_key, sig, label, message)

    def test_oaep_label(self) -> None:
        """What was wrapped under one label does not open under another."""
        key = rsa_key("server")
        wrapped = key.public_key().encrypt(b"secret", oaep(b"one"))
        self.assertEqual(key.decrypt(wrapped, oaep(b"one")), b"secret")
        self.assertRaises(ValueError, key.decrypt, wrapped, oaep(b"two"))

    def test_hash_parts(self) -> None:
        """The hash of parts is that of their concatenation."""
        self.assertEqual(sha256(b"a", b"bc"), sha256(b"abc"))
