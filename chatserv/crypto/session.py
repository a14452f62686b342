"""Key schedule and records of the client-server session (docs/protocol.rst 1.3, 3.1 and 4), without any order."""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatserv.crypto.encoding import u8
from chatserv.crypto.suite import extract, mac, sha256, xlabel
from chatserv.discreet import Discreet
from chatserv.errors import Reject
from chatserv.local_errors import LocalProtocolError

KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
HEADER_BYTES: Final = 2
SEQUENCE_LIMIT: Final = 2**48  # never reached: a rekey comes after 2^20 records


class HandshakeSecrets(Discreet, frozen=True):
    """What follows from the hybrid key exchange alone; protects the handshake's own records."""

    secret: bytes
    client: bytes
    server: bytes


class TrafficSecrets(Discreet, frozen=True):
    """What follows from the key exchange and from the secret wrapped to the device's RSA key."""

    client: bytes
    server: bytes
    exporter: bytes


def handshake_secrets(mlkem_secret: bytes, x25519_secret: bytes, t1: bytes, binding: bytes) -> HandshakeSecrets:
    """``HS``, ``c_hs`` and ``s_hs``.

    Args:
        mlkem_secret: 32 bytes of ML-KEM-768 (FIPS 203).
        x25519_secret: 32 bytes of X25519 (RFC 7748).
        t1: Hash of both hellos, 32 bytes.
        binding: The channel binding ``CB``, 33 bytes.
    """
    secret = extract(sha256(b"chatserv1 session"), mlkem_secret + x25519_secret)
    context = t1 + binding
    return HandshakeSecrets(
        secret, xlabel(secret, "c hs", context, KEY_BYTES), xlabel(secret, "s hs", context, KEY_BYTES)
    )


def traffic_secrets(handshake: HandshakeSecrets, wrapped: bytes, t4: bytes, binding: bytes) -> TrafficSecrets:
    """``c_ap``, ``s_ap`` and ``exporter`` from the wrapped secret ``r`` (32 bytes) and the whole transcript ``t4``."""
    master = extract(xlabel(handshake.secret, "derived", b"", KEY_BYTES), wrapped)
    context = t4 + binding
    client, server, exporter = (xlabel(master, label, context, KEY_BYTES) for label in ("c ap", "s ap", "exporter"))
    return TrafficSecrets(client, server, exporter)


def finished_mac(client_secret: bytes, t4: bytes) -> bytes:
    """What FINISHED carries: proof that the client has the traffic keys, 32 bytes."""
    return mac(xlabel(client_secret, "finished", b"", KEY_BYTES), t4)


class RecordKey:
    """One direction's key: seals or opens records in order, and moves on to the next phase.

    A record is ``type || phase || AES-256-GCM(plaintext)`` with the two header bytes as associated data; the nonce is
    ``iv XOR sequence`` (RFC 8446 section 5.3), the sequence is never on the wire.
    """

    __slots__ = ("_aead", "_iv", "_secret", "phase", "sealed_bytes", "sequence")

    def __init__(self, secret: bytes) -> None:
        self.phase = 0
        self._take(secret)

    def _take(self, secret: bytes) -> None:
        self._secret = secret
        self._aead = AESGCM(xlabel(secret, "key", b"", KEY_BYTES))
        self._iv = int.from_bytes(xlabel(secret, "iv", b"", 12), "big")
        self.sequence = 0
        self.sealed_bytes = 0

    def _nonce(self) -> bytes:
        sequence = self.sequence
        if sequence >= SEQUENCE_LIMIT:
            raise LocalProtocolError("record key used beyond its limit")
        self.sequence = sequence + 1
        return (self._iv ^ sequence).to_bytes(12, "big")

    def seal(self, kind: int, plaintext: bytes) -> bytes:
        """The record of type ``kind`` (one byte) around ``plaintext``; 18 bytes longer than it."""
        header = bytes((kind, self.phase))
        self.sealed_bytes += len(plaintext)
        return header + self._aead.encrypt(self._nonce(), plaintext, header)

    def open(self, record: bytes) -> tuple[int, bytes]:
        """Type and plaintext of the next record in order.

        Raises:
            Reject: The record is too short, of another phase, or does not open. The key is then of no further use.
        """
        if len(record) < HEADER_BYTES + TAG_BYTES:
            raise Reject(f"record: {len(record)} bytes")
        if record[1] != self.phase:
            raise Reject(f"record: phase {record[1]}, {self.phase} wanted")
        header = record[:HEADER_BYTES]
        self.sealed_bytes += len(record)
        try:
            return header[0], self._aead.decrypt(self._nonce(), record[HEADER_BYTES:], header)
        except InvalidTag:
            raise Reject("record: does not open") from None

    def update(self) -> None:
        """Moves on to the next phase (docs/protocol.rst 3.1): new key, sequence 0."""
        self.phase = (self.phase + 1) % 256
        self._take(xlabel(self._secret, "traffic upd", b"", KEY_BYTES))


def channel_binding(exporter: bytes | None) -> bytes:
    """``CB``: type 1 and the TLS exporter of RFC 9266 (32 bytes), or type 0 and zeros where there is no TLS."""
    return u8(0) + bytes(32) if exporter is None else u8(1) + exporter
