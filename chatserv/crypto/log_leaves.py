"""The leaves of the server's log and its signed tree heads (docs/rooms.rst 8.1)."""

from enum import IntEnum
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from chatserv.crypto.encoding import Reader, u8, u64
from chatserv.crypto.suite import RSA_BYTES, load_rsa_spki, pss_sign, pss_verify, rsa_key_id, sha256, to_sign
from chatserv.errors import Reject

LEAF_BYTES: Final = 105
TREE_HEAD_BYTES: Final = 48 + RSA_BYTES
ROOM_ID_BYTES: Final = 16
ZEROS: Final = bytes(32)


class LeafType(IntEnum):
    """What a leaf records."""

    UIK = 1
    DEVICE = 2
    REVOKE = 3
    ROTATE = 4
    RESET = 5
    GONE = 6
    SERVER_KEY = 7
    ROOM = 8


_OF_USERS: Final = frozenset(LeafType) - {LeafType.SERVER_KEY, LeafType.ROOM}


def user_tag(server_id: bytes, user: str) -> bytes:
    """What stands for a user in the log, 32 bytes."""
    return sha256(b"chatserv1 kt user", server_id, user.encode())


def room_tag(server_id: bytes, name: str) -> bytes:
    """What stands for the name of a public room in the log, 32 bytes."""
    return sha256(b"chatserv1 kt room", server_id, name.encode())


def removal_tag(server_id: bytes, room_id: bytes) -> bytes:
    """What stands in the log for a room that is not public, 32 bytes: it says nothing to who does not know its id."""
    return sha256(b"chatserv1 kt removal", server_id, room_id)


class Leaf(Struct, frozen=True):
    """One entry of the log.

    ``subject`` by type: the new identity's fingerprint (1, 4, 5), the hash of a certificate (2, 3), zeros (6), the hash of
    the server's new key (7), a room's id and zeros (8). ``statement``: the hash of what was signed, or of type 8 a commit's
    hash or zeros. ``at_ms``: milliseconds since 1970. Raises `Reject` where zeros are due and something else stands.
    """

    kind: LeafType
    at_ms: int
    tag: bytes
    subject: bytes
    statement: bytes

    def __post_init__(self) -> None:
        if self.kind is LeafType.GONE and self.subject != ZEROS:
            raise Reject("log leaf: an account that is gone has no subject")
        if self.kind is LeafType.SERVER_KEY and self.tag != ZEROS:
            raise Reject("log leaf: a server key has no user")
        if self.kind is LeafType.ROOM and any(self.subject[ROOM_ID_BYTES:]):
            raise Reject("log leaf: a room's id is followed by zeros")

    def encode(self) -> bytes:
        """The leaf's `LEAF_BYTES` bytes; the tree hashes them behind a zero byte (RFC 6962 section 2.1)."""
        return u8(self.kind) + u64(self.at_ms) + self.tag + self.subject + self.statement

    @classmethod
    def decode(cls, data: bytes) -> "Leaf":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "log leaf")
        try:
            kind = LeafType(reader.u8())
        except ValueError:
            raise Reject("log leaf: unknown type") from None
        leaf = cls(kind, reader.u64(), reader.take(32), reader.take(32), reader.take(32))
        reader.end()
        return leaf


def user_leaf(kind: LeafType, server_id: bytes, user: str, subject: bytes, statement: bytes, at_ms: int) -> Leaf:
    """A leaf of types 1 to 6 about ``user``. ``statement``: the signed bytes themselves."""
    if kind not in _OF_USERS:
        raise Reject("log leaf: this type has no user")
    return Leaf(kind, at_ms, user_tag(server_id, user), subject, sha256(statement))


def server_key_leaf(key_id: bytes, statement: bytes, at_ms: int) -> Leaf:
    """A leaf of type 7: the server has another key. ``statement``: the signed bytes themselves."""
    return Leaf(LeafType.SERVER_KEY, at_ms, ZEROS, key_id, sha256(statement))


def room_leaf(server_id: bytes, name: str, room_id: bytes, commit_hash: bytes, at_ms: int) -> Leaf:
    """A leaf of type 8: the newest commit of the public room ``name``; `ZEROS` for one that is none any more."""
    return Leaf(LeafType.ROOM, at_ms, room_tag(server_id, name), room_id.ljust(32, b"\x00"), commit_hash)


def removal_leaf(server_id: bytes, room_id: bytes, commit_hash: bytes, at_ms: int) -> Leaf:
    """A leaf of type 8: a commit of a room that is not public, by which a device goes."""
    return Leaf(LeafType.ROOM, at_ms, removal_tag(server_id, room_id), ZEROS, commit_hash)


class TreeHead(Struct, frozen=True):
    """What a signed tree head says: how many leaves, the root over them, and when (milliseconds since 1970)."""

    size: int
    root: bytes
    at_ms: int

    def encode(self) -> bytes:
        """The 48 bytes before the signature."""
        return u64(self.size) + self.root + u64(self.at_ms)

    @classmethod
    def decode(cls, data: bytes) -> "TreeHead":
        """Parses the 48 bytes before the signature. Raises `Reject`."""
        reader = Reader(data, "tree head")
        head = cls(reader.u64(), reader.take(32), reader.u64())
        reader.end()
        return head


def head_size(signed: bytes) -> int:
    """How many leaves a signed head covers, whoever has signed it; 0 where it is empty. Raises `Reject`."""
    return TreeHead.decode(signed[:-RSA_BYTES]).size if signed else 0


def tree_head_to_sign(head: TreeHead, key_id: bytes) -> bytes:
    """What the server's key, with the hash ``key_id``, signs for a head; see `chatserv.crypto.suite.to_sign`."""
    return to_sign("sth", key_id + head.encode())


def signed_tree_head(head: TreeHead, signature: bytes) -> bytes:
    """The ``STH`` of a head and the signature (384 bytes) over its `tree_head_to_sign`; `TREE_HEAD_BYTES` bytes."""
    return head.encode() + signature


def make_tree_head(head: TreeHead, server: rsa.RSAPrivateKey) -> bytes:
    """The ``STH``: the head, signed by the server's key; `TREE_HEAD_BYTES` bytes."""
    return signed_tree_head(head, pss_sign(server, tree_head_to_sign(head, rsa_key_id(server))))


def verify_tree_head(signed: bytes, server_spki: bytes) -> TreeHead:
    """Checks an ``STH`` against the server's key (RSA-3072, DER). Raises `Reject`."""
    facts, signature = signed[:-RSA_BYTES], signed[-RSA_BYTES:]
    head = TreeHead.decode(facts)
    pss_verify(load_rsa_spki(server_spki), signature, "sth", sha256(server_spki) + facts)
    return head
