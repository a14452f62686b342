"""Passwords that never reach the server: SCRAM algebra with Argon2id on the client (docs/protocol.rst 4.3 and 4.7)."""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msgspec import Struct

from chatserv.crypto.encoding import Reader, u8, u32
from chatserv.crypto.suite import RSA_BYTES, extract, mac, same, sha256, xlabel
from chatserv.discreet import Discreet
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


class PasswordParameters(Struct, frozen=True):
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


class PasswordVerifier(Discreet, frozen=True):
    """What the server keeps: enough to check a proof, not enough to make one (RFC 5802 section 3)."""

    shown = ("salt", "parameters")

    salt: bytes
    parameters: PasswordParameters
    stored_key: bytes
    server_key: bytes

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


class PasswordKeys(Discreet, frozen=True):
    """What follows from a salted password; ``client_key`` is the client's alone (RFC 5802 section 3)."""

    client_key: bytes
    stored_key: bytes
    server_key: bytes

    def proof(self, message: bytes) -> bytes:
        """``ClientKey XOR HMAC(StoredKey, AM)``, 32 bytes: shows who has ``stored_key`` that we have the password."""
        return _xor(self.client_key, mac(self.stored_key, message))


def password_keys(salted: bytes) -> PasswordKeys:
    """The keys of SCRAM over what `salted_password` made (32 bytes)."""
    auth = mac(salted, b"chatserv1 pw auth")
    client_key = mac(auth, b"Client Key")
    return PasswordKeys(client_key, sha256(client_key), mac(auth, b"Server Key"))


def make_verifier(password: str, salt: bytes, parameters: PasswordParameters) -> PasswordVerifier:
    """The verifier of a password: ``StoredKey`` and ``ServerKey`` of SCRAM over the Argon2id output."""
    keys = password_keys(salted_password(password, salt, parameters))
    return PasswordVerifier(salt, parameters, keys.stored_key, keys.server_key)


def proof_holds(verifier: PasswordVerifier, proof: bytes, message: bytes) -> bool:
    """Whether whoever made this proof (32 bytes) over ``message`` has the password of this verifier."""
    return same(sha256(_xor(proof, mac(verifier.stored_key, message))), verifier.stored_key)


def server_proof(server_key: bytes, message: bytes) -> bytes:
    """``HMAC(ServerKey, AM)``, 32 bytes: shows the client that the server has the verifier of its account."""
    return mac(server_key, message)


def own_secret(identity: rsa.RSAPrivateKey) -> bytes:
    """What a server makes its own secrets from (32 bytes): its identity key, which it keeps and nobody else has."""
    exponent = identity.private_numbers().d.to_bytes(RSA_BYTES, "big")
    return xlabel(extract(sha256(b"chatserv1 own"), exponent), "own", b"", 32)


def network_hash(secret: bytes, account_id: bytes, network: str) -> bytes:
    """What is kept of a network that an account has logged in from, 16 bytes.

    Without ``secret`` (that of `own_secret`) nobody finds out which network it is by trying all.
    """
    return xlabel(secret, "networks", account_id + network.encode(), 16)


def verifier_of_nobody(secret: bytes, user: str) -> PasswordVerifier:
    """What stands in for the verifier where there is no such user: always the same for a name, and fits no password.

    Args:
        secret: That of `own_secret`, so that nobody can tell it from a real one.
        user: The name, as it was given.
    """
    made = Reader(xlabel(secret, "nobody", user.encode(), SALT_BYTES + 32 + 32), "nobody")
    return PasswordVerifier(made.take(SALT_BYTES), PasswordParameters(), made.take(32), made.take(32))


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
