"""Wraps, the public half: one epoch secret on its way to one device, and the tree over a commit's wraps.

See docs/rooms.rst 6.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from chatserv.crypto.encoding import Reader, u16, u32, v16
from chatserv.crypto.merkle import Tree, leaf_hash, verify_path
from chatserv.crypto.suite import RSA_BYTES, SUITE, VERSION, sha256
from chatserv.discreet import Discreet
from chatserv.errors import Reject

PAYLOAD_BYTES: Final = 32
HPKE_BYTES: Final = 1120 + 32 + 16
WRAP_BYTES: Final = 4 + 2 + RSA_BYTES + 2 + HPKE_BYTES + 2 + PAYLOAD_BYTES + 16
_CONTEXT: Final = b"chatserv1 wrap" + u16(VERSION) + u16(SUITE)


class WrapScope(Struct, frozen=True):
    """What all wraps of one commit have in common.

    Attributes:
        room_id: 16 bytes.
        epoch: The epoch that the commit opens.
        prev: ``commit_hash`` of the epoch before, 32 bytes; zeros for epoch 0.
        committer_device_id: 16 bytes, also in an external commit.
    """

    room_id: bytes
    epoch: int
    prev: bytes
    committer_device_id: bytes

    def context(self, device_id: bytes, cert_hash: bytes, prekey_id: int) -> bytes:
        """``ctx`` of the wrap for one device: every part of the wrap is bound to it; 138 bytes."""
        common = _CONTEXT + self.room_id + u32(self.epoch) + self.prev + self.committer_device_id
        return common + device_id + cert_hash + u32(prekey_id)


class Wrap(Discreet, frozen=True):
    """One wrap: a 32-byte secret under RSA-OAEP and HPKE/X-Wing, both needed to open it.

    Attributes:
        prekey_id: Which prekey of the recipient opens it.
        rsa: ``ct1``, RSA-OAEP, 384 bytes.
        hpke: ``ct2``, HPKE base mode, 1168 bytes.
        sealed: ``ct3``, AES-256-GCM, 48 bytes.
    """

    shown = ("prekey_id",)

    prekey_id: int
    rsa: bytes
    hpke: bytes
    sealed: bytes

    def encode(self) -> bytes:
        """``u32 prekey_id; ct1<V16>; ct2<V16>; ct3<V16>``: 1610 bytes."""
        return u32(self.prekey_id) + v16(self.rsa) + v16(self.hpke) + v16(self.sealed)

    @classmethod
    def decode(cls, data: bytes) -> "Wrap":
        """Parses strictly. Raises `Reject`, also for a part of another length than suite 0x0001 gives."""
        if len(data) != WRAP_BYTES:
            raise Reject(f"wrap: {len(data)} bytes")
        reader = Reader(data, "wrap")
        wrap = cls(reader.u32(), reader.v16(), reader.v16(), reader.v16())
        reader.end()
        if len(wrap.rsa) != RSA_BYTES or len(wrap.hpke) != HPKE_BYTES:
            raise Reject("wrap: a part has the wrong length")
        return wrap


def wrap_hash(wrap: bytes) -> bytes:
    """``H(wrap)`` of the encoded wrap, 32 bytes."""
    return sha256(wrap)


def _tree_leaf(leaf: int, hashed: bytes) -> bytes:
    return leaf_hash(u32(leaf) + hashed)


def wraps_tree(hashes: Mapping[int, bytes]) -> Tree:
    """The tree over ``u32 leaf || H(wrap)``, by leaf.

    Args:
        hashes: ``H(wrap)`` of each leaf of the new roster but the committer's.

    Returns:
        Its ``root`` is ``wraps_root`` of the commit; its ``path(i)`` is for the ``i``-th of the sorted leaves.
    """
    return Tree(_tree_leaf(leaf, hashes[leaf]) for leaf in sorted(hashes))


def verify_wrap(wrap: bytes, leaf: int, leaves: Iterable[int], path: Sequence[bytes], wraps_root: bytes) -> None:
    """Checks that an encoded wrap is the one that the commit names for ``leaf``.

    Args:
        wrap: As it came.
        leaf: The recipient's leaf in the new roster.
        leaves: Every leaf of the new roster but the committer's. Place and size in the tree follow from the roster that the
            commit signs, never from what the server says.
        path: The audit path, from the leaf up, 32 bytes each.
        wraps_root: From the commit.

    Raises:
        Reject: No wrap is due to this leaf, or the path leads elsewhere.
    """
    due = sorted(leaves)
    if leaf not in due:
        raise Reject(f"wrap: none is due to leaf {leaf}")
    verify_path(_tree_leaf(leaf, wrap_hash(wrap)), due.index(leaf), len(due), path, wraps_root)
