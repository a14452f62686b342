"""A new device is approved by one at hand: what the two tell each other past a server that may lie (docs/crypto.rst).

The server relays, and may put itself between. So both screens show six words of a hash over the new device's facts and
the old device's certificate. For 66 bits one can search: who knows what one screen will show may try facts of their own
until the other shows the same. So two random numbers are in the hash too, fresh for each pair. The old device commits to
its own before it learns the other, and opens it after: a server in between has one guess in 2^66.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from chatserv.crypto.e2e.backup import KEY_BYTES, BackupContent, open_blob, seal_blob
from chatserv.crypto.e2e.prekey_secrets import PrekeySecret
from chatserv.crypto.e2e.word_list import words
from chatserv.crypto.e2e.wrap import Recipient, make_wrap, open_wrap
from chatserv.crypto.encoding import Reader, u8, v8, v16, v32
from chatserv.crypto.prekeys import SignedPreKey
from chatserv.crypto.statements import DeviceFacts
from chatserv.crypto.suite import RSA_BYTES, ed_sign, ed_verify, same, sha256
from chatserv.crypto.wraps import WrapScope
from chatserv.errors import Reject

WORDS: Final = 6
NONCE_BYTES: Final = 32
PART_BYTES: Final = 8000
MAX_PARTS: Final = 8
QR_PREFIX: Final = "CHATSERV-ENROL:"


@dataclass(frozen=True)
class Commitment:
    """Old device to the new one: its certificate's hash, and what binds it to its random number (`commitment`)."""

    cert_hash: bytes
    commitment: bytes

    def encode(self) -> bytes:
        """``u8 1; cert_hash[32]; commitment[32]``."""
        return u8(1) + self.cert_hash + self.commitment


@dataclass(frozen=True)
class Number:
    """New device to the old one: its random number, and a prekey for what will be handed over."""

    nonce: bytes
    prekey: bytes = field(repr=False)

    def encode(self) -> bytes:
        """``u8 2; nonce[32]; prekey<V16>``."""
        return u8(2) + self.nonce + v16(self.prekey)


@dataclass(frozen=True)
class Opening:
    """Old device to the new one: the random number that it was bound to."""

    nonce: bytes

    def encode(self) -> bytes:
        """``u8 3; nonce[32]``."""
        return u8(3) + self.nonce


@dataclass(frozen=True)
class Grant:
    """Old device to the new one: the identity's signature under its facts; so many parts of a hand-over came before."""

    signature: bytes = field(repr=False)
    parts: int = 0

    def encode(self) -> bytes:
        """``u8 4; signature[384]; u8 parts``."""
        return u8(4) + self.signature + u8(self.parts)


@dataclass(frozen=True)
class Part:
    """Old device to the new one: a part of what `pack` made, counted from 0."""

    number: int
    data: bytes = field(repr=False)

    def encode(self) -> bytes:
        """``u8 5; u8 number; data<V16>``."""
        return u8(5) + u8(self.number) + v16(self.data)


@dataclass(frozen=True)
class Refusal:
    """Old device to the new one: a person there has said no."""

    def encode(self) -> bytes:
        """``u8 6``."""
        return u8(6)


Told = Commitment | Number | Opening | Grant | Part | Refusal


def decode_told(data: bytes) -> Told:
    """Parses what one of the two devices was told, strictly. Raises `Reject`."""
    reader = Reader(data, "enrolment")
    kind = reader.u8()
    told: Told
    if kind == 1:
        told = Commitment(reader.take(32), reader.take(32))
    elif kind == 2:
        told = Number(reader.take(NONCE_BYTES), reader.v16())
    elif kind == 3:
        told = Opening(reader.take(NONCE_BYTES))
    elif kind == 4:
        told = Grant(reader.take(RSA_BYTES), reader.u8())
    elif kind == 5:
        told = Part(reader.u8(), reader.v16())
    elif kind == 6:
        told = Refusal()
    else:
        raise Reject("enrolment: unknown kind")
    reader.end()
    if isinstance(told, (Grant, Part)) and (told.parts if isinstance(told, Grant) else told.number) > MAX_PARTS:
        raise Reject("enrolment: too many parts")
    return told


# -- what both screens show --------------------------------------------------------------------------------------------


def commitment(nonce: bytes, cert_hash: bytes, tbs: bytes) -> bytes:
    """``H("chatserv1 enrol nonce" || nonce || old cert_hash || new TBS)``, 32 bytes."""
    return sha256(b"chatserv1 enrol nonce", nonce, cert_hash, tbs)


def check_opening(told: Commitment, nonce: bytes, tbs: bytes) -> None:
    """Raises `Reject` where a random number is not the one that was committed to."""
    if not same(commitment(nonce, told.cert_hash, tbs), told.commitment):
        raise Reject("enrolment: another number than was committed to")


def enrol_hash(tbs: bytes, cert_hash: bytes, new_nonce: bytes, old_nonce: bytes) -> bytes:
    """``H("chatserv1 enrol" || new TBS || old cert_hash || new nonce || old nonce)``, 32 bytes."""
    return sha256(b"chatserv1 enrol", tbs, cert_hash, new_nonce, old_nonce)


def enrol_words(hashed: bytes) -> str:
    """The six words, 66 bits, that both screens show."""
    return words(hashed, WORDS)


def enrol_qr_text(hashed: bytes) -> str:
    """The whole hash for a QR code of capitals and digits."""
    return QR_PREFIX + hashed.hex().upper()


# -- what the old device hands over ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Luggage:
    """What the new device begins with: rooms, and whom the person verified; with BK and the identity key, or without."""

    content: BackupContent
    backup_key: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """``backup_key<V8>; content<V32>``."""
        return v8(self.backup_key) + v32(self.content.encode())

    @classmethod
    def decode(cls, data: bytes) -> "Luggage":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "hand-over")
        backup_key, content = reader.v8(), BackupContent.decode(reader.v32())
        reader.end()
        if len(backup_key) not in {0, KEY_BYTES}:
            raise Reject("hand-over: a key of another length")
        return cls(content, backup_key)


def _scope(hashed: bytes, old_device_id: bytes) -> WrapScope:
    """A wrap for this hand-over alone: room and epoch before are parts of the hash that people compare."""
    return WrapScope(hashed[:16], 0, hashed, old_device_id)


def pack(
    luggage: Luggage,
    hashed: bytes,
    facts: DeviceFacts,
    prekey: bytes,
    old_device: tuple[bytes, ed25519.Ed25519PrivateKey],
    random: Callable[[int], bytes],
) -> bytes:
    """The luggage, sealed to the new device by a hybrid wrap and signed by the old one.

    Args:
        luggage: What it holds.
        hashed: The hash that people have compared.
        facts: Of the new device.
        prekey: Its signed prekey.
        old_device: Id and signing key of the old one.
        random: The hedged source.

    Returns:
        ``wrap<V16>; blob<V32>; sig[64] = ED(old device, "hand over", hash || wrap || blob)``.

    Raises:
        Reject: The prekey or a key of the new device is of no use.
    """
    key = random(KEY_BYTES)
    recipient = Recipient(facts.device_id, sha256(facts.encode()), facts.rsa_spki, facts.ed25519)
    scope = _scope(hashed, old_device[0])
    wrap = make_wrap(key, scope, recipient, SignedPreKey.decode(prekey), random).encode()
    blob = seal_blob(key, luggage.encode(), b"chatserv1 hand over" + hashed)
    signature = ed_sign(old_device[1], "hand over", hashed + wrap + blob)
    return v16(wrap) + v32(blob) + signature


def unpack(
    packed: bytes,
    hashed: bytes,
    facts: DeviceFacts,
    old_device: DeviceFacts,
    rsa_key: rsa.RSAPrivateKey,
    prekey: PrekeySecret,
) -> Luggage:
    """Opens what `pack` made; the old device's facts come from the certificate whose hash is in the words.

    Raises:
        Reject: It is not from that device or not for us, or was changed on the way.
    """
    reader = Reader(packed, "hand-over")
    wrap, blob, signature = reader.v16(), reader.v32(), reader.take(64)
    reader.end()
    ed_verify(old_device.ed25519, signature, "hand over", hashed + wrap + blob)
    scope = _scope(hashed, old_device.device_id)
    opened = open_wrap(wrap, scope, facts.device_id, sha256(facts.encode()), rsa_key, {prekey.id: prekey})
    return Luggage.decode(open_blob(opened.payload, blob, b"chatserv1 hand over" + hashed))


def parts(packed: bytes) -> list[Part]:
    """The same in parts that can be told."""
    chunks = [packed[at : at + PART_BYTES] for at in range(0, len(packed), PART_BYTES)]
    return [Part(number, chunk) for number, chunk in enumerate(chunks)]
