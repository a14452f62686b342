"""Leaves of the log and its heads as bytes (docs/rooms.rst 8.1)."""

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.log_leaves import (
    LEAF_BYTES,
    TREE_HEAD_BYTES,
    ZEROS,
    Leaf,
    LeafType,
    TreeHead,
    make_tree_head,
    room_leaf,
    room_tag,
    server_key_leaf,
    user_leaf,
    user_tag,
    verify_tree_head,
)
from chatserv.crypto.suite import sha256
from chatserv.errors import Reject
from tests.support.mutations import MUTATIONS, mutations
from tests.support.rooms import NOW_MS, SERVER_ID
from tests.support.sessions import rsa_key, spki

LEAVES = [
    *(
        user_leaf(LeafType(kind), SERVER_ID, "alice", ZEROS if kind == 6 else b"s" * 32, b"signed", NOW_MS)
        for kind in range(1, 7)
    ),
    server_key_leaf(b"i" * 32, b"signed", NOW_MS),
    room_leaf(SERVER_ID, "lobby", b"r" * 16, b"c" * 32, NOW_MS),
]


class LeafTests(SynchronousTestCase):
    """Leaves of each type."""

    def test_round_trip(self) -> None:
        """Each type is read as it was written, in 105 bytes."""
        self.assertEqual([leaf.kind for leaf in LEAVES], list(LeafType))
        for leaf in LEAVES:
            self.assertEqual(Leaf.decode(leaf.encode()), leaf)
            self.assertEqual(len(leaf.encode()), LEAF_BYTES)

    def test_fields(self) -> None:
        """What stands where."""
        device, server, room = LEAVES[1], LEAVES[6], LEAVES[7]
        self.assertEqual(device.encode()[:9], b"\x02" + NOW_MS.to_bytes(8, "big"))
        self.assertEqual((device.tag, device.statement), (user_tag(SERVER_ID, "alice"), sha256(b"signed")))
        self.assertEqual((server.tag, server.subject), (ZEROS, b"i" * 32))
        self.assertEqual((room.tag, room.subject), (room_tag(SERVER_ID, "lobby"), b"r" * 16 + bytes(16)))
        self.assertEqual(room.statement, b"c" * 32)

    def test_tags(self) -> None:
        """A tag is of one name on one server, and a user's is no room's."""
        tags = {make(server, name) for make in (user_tag, room_tag) for server in (ZEROS, SERVER_ID) for name in "ab"}
        self.assertEqual(len(tags), 8)

    def test_wrong_type_for_a_user(self) -> None:
        """Leaves of types 7 and 8 are about nobody."""
        for kind in (LeafType.SERVER_KEY, LeafType.ROOM):
            self.assertRaises(Reject, user_leaf, kind, SERVER_ID, "alice", ZEROS, b"", 0)

    def test_not_canonical(self) -> None:
        """Unknown types, other lengths, and anything where zeros are due are refused."""
        data = [leaf.encode() for leaf in LEAVES]
        wrong = [
            b"\x00" + data[0][1:],
            b"\x09" + data[0][1:],
            data[0][:-1],
            data[0] + b"\x00",
            b"",
            b"\x06" + data[0][1:],
            b"\x07" + data[0][1:],
            b"\x08" + data[0][1:],
        ]
        for each in wrong:
            self.assertRaises(Reject, Leaf.decode, each)

    def test_mutations(self) -> None:
        """A changed leaf is refused, or is another leaf with just these bytes."""
        for leaf in LEAVES:
            for changed in mutations(leaf.encode(), f"leaf {leaf.kind}", MUTATIONS // 8):
                try:
                    read = Leaf.decode(changed)
                except Reject:
                    continue
                self.assertEqual(read.encode(), changed)


class TreeHeadTests(SynchronousTestCase):
    """Signed tree heads."""

    def setUp(self) -> None:
        """A head and its signed form."""
        self.head = TreeHead(70, b"r" * 32, NOW_MS)
        self.signed = make_tree_head(self.head, rsa_key("server"))

    def test_round_trip(self) -> None:
        """What was signed is what is read; 432 bytes."""
        self.assertEqual(verify_tree_head(self.signed, spki("server")), self.head)
        self.assertEqual(len(self.signed), TREE_HEAD_BYTES)

    def test_another_server(self) -> None:
        """A head is of the server whose key signed it."""
        self.assertRaises(Reject, verify_tree_head, self.signed, spki("identity of alice"))

    def test_mutations(self) -> None:
        """A changed head is refused, whatever changed."""
        for changed in mutations(self.signed, "tree head", 200):
            self.assertRaises(Reject, verify_tree_head, changed, spki("server"))
