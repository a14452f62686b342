"""Makes tests/vectors/room-vectors.json: rooms, commits and the log, for implementations in other languages.

Ed25519 gives the same signature each time, RSA-PSS does not: what RSA keys signed (certificates, a revocation, a rotation, a
tree head) is the file's ``inputs``, and everything else follows from them. ::

    python -m tests.support.make_room_vectors          # the same file again, from its own inputs
    python -m tests.support.make_room_vectors --new    # other RSA keys, and so another file
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatserv.crypto.commits import (
    Add,
    BadCommit,
    Commit,
    Create,
    Op,
    Remove,
    SenderHead,
    SetMember,
    SetPolicy,
    encode_op,
)
from chatserv.crypto.log_leaves import (
    ZEROS,
    Leaf,
    LeafType,
    TreeHead,
    make_tree_head,
    removal_tag,
    room_tag,
    server_key_leaf,
    user_leaf,
    user_tag,
)
from chatserv.crypto.room_state import Kind, Policy, Role, RosterEntry, room_id
from chatserv.crypto.statements import (
    DeviceFacts,
    Revocation,
    certificate_facts,
    make_certificate,
    make_revocation,
    make_rotation,
)
from chatserv.crypto.suite import generate_rsa, rsa_spki, sha256
from tests.support.rooms import DIRECT, NOW_MS, Device, Room, World

FILE = Path(__file__).parents[1] / "vectors" / "room-vectors.json"
LOBBY = Policy(Kind.ROOM, public=True, history=True, slow_seconds=2, name="lobby", topic="caf\u00e9")
# name of the certificate, user, device, whose identity key signs
CERTIFICATES = (
    ("alice phone", "alice", "phone", "alice"),
    ("alice laptop", "alice", "laptop", "alice"),
    ("bob phone", "bob", "phone", "bob"),
    ("bob phone after rotation", "bob", "phone", "bob next"),
    ("carol phone", "carol", "phone", "carol"),
    ("carol phone after reset", "carol", "new phone", "carol next"),
)


def new_inputs() -> dict[str, Any]:
    """Everything that RSA keys sign, with new keys."""
    names = ("server", "device", "alice", "bob", "bob next", "carol", "carol next")
    keys = {name: generate_rsa() for name in names}
    spki = {name: rsa_spki(key.public_key()) for name, key in keys.items()}
    certificates = {}
    for name, user, device, identity in CERTIFICATES:
        plain = Device(user, device, sha256(spki[identity]))
        public = plain.key.public_key().public_bytes_raw()
        facts = DeviceFacts(
            sha256(spki["server"]), user, plain.device_id, spki["device"], public, NOW_MS, plain.identity
        )
        certificates[name] = make_certificate(facts, keys[identity], plain.key)
    laptop = certificates["alice laptop"]
    revocation = Revocation(certificate_facts(laptop).device_id, sha256(laptop), NOW_MS + 1, 1)
    return {
        "server_spki": spki["server"].hex(),
        "identity_spki": {name: spki[name].hex() for name in names[2:]},
        "certificates": {name: certificate.hex() for name, certificate in certificates.items()},
        "revocation": make_revocation(revocation, keys["alice"]).hex(),
        "rotation": make_rotation(keys["bob"], keys["bob next"], NOW_MS + 2).hex(),
        "tree_head": make_tree_head(TreeHead(70, sha256(b"a root"), NOW_MS + 3), keys["server"]).hex(),
    }


def tree_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1."""
    if len(leaves) < 2:
        return sha256(b"\x00", leaves[0]) if leaves else sha256()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", tree_root(leaves[:split]), tree_root(leaves[split:]))


@dataclass(frozen=True)
class Certified(Device):
    """A device with a certificate of the inputs."""

    certificate: bytes

    @property
    def facts(self) -> DeviceFacts:
        """What the certificate says."""
        return certificate_facts(self.certificate)

    @property
    def cert_hash(self) -> bytes:
        """32 bytes."""
        return sha256(self.certificate)


class VectorWorld(World):
    """A log with a real tree."""

    def root_at(self, size: int) -> bytes | None:
        """The tree's root."""
        return tree_root([leaf.encode() for leaf in self.leaves[:size]]) if size <= self.size else None

    def certify(self, device: Device) -> Device:
        """Logs a certificate, with its hash as the statement."""
        assert isinstance(device, Certified)
        self.certificates[device.cert_hash] = device.facts
        self.say(LeafType.DEVICE, device.user, device.cert_hash, device.certificate)
        return device

    def say(self, kind: LeafType, user: str, subject: bytes, statement: bytes) -> None:
        """Logs a leaf about a user."""
        self.log(user_leaf(kind, self.server_id, user, subject, statement, NOW_MS + self.size))


class Script:
    """The rooms of the vectors, made from the inputs."""

    def __init__(self, inputs: dict[str, Any]) -> None:
        self.inputs = inputs
        self.spki = {name: bytes.fromhex(value) for name, value in inputs["identity_spki"].items()}
        self.server_spki = bytes.fromhex(inputs["server_spki"])
        self.world = VectorWorld(sha256(self.server_spki))
        self.devices = {
            name: Certified(user, device, sha256(self.spki[identity]), bytes.fromhex(inputs["certificates"][name]))
            for name, user, device, identity in CERTIFICATES
        }
        self.chain: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []

    def enrol(self, name: str) -> Certified:
        """Logs a certificate of the inputs."""
        device = self.devices[name]
        self.world.certify(device)
        return device

    def register(self, name: str) -> Certified:
        """Logs a user's first identity and device."""
        device = self.devices[name]
        self.world.say(LeafType.UIK, device.user, device.identity, self.spki[device.user])
        return self.enrol(name)

    def commit(self, room: Room, what: str, device: Device, *ops: Op, **changes: Any) -> None:
        """Moves a room and writes the step down."""
        commit = room.sealed(device, *ops, wraps_root=sha256(b"wraps ", what.encode()), **changes)
        outcome = room.accept(commit)
        self.chain.append(
            {
                "what": what,
                "ed25519_public": device.key.public_key().public_bytes_raw().hex(),
                "ops": [encode_op(op).hex() for op in ops],
                "external": outcome.external,
                "log_size": commit.tbs.kt_size,
                "commit": commit.encoded.hex(),
                "commit_hash": commit.commit_hash.hex(),
                "state": outcome.state.encoded.hex(),
                "state_hash": outcome.state.state_hash.hex(),
            }
        )

    def refuse(self, room: Room, what: str, device: Device, ops: Iterable[Op], **changes: Any) -> None:
        """Writes down a commit that nobody may take where the room is now."""
        commit = room.sealed(device, *ops, **changes)
        try:
            room.validate(commit)
        except BadCommit:
            self.refused.append({"what": what, "after": len(self.chain) - 1, "commit": commit.encoded.hex()})
            return
        raise AssertionError(what)

    def room(self) -> None:
        """A public room with each op, each kind of commit, and an heir."""
        world = self.world
        phone, bob, carol = (self.register(name) for name in ("alice phone", "bob phone", "carol phone"))
        start = world.room(phone, bob, policy=LOBBY, nonce=b"n" * 32)
        room = Room(world, start.room_id)
        self.commit(room, "Create, SetMember, Add, SetMember, Add", phone, *start.chain[0].tbs.ops)
        room.log_head()
        self.refuse(room, "an external commit with a role above member", carol, [
            SetMember("carol", Role.OWNER), Add(room.entry(carol))
        ])  # fmt: skip
        self.commit(room, "external: SetMember, Add", carol, *room.join(carol))
        self.refuse(room, "SetMember by a member", carol, [SetMember("bob", None)])
        self.refuse(room, "SetPolicy by a member", carol, [SetPolicy(DIRECT)])
        self.refuse(room, "an older log than before", phone, [], kt_size=world.size - 1)
        self.commit(room, "SetMember with a mute", phone, SetMember("carol", Role.MEMBER, muted=True))
        policy = Policy(Kind.ROOM, public=True, members_add=True, max_devices=4, name="lobby")
        self.commit(room, "SetMember, SetPolicy", phone, SetMember("bob", Role.MODERATOR), SetPolicy(policy))
        laptop = self.enrol("alice laptop")
        self.refuse(room, "a leaf that is not the next one", phone, [Add(laptop.entry(7))])
        self.commit(room, "external: Add of a member's new device", laptop, Add(room.entry(laptop)))
        world.say(LeafType.REVOKE, "alice", laptop.cert_hash, bytes.fromhex(self.inputs["revocation"]))
        self.refuse(room, "a revoked device in the new roster", bob, [])
        self.commit(room, "Remove that follows the log", bob, Remove(room.leaf(laptop)))
        self.commit(room, "rotation, with heads", phone, heads=(SenderHead(0, 3), SenderHead(2, 1)))
        rotation = bytes.fromhex(self.inputs["rotation"])
        world.say(LeafType.ROTATE, "bob", sha256(self.spki["bob next"]), rotation)
        (due,) = world.facts.undecided(world.size)
        due.verify(rotation, self.spki["bob"])
        world.facts.decide(due, signed=True)
        renewed = self.enrol("bob phone after rotation")
        self.commit(room, "Remove and Add after a rotation", bob, Remove(1), Add(room.entry(renewed)))
        leave = room.leave(carol)
        self.commit(room, "Leave of a muted user", bob, leave)
        self.refuse(room, "a banned user joins", carol, room.join(carol))
        self.commit(room, "SetMember 255 lifts a ban", bob, SetMember("carol", None))
        self.refuse(room, "a Leave again", bob, [leave])
        self.commit(room, "Leave of the last owner, and an heir", renewed, room.leave(phone))
        self.all_there = world.size
        world.say(LeafType.RESET, "carol", sha256(self.spki["carol next"]), b"reset by an administrator")
        fresh = self.enrol("carol phone after reset")
        self.commit(room, "external: a user whose identity was reset joins", fresh, *room.join(fresh))
        world.say(LeafType.GONE, "alice", ZEROS, b"deleted by its user")
        world.log(server_key_leaf(sha256(b"next server key"), b"handed over", NOW_MS))

    def heirs(self) -> None:
        """Two private rooms that lose their owner, both by the log as it was when all three users were there."""
        phone, renewed, carol = (
            self.devices[name] for name in ("alice phone", "bob phone after rotation", "carol phone")
        )
        now = {"kt_size": self.all_there}
        create = Create(b"h" * 32, Policy(Kind.ROOM)), SetMember("alice", Role.OWNER), Add(phone.entry(0))
        room = Room(self.world, room_id(phone.cert_hash, b"h" * 32))
        self.commit(room, "heirs: Create, a moderator without a device, a member with one", phone, *create,
            SetMember("bob", Role.MODERATOR), SetMember("carol", Role.MEMBER), Add(carol.entry(1)), **now
        )  # fmt: skip
        self.commit(
            room, "heirs: Leave of the owner; the member who has a device is heir", carol, room.leave(phone), **now
        )
        create = Create(b"s" * 32, Policy(Kind.ROOM)), SetMember("alice", Role.OWNER), Add(phone.entry(0))
        room = Room(self.world, room_id(phone.cert_hash, b"s" * 32))
        self.commit(room, "step-down: Create, a moderator", phone, *create,
            SetMember("bob", Role.MODERATOR), Add(renewed.entry(1)), **now
        )  # fmt: skip
        self.refuse(room, "a step-down to the role that one has by then", phone, [
            SetMember("alice", Role.MODERATOR), SetMember("alice", Role.MODERATOR)
        ], **now)  # fmt: skip
        self.refuse(room, "a step-down, and up again", phone, [
            SetMember("alice", Role.MEMBER), SetMember("alice", Role.MODERATOR)
        ], **now)  # fmt: skip
        steps = SetMember("alice", Role.MODERATOR), SetMember("alice", Role.MEMBER)
        self.commit(room, "step-down: twice in one commit; the moderator is heir", phone, *steps, **now)

    def direct(self) -> None:
        """A direct message."""
        renewed, fresh = self.devices["bob phone after rotation"], self.devices["carol phone after reset"]
        start = self.world.room(renewed, fresh, policy=DIRECT, nonce=b"d" * 32)
        room = Room(self.world, start.room_id)
        self.commit(room, "direct message: Create", renewed, *start.chain[0].tbs.ops)
        self.refuse(room, "a Leave in a direct message", renewed, [room.leave(fresh)])
        self.refuse(room, "a strike in a direct message", renewed, [SetMember("carol", None)])
        self.commit(room, "direct message: rotation", fresh)

    def leaves(self) -> list[dict[str, Any]]:
        """The log."""
        return [{"type": int(leaf.kind), "leaf": leaf.encode().hex()} for leaf in self.world.leaves]

    def validity(self) -> list[dict[str, Any]]:
        """From which size of the log on, and up to which, each certificate is valid."""
        facts, rows = self.world.facts, []
        for name, device in self.devices.items():
            sizes = [
                size
                for size in range(self.world.size + 1)
                if facts.certificate_valid(device.facts, device.cert_hash, size)
            ]
            rows.append({"certificate": name, "first": sizes[0], "last": sizes[-1]})
        return rows


def make_vectors(inputs: dict[str, Any]) -> dict[str, Any]:
    """Everything that follows from the inputs."""
    script = Script(inputs)
    script.room()
    script.heirs()
    script.direct()
    world = script.world
    entry = RosterEntry(7, "bob", script.devices["bob phone"].device_id, script.devices["bob phone"].cert_hash)
    seeds = {f"{device.user} {device.name}": device.key.private_bytes_raw().hex() for device in script.devices.values()}
    return {
        "inputs": inputs,
        "ed25519_seeds": seeds,
        "certificate_hashes": {name: device.cert_hash.hex() for name, device in script.devices.items()},
        "server_id": world.server_id.hex(),
        "user_tags": {user: user_tag(world.server_id, user).hex() for user in ("alice", "bob", "carol")},
        "room_tags": {"lobby": room_tag(world.server_id, "lobby").hex()},
        "removal_tags": {bytes(16).hex(): removal_tag(world.server_id, bytes(16)).hex()},
        "log": script.leaves(),
        "log_roots": [(world.root_at(size) or b"").hex() for size in range(world.size + 1)],
        "certificates_valid_at_sizes": script.validity(),
        "policy": LOBBY.encode().hex(),
        "roster_entry": entry.encode().hex(),
        "chain": script.chain,
        "to_be_refused": script.refused,
    }


def decoded(vectors: dict[str, Any]) -> tuple[list[Leaf], list[Commit]]:
    """The leaves and commits of the vectors."""
    leaves = [Leaf.decode(bytes.fromhex(row["leaf"])) for row in vectors["log"]]
    return leaves, [Commit.decode(bytes.fromhex(row["commit"])) for row in vectors["chain"]]


def main() -> None:
    """Writes the file."""
    inputs = new_inputs() if "--new" in sys.argv[1:] else json.loads(FILE.read_text("utf-8"))["inputs"]
    FILE.write_text(json.dumps(make_vectors(inputs), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
