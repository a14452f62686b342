"""X-Wing and HPKE base mode in hashlib and hmac alone: a second implementation to hold the library against.

After RFC 9180 section 5 and draft-irtf-cfrg-concrete-hybrid-kems; only ML-KEM-768, X25519 and the AEAD are the library's.
Unlike the library's, this one seals with given randomness, so that a whole wrap can be a known answer.
"""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

KEM_ID = 0x647A
KDF_HKDF_SHA256 = 1
AEAD_AES_256_GCM = 2
AEAD_CHACHA20_POLY1305 = 3
XWING_LABEL = b"\\.//^\\"


@dataclass(frozen=True)
class Context:
    """What the key schedule gives: the AEAD's key and the nonce of its first message."""

    key: bytes
    nonce: bytes


def combine(mlkem_secret: bytes, x25519_secret: bytes, ephemeral: bytes, recipient: bytes) -> bytes:
    """The combiner of X-Wing; both public values are of X25519."""
    return hashlib.sha3_256(mlkem_secret + x25519_secret + ephemeral + recipient + XWING_LABEL).digest()


def key_schedule(shared_secret: bytes, info: bytes, aead: int) -> Context:
    """RFC 9180 section 5.1, mode 0, HKDF-SHA256, an AEAD with keys of 32 bytes."""
    suite = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (KEM_ID, KDF_HKDF_SHA256, aead))

    def labelled_extract(salt: bytes, label: bytes, key_material: bytes) -> bytes:
        return hmac.digest(salt, b"HPKE-v1" + suite + label + key_material, "sha256")

    def labelled_expand(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return hmac.digest(secret, labelled + b"\x01", "sha256")[:length]

    context = b"\x00" + labelled_extract(b"", b"psk_id_hash", b"") + labelled_extract(b"", b"info_hash", info)
    secret = labelled_extract(shared_secret, b"secret", b"")
    return Context(labelled_expand(secret, b"key", context, 32), labelled_expand(secret, b"base_nonce", context, 12))


def open_context(encapsulated: bytes, mlkem_seed: bytes, x25519_seed: bytes, info: bytes, aead: int) -> Context:
    """The recipient's side, from the two seeds of its private key."""
    mlkem_ciphertext, ephemeral = encapsulated[:1088], encapsulated[1088:]
    x25519_key = x25519.X25519PrivateKey.from_private_bytes(x25519_seed)
    mlkem_secret = mlkem.MLKEM768PrivateKey.from_seed_bytes(mlkem_seed).decapsulate(mlkem_ciphertext)
    x25519_secret = x25519_key.exchange(x25519.X25519PublicKey.from_public_bytes(ephemeral))
    recipient = x25519_key.public_key().public_bytes_raw()
    return key_schedule(combine(mlkem_secret, x25519_secret, ephemeral, recipient), info, aead)


def seal_context(
    mlkem_ciphertext: bytes, mlkem_secret: bytes, ephemeral_seed: bytes, recipient: bytes, info: bytes, aead: int
) -> tuple[bytes, Context]:
    """The sender's side, from a given ML-KEM encapsulation and a given ephemeral X25519 key: ``enc`` and the context."""
    ephemeral_key = x25519.X25519PrivateKey.from_private_bytes(ephemeral_seed)
    ephemeral = ephemeral_key.public_key().public_bytes_raw()
    x25519_secret = ephemeral_key.exchange(x25519.X25519PublicKey.from_public_bytes(recipient))
    shared_secret = combine(mlkem_secret, x25519_secret, ephemeral, recipient)
    return mlkem_ciphertext + ephemeral, key_schedule(shared_secret, info, aead)
