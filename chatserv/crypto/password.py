"""Passwords that never reach the server: SCRAM algebra with Argon2id on the client (docs/protocol.rst 4.3).

The foundation uses the verifier that registration leaves with the server; password login comes with enrolment.
"""

from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from chatserv.crypto.encoding import Reader, u8, u32
from chatserv.crypto.suite import mac, sha256
from chatserv.errors import Reject

MEMORY_KIB: Final = 65_536
ITERATIONS: Final = 3
LANES: Final = 1  # never more: two threads with more lanes deadlock inside OpenSSL
FLOOR_MEMORY_KIB: Final = 19_456  # the OWASP floor
FLOOR_ITERATIONS: Final = 2
CEILING_MEMORY_KIB: Final = 1_048_576
CEILING_ITERATIONS: Final = 64
SALT_BYTES: Final = 16
VERIFIER_BYTES: Final = SALT_BYTES + 4 + 4 + 1 + 32 + 32


@dataclass(frozen=True)
class PasswordParameters:
    """Argon2id cost: memory in KiB, passes, lanes (RFC 9106 section 3.1)."""

    memory_kib: int = MEMORY_KIB
    iterations: int = ITERATIONS
    lanes: int = LANES

    def check(self) -> None:
        """Raises `Reject` below the floor, above the ceiling, or with more than one lane."""
        if not FLOOR_MEMORY_KIB <= self.memory_kib <= CEILING_MEMORY_KIB:
            raise Reject(f"password parameters: {self.memory_kib} KiB")
        if not FLOOR_ITERATIONS <= self.iterations <= CEILING_ITERATIONS:
            raise Reject(f"password parameters: {self.iterations} passes")
        if self.lanes != LANES:
            raise Reject(f"password parameters: {self.lanes} lanes")


@dataclass(frozen=True)
class PasswordVerifier:
    """What the server keeps: enough to check a proof, not enough to make one (RFC 5802 section 3)."""

    salt: bytes
    parameters: PasswordParameters
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def encode(self) -> bytes:
        """``salt[16]; u32 memory_kib; u32 iterations; u8 lanes; stored_key[32]; server_key[32]``."""
        cost = self.parameters
        numbers = u32(cost.memory_kib) + u32(cost.iterations) + u8(cost.lanes)
        return self.salt + numbers + self.stored_key + self.server_key

    @classmethod
    def decode(cls, data: bytes) -> "PasswordVerifier":
        """Parses and checks. Raises `Reject`."""
        reader = Reader(data, "verifier")
        salt = reader.take(SALT_BYTES)
        parameters = PasswordParameters(reader.u32(), reader.u32(), reader.u8())
        verifier = cls(salt, parameters, reader.take(32), reader.take(32))
        reader.end()
        parameters.check()
        return verifier


def salted_password(password: str, salt: bytes, parameters: PasswordParameters) -> bytes:
    """Argon2id v1.3, 32 bytes (RFC 9106). ``password`` is already prepared (RFC 8265). Takes 0.3 s; releases the GIL."""
    parameters.check()
    kdf = Argon2id(
        salt=salt,
        length=32,
        iterations=parameters.iterations,
        lanes=parameters.lanes,
        memory_cost=parameters.memory_kib,
    )
    return kdf.derive(password.encode())


def make_verifier(password: str, salt: bytes, parameters: PasswordParameters) -> PasswordVerifier:
    """The verifier of a password: ``StoredKey`` and ``ServerKey`` of SCRAM over the Argon2id output."""
    auth = mac(salted_password(password, salt, parameters), b"chatserv1 pw auth")
    client_key = mac(auth, b"Client Key")
    return PasswordVerifier(salt, parameters, sha256(client_key), mac(auth, b"Server Key"))
