"""Password verifiers: the algebra, the bounds, and Argon2id in several threads at once."""

from concurrent.futures import ThreadPoolExecutor

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
    salted_password,
)
from chatserv.crypto.suite import mac, sha256
from chatserv.errors import Reject
from tests.support.sessions import flip

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


class ThreadTests(SynchronousTestCase):
    """Argon2id in a pool."""

    def test_parallel(self) -> None:
        """Eight runs in eight threads finish and give the same keys as one after the other."""
        pool = ThreadPoolExecutor(8)
        self.addCleanup(pool.shutdown, wait=False, cancel_futures=True)
        running = [pool.submit(salted_password, f"password {at}", SALT, CHEAP) for at in range(8)]
        keys = [run.result(timeout=30) for run in running]
        self.assertEqual(len(set(keys)), 8)
        self.assertEqual(keys[3], salted_password("password 3", SALT, CHEAP))
