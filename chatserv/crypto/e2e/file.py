"""Files, sealed for a room: padded, then Cobblestone-256 (docs/crypto.rst, "Files"), a piece at a time.

The server sees how long the padded file is, and nothing else of it.
"""

from enum import Enum
from hashlib import sha256
from typing import Final

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag

from chatserv.crypto.suite import padme
from chatserv.errors import Reject

_HEAD_BYTES: Final = 56
_CHUNK_BYTES: Final = 16_384
_TAG_BYTES: Final = 16
_LEAST_PADDED: Final = 256
_MARK: Final = b"\x80"


class Purpose(Enum):
    """What is sealed: a file that is one opens as nothing else."""

    FILE = b"chatserv1 file"
    HISTORY = b"chatserv1 history"

    def context(self, room_id: bytes) -> bytes:
        """What the sealed bytes are bound to."""
        return self.value + room_id


def _padded(size: int) -> int:
    """How long `chatserv.crypto.suite.pad` makes so many bytes."""
    return max(_LEAST_PADDED, padme(size + 1))


def sealed_size(size: int) -> int:
    """How many bytes a file of ``size`` bytes has when it is sealed: its head, the chunks, and a tag for each of them."""
    padded = _padded(size)
    return _HEAD_BYTES + padded + _TAG_BYTES * (padded // _CHUNK_BYTES + 1)


def largest_file(sealed: int) -> int:
    """How many bytes a file may have so that it has at most ``sealed`` bytes when it is sealed; 0 where none has."""
    low, high = 0, max(0, sealed)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if sealed_size(middle) <= sealed else (low, middle - 1)
    return low


class FileSealer:
    """Seals one file.

    Args:
        key: For this file alone, 32 bytes.
        room_id: The room that it is sent to, 16 bytes.
        size: How many bytes will come.
        purpose: What it is.
    """

    def __init__(self, key: bytes, room_id: bytes, size: int, purpose: Purpose = Purpose.FILE) -> None:
        self._sealing = Cobblestone256Encryptor(key, purpose.context(room_id))
        self._left, self._padding = size, _padded(size) - size - 1
        self._hash = sha256()

    def update(self, data: bytes) -> bytes:
        """Seals what comes next. Raises `Reject` for more than was said."""
        if len(data) > self._left:
            raise Reject("file: longer than it was")
        self._left -= len(data)
        return self._counted(self._sealing.update(data))

    def finalize(self) -> bytes:
        """Seals the padding, and gives the rest. Raises `Reject` where less has come than was said."""
        if self._left:
            raise Reject("file: shorter than it was")
        sealed = self._sealing.update(_MARK)
        while self._padding:
            zeros = min(self._padding, 1 << 20)
            self._padding -= zeros
            sealed += self._sealing.update(bytes(zeros))
        return self._counted(sealed + self._sealing.finalize())

    def _counted(self, sealed: bytes) -> bytes:
        self._hash.update(sealed)
        return bytes(sealed)

    @property
    def hash(self) -> bytes:
        """SHA-256 of all that was given so far, 32 bytes."""
        return self._hash.digest()


class FileOpener:
    """Opens one file; never gives more than was announced. What it gives is authentic, but whole only after `finalize`.

    Args:
        key: As the sender says, 32 bytes.
        room_id: The room that it was sent to, 16 bytes.
        size: What was announced.
        purpose: What it is.
    """

    def __init__(self, key: bytes, room_id: bytes, size: int, purpose: Purpose = Purpose.FILE) -> None:
        self._opening = Cobblestone256Decryptor(key, purpose.context(room_id))
        self._left, self._padding, self._marked = size, _padded(size) - size - 1, False

    def update(self, sealed: bytes) -> bytes:
        """Opens what comes next. Raises `Reject`: ``does not open``, whatever the cause."""
        try:
            return self._unpadded(bytes(self._opening.update(sealed)))
        except (InvalidTag, ValueError):
            raise Reject("file: does not open") from None

    def finalize(self) -> bytes:
        """Opens the rest. Raises as `update` does, and where anything is missing."""
        try:
            rest = self._unpadded(bytes(self._opening.finalize()))
        except (InvalidTag, ValueError):
            raise Reject("file: does not open") from None
        if self._left or not self._marked or self._padding:
            raise Reject("file: does not open")
        return rest

    def _unpadded(self, data: bytes) -> bytes:
        plain, rest = data[: self._left], data[self._left :]
        self._left -= len(plain)
        if rest and not self._marked:
            if rest[:1] != _MARK:
                raise Reject("file: does not open")
            self._marked, rest = True, rest[1:]
        if len(rest) > self._padding or rest.count(0) != len(rest):
            raise Reject("file: does not open")
        self._padding -= len(rest)
        return plain
