"""Rotations of a server's identity key, and how one follows them."""

from itertools import pairwise

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.log_leaves import TreeHead, make_tree_head
from chatserv.crypto.server_keys import (
    MAX_ROTATIONS,
    ServerKeys,
    ServerRotation,
    first_key_id,
    make_server_rotation,
    rotations_from,
    verify_server_rotation,
)
from chatserv.crypto.suite import pss_sign, sha256, to_sign
from chatserv.errors import Reject
from tests.support.mutations import mutations
from tests.support.sessions import NOW_MS, rsa_key, spki

NAMES = ("server", "server 2", "server 3")
FIRST, SECOND, THIRD = (sha256(spki(name)) for name in NAMES)


def rotation(old: str, new: str, server_id: bytes = FIRST) -> bytes:
    """A rotation between two keys of these names."""
    return make_server_rotation(server_id, rsa_key(old), rsa_key(new), NOW_MS)


CHAIN = (rotation("server", "server 2"), rotation("server 2", "server 3"))


class StatementTests(SynchronousTestCase):
    """What is signed."""

    def test_round_trip(self) -> None:
        """What was signed is what is read; 1658 bytes."""
        said = verify_server_rotation(CHAIN[0], FIRST, FIRST)
        self.assertEqual(said, ServerRotation(FIRST, spki("server"), spki("server 2"), NOW_MS))
        self.assertEqual(ServerRotation.decode(said.encode()), said)
        self.assertEqual(1658, len(CHAIN[0]))

    def test_of_another(self) -> None:
        """A rotation is of one server and one key."""
        self.assertRaises(Reject, verify_server_rotation, CHAIN[0], SECOND, FIRST)
        self.assertRaises(Reject, verify_server_rotation, CHAIN[0], FIRST, SECOND)
        self.assertRaises(Reject, verify_server_rotation, CHAIN[1], FIRST, FIRST)

    def test_to_itself(self) -> None:
        """A key does not replace itself."""
        self.assertRaises(Reject, verify_server_rotation, rotation("server", "server"), FIRST, FIRST)

    def test_one_signature(self) -> None:
        """Neither key alone makes a rotation: not who has stolen the old one and would like to have the new one's name."""
        tbs = ServerRotation(FIRST, spki("server"), spki("server 2"), NOW_MS).encode()
        for one, other in (("server", "server"), ("server 2", "server 2"), ("server 2", "server")):
            signed = to_sign("server rotate", tbs)
            forged = tbs + pss_sign(rsa_key(one), signed) + pss_sign(rsa_key(other), signed)
            self.assertRaises(Reject, verify_server_rotation, forged, FIRST, FIRST)

    def test_another_purpose(self) -> None:
        """What the keys sign for something else is no rotation."""
        tbs = ServerRotation(FIRST, spki("server"), spki("server 2"), NOW_MS).encode()
        signed = to_sign("uik rotate", tbs)
        forged = tbs + pss_sign(rsa_key("server"), signed) + pss_sign(rsa_key("server 2"), signed)
        self.assertRaises(Reject, verify_server_rotation, forged, FIRST, FIRST)

    def test_mutations(self) -> None:
        """A changed statement is refused, whatever changed."""
        for changed in mutations(CHAIN[0], "server rotation", 200):
            self.assertRaises(Reject, verify_server_rotation, changed, FIRST, FIRST)


class FollowTests(SynchronousTestCase):
    """Somebody who knows a key of the server."""

    def test_stranger(self) -> None:
        """From the first key one comes to the newest, and to no other."""
        keys = ServerKeys(FIRST)
        self.assertTrue(keys.accepts(FIRST))
        self.assertEqual(CHAIN, keys.follow(CHAIN))
        self.assertEqual((THIRD, CHAIN, spki("server 3")), (keys.key_id, keys.rotations, keys.spki))
        self.assertEqual([False, False, True], [keys.accepts(each) for each in (FIRST, SECOND, THIRD)])

    def test_again(self) -> None:
        """What was followed is passed over; nothing leads back."""
        keys = ServerKeys(FIRST)
        keys.follow(CHAIN[:1])
        self.assertEqual(CHAIN[1:], keys.follow(CHAIN))
        self.assertEqual((), keys.follow(CHAIN))
        self.assertRaises(Reject, keys.follow, [rotation("server 3", "server")])
        self.assertEqual(THIRD, keys.key_id)

    def test_gap(self) -> None:
        """A chain that does not come past us leads nowhere."""
        keys = ServerKeys(FIRST)
        self.assertEqual((), keys.follow(CHAIN[1:]))
        self.assertRaises(Reject, keys.follow, [CHAIN[0], CHAIN[0]])
        self.assertEqual(SECOND, keys.key_id)

    def test_required(self) -> None:
        """A newer link asks for its key: whoever has stolen the first one leads nobody past it."""
        stolen = (rotation("server", "stolen"),)
        keys = ServerKeys(FIRST, SECOND)
        self.assertFalse(keys.accepts(FIRST))
        keys.follow(stolen)
        self.assertFalse(keys.accepts(sha256(spki("stolen"))))
        keys = ServerKeys(FIRST, SECOND)
        keys.follow(CHAIN)
        self.assertTrue(keys.accepts(THIRD))

    def test_bound(self) -> None:
        """Sixteen rotations are followed, and no more."""
        names = ["server", *(f"one of many {number}" for number in range(MAX_ROTATIONS + 1))]
        chain = [rotation(old, new) for old, new in pairwise(names)]
        self.assertEqual(MAX_ROTATIONS, len(ServerKeys(FIRST).follow(chain[:-1])))
        self.assertRaises(Reject, ServerKeys(FIRST).follow, chain)

    def test_key(self) -> None:
        """Only the newest key is taken as it."""
        keys = ServerKeys(FIRST)
        for wrong in (spki("server 2"), b"", spki("server")[:-1]):
            self.assertRaises(Reject, keys.add, wrong)
        keys.add(spki("server"))
        self.assertEqual(spki("server"), keys.first_spki)

    def test_heads(self) -> None:
        """A head counts by whichever of the keys it is signed, and by no other; before one is known, none does."""
        head = TreeHead(3, bytes(32), NOW_MS)
        keys = ServerKeys(FIRST)
        self.assertRaises(Reject, keys.verify_head, make_tree_head(head, rsa_key("server")))
        keys.follow(CHAIN)
        for name in NAMES:
            self.assertEqual(head, keys.verify_head(make_tree_head(head, rsa_key(name))))
        self.assertRaises(Reject, keys.verify_head, make_tree_head(head, rsa_key("stolen")))


class ShownTests(SynchronousTestCase):
    """What a server shows to whom."""

    def test_needed(self) -> None:
        """Who knows the newest key needs nothing, who knows another the way from there, a stranger all."""
        self.assertEqual((CHAIN, CHAIN[1:], (), CHAIN, CHAIN), tuple(
            rotations_from(CHAIN, each) for each in (FIRST, SECOND, THIRD, b"", bytes(32))
        ))  # fmt: skip
        self.assertEqual((), rotations_from((), FIRST))
        self.assertEqual(FIRST, first_key_id(CHAIN))

    def test_decode(self) -> None:
        """Another version is refused."""
        said = replace(ServerRotation.decode(CHAIN[0][:-768]))
        self.assertRaises(Reject, ServerRotation.decode, b"\x00\x02" + said.encode()[2:])
