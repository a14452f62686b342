"""How large the pieces are in which files go over the connection, so that what people say is not late (docs/design.rst)."""

from typing import Final

from chatserv.wire.blobs import CHUNK_BYTES

LEAST_BYTES: Final = 4096
UNDER_WAY: Final = 2
"""Pieces at once, of one file."""
LATE_SECONDS: Final = 0.05
"""How much longer than the shortest round trip one may take before pieces become smaller."""
_FIRST_BYTES: Final = 8192


class Window:
    """The size of the next piece: doubled or halved by how long the last ones took."""

    def __init__(self) -> None:
        self._size, self._shortest = _FIRST_BYTES, float("inf")

    @property
    def size(self) -> int:
        """In bytes."""
        return self._size

    def took(self, seconds: float) -> None:
        """A piece was answered after so long."""
        self._shortest = min(self._shortest, seconds)
        if seconds <= self._shortest + LATE_SECONDS:
            self._size = min(2 * self._size, CHUNK_BYTES)
        else:
            self._size = max(self._size // 2, LEAST_BYTES)
