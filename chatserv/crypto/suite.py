"""Suite 0x0001: the functions that every other construction is made of (docs/protocol.rst 2).

Pure functions over ``cryptography``. What can fail fails with `chatserv.errors.Reject`, never with a bare ``ValueError``.
"""

import hashlib
import hmac
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from chatserv.crypto.encoding import u16, u32, v8
from chatserv.errors import Reject

VERSION: Final = 1
SUITE: Final = 0x0001
RSA_BITS: Final = 3072
SPKI_BYTES: Final = 422
RSA_BYTES: Final = RSA_BITS // 8
PUBLIC_EXPONENT: Final = 65537
SHA256_BYTES: Final = 32

_FIELD: Final = 2**255 - 19
_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7  # y of two points of order 8
_SMALL_ORDER: Final = frozenset((0, 1, _FIELD - 1, _FIELD, _FIELD + 1, _ORDER_8, _FIELD - _ORDER_8))

_SHA256 = hashes.SHA256()
_PSS = padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=32)


def sha256(*parts: bytes) -> bytes:
    """``H(x...)``: SHA-256 of the concatenation, 32 bytes (FIPS 180-4)."""
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256, 32 bytes (RFC 2104)."""
    return hmac.digest(key, message, "sha256")


def same(one: bytes, other: bytes) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(one, other)


def extract(salt: bytes, key_material: bytes) -> bytes:
    """HKDF-Extract with SHA-256, 32 bytes (RFC 5869 section 2.2)."""
    return HKDF.extract(_SHA256, salt, key_material)


@lru_cache(maxsize=256)
def _labelled(label: str, length: int, context_bytes: int) -> bytes:
    return u16(length) + v8(b"chatserv1 " + label.encode()) + u32(context_bytes)


def xlabel(secret: bytes, label: str, context: bytes, length: int) -> bytes:
    """``XLabel``: HKDF-Expand with label and context, ``length`` bytes (in the form of RFC 9420 section 8)."""
    info = _labelled(label, length, len(context)) + context
    if length <= SHA256_BYTES:  # the first block alone, T(1) of RFC 5869 section 2.3: three for each message
        return mac(secret, info + b"\x01")[:length]
    return HKDFExpand(_SHA256, length, info).derive(secret)


def to_sign(label: str, message: bytes) -> bytes:
    """``ToSign``: what is signed in place of a message, so that a signature fits one purpose only (RFC 8446 4.4.3)."""
    return b"\x20" * 64 + b"chatserv1 " + label.encode() + b"\x00" + sha256(message)


def padme(length: int) -> int:
    """``Padme``: ``length`` rounded up so that at most 12 % is added and only O(log log n) bits of it show."""
    if length < 2:
        return length
    exponent = length.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return (length + step - 1) // step * step


def pad(data: bytes) -> bytes:
    """``Pad``: 0x80, then zeros up to ``max(256, Padme(len + 1))`` bytes."""
    return (data + b"\x80").ljust(max(256, padme(len(data) + 1)), b"\x00")


def unpad(padded: bytes) -> bytes:
    """Undoes `pad`. Raises `Reject` where the padding is not the one that `pad` makes."""
    data, mark, _ = padded.rpartition(b"\x80")
    if not mark or pad(data) != padded:
        raise Reject("padding: not canonical")
    return data


def generate_rsa() -> rsa.RSAPrivateKey:
    """A new RSA-3072 key; takes 0.1 to 1.2 s and releases the GIL."""
    return rsa.generate_private_key(PUBLIC_EXPONENT, RSA_BITS)


def rsa_spki(key: rsa.RSAPublicKey) -> bytes:
    """SubjectPublicKeyInfo in DER, `SPKI_BYTES` bytes (RFC 5280 section 4.1.2.7)."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def rsa_key_id(key: rsa.RSAPrivateKey) -> bytes:
    """What a key of ours is called by: SHA-256 of its public half (SPKI), 32 bytes."""
    return sha256(rsa_spki(key.public_key()))


def load_rsa_spki(spki: bytes) -> rsa.RSAPublicKey:
    """The RSA key of ``spki``. Raises `Reject` unless it has 3072 bits, exponent 65537 and the canonical encoding."""
    if len(spki) != SPKI_BYTES:
        raise Reject(f"RSA key: {len(spki)} bytes, {SPKI_BYTES} wanted")
    try:
        key = serialization.load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Reject("RSA key: does not parse") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise Reject("RSA key: another kind of key")
    numbers = key.public_numbers()
    if key.key_size != RSA_BITS or numbers.e != PUBLIC_EXPONENT or rsa_spki(key) != spki:
        raise Reject("RSA key: wrong size, exponent or encoding")
    if numbers.n % 2 == 0:  # OpenSSL loads it, and fails when it encrypts
        raise Reject("RSA key: even modulus")
    return key


def pss_sign(key: rsa.RSAPrivateKey, signed: bytes) -> bytes:
    """RSASSA-PSS over what `to_sign` made, 384 bytes (RFC 8017 section 8.1). Takes 0.7 ms; releases the GIL."""
    return key.sign(signed, _PSS, _SHA256)


def pss_verify(key: rsa.RSAPublicKey, signature: bytes, label: str, message: bytes) -> None:
    """Raises `Reject` unless ``signature`` is by ``key`` over ``message`` under ``label``."""
    try:
        key.verify(signature, to_sign(label, message), _PSS, _SHA256)
    except InvalidSignature:
        raise Reject(f"{label}: RSA signature does not verify") from None


def sign_by_both(old: rsa.RSAPrivateKey, new: rsa.RSAPrivateKey, label: str, message: bytes) -> bytes:
    """A statement by which one key gives way to another: the message, signed by both; 768 bytes longer."""
    signed = to_sign(label, message)
    return message + pss_sign(old, signed) + pss_sign(new, signed)


def of_both(statement: bytes) -> bytes:
    """The message of what `sign_by_both` made, whose signatures nobody has looked at."""
    return statement[: -2 * RSA_BYTES]


def verify_both(statement: bytes, old_spki: bytes, new_spki: bytes, label: str) -> None:
    """Raises `Reject` unless both keys (DER) can be used and have signed the statement under ``label``."""
    message, by_old, by_new = of_both(statement), statement[-2 * RSA_BYTES : -RSA_BYTES], statement[-RSA_BYTES:]
    pss_verify(load_rsa_spki(old_spki), by_old, label, message)
    pss_verify(load_rsa_spki(new_spki), by_new, label, message)


def ed_sign(key: ed25519.Ed25519PrivateKey, label: str, message: bytes) -> bytes:
    """``ED(k, L, m)``: Ed25519, 64 bytes (RFC 8032)."""
    return key.sign(to_sign(label, message))


@lru_cache(maxsize=1024)
def _ed_public(public: bytes) -> ed25519.Ed25519PublicKey:
    return ed25519.Ed25519PublicKey.from_public_bytes(public)


def ed_verify(public: bytes, signature: bytes, label: str, message: bytes) -> None:
    """Raises `Reject` unless ``signature`` is by the Ed25519 key ``public`` (32 bytes) over ``message`` under ``label``."""
    try:
        _ed_public(public).verify(signature, to_sign(label, message))
    except (InvalidSignature, ValueError):
        raise Reject(f"{label}: Ed25519 signature does not verify") from None


def ed_public_ok(public: bytes) -> bool:
    """Whether an Ed25519 key is none of the eight points whose order divides 8, in any encoding.

    Under such a key signatures hold for many messages, without anybody's secret. The list is of y coordinates, two of them
    not reduced; the sign of x does not matter. It is the one of libsodium.
    """
    return int.from_bytes(public, "little") % 2**255 not in _SMALL_ORDER


def oaep(label: bytes) -> padding.OAEP:
    """RSAES-OAEP with SHA-256 and a label (RFC 8017 section 7.1)."""
    return padding.OAEP(mgf=padding.MGF1(_SHA256), algorithm=_SHA256, label=label)
