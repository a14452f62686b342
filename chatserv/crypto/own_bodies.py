"""What one's own devices tell each other: bodies of the content type OWN, in the devices' room alone (docs/rooms.rst 7.6).

Each begins with a byte that says which it is. One device takes the word of another of its user, as all stand in the log and
a room lets nobody else in; but not of the identity key (`DeviceInfo.proof`), which whoever has stolen one would have.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Final, TypeAlias

from cryptography.hazmat.primitives.asymmetric import rsa

from chatserv.crypto.checks import check_text, check_user, flag, read_list
from chatserv.crypto.encoding import Reader, u8, u32, u64, v8, v16, v32
from chatserv.crypto.merkle import HASH_BYTES
from chatserv.crypto.room_state import MAX_NAME_BYTES, MAX_TOPIC_BYTES
from chatserv.crypto.statements import DEVICE_ID_BYTES
from chatserv.crypto.suite import RSA_BYTES, SPKI_BYTES, load_rsa_spki, pss_sign, pss_verify, rsa_spki, sha256, to_sign
from chatserv.crypto.wraps import WRAP_BYTES
from chatserv.errors import Reject

MAX_DEVICE_NAME_BYTES: Final = 64
PROOF_BYTES: Final = SPKI_BYTES + RSA_BYTES  # of who holds the identity key
ROOM_ID_BYTES: Final = 16
NUMBER_LIMIT: Final = 2**63  # no place in a room, and no counter, comes near


def _number(reader: Reader) -> int:
    """The next eight bytes, as a number that a database takes. Raises `Reject` for a greater one."""
    value = reader.u64()
    if value >= NUMBER_LIMIT:
        raise Reject(f"own devices: a number of {value}")
    return value


class Occasion(IntEnum):
    """Why a device speaks of itself."""

    CHANGED = 0
    ENTERED = 1
    """It has just come, and asks the others for what they know."""
    ANSWERS = 2
    """What it knows comes behind: the others need not tell it too."""


@dataclass(frozen=True)
class DeviceInfo:
    """The sending device, for people.

    Attributes:
        name: At most 64 bytes, in NFC.
        proof: That it holds the identity key (`prove_identity`); empty where it does not.
        backup: The counter of the newest backup that it knows; 0: none.
        occasion: Why it says so.
    """

    KIND: ClassVar = 1
    name: str
    proof: bytes = field(default=b"", repr=False)
    backup: int = 0
    occasion: Occasion = Occasion.CHANGED

    def __post_init__(self) -> None:
        """Raises `Reject` for a name that is too long, or not in NFC, and for a proof of another length."""
        check_text(self.name, MAX_DEVICE_NAME_BYTES, "device name")
        if len(self.proof) not in {0, PROOF_BYTES}:
            raise Reject("device: a proof of another length")

    def encode(self) -> bytes:
        """``u8 1; opaque name<V8>; opaque proof<V16>; u64 backup; u8 occasion``."""
        rest = v16(self.proof) + u64(self.backup) + u8(self.occasion)
        return u8(self.KIND) + v8(self.name.encode()) + rest

    @classmethod
    def read(cls, reader: Reader) -> "DeviceInfo":
        """Parses what is behind the kind."""
        name, proof, backup, occasion = reader.text8(), reader.v16(), _number(reader), reader.u8()
        if occasion > max(Occasion):
            raise Reject(f"device: occasion {occasion}")
        return cls(name, proof, backup, Occasion(occasion))


@dataclass(frozen=True)
class ReadMarks:
    """How far the person has read: room, and the place up to which."""

    KIND: ClassVar = 2
    marks: tuple[tuple[bytes, int], ...]

    def encode(self) -> bytes:
        """``u8 2; { opaque room[16]; u64 seq }<V16>``."""
        return u8(self.KIND) + v16(b"".join(room + u64(seq) for room, seq in self.marks))

    @classmethod
    def read(cls, reader: Reader) -> "ReadMarks":
        """Parses what is behind the kind."""
        return cls(read_list(reader.v16(), "read marks", lambda each: (each.take(ROOM_ID_BYTES), _number(each))))


@dataclass(frozen=True)
class RoomTitles:
    """What private rooms are called: room, name and topic; for a device that was not there when it was said."""

    KIND: ClassVar = 3
    titles: tuple[tuple[bytes, str, str], ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Raises `Reject` for texts that no room has."""
        for _, name, topic in self.titles:
            check_text(name, MAX_NAME_BYTES, "room name")
            check_text(topic, MAX_TOPIC_BYTES, "room topic")

    def encode(self) -> bytes:
        """``u8 3; { opaque room[16]; opaque name<V8>; opaque topic<V16> }<V32>``."""
        texts = (room + v8(name.encode()) + v16(topic.encode()) for room, name, topic in self.titles)
        return u8(self.KIND) + v32(b"".join(texts))

    @classmethod
    def read(cls, reader: Reader) -> "RoomTitles":
        """Parses what is behind the kind."""
        return cls(read_list(reader.v32(), "room titles", _read_title))


def _read_title(reader: Reader) -> tuple[bytes, str, str]:
    room, name, topic = reader.take(ROOM_ID_BYTES), reader.text8(), reader.v16()
    try:
        return room, name, topic.decode()
    except UnicodeDecodeError:
        raise Reject("room topic: not UTF-8") from None


@dataclass(frozen=True)
class Consents:
    """Rooms that the person has agreed to be in, or has refused."""

    KIND: ClassVar = 4
    rooms: tuple[tuple[bytes, bool], ...]

    def encode(self) -> bytes:
        """``u8 4; { opaque room[16]; u8 agreed }<V16>``."""
        return u8(self.KIND) + v16(b"".join(room + u8(agreed) for room, agreed in self.rooms))

    @classmethod
    def read(cls, reader: Reader) -> "Consents":
        """Parses what is behind the kind."""
        return cls(
            read_list(reader.v16(), "consents", lambda each: (each.take(ROOM_ID_BYTES), flag(each.u8(), "consents")))
        )


@dataclass(frozen=True)
class KnownIdentities:
    """Whose identity the person has accepted: user, fingerprint, and whether the numbers were compared."""

    KIND: ClassVar = 5
    pins: tuple[tuple[str, bytes, bool], ...]

    def __post_init__(self) -> None:
        """Raises `Reject` for what is no name of a user."""
        for user, _, _ in self.pins:
            check_user(user)

    def encode(self) -> bytes:
        """``u8 5; { opaque user<V8>; opaque uik_fp[32]; u8 verified }<V16>``."""
        pins = (v8(user.encode()) + fingerprint + u8(verified) for user, fingerprint, verified in self.pins)
        return u8(self.KIND) + v16(b"".join(pins))

    @classmethod
    def read(cls, reader: Reader) -> "KnownIdentities":
        """Parses what is behind the kind."""
        return cls(
            read_list(
                reader.v16(),
                "identities",
                lambda each: (each.text8(), each.take(HASH_BYTES), flag(each.u8(), "identities")),
            )
        )


@dataclass(frozen=True)
class IgnoredPeople:
    """Whom the person ignores, or hears again."""

    KIND: ClassVar = 6
    people: tuple[tuple[str, bool], ...]

    def __post_init__(self) -> None:
        """Raises `Reject` for what is no name of a user."""
        for user, _ in self.people:
            check_user(user)

    def encode(self) -> bytes:
        """``u8 6; { opaque user<V8>; u8 ignored }<V16>``."""
        return u8(self.KIND) + v16(b"".join(v8(user.encode()) + u8(on) for user, on in self.people))

    @classmethod
    def read(cls, reader: Reader) -> "IgnoredPeople":
        """Parses what is behind the kind."""
        return cls(read_list(reader.v16(), "ignored people", lambda each: (each.text8(), flag(each.u8(), "ignored"))))


@dataclass(frozen=True)
class SealedIdentity:
    """A new identity key for those devices that held the one before; no other device can open it.

    Attributes:
        epoch: That of the room when it was sealed; with ``commit_hash``, that epoch's, it is what the wraps are bound to.
        commit_hash: 32 bytes.
        sealed: The private key (PKCS #8, DER) under AES-256-GCM with a key of its own.
        wraps: That key for each device: device id, and a ``Wrap`` of `WRAP_BYTES` bytes.
    """

    KIND: ClassVar = 7
    epoch: int
    commit_hash: bytes
    sealed: bytes = field(repr=False)
    wraps: tuple[tuple[bytes, bytes], ...] = field(repr=False)

    def __post_init__(self) -> None:
        """Raises `Reject` for wraps of another length."""
        if any(len(wrap) != WRAP_BYTES for _, wrap in self.wraps):
            raise Reject("sealed identity: a wrap of another length")

    def encode(self) -> bytes:
        """``u8 7; u32 epoch; opaque commit_hash[32]; opaque sealed<V16>; { opaque device_id[16]; Wrap wrap }<V32>``."""
        place = u8(self.KIND) + u32(self.epoch) + self.commit_hash
        return place + v16(self.sealed) + v32(b"".join(device_id + wrap for device_id, wrap in self.wraps))

    @classmethod
    def read(cls, reader: Reader) -> "SealedIdentity":
        """Parses what is behind the kind."""
        epoch, commit_hash, sealed = reader.u32(), reader.take(HASH_BYTES), reader.v16()
        wraps = read_list(
            reader.v32(), "sealed identity", lambda each: (each.take(DEVICE_ID_BYTES), each.take(WRAP_BYTES))
        )
        return cls(epoch, commit_hash, sealed, wraps)


OwnBody: TypeAlias = DeviceInfo | ReadMarks | RoomTitles | Consents | KnownIdentities | IgnoredPeople | SealedIdentity
OWN_BODIES: Final = (DeviceInfo, ReadMarks, RoomTitles, Consents, KnownIdentities, IgnoredPeople, SealedIdentity)
_READERS: Final[dict[int, Callable[[Reader], OwnBody]]] = {each.KIND: each.read for each in OWN_BODIES}


def decode_own(data: bytes) -> OwnBody:
    """Parses strictly. Raises `Reject`, also for a kind that this version does not know."""
    reader = Reader(data, "own devices")
    kind = reader.u8()
    if kind not in _READERS:
        raise Reject(f"own devices: kind {kind}")
    body = _READERS[kind](reader)
    reader.end()
    return body


def prove_identity(identity: rsa.RSAPrivateKey, server_id: bytes, device_id: bytes, cert_hash: bytes) -> bytes:
    """What shows that a device holds the identity key: its SPKI, and its signature for that device; `PROOF_BYTES`."""
    signed = to_sign("holds identity", server_id + device_id + cert_hash)
    return rsa_spki(identity.public_key()) + pss_sign(identity, signed)


def proven_identity(proof: bytes, server_id: bytes, device_id: bytes, cert_hash: bytes) -> bytes:
    """The fingerprint of the identity key that a device holds, whoever's that is; 0.1 ms.

    Args:
        proof: By `prove_identity`.
        server_id: SHA-256 of the server's SPKI, 32 bytes.
        device_id: Who says so, 16 bytes.
        cert_hash: Of its certificate, 32 bytes.

    Raises:
        Reject: It does not parse, or is of another device.
    """
    spki, signature = proof[:SPKI_BYTES], proof[SPKI_BYTES:]
    pss_verify(load_rsa_spki(spki), signature, "holds identity", server_id + device_id + cert_hash)
    return sha256(spki)
