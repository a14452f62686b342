"""Tests of messages against another member, who holds every chain of the epoch."""

# mypy: allow-untyped-calls

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.content import Content, ContentType
from chatserv.crypto.e2e.message import seal_content
from chatserv.crypto.e2e.ratchet import MessageKey
from chatserv.crypto.encoding import v32
from chatserv.crypto.envelope import Header
from chatserv.crypto.suite import ed_sign, pad
from chatserv.errors import Reject
from tests.support.e2e import Room, named, signer


def forge(key: MessageKey, header: Header, commit_hash: bytes, plaintext: bytes) -> bytes:
    """An envelope around any plaintext, as a member who holds the chain could make it by hand."""
    nonce = bytes(one ^ other for one, other in zip(key.nonce, header.reuse_guard + bytes(8), strict=True))
    return header.encode() + AESGCM(key.key).encrypt(nonce, plaintext, header.encode() + commit_hash)


class InsiderTests(SynchronousTestCase):
    """What a member who holds all chains of the epoch can try."""

    def setUp(self) -> None:
        """Alice's chain in the hands of mallory, who is the first to use it."""
        self.room = Room()
        self.chain = self.room.senders["alice"]
        self.key, _ = self.chain.step()
        self.header = Header(self.room.scope.room_id, self.room.epoch, 0, 0, b"guar")
        self.content = Content(ContentType.TEXT, named("id", 16), 5, b"I resign").encode()

    def test_impersonation(self) -> None:
        """A message under alice's chain with mallory's signature is refused, and does not burn alice's generation."""
        commit_hash = self.room.scope.commit_hash
        forged = seal_content(self.content, self.header, commit_hash, self.key, signer("mallory"))
        honest = self.room.send("alice", b"hello")
        for _ in range(3):
            error = self.assertRaises(Reject, self.room.open, "bob", forged)
            self.assertIn("signature", str(error))
        self.assertEqual(self.room.open("bob", honest).content.body, b"hello")
        self.assertRaises(Reject, self.room.open, "bob", forged)

    def test_impersonation_far_ahead(self) -> None:
        """A forgery a thousand generations ahead costs the honest message and those between nothing."""
        chain = self.chain
        for _ in range(1000):
            _, chain = chain.step()
        key, _ = chain.step()
        header = replace(self.header, generation=1000)
        forged = seal_content(self.content, header, self.room.scope.commit_hash, key, signer("mallory"))
        self.assertRaises(Reject, self.room.open, "bob", forged)
        honest = self.room.send("alice", b"hello")
        self.assertEqual(self.room.open("bob", honest).reached.chain.generation, 1)

    def test_splice(self) -> None:
        """What alice signed in one room, epoch, branch or generation cannot be sealed again in another."""
        commit_hash = self.room.scope.commit_hash
        for header, commit in (
            (replace(self.header, room_id=named("other", 16)), commit_hash),
            (replace(self.header, epoch=2), commit_hash),
            (replace(self.header, leaf=1), commit_hash),
            (replace(self.header, generation=1), commit_hash),
            (self.header, named("other commit")),
        ):
            signature = ed_sign(signer("alice"), "message", header.signed + commit + self.content)
            spliced = forge(self.key, self.header, commit_hash, pad(v32(self.content) + signature))
            error = self.assertRaises(Reject, self.room.open, "bob", spliced)
            self.assertIn("signature", str(error))
        other_guard = replace(self.header, reuse_guard=b"diff")
        signature = ed_sign(signer("alice"), "message", other_guard.signed + commit_hash + self.content)
        resealed = forge(self.key, self.header, commit_hash, pad(v32(self.content) + signature))
        self.assertEqual(self.room.open("bob", resealed).encoded_content, self.content)

    def test_other_purpose(self) -> None:
        """A signature that alice made for another purpose is no signature of a message."""
        commit_hash = self.room.scope.commit_hash
        for label in ("commit", "prekey", "leave"):
            signature = ed_sign(signer("alice"), label, self.header.signed + commit_hash + self.content)
            spliced = forge(self.key, self.header, commit_hash, pad(v32(self.content) + signature))
            self.assertRaises(Reject, self.room.open, "bob", spliced)

    def test_malformed_inside(self) -> None:
        """What is sealed but not padded, framed, or a content as it should be, is refused though alice signed it."""
        commit_hash = self.room.scope.commit_hash

        def signed(content: bytes) -> bytes:
            return v32(content) + ed_sign(signer("alice"), "message", self.header.signed + commit_hash + content)

        good = signed(self.content)
        for plaintext in (
            bytes(256),
            pad(b""),
            pad(good + b"\x00"),
            pad(good[:-1]),
            pad(b"\xff" * 4 + good[4:]),
            good + bytes(256 - len(good)),
            pad(good)[:-1] + b"\x01",
            pad(good) + bytes(16),
            pad(signed(self.content + b"\x00")),
            pad(signed(b"")),
        ):
            self.assertRaises(Reject, self.room.open, "bob", forge(self.key, self.header, commit_hash, plaintext))
        self.room.open("bob", forge(self.key, self.header, commit_hash, pad(good)))

    def test_two_members_as_sender(self) -> None:
        """Mallory's own message is mallory's: offered as alice's it is refused."""
        envelope = self.room.send("mallory", b"hello")
        self.assertRaises(Reject, self.room.open, "bob", envelope, "alice")
        self.assertEqual(self.room.open("bob", envelope, "mallory").header.leaf, 2)
