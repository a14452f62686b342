"""What a server says, signed, when it was restored from a backup (docs/crypto.rst 5): it changes the words of alarms,
and excuses only what the client bounds itself, since whoever has the server's key can say so at any time.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from chatserv.crypto.encoding import Reader, u64
from chatserv.crypto.suite import RSA_BYTES, load_rsa_spki, pss_sign, pss_verify, to_sign

STORE_ID_BYTES: Final = 16
RESTORED_BYTES: Final = 88 + RSA_BYTES
_LABEL: Final = "restored"


class Restored(Struct, frozen=True):
    """A restore.

    Attributes:
        backup_ms: When the backup was made, milliseconds since 1970.
        at_ms: When it was restored.
        size: How many leaves the log had in the backup.
        root: Their root, 32 bytes.
        before: The incarnation of the store that was backed up, 16 bytes.
        now: The one that it has since, 16 bytes.
    """

    backup_ms: int
    at_ms: int
    size: int
    root: bytes
    before: bytes
    now: bytes

    def encode(self) -> bytes:
        """``u64 backup; u64 at; u64 size; root[32]; before[16]; now[16]``, 88 bytes."""
        return u64(self.backup_ms) + u64(self.at_ms) + u64(self.size) + self.root + self.before + self.now

    @classmethod
    def decode(cls, data: bytes) -> "Restored":
        """Parses strictly. Raises `Reject`."""
        reader = Reader(data, "restored")
        backup_ms, at_ms, size = reader.u64(), reader.u64(), reader.u64()
        restored = cls(
            backup_ms, at_ms, size, reader.take(32), reader.take(STORE_ID_BYTES), reader.take(STORE_ID_BYTES)
        )
        reader.end()
        return restored


def restored_to_sign(restored: Restored, server_id: bytes) -> bytes:
    """What the server's key signs; ``server_id``: what clients pin, 32 bytes."""
    return to_sign(_LABEL, server_id + restored.encode())


def make_restored(restored: Restored, key: rsa.RSAPrivateKey, server_id: bytes) -> bytes:
    """The signed statement, `RESTORED_BYTES`."""
    return restored.encode() + pss_sign(key, restored_to_sign(restored, server_id))


def verify_restored(statement: bytes, server_spki: bytes, server_id: bytes) -> Restored:
    """What a statement says. Raises `Reject` unless the server's key (DER) has signed it for this server."""
    facts, signature = statement[:-RSA_BYTES], statement[-RSA_BYTES:]
    restored = Restored.decode(facts)
    pss_verify(load_rsa_spki(server_spki), signature, _LABEL, server_id + facts)
    return restored
