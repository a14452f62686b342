"""What all members of a room agree on: policy, members and devices (docs/rooms.rst 4).

Every value here is checked when it is made, read from bytes or not; what breaks the structure raises `Reject`. The rules
that lead from one state to the next are in `chatserv.crypto.room_rules`.
"""

from collections.abc import Iterable
from enum import IntEnum
from functools import cached_property
from itertools import pairwise
from typing import Final

from msgspec import Struct

from chatserv.crypto.checks import check_text, check_user, flag, read_list
from chatserv.crypto.encoding import Reader, u8, u16, u32, u64, v8, v16, v32
from chatserv.crypto.statements import DEVICE_ID_BYTES
from chatserv.crypto.suite import sha256
from chatserv.discreet import Discreet
from chatserv.errors import Reject

MAX_NAME_BYTES: Final = 64
MAX_TOPIC_BYTES: Final = 1024
MAX_DEVICES: Final = 1000
DEFAULT_DEVICES: Final = 500
MAX_USER_DEVICES: Final = 10  # docs/rooms.rst 3.4
LEAF_LIMIT: Final = 2**32 - 1
POLICY_END: Final = 4 + 16 + 1 + MAX_NAME_BYTES + 2 + MAX_TOPIC_BYTES
"""So many bytes of an encoded state have all of its policy."""
NONCE_BYTES: Final = 32


class Kind(IntEnum):
    """What a room is for; never changes."""

    ROOM = 0
    DM = 1
    DEVICES = 2
    """Of one user's own devices, for what they tell each other (docs/rooms.rst 4.3)."""

    @property
    def fixed(self) -> bool:
        """Whether its users are the same for good, and none is above another."""
        return self is not Kind.ROOM

    @property
    def people(self) -> int:
        """How many users a room of a kind that is `fixed` has."""
        return 2 if self is Kind.DM else 1


class Role(IntEnum):
    """What a user may do in a room; a greater number may do more."""

    BANNED = 0
    MEMBER = 1
    MODERATOR = 2
    OWNER = 3


def room_id(creator_cert_hash: bytes, nonce: bytes) -> bytes:
    """The id of the room that the device with this certificate makes with this nonce, 16 bytes."""
    return sha256(b"chatserv1 room", creator_cert_hash, nonce)[:16]


def read_kind(reader: Reader) -> Kind:
    """The next byte as a kind of room. Raises `Reject` for an unknown one."""
    value = reader.u8()
    try:
        return Kind(value)
    except ValueError:
        raise Reject(f"policy: kind {value}") from None


def read_role(reader: Reader) -> Role:
    """The next byte as a role. Raises `Reject` for an unknown one."""
    value = reader.u8()
    try:
        return Role(value)
    except ValueError:
        raise Reject(f"role: {value}") from None


class Policy(Struct, frozen=True):
    """What an owner sets.

    Args:
        kind: Room, direct message or one's own devices.
        public: ``join_rule``: whoever has an account may join.
        members_add: ``add_rule``: any member may add users, not only moderators and owners.
        history: Members may share what was before a newcomer's time (docs/rooms.rst 4).
        max_devices: No device beyond it is added.
        rotate_seconds: The age of an epoch at which the sender rotates.
        rotate_messages: The messages of an epoch at which the sender rotates.
        slow_seconds: Between two messages of one user; 0 is off.
        name: Of a public room; empty in others.
        topic: Of a public room; empty in others.
    """

    kind: Kind
    public: bool = False
    members_add: bool = False
    history: bool = False
    max_devices: int = DEFAULT_DEVICES
    rotate_seconds: int = 7 * 86_400
    rotate_messages: int = 1000
    slow_seconds: int = 0
    name: str = ""
    topic: str = ""

    def __post_init__(self) -> None:
        check_text(self.name, MAX_NAME_BYTES, "room name")
        check_text(self.topic, MAX_TOPIC_BYTES, "room topic")
        if self.max_devices > MAX_DEVICES:
            raise Reject(f"policy: {self.max_devices} devices")
        if self.public != bool(self.name) or (self.topic and not self.public):
            raise Reject("policy: a public room has a name, and others have neither name nor topic")
        if self.kind.fixed and (self.public or self.members_add):
            raise Reject("policy: this kind of room admits nobody")

    def encode(self) -> bytes:
        """The bytes of the structure ``Policy``."""
        flags = bytes((self.kind, self.public, self.members_add, self.history))
        numbers = u16(self.max_devices) + u32(self.rotate_seconds) + u32(self.rotate_messages) + u16(self.slow_seconds)
        return flags + numbers + v8(self.name.encode()) + v16(self.topic.encode())

    @classmethod
    def read(cls, reader: Reader) -> "Policy":
        """Parses strictly. Raises `Reject`."""
        kind = read_kind(reader)
        public, members_add, history = (flag(reader.u8(), "policy") for _ in range(3))
        numbers = reader.u16(), reader.u32(), reader.u32(), reader.u16()
        name, topic = reader.text8(), reader.v16()
        try:
            return cls(kind, public, members_add, history, *numbers, name, topic.decode())
        except UnicodeDecodeError:
            raise Reject("room topic: not UTF-8") from None


class Member(Struct, frozen=True):
    """A user's place in a room: role, mute, and the log size of the commit that let them in (0 while banned)."""

    user: str
    role: Role
    muted: bool = False
    kt_added: int = 0

    def __post_init__(self) -> None:
        check_user(self.user)
        if self.role is Role.BANNED and (self.muted or self.kt_added):
            raise Reject("member: banned, and more than that")

    def encode(self) -> bytes:
        """The bytes of the structure ``Member``."""
        return v8(self.user.encode()) + u8(self.role) + u8(self.muted) + u64(self.kt_added)

    @classmethod
    def read(cls, reader: Reader) -> "Member":
        """Parses strictly. Raises `Reject`."""
        return cls(reader.text8(), read_role(reader), flag(reader.u8(), "member"), reader.u64())


class RosterEntry(Struct, frozen=True):
    """A device in a room under its number, the leaf."""

    leaf: int
    user: str
    device_id: bytes
    cert_hash: bytes

    def __post_init__(self) -> None:
        check_user(self.user)

    def encode(self) -> bytes:
        """The bytes of the structure ``RosterEntry``."""
        return u32(self.leaf) + v8(self.user.encode()) + self.device_id + self.cert_hash

    @classmethod
    def read(cls, reader: Reader) -> "RosterEntry":
        """Parses strictly. Raises `Reject`."""
        return cls(reader.u32(), reader.text8(), reader.take(DEVICE_ID_BYTES), reader.take(32))


def _rising(keys: Iterable[str] | Iterable[int], what: str) -> None:
    """Raises `Reject` unless each key is greater than the one before it (texts: UTF-8 and code points sort alike)."""
    for one, other in pairwise(keys):
        if one >= other:  # type: ignore[operator]
            raise Reject(f"{what}: not in order, or doubled")


class State(Discreet, frozen=True, dict=True):
    """A room at one epoch: members in order of user, roster in order of leaf.

    Raises:
        Reject: Order, doubles, a device of somebody who is no member, a room that nobody owns, a direct message that is
            not of two, or a devices' room that is not of one.
    """

    shown = ("next_leaf", "policy")

    next_leaf: int
    policy: Policy
    members: tuple[Member, ...]
    roster: tuple[RosterEntry, ...]

    def __post_init__(self) -> None:
        _rising((member.user for member in self.members), "members")
        _rising((entry.leaf for entry in self.roster), "roster")
        if self.roster and self.roster[-1].leaf >= self.next_leaf:
            raise Reject("roster: a leaf that is not given out yet")
        if len({entry.device_id for entry in self.roster}) != len(self.roster):
            raise Reject("roster: one device twice")
        if any((self.role(entry.user) or Role.BANNED) < Role.MEMBER for entry in self.roster):
            raise Reject("roster: a device of no member")
        roles = [member.role for member in self.members]
        if self.policy.kind.fixed:
            if roles != [Role.MEMBER] * self.policy.kind.people or any(member.muted for member in self.members):
                raise Reject("members: a direct message is between two, and the devices' room of one")
        elif any(roles) and Role.OWNER not in roles:
            raise Reject("members: nobody owns the room")

    @cached_property
    def _by_user(self) -> dict[str, Member]:
        return {member.user: member for member in self.members}

    @cached_property
    def _by_leaf(self) -> dict[int, RosterEntry]:
        return {entry.leaf: entry for entry in self.roster}

    @cached_property
    def _by_device(self) -> dict[bytes, RosterEntry]:
        return {entry.device_id: entry for entry in self.roster}

    def member(self, user: str) -> Member | None:
        """The user's record; banned users have one too."""
        return self._by_user.get(user)

    def role(self, user: str) -> Role | None:
        """The user's role; None for who is not in the list."""
        member = self._by_user.get(user)
        return None if member is None else member.role

    def entry(self, leaf: int) -> RosterEntry | None:
        """The device that has the number ``leaf``."""
        return self._by_leaf.get(leaf)

    def device(self, device_id: bytes) -> RosterEntry | None:
        """The entry of a device."""
        return self._by_device.get(device_id)

    def devices_of(self, user: str) -> tuple[RosterEntry, ...]:
        """The user's devices, in order of leaf."""
        return tuple(entry for entry in self.roster if entry.user == user)

    @cached_property
    def encoded(self) -> bytes:
        """The bytes of the structure ``State``; 39 KB with 500 devices."""
        members = b"".join(member.encode() for member in self.members)
        roster = b"".join(entry.encode() for entry in self.roster)
        return u32(self.next_leaf) + self.policy.encode() + v32(members) + v32(roster)

    @cached_property
    def state_hash(self) -> bytes:
        """What a commit says of the state that it makes, 32 bytes."""
        return sha256(b"chatserv1 state", self.encoded)

    @classmethod
    def decode(cls, data: bytes) -> "State":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "room state")
        next_leaf, policy = reader.u32(), Policy.read(reader)
        members = read_list(reader.v32(), "members", Member.read)
        roster = read_list(reader.v32(), "roster", RosterEntry.read)
        reader.end()
        return cls(next_leaf, policy, members, roster)


def policy_of(encoded: bytes) -> Policy:
    """The policy of an encoded state, of which the first `POLICY_END` bytes are enough."""
    reader = Reader(encoded, "room state")
    reader.u32()
    return Policy.read(reader)


def is_of_devices(encoded: bytes) -> bool:
    """Whether an encoded state, of which five bytes are enough, is that of the room of one's own devices."""
    return encoded[4:5] == u8(Kind.DEVICES)
