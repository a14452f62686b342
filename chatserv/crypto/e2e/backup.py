"""The backup: what brings a person back who has lost every device, sealed for the server to keep (docs/crypto.rst).

A random key, BK, seals the content; each slot holds BK, sealed for one way to open it: the recovery code, or a passphrase.
The server sees the counter and a padded length. Device keys, prekeys and chains are never in it: who recovers has a new
device.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chatserv.crypto.encoding import Reader, u8, u32, u64, v8, v16, v32
from chatserv.crypto.password import LANES
from chatserv.crypto.suite import pad, unpad, xlabel
from chatserv.errors import Reject

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
SLOT_BYTES: Final = 1 + SALT_BYTES + KEY_BYTES + 16
MAX_CONTENT_BYTES: Final = 47_103  # padded to 47,104, which makes a blob of 47,224 bytes: below what the server takes
MAX_ROOMS: Final = 500
MAX_VERIFIED: Final = 1000
TITLE_BYTES: Final = 64
TOPIC_BYTES: Final = 1024
PASSPHRASE_KIB: Final = 262_144
PASSPHRASE_PASSES: Final = 3

_VERSION: Final = 1
_AGREED: Final = 1
_NONCE: Final = bytes(12)  # the salt is fresh with each slot, and so is the key
_SHA256: Final = hashes.SHA256()


class SlotKind(IntEnum):
    """What opens a slot."""

    CODE = 1
    PASSPHRASE = 2


@dataclass(frozen=True)
class Owner:
    """Whose backup it is: the server (32 bytes) and the user's name. Every key and seal is bound to both."""

    server_id: bytes
    user: str

    @property
    def _name(self) -> bytes:
        return v8(self.user.encode())

    def blob_context(self, counter: int) -> bytes:
        """``"chatserv1 backup" || server_id || user<V8> || u64 counter``."""
        return b"chatserv1 backup" + self.server_id + self._name + u64(counter)

    def slot_context(self, kind: SlotKind, salt: bytes) -> bytes:
        """``salt || server_id || user<V8> || slot_id``: what a slot is bound to."""
        return salt + self.server_id + self._name + u8(kind)


@dataclass(frozen=True)
class SavedRoom:
    """A room of the person: whether they agreed to be in it, the newest epoch that was verified, what it is called."""

    room_id: bytes
    agreed: bool
    epoch: int
    title: str = field(default="", repr=False)
    topic: str = field(default="", repr=False)

    def encode(self) -> bytes:
        """``room_id[16]; u8 agreed; u32 epoch; title<V8>; topic<V16>``."""
        head = self.room_id + u8(_AGREED if self.agreed else 0) + u32(self.epoch)
        return head + v8(self.title.encode()) + v16(self.topic.encode())


@dataclass(frozen=True)
class BackupContent:
    """What a backup holds.

    Attributes:
        at_ms: When it was made, milliseconds since 1970.
        identity_key: PKCS #8 in DER; empty where a device is told the rest alone.
        verified: Whom the person has verified, and the fingerprint of their identity, in order of name.
        rooms: In order of id.
    """

    at_ms: int
    identity_key: bytes = field(repr=False)
    verified: tuple[tuple[str, bytes], ...] = ()
    rooms: tuple[SavedRoom, ...] = ()

    def encode(self) -> bytes:
        """``u8 version = 1; u64 at_ms; identity_key<V16>; {user<V8>; fingerprint[32]}<V32>; rooms<V32>``."""
        verified = b"".join(v8(user.encode()) + fingerprint for user, fingerprint in self.verified)
        rooms = b"".join(room.encode() for room in self.rooms)
        return u8(_VERSION) + u64(self.at_ms) + v16(self.identity_key) + v32(verified) + v32(rooms)

    @classmethod
    def decode(cls, data: bytes) -> "BackupContent":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "backup")
        if reader.u8() != _VERSION:
            raise Reject("backup: unknown version")
        content = cls(reader.u64(), reader.v16(), _verified(reader.v32()), _rooms(reader.v32()))
        reader.end()
        return content

    def fitting(self) -> "BackupContent":
        """The same, small enough for the server: topics go first, then the rooms that nobody has agreed to.

        Raises:
            Reject: It is too large all the same, which the bounds of a server rule out.
        """
        if len(self.encode()) <= MAX_CONTENT_BYTES:
            return self
        content = replace(self, rooms=tuple(replace(room, topic="") for room in self.rooms))
        if len(content.encode()) > MAX_CONTENT_BYTES:
            content = replace(content, rooms=tuple(room for room in content.rooms if room.agreed))
        if len(content.encode()) > MAX_CONTENT_BYTES:
            raise Reject("backup: too large")
        return content


def _verified(data: bytes) -> tuple[tuple[str, bytes], ...]:
    reader, found = Reader(data, "backup: people"), list[tuple[str, bytes]]()
    while reader.left:
        found.append((reader.text8(), reader.take(32)))
        if len(found) > MAX_VERIFIED or (len(found) > 1 and found[-2][0] >= found[-1][0]):
            raise Reject("backup: people out of order, or too many")
    return tuple(found)


def _rooms(data: bytes) -> tuple[SavedRoom, ...]:
    reader, found = Reader(data, "backup: rooms"), list[SavedRoom]()
    while reader.left:
        room_id, agreed, epoch, title, topic = reader.take(16), reader.u8(), reader.u32(), reader.text8(), reader.v16()
        if agreed > _AGREED or len(title.encode()) > TITLE_BYTES or len(topic) > TOPIC_BYTES:
            raise Reject("backup: a room that cannot be")
        try:
            found.append(SavedRoom(room_id, bool(agreed), epoch, title, topic.decode()))
        except UnicodeDecodeError:
            raise Reject("backup: text that is not UTF-8") from None
        if len(found) > MAX_ROOMS or (len(found) > 1 and found[-2].room_id >= room_id):
            raise Reject("backup: rooms out of order, or too many")
    return tuple(found)


# -- the blob ----------------------------------------------------------------------------------------------------------


def seal_blob(key: bytes, data: bytes, context: bytes) -> bytes:
    """Padded, then Cobblestone-256 (C2SP chunked-encryption), which puts a salt of its own into each blob."""
    sealing = Cobblestone256Encryptor(key, context)
    return bytes(sealing.update(pad(data)) + sealing.finalize())


def open_blob(key: bytes, blob: bytes, context: bytes) -> bytes:
    """Undoes `seal_blob`. Raises `Reject`: ``does not open``, whatever the cause."""
    opening = Cobblestone256Decryptor(key, context)
    try:
        padded = bytes(opening.update(blob) + opening.finalize())
    except (InvalidTag, ValueError):
        raise Reject("backup: does not open") from None
    return unpad(padded)


def seal_backup(key: bytes, content: BackupContent, owner: Owner, counter: int) -> bytes:
    """The blob for the server.

    Args:
        key: BK, 32 bytes.
        content: What it holds; made to fit.
        owner: Whose it is.
        counter: One more than that of any backup before.

    Raises:
        Reject: The content does not fit.
    """
    return seal_blob(key, content.fitting().encode(), owner.blob_context(counter))


def open_backup(key: bytes, blob: bytes, owner: Owner, counter: int) -> BackupContent:
    """What a blob holds. Raises `Reject`: it is of another key, owner or counter, or it was changed."""
    return BackupContent.decode(open_blob(key, blob, owner.blob_context(counter)))


# -- slots -------------------------------------------------------------------------------------------------------------


def slot_key(kind: SlotKind, secret: bytes, salt: bytes, owner: Owner) -> bytes:
    """KEK, the key of one slot, 32 bytes. For a passphrase 256 MiB and 1 s, without the GIL; meant for a thread."""
    user = owner.user.encode()
    if kind is SlotKind.CODE:
        return HKDF(_SHA256, KEY_BYTES, salt, b"chatserv1 recovery" + user).derive(secret)
    hashing = Argon2id(salt=salt, length=32, iterations=PASSPHRASE_PASSES, lanes=LANES, memory_cost=PASSPHRASE_KIB)
    return xlabel(hashing.derive(secret), "backup", user, KEY_BYTES)


def seal_slot(key: bytes, kind: SlotKind, secret: bytes, owner: Owner, random: Callable[[int], bytes]) -> bytes:
    """A slot, 65 bytes: ``u8 slot_id; salt[16]; AES-256-GCM(KEK, 0, BK)``.

    Args:
        key: BK, 32 bytes.
        kind: What will open it.
        secret: The recovery code's 20 bytes, or the prepared passphrase in UTF-8.
        owner: Whose it is.
        random: Gives the salt.
    """
    salt = random(SALT_BYTES)
    context = owner.slot_context(kind, salt)
    return u8(kind) + salt + AESGCM(slot_key(kind, secret, salt, owner)).encrypt(_NONCE, key, context)


def open_slots(slots: tuple[bytes, ...], kind: SlotKind, secret: bytes, owner: Owner) -> bytes | None:
    """BK from the slot of that kind, or None where there is none, or it does not open. Costs as `slot_key`."""
    for slot in slots:
        if len(slot) == SLOT_BYTES and slot[0] == kind:
            salt, sealed = slot[1 : 1 + SALT_BYTES], slot[1 + SALT_BYTES :]
            try:
                return AESGCM(slot_key(kind, secret, salt, owner)).decrypt(
                    _NONCE, sealed, owner.slot_context(kind, salt)
                )
            except InvalidTag:
                return None
    return None


def slot_kinds(slots: tuple[bytes, ...]) -> frozenset[SlotKind]:
    """Which ways to open a backup the server shows."""
    known = {int(kind) for kind in SlotKind}
    return frozenset(SlotKind(slot[0]) for slot in slots if len(slot) == SLOT_BYTES and slot[0] in known)
