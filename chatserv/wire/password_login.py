"""The structures of a login by password, ClientAuth method 2 (docs/protocol.rst 4.3 and 4.7). No order, no keys."""

from typing import Final

from chatserv.crypto.encoding import Reader, u8, u32, u64, v8, v16
from chatserv.crypto.password import SALT_BYTES, PasswordParameters
from chatserv.crypto.statements import DEVICE_ID_BYTES
from chatserv.crypto.suite import SPKI_BYTES
from chatserv.discreet import Discreet
from chatserv.errors import Reject

METHOD_PASSWORD: Final = 2
EXTENSION_SERVER_PROOF: Final = 2  # ServerFinish: what shows that the server has the account's verifier, 32 bytes
NONCE_BYTES: Final = 32
PROOF_BYTES: Final = 32


class PasswordLogin(Discreet, frozen=True):
    """ClientAuth, method 2: somebody who has no device here yet."""

    shown = ("user",)

    user: str
    client_nonce: bytes

    def encode(self) -> bytes:
        """The bytes of the structure."""
        return u8(METHOD_PASSWORD) + v8(self.user.encode()) + self.client_nonce


class PasswordChallenge(Discreet, frozen=True):
    """What the client derives its keys with: the account's salt and cost; and the server's part of what is proved."""

    shown = ("parameters",)

    salt: bytes
    parameters: PasswordParameters
    server_nonce: bytes

    def encode(self) -> bytes:
        """The bytes of the structure: ``salt[16]; u32 memory_kib; u32 iterations; u8 lanes; server_nonce[32]``."""
        cost = self.parameters
        return self.salt + u32(cost.memory_kib) + u32(cost.iterations) + u8(cost.lanes) + self.server_nonce

    @classmethod
    def decode(cls, data: bytes) -> "PasswordChallenge":
        """Parses strictly. Raises `Reject`, also for a cost that is out of bounds or more than one lane."""
        reader = Reader(data, "PasswordChallenge")
        salt = reader.take(SALT_BYTES)
        parameters = PasswordParameters(reader.u32(), reader.u32(), reader.u8())
        challenge = cls(salt, parameters, reader.take(NONCE_BYTES))
        reader.end()
        parameters.check()
        return challenge


class GuestOffer(Discreet, frozen=True):
    """The device that a guest would like to be: its id and public keys, and when it made them (ms since 1970)."""

    shown = ("device_id", "created_ms")

    device_id: bytes
    rsa_spki: bytes
    ed25519: bytes
    created_ms: int


class PasswordProof(Discreet, frozen=True):
    """The proof of the password, the device that its sender would like to be, and that device's signature."""

    shown = ("offer",)

    proof: bytes
    offer: GuestOffer
    signature: bytes

    def encode(self) -> bytes:
        """The bytes of the structure."""
        offer = self.offer
        keys = offer.device_id + v16(offer.rsa_spki) + offer.ed25519 + u64(offer.created_ms)
        return self.proof + keys + self.signature

    @classmethod
    def decode(cls, data: bytes) -> "PasswordProof":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "PasswordProof")
        proof = reader.take(PROOF_BYTES)
        offer = GuestOffer(reader.take(DEVICE_ID_BYTES), reader.v16(), reader.take(32), reader.u64())
        made = cls(proof, offer, reader.take(64))
        reader.end()
        if len(offer.rsa_spki) != SPKI_BYTES:
            raise Reject("PasswordProof: RSA key")
        return made


def password_auth_message(transcript: bytes, binding: bytes, server_id: bytes, user: str) -> bytes:
    """``AM``: what both ends prove with their keys. ``transcript``: the hash up to and with PasswordChallenge."""
    return transcript + binding + server_id + v8(user.encode())
