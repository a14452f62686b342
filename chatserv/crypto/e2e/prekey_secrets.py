"""Prekeys, the private half: two seeds each, which is what a device stores (docs/rooms.rst 3.3)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519

from chatserv.crypto.prekeys import PreKey, SignedPreKey, is_last_resort
from chatserv.crypto.suite import ed_sign
from chatserv.errors import Reject

MLKEM_SEED_BYTES: Final = 64
X25519_SEED_BYTES: Final = 32


@dataclass(frozen=True)
class PrekeySecret:
    """The private half of a prekey.

    Attributes:
        id: Its number; with the top bit set it is a last-resort prekey.
        mlkem_seed: ``d || z`` of ML-KEM-768 (FIPS 203 section 6.1), 64 bytes.
        x25519_seed: The X25519 scalar (RFC 7748 section 5), 32 bytes.
    """

    id: int
    mlkem_seed: bytes = field(repr=False)
    x25519_seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Raises `Reject` for an impossible id or seed, so that a stored prekey is checked when it is read back."""
        if not 0 <= self.id < 2**32:
            raise Reject(f"prekey: id {self.id}")
        if len(self.mlkem_seed) != MLKEM_SEED_BYTES or len(self.x25519_seed) != X25519_SEED_BYTES:
            raise Reject("prekey: seeds of the wrong length")

    @property
    def last_resort(self) -> bool:
        """Whether it serves many wraps; a one-time prekey is deleted with the first."""
        return is_last_resort(self.id)

    @cached_property
    def _keys(self) -> tuple[mlkem.MLKEM768PrivateKey, x25519.X25519PrivateKey]:
        return (
            mlkem.MLKEM768PrivateKey.from_seed_bytes(self.mlkem_seed),
            x25519.X25519PrivateKey.from_private_bytes(self.x25519_seed),
        )

    def private_key(self) -> hpke.MLKEM768X25519PrivateKey:
        """The key for HPKE with KEM 0x647a, X-Wing (draft-irtf-cfrg-concrete-hybrid-kems)."""
        return hpke.MLKEM768X25519PrivateKey(*self._keys)

    def public(self) -> PreKey:
        """The public half."""
        mlkem_key, x25519_key = (key.public_key().public_bytes_raw() for key in self._keys)
        return PreKey(self.id, mlkem_key, x25519_key)

    def sign(self, device: ed25519.Ed25519PrivateKey, device_id: bytes) -> SignedPreKey:
        """The public half, signed by the device: what the server lists."""
        prekey = self.public()
        return SignedPreKey(prekey, ed_sign(device, "prekey", device_id + prekey.encode()))


def generate_prekey(prekey_id: int, random: Callable[[int], bytes]) -> PrekeySecret:
    """A new prekey, 96 random bytes. Unlike a key that the library makes, its seeds are hedged (docs/rooms.rst 2.1)."""
    return PrekeySecret(prekey_id, random(MLKEM_SEED_BYTES), random(X25519_SEED_BYTES))
