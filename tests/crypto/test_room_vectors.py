"""The vectors of rooms, which other implementations check themselves against (docs/rooms.rst 10)."""

import json
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.commits import BadCommit, Commit, Create, Leave, verify_commit
from chatserv.crypto.encoding import Reader
from chatserv.crypto.log_facts import LogFacts
from chatserv.crypto.log_leaves import Leaf, LeafType, removal_tag, room_tag, user_tag, verify_tree_head
from chatserv.crypto.room_rules import Head, apply_commit
from chatserv.crypto.room_state import Policy, RosterEntry, State
from chatserv.crypto.statements import DeviceFacts, verify_certificate, verify_revocation, verify_rotation
from chatserv.crypto.suite import sha256
from tests.support.make_room_vectors import CERTIFICATES, FILE, decoded, make_vectors


class RoomVectorTests(SynchronousTestCase):
    """The code and the file say the same."""

    vectors: ClassVar[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))

    def setUp(self) -> None:
        """Certificates, verified, and the log, replayed."""
        self.inputs = self.vectors["inputs"]
        self.server_id = bytes.fromhex(self.vectors["server_id"])
        self.spki = {name: bytes.fromhex(value) for name, value in self.inputs["identity_spki"].items()}
        self.certificates = {name: bytes.fromhex(value) for name, value in self.inputs["certificates"].items()}
        self.verified: dict[bytes, DeviceFacts] = {}
        for name, _, _, identity in CERTIFICATES:
            certificate = self.certificates[name]
            facts = verify_certificate(certificate, self.spki[identity], self.server_id)
            self.verified[sha256(certificate)] = facts
        self.leaves, self.commits = decoded(self.vectors)
        self.facts = LogFacts(self.server_id, self.leaves)
        (rotation,) = self.facts.undecided(self.facts.size)
        rotation.verify(bytes.fromhex(self.inputs["rotation"]), self.spki["bob"])
        self.facts.decide(rotation, signed=True)
        self.roots = [bytes.fromhex(root) for root in self.vectors["log_roots"]]

    def root_at(self, size: int) -> bytes | None:
        """The log's roots."""
        return self.roots[size] if size < len(self.roots) else None

    def test_made_again(self) -> None:
        """The file is what its inputs give."""
        self.assertEqual(make_vectors(self.inputs), self.vectors)

    def test_statements(self) -> None:
        """What RSA keys signed verifies."""
        laptop = self.certificates["alice laptop"]
        verify_revocation(bytes.fromhex(self.inputs["revocation"]), laptop, self.spki["alice"])
        rotation = verify_rotation(bytes.fromhex(self.inputs["rotation"]), self.spki["bob"])
        self.assertEqual(rotation.new_spki, self.spki["bob next"])
        server_spki = bytes.fromhex(self.inputs["server_spki"])
        head = verify_tree_head(bytes.fromhex(self.inputs["tree_head"]), server_spki)
        self.assertEqual((head.size, head.root), (70, sha256(b"a root")))
        self.assertEqual(sha256(server_spki), self.server_id)

    def test_log(self) -> None:
        """All types of leaves are there; tags and certificates are found."""
        self.assertEqual({leaf.kind for leaf in self.leaves}, set(LeafType))
        for row, leaf in zip(self.vectors["log"], self.leaves, strict=True):
            self.assertEqual((leaf.kind, leaf.encode().hex()), (row["type"], row["leaf"]))
            self.assertEqual(Leaf.decode(leaf.encode()), leaf)
        for user, tag in self.vectors["user_tags"].items():
            self.assertEqual(user_tag(self.server_id, user).hex(), tag)
        self.assertEqual(room_tag(self.server_id, "lobby").hex(), self.vectors["room_tags"]["lobby"])
        for room_id, tag in self.vectors["removal_tags"].items():
            self.assertEqual(removal_tag(self.server_id, bytes.fromhex(room_id)).hex(), tag)
        for row in self.vectors["certificates_valid_at_sizes"]:
            cert_hash = sha256(self.certificates[row["certificate"]])
            self.assertEqual(cert_hash.hex(), self.vectors["certificate_hashes"][row["certificate"]])
            valid = [
                self.facts.certificate_valid(self.verified[cert_hash], cert_hash, size)
                for size in range(len(self.roots))
            ]
            self.assertEqual(valid, [row["first"] <= size <= row["last"] for size in range(len(self.roots))])

    def test_structures(self) -> None:
        """A policy and a roster entry alone."""
        for name, cls in (("policy", Policy), ("roster_entry", RosterEntry)):
            data = bytes.fromhex(self.vectors[name])
            reader = Reader(data, name)
            read: Policy | RosterEntry = cls.read(reader)
            reader.end()
            self.assertEqual(read.encode(), data)

    def test_chain(self) -> None:
        """Each commit leads to its state; what is to be refused there is refused."""
        state: State | None = None
        head = Head.before(bytes(16))
        for number, (row, commit) in enumerate(zip(self.vectors["chain"], self.commits, strict=True)):
            if isinstance(commit.tbs.ops[0] if commit.tbs.ops else None, Create):
                state, head = None, Head.before(commit.tbs.room_id)
            verify_commit(commit, bytes.fromhex(row["ed25519_public"]))
            self.assertEqual(commit.commit_hash.hex(), row["commit_hash"])
            outcome = apply_commit(state, head, commit, self.verified, self.facts, self.root_at)
            self.assertEqual(outcome.external, row["external"], row["what"])
            self.assertEqual(outcome.state.encoded.hex(), row["state"], row["what"])
            self.assertEqual(outcome.state.state_hash.hex(), row["state_hash"], row["what"])
            self.assertEqual(State.decode(bytes.fromhex(row["state"])), outcome.state)
            state, head = outcome.state, outcome.head
            for refused in self.vectors["to_be_refused"]:
                if refused["after"] == number:
                    forbidden = Commit.decode(bytes.fromhex(refused["commit"]))
                    with self.assertRaises(BadCommit, msg=refused["what"]):
                        apply_commit(state, head, forbidden, self.verified, self.facts, self.root_at)

    def test_every_op_is_there(self) -> None:
        """The chain holds each op, external commits, and a rotation."""
        kinds = {type(op) for commit in self.commits for op in commit.tbs.ops}
        self.assertEqual(len(kinds), 6)
        self.assertIn(Leave, kinds)
        self.assertTrue(any(row["external"] for row in self.vectors["chain"]))
        self.assertTrue(any(not commit.tbs.ops and commit.tbs.heads for commit in self.commits))
