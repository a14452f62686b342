"""The hybrid wrap: a secret from device to device, under RSA-3072 *and* X25519 *and* ML-KEM-768 (docs/rooms.rst 6)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chatserv.crypto.e2e.prekey_secrets import PrekeySecret
from chatserv.crypto.prekeys import SignedPreKey
from chatserv.crypto.statements import certificate_facts
from chatserv.crypto.suite import load_rsa_spki, oaep, sha256
from chatserv.crypto.wraps import PAYLOAD_BYTES, Wrap, WrapScope
from chatserv.errors import Reject
from chatserv.local_errors import LocalProtocolError

SHARE_BYTES: Final = 32

_HPKE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_NONCE: Final = bytes(12)  # the key is fresh with each wrap
_NO_SHARE: Final = bytes(SHARE_BYTES)


@dataclass(frozen=True)
class Recipient:
    """A device that a secret is wrapped to, from its certificate."""

    device_id: bytes
    cert_hash: bytes
    rsa_spki: bytes = field(repr=False)
    ed25519: bytes = field(repr=False)

    @classmethod
    def of(cls, certificate: bytes) -> "Recipient":
        """From a ``DeviceCert`` that was verified before. Raises `Reject` where it does not parse."""
        facts = certificate_facts(certificate)
        return cls(facts.device_id, sha256(certificate), facts.rsa_spki, facts.ed25519)


@dataclass(frozen=True)
class OpenedWrap:
    """What a wrap held.

    Attributes:
        payload: The secret, 32 bytes.
        spent_prekey_id: The one-time prekey that has to be deleted in the transaction that stores what follows from the
            payload; None where the wrap used the last-resort one.
    """

    payload: bytes = field(repr=False)
    spent_prekey_id: int | None


def wrap_key(rsa_part: bytes, hpke_part: bytes, r1: bytes, r2: bytes, context: bytes) -> bytes:
    """``KEK = HKDF(salt = H(ct1 || ct2), IKM = r1 || r2, info = ctx, 32)``: the hybrid combiner (SP 800-56C rev. 2)."""
    salt = sha256(rsa_part, hpke_part)
    return HKDF(hashes.SHA256(), 32, salt, context).derive(r1 + r2)


def make_wrap(
    payload: bytes,
    scope: WrapScope,
    recipient: Recipient,
    prekey: SignedPreKey,
    random: Callable[[int], bytes],
) -> Wrap:
    """Wraps a secret to one device; 0.4 ms.

    Args:
        payload: The secret, 32 bytes.
        scope: The commit that it belongs to.
        recipient: The device, from a certificate that was verified.
        prekey: A prekey as the server gave it; its signature is verified here.
        random: The hedged source of docs/rooms.rst 2.1.

    Raises:
        Reject: The prekey is not of this device, or one of its keys is not usable.
    """
    if len(payload) != PAYLOAD_BYTES:
        raise LocalProtocolError(f"wrap: a payload of {len(payload)} bytes")
    prekey_public = prekey.verify(recipient.ed25519, recipient.device_id)
    rsa_public = load_rsa_spki(recipient.rsa_spki)
    context = scope.context(recipient.device_id, recipient.cert_hash, prekey.prekey.id)
    r1, r2 = random(SHARE_BYTES), random(SHARE_BYTES)
    try:
        rsa_part = rsa_public.encrypt(r1, oaep(sha256(context)))
        hpke_part = _HPKE.encrypt(r2, prekey_public, context)
    except ValueError:
        raise Reject("wrap: a key of the recipient is not usable") from None
    key = wrap_key(rsa_part, hpke_part, r1, r2, context)
    return Wrap(prekey.prekey.id, rsa_part, hpke_part, AESGCM(key).encrypt(_NONCE, payload, context))


def open_wrap(
    wrap: bytes,
    scope: WrapScope,
    device_id: bytes,
    cert_hash: bytes,
    rsa_key: rsa.RSAPrivateKey,
    prekeys: Mapping[int, PrekeySecret],
) -> OpenedWrap:
    """Opens a wrap for this device; 0.9 ms.

    Args:
        wrap: As it came, once its hash was found in the commit (`chatserv.crypto.wraps.verify_wrap`).
        scope: From the commit and the state before it, not from the server.
        device_id: Our own, 16 bytes.
        cert_hash: Of our certificate in the new roster, 32 bytes.
        rsa_key: Our OAEP key.
        prekeys: Our private prekeys that still exist, by id.

    Raises:
        Reject: ``wrap does not open``, whatever the cause. All steps are taken even where an early one fails.
    """
    try:
        parts = Wrap.decode(wrap)
    except Reject:
        raise _does_not_open() from None
    prekey = prekeys.get(parts.prekey_id)
    if prekey is None:
        raise _does_not_open()
    context = scope.context(device_id, cert_hash, parts.prekey_id)
    r1, r2 = _open_rsa(parts.rsa, rsa_key, context), _open_hpke(parts.hpke, prekey, context)
    key = wrap_key(parts.rsa, parts.hpke, r1 or _NO_SHARE, r2 or _NO_SHARE, context)
    try:
        payload = AESGCM(key).decrypt(_NONCE, parts.sealed, context)
    except InvalidTag:
        raise _does_not_open() from None
    if r1 is None or r2 is None:  # somebody who knows one share alone sealed under zeros for the other
        raise _does_not_open()
    return OpenedWrap(payload, None if prekey.last_resort else prekey.id)


def _open_rsa(part: bytes, key: rsa.RSAPrivateKey, context: bytes) -> bytes | None:
    try:
        share = key.decrypt(part, oaep(sha256(context)))
    except ValueError:
        return None
    return share if len(share) == SHARE_BYTES else None


def _open_hpke(part: bytes, prekey: PrekeySecret, context: bytes) -> bytes | None:
    try:
        return _HPKE.decrypt(part, prekey.private_key(), context)
    except (InvalidTag, ValueError):
        return None


def _does_not_open() -> Reject:
    return Reject("wrap does not open")
