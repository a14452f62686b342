"""Prekeys, the public half: short-lived X-Wing keys that a device leaves with the server (docs/rooms.rst 3.3)."""

from typing import Final

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

from chatserv.crypto.encoding import Reader, u32
from chatserv.crypto.suite import ed_verify
from chatserv.discreet import Discreet
from chatserv.errors import Reject

MLKEM_BYTES: Final = 1184
X25519_BYTES: Final = 32
PREKEY_BYTES: Final = 4 + MLKEM_BYTES + X25519_BYTES
SIGNED_PREKEY_BYTES: Final = PREKEY_BYTES + 64
LAST_RESORT_BIT: Final = 0x8000_0000

_PROBE = x25519.X25519PrivateKey.from_private_bytes(bytes(32))  # any scalar: all of them are multiples of 8


def is_last_resort(prekey_id: int) -> bool:
    """Whether the id is of a prekey that serves many wraps; the others serve one."""
    return bool(prekey_id & LAST_RESORT_BIT)


class PreKey(Discreet, frozen=True):
    """The X-Wing public key of one prekey: ML-KEM-768 (1184 bytes, FIPS 203) and X25519 (32 bytes, RFC 7748)."""

    shown = ("id",)

    id: int
    mlkem: bytes
    x25519: bytes

    @property
    def last_resort(self) -> bool:
        """Whether it serves many wraps."""
        return is_last_resort(self.id)

    def encode(self) -> bytes:
        """``u32 id; mlkem_ek[1184]; x25519[32]``: 1220 bytes."""
        return u32(self.id) + self.mlkem + self.x25519

    @classmethod
    def decode(cls, data: bytes) -> "PreKey":
        """Parses strictly. Raises `Reject`; what the keys are worth is the business of `public_key`."""
        reader = Reader(data, "prekey")
        prekey = cls(reader.u32(), reader.take(MLKEM_BYTES), reader.take(X25519_BYTES))
        reader.end()
        return prekey

    def public_key(self) -> hpke.MLKEM768X25519PublicKey:
        """The key for HPKE with KEM 0x647a.

        Raises:
            Reject: The ML-KEM key is not reduced (FIPS 203 section 7.2), or the X25519 point has a low order, so that no
                wrap can be made for it: who takes such a prekey in stops every commit of its rooms.
        """
        try:
            mlkem_key = mlkem.MLKEM768PublicKey.from_public_bytes(self.mlkem)
            x25519_key = x25519.X25519PublicKey.from_public_bytes(self.x25519)
            _PROBE.exchange(x25519_key)
        except ValueError:
            raise Reject("prekey: not a usable public key") from None
        return hpke.MLKEM768X25519PublicKey(mlkem_key, x25519_key)


class SignedPreKey(Discreet, frozen=True):
    """A prekey and its device's Ed25519 signature (64 bytes)."""

    shown = ("prekey",)

    prekey: PreKey
    signature: bytes

    def encode(self) -> bytes:
        """``PreKey; sig[64]``: 1284 bytes."""
        return self.prekey.encode() + self.signature

    @classmethod
    def decode(cls, data: bytes) -> "SignedPreKey":
        """Parses strictly. Raises `Reject`; nothing is verified yet."""
        reader = Reader(data, "signed prekey")
        signed = cls(PreKey.decode(reader.take(PREKEY_BYTES)), reader.take(64))
        reader.end()
        return signed

    def verify(self, device_ed25519: bytes, device_id: bytes) -> hpke.MLKEM768X25519PublicKey:
        """Checks signature and keys, as the server does before it lists a prekey and a committer before it wraps.

        Args:
            device_ed25519: The device's signature key, from its certificate, 32 bytes.
            device_id: The device's id, 16 bytes.

        Returns:
            The key for HPKE.

        Raises:
            Reject: It is not signed by this device, or is not usable.
        """
        ed_verify(device_ed25519, self.signature, "prekey", device_id + self.prekey.encode())
        return self.prekey.public_key()
