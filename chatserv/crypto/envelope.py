"""The envelope of a message: the clear header that the server reads, and ciphertext that it cannot.

See docs/rooms.rst 7.2.

Neither end needs a secret for this; what opens the ciphertext is in ``chatserv.crypto.e2e``.
"""

from dataclasses import dataclass, field
from typing import Final

from chatserv.crypto.encoding import Reader, u8, u16, u32
from chatserv.crypto.suite import SUITE, VERSION, padme
from chatserv.errors import Reject

KIND: Final = 0x10
ROOM_ID_BYTES: Final = 16
GUARD_BYTES: Final = 4
HEADER_BYTES: Final = 37
TAG_BYTES: Final = 16
PADDED_BYTES_MIN: Final = 256
ENVELOPE_BYTES_MIN: Final = HEADER_BYTES + PADDED_BYTES_MIN + TAG_BYTES
ENVELOPE_BYTES_MAX: Final = 12_000  # it has to fit into one line (docs/protocol.rst 1.3) with its command


@dataclass(frozen=True)
class Header:
    """The clear head of a message: 37 bytes.

    Attributes:
        room_id: 16 bytes.
        epoch: The room's epoch that the message is sealed for.
        leaf: The sender's place in the roster of that epoch.
        generation: Which message of this sender in this epoch it is, from 0.
        reuse_guard: 4 random bytes, in the nonce (RFC 9420 section 6.3.1).
    """

    room_id: bytes
    epoch: int
    leaf: int
    generation: int
    reuse_guard: bytes

    @property
    def signed(self) -> bytes:
        """The part that the sender's signature covers: all but the reuse guard, 33 bytes."""
        head = u8(KIND) + u16(VERSION) + u16(SUITE) + self.room_id
        return head + u32(self.epoch) + u32(self.leaf) + u32(self.generation)

    def encode(self) -> bytes:
        """``u8=0x10; u16 version; u16 suite; room_id[16]; u32 epoch; u32 leaf; u32 generation; reuse_guard[4]``."""
        return self.signed + self.reuse_guard

    @classmethod
    def decode(cls, data: bytes) -> "Header":
        """Parses strictly. Raises `Reject`, also for a version or suite other than the room's only one."""
        reader = Reader(data, "header")
        kind, version, suite = reader.u8(), reader.u16(), reader.u16()
        if kind != KIND:
            raise Reject(f"header: kind {kind}")
        if version != VERSION or suite != SUITE:
            raise Reject(f"header: version {version}, suite {suite:#06x}")
        header = cls(reader.take(ROOM_ID_BYTES), reader.u32(), reader.u32(), reader.u32(), reader.take(GUARD_BYTES))
        reader.end()
        return header


@dataclass(frozen=True)
class Envelope:
    """A message as it is stored and sent: header and ciphertext with its tag."""

    header: Header
    ciphertext: bytes = field(repr=False)

    def encode(self) -> bytes:
        """``Header || ciphertext``."""
        return self.header.encode() + self.ciphertext

    @classmethod
    def decode(cls, data: bytes) -> "Envelope":
        """Parses strictly.

        Raises:
            Reject: It is shorter or longer than an envelope can be, its header is wrong, or its length is none that the
                padding gives: lengths carry no message of their own.
        """
        if not ENVELOPE_BYTES_MIN <= len(data) <= ENVELOPE_BYTES_MAX:
            raise Reject(f"envelope: {len(data)} bytes")
        header, ciphertext = Header.decode(data[:HEADER_BYTES]), data[HEADER_BYTES:]
        padded_bytes = len(ciphertext) - TAG_BYTES
        if padme(padded_bytes) != padded_bytes:
            raise Reject(f"envelope: {len(data)} bytes, which is no padded length")
        return cls(header, ciphertext)
