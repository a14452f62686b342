"""Commits as bytes and signatures (docs/rooms.rst 5)."""

from msgspec.structs import replace

from chatserv.crypto.commits import (
    MAX_COMMIT_BYTES,
    Add,
    BadCommit,
    Commit,
    CommitTBS,
    Create,
    Leave,
    Op,
    Remove,
    SenderHead,
    SetMember,
    SetPolicy,
    encode_op,
    make_commit,
    make_leave,
    read_op,
    verify_commit,
    verify_leave,
)
from chatserv.crypto.encoding import Reader, u8, v16
from chatserv.crypto.room_state import Role, RosterEntry
from chatserv.crypto.suite import sha256
from chatserv.errors import Reject, WireError, wire_error
from tests.support.mutations import mutations
from tests.support.rooms import PRIVATE, PUBLIC, RoomCase, signing_key

KEY = signing_key("committer")
PUBLIC_KEY = KEY.public_key().public_bytes_raw()
OPS: tuple[Op, ...] = (
    Create(b"n" * 32, PUBLIC),
    Add(RosterEntry(7, "carol", b"d" * 16, b"c" * 32)),
    Remove(3),
    SetMember("bob", Role.MODERATOR, muted=True),
    SetMember("bob", None),
    SetPolicy(PRIVATE),
    make_leave(b"r" * 16, 4, KEY),
)
TBS = CommitTBS(
    room_id=b"r" * 16,
    epoch=5,
    prev=b"p" * 32,
    state_hash=b"s" * 32,
    committer_leaf=2,
    ops=OPS,
    heads=(SenderHead(0, 9), SenderHead(4, 1)),
    kt_size=70,
    kt_root=b"k" * 32,
    wraps_root=b"w" * 32,
    confirmation=b"C" * 32,
)
COMMIT = make_commit(TBS, KEY)


class OpTests(RoomCase):
    """Ops."""

    def test_round_trip(self) -> None:
        """Each op is read as it was written, under its number."""
        self.assertEqual([encode_op(op)[0] for op in OPS], [0, 1, 2, 3, 3, 4, 5])
        for op in OPS:
            reader = Reader(encode_op(op), "op")
            self.assertEqual(read_op(reader), op)
            reader.end()

    def test_strict(self) -> None:
        """Unknown ops, and bodies that are cut or too long, are refused."""
        wrong = [u8(6) + v16(b""), u8(255) + v16(b"")]
        for op in OPS:
            data = encode_op(op)
            wrong += [data[:1] + v16(data[3:-1]), data[:1] + v16(data[3:] + b"\x00"), data[:-1]]
        for data in wrong:
            self.assertRaises(Reject, read_op, Reader(data, "op"))

    def test_set_member(self) -> None:
        """Roles are 0 to 3 and 255; the mute is 0 or 1, and 0 with roles 0 and 255."""
        for role, muted in ((4, 0), (254, 0), (1, 2), (0, 1), (255, 1)):
            data = u8(3) + v16(b"\x03bob" + bytes((role, muted)))
            self.assertRaises(Reject, read_op, Reader(data, "op"))
        for role, muted in ((0, 0), (1, 1), (2, 0), (3, 1), (255, 0)):
            read_op(Reader(u8(3) + v16(b"\x03bob" + bytes((role, muted))), "op"))

    def test_leave(self) -> None:
        """A farewell is signed for one room, one number, by one key."""
        leave = make_leave(b"r" * 16, 4, KEY)
        verify_leave(leave, b"r" * 16, PUBLIC_KEY)
        other = signing_key("other").public_key().public_bytes_raw()
        self.assertRaises(Reject, verify_leave, leave, b"R" * 16, PUBLIC_KEY)
        self.assertRaises(Reject, verify_leave, leave, b"r" * 16, other)
        self.assertRaises(Reject, verify_leave, replace(leave, leaf=5), b"r" * 16, PUBLIC_KEY)
        self.assertRaises(Reject, verify_leave, Leave(4, bytes(64)), b"r" * 16, PUBLIC_KEY)


class CommitTests(RoomCase):
    """Commits."""

    def test_round_trip(self) -> None:
        """A commit is read as it was written, and its hash follows from the bytes."""
        read = Commit.decode(COMMIT.encoded)
        self.assertEqual(read, COMMIT)
        self.assertEqual(read.commit_hash, sha256(b"chatserv1 commit" + COMMIT.encoded))
        verify_commit(read, PUBLIC_KEY)

    def test_layout(self) -> None:
        """The first and last fields stand where the specification has them."""
        data = TBS.encode()
        self.assertEqual(data[:60], b"\x00\x01\x00\x01" + b"r" * 16 + b"\x00\x00\x00\x05" + b"p" * 32 + b"s" * 4)
        self.assertEqual(data[-104:], (70).to_bytes(8, "big") + b"k" * 32 + b"w" * 32 + b"C" * 32)

    def test_confirmed(self) -> None:
        """The confirmation covers everything before it."""
        self.assertEqual(TBS.encode(), TBS.confirmed() + TBS.confirmation)

    def test_signature(self) -> None:
        """The signature is by the committing device, over all that the commit says."""
        self.assertRaises(Reject, verify_commit, COMMIT, signing_key("other").public_key().public_bytes_raw())
        self.assertRaises(Reject, verify_commit, replace(COMMIT, tbs=replace(TBS, epoch=6)), PUBLIC_KEY)
        self.assertRaises(Reject, verify_commit, COMMIT, b"\xff" * 32)

    def test_heads(self) -> None:
        """Heads are in order, single, and not zero."""
        one, two = SenderHead(0, 9), SenderHead(4, 1)
        for heads in ((two, one), (one, one), (one, SenderHead(4, 0))):
            self.assertRaises(Reject, replace, TBS, heads=heads)
            data = COMMIT.encoded.replace(b"\0\0\0\0\0\0\0\x09\0\0\0\x04\0\0\0\x01", b"".join(
                head.leaf.to_bytes(4, "big") + head.next_generation.to_bytes(4, "big") for head in heads
            ))  # fmt: skip
            self.assertNotEqual(data, COMMIT.encoded)
            self.assertRaises(BadCommit, Commit.decode, data)

    def test_version_and_suite(self) -> None:
        """There is one version and one suite."""
        for change in ({"version": 0}, {"version": 2}, {"suite": 0}, {"suite": 2}):
            other = make_commit(replace(TBS, **change), KEY)
            self.assertRaises(BadCommit, Commit.decode, other.encoded)

    def test_size(self) -> None:
        """A commit has at most 48 000 bytes."""
        op = OPS[1]
        count = (MAX_COMMIT_BYTES - len(make_commit(replace(TBS, ops=()), KEY).encoded)) // len(encode_op(op))
        fits = make_commit(replace(TBS, ops=(op,) * count), KEY)
        self.assertEqual(Commit.decode(fits.encoded), fits)
        self.assertRaises(BadCommit, make_commit, replace(TBS, ops=(op,) * (count + 1)), KEY)
        self.assertRaises(BadCommit, Commit.decode, bytes(MAX_COMMIT_BYTES + 1))

    def test_error(self) -> None:
        """What is wrong with a commit travels as bad_commit, which counts as a structure that does not parse."""
        self.assertIs(WireError.by_code["bad_commit"], BadCommit)
        self.assertIsInstance(wire_error("bad_commit"), Reject)

    def test_every_length(self) -> None:
        """A commit cut short anywhere, or with a byte too many, is refused."""
        data = COMMIT.encoded
        for end in range(len(data)):
            self.assertRaises(BadCommit, Commit.decode, data[:end])
        self.assertRaises(BadCommit, Commit.decode, data + b"\x00")

    def test_mutations(self) -> None:
        """A changed commit is refused, or is another one with just these bytes that its device did not sign."""
        taken = 0
        for changed in mutations(COMMIT.encoded, "commit"):
            try:
                commit = Commit.decode(changed)
            except BadCommit:
                continue
            taken += 1
            self.assertEqual(commit.encoded, changed)
            self.assertRaises(Reject, verify_commit, commit, PUBLIC_KEY)
        self.assertGreater(taken, 0)

    def test_mutations_in_a_room(self) -> None:
        """No changed commit moves a room, signed anew by its device or not, unless it is just as legal."""
        alice, bob = self.accounts("alice bob")
        room = self.world.room(alice, bob)
        commit = room.sealed(alice, SetMember("bob", Role.MODERATOR))
        for changed in mutations(commit.encoded, "commit in a room"):
            try:
                parsed = Commit.decode(changed)
            except BadCommit:
                continue
            self.assertRaises(BadCommit, room.validate, parsed)
            try:
                outcome = room.validate(make_commit(parsed.tbs, alice.key))
            except BadCommit:
                continue
            self.assertEqual(outcome.state.state_hash, commit.tbs.state_hash)
