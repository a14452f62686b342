"""Evidence of two logs: what proves it, what does not, and what is forged."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.log_evidence import MAX_EVIDENCE_BYTES, MAX_PROOF, Evidence, Finding, Verdict
from chatserv.crypto.log_leaves import TreeHead, make_tree_head
from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.crypto.suite import generate_rsa, rsa_spki
from chatserv.errors import Reject
from tests.support.make_evidence_vectors import AT_MS, FILE

SERVER = generate_rsa()
SPKI = rsa_spki(SERVER.public_key())
ONE = [leaf_hash(b"leaf %d" % number) for number in range(40)]


def head(leaves: list[bytes], size: int, at_ms: int = AT_MS) -> bytes:
    """A head that the server has signed over the first of these."""
    return make_tree_head(TreeHead(size, tree_root(leaves[:size]), at_ms), SERVER)


class EvidenceTests(SynchronousTestCase):
    """Two heads."""

    def finding(self, *heads: bytes, leaves: list[bytes] = ONE) -> Finding:
        """What two heads come to, from the file that somebody with these leaves has written."""
        first, second = heads
        return Evidence.decode(Evidence.make(SPKI, (first, second), leaves).encode()).judge()

    @given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 39), st.booleans())
    def test_verdicts(self, first: int, second: int, fork: int, turned: bool) -> None:
        """A log that differs from one leaf on is proven to, for every two sizes behind it; one that does not, never."""
        other = [*ONE[:fork], leaf_hash(b"forked"), *ONE[fork + 1 :]]
        heads = [head(other, first), head(ONE, second)]
        verdict = self.finding(*(reversed(heads) if turned else heads)).verdict
        if first <= second:
            wanted = Verdict.CONSISTENT
            if fork < first:
                wanted = Verdict.TWO_ROOTS if first == second else Verdict.REWRITTEN
            self.assertEqual(wanted, verdict)
        else:  # the longer one is of a log that the maker does not have
            self.assertEqual(fork < first, verdict is Verdict.UNDECIDED)

    def test_went_back(self) -> None:
        """A shorter log that was signed later proves nothing; nor where it cannot be compared."""
        for leaves in (ONE, ONE[:3]):
            finding = self.finding(head(ONE, 3, AT_MS + 1), head(ONE, 7), leaves=leaves)
            self.assertEqual(Verdict.WENT_BACK, finding.verdict)
            self.assertFalse(finding.verdict.proves)
        other = [leaf_hash(b"forked"), *ONE[1:]]
        self.assertEqual(Verdict.REWRITTEN, self.finding(head(other, 3, AT_MS + 1), head(ONE, 7)).verdict)

    def forged(self, words: str, **changes: Any) -> None:
        """A file in which something is changed is refused, for this reason."""
        other = [leaf_hash(b"forked"), *ONE[1:]]
        made = Evidence.make(SPKI, (head(other, 5), head(ONE, 7)), ONE)
        data = msgspec.structs.replace(made, **changes).encode()
        self.assertIn(words, self.assertRaises(Reject, lambda: Evidence.decode(data).judge()).detail)

    def test_forged(self) -> None:
        """Signatures, key, proof, root and format are all held to."""
        mallory = generate_rsa()
        false = make_tree_head(TreeHead(5, bytes(32), AT_MS), mallory)
        self.forged("does not verify", heads=(false, head(ONE, 7)))
        self.forged("does not verify", server_key=rsa_spki(mallory.public_key()))
        self.forged("RSA key", server_key=b"")
        self.forged("no signed head", heads=(b"", head(ONE, 7)))
        self.forged("roots do not fit", prefix_root=tree_root(ONE[:4]))
        self.forged("consistency", proof=())
        self.forged("not known", evidence=2)
        self.forged("the proof is none", proof=(b"x",))
        self.forged("the proof is none", proof=(bytes(32),) * (MAX_PROOF + 1))
        self.forged("too long", server_key=bytes(MAX_EVIDENCE_BYTES))

    def test_no_evidence(self) -> None:
        """Anything else is refused."""
        for data in (b"", b"{}", b"\xff", b"[]", b'{"evidence": "1"}', b"{" * 5000, b"chatserv"):
            self.assertRaises(Reject, Evidence.decode, data)
        more = json.loads(Evidence.make(SPKI, (head(ONE, 1), head(ONE, 2)), ONE).encode()) | {"more": 1}
        self.assertRaises(Reject, Evidence.decode, json.dumps(more).encode())

    @given(st.integers(0), st.integers(0, 7))
    def test_one_bit(self, at: int, bit: int) -> None:
        """No bit of key, heads, root or proof can be changed."""
        other = [leaf_hash(b"forked"), *ONE[1:]]
        made = json.loads(Evidence.make(SPKI, (head(other, 5), head(ONE, 7)), ONE).encode())
        fields: list[tuple[Any, Any]] = [(made, "server_key"), (made, "prefix_root")]
        fields += [(made[name], each) for name in ("heads", "proof") for each in range(len(made[name]))]
        holder, key = fields[at % len(fields)]
        data = bytearray(base64.b64decode(holder[key]))
        data[at % len(data)] ^= 1 << bit
        holder[key] = base64.b64encode(data).decode()
        self.assertRaises(Reject, lambda: Evidence.decode(json.dumps(made).encode()).judge())

    def test_vectors(self) -> None:
        """What the file of vectors says."""
        cases = json.loads(Path(FILE).read_text("utf-8"))["cases"]
        for name, case in cases.items():
            finding = Evidence.decode(case["file"].encode()).judge()
            self.assertEqual(case["verdict"], finding.verdict.value, name)
            self.assertEqual(case["server_id"], finding.server_id.hex())
            heads = [{"size": each.size, "root": each.root.hex(), "at_ms": each.at_ms} for each in finding.heads]
            self.assertEqual(case["heads"], heads)
        self.assertEqual({each.value for each in Verdict}, {case["verdict"] for case in cases.values()})
