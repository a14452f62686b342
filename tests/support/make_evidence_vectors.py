"""Makes tests/vectors/evidence-vectors.json: evidence files and what they come to, for implementations in other languages.

RSA-PSS gives another signature each time, so the files are another ones each time. ::

    python -m tests.support.make_evidence_vectors
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chatserv.crypto.log_evidence import Evidence
from chatserv.crypto.log_leaves import TreeHead, make_tree_head
from chatserv.crypto.merkle import leaf_hash, tree_root
from chatserv.crypto.suite import generate_rsa, rsa_spki

FILE: Final = Path(__file__).parent.parent / "vectors" / "evidence-vectors.json"
AT_MS: Final = 1_760_000_000_000


def make() -> dict[str, Any]:
    """The whole file."""
    server = generate_rsa()
    spki = rsa_spki(server.public_key())
    one = [leaf_hash(b"leaf %d" % number) for number in range(7)]
    other = [*one[:4], leaf_hash(b"another leaf"), *one[5:]]

    def head(leaves: Sequence[bytes], size: int, at_ms: int = AT_MS) -> bytes:
        return make_tree_head(TreeHead(size, tree_root(leaves[:size]), at_ms), server)

    files = {
        "two roots": Evidence.make(spki, (head(one, 5), head(other, 5)), one),
        "rewritten": Evidence.make(spki, (head(one, 7), head(other, 5)), one),
        "rewritten at a power of two": Evidence.make(spki, (head(one, 7), head(other[1:], 4)), one),
        "consistent": Evidence.make(spki, (head(one, 3), head(one, 7)), one),
        "went back": Evidence.make(spki, (head(one, 3, AT_MS + 1), head(one, 7)), one),
        "undecided": Evidence.make(spki, (head(one, 3), head(other, 7)), one[:3]),
    }
    cases = {name: {"file": made.encode().decode(), **_outcome(made)} for name, made in files.items()}
    return {"source": "chatserv", "cases": cases}


def _outcome(made: Evidence) -> dict[str, Any]:
    finding = made.judge()
    heads = [{"size": head.size, "root": head.root.hex(), "at_ms": head.at_ms} for head in finding.heads]
    return {"server_id": finding.server_id.hex(), "heads": heads, "verdict": finding.verdict.value}


if __name__ == "__main__":
    FILE.write_text(json.dumps(make(), indent=1) + "\n", "utf-8")
