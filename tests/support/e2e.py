"""Devices, rooms and messages for tests of the end-to-end part, with fixed keys.

A room of three, alice at leaf 0, bob at 1, mallory at 2, who all hold the epoch's secret::

    room = Room()
    envelope = room.send("alice", b"hello")
    room.open("bob", envelope).content.body      # b"hello"; bob's chain of alice has moved on
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ed25519

from chatserv.crypto.content import Content, ContentType
from chatserv.crypto.e2e.epoch import base_secret
from chatserv.crypto.e2e.message import MessageScope, OpenedMessage, open_message, seal_message
from chatserv.crypto.e2e.ratchet import ReceiverChain, SenderChain
from chatserv.crypto.envelope import Envelope

NAMES = ("alice", "bob", "mallory")


def named(name: str, length: int = 32) -> bytes:
    """The bytes of that name."""
    return hashlib.shake_256(b"test: " + name.encode()).digest(length)


def stream(name: str) -> Callable[[int], bytes]:
    """A source of "random" bytes that never repeat."""
    drawn = 0

    def draw(length: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return named(f"{name} {drawn}", length)

    return draw


def signer(name: str) -> ed25519.Ed25519PrivateKey:
    """The signature key of the device of that name."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(named(f"{name} ed25519"))


def verifier(name: str) -> bytes:
    """The public half of `signer`, 32 bytes."""
    return signer(name).public_key().public_bytes_raw()


@dataclass
class Room:
    """One room in one epoch, with what each member holds of it."""

    name: str = "room"
    epoch: int = 3
    senders: dict[str, SenderChain] = field(default_factory=dict)
    receivers: dict[tuple[str, str], ReceiverChain] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Derives the chains of all members."""
        secret = named(f"{self.name} epoch secret")
        self.scope = MessageScope(named(self.name, 16), self.epoch, named(f"{self.name} commit"))
        self.random = stream(self.name)
        for leaf, name in enumerate(NAMES):
            base = base_secret(secret, leaf, self.scope.commit_hash)
            self.senders[name] = SenderChain(leaf, 0, base)
            for reader in NAMES:
                self.receivers[reader, name] = ReceiverChain(leaf, 0, base)

    def send(self, sender: str, body: bytes) -> bytes:
        """The next message of a sender."""
        content = Content(ContentType.TEXT, self.random(16), 1_790_000_000_000, body)
        sealed = seal_message(content, self.scope, self.senders[sender], signer(sender), self.random)
        self.senders[sender] = sealed.chain
        return sealed.envelope

    def open(self, reader: str, envelope: bytes, sender: str = "alice") -> OpenedMessage:
        """Opens as a member would who takes the envelope for the sender's; stores the chain if that worked."""
        chain = self.receivers[reader, sender]
        opened = open_message(Envelope.decode(envelope), self.scope, chain, verifier(sender))
        self.receivers[reader, sender] = opened.reached.chain
        return opened
