"""A new identity key on its way to those of its user's devices that held the one before (docs/rooms.rst 7.6, kind 7)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatserv.crypto.e2e.prekey_secrets import PrekeySecret
from chatserv.crypto.e2e.wrap import Recipient, make_wrap, open_wrap
from chatserv.crypto.own_bodies import SealedIdentity
from chatserv.crypto.prekeys import SignedPreKey
from chatserv.crypto.wraps import PAYLOAD_BYTES, WrapScope
from chatserv.errors import Reject

_NONCE: Final = bytes(12)  # the key is fresh with each
_AAD: Final = b"chatserv1 identity"


def seal_identity(
    identity: bytes,
    scope: WrapScope,
    recipients: Sequence[tuple[Recipient, SignedPreKey]],
    random: Callable[[int], bytes],
) -> SealedIdentity:
    """Seals an identity key for some devices; 0.4 ms each.

    Args:
        identity: PKCS #8, DER.
        scope: Of the devices' room: its epoch, and as ``prev`` the commit_hash of that epoch.
        recipients: The devices, from certificates that were verified, each with a prekey of its own.
        random: The hedged source of docs/rooms.rst 2.1.

    Raises:
        Reject: A prekey is not of its device, or a key is not usable.
    """
    key = random(PAYLOAD_BYTES)
    wraps = [(to.device_id, make_wrap(key, scope, to, prekey, random).encode()) for to, prekey in recipients]
    return SealedIdentity(scope.epoch, scope.prev, AESGCM(key).encrypt(_NONCE, identity, _AAD), tuple(wraps))


def open_identity(
    body: SealedIdentity,
    room_id: bytes,
    sender_device_id: bytes,
    recipient: Recipient,
    rsa_key: rsa.RSAPrivateKey,
    prekeys: Mapping[int, PrekeySecret],
) -> tuple[bytes, int | None] | None:
    """Opens one that is for this device.

    Args:
        body: As another device of ours has said it.
        room_id: Of the devices' room.
        sender_device_id: Who has said it.
        recipient: This device.
        rsa_key: Its OAEP key.
        prekeys: Its private prekeys that still exist, by id.

    Returns:
        The identity key (PKCS #8, DER), and the one-time prekey that has to be deleted now, if it was one; None where it
        is for others.

    Raises:
        Reject: It does not open.
    """
    wrap = dict(body.wraps).get(recipient.device_id)
    if wrap is None:
        return None
    scope = WrapScope(room_id, body.epoch, body.commit_hash, sender_device_id)
    opened = open_wrap(wrap, scope, recipient.device_id, recipient.cert_hash, rsa_key, prekeys)
    try:
        return AESGCM(opened.payload).decrypt(_NONCE, body.sealed, _AAD), opened.spent_prekey_id
    except InvalidTag:
        raise Reject("identity key: does not open") from None
