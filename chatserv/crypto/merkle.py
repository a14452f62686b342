"""Merkle trees: roots, audit paths and consistency proofs (RFC 6962 section 2.1, RFC 9162 section 2.1), SHA-256.

Two structures of a room or a server are such trees: the transparency log (docs/rooms.rst 8.1) and the wraps of a commit
(docs/rooms.rst 6). Everything here works on *leaf hashes*, so that who keeps a log need not keep its leaves.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from chatserv.crypto.suite import same, sha256
from chatserv.errors import Reject
from chatserv.local_errors import LocalProtocolError

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256()
SIZE_LIMIT: Final = 2**64


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf, 32 bytes: prefix 00 (RFC 6962 section 2.1)."""
    return sha256(b"\x00", data)


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node, 32 bytes: prefix 01 (RFC 6962 section 2.1)."""
    return sha256(b"\x01", left, right)


class Frontier(Struct, frozen=True):
    """The right edge of a tree: enough to append leaves and to know the root, in O(log n) hashes.

    Attributes:
        size: How many leaves were appended.
        peaks: Roots of the perfect subtrees that ``size`` splits into, the largest first; one for each bit set in it.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Raises `Reject` where size and peaks do not fit, so that a stored frontier is checked when it is read back."""
        if not 0 <= self.size < SIZE_LIMIT or len(self.peaks) != self.size.bit_count():
            raise Reject(f"frontier: {len(self.peaks)} peaks for {self.size} leaves")
        _check_hashes(self.peaks, "frontier")

    def append(self, leaf: bytes) -> "Frontier":
        """The frontier with one more leaf hash (32 bytes)."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """The frontier with more leaf hashes (32 bytes each), oldest first."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            if len(leaf) != HASH_BYTES:
                raise Reject(f"tree: a hash of {len(leaf)} bytes")
            node, rest = leaf, size
            while rest & 1:  # as many equal subtrees close as ``size`` ends in ones
                node = node_hash(peaks.pop(), node)
                rest >>= 1
            peaks.append(node)
            size += 1
        return Frontier(size, tuple(peaks))

    @property
    def root(self) -> bytes:
        """The root of the tree so far, 32 bytes; the hash of nothing for no leaf."""
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node


def tree_root(leaves: Iterable[bytes]) -> bytes:
    """``MTH``: the root over leaf hashes (RFC 6962 section 2.1), 32 bytes. Raises `Reject` for a hash of another length."""
    return Frontier().extend(leaves).root


class Tree:
    """All node hashes of a tree, for who makes proofs: O(n) to build, O(log n) for each proof.

    Level ``k`` holds at ``j`` the root over the leaves ``j * 2**k`` up to ``(j + 1) * 2**k``, or up to the last one.

    Args:
        leaves: Leaf hashes, 32 bytes each; `Reject` for another length.
    """

    def __init__(self, leaves: Iterable[bytes]) -> None:
        level = list(leaves)
        _check_hashes(level, "tree")
        self.size = len(level)
        self._levels = [level]
        while len(level) > 1:
            above = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
            if len(level) % 2:
                above.append(level[-1])
            self._levels.append(above)
            level = above

    @property
    def root(self) -> bytes:
        """The root, 32 bytes."""
        return self._levels[-1][0] if self.size else EMPTY_ROOT

    def _subtree(self, start: int, end: int) -> bytes:
        """``MTH(D[start:end])`` for a range that the proofs of RFC 6962 ask for: ``start`` is a multiple of its width."""
        level = (end - start - 1).bit_length()
        return self._levels[level][start >> level]

    def path(self, index: int) -> list[bytes]:
        """The audit path of leaf ``index``, from the leaf up (RFC 6962 section 2.1.1)."""
        if not 0 <= index < self.size:
            raise LocalProtocolError(f"tree: leaf {index} of {self.size}")
        path = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index >>= 1
        return path

    def consistency(self, first: int) -> list[bytes]:
        """The proof that the tree of the first ``first`` leaves is a prefix of this one (RFC 9162 section 2.1.4.1)."""
        if not 0 <= first <= self.size:
            raise LocalProtocolError(f"tree: {first} leaves of {self.size}")
        if first in {0, self.size}:
            return []
        proof: list[bytes] = []
        start, end, whole = 0, self.size, True
        while first != end:
            split = start + (1 << (end - start - 1).bit_length() - 1)  # the largest power of two below the width
            if first <= split:
                proof.append(self._subtree(split, end))
                end = split
            else:
                proof.append(self._subtree(start, split))
                start, whole = split, False
        if not whole:
            proof.append(self._subtree(start, end))
        return proof[::-1]


def verify_path(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Raises `Reject` unless ``path`` leads from leaf hash ``leaf``, at ``index`` of ``size``, to ``root``.

    The algorithm is that of RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size < SIZE_LIMIT:
        raise Reject(f"audit path: leaf {index} of {size}")
    _check_hashes((leaf, *path), "audit path")
    node, last = leaf, size - 1
    for other in path:
        if not last:
            raise Reject("audit path: too long")
        if index & 1 or index == last:
            node = node_hash(other, node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, other)
        index, last = index >> 1, last >> 1
    if last or not same(node, root):
        raise Reject("audit path: leads elsewhere")


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises `Reject` unless the tree of ``second`` leaves continues that of ``first`` (RFC 9162 section 2.1.4.2).

    The empty tree, which the RFC leaves out, is continued by every tree, with an empty proof. For whoever checks heads
    without replaying the log; our clients replay it.
    """
    if not 0 <= first <= second < SIZE_LIMIT:
        raise Reject(f"consistency: from {first} to {second} leaves")
    _check_hashes((first_root, second_root, *proof), "consistency")
    if first in {0, second}:
        good = first_root == EMPTY_ROOT if first == 0 else same(first_root, second_root)
        if proof or not good or (second == 0 and second_root != EMPTY_ROOT):
            raise Reject("consistency: roots do not fit")
        return
    nodes = list(proof)
    if first & (first - 1) == 0:
        nodes.insert(0, first_root)
    if not nodes:
        raise Reject("consistency: empty proof")
    old, last = first - 1, second - 1
    while old & 1:
        old, last = old >> 1, last >> 1
    old_node = new_node = nodes[0]
    for node in nodes[1:]:
        if not last:
            raise Reject("consistency: too long")
        if old & 1 or old == last:
            old_node, new_node = node_hash(node, old_node), node_hash(node, new_node)
            while not old & 1 and old:
                old, last = old >> 1, last >> 1
        else:
            new_node = node_hash(new_node, node)
        old, last = old >> 1, last >> 1
    if last or not (same(old_node, first_root) and same(new_node, second_root)):
        raise Reject("consistency: roots do not fit")


def _check_hashes(hashes: Sequence[bytes], what: str) -> None:
    for value in hashes:
        if len(value) != HASH_BYTES:
            raise Reject(f"{what}: a hash of {len(value)} bytes")
