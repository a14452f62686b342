"""Commits: what moves a room from one epoch to the next, as bytes and signatures (docs/rooms.rst 5).

Whether a commit is allowed is for `chatserv.crypto.room_rules` to say.
"""

from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec import Struct

from chatserv.crypto.checks import check_user, flag, read_list
from chatserv.crypto.encoding import Reader, u8, u16, u32, u64, v8, v16, v32
from chatserv.crypto.room_state import NONCE_BYTES, Policy, Role, RosterEntry
from chatserv.crypto.suite import SUITE, VERSION, ed_sign, ed_verify, sha256
from chatserv.discreet import Discreet
from chatserv.errors import Reject
from chatserv.i18n import N_

MAX_COMMIT_BYTES: Final = 48_000
SIGNATURE_BYTES: Final = 64
STRIKE: Final = 255


class BadCommit(Reject):
    """A commit that does not fit the room's state or breaks the rules of rooms."""

    code = "bad_commit"
    text = N_("The change to the room is not allowed, or the room has changed meanwhile.")
    signed_by = ""  # the user whose device has signed it, where that is proven


class Create(Struct, frozen=True):
    """Makes the room; the first op of epoch 0."""

    nonce: bytes
    policy: Policy

    def body(self) -> bytes:
        """``nonce[32]; Policy``."""
        return self.nonce + self.policy.encode()

    @classmethod
    def read(cls, reader: Reader) -> "Create":
        """Parses strictly. Raises `Reject`."""
        return cls(reader.take(NONCE_BYTES), Policy.read(reader))


class Add(Struct, frozen=True):
    """Puts a device on the roster."""

    entry: RosterEntry

    def body(self) -> bytes:
        """``RosterEntry``."""
        return self.entry.encode()

    @classmethod
    def read(cls, reader: Reader) -> "Add":
        """Parses strictly. Raises `Reject`."""
        return cls(RosterEntry.read(reader))


class Remove(Struct, frozen=True):
    """Takes a device off the roster; its user stays a member."""

    leaf: int

    def body(self) -> bytes:
        """``u32 leaf``."""
        return u32(self.leaf)

    @classmethod
    def read(cls, reader: Reader) -> "Remove":
        """Parses strictly. Raises `Reject`."""
        return cls(reader.u32())


class SetMember(Struct, frozen=True):
    """Sets a user's role and mute. ``role`` None strikes the user from the list. Raises `Reject` for a mute without role."""

    user: str
    role: Role | None
    muted: bool = False

    def __post_init__(self) -> None:
        check_user(self.user)
        if self.muted and not self.role:
            raise Reject("SetMember: muted, and no member")

    def body(self) -> bytes:
        """``user<V8>; u8 role; u8 muted``."""
        return v8(self.user.encode()) + u8(STRIKE if self.role is None else self.role) + u8(self.muted)

    @classmethod
    def read(cls, reader: Reader) -> "SetMember":
        """Parses strictly. Raises `Reject`."""
        user, number, muted = reader.text8(), reader.u8(), flag(reader.u8(), "SetMember")
        try:
            return cls(user, None if number == STRIKE else Role(number), muted)
        except ValueError:
            raise Reject(f"SetMember: role {number}") from None


class SetPolicy(Struct, frozen=True):
    """Sets the room's policy as a whole."""

    policy: Policy

    def body(self) -> bytes:
        """``Policy``."""
        return self.policy.encode()

    @classmethod
    def read(cls, reader: Reader) -> "SetPolicy":
        """Parses strictly. Raises `Reject`."""
        return cls(Policy.read(reader))


class Leave(Struct, frozen=True):
    """A user's farewell, signed by one of their devices and carried by any committer."""

    leaf: int
    signature: bytes

    def body(self) -> bytes:
        """``u32 leaf; sig[64]``."""
        return u32(self.leaf) + self.signature

    @classmethod
    def read(cls, reader: Reader) -> "Leave":
        """Parses strictly. Raises `Reject`."""
        return cls(reader.u32(), reader.take(SIGNATURE_BYTES))


Op = Create | Add | Remove | SetMember | SetPolicy | Leave

_CLASSES: Final[tuple[type[Op], ...]] = (Create, Add, Remove, SetMember, SetPolicy, Leave)
_NUMBERS: Final = {cls: number for number, cls in enumerate(_CLASSES)}


def encode_op(op: Op) -> bytes:
    """``u8 type; opaque body<V16>``."""
    return u8(_NUMBERS[type(op)]) + v16(op.body())


def read_op(reader: Reader) -> Op:
    """Parses strictly. Raises `Reject`."""
    number, body = reader.u8(), Reader(reader.v16(), "op")
    if number >= len(_CLASSES):
        raise Reject(f"op: unknown type {number}")
    read: Callable[[Reader], Op] = _CLASSES[number].read
    op = read(body)
    body.end()
    return op


def make_leave(room_id: bytes, leaf: int, device: ed25519.Ed25519PrivateKey) -> Leave:
    """The farewell of the user whose device ``device`` is ``leaf``."""
    return Leave(leaf, ed_sign(device, "leave", room_id + u32(leaf)))


def verify_leave(leave: Leave, room_id: bytes, public: bytes) -> None:
    """Raises `Reject` unless the device with the Ed25519 key ``public`` (32 bytes) signed it for this room."""
    ed_verify(public, leave.signature, "leave", room_id + u32(leave.leaf))


class SenderHead(Struct, frozen=True):
    """The next generation that the committer expected of a sender in the closing epoch; never 0."""

    leaf: int
    next_generation: int

    @classmethod
    def read(cls, reader: Reader) -> "SenderHead":
        """Parses strictly. Raises `Reject`."""
        return cls(reader.u32(), reader.u32())


class CommitTBS(Discreet, frozen=True):
    """What a commit says; the fields are those of docs/rooms.rst 5, in its order but for the first two.

    Raises:
        Reject: ``heads`` are not in order of leaf, or hold a zero.
    """

    shown = ("room_id", "epoch", "committer_leaf", "ops", "heads", "kt_size")

    room_id: bytes
    epoch: int
    prev: bytes
    state_hash: bytes
    committer_leaf: int
    ops: tuple[Op, ...]
    heads: tuple[SenderHead, ...]
    kt_size: int
    kt_root: bytes
    wraps_root: bytes
    confirmation: bytes
    version: int = VERSION
    suite: int = SUITE

    def __post_init__(self) -> None:
        if any(one.leaf >= other.leaf for one, other in pairwise(self.heads)):
            raise Reject("commit: heads not in order, or doubled")
        if not all(head.next_generation for head in self.heads):
            raise Reject("commit: a head of nothing")

    def confirmed(self) -> bytes:
        """Everything before the confirmation, which is an HMAC over its hash."""
        ops = b"".join(map(encode_op, self.ops))
        heads = b"".join(u32(head.leaf) + u32(head.next_generation) for head in self.heads)
        front = u16(self.version) + u16(self.suite) + self.room_id + u32(self.epoch) + self.prev + self.state_hash
        log = u64(self.kt_size) + self.kt_root
        return front + u32(self.committer_leaf) + v32(ops) + v32(heads) + log + self.wraps_root

    def encode(self) -> bytes:
        """The bytes that the signature covers."""
        return self.confirmed() + self.confirmation

    @classmethod
    def decode(cls, data: bytes) -> "CommitTBS":
        """Parses strictly. Raises `Reject`, also for another version or suite than the only ones there are."""
        reader = Reader(data, "commit")
        version, suite = reader.u16(), reader.u16()
        if (version, suite) != (VERSION, SUITE):
            raise Reject(f"commit: version {version}, suite {suite}")
        tbs = cls(
            room_id=reader.take(16),
            epoch=reader.u32(),
            prev=reader.take(32),
            state_hash=reader.take(32),
            committer_leaf=reader.u32(),
            ops=read_list(reader.v32(), "ops", read_op),
            heads=read_list(reader.v32(), "heads", SenderHead.read),
            kt_size=reader.u64(),
            kt_root=reader.take(32),
            wraps_root=reader.take(32),
            confirmation=reader.take(32),
        )
        reader.end()
        return tbs


class Commit(Discreet, frozen=True, dict=True):
    """A signed commit."""

    shown = ("tbs",)

    tbs: CommitTBS
    signature: bytes

    @cached_property
    def encoded(self) -> bytes:
        """The bytes of the structure ``Commit``."""
        return v32(self.tbs.encode()) + self.signature

    @cached_property
    def commit_hash(self) -> bytes:
        """What the next commit and each message of the epoch name, 32 bytes."""
        return sha256(b"chatserv1 commit", self.encoded)

    @classmethod
    def decode(cls, data: bytes) -> "Commit":
        """Parses strictly; the signature is not checked. Raises `BadCommit`, also above `MAX_COMMIT_BYTES`."""
        if len(data) > MAX_COMMIT_BYTES:
            raise BadCommit(f"commit: {len(data)} bytes")
        reader = Reader(data, "commit")
        try:
            commit = cls(CommitTBS.decode(reader.v32()), reader.take(SIGNATURE_BYTES))
            reader.end()
        except Reject as error:
            raise BadCommit(error.detail) from None
        return commit


def make_commit(tbs: CommitTBS, device: ed25519.Ed25519PrivateKey) -> Commit:
    """The commit, signed by the committing device. Raises `BadCommit` above `MAX_COMMIT_BYTES`."""
    commit = Commit(tbs, ed_sign(device, "commit", tbs.encode()))
    if len(commit.encoded) > MAX_COMMIT_BYTES:
        raise BadCommit(f"commit: {len(commit.encoded)} bytes")
    return commit


def verify_commit(commit: Commit, public: bytes) -> None:
    """Raises `Reject` unless the device with the Ed25519 key ``public`` (32 bytes) signed the commit."""
    ed_verify(public, commit.signature, "commit", commit.tbs.encode())
