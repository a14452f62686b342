"""What two people compare to know each other's identity keys: a number to read out, a code to scan.

See docs/rooms.rst 9.
"""

import base64
import hashlib
from typing import Final

from chatserv.crypto.suite import same
from chatserv.errors import Reject

ITERATIONS: Final = 5200
QR_VERSION: Final = 1
FINGERPRINT_BYTES: Final = 32
QR_PREFIX: Final = "CHATSERV-VERIFY:"
_QR_BYTES: Final = 1 + 2 * FINGERPRINT_BYTES
_GROUP: Final = 5


def _half(spki: bytes, user: str, server_id: bytes) -> str:
    """One user's 30 digits: 5200 times SHA-512, so that a key with the same digits is costly to look for."""
    digest = hashlib.sha512(b"\x00\x00" + spki + server_id + user.encode()).digest()
    for _ in range(ITERATIONS - 1):
        digest = hashlib.sha512(digest + spki).digest()
    chunks = (digest[at : at + 5] for at in range(0, 30, 5))
    return "".join(f"{int.from_bytes(chunk, 'big') % 100_000:05}" for chunk in chunks)


def safety_number(one: tuple[bytes, str], other: tuple[bytes, str], server_id: bytes) -> str:
    """The number of two users, the same for both: 60 digits. 10 ms.

    Args:
        one: Identity key (DER) and name of one of them.
        other: Of the other.
        server_id: SHA-256 of the server's SPKI, 32 bytes.
    """
    return "".join(sorted(_half(spki, user, server_id) for spki, user in (one, other)))


def grouped(number: str) -> str:
    """The number as people read it: 12 groups of 5 digits."""
    return " ".join(number[at : at + _GROUP] for at in range(0, len(number), _GROUP))


def qr_payload(own_fingerprint: bytes, their_fingerprint: bytes) -> bytes:
    """What one of the two shows: ``u8 version = 1``, the fingerprint of their own identity key, that of the other's."""
    return bytes((QR_VERSION,)) + own_fingerprint + their_fingerprint


def qr_matches(payload: bytes, own_fingerprint: bytes, their_fingerprint: bytes) -> bool:
    """Whether a payload that the other one shows names the keys that we know: theirs first, as it is they who show it."""
    return same(payload, qr_payload(their_fingerprint, own_fingerprint))


def qr_text(payload: bytes) -> str:
    """The payload as text, for a QR code of capitals and digits or to be pasted."""
    return QR_PREFIX + base64.b32encode(payload).decode().rstrip("=")


def parse_qr_text(text: str) -> bytes:
    """The payload of a text that a scanner gave or somebody pasted; space around it and small letters do no harm.

    Raises:
        Reject: It is no such text, or of another version.
    """
    wanted = text.strip().upper()
    encoded = wanted.removeprefix(QR_PREFIX)
    try:
        payload = base64.b32decode(encoded + "=" * (-len(encoded) % 8))
    except ValueError:
        raise Reject("verification text: not base32") from None
    if qr_text(payload) != wanted:
        raise Reject("verification text: not canonical, or without its beginning")
    if len(payload) != _QR_BYTES or payload[0] != QR_VERSION:
        raise Reject("verification text: another version, or another length")
    return payload
