"""Tests of messages: known envelopes, and what a server or another member can try."""

# mypy: allow-untyped-calls

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from twisted.trial.unittest import SynchronousTestCase

from chatserv.crypto.content import Content, ContentType, LogHead
from chatserv.crypto.e2e.message import (
    BODY_BYTES_MAX,
    CONTENT_BYTES_MAX,
    MessageScope,
    open_message,
    seal_content,
    seal_message,
    verify_content,
)
from chatserv.crypto.e2e.ratchet import ReceiverChain, SenderChain
from chatserv.crypto.encoding import v32
from chatserv.crypto.envelope import ENVELOPE_BYTES_MAX, Envelope, Header
from chatserv.crypto.suite import pad
from chatserv.errors import Reject, TooLarge
from tests.support.e2e import Room, named, signer, stream, verifier

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "crypto-vectors.json").read_text("utf-8"))


class KnownAnswerTests(SynchronousTestCase):
    """crypto-vectors.json."""

    def test_envelope(self) -> None:
        """From the known keys comes the known envelope, byte for byte; its signature is the known one."""
        case, ratchet = VECTORS["message"], VECTORS["ratchet"]
        header = Header.decode(bytes.fromhex(case["header"]))
        commit_hash, content = bytes.fromhex(ratchet["commit_hash"]), bytes.fromhex(case["content"])
        device = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["ed25519_seed"]))
        key, _ = SenderChain(ratchet["leaf"], 0, bytes.fromhex(ratchet["base"])).step()
        self.assertEqual(seal_content(content, header, commit_hash, key, device).hex(), case["envelope"])
        signature, public = bytes.fromhex(case["signature"]), device.public_key().public_bytes_raw()
        verify_content(content, header, commit_hash, signature, public)
        self.assertEqual(len(pad(v32(content) + signature)), case["plaintext_len"])

    def test_envelope_of_another_implementation(self) -> None:
        """The known envelope is opened as far as its content, which is no Content structure, and refused there."""
        case, ratchet = VECTORS["message"], VECTORS["ratchet"]
        envelope = Envelope.decode(bytes.fromhex(case["envelope"]))
        device = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["ed25519_seed"]))
        scope = MessageScope(envelope.header.room_id, envelope.header.epoch, bytes.fromhex(ratchet["commit_hash"]))
        chain = ReceiverChain(ratchet["leaf"], 0, bytes.fromhex(ratchet["base"]))
        public = device.public_key().public_bytes_raw()
        error = self.assertRaises(Reject, open_message, envelope, scope, chain, public)
        self.assertIn("content:", str(error))


class HonestTests(SynchronousTestCase):
    """Messages between members."""

    def test_round_trip(self) -> None:
        """Every member opens what one of them sent, and has what it takes to show it to others later."""
        room = Room()
        for number in range(3):
            envelope = room.send("alice", b"hello %d" % number)
            for reader in ("alice", "bob", "mallory"):
                opened = room.open(reader, envelope)
                self.assertEqual(opened.content.body, b"hello %d" % number)
                self.assertEqual((opened.header.leaf, opened.header.generation), (0, number))
                args = (opened.encoded_content, opened.header, room.scope.commit_hash, opened.signature)
                verify_content(*args, verifier("alice"))
                self.assertRaises(Reject, verify_content, *args, verifier("bob"))

    @given(st.integers(0, 255), st.binary(max_size=600), st.none() | st.integers(0, 2**64 - 1))
    @settings(max_examples=50)
    def test_any_content(self, ctype: int, body: bytes, size: int | None) -> None:
        """A content of any type, with or without a log head, arrives as it was."""
        room = Room()
        head = None if size is None else LogHead(size, named("root"))
        content = Content(ctype, named("id", 16), 5, body, head)
        sealed = seal_message(content, room.scope, room.senders["bob"], signer("bob"), room.random)
        self.assertEqual(room.open("alice", sealed.envelope, "bob").content, content)
        self.assertEqual(sealed.chain, room.senders["bob"].step()[1])

    def test_length_hides(self) -> None:
        """Bodies up to 157 bytes make envelopes of 309 bytes; the next size is 325."""
        room = Room()
        lengths = [len(room.send("alice", bytes(length))) for length in (0, 1, 100, 157, 158)]
        self.assertEqual(lengths, [309, 309, 309, 309, 325])

    def test_limit(self) -> None:
        """The longest content just fits; one byte more is refused before a generation is lost."""
        room = Room()
        content = Content(ContentType.TEXT, named("id", 16), 5, bytes(BODY_BYTES_MAX), LogHead(1, bytes(32)))
        self.assertEqual(len(content.encode()), CONTENT_BYTES_MAX)
        args = (room.scope, room.senders["alice"], signer("alice"), room.random)
        envelope = seal_message(content, *args).envelope
        self.assertLessEqual(len(envelope), ENVELOPE_BYTES_MAX)
        self.assertEqual(room.open("bob", envelope).content, content)
        self.assertRaises(TooLarge, seal_message, replace(content, body=bytes(BODY_BYTES_MAX + 1)), *args)
        bare = replace(content, head=None, body=bytes(BODY_BYTES_MAX + 40))
        self.assertEqual(len(seal_message(bare, *args).envelope), len(envelope))

    def test_reuse_guard(self) -> None:
        """A sender that was rolled back and seals another message in one generation does not reuse key and nonce."""
        room = Room()
        chain, content = room.senders["alice"], Content(1, named("id", 16), 5, b"hello")
        one, two = (seal_message(content, room.scope, chain, signer("alice"), stream(name)) for name in ("a", "b"))
        self.assertNotEqual(one.envelope[37:], two.envelope[37:])
        room.open("bob", one.envelope)
        self.assertRaises(Reject, room.open, "bob", two.envelope)

    def test_repr(self) -> None:
        """Neither text nor keys are in the repr of what was opened or sealed."""
        room = Room()
        content = Content(1, named("id", 16), 5, b"a word")
        sealed = seal_message(content, room.scope, room.senders["alice"], signer("alice"), room.random)
        opened = room.open("bob", sealed.envelope)
        self.assertNotIn("a word", repr(opened))
        self.assertNotIn("secret", repr(opened) + repr(sealed))
        self.assertNotIn("envelope", repr(sealed))


class ServerTests(SynchronousTestCase):
    """What the server can try with the ciphertexts that it stores."""

    def setUp(self) -> None:
        """A room with one message, unread."""
        self.room = Room()
        self.envelope = self.room.send("alice", b"hello")

    def test_replay(self) -> None:
        """A message is accepted once."""
        self.room.open("bob", self.envelope)
        self.assertRaises(Reject, self.room.open, "bob", self.envelope)

    def test_reorder(self) -> None:
        """Messages out of order are accepted, each once."""
        envelopes = [self.envelope, *(self.room.send("alice", b"%d" % number) for number in range(1, 4))]
        for number in (2, 0, 3, 1):
            self.assertEqual(self.room.open("bob", envelopes[number]).header.generation, number)
            for seen in (number, 2):
                self.assertRaises(Reject, self.room.open, "bob", envelopes[seen])

    def test_each_byte(self) -> None:
        """A change of any byte of header, ciphertext or tag is refused, and the message itself still opens after it."""
        for at in range(len(self.envelope)):
            changed = bytearray(self.envelope)
            changed[at] ^= 1
            self.assertRaises(Reject, self.room.open, "bob", bytes(changed))
        self.assertEqual(self.room.open("bob", self.envelope).content.body, b"hello")

    def test_header_fields(self) -> None:
        """No field of the header can be exchanged for that of another place where the same chain would be used."""
        good = Envelope.decode(self.envelope)
        for header in (
            replace(good.header, room_id=named("other room", 16)),
            replace(good.header, epoch=4),
            replace(good.header, leaf=1),
            replace(good.header, generation=1),
            replace(good.header, reuse_guard=bytes(4)),
        ):
            scope = replace(self.room.scope, room_id=header.room_id, epoch=header.epoch)
            chain = replace(self.room.receivers["bob", "alice"], leaf=header.leaf)
            changed = Envelope(header, good.ciphertext)
            self.assertRaises(Reject, open_message, changed, scope, chain, verifier("alice"))

    def test_wrong_place(self) -> None:
        """A message of another room, epoch or leaf than the chain's is refused before the chain is stepped."""
        envelope = Envelope.decode(self.envelope)
        scope, chain = self.room.scope, self.room.receivers["bob", "alice"]
        for wrong_scope, wrong_chain in (
            (replace(scope, room_id=bytes(16)), chain),
            (replace(scope, epoch=2), chain),
            (scope, replace(chain, leaf=2)),
        ):
            self.assertRaises(Reject, open_message, envelope, wrong_scope, wrong_chain, verifier("alice"))

    def test_far_ahead(self) -> None:
        """A generation more than a thousand ahead is refused by its header alone."""
        good = Envelope.decode(self.envelope)
        for generation in (1001, 2**32 - 1):
            far = Envelope(replace(good.header, generation=generation), good.ciphertext).encode()
            error = self.assertRaises(Reject, self.room.open, "bob", far)
            self.assertIn("is next", str(error))
        for _ in range(1000):
            self.envelope = self.room.send("alice", b"late")
        opened = self.room.open("bob", self.envelope)
        self.assertEqual((opened.header.generation, len(opened.reached.kept)), (1000, 1000))

    def test_suite_downgrade(self) -> None:
        """A header that names another version or suite is refused while parsing."""
        for version, suite in ((1, 0), (1, 2), (0, 1), (2, 1)):
            changed = self.envelope[:1] + bytes((0, version, 0, suite)) + self.envelope[5:]
            self.assertRaises(Reject, Envelope.decode, changed)

    def test_another_room(self) -> None:
        """A message of one room does not open in another room of the same members."""
        other = Room("other room")
        self.assertRaises(Reject, other.open, "bob", self.envelope)

    def test_fork(self) -> None:
        """Members who are on different branches of the room do not read each other, even with the same chain."""
        envelope, chain = Envelope.decode(self.envelope), self.room.receivers["bob", "alice"]
        fork = replace(self.room.scope, commit_hash=named("fork"))
        self.assertRaises(Reject, open_message, envelope, fork, chain, verifier("alice"))
