"""Broken structures, many of them: each parser and opener refuses with `Reject`, and with nothing else.

``CHATSERV_MUTATIONS`` says how many copies of each structure are tried.
"""

# mypy: allow-untyped-calls

from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.content import Content, LogHead
from chatserv.crypto.e2e.message import open_message
from chatserv.crypto.e2e.prekey_secrets import generate_prekey
from chatserv.crypto.e2e.wrap import open_wrap
from chatserv.crypto.envelope import Envelope, Header
from chatserv.crypto.merkle import Tree, leaf_hash, verify_consistency, verify_path
from chatserv.crypto.prekeys import PreKey, SignedPreKey
from chatserv.crypto.wraps import Wrap
from chatserv.errors import Reject
from tests.support.e2e import Room, named, signer, stream, verifier
from tests.support.make_e2e_vectors import rsa_key, wrap_kit
from tests.support.mutations import MUTATIONS, mutations

LEAVES = [leaf_hash(b"leaf %d" % number) for number in range(37)]


def hashes(data: bytes) -> list[bytes]:
    """A list of hashes from what is left of its concatenation; the last one may be short."""
    return [data[at : at + 32] for at in range(0, len(data), 32)]


class MutationTests(SynchronousTestCase):
    """One structure a test."""

    def survives(self, data: bytes, parse: Callable[[bytes], bytes | None], count: int = MUTATIONS) -> None:
        """Parses ``data``, then each broken copy.

        Args:
            data: A structure that parses.
            parse: Gives the parsed structure encoded again, or None where no changed copy may pass at all.
            count: How many copies.
        """
        self.assertIn(parse(data), (data, None))
        refused = 0
        for changed in mutations(data, self.id(), count):
            try:
                again = parse(changed)
            except Reject:
                refused += 1
            else:
                self.assertEqual(again, changed, "two encodings of one structure")
        self.assertTrue(refused)

    def test_header(self) -> None:
        """Headers."""
        header = Header(named("room", 16), 3, 4, 5, b"guar")
        self.survives(header.encode(), lambda data: Header.decode(data).encode())

    def test_envelope(self) -> None:
        """Envelopes, as the server takes them in."""
        self.survives(Room().send("alice", b"hello"), lambda data: Envelope.decode(data).encode())

    def test_content(self) -> None:
        """Contents, without and with a log head."""
        for head in (None, LogHead(5, named("root"))):
            content = Content(1, named("id", 16), 5, b"hello", head)
            self.survives(content.encode(), lambda data: Content.decode(data).encode())

    def test_prekey(self) -> None:
        """Prekeys, as far as the key that wraps are made for."""

        def parse(data: bytes) -> bytes:
            prekey = PreKey.decode(data)
            prekey.public_key()
            return prekey.encode()

        self.survives(generate_prekey(7, stream("prekey")).public().encode(), parse)

    def test_signed_prekey(self) -> None:
        """Signed prekeys: no changed copy verifies."""
        device_id = named("device", 16)
        signed = generate_prekey(7, stream("prekey")).sign(signer("alice"), device_id)
        self.survives(signed.encode(), lambda data: SignedPreKey.decode(data).encode())

        def verify(data: bytes) -> None:
            SignedPreKey.decode(data).verify(verifier("alice"), device_id)

        self.survives(signed.encode(), verify)

    def test_wrap(self) -> None:
        """Wraps; no changed copy opens (a tenth of the copies: opening is slow)."""
        kit = wrap_kit()
        self.survives(kit.wrap(), lambda data: Wrap.decode(data).encode())

        def unwrap(data: bytes) -> None:
            open_wrap(data, kit.scope, kit.device_id, kit.cert_hash, rsa_key(), {7: kit.prekey})

        self.survives(kit.wrap(), unwrap, MUTATIONS // 10)

    def test_message(self) -> None:
        """Messages: no changed copy opens, and none changes the chain."""
        room = Room()
        chain = room.receivers["bob", "alice"]

        def read(data: bytes) -> None:
            open_message(Envelope.decode(data), room.scope, chain, verifier("alice"))

        envelope = room.send("alice", b"hello")
        self.survives(envelope, read)
        self.assertEqual(room.open("bob", envelope).content.body, b"hello")

    def test_audit_path(self) -> None:
        """Audit paths: no changed copy leads to the root."""
        tree = Tree(LEAVES)

        def check(data: bytes) -> None:
            verify_path(LEAVES[11], 11, len(LEAVES), hashes(data), tree.root)

        self.survives(b"".join(tree.path(11)), check)

    def test_consistency(self) -> None:
        """Consistency proofs: no changed copy holds."""
        tree, old = Tree(LEAVES), Tree(LEAVES[:21]).root

        def check(data: bytes) -> None:
            verify_consistency(21, len(LEAVES), old, tree.root, hashes(data))

        self.survives(b"".join(tree.consistency(21)), check)
