"""Broken statements, leaves and commits, many of them: refused with `Reject`, and with nothing else.

The rest of the structures is in `tests.crypto.test_mutations`, states are in `tests.crypto.test_room_state`, bodies in
`tests.crypto.test_bodies`. ``CHATSERV_MUTATIONS`` says how many copies of each are tried.
"""

from collections.abc import Callable, Iterable

from chatserv.crypto.commits import (
    Add,
    BadCommit,
    Commit,
    Leave,
    Op,
    Remove,
    SetMember,
    SetPolicy,
    encode_op,
    make_commit,
    make_leave,
    read_op,
    verify_leave,
)
from chatserv.crypto.encoding import Reader
from chatserv.crypto.log_leaves import Leaf, LeafType, TreeHead, make_tree_head, verify_tree_head
from chatserv.crypto.room_state import Policy, Role, State
from chatserv.crypto.statements import (
    DeviceFacts,
    Revocation,
    UikRotation,
    make_revocation,
    make_rotation,
    sign_password,
    verify_certificate,
    verify_password,
    verify_revocation,
    verify_rotation,
)
from chatserv.crypto.suite import RSA_BYTES, pss_sign, sha256, to_sign
from chatserv.errors import Reject
from tests.support.mutations import MUTATIONS, mutations
from tests.support.rooms import DIRECT, PRIVATE, PUBLIC, Room, RoomCase
from tests.support.sessions import ALICE, NOW_MS, rsa_key, server_id, spki

SLOW = MUTATIONS // 20  # where each copy that parses costs an RSA operation


class StatementTests(RoomCase):
    """One structure a test."""

    def survives(self, data: bytes, parse: Callable[[bytes], bytes | None], count: int = MUTATIONS) -> None:
        """Parses ``data``, then each broken copy; ``parse`` gives it encoded again, or None where no copy may pass."""
        self.assertIn(parse(data), (data, None))
        refused = 0
        for changed in mutations(data, self.id(), count):
            try:
                again = parse(changed)
            except Reject:
                refused += 1
            else:
                self.assertEqual(again, changed, "two encodings of one structure, or a copy that passes")
        self.assertTrue(refused)

    def test_device_facts(self) -> None:
        """What a certificate says."""
        tbs = Reader(ALICE.certificate, "certificate").v16()
        self.survives(tbs, lambda data: DeviceFacts.decode(data).encode())

    def test_certificate(self) -> None:
        """Certificates: no changed copy verifies."""

        def verify(data: bytes) -> None:
            verify_certificate(data, ALICE.identity_spki, server_id())

        self.survives(ALICE.certificate, verify, SLOW)

    def test_identity_key(self) -> None:
        """The identity key beside a certificate: no changed copy will do."""

        def verify(data: bytes) -> None:
            verify_certificate(ALICE.certificate, data, server_id())

        self.survives(ALICE.identity_spki, verify)

    def test_revocation(self) -> None:
        """Revocations: no changed copy verifies."""
        said = Revocation(ALICE.device_id, sha256(ALICE.certificate), NOW_MS, 1)
        statement = make_revocation(said, rsa_key("identity of alice"))
        self.survives(statement[:-RSA_BYTES], lambda data: Revocation.decode(data).encode())

        def verify(data: bytes) -> None:
            verify_revocation(data, ALICE.certificate, ALICE.identity_spki)

        self.survives(statement, verify, SLOW)

    def test_rotation(self) -> None:
        """Rotations of identity keys: no changed copy verifies."""
        old, new = rsa_key("identity of alice"), rsa_key("identity of mallory")
        statement = make_rotation(old, new, NOW_MS)
        self.survives(statement[: -2 * RSA_BYTES], lambda data: UikRotation.decode(data).encode())

        def verify(data: bytes) -> None:
            verify_rotation(data, spki("identity of alice"))

        self.survives(statement, verify, SLOW)

    def test_password(self) -> None:
        """New passwords: the signature fits them as they were signed, and no changed copy of any part verifies."""
        key = rsa_key("identity of alice")
        known = (server_id(), "alice", bytes(range(89)))
        verify_password(*known, sign_password(*known, key), spki("identity of alice"))
        # As docs/protocol.rst says.
        signature = pss_sign(key, to_sign("password", server_id() + b"\x05alice" + bytes(range(89))))

        def verify(data: bytes) -> None:
            verify_password(data[:32], "alice", data[32:-RSA_BYTES], data[-RSA_BYTES:], spki("identity of alice"))

        self.survives(server_id() + known[2] + signature, verify, SLOW)
        for server, user, verifier, spki_ in (
            (server_id(), "alic", b"e" + known[2], spki("identity of alice")),
            (server_id(), "bob", known[2], spki("identity of alice")),
            (*known, spki("identity of mallory")),
        ):
            self.assertRaises(Reject, verify_password, server, user, verifier, signature, spki_)
        gone = pss_sign(key, to_sign("gone", server_id() + b"\x05alice" + known[2]))
        self.assertRaises(Reject, verify_password, *known, gone, spki("identity of alice"))

    def test_leaf(self) -> None:
        """Leaves of the log, of each type."""
        for kind in LeafType:
            tag = bytes(32) if kind is LeafType.SERVER_KEY else sha256(b"tag")
            subject = bytes(32) if kind is LeafType.GONE else sha256(b"subject")[:16] + bytes(16)
            leaf = Leaf(kind, NOW_MS, tag, subject, sha256(b"statement"))
            self.survives(leaf.encode(), lambda data: Leaf.decode(data).encode(), MUTATIONS // len(LeafType))

    def test_tree_head(self) -> None:
        """Signed tree heads: no changed copy verifies."""
        signed = make_tree_head(TreeHead(70, sha256(b"root"), NOW_MS), rsa_key("server"))
        self.survives(signed[:-RSA_BYTES], lambda data: TreeHead.decode(data).encode())

        def verify(data: bytes) -> None:
            verify_tree_head(data, spki("server"))

        self.survives(signed, verify, SLOW)

    def test_policy(self) -> None:
        """Policies."""
        for policy in (PRIVATE, PUBLIC, DIRECT):

            def parse(data: bytes) -> bytes:
                reader = Reader(data, "policy")
                read = Policy.read(reader)
                reader.end()
                return read.encode()

            self.survives(policy.encode(), parse)


class RoomTests(RoomCase):
    """Structures of a room: no changed copy moves it, also where its device signs the copy anew."""

    def setUp(self) -> None:
        """A public room of three, and somebody who is to come."""
        super().setUp()
        self.alice, self.bob, self.carol, self.dora = self.accounts("alice bob carol dora")

    def room(self, policy: Policy = PRIVATE) -> Room:
        """The room."""
        return self.world.room(self.alice, self.bob, self.carol, policy=policy)

    def survives(self, room: Room, commit: Commit) -> None:
        """Validates the commit, and each broken copy, as it is and signed anew by the commit's device."""
        honest = room.validate(commit)
        signer = next(
            device
            for device in (self.alice, self.bob, self.carol, self.dora)
            if device.device_id == honest.committer.device_id
        )
        for changed in mutations(commit.encoded, self.id()):
            try:
                parsed = Commit.decode(changed)
            except BadCommit:
                continue
            self.assertEqual(parsed.encoded, changed)
            self.assertRaises(BadCommit, room.validate, parsed)
            try:
                outcome = room.validate(make_commit(parsed.tbs, signer.key))
            except BadCommit:
                continue
            self.assertEqual(outcome.state.state_hash, commit.tbs.state_hash)

    def ops(self, *ops: Op) -> None:
        """A commit of alice with these ops."""
        room = self.room()
        self.survives(room, room.sealed(self.alice, *ops))

    def test_rotation(self) -> None:
        """No op."""
        self.ops()

    def test_add(self) -> None:
        """SetMember and Add."""
        self.ops(SetMember("dora", Role.MEMBER), Add(self.room().entry(self.dora)))

    def test_remove(self) -> None:
        """Remove."""
        self.ops(Remove(self.room().leaf(self.bob)))

    def test_set_member(self) -> None:
        """SetMember."""
        self.ops(SetMember("bob", Role.MEMBER, muted=True))

    def test_ban(self) -> None:
        """SetMember to banned."""
        self.ops(SetMember("bob", Role.BANNED))

    def test_set_policy(self) -> None:
        """SetPolicy."""
        self.ops(SetPolicy(Policy(PRIVATE.kind, members_add=True)))

    def test_leave(self) -> None:
        """Leave."""
        room = self.room()
        self.survives(room, room.sealed(self.alice, room.leave(self.bob)))

    def test_external(self) -> None:
        """An external commit into a public room."""
        room = self.room(PUBLIC)
        self.survives(room, room.sealed(self.dora, *room.join(self.dora)))

    def test_create(self) -> None:
        """The first commit."""
        room = self.room()
        first = room.chain[0]
        for changed in mutations(first.encoded, self.id()):
            fresh = Room(self.world, room.room_id)
            try:
                parsed = Commit.decode(changed)
            except BadCommit:
                continue
            self.assertRaises(BadCommit, fresh.validate, parsed)

    def test_each_op(self) -> None:
        """Ops by themselves have one encoding."""
        room = self.room()
        ops: Iterable[Op] = (
            *room.chain[0].tbs.ops,
            Remove(3),
            SetMember("bob", None),
            SetPolicy(PUBLIC),
            room.leave(self.bob),
        )
        for op in ops:
            for changed in mutations(encode_op(op), f"{self.id()} {type(op).__name__}", MUTATIONS // 4):
                reader = Reader(changed, "op")
                try:
                    again = read_op(reader)
                    reader.end()
                except Reject:
                    continue
                self.assertEqual(encode_op(again), changed)

    def test_farewell(self) -> None:
        """A Leave: no changed copy verifies."""
        room_id, leave = self.room().room_id, make_leave(self.room().room_id, 1, self.bob.key)
        public = self.bob.key.public_key().public_bytes_raw()
        verify_leave(leave, room_id, public)
        for changed in mutations(leave.body(), self.id()):
            reader = Reader(changed, "Leave")
            try:
                parsed = Leave.read(reader)
                reader.end()
            except Reject:
                continue
            self.assertRaises(Reject, verify_leave, parsed, room_id, public)

    def test_state(self) -> None:
        """States have one encoding."""
        for policy in (PRIVATE, PUBLIC):
            state = self.room(policy).state
            for changed in mutations(state.encoded, self.id()):
                try:
                    parsed = State.decode(changed)
                except Reject:
                    continue
                self.assertEqual(parsed.encoded, changed)
