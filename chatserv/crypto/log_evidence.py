"""Evidence against a server: two heads of its log, both signed by it, that no one log can have (docs/rooms.rst 8.4).

What is here is for a third person: it trusts neither who shows the evidence nor the server, and needs nothing but the bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

import msgspec

from chatserv.crypto.log_leaves import TREE_HEAD_BYTES, TreeHead
from chatserv.crypto.merkle import HASH_BYTES, SIZE_LIMIT, Tree, tree_root, verify_consistency
from chatserv.crypto.server_keys import ServerKeys
from chatserv.crypto.suite import RSA_BYTES, same, sha256
from chatserv.decoding import UNREADABLE
from chatserv.errors import Reject

MAX_EVIDENCE_BYTES: Final = 65_536  # with 16 rotations, in base64
MAX_PROOF: Final = 2 * SIZE_LIMIT.bit_length()  # hashes
FORMAT: Final = 1


class Verdict(Enum):
    """What two signed heads say about the server that signed them.

    ``TWO_ROOTS`` and ``REWRITTEN`` prove that it has shown two logs. ``WENT_BACK``: it signed a shorter one later, which a
    restored copy or a clock that was set does too. ``UNDECIDED``: nothing says whether the longer one contains the shorter.
    """

    TWO_ROOTS = "two roots"
    REWRITTEN = "rewritten"
    WENT_BACK = "went back"
    CONSISTENT = "consistent"
    UNDECIDED = "undecided"

    @property
    def proves(self) -> bool:
        """Whether the server has signed two logs."""
        return self in {Verdict.TWO_ROOTS, Verdict.REWRITTEN}


@dataclass(frozen=True)
class Finding:
    """What evidence comes to.

    Attributes:
        server_id: SHA-256 of the first key of the server that has signed both, 32 bytes: what links to the server carry.
        heads: What it signed, the shorter first; of one size, the earlier.
        verdict: Whether they can be of one log.
        prefix_root: What the longer log has as the root at the shorter one's size, where that is proven.
    """

    server_id: bytes
    heads: tuple[TreeHead, TreeHead]
    verdict: Verdict
    prefix_root: bytes | None = None


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands in the file, as JSON; bytes in base64.

    Attributes:
        evidence: The format, `FORMAT`.
        server_key: The server's first SPKI (DER).
        heads: Two ``STH``, 432 bytes each.
        prefix_root: The root of the longer log at the shorter one's size; empty where that is not known.
        proof: Proves it (RFC 9162 section 2.1.4).
        rotations: The signed rotations from the server's first key on, where it has had others.
    """

    evidence: int
    server_key: bytes
    heads: tuple[bytes, bytes]
    prefix_root: bytes = b""
    proof: tuple[bytes, ...] = ()
    rotations: tuple[bytes, ...] = ()

    @classmethod
    def make(
        cls, server_spki: bytes, heads: tuple[bytes, bytes], leaves: Sequence[bytes], rotations: tuple[bytes, ...] = ()
    ) -> Self:
        """From two heads, and the leaf hashes of a log that the longer one may be a head of: then it is proven."""
        shorter, longer = sorted((_unsigned(head) for head in heads), key=lambda head: head.size)
        made = cls(evidence=FORMAT, server_key=server_spki, heads=heads, rotations=rotations)
        tree = Tree(leaves[: longer.size])
        if shorter.size == longer.size or tree.size < longer.size or not same(tree.root, longer.root):
            return made
        prefix, proof = tree_root(leaves[: shorter.size]), tuple(tree.consistency(shorter.size))
        return msgspec.structs.replace(made, prefix_root=prefix, proof=proof)

    def encode(self) -> bytes:
        """The file's bytes, for people to send: lines of JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "Evidence":
        """Parses strictly. Raises `Reject`."""
        if len(data) > MAX_EVIDENCE_BYTES:
            raise Reject("evidence: too long")
        try:
            found = msgspec.json.decode(data, type=Evidence)
        except UNREADABLE as error:
            raise Reject(f"evidence: {error}") from None
        if found.evidence != FORMAT:
            raise Reject(f"evidence: format {found.evidence} is not known")
        if len(found.proof) > MAX_PROOF or any(len(each) != HASH_BYTES for each in found.proof):
            raise Reject("evidence: the proof is none")
        return found

    def judge(self) -> Finding:
        """What it comes to. Raises `Reject` where something in it is forged."""
        keys = ServerKeys(sha256(self.server_key))
        keys.add(self.server_key)
        if keys.follow(self.rotations) != self.rotations:
            raise Reject("evidence: rotations of another server")
        shorter, longer = sorted((_signed(each, keys) for each in self.heads), key=lambda head: (head.size, head.at_ms))
        verdict, prefix = Verdict.UNDECIDED, None
        if shorter.size == longer.size:
            verdict = Verdict.CONSISTENT if same(shorter.root, longer.root) else Verdict.TWO_ROOTS
        elif self.prefix_root:
            verify_consistency(shorter.size, longer.size, self.prefix_root, longer.root, self.proof)
            prefix = self.prefix_root
            verdict = Verdict.CONSISTENT if same(prefix, shorter.root) else Verdict.REWRITTEN
        if not verdict.proves and shorter.size < longer.size and longer.at_ms < shorter.at_ms:
            verdict = Verdict.WENT_BACK
        return Finding(keys.server_id, (shorter, longer), verdict, prefix)


def _signed(signed: bytes, keys: ServerKeys) -> TreeHead:
    if len(signed) != TREE_HEAD_BYTES:
        raise Reject(f"evidence: {len(signed)} bytes are no signed head")
    return keys.verify_head(signed)


def _unsigned(signed: bytes) -> TreeHead:
    return TreeHead.decode(signed[:-RSA_BYTES])
