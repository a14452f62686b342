"""Tests of Merkle trees: known answers, a second implementation straight from the RFC, and broken proofs."""

# mypy: allow-untyped-calls

import json
from functools import cache
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.merkle import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    leaf_hash,
    node_hash,
    tree_root,
    verify_consistency,
    verify_path,
)
from chatserv.errors import Reject
from chatserv.local_errors import LocalProtocolError

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "crypto-vectors.json").read_text("utf-8"))["kt"]
SIZES = range(1, 71)
LEAVES = tuple(leaf_hash(b"leaf%d" % number) for number in range(SIZES[-1]))
HASHES = st.lists(st.binary(min_size=32, max_size=32), max_size=9)


@cache
def rfc_root(start: int, end: int) -> bytes:
    """``MTH(D[start:end])`` as RFC 6962 section 2.1 writes it."""
    if end - start == 1:
        return LEAVES[start]
    split = 1
    while split * 2 < end - start:
        split *= 2
    return node_hash(rfc_root(start, start + split), rfc_root(start + split, end))


class RootTests(SynchronousTestCase):
    """Roots, by frontier and by tree."""

    def test_known_answers(self) -> None:
        """The trees of one to eight leaves have the roots of crypto-vectors.json, which are those of the other project."""
        self.assertEqual(len(VECTORS["roots"]), 8)
        for size, root in enumerate(VECTORS["roots"], 1):
            self.assertEqual(tree_root(LEAVES[:size]).hex(), root)

    def test_empty(self) -> None:
        """The root over no leaves is the hash of nothing."""
        self.assertEqual(EMPTY_ROOT.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        self.assertEqual({Frontier().root, Tree(()).root, tree_root(())}, {EMPTY_ROOT})

    def test_frontier_equals_root(self) -> None:
        """Frontier and tree agree with the RFC's own recursion at each size, however the leaves were appended."""
        frontier = Frontier()
        for size in SIZES:
            frontier = frontier.append(LEAVES[size - 1])
            self.assertEqual({frontier.root, Tree(LEAVES[:size]).root}, {rfc_root(0, size)})
            self.assertEqual(Frontier().extend(LEAVES[: size // 2]).extend(LEAVES[size // 2 : size]), frontier)
            self.assertEqual(len(frontier.peaks), size.bit_count())

    def test_leaf_is_no_node(self) -> None:
        """An inner node offered as a leaf gives another root (second preimages, RFC 6962 section 2.1)."""
        pair = tree_root(LEAVES[:2])
        self.assertNotEqual(leaf_hash(LEAVES[0] + LEAVES[1]), pair)
        self.assertNotEqual(leaf_hash(b""), EMPTY_ROOT)

    def test_stored_frontier_is_checked(self) -> None:
        """A frontier whose size and peaks do not fit is refused."""
        for size, peaks in (
            (1, ()),
            (0, LEAVES[:1]),
            (3, LEAVES[:1]),
            (-1, LEAVES[:1]),
            (2**64, LEAVES[:1]),
            (1, (b"",)),
        ):
            self.assertRaises(Reject, Frontier, size, peaks)
        self.assertRaises(Reject, Frontier().append, b"short")
        self.assertRaises(Reject, Tree, [b"short"])


class PathTests(SynchronousTestCase):
    """Audit paths."""

    def test_all(self) -> None:
        """At sizes 1 to 70 the path of each leaf leads to the root, and to no other leaf, place, size or root."""
        for size in SIZES:
            tree = Tree(LEAVES[:size])
            for index in range(size):
                path = tree.path(index)
                verify_path(LEAVES[index], index, size, path, tree.root)
                other = (index + 1) % size
                if size > 1:
                    self.assertRaises(Reject, verify_path, LEAVES[other], index, size, path, tree.root)
                    self.assertRaises(Reject, verify_path, LEAVES[index], other, size, path, tree.root)
                self.assertRaises(Reject, verify_path, LEAVES[index], index, size, path, LEAVES[index][::-1])

    def test_broken(self) -> None:
        """A path that is cut, longer, in another order, changed or with hashes of another length is refused."""
        for size in SIZES[1:]:
            tree, index = Tree(LEAVES[:size]), size // 3
            path = tree.path(index)
            broken = [path[:-1], path[1:], [*path, LEAVES[0]], [LEAVES[0], *path], [*path[:-1], path[-1][:-1]]]
            broken += [[*path[:at], path[at][::-1], *path[at + 1 :]] for at in range(len(path))]
            if len(path) > 1:
                broken.append(path[::-1])
            for changed in broken:
                self.assertRaises(Reject, verify_path, LEAVES[index], index, size, changed, tree.root)

    def test_impossible_places(self) -> None:
        """A place outside the tree is refused; asking for its path is a mistake of ours."""
        for index, size in ((-1, 1), (1, 1), (0, 0), (5, 4), (0, 2**64)):
            self.assertRaises(Reject, verify_path, LEAVES[0], index, size, [], LEAVES[0])
        for index in (-1, 4):
            self.assertRaises(LocalProtocolError, Tree(LEAVES[:4]).path, index)

    @given(st.integers(-1, 2**65), st.integers(-1, 2**65), HASHES, st.binary(max_size=33))
    def test_anything(self, index: int, size: int, path: list[bytes], root: bytes) -> None:
        """Whatever is offered, the check either refuses it or proves a leaf that was hashed into the root."""
        self.assertRaises(Reject, verify_path, LEAVES[0], index, size, path, root)


class ConsistencyTests(SynchronousTestCase):
    """Consistency proofs."""

    def test_all(self) -> None:
        """Between all pairs of sizes up to 70 the proof holds, and for no other root or size."""
        for size in SIZES:
            tree = Tree(LEAVES[:size])
            for first in range(size + 1):
                proof, old = tree.consistency(first), rfc_root(0, first) if first else EMPTY_ROOT
                verify_consistency(first, size, old, tree.root, proof)
                self.assertRaises(Reject, verify_consistency, first, size, old[::-1], tree.root, proof)
                if first:
                    self.assertRaises(Reject, verify_consistency, first, size, old, tree.root[::-1], proof)
                    self.assertRaises(Reject, verify_consistency, first - 1, size, old, tree.root, proof)
                self.assertRaises(Reject, verify_consistency, first, size, old, tree.root, [*proof, LEAVES[0]])

    def test_example(self) -> None:
        """The proofs of RFC 6962 section 2.1.3 for seven leaves are made of the nodes that it names."""
        tree = Tree(LEAVES[:7])
        c, d, g, h = LEAVES[2], LEAVES[3], rfc_root(0, 2), rfc_root(2, 4)
        i, j, k, m = rfc_root(4, 6), LEAVES[6], rfc_root(0, 4), rfc_root(4, 7)
        self.assertEqual(tree.consistency(3), [c, d, g, m])
        self.assertEqual(tree.consistency(4), [m])
        self.assertEqual(tree.consistency(6), [i, j, k])
        self.assertEqual(tree.path(0), [LEAVES[1], h, m])
        self.assertEqual(tree.path(6), [i, k])

    def test_rewritten_history(self) -> None:
        """A log that changed one old leaf cannot show that it continues what was seen before."""
        for first in range(1, 20):
            forged = [*LEAVES[: first - 1], leaf_hash(b"forged"), *LEAVES[first:20]]
            tree = Tree(forged)
            for proof in (tree.consistency(first), Tree(LEAVES[:20]).consistency(first)):
                self.assertRaises(Reject, verify_consistency, first, 20, rfc_root(0, first), tree.root, proof)

    def test_broken(self) -> None:
        """A proof that is cut, changed or in another order is refused."""
        for size in SIZES[2:]:
            tree, first = Tree(LEAVES[:size]), size * 2 // 3
            proof, old = tree.consistency(first), rfc_root(0, first)
            broken = [proof[:-1], proof[1:], [], [*proof[:-1], b""]]
            broken += [[*proof[:at], proof[at][::-1], *proof[at + 1 :]] for at in range(len(proof))]
            for changed in broken:
                self.assertRaises(Reject, verify_consistency, first, size, old, tree.root, changed)

    def test_sizes(self) -> None:
        """A log that shrinks, negative sizes and roots that differ at one size are refused."""
        one, two = rfc_root(0, 1), rfc_root(0, 2)
        for first, second, old, new in (
            (2, 1, two, one),
            (-1, 1, one, one),
            (1, 1, one, two),
            (0, 0, EMPTY_ROOT, one),
            (0, 1, one, one),
            (1, 2**64, one, two),
        ):
            self.assertRaises(Reject, verify_consistency, first, second, old, new, [])
        self.assertRaises(LocalProtocolError, Tree(LEAVES[:4]).consistency, 5)

    @given(st.integers(-1, 2**65), st.integers(-1, 2**65), HASHES)
    def test_anything(self, first: int, second: int, proof: list[bytes]) -> None:
        """Whatever is offered, two unrelated roots are never consistent."""
        self.assertRaises(Reject, verify_consistency, first, second, LEAVES[0], LEAVES[1], proof)
