"""How large the pieces are in which files go over the connection, so that what people say is not late (docs/design.rst)."""

from collections.abc import Callable
from typing import Final

from chatserv.wire.blobs import CHUNK_BYTES

LEAST_BYTES: Final = 4096
UNDER_WAY: Final = 2
"""Pieces at once, of one file."""
LATE_SECONDS: Final = 0.05
"""How much longer than the shortest round trip one may take before pieces become smaller."""
TOO_LARGE: Final = 3
"""So many late ones of a size, and none between them in time, say that the line is too slow for it. Fewer may be a disk's,
or a machine's that has other work."""
AGAIN_SECONDS: Final = 20.0
"""How often such a size is tried again: the line may have become another."""


class Window:
    """The size of the next piece: doubled or halved by how long the last ones took.

    A size is judged by answers to pieces that came after as many of the same size as are under way, as all will if it stays:
    what was sent before the size changed says nothing of it. So it does not swing between one that is too small and two
    that are too large.

    Args:
        seconds: A clock that never goes back.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._size, self._shortest = LEAST_BYTES, float("inf")
        # The size of the last one that was answered, and how many were of it, one after the other.
        self._last = self._row = 0
        self._late: dict[int, int] = {}  # by size: how many, since the last one in time
        self._forget_at = seconds() + AGAIN_SECONDS

    @property
    def size(self) -> int:
        """In bytes."""
        return self._size

    @property
    def under_way(self) -> int:
        """How many pieces may be at once: one alone at first, so that nothing else is in the first round trip."""
        return UNDER_WAY if self._last else 1

    def answered(self, size: int, sent: float) -> None:
        """A piece of so many bytes, sent at that time, was answered now; in the order in which they were sent."""
        now = self._seconds()
        took = now - sent
        self._last, self._row = size, self._row + 1 if size == self._last else 1
        self._shortest = min(self._shortest, took)
        if now >= self._forget_at:
            self._late.clear()
            self._forget_at = now + AGAIN_SECONDS
        if self._row <= UNDER_WAY:
            return
        late = took > self._shortest + LATE_SECONDS
        self._late[size] = self._late.get(size, 0) + 1 if late else 0
        if size != self._size:
            return
        if late:
            self._size = max(size // 2, LEAST_BYTES)
        elif self._late.get(2 * size, 0) < TOO_LARGE:
            self._size = min(2 * size, CHUNK_BYTES)
