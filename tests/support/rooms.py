"""Accounts, devices, a log and rooms in memory, with fixed keys; no RSA anywhere.

A room and a commit::

    world = World()
    alice, bob = world.account("alice"), world.account("bob")
    room = world.room(alice)
    room.commit(alice, SetMember("bob", Role.MEMBER), Add(room.entry(bob)))

`Room.sealed` makes the commit of these ops without asking whether they are allowed, as a client of bad will would;
`Room.validate` says what `apply_commit` makes of a commit; `Room.commit` does both and keeps the result.
"""

import dataclasses
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ed25519
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.commits import (
    Add,
    BadCommit,
    Commit,
    CommitTBS,
    Create,
    Leave,
    Op,
    SetMember,
    make_commit,
    make_leave,
)
from chatserv.crypto.encoding import u64
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import Leaf, LeafType, room_leaf, user_leaf
from chatserv.crypto.room_draft import Evidence
from chatserv.crypto.room_rules import Head, Outcome, apply_commit, take_step
from chatserv.crypto.room_state import Kind, Policy, Role, RosterEntry, State, room_id
from chatserv.crypto.statements import DeviceFacts
from chatserv.crypto.suite import sha256

SERVER_ID = sha256(b"server of the room tests")
NOW_MS = 1_750_000_000_000
PRIVATE = Policy(Kind.ROOM)
OPEN = Policy(Kind.ROOM, members_add=True)
PUBLIC = Policy(Kind.ROOM, public=True, name="lobby")
DIRECT = Policy(Kind.DM)
DEVICES = Policy(Kind.DEVICES)


@cache
def signing_key(name: str) -> ed25519.Ed25519PrivateKey:
    """The Ed25519 key called ``name``."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(sha256(b"signing key ", name.encode()))


@dataclasses.dataclass(frozen=True)
class Device:
    """A device of a user; its certificate stands for its hash alone."""

    user: str
    name: str
    identity: bytes

    @property
    def key(self) -> ed25519.Ed25519PrivateKey:
        """The device's Ed25519 key; the same under each identity."""
        return signing_key(f"{self.user} {self.name}")

    @property
    def device_id(self) -> bytes:
        """16 bytes."""
        return sha256(b"device ", self.user.encode(), b" ", self.name.encode())[:16]

    @property
    def facts(self) -> DeviceFacts:
        """What the certificate says."""
        public = self.key.public_key().public_bytes_raw()
        return DeviceFacts(SERVER_ID, self.user, self.device_id, bytes(422), public, NOW_MS, self.identity)

    @property
    def cert_hash(self) -> bytes:
        """32 bytes."""
        return sha256(b"certificate", self.facts.encode())

    def entry(self, leaf: int) -> RosterEntry:
        """The device under a number."""
        return RosterEntry(leaf, self.user, self.device_id, self.cert_hash)

    def renewed(self, identity: bytes) -> "Device":
        """The same device, certified by another identity key."""
        return dataclasses.replace(self, identity=identity)


class World:
    """A server's log, and every certificate there is."""

    def __init__(self, server_id: bytes = SERVER_ID) -> None:
        self.server_id = server_id
        self.leaves: list[Leaf] = []
        self.facts = LogFacts(server_id)
        self.certificates: dict[bytes, DeviceFacts] = {}

    @property
    def size(self) -> int:
        """The log's size."""
        return self.facts.size

    def root_at(self, size: int) -> bytes | None:
        """A root that is as good as another."""
        return sha256(b"root", u64(size)) if size <= self.size else None

    def log(self, leaf: Leaf) -> None:
        """Appends a leaf."""
        self.facts.append(leaf)
        self.leaves.append(leaf)

    def _log(self, kind: LeafType, user: str, subject: bytes) -> None:
        self.log(user_leaf(kind, self.server_id, user, subject, b"statement", NOW_MS))

    def account(self, user: str) -> Device:
        """Registers a user; the first device."""
        identity = sha256(b"identity ", user.encode())
        self._log(LeafType.UIK, user, identity)
        return self.device(user, "first", identity)

    def device(self, user: str, name: str, identity: bytes | None = None) -> Device:
        """Registers one more device."""
        if identity is None:
            newest = self.facts.identity(user, self.size)
            assert newest is not None
            identity = newest.fingerprint
        return self.certify(Device(user, name, identity))

    def certify(self, device: Device) -> Device:
        """Logs a device's certificate."""
        self.certificates[device.cert_hash] = device.facts
        self._log(LeafType.DEVICE, device.user, device.cert_hash)
        return device

    def unlogged(self, user: str, name: str) -> Device:
        """A device whose certificate is good but not in the log."""
        device = Device(user, name, sha256(b"identity ", user.encode()))
        self.certificates[device.cert_hash] = device.facts
        return device

    def revoke(self, device: Device) -> None:
        """Ends a device."""
        self._log(LeafType.REVOKE, device.user, device.cert_hash)

    def rotate(self, *devices: Device) -> list[Device]:
        """A new identity key, signed by the old one, and a new certificate for each device."""
        identity = sha256(b"next ", devices[0].identity)
        self._log(LeafType.ROTATE, devices[0].user, identity)
        self.facts.decide(*self.facts.undecided(self.size), signed=True)
        return [self.certify(device.renewed(identity)) for device in devices]

    def reset(self, user: str) -> Device:
        """An administrator gives the account to who has a new identity key; their new device."""
        identity = sha256(b"reset ", user.encode(), u64(self.size))
        self._log(LeafType.RESET, user, identity)
        return self.device(user, f"after reset {self.size}", identity)

    def gone(self, user: str) -> None:
        """Ends an account."""
        self._log(LeafType.GONE, user, bytes(32))

    def room(self, creator: Device, *others: Device, policy: Policy = PRIVATE, nonce: bytes = bytes(32)) -> "Room":
        """A room with a member for each of the others (devices of one user: once)."""
        role = Role.MEMBER if policy.kind.fixed else Role.OWNER
        users = dict.fromkeys(device.user for device in others if device.user != creator.user)
        ops: list[Op] = [Create(nonce, policy), SetMember(creator.user, role), Add(creator.entry(0))]
        ops += [SetMember(user, Role.MEMBER) for user in users]
        ops += [Add(device.entry(leaf)) for leaf, device in enumerate(others, 1)]
        room = Room(self, room_id(creator.cert_hash, nonce))
        room.commit(creator, *ops)
        return room


class Room:
    """One room, as one who processed all of its commits has it."""

    def __init__(self, world: World, number: bytes) -> None:
        self.world = world
        self.state_or_none: State | None = None
        self.head = Head.before(number)
        self.chain: list[Commit] = []

    @property
    def state(self) -> State:
        """The room's state."""
        assert self.state_or_none is not None
        return self.state_or_none

    @property
    def room_id(self) -> bytes:
        """16 bytes."""
        return self.head.room_id

    def fork(self) -> "Room":
        """Another one who is where this one is."""
        other = Room(self.world, self.room_id)
        other.state_or_none, other.head, other.chain = self.state_or_none, self.head, self.chain[:]
        return other

    def entry(self, device: Device, ahead: int = 0) -> RosterEntry:
        """The device under the next number, or one further ahead."""
        return device.entry(self.state.next_leaf + ahead)

    def leaf(self, device: Device) -> int:
        """The device's number; the next one for a device from outside."""
        if self.state_or_none is None:
            return 0
        entry = self.state.device(device.device_id)
        return self.state.next_leaf if entry is None else entry.leaf

    def join(self, device: Device) -> tuple[Op, Op]:
        """The ops with which a user joins a public room."""
        return SetMember(device.user, Role.MEMBER), Add(self.entry(device))

    def leave(self, device: Device) -> Leave:
        """The user's farewell, signed by this device."""
        return make_leave(self.room_id, self.leaf(device), device.key)

    def evidence(self, kt_size: int | None = None) -> Evidence:
        """What a commit is validated by."""
        return Evidence(self.world.certificates, self.world.facts, self.world.size if kt_size is None else kt_size)

    def tbs(self, device: Device, ops: Iterable[Op], **changes: Any) -> CommitTBS:
        """What a commit of these ops says; the state's hash is zeros where there is no such state."""
        ops = tuple(ops)
        kt_size = changes.get("kt_size", self.world.size)
        leaf = changes.get("committer_leaf", self.leaf(device))
        try:
            step = take_step(self.state_or_none, self.room_id, leaf, ops, self.evidence(kt_size))
            state_hash = step.state.state_hash
        except BadCommit:
            state_hash = bytes(32)
        tbs = CommitTBS(
            room_id=self.room_id,
            epoch=self.head.epoch + 1,
            prev=self.head.commit_hash,
            state_hash=state_hash,
            committer_leaf=leaf,
            ops=ops,
            heads=(),
            kt_size=kt_size,
            kt_root=self.world.root_at(kt_size) or bytes(32),
            wraps_root=bytes(32),
            confirmation=bytes(32),
        )
        return replace(tbs, **changes)

    def sealed(self, device: Device, *ops: Op, **changes: Any) -> Commit:
        """The commit of these ops, allowed or not, signed by ``device``; ``changes`` are fields of the commit."""
        return make_commit(self.tbs(device, ops, **changes), device.key)

    def validate(
        self,
        commit: Commit,
        facts: LogFacts | None = None,
        root_at: Callable[[int], bytes | None] | None = None,
    ) -> Outcome:
        """What the rules make of a commit; it goes over the wire first."""
        return apply_commit(
            self.state_or_none,
            self.head,
            Commit.decode(commit.encoded),
            self.world.certificates,
            self.world.facts if facts is None else facts,
            self.world.root_at if root_at is None else root_at,
        )

    def accept(self, commit: Commit) -> Outcome:
        """Validates a commit and goes on from it."""
        outcome = self.validate(commit)
        self.state_or_none, self.head = outcome.state, outcome.head
        self.chain.append(commit)
        return outcome

    def commit(self, device: Device, *ops: Op, **changes: Any) -> Outcome:
        """Makes a commit and goes on from it."""
        return self.accept(self.sealed(device, *ops, **changes))

    def log_head(self) -> None:
        """Logs the newest commit of a public room (type 8)."""
        name = self.state.policy.name
        self.world.log(room_leaf(self.world.server_id, name, self.room_id, self.head.commit_hash, NOW_MS))


class RoomCase(SynchronousTestCase):
    """A world for each test, and what a refusal looks like."""

    def setUp(self) -> None:
        """An empty world."""
        self.world = World()

    def accounts(self, names: str) -> list[Device]:
        """One device each of these users."""
        return [self.world.account(name) for name in names.split()]

    def refused(self, room: Room, commit: Commit, reason: str) -> None:
        """The rules refuse the commit, for this reason and no other."""
        error = self.assertRaises(BadCommit, room.validate, commit)
        self.assertIn(reason, error.detail)

    def refuse(self, room: Room, device: Device, ops: Iterable[Op], reason: str, **changes: Any) -> None:
        """The rules refuse a commit of these ops by this device, for this reason and no other."""
        self.refused(room, room.sealed(device, *ops, **changes), reason)
