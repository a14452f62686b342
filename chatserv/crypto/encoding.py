"""The TLS presentation language (RFC 8446 section 3), as far as the protocol uses it: big-endian, explicit lengths.

`Reader` refuses short input and, in `Reader.end`, trailing bytes; it never copies more than it is asked for.
"""

from chatserv.errors import Reject


def u8(value: int) -> bytes:
    """One byte."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Two bytes, big-endian."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Four bytes, big-endian."""
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    """Eight bytes, big-endian."""
    return value.to_bytes(8, "big")


def v8(data: bytes) -> bytes:
    """``opaque<V8>``: a one-byte length, then the bytes."""
    return u8(len(data)) + data


def v16(data: bytes) -> bytes:
    """``opaque<V16>``: a two-byte length, then the bytes."""
    return u16(len(data)) + data


def v32(data: bytes) -> bytes:
    """``opaque<V32>``: a four-byte length, then the bytes."""
    return u32(len(data)) + data


class Reader:
    """Reads one structure from start to end.

    Args:
        data: The whole structure.
        what: Its name, for the error.
    """

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes. Raises `Reject` where fewer are left."""
        end = self._at + count
        if end > len(self._data):
            raise Reject(f"{self._what}: ends at byte {len(self._data)}, {end} wanted")
        chunk = self._data[self._at : end]
        self._at = end
        return chunk

    def u8(self) -> int:
        """The next byte as a number."""
        return self.take(1)[0]

    def u16(self) -> int:
        """The next two bytes as a number."""
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        """The next four bytes as a number."""
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        """The next eight bytes as a number."""
        return int.from_bytes(self.take(8), "big")

    def v8(self) -> bytes:
        """An ``opaque<V8>``."""
        return self.take(self.u8())

    def v16(self) -> bytes:
        """An ``opaque<V16>``."""
        return self.take(self.u16())

    def v32(self) -> bytes:
        """An ``opaque<V32>``."""
        return self.take(self.u32())

    def text8(self) -> str:
        """An ``opaque<V8>`` of UTF-8. Raises `Reject` for anything else."""
        try:
            return self.v8().decode()
        except UnicodeDecodeError:
            raise Reject(f"{self._what}: text that is not UTF-8") from None

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def end(self) -> None:
        """Raises `Reject` unless everything was read."""
        if self.left:
            raise Reject(f"{self._what}: {self.left} bytes too many")
