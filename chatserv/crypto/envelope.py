"""The envelope of a message: the clear header that the server reads, and ciphertext that it cannot.

See docs/rooms.rst 7.2.

Neither end needs a secret for this; what opens the ciphertext is in ``chatserv.crypto.e2e``.
"""

import struct
from typing import Final

from msgspec import Struct

from chatserv.crypto.encoding import u8, u16
from chatserv.crypto.suite import SUITE, VERSION, padme
from chatserv.discreet import Discreet
from chatserv.errors import Reject

KIND: Final = 0x10
ROOM_ID_BYTES: Final = 16
GUARD_BYTES: Final = 4
HEADER_BYTES: Final = 37
TAG_BYTES: Final = 16
PADDED_BYTES_MIN: Final = 256
ENVELOPE_BYTES_MIN: Final = HEADER_BYTES + PADDED_BYTES_MIN + TAG_BYTES
_LAYOUT: Final = struct.Struct(f">BHH{ROOM_ID_BYTES}sIII{GUARD_BYTES}s")
ENVELOPE_BYTES_MAX: Final = 12_000  # it has to fit into one line (docs/protocol.rst 1.3) with its command


_BEGIN: Final = u8(KIND) + u16(VERSION) + u16(SUITE)
_NUMBERS: Final = struct.Struct(">III")


class Header(Struct, frozen=True):
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
        return _BEGIN + self.room_id + _NUMBERS.pack(self.epoch, self.leaf, self.generation)

    def encode(self) -> bytes:
        """``u8=0x10; u16 version; u16 suite; room_id[16]; u32 epoch; u32 leaf; u32 generation; reuse_guard[4]``."""
        return self.signed + self.reuse_guard

    @classmethod
    def decode(cls, data: bytes) -> "Header":
        """Parses strictly. Raises `Reject`, also for a version or suite other than the room's only one."""
        if len(data) != HEADER_BYTES:
            raise Reject(f"header: {len(data)} bytes")
        kind, version, suite, room_id, epoch, leaf, generation, guard = _LAYOUT.unpack(data)
        if kind != KIND:
            raise Reject(f"header: kind {kind}")
        if version != VERSION or suite != SUITE:
            raise Reject(f"header: version {version}, suite {suite:#06x}")
        return cls(room_id, epoch, leaf, generation, guard)


class Envelope(Discreet, frozen=True):
    """A message as it is stored and sent: header and ciphertext with its tag."""

    shown = ("header",)

    header: Header
    ciphertext: bytes

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
