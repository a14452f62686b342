"""Password verifiers: the algebra, the bounds, and Argon2id in several threads at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.encoding import u8, u32
from chatserv.crypto.password import (
    CEILING_ITERATIONS,
    CEILING_MEMORY_KIB,
    FLOOR_ITERATIONS,
    FLOOR_MEMORY_KIB,
    VERIFIER_BYTES,
    PasswordParameters,
    PasswordVerifier,
    make_verifier,
    network_hash,
    own_secret,
    password_keys,
    proof_holds,
    salted_password,
    server_proof,
    verifier_of_nobody,
)
from chatserv.crypto.suite import ed_sign, mac, sha256
from chatserv.errors import Reject
from chatserv.wire.handshake import client_auth_message
from chatserv.wire.password_login import (
    GuestOffer,
    PasswordChallenge,
    PasswordLogin,
    PasswordProof,
    password_auth_message,
)
from tests.support.sessions import flip, rsa_key

VECTORS: Final = Path(__file__).parents[1] / "vectors" / "crypto-vectors.json"
CHEAP = PasswordParameters(FLOOR_MEMORY_KIB, FLOOR_ITERATIONS)
SALT = b"s" * 16


def encoded(memory_kib: int, iterations: int, lanes: int) -> bytes:
    """A verifier with these parameters."""
    return SALT + u32(memory_kib) + u32(iterations) + u8(lanes) + bytes(64)


class ParameterTests(SynchronousTestCase):
    """Neither end takes parameters that are too weak, too dear or dangerous."""

    def test_default(self) -> None:
        """What registration uses is 64 MiB, 3 passes and one lane."""
        self.assertEqual(PasswordParameters(), PasswordParameters(65_536, 3, 1))
        PasswordParameters().check()

    def test_bounds(self) -> None:
        """The floor and the ceiling are taken, one step beyond is refused."""
        PasswordParameters(FLOOR_MEMORY_KIB, FLOOR_ITERATIONS).check()
        PasswordParameters(CEILING_MEMORY_KIB, CEILING_ITERATIONS).check()
        for memory, iterations in (
            (FLOOR_MEMORY_KIB - 1, 3), (65_536, FLOOR_ITERATIONS - 1), (0, 3), (65_536, 0),
            (CEILING_MEMORY_KIB + 1, 3), (65_536, CEILING_ITERATIONS + 1),
        ):  # fmt: skip
            self.assertRaises(Reject, PasswordParameters(memory, iterations).check)

    def test_lanes(self) -> None:
        """Exactly one lane is taken: two threads with more of them would hang for good."""
        for lanes in (0, 2, 4, 255):
            self.assertRaises(Reject, PasswordParameters(65_536, 3, lanes).check)

    def test_checked_before_work(self) -> None:
        """A key is never derived under refused parameters."""
        self.assertRaises(Reject, salted_password, "password", SALT, PasswordParameters(8, 1))
        self.assertRaises(Reject, make_verifier, "password", SALT, PasswordParameters(lanes=2))


class VerifierTests(SynchronousTestCase):
    """`PasswordVerifier` on the wire and in the store."""

    def test_algebra(self) -> None:
        """A verifier holds what SCRAM asks for, and a proof made with the password checks against it."""
        verifier = make_verifier("correct horse", SALT, CHEAP)
        auth = mac(salted_password("correct horse", SALT, CHEAP), b"chatserv1 pw auth")
        client_key = mac(auth, b"Client Key")
        signature = mac(verifier.stored_key, b"transcript")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        recovered = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        self.assertEqual(sha256(recovered), verifier.stored_key)
        self.assertEqual(mac(auth, b"Server Key"), verifier.server_key)

    def test_known_answer(self) -> None:
        """The verifier of a fixed password does not change between versions."""
        verifier = make_verifier("correct horse", SALT, CHEAP)
        self.assertEqual(
            sha256(verifier.encode()).hex(), "95cdd51026d3a6c804b2b1a365cd23dc83b9b2893366167aad87e2960c43aecb"
        )

    def test_separation(self) -> None:
        """Another password, salt or cost gives another verifier."""
        first = make_verifier("correct horse", SALT, CHEAP)
        for other in (
            make_verifier("correct horsf", SALT, CHEAP),
            make_verifier("correct horse", flip(SALT, 0), CHEAP),
            make_verifier("correct horse", SALT, PasswordParameters(FLOOR_MEMORY_KIB, FLOOR_ITERATIONS + 1)),
        ):
            self.assertNotEqual(first.stored_key, other.stored_key)
            self.assertNotEqual(first.server_key, other.server_key)

    def test_round_trip(self) -> None:
        """An encoded verifier has its fixed size and reads back as the same."""
        verifier = PasswordVerifier(SALT, PasswordParameters(), b"k" * 32, b"K" * 32)
        self.assertEqual(len(verifier.encode()), VERIFIER_BYTES)
        self.assertEqual(PasswordVerifier.decode(verifier.encode()), verifier)

    def test_refused(self) -> None:
        """A verifier below the floor, with two lanes, cut or with bytes after it is refused."""
        PasswordVerifier.decode(encoded(FLOOR_MEMORY_KIB, FLOOR_ITERATIONS, 1))
        whole = encoded(65_536, 3, 1)
        for broken in (
            encoded(FLOOR_MEMORY_KIB - 1, 3, 1),
            encoded(65_536, FLOOR_ITERATIONS - 1, 1),
            encoded(65_536, 3, 2),
            encoded(65_536, 3, 0),
            encoded(2**32 - 1, 3, 1),
            encoded(65_536, 2**32 - 1, 1),
            whole[:-1],
            whole + b"\0",
            b"",
        ):
            self.assertRaises(Reject, PasswordVerifier.decode, broken)

    def test_repr(self) -> None:
        """No representation shows what a guesser needs."""
        self.assertNotIn("stored", repr(PasswordVerifier(SALT, PasswordParameters(), b"k" * 32, b"K" * 32)))


class ExchangeTests(SynchronousTestCase):
    """A whole exchange from fixed keys, computed by other means than the code here (tests/vectors/crypto-vectors.json)."""

    def setUp(self) -> None:
        """The values, as bytes."""
        self.case: dict[str, Any] = json.loads(VECTORS.read_text("utf-8"))["scram"]

    def value(self, name: str) -> bytes:
        """One of them."""
        return bytes.fromhex(self.case[name])

    def test_keys(self) -> None:
        """Salted password, keys and verifier."""
        case = self.case
        cost = PasswordParameters(case["memory_kib"], case["iterations"], case["lanes"])
        salted = salted_password(case["password"], self.value("salt"), cost)
        keys = password_keys(salted)
        self.assertEqual(salted, self.value("salted_password"))
        self.assertEqual(
            (keys.client_key, keys.stored_key, keys.server_key),
            (self.value("client_key"), self.value("stored_key"), self.value("server_key")),
        )
        self.assertEqual(make_verifier(case["password"], self.value("salt"), cost).encode(), self.value("verifier"))

    def test_proofs(self) -> None:
        """What is proved, both proofs, and the signature of the device that is offered."""
        transcript, cb, server_id = self.value("transcript"), self.value("cb"), self.value("server_id")
        message = password_auth_message(transcript, cb, server_id, self.case["user"])
        keys = password_keys(self.value("salted_password"))
        self.assertEqual(message, self.value("auth_message"))
        self.assertEqual(keys.proof(message), self.value("proof"))
        self.assertEqual(server_proof(keys.server_key, message), self.value("server_proof"))
        self.assertTrue(proof_holds(PasswordVerifier.decode(self.value("verifier")), self.value("proof"), message))
        signing = ed25519.Ed25519PrivateKey.from_private_bytes(self.value("signing_seed"))
        signed = client_auth_message(transcript, cb, server_id, self.case["user"], self.value("device_id"))
        self.assertEqual(ed_sign(signing, "client auth", signed), self.value("signature"))

    def test_structures(self) -> None:
        """ClientAuth, PasswordChallenge and PasswordProof as they travel."""
        case = self.case
        cost = PasswordParameters(case["memory_kib"], case["iterations"], case["lanes"])
        offer = GuestOffer(self.value("device_id"), self.value("rsa_spki"), self.value("ed25519"), case["created_ms"])
        for made, name in (
            (PasswordLogin(case["user"], self.value("client_nonce")), "client_auth"),
            (PasswordChallenge(self.value("salt"), cost, self.value("server_nonce")), "password_challenge"),
            (PasswordProof(self.value("proof"), offer, self.value("signature")), "password_proof"),
        ):
            self.assertEqual(made.encode(), self.value(name), name)

    def test_nobody(self) -> None:
        """What stands in for the verifier of a user who does not exist."""
        stand_in = verifier_of_nobody(self.value("own_secret"), "nobody")
        self.assertEqual(stand_in.encode(), self.value("stand_in_for_nobody"))

    def test_each_bit_counts(self) -> None:
        """A proof holds with all of its bits and of what is proved, and for one verifier."""
        verifier, message = PasswordVerifier.decode(self.value("verifier")), self.value("auth_message")
        proof = self.value("proof")
        for at in (0, 7, 31):
            self.assertFalse(proof_holds(verifier, flip(proof, at), message))
        for at in (0, 40, len(message) - 1):
            self.assertFalse(proof_holds(verifier, proof, flip(message, at)))
        other = replace(verifier, stored_key=flip(verifier.stored_key, 0))
        self.assertFalse(proof_holds(other, proof, message))


class OwnSecretTests(SynchronousTestCase):
    """What a server makes of its identity key."""

    def test_stable_and_its_own(self) -> None:
        """The same for one key, in each run; another for another; and none of the key's bytes."""
        first, second = own_secret(rsa_key("server")), own_secret(rsa_key("other"))
        self.assertEqual(first, own_secret(rsa_key("server")))
        self.assertNotEqual(first, second)
        self.assertEqual(len(first), 32)

    def test_networks_cannot_be_tried_out(self) -> None:
        """The hash of a network is another for each account and server."""
        one = network_hash(bytes(32), b"a" * 16, "192.0.2.7")
        others = {
            network_hash(bytes(32), b"a" * 16, "192.0.2.8"),
            network_hash(bytes(32), b"b" * 16, "192.0.2.7"),
            network_hash(b"k" * 32, b"a" * 16, "192.0.2.7"),
        }
        self.assertEqual((len(one), len(others | {one})), (16, 4))


class ThreadTests(SynchronousTestCase):
    """Argon2id in a pool."""

    def test_parallel(self) -> None:
        """Eight runs in eight threads finish and give the same keys as one after the other."""
        pool = ThreadPoolExecutor(8)
        self.addCleanup(pool.shutdown, wait=False, cancel_futures=True)
        running = [pool.submit(salted_password, f"password {at}", SALT, CHEAP) for at in range(8)]
        keys = [run.result(timeout=300) for run in running]
        self.assertEqual(len(set(keys)), 8)
        self.assertEqual(keys[3], salted_password("password 3", SALT, CHEAP))
