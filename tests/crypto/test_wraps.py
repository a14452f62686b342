"""Tests of the public half of wraps: the structure, and the tree over a commit's wraps."""

# mypy: allow-untyped-calls

from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.merkle import EMPTY_ROOT
from chatserv.crypto.wraps import Wrap, WrapScope, verify_wrap, wrap_hash, wraps_tree
from chatserv.errors import Reject
from tests.support.e2e import named
from tests.support.make_e2e_vectors import wrap_kit

SCOPE = WrapScope(named("room", 16), 4, named("prev"), named("committer", 16))
DEVICE_ID, CERT_HASH = named("device", 16), named("certificate")


class StructureTests(SynchronousTestCase):
    """Encoding, without any secret."""

    def test_round_trip(self) -> None:
        """A wrap is 1610 bytes and parses to what it was."""
        wrap = Wrap.decode(wrap_kit().wrap())
        self.assertEqual(len(wrap.encode()), 1610)
        self.assertEqual(Wrap.decode(wrap.encode()), wrap)
        self.assertEqual((len(wrap.rsa), len(wrap.hpke), len(wrap.sealed)), (384, 1168, 48))

    def test_strict(self) -> None:
        """Another length of the whole or of a part is refused."""
        wrap = Wrap.decode(wrap_kit().wrap())
        good = wrap.encode()
        shifted = replace(wrap, rsa=wrap.rsa + b"\x00", hpke=wrap.hpke[:-1]).encode()
        other = replace(wrap, hpke=wrap.hpke + b"\x00", sealed=wrap.sealed[:-1]).encode()
        for bad in (b"", good[:-1], good + b"\x00", shifted, other):
            self.assertRaises(Reject, Wrap.decode, bad)

    def test_context(self) -> None:
        """The context names version, suite, room, epoch, commits, both devices, certificate and prekey: 138 bytes."""
        context = SCOPE.context(DEVICE_ID, CERT_HASH, 7)
        parts = (b"chatserv1 wrap\x00\x01\x00\x01", SCOPE.room_id, b"\x00\x00\x00\x04", SCOPE.prev)
        ends = (SCOPE.committer_device_id, DEVICE_ID, CERT_HASH, b"\x00\x00\x00\x07")
        self.assertEqual(context, b"".join(parts + ends))
        self.assertEqual(len(context), 138)


class TreeTests(SynchronousTestCase):
    """``wraps_root`` and the path to one wrap."""

    def test_each_leaf(self) -> None:
        """For rosters of 1 to 20 devices with gaps between the leaves, each wrap is found under its own leaf only."""
        for count in range(1, 21):
            wraps = {leaf * leaf: b"wrap %d" % leaf for leaf in range(count)}
            tree = wraps_tree({leaf: wrap_hash(wrap) for leaf, wrap in wraps.items()})
            for index, leaf in enumerate(sorted(wraps)):
                path = tree.path(index)
                verify_wrap(wraps[leaf], leaf, wraps, path, tree.root)
                self.assertRaises(Reject, verify_wrap, b"another", leaf, wraps, path, tree.root)
                if count > 1:
                    swapped = sorted(wraps)[index - 1]
                    self.assertRaises(Reject, verify_wrap, wraps[swapped], leaf, wraps, path, tree.root)
                    self.assertRaises(Reject, verify_wrap, wraps[leaf], swapped, wraps, path, tree.root)

    def test_roster_decides(self) -> None:
        """A leaf without a wrap due, a dropped wrap and a wrap too many are noticed."""
        hashes = {leaf: wrap_hash(b"wrap %d" % leaf) for leaf in (1, 2, 5)}
        tree = wraps_tree(hashes)
        for leaf, leaves in ((3, (1, 2, 5)), (5, (1, 2, 4, 5)), (2, (1, 5)), (5, (5,)), (5, ())):
            self.assertRaises(Reject, verify_wrap, b"wrap 5", leaf, leaves, tree.path(2), tree.root)

    def test_order(self) -> None:
        """The order in which the hashes were collected does not matter; no wraps at all give the hash of nothing."""
        hashes = {leaf: wrap_hash(bytes((leaf,))) for leaf in range(9)}
        backwards = dict(reversed(hashes.items()))
        self.assertEqual(wraps_tree(hashes).root, wraps_tree(backwards).root)
        self.assertEqual(wraps_tree({}).root, EMPTY_ROOT)
