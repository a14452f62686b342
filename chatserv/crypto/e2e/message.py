"""Messages: sealed with a key that is used once, signed inside, bound to the epoch's commit.

See docs/rooms.rst 7.2 and 7.3.
"""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from chatserv.crypto.content import Content
from chatserv.crypto.e2e.ratchet import MAX_AHEAD, MAX_SKIPPED, MessageKey, Reached, ReceiverChain, SenderChain
from chatserv.crypto.encoding import Reader, v32
from chatserv.crypto.envelope import ENVELOPE_BYTES_MAX, GUARD_BYTES, Envelope, Header
from chatserv.crypto.suite import ed_sign, ed_verify, pad, unpad
from chatserv.discreet import Discreet
from chatserv.errors import Reject, TooLarge

SIGNATURE_BYTES: Final = 64
CONTENT_BYTES_MAX: Final = 11_776 - 1 - SIGNATURE_BYTES - 4  # 11 776: the largest padded length that fits an envelope
BODY_BYTES_MAX: Final = CONTENT_BYTES_MAX - 70  # with a log head in it


class MessageScope(Struct, frozen=True):
    """The epoch that a message belongs to: 16 bytes of room, its number, and the hash of its commit (32 bytes)."""

    room_id: bytes
    epoch: int
    commit_hash: bytes


class SealedMessage(Discreet, frozen=True):
    """A message that is ready to leave.

    Attributes:
        envelope: What is sent.
        chain: Has to be stored before that.
    """

    shown = ("chain",)

    envelope: bytes
    chain: SenderChain


class OpenedMessage(Discreet, frozen=True):
    """A message that was opened and verified.

    Attributes:
        header: Its clear head.
        content: What it says.
        encoded_content: The bytes of it that are signed; kept with the signature, they can be shared later
            (docs/rooms.rst 4).
        signature: The sender's, 64 bytes.
        reached: The step to store now, in one transaction with the message.
    """

    shown = ("header", "content", "reached")

    header: Header
    content: Content
    encoded_content: bytes
    signature: bytes
    reached: Reached


def seal_message(
    content: Content,
    scope: MessageScope,
    chain: SenderChain,
    device: ed25519.Ed25519PrivateKey,
    random: Callable[[int], bytes],
) -> SealedMessage:
    """Seals one message.

    Args:
        content: What it says.
        scope: The room's current epoch.
        chain: Our own chain in it.
        device: Our signature key.
        random: The hedged source of docs/rooms.rst 2.1.

    Raises:
        TooLarge: The body is above `BODY_BYTES_MAX`; without a log head 40 bytes more fit.
    """
    key, after = chain.step()
    header = Header(scope.room_id, scope.epoch, chain.leaf, chain.generation, random(GUARD_BYTES))
    return SealedMessage(seal_content(content.encode(), header, scope.commit_hash, key, device), after)


def open_message(
    envelope: Envelope,
    scope: MessageScope,
    chain: ReceiverChain,
    sender_ed25519: bytes,
    *,
    max_ahead: int = MAX_AHEAD,
    max_skipped: int = MAX_SKIPPED,
) -> OpenedMessage:
    """Opens one message. ``chain`` stays as it is: the step to store is in the result, and only there.

    Args:
        envelope: Parsed; its header tells the epoch and the chain. A newer epoch waits for its commit, with the caller.
        scope: The epoch that we are in.
        chain: Of ``roster[header.leaf]``.
        sender_ed25519: The signature key of that roster entry, 32 bytes.
        max_ahead: See `ReceiverChain.reach`.
        max_skipped: See `ReceiverChain.reach`.

    Raises:
        Reject: Another room, epoch or sender; a generation that was used or is too far ahead; it does not open, is not
            padded as it should be, is not signed by the sender, or its content does not parse.
    """
    header = envelope.header
    if header.room_id != scope.room_id or header.epoch != scope.epoch or header.leaf != chain.leaf:
        raise Reject("message: for another room, epoch or sender")
    reached = chain.reach(header.generation, max_ahead=max_ahead, max_skipped=max_skipped)
    try:
        padded = _cipher(reached.key).decrypt(
            _nonce(reached.key, header), envelope.ciphertext, header.encode() + scope.commit_hash
        )
    except InvalidTag:
        raise Reject("message: does not open") from None
    reader = Reader(unpad(padded), "message")
    encoded, signature = reader.v32(), reader.take(SIGNATURE_BYTES)
    reader.end()
    verify_content(encoded, header, scope.commit_hash, signature, sender_ed25519)
    return OpenedMessage(header, Content.decode(encoded), encoded, signature, reached)


def seal_content(
    encoded: bytes, header: Header, commit_hash: bytes, key: MessageKey, device: ed25519.Ed25519PrivateKey
) -> bytes:
    """The envelope around an encoded content. The caller answers for the key being the header's, and used once."""
    if len(encoded) > CONTENT_BYTES_MAX:
        raise TooLarge(f"message: {len(encoded)} bytes, at most {CONTENT_BYTES_MAX}")
    signature = sign_content(encoded, header, commit_hash, device)
    clear = header.encode()
    sealed = _cipher(key).encrypt(_nonce(key, header), pad(v32(encoded) + signature), clear + commit_hash)
    assert len(clear) + len(sealed) <= ENVELOPE_BYTES_MAX
    return clear + sealed


def sign_content(encoded: bytes, header: Header, commit_hash: bytes, device: ed25519.Ed25519PrivateKey) -> bytes:
    """The signature, 64 bytes, that `verify_content` checks."""
    return ed_sign(device, "message", header.signed + commit_hash + encoded)


def verify_content(encoded: bytes, header: Header, commit_hash: bytes, signature: bytes, sender_ed25519: bytes) -> None:
    """Raises `Reject` unless the sender signed this content under this header, in the epoch of ``commit_hash``."""
    ed_verify(sender_ed25519, signature, "message", header.signed + commit_hash + encoded)


def _cipher(key: MessageKey) -> AESGCM:
    return AESGCM(key.key)


def _nonce(key: MessageKey, header: Header) -> bytes:
    """The generation's nonce with the reuse guard in its first four bytes (RFC 9420 section 6.3.1)."""
    guard = int.from_bytes(header.reuse_guard, "big") << 64
    return (int.from_bytes(key.nonce, "big") ^ guard).to_bytes(12, "big")
